"""The only module that names Numba.

A kernel takes arrays and returns arrays. It knows no file, table or cluster, and it runs without the GIL.
Floating-point flags stay strict: NaN is data here, and `fastmath=True` breaks it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numba.extending
import numba.np.linalg
import numpy as np

F = TypeVar("F", bound=Callable[..., Any])


def _no_blas() -> None:
    raise ImportError("kernels call no BLAS")


# Numba imports SciPy's linear algebra (a third of a second at every start) to offer BLAS inside kernels. Ours hand
# matrices to BLAS through NumPy, outside; a kernel that tried would fail to compile.
numba.np.linalg.ensure_blas = _no_blas

REGISTRY: dict[str, Callable[..., Any]] = {}
"""Every compiled kernel by `module.name`; tests check that each has an oracle or a direct test."""


def _sources() -> str:
    """sha256 over the files that machine code comes from: kernels, and the tables whose columns they number."""
    files = [Path(__file__), Path(__file__).with_name("genome.py")]
    for folder, within, names in os.walk(Path(__file__).parent):
        within[:] = [name for name in within if name != "__pycache__"]  # where most files are
        files += [Path(folder, name) for name in names if name in ("kernels.py", "schema.py")]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()


SOURCES = _sources()


def kernel(function: F) -> F:
    """Compile `function`, keep the machine code on disk, release the GIL while it runs.

    `function.py_func` stays the readable definition. With `NUMBA_DISABLE_JIT=1` it is what runs.
    """
    return _compile(function, {})


def leaf(function: F) -> F:
    """A kernel that makes no array (a view is none; Numba refuses the rest).

    Without arrays to free, no references need counting: three times as fast where small kernels call one another.
    """
    return _compile(function, {"_nrt": False})


def _compile(function: F, options: dict[str, Any]) -> F:
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy", boundscheck=False, **options)(function)
    if is_compiled():
        # Numba looks at the function's own file only; what it calls, and constants that it takes in, are in others.
        kept = compiled._cache._cache_file
        kept._source_stamp = (kept._source_stamp, SOURCES)
    REGISTRY[f"{function.__module__}.{function.__name__}"] = compiled
    return compiled  # type: ignore[no-any-return]


def popcount(word: int) -> int:
    """Bits that are set in a uint64: in a kernel one instruction, which LLVM widens to vectors where there are any."""
    return int(word).bit_count()


@numba.extending.intrinsic
def _ctpop(typing: Any, word: Any) -> tuple[Any, Any]:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return numba.types.int64(numba.types.uint64), generate


@numba.extending.overload(popcount)
def _popcount_in_kernels(word: Any) -> Callable[[Any], Any]:
    def counted(word: Any) -> Any:
        return _ctpop(word)  # type: ignore[call-arg]  # Numba gives the typing context itself

    return counted


def load_word(data: np.ndarray, at: int) -> int:
    """Bytes [at, at + 8) of a uint8 array as a uint64, the first in the lowest bits. Nothing checks that they exist."""
    return np.uint64(int.from_bytes(data[at : at + 8].tobytes(), "little"))  # type: ignore[return-value]


@numba.extending.intrinsic
def _unaligned(typing: Any, data: Any, at: Any) -> tuple[Any, Any]:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        word = context.get_value_type(numba.types.uint64)
        return builder.load(builder.gep(array.data, [arguments[1]]), align=1, typ=word)

    return numba.types.uint64(data, numba.types.int64), generate


@numba.extending.overload(load_word)
def _load_word_in_kernels(data: Any, at: Any) -> Callable[[Any, Any], Any]:
    def loaded(data: Any, at: Any) -> Any:
        return _unaligned(data, at)  # type: ignore[call-arg]  # Numba gives the typing context itself

    return loaded


def is_compiled() -> bool:
    """Whether kernels are compiled in this process (false under `NUMBA_DISABLE_JIT=1`)."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
