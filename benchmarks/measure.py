"""Wall and CPU time, peak memory, bytes read and written of a whole process tree (the JVM of Hail among it).

Bytes are exact, not sampled: Linux keeps them in /proc/<pid>/io until a process is waited for, and adds them to the
process that waits. The program is therefore looked at when it has ended and before it is waited for: the numbers then
hold those of every descendant that was waited for in its turn; what was left behind is counted in the same way. Not
seen: a process whose parent ignores SIGCHLD (the kernel then drops it, CPU time and all), and what is read through a
memory map from the page cache.
"""

from __future__ import annotations

import ctypes
import os
import re
import resource
import signal
import subprocess
import threading
import time
from dataclasses import astuple, dataclass
from pathlib import Path

SAMPLE_S = 0.05  # at first ten times as often, for programs that end at once
_PR_SET_CHILD_SUBREAPER = 36  # prctl(2): orphans of our children become ours, so that their CPU time can be had
OPEN_FILES = 8192  # bcftools merge holds every input open


class Failed(RuntimeError):
    """The measured program ended with an error."""


@dataclass(frozen=True)
class Bytes:
    """Bytes of a process and of all that it waited for."""

    asked_read: int = 0
    asked_written: int = 0
    disk_read: int = 0
    disk_written: int = 0

    def __add__(self, other: Bytes) -> Bytes:
        return Bytes(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class Measurement:
    """Seconds and MiB. `timed_out`: stopped at the limit.

    `peak_rss_mib`: the largest sum of resident memory over all processes at one time (sampled every 50 ms), or the
    high-water mark (VmHWM) of one process if that is more. Not ru_maxrss: it begins with the memory of whoever forked.
    io: bytes that passed through system calls, pipes and sockets among them (asked_read, asked_written), and bytes
    that were fetched from and sent to the disk (disk_read, disk_written).
    """

    wall_s: float
    user_s: float
    sys_s: float
    peak_rss_mib: float
    timed_out: bool
    io: Bytes


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
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    wall = time.perf_counter() - began
    io = _bytes_of(child.pid)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    orphans, io_of_orphans = _reap_session(child.pid)
    watch.stop()
    user, system = (sum(getattr(u, name) for u in [usage, *orphans]) for name in ("ru_utime", "ru_stime"))
    if child.returncode != 0 and not watch.timed_out:
        raise Failed(f"exit code {child.returncode}: {log.read_text(errors='replace')[-3000:]}")
    return Measurement(
        round(wall, 3), round(user, 3), round(system, 3), round(watch.peak_kib / 1024, 1), watch.timed_out,
        io + io_of_orphans,
    )  # fmt: skip


class _Watch(threading.Thread):
    """Samples the memory of a session, and ends the session at the deadline."""

    def __init__(self, session: int, deadline: float) -> None:
        super().__init__(daemon=True)
        self.session, self.deadline = session, deadline
        self.peak_kib, self.timed_out = 0, False
        self._done = threading.Event()

    def run(self) -> None:
        began = time.perf_counter()
        while not self._done.wait(min(SAMPLE_S, max(SAMPLE_S / 10, (time.perf_counter() - began) / 10))):
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


def _bytes_of(process: int) -> Bytes:
    """What /proc says of a process that has ended and not been waited for. Zeros where the kernel keeps no account."""
    try:
        text = Path("/proc", str(process), "io").read_text()
    except OSError:
        return Bytes()
    fields = {key: int(value) for key, _, value in (line.partition(":") for line in text.splitlines())}
    return Bytes(fields["rchar"], fields["wchar"], fields["read_bytes"], fields["write_bytes"])


def _reap_session(session: int) -> tuple[list[resource.struct_rusage], Bytes]:
    """Wait (30 s, then kill) for what the program left running: its orphans are our children now."""
    usages, io = [], Bytes()
    patience = time.perf_counter() + 30
    while members := _members(session):
        for member in members:
            if time.perf_counter() > patience:
                _kill(member.process)
            try:
                if os.waitid(os.P_PID, member.process, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
                    continue
            except ChildProcessError:  # its parent lives, and waits for it
                continue
            io += _bytes_of(member.process)
            usages.append(os.wait4(member.process, 0)[2])
        time.sleep(0.02)
    return usages, io


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


def _open_more() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, hard) if hard > 0 else OPEN_FILES, hard))
