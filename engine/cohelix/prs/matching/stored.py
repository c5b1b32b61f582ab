"""Arrays of a step that are kept on disk until the match is done, so that a run that was ended goes on.

A file holds arrays and a dictionary: a line of JSON, and behind it the bytes of each array. It appears whole, under the
digest of what it was made of: another digest, or damage, and it is made again.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import secrets
from pathlib import Path
from typing import Any

import numpy as np

_ALIGNED = 64
_MAGIC = b"cohelix arrays "


def keep(path: Path, digest: str, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
    at, places = 0, {}
    for name, array in arrays.items():
        places[name] = (array.dtype.str, array.shape, at)
        at += -(-array.nbytes // _ALIGNED) * _ALIGNED
    head = _MAGIC + json.dumps({"digest": digest, "meta": meta, "arrays": places, "bytes": at}).encode()
    passing = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with passing.open("wb") as handle:
            handle.write(head + b" " * (-(len(head) + 1) % _ALIGNED) + b"\n")
            for array in arrays.values():
                np.ascontiguousarray(array).tofile(handle)
                handle.write(bytes(-array.nbytes % _ALIGNED))
        os.replace(passing, path)
    finally:
        passing.unlink(missing_ok=True)


def kept(path: Path, digest: str | None = None) -> dict[str, Any] | None:
    """The dictionary of a file; None where there is none, one of another digest, or one that is damaged."""
    try:
        stated, _ = _head(path)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return stated["meta"] if digest in (None, stated["digest"]) else None


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    """Every array, not to be written to: its bytes stay on disk until they are looked at."""
    stated, first = _head(path)
    with path.open("rb") as handle:  # a map outlives its file's handle and name
        data = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
    return {
        name: np.frombuffer(data, dtype, math.prod(shape), first + at).reshape(shape)
        for name, (dtype, shape, at) in stated["arrays"].items()
    }


def _head(path: Path) -> tuple[dict[str, Any], int]:
    """The line of JSON, and how long it is. ValueError where the file is not as long as it says."""
    with path.open("rb") as handle:
        line = handle.readline()
        if not line.startswith(_MAGIC):
            raise ValueError("no arrays")
        stated: dict[str, Any] = json.loads(line.removeprefix(_MAGIC))
        if os.fstat(handle.fileno()).st_size != len(line) + stated["bytes"]:
            raise ValueError("cut short")
    return stated, len(line)


def texts_as_array(texts: tuple[str, ...]) -> np.ndarray:
    """Strings without line ends as bytes."""
    return np.frombuffer("\n".join(texts).encode(), np.uint8)


def texts_of_array(data: np.ndarray, n: int) -> tuple[str, ...]:
    return tuple(data.tobytes().decode().split("\n")) if n else ()
