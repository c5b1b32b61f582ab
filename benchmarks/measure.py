"""Wall time, CPU time and peak memory of a whole process with everything it starts (the JVM of Hail among it)."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

SAMPLE_S = 0.05
_PR_SET_CHILD_SUBREAPER = 36  # prctl(2): orphans of our children become ours, so that their CPU time can be had
OPEN_FILES = 8192  # bcftools merge holds every input open


class Failed(RuntimeError):
    """The measured program ended with an error."""


@dataclass(frozen=True)
class Measurement:
    """Seconds and MiB. `timed_out`: stopped at the limit.

    `peak_rss_mib`: the largest sum of resident memory over all processes at one time (sampled every 50 ms), or the
    high-water mark (VmHWM) of one process if that is more. Not ru_maxrss: it begins with the memory of whoever forked.
    """

    wall_s: float
    user_s: float
    sys_s: float
    peak_rss_mib: float
    timed_out: bool


def run(argv: list[str], *, env: dict[str, str], limit_s: float, log: Path) -> Measurement:
    """Run `argv` in a session of its own, its output to `log`. Raises Failed, with the end of the log, if it fails."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with log.open("wb") as output:
        began = time.perf_counter()
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=env,
            start_new_session=True,
            preexec_fn=_open_more,
        )
    watch = _Watch(child.pid, began + limit_s)
    watch.start()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    orphans = _reap_session(child.pid)
    watch.stop()
    user, system = (sum(getattr(u, name) for u in [usage, *orphans]) for name in ("ru_utime", "ru_stime"))
    if child.returncode != 0 and not watch.timed_out:
        raise Failed(f"exit code {child.returncode}: {log.read_text(errors='replace')[-3000:]}")
    return Measurement(
        round(wall, 3), round(user, 3), round(system, 3), round(watch.peak_kib / 1024, 1), watch.timed_out
    )


class _Watch(threading.Thread):
    """Samples the memory of a session, and ends the session at the deadline."""

    def __init__(self, session: int, deadline: float) -> None:
        super().__init__(daemon=True)
        self.session, self.deadline = session, deadline
        self.peak_kib, self.timed_out = 0, False
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(SAMPLE_S):
            living = _members(self.session)
            at_once, alone = sum(member.rss_kib for member in living), max((m.highest_kib for m in living), default=0)
            self.peak_kib = max(self.peak_kib, at_once, alone)
            if time.perf_counter() > self.deadline and not self.timed_out:
                self.timed_out = True
                for member in living:
                    _kill(member.process)

    def stop(self) -> None:
        self._done.set()
        self.join()


@dataclass(frozen=True)
class _Member:
    """A process of a session, living or ended and not yet waited for: id, resident memory now and at its highest."""

    process: int
    rss_kib: int
    highest_kib: int


def _members(session: int) -> list[_Member]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                of_session = int(Path("/proc", name, "stat").read_text().rsplit(")", 1)[1].split()[3])
                status = Path("/proc", name, "status").read_text() if of_session == session else ""
            except OSError:  # waited for between the two calls
                continue
            if status:  # a process that has ended has no memory
                kib = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB$", status, re.MULTILINE))
                found.append(_Member(int(name), int(kib.get("VmRSS", 0)), int(kib.get("VmHWM", 0))))
    return found


def _reap_session(session: int) -> list[resource.struct_rusage]:
    """Wait (30 s, then kill) for what the program left running: its orphans are our children now."""
    usages = []
    patience = time.perf_counter() + 30
    while members := _members(session):
        for member in members:
            if time.perf_counter() > patience:
                _kill(member.process)
            try:
                process, _, usage = os.wait4(member.process, os.WNOHANG)
            except ChildProcessError:  # its parent lives, and waits for it
                continue
            if process:
                usages.append(usage)
        time.sleep(0.02)
    return usages


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


def _open_more() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, hard) if hard > 0 else OPEN_FILES, hard))
