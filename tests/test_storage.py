"""Bytes on a disk and on an object store: whole or not at all, and one creator."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from cohelix import storage


@pytest.fixture(params=["local", "file url", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "memory":
        root = f"memory://{uuid.uuid4().hex}"
        yield root
        storage.remove_tree(root)
    else:
        yield str(tmp_path / "d") if request.param == "local" else f"file://{tmp_path}/d"


def test_write_then_read(place: str) -> None:
    path = storage.join(place, "a", "b.bin")
    assert not storage.exists(path)
    storage.write(path, b"one")
    storage.write(path, b"two")
    assert storage.exists(path)
    assert storage.read(path) == b"two"


def test_listing_is_sorted_and_leaves_no_passing_files(place: str) -> None:
    assert storage.listing(storage.join(place, "none")) == []
    for name in ("c", "a", "b"):
        storage.write(storage.join(place, "x", name), name.encode())
    assert storage.listing(storage.join(place, "x")) == ["a", "b", "c"]


def test_create_exclusive__second_creator_is_told(place: str) -> None:
    path = storage.join(place, "only")
    assert storage.create_exclusive(path, b"first")
    assert not storage.create_exclusive(path, b"second")
    assert storage.read(path) == b"first"
    assert storage.listing(place) == ["only"]


def test_create_exclusive__of_many_threads_one_wins(tmp_path: Path) -> None:
    path = str(tmp_path / "prize")
    start = threading.Barrier(8)
    won: list[int] = []

    def run(number: int) -> None:
        start.wait()
        if storage.create_exclusive(path, str(number).encode() * 1000):
            won.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert storage.read(path) == str(won[0]).encode() * 1000


def test_a_failed_write_leaves_the_old_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "file")
    storage.write(path, b"old")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage.os, "fsync", refuse)
    with pytest.raises(OSError, match="No space"):
        storage.write(path, b"new")
    assert storage.read(path) == b"old"


def test_move_in(place: str, tmp_path: Path) -> None:
    source = tmp_path / "made here"
    source.write_bytes(b"bytes")
    storage.move_in(source, storage.join(place, "deep", "target"))
    assert storage.read(storage.join(place, "deep", "target")) == b"bytes"
    assert not source.exists()


def test_remove_and_remove_tree(place: str) -> None:
    for name in ("x", "y/z"):
        storage.write(storage.join(place, name), b"1")
    storage.remove(storage.join(place, "x"))
    storage.remove(storage.join(place, "x"))
    assert not storage.exists(storage.join(place, "x"))
    storage.remove_tree(place)
    assert not storage.exists(storage.join(place, "y/z"))
    storage.remove_tree(place)


def test_as_local_file(place: str) -> None:
    storage.write(storage.join(place, "f.pgen"), b"12345")
    with storage.as_local_file(storage.join(place, "f.pgen")) as local:
        assert local.name == "f.pgen"
        assert local.read_bytes() == b"12345"
    assert storage.exists(storage.join(place, "f.pgen"))


def test_read__missing(place: str) -> None:
    with pytest.raises(FileNotFoundError):
        storage.read(storage.join(place, "nothing"))
