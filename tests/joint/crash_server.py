"""Runs command lines of cohelix, each in a fork of this process (which has all code loaded), and kills some of them.

A request is a JSON line on standard input: {"words": the command line, "step": k to be killed just before the k-th
step that reaches the disk, "delay": seconds after which to be killed}; both may be null. The answer is a JSON line:
{"signal": 9 if it was killed, else 0; "code": its exit code; "steps": steps it took}. What the commands print goes to
standard error.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

STEPS = ("fsync", "replace", "link", "unlink", "rmdir", "mkdir")


def _count_steps(kill_at: int | None) -> list[int]:
    """Every call that changes the disk for good counts from here on; before the `kill_at`-th this process dies."""
    taken = [0]
    guard = threading.Lock()

    def counted(call: Any) -> Any:
        def step(*arguments: Any, **options: Any) -> Any:
            with guard:
                taken[0] += 1
                if taken[0] == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        return step

    for name in STEPS:
        setattr(os, name, counted(getattr(os, name)))
    return taken


def _child(words: list[str], kill_at: int | None, report: int) -> None:
    from cohelix.cli.__main__ import run

    os.dup2(2, 1)
    taken = _count_steps(kill_at)
    code = run(words)
    os.write(report, json.dumps([code, taken[0]]).encode())
    os._exit(0)


def _load_everything() -> None:
    """One small run in this process, on one core: what is forked later has all code, and no thread is lost."""
    from cohelix.cli.__main__ import run
    from tests.joint import made

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = made.manifest(folder / "m.tsv", made.write(folder, [made.gvcf(i, n=4) for i in range(3)]))
        (folder / "ids.txt").write_text("made001\n")
        for words in (
            ["ingest", manifest, "--out", f"{name}/x.calls"],
            ["withdraw", f"{name}/x.calls", "--samples", f"{name}/ids.txt"],
            ["call", f"{name}/x.calls", "--out", f"{name}/x.callset"],
        ):
            assert run(["joint", *words, "--cores", "1"]) == 0


def serve() -> None:
    _load_everything()
    for line in sys.stdin:
        request = json.loads(line)
        out, report = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(out)
            _child(request["words"], request["step"], report)
        os.close(report)
        if request["delay"] is not None:
            time.sleep(request["delay"])
            os.kill(child, signal.SIGKILL)
        answer = os.read(out, 1000)
        _, status = os.waitpid(child, 0)
        os.close(out)
        code, steps = json.loads(answer) if answer else (None, None)
        signalled = os.WTERMSIG(status) if os.WIFSIGNALED(status) and code is None else 0
        sys.stdout.write(json.dumps({"signal": signalled, "code": code, "steps": steps}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
