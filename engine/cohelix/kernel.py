"""The only module that names Numba.

A kernel takes arrays and returns arrays. It knows no file, table or cluster, and it runs without the GIL.
Floating-point flags stay strict: NaN is data here, and `fastmath=True` breaks it.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import numba
import numba.extending
import numba.np.linalg
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # it has no types
from numba.core import cgutils as _cgutils

cgutils: Any = _cgutils  # it has no types

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


def fused(a: float, b: float, c: float) -> float:
    """a * b + c, rounded once: in a kernel one instruction where the processor has it, and the same bits where not."""
    if not (math.isfinite(a) and math.isfinite(b) and math.isfinite(c)):
        return a * b + c
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if exact == 0:
        return a * b + c  # a zero has a sign
    try:
        return float(exact)
    except OverflowError:
        return math.copysign(math.inf, exact)


@numba.extending.intrinsic
def _fma(typing: Any, a: Any, b: Any, c: Any) -> tuple[Any, Any]:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    real = numba.types.float64
    return real(real, real, real), generate


@numba.extending.overload(fused)
def _fused_in_kernels(a: Any, b: Any, c: Any) -> Callable[[Any, Any, Any], Any]:
    def multiplied(a: Any, b: Any, c: Any) -> Any:
        return _fma(a, b, c)  # type: ignore[call-arg]  # Numba gives the typing context itself

    return multiplied


LANES = 32
"""Numbers to a row of `add_rows`: one word of genotypes. Its sums stay in registers from the first row to the last."""

_VECTOR = 8


def add_rows(x: np.ndarray, rows: np.ndarray, weights: np.ndarray, at: int, end: int, sums: np.ndarray) -> None:
    """sums[lane] = fused(weights[i], x[rows[i], lane], sums[lane]) for i = at ... end - 1, in this order.

    x: float64 (rows, LANES), C-contiguous; rows int32; weights float64; sums: LANES float64. Nothing is checked.
    """
    for i in range(at, end):
        for lane in range(LANES):
            sums[lane] = fused(float(weights[i]), float(x[rows[i], lane]), float(sums[lane]))


@numba.extending.intrinsic
def _add_rows(typing: Any, x: Any, rows: Any, weights: Any, at: Any, end: Any, sums: Any) -> tuple[Any, Any]:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        places = (0, 1, 2, 5)
        data = [context.make_array(signature.args[i])(context, builder, arguments[i]).data for i in places]
        _row_loop(builder, data, arguments[3], arguments[4])
        return context.get_dummy_value()

    return numba.types.void(x, rows, weights, numba.types.int64, numba.types.int64, sums), generate


def _row_loop(builder: Any, data: list[Any], at: Any, end: Any) -> None:
    """The loop of `add_rows`, with vectors that LLVM cuts into what the processor has."""
    x, rows, weights, sums = data
    whole, vector = ir.IntType(64), ir.VectorType(ir.DoubleType(), _VECTOR)
    fma = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), "llvm.fma.v8f64")
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), _VECTOR), [0] * _VECTOR)
    held = builder.bitcast(sums, vector.as_pointer())
    count = range(LANES // _VECTOR)
    first = [builder.load(builder.gep(held, [whole(k)]), align=8) for k in count]
    before, loop, behind = builder.block, builder.append_basic_block(), builder.append_basic_block()
    builder.cbranch(builder.icmp_signed("<", at, end), loop, behind)
    with builder.goto_block(loop):
        i, totals = builder.phi(whole), [builder.phi(vector) for _ in count]
        row = builder.sext(builder.load(builder.gep(rows, [i])), whole)
        nothing = ir.Constant(vector, ir.Undefined)
        weight = builder.insert_element(nothing, builder.load(builder.gep(weights, [i])), whole(0))
        weight = builder.shuffle_vector(weight, nothing, lanes)
        values = builder.bitcast(builder.gep(x, [builder.mul(row, whole(LANES))]), vector.as_pointer())
        added = [
            builder.call(fma, [weight, builder.load(builder.gep(values, [whole(k)]), align=8), totals[k]])
            for k in count
        ]
        i.add_incoming(at, before)
        following = builder.add(i, whole(1))
        i.add_incoming(following, builder.block)
        for k in count:
            totals[k].add_incoming(first[k], before)
            totals[k].add_incoming(added[k], builder.block)
        builder.cbranch(builder.icmp_signed("<", following, end), loop, behind)
        last = builder.block
    builder.position_at_end(behind)
    for k in count:
        total = builder.phi(vector)
        total.add_incoming(first[k], before)
        total.add_incoming(added[k], last)
        first[k] = total
    for k in count:
        builder.store(first[k], builder.gep(held, [whole(k)]), align=8)


@numba.extending.overload(add_rows)
def _add_rows_in_kernels(x: Any, rows: Any, weights: Any, at: Any, end: Any, sums: Any) -> Callable[..., Any]:
    def added(x: Any, rows: Any, weights: Any, at: Any, end: Any, sums: Any) -> Any:
        _add_rows(x, rows, weights, at, end, sums)  # type: ignore[call-arg]  # Numba gives the typing context itself

    return added


def is_compiled() -> bool:
    """Whether kernels are compiled in this process (false under `NUMBA_DISABLE_JIT=1`)."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
