"""The stopwatch of the benchmarks: it sees time, memory, bytes and children, whatever the one that starts it holds."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from benchmarks import measure, turns

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks are measured with /proc")

HOLD_64_MIB = "import time; held = b'x' * (64 << 20); time.sleep(0.4)"


def measured(program: str, log: Path, limit_s: float = 30.0) -> measure.Measurement:
    return measure.run([sys.executable, "-c", program], env=dict(os.environ), limit_s=limit_s, log=log)


def test_memory_is_that_of_the_program_and_not_of_the_one_that_started_it(tmp_path: Path) -> None:
    held = b"x" * (300 << 20)
    small, large = measured("import time; time.sleep(0.4)", tmp_path / "log"), measured(HOLD_64_MIB, tmp_path / "log")
    assert len(held) == 300 << 20
    assert small.peak_rss_mib < 100
    assert 60 < large.peak_rss_mib - small.peak_rss_mib < 72
    assert 0.4 <= small.wall_s < 10


def test_children_are_counted_and_so_is_one_left_behind(tmp_path: Path) -> None:
    spin = "import time\\nwhile time.process_time() < 0.5: pass"
    orphan = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {spin!r}])".replace("\\\\n", "\\n")
    took = measured(orphan, tmp_path / "log")
    assert took.user_s + took.sys_s >= 0.5
    pair = (
        f"import subprocess, sys\nrun = [subprocess.Popen([sys.executable, '-c', {HOLD_64_MIB!r}]) for _ in range(2)]\n"
    )
    assert measured(pair + "[p.wait() for p in run]", tmp_path / "log").peak_rss_mib > 128


def test_the_limit_ends_the_program_and_its_children(tmp_path: Path) -> None:
    sleep = "import time; time.sleep(60)"
    program = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {sleep!r}]); {sleep}"
    took = measured(program, tmp_path / "log", limit_s=0.5)
    assert took.timed_out
    assert took.wall_s < 10


WRITE = "open({name!r}, 'wb').write(b'x' * {size})"
START = "import subprocess, sys; {start}([sys.executable, '-c', {child!r}]); "


def _writes(folder: Path, start: str) -> str:
    """A program that writes 10 MB, and has a child, started by `start`, that writes 5 MB."""
    child = WRITE.format(name=str(folder / "child"), size=5_000_000)
    return START.format(start=start, child=child) + WRITE.format(name=str(folder / "own"), size=10_000_000)


@pytest.mark.parametrize("start", ["subprocess.run", "subprocess.Popen"], ids=["waited for", "left behind"])
def test_bytes_written_are_those_of_the_program_and_its_children(tmp_path: Path, start: str) -> None:
    io = measured(_writes(tmp_path, start), tmp_path / "log").io
    assert 15_000_000 <= io.asked_written < 15_100_000
    # The file system counts whole pages, and none where it is memory; folders and the log come on top.
    assert io.disk_written == 0 or 15_000_000 <= io.disk_written < 16_000_000


def test_bytes_read_are_those_asked_for_whether_they_were_in_memory_or_not(tmp_path: Path) -> None:
    (tmp_path / "held").write_bytes(b"x" * 20_000_000)
    idle = measured("pass", tmp_path / "log").io
    read = measured(f"open({str(tmp_path / 'held')!r}, 'rb').read()", tmp_path / "log").io
    assert 20_000_000 <= read.asked_read - idle.asked_read < 20_100_000


def test_a_file_dropped_from_the_cache_is_read_from_disk(tmp_path: Path) -> None:
    folder = tmp_path / "inputs"
    folder.mkdir()
    (folder / "held").write_bytes(os.urandom(20_000_000))
    program = f"open({str(folder / 'held')!r}, 'rb').read()"
    measured(program, tmp_path / "log")
    warm = measured(program, tmp_path / "log").io
    turns.drop_from_cache([folder])
    cold = measured(program, tmp_path / "log").io
    assert cold.asked_read == pytest.approx(warm.asked_read, rel=0.01)
    if cold.disk_read == 0:
        pytest.skip("temporary files lie in memory here, and cannot be dropped")
    assert cold.disk_read - warm.disk_read > 19_000_000


def test_a_program_that_fails_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(measure.Failed, match="exit code 3"):
        measured("import sys; print('why'); sys.exit(3)", tmp_path / "log")
    assert (tmp_path / "log").read_text() == "why\n"
