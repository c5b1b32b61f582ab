"""The stopwatch of the benchmarks: it sees time, memory and children, whatever the process that starts them holds."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from benchmarks import measure

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


def test_a_program_that_fails_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(measure.Failed, match="exit code 3"):
        measured("import sys; print('why'); sys.exit(3)", tmp_path / "log")
    assert (tmp_path / "log").read_text() == "why\n"
