"""The audit log: whole under many writers and under kill -9, and every change of it is seen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix.errors import ConfigError, IntegrityError
from cohelix.release.gate.audit import HEAD, LOG, Entry, verify, write


def entry(k: int = 0, why: str = "") -> Entry:
    return Entry("read", "C1", "controlled", f"file-{k}", "researcher-7", f"visa-{k}", not why, why)


def filled(folder: Path, n: int = 6) -> list[str]:
    return [write(folder, entry(k), now=1_700_000_000 + k) for k in range(n)]


def lines_of(folder: Path) -> list[bytes]:
    return (folder / LOG).read_bytes().splitlines(keepends=True)


def test_entries_are_chained_and_private(tmp_path: Path) -> None:
    digests = filled(tmp_path / "log")
    assert verify(tmp_path / "log") == 6
    said = [json.loads(line) for line in lines_of(tmp_path / "log")]
    assert [one["n"] for one in said] == [1, 2, 3, 4, 5, 6]
    assert [one["before"] for one in said] == ["0" * 64, *digests[:-1]]
    assert [one["file"] for one in said] == [f"file-{k}" for k in range(6)]
    assert said[0]["at"].startswith("2023-11-14T22:13:20")
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "log" / LOG).stat().st_mode & 0o777 == 0o600


def test_a_line_noted_elsewhere_shows_a_log_that_was_written_anew(tmp_path: Path) -> None:
    noted = filled(tmp_path / "log")[3]
    assert verify(tmp_path / "log", noted) == 6
    filled(tmp_path / "forged", 5)
    write(tmp_path / "forged", entry(9))
    assert verify(tmp_path / "forged") == 6
    (tmp_path / "other").mkdir()
    for name in (LOG, HEAD):
        (tmp_path / "log" / name).write_bytes((tmp_path / "forged" / name).read_bytes())
    assert verify(tmp_path / "log", noted) == 6  # the first four are the same in both
    with pytest.raises(IntegrityError, match="anew"):
        verify(tmp_path / "log", "ab" * 32)


Damage = Callable[[list[bytes]], list[bytes]]
DAMAGED: dict[str, Damage] = {
    "changed": lambda lines: [line.replace(b"visa-2", b"visa-7") for line in lines],
    "refused becomes let": lambda lines: [line.replace(b'"allowed":true', b'"allowed":false', 1) for line in lines],
    "dropped in the middle": lambda lines: lines[:2] + lines[3:],
    "first dropped": lambda lines: lines[1:],
    "tail cut": lambda lines: lines[:-1],
    "tail of three cut": lambda lines: lines[:-3],
    "all cut": lambda lines: [],
    "exchanged": lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]],
    "doubled": lambda lines: [*lines, lines[-1]],
    "cut within a line": lambda lines: [*lines[:-1], lines[-1][:20]],
    "no line end": lambda lines: [*lines[:-1], lines[-1].rstrip()],
    "no JSON": lambda lines: [*lines[:3], b"hello\n", *lines[4:]],
    "not an object": lambda lines: [*lines[:3], b"[1]\n", *lines[4:]],
}


@pytest.mark.parametrize("name", sorted(DAMAGED))
def test_damage_is_seen(tmp_path: Path, name: str) -> None:
    filled(tmp_path)
    before = lines_of(tmp_path)
    (tmp_path / LOG).write_bytes(b"".join(DAMAGED[name](before)))
    with pytest.raises(IntegrityError):
        verify(tmp_path)


@pytest.mark.parametrize("name", ["tail cut", "tail of three cut", "all cut"])
def test_a_cut_is_not_hidden_by_what_is_written_next(tmp_path: Path, name: str) -> None:
    filled(tmp_path)
    (tmp_path / LOG).write_bytes(b"".join(DAMAGED[name](lines_of(tmp_path))))
    cut = (tmp_path / LOG).read_bytes()
    with pytest.raises(IntegrityError):
        write(tmp_path, entry(7))
    assert (tmp_path / LOG).read_bytes() == cut


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_changed_byte_is_seen(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("log")
    filled(folder, 3)
    log = bytearray((folder / LOG).read_bytes())
    place = data.draw(st.integers(0, len(log) - 1))
    log[place] ^= 1 << data.draw(st.integers(0, 7))
    (folder / LOG).write_bytes(bytes(log))
    with pytest.raises(IntegrityError):
        verify(folder)


@pytest.mark.parametrize("content", [b"", b"{}", b"x", b'{"n": 6, "sha256": "00"}'])
def test_a_head_that_was_changed(tmp_path: Path, content: bytes) -> None:
    filled(tmp_path)
    (tmp_path / HEAD).write_bytes(content)
    with pytest.raises(IntegrityError):
        verify(tmp_path)
    with pytest.raises(IntegrityError):
        write(tmp_path, entry())


def test_no_log_is_no_proof(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError):
        verify(tmp_path)
    filled(tmp_path)
    (tmp_path / HEAD).unlink()
    with pytest.raises(IntegrityError):
        verify(tmp_path)
    with pytest.raises(IntegrityError):
        write(tmp_path, entry())


def test_a_torn_line_is_put_aside_and_told(tmp_path: Path) -> None:
    filled(tmp_path)
    whole = (tmp_path / LOG).read_bytes()
    (tmp_path / LOG).write_bytes(whole + b'{"n":7,"what":"re')
    with pytest.raises(IntegrityError):
        verify(tmp_path)
    write(tmp_path, entry(8))
    assert verify(tmp_path) == 8
    assert (tmp_path / "torn-000000007").read_bytes() == b'{"n":7,"what":"re'
    told = [json.loads(line) for line in lines_of(tmp_path)[-2:]]
    assert (told[0]["what"], told[1]["file"]) == ("torn line put aside", "file-8")
    assert (tmp_path / LOG).read_bytes().startswith(whole)


def test_a_process_that_ended_before_the_head(tmp_path: Path) -> None:
    filled(tmp_path)
    head = (tmp_path / HEAD).read_bytes()
    write(tmp_path, entry(6))
    (tmp_path / HEAD).write_bytes(head)
    assert verify(tmp_path) == 7
    write(tmp_path, entry(7))
    assert verify(tmp_path) == 8


def test_texts_that_attack_stay_in_their_line(tmp_path: Path) -> None:
    nasty = 'x"}\n{"n":2}\r\x00\u202e\u2028=cmd()' + "y" * 3_000_000
    write(tmp_path, Entry("read", nasty, nasty, nasty, nasty, nasty, False, nasty))
    write(tmp_path, entry())
    assert verify(tmp_path) == 2
    assert len(lines_of(tmp_path)) == 2
    raw = (tmp_path / LOG).read_bytes()
    assert raw.isascii() and b"\x00" not in raw and b"\r" not in raw
    assert len(raw) < 200_000


def test_a_log_that_cannot_be_written_lets_nobody_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="nothing is read without"):
        write(tmp_path / "file", entry())
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / LOG).symlink_to(tmp_path / "file")
    with pytest.raises(ConfigError):
        write(tmp_path / "folder", entry())
    assert (tmp_path / "file").read_text() == ""


_WRITER = """
import sys
from pathlib import Path
from cohelix.release.gate.audit import Entry, write
for k in range(int(sys.argv[2])):
    write(Path(sys.argv[1]), Entry("read", "C1", "controlled", f"{sys.argv[3]}-{k}", "r", "j", True))
