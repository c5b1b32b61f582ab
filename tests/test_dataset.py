"""Commits: a reader sees one whole version, whatever happens to the writers."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from cohelix import dataset, storage
from cohelix.errors import ContractError, InputError


@pytest.fixture(params=["local", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "memory":
        root = f"memory://{uuid.uuid4().hex}"
        yield root
        storage.remove_tree(root)
    else:
        yield str(tmp_path / "set")


def _writer(root: str, run: str = "r") -> dataset.Writer:
    return dataset.Writer(root, "table", run)


def _commit(root: str, contents: dict[str, bytes], after: int) -> dataset.Commit:
    writer = _writer(root, f"run-{after}")
    files = [writer.put(stem, ".bin", data) for stem, data in contents.items()]
    return writer.commit(files, {"n": len(files)}, {"operation": "test"}, after=after)


def test_commit_then_find(place: str) -> None:
    assert dataset.find(place) is None
    made = _commit(place, {"a": b"1", "b": b"22"}, after=0)
    assert dataset.find(place) == made
    assert dataset.open_existing(place, "table") == made
    assert [entry.bytes for entry in made.files] == [1, 2]
    assert dataset.read_file(place, made.files[1]) == b"22"
    dataset.verify(place, made)


def test_open_existing__wrong_kind_or_nothing(place: str) -> None:
    with pytest.raises(InputError, match="no commit"):
        dataset.open_existing(place, "table")
    _commit(place, {"a": b"1"}, after=0)
    with pytest.raises(InputError, match="expected a callset data set"):
        dataset.open_existing(place, "callset")


def test_entry__not_named() -> None:
    with pytest.raises(ContractError, match="names no file"):
        dataset.Commit("table", 1, (), {}).entry("x")


def test_uncommitted_files_are_not_seen(place: str) -> None:
    first = _commit(place, {"a": b"old"}, after=0)
    writer = _writer(place, "next")
    writer.put("a", ".bin", b"new")
    writer.record("task-1", {"n": 1})
    assert dataset.find(place) == first
    dataset.verify(place, first)


def test_versions_share_unchanged_files(place: str) -> None:
    first = _commit(place, {"a": b"same", "b": b"before"}, after=0)
    second = _commit(place, {"a": b"same", "b": b"after"}, after=1)
    assert second.version == 2
    assert first.files[0] == second.files[0]
    assert len({entry.path for entry in (*first.files, *second.files)}) == 3
    for commit in (first, second):
        assert dataset.find(place, version=commit.version) == commit
        dataset.verify(place, commit)
    with pytest.raises(InputError, match="1 to 2"):
        dataset.find(place, version=3)


def test_equal_content_gives_equal_commits(tmp_path: Path) -> None:
    raw = []
    for name in ("x", "y"):
        _commit(str(tmp_path / name), {"b": b"2", "a": b"1"} if name == "x" else {"a": b"1", "b": b"2"}, after=0)
        raw.append((tmp_path / name / "_commit" / "000001.json").read_bytes())
    assert raw[0] == raw[1]


def test_two_writers__the_second_is_refused_and_the_first_stands(place: str) -> None:
    _commit(place, {"a": b"0"}, after=0)
    fast, slow = _writer(place, "fast"), _writer(place, "slow")
    of_fast, of_slow = fast.put("a", ".bin", b"fast"), slow.put("a", ".bin", b"slow")
    won = fast.commit([of_fast], {}, {}, after=1)
    with pytest.raises(InputError, match="another run has committed version 2"):
        slow.commit([of_slow], {}, {}, after=1)
    assert dataset.find(place) == won
    dataset.verify(place, won)


@pytest.mark.parametrize("harm", ["flip", "cut", "grow", "remove"])
def test_a_tampered_file_is_refused(tmp_path: Path, harm: str) -> None:
    root = str(tmp_path / "set")
    commit = _commit(root, {"a": b"genotypes"}, after=0)
    path = tmp_path / "set" / commit.files[0].path
    data = path.read_bytes()
    if harm == "remove":
        path.unlink()
    else:
        path.write_bytes({"flip": b"Genotypes", "cut": data[:-1], "grow": data + b"!"}[harm])
    with pytest.raises(InputError, match="Restore it"):
        dataset.verify(root, commit)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    root = str(tmp_path / "set")
    _commit(root, {"a": b"1"}, after=0)
    path = tmp_path / "set" / "_commit" / "000001.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": dataset.FORMAT + 1}))
    with pytest.raises(InputError, match="Update cohelix"):
        dataset.find(root)


def test_put_group__shares_a_prefix(place: str) -> None:
    entries = _writer(place).put_group("genotypes/x", {".pgen": b"g", ".pvar": b"v"})
    prefixes = {entry.path.removesuffix(suffix) for suffix, entry in entries.items()}
    assert len(prefixes) == 1
    other = _writer(place).put_group("genotypes/x", {".pgen": b"g", ".pvar": b"w"})
    assert other[".pgen"].path != entries[".pgen"].path
    assert other[".pgen"].sha256 == entries[".pgen"].sha256


def test_recall__only_what_was_recorded(place: str) -> None:
    writer = _writer(place)
    assert writer.recall("t") is None
    writer.record("t", {"n": 3})
    assert writer.recall("t") == {"n": 3}
    assert dataset.Writer(place, "table", "another").recall("t") is None
    writer.commit([], {}, {}, after=0)
    assert writer.recall("t") is None


def test_collect_garbage__keeps_every_version_and_waits_for_writers(place: str) -> None:
    first = _commit(place, {"a": b"1"}, after=0)
    second = _commit(place, {"a": b"2", "deep/c": b"3"}, after=1)
    writer = _writer(place, "unfinished")
    stray = writer.put("deep/stray", ".bin", b"4")
    writer.record("t", {})
    assert dataset.collect_garbage(place) == 0
    storage.remove_tree(writer.staging)
    assert dataset.collect_garbage(place) == 1
    assert not storage.exists(storage.join(place, stray.path))
    for commit in (first, second):
        dataset.verify(place, commit)


def _write_for_ever(root: str) -> None:
    version = 1
    while True:
        payload = str(version).encode() * 20_000
        _commit(root, {f"part{i}": payload + bytes([i]) for i in range(5)}, after=version)
        version += 1


def test_killed_at_any_moment__the_newest_commit_is_whole(tmp_path: Path) -> None:
    """Six writers are killed at different moments; after each, what a reader finds is complete."""
    root = str(tmp_path / "set")
    context = multiprocessing.get_context("spawn")
    for pause in (0.02, 0.05, 0.11, 0.17, 0.23, 0.31):
        storage.remove_tree(root)
        _commit(root, {"a": b"0"}, after=0)
        process = context.Process(target=_write_for_ever, args=(root,))
        process.start()
        deadline = time.monotonic() + 60
        while len(storage.listing(storage.join(root, "_commit"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(pause)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        commit = dataset.find(root)
        assert commit is not None
        assert commit.version >= 2
        dataset.verify(root, commit)


def test_canonical_json_and_digest() -> None:
    assert dataset.canonical_json({"b": 1, "a": [1.5, "ä"]}) == b'{"a":[1.5,"\\u00e4"],"b":1}'
    assert dataset.digest_of({"a": 1, "b": 2}) == dataset.digest_of({"b": 2, "a": 1})
    assert dataset.digest_of({"a": 1}) != dataset.digest_of({"a": 2})
