"""Arrays of a step that are kept on disk until the match is done, so that a run that was ended goes on.

A file holds arrays and a dictionary. It appears whole, under the digest of what it was made of: another digest, or
damage, and it is made again.
"""

from __future__ import annotations

import json
import os
import secrets
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

_META = "meta"


def keep(path: Path, digest: str, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
    text = json.dumps({"digest": digest, "meta": meta}).encode()
    passing = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with passing.open("wb") as handle:
            np.savez(handle, **arrays, **{_META: np.frombuffer(text, np.uint8)})  # type: ignore[arg-type]  # its stub
        os.replace(passing, path)
    finally:
        passing.unlink(missing_ok=True)


def kept(path: Path, digest: str | None = None) -> dict[str, Any] | None:
    """The dictionary of a file; None where there is none, or one of another digest."""
    try:
        with np.load(path) as file:
            stated = json.loads(file[_META].tobytes())
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None
    return stated["meta"] if digest in (None, stated["digest"]) else None


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return {name: file[name] for name in file.files if name != _META}


def texts_as_array(texts: tuple[str, ...]) -> np.ndarray:
    """Strings without line ends as bytes."""
    return np.frombuffer("\n".join(texts).encode(), np.uint8)


def texts_of_array(data: np.ndarray, n: int) -> tuple[str, ...]:
    return tuple(data.tobytes().decode().split("\n")) if n else ()
