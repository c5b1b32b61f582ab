"""The audit log: every grant that was shown and every read, each line chained to the one before.

`log.jsonl` has one JSON object a line: number, time, what was asked for, by whom, whether it was let, and the sha256 of
the line before. A changed, dropped or inserted line breaks the chain; `head.json` has the number and the sha256 of the
last line, so that a tail that was cut off is missed, by `verify` and before the next line is written. Lines are
appended under a lock and reach the disk before the data are read. A last line that was torn by a crash is put aside
into `torn-<number>` and a line says so.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cohelix.dataset import canonical_json
from cohelix.errors import ConfigError, IntegrityError

LOG, HEAD = "log.jsonl", "head.json"
START = "0" * 64
_TAIL = 1 << 20
_LONGEST = 4096
"""Characters of a text that are written down, so that the last line is within the tail."""


@dataclass(frozen=True)
class Entry:
    """What is written down. what: "read", "checkout", ...; allowed: whether it was let; detail: of the rest, texts."""

    what: str
    release: str
    tier: str
    file: str
    subject: str
    jti: str
    allowed: bool
    why: str = ""


def write(folder: Path, entry: Entry, now: float | None = None) -> str:
    """Append an entry; returns the sha256 of its line. ConfigError where it cannot be written: then nothing is read."""
    at = datetime.datetime.fromtimestamp(time.time() if now is None else now, datetime.UTC)
    told = {name: text[:_LONGEST] if isinstance(text, str) else text for name, text in entry.__dict__.items()}
    try:
        with _locked(folder) as log:
            number, before = _last(log, folder)
            said = told | {"n": number + 1, "at": at.isoformat(timespec="milliseconds"), "before": before}
            return _append(log, folder, number + 1, said)
    except OSError as error:
        raise ConfigError(
            f"the audit log cannot be written ({error.strerror or type(error).__name__}), and nothing is read without "
            "it."
        ) from None


def _append(log: Any, folder: Path, number: int, said: dict[str, Any]) -> str:
    line = canonical_json(said)
    log.seek(0, os.SEEK_END)
    log.write(line + b"\n")
    log.flush()
    os.fsync(log.fileno())
    digest = hashlib.sha256(line).hexdigest()
    passing = folder / f".{HEAD}"
    with passing.open("wb") as head:
        head.write(canonical_json({"n": number, "sha256": digest}))
        head.flush()
        os.fsync(head.fileno())
    os.replace(passing, folder / HEAD)
    return digest


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[Any]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / LOG, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "r+b") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        yield log


def _last(log: Any, folder: Path) -> tuple[int, str]:
    """Number and sha256 of the last whole line; a torn one behind it is put aside, and a line says so."""
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - _TAIL))
    tail = log.read()
    whole = tail.rfind(b"\n") + 1
    torn = tail[whole:]
    line = tail[tail.rfind(b"\n", 0, max(0, whole - 1)) + 1 : max(0, whole - 1)]
    number, before = 0, START
    if whole:
        try:
            number, before = int(json.loads(line)["n"]), hashlib.sha256(line).hexdigest()
        except (ValueError, KeyError, TypeError, RecursionError):
            raise IntegrityError("the last line of the audit log is no entry. Look into it first.") from None
    _check_head(folder, number, before, line)
    if torn:
        (folder / f"torn-{number + 1:09}").write_bytes(torn)
        log.truncate(size - len(torn))
        said: dict[str, Any] = {"what": "torn line put aside", "sha256": hashlib.sha256(torn).hexdigest()}
        said |= {"n": number + 1, "before": before}
        before = _append(log, folder, number + 1, said)
        number += 1
    return number, before


def _check_head(folder: Path, number: int, digest: str, line: bytes) -> None:
    """Nothing is written after a tail that was cut off, which would hide the cut.

    The head may be one line behind: where a process ended between the two, that line is whole and chained.
    """
    try:
        head = json.loads((folder / HEAD).read_bytes())
    except FileNotFoundError:
        head = {"n": 0, "sha256": START}
    except (ValueError, RecursionError):
        head = None
    here = (
        {"n": number, "sha256": digest},
        {"n": number - 1, "sha256": json.loads(line).get("before") if line else ""},
    )
    if head not in here:
        raise IntegrityError("the end of the audit log is not the one that its head tells of. Look into it first.")


def verify(folder: Path, head: str = "") -> int:
    """Check the whole chain; returns how many entries there are. IntegrityError says at which line it breaks.

    head: sha256 of a line that was noted elsewhere and must be in the chain, so that not even the whole log can be
    written anew.
    """
    before, number, met, former = START, 0, not head, START
    try:
        with (folder / LOG).open("rb") as log:
            for number, line in enumerate(log, 1):
                said = json.loads(line)
                if not line.endswith(b"\n") or said.get("before") != before or said.get("n") != number:
                    raise ValueError
                former, before = before, hashlib.sha256(line.rstrip(b"\n")).hexdigest()
                met |= before == head
        last = json.loads((folder / HEAD).read_bytes())
    except FileNotFoundError:
        raise IntegrityError("expected an audit log with its head, found none.") from None
    except OSError as error:
        raise ConfigError(
            f"expected the folder of an audit log, found one that cannot be read ({error.strerror}). Check the path."
        ) from None
    except (ValueError, AttributeError, RecursionError):
        raise IntegrityError(f"the audit log was altered or damaged at line {number}.") from None
    if last not in ({"n": number, "sha256": before}, {"n": number - 1, "sha256": former}):
        raise IntegrityError(f"the audit log ends at line {number}, and its head says otherwise: lines came or went.")
    if not met:
        raise IntegrityError("the audit log does not have the line that was noted elsewhere: it was written anew.")
    return number
