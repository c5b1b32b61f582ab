"""Wall time, CPU time and peak memory of a whole process with everything it starts (the JVM of Hail among it)."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

SAMPLE_S = 0.05
_PR_SET_CHILD_SUBREAPER = 36  # prctl(2): orphans of our children become ours, so that their CPU time can be had
_PAGE = os.sysconf("SC_PAGE_SIZE")
OPEN_FILES = 8192  # bcftools merge holds every input open


class Failed(RuntimeError):
    """The measured program ended with an error."""


@dataclass(frozen=True)
class Measurement:
    """Seconds and MiB. `peak_rss_mib`: the largest sum of resident memory over all processes at one time (sampled every
    50 ms), or the largest single process as the kernel knows it if that is more. `timed_out`: stopped at the limit."""

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
    peak = max([watch.peak_bytes / 2**20, *(u.ru_maxrss / 1024 for u in [usage, *orphans])])
    if child.returncode != 0 and not watch.timed_out:
        raise Failed(f"exit code {child.returncode}: {log.read_text(errors='replace')[-3000:]}")
    return Measurement(round(wall, 3), round(user, 3), round(system, 3), round(peak, 1), watch.timed_out)


class _Watch(threading.Thread):
    """Samples the memory of a session, and ends the session at the deadline."""

    def __init__(self, session: int, deadline: float) -> None:
        super().__init__(daemon=True)
        self.session, self.deadline = session, deadline
        self.peak_bytes, self.timed_out = 0, False
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(SAMPLE_S):
            self.peak_bytes = max(self.peak_bytes, sum(rss for _, rss in _members(self.session)))
            if time.perf_counter() > self.deadline and not self.timed_out:
                self.timed_out = True
                for process, _ in _members(self.session):
                    _kill(process)

    def stop(self) -> None:
        self._done.set()
        self.join()


def _members(session: int) -> list[tuple[int, int]]:
    """(process id, resident bytes) of the living processes of `session`."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = Path("/proc", name, "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:  # ended between the two calls
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                found.append((int(name), int(fields[21]) * _PAGE))
    return found


def _reap_session(session: int) -> list[resource.struct_rusage]:
    """Wait (30 s, then kill) for what the program left running, and for the orphans that became our children."""
    usages = []
    patience = time.perf_counter() + 30
    while True:
        try:
            process, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return usages
        if process:
            usages.append(usage)
        elif time.perf_counter() > patience:
            for member, _ in _members(session):
                _kill(member)
        else:
            time.sleep(0.02)


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


def _open_more() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, hard) if hard > 0 else OPEN_FILES, hard))