"""


def test_a_thousand_readers_at_once(tmp_path: Path) -> None:
    """1,000 in threads, while two other processes write as well: no line is lost, and the chain holds."""
    others = [subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path), "50", f"p{one}"]) for one in range(2)]
    with ThreadPoolExecutor(200) as pool:
        list(pool.map(lambda k: write(tmp_path, entry(k)), range(1000)))
    assert [one.wait(60) for one in others] == [0, 0]
    assert verify(tmp_path) == 1100
    files = [json.loads(line)["file"] for line in lines_of(tmp_path)]
    assert sorted(files) == sorted(
        [f"file-{k}" for k in range(1000)] + [f"p{one}-{k}" for one in range(2) for k in range(50)]
    )


def test_kill_9_while_it_is_written(tmp_path: Path) -> None:
    """At eight moments: what was written before is there, and the log goes on."""
    for round_ in range(8):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path), "100000", f"r{round_}"])
        before, since = (tmp_path / LOG).stat().st_size if (tmp_path / LOG).exists() else 0, time.monotonic()
        while time.monotonic() - since < 30:
            if (tmp_path / LOG).exists() and (tmp_path / LOG).stat().st_size > before + 500 * (round_ + 1):
                break
            time.sleep(0.002)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        write(tmp_path, entry(round_))
        n = verify(tmp_path)
        assert n == len(lines_of(tmp_path))
    kept = [json.loads(line).get("file", "") for line in lines_of(tmp_path)]
    for round_ in range(8):
        mine = [one for one in kept if one.startswith(f"r{round_}-")]
        assert mine == [f"r{round_}-{k}" for k in range(len(mine))] and mine
        assert f"file-{round_}" in kept
