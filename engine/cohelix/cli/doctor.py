"""`cohelix doctor`: what is in place, what is missing, and the command that mends it."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import typer

from cohelix.errors import CohelixError


@dataclass(frozen=True)
class Finding:
    """One line of the report. `mend` is the command to type, empty where all is well."""

    name: str
    good: bool
    seen: str
    mend: str = ""
    core: bool = False


def doctor() -> None:
    """Check this installation. Exits with 0 where the core works, whatever extras are missing.

    Example: cohelix doctor
    """
    checks: list[Callable[[], Finding]] = [
        _python, _kernels, _genotype_files, _java,
        lambda: _package("pyspark", "spark", "3.5."), lambda: _package("hail", "hail", "0.2.139"),
        lambda: _program("plink2"), lambda: _program("bcftools"),
    ]  # fmt: skip
    healthy = True
    for check in checks:
        finding = check()
        healthy = healthy and (finding.good or not finding.core)
        typer.echo(f"{'ok     ' if finding.good else 'missing'}  {finding.name:<14} {finding.seen}")
        if finding.mend:
            typer.echo(f"         {'':<14} to mend: {finding.mend}")
    typer.echo("The core works." if healthy else "The core does not work: mend what is named above.")
    raise typer.Exit(0 if healthy else 1)


def _python() -> Finding:
    seen = ".".join(map(str, sys.version_info[:3]))
    good = (3, 11) <= sys.version_info[:2] < (3, 14)
    return Finding("python", good, seen, "" if good else "install Python 3.11, 3.12 or 3.13", core=True)


def _count_to(end: int) -> int:
    total = 0
    for value in range(end):
        total += value
    return total


def _kernels() -> Finding:
    """Compile a small kernel, run it, and see where machine code is kept."""
    mend = "pip install --force-reinstall numba llvmlite"
    try:
        from cohelix.kernel import is_compiled, kernel

        compiled: Any = kernel(_count_to)
        good = compiled(10) == _count_to(10)
    except RuntimeError:  # numba found no folder to keep machine code in
        mend = "export NUMBA_CACHE_DIR=/a/folder/you/may/write"
        return Finding("kernels", False, "no writable folder for machine code", mend, core=True)
    except Exception as error:  # whatever numba and LLVM may raise: it is reported, not handled
        return Finding("kernels", False, f"do not compile ({type(error).__name__})", mend, core=True)
    if not is_compiled():
        return Finding("kernels", good, "interpreted and slow", "unset NUMBA_DISABLE_JIT", core=True)
    return Finding("kernels", good, f"compiled, kept in {compiled.stats.cache_path}", core=True)


def _genotype_files() -> Finding:
    absent = [name for name in ("pgenlib", "pysam", "pyarrow") if importlib.util.find_spec(name) is None]
    seen = f"lacks {', '.join(absent)}" if absent else "PGEN, VCF and Parquet"
    return Finding("file formats", not absent, seen, "pip install cohelix" if absent else "", core=True)


def _java() -> Finding:
    from cohelix.runtime.java import find_java, java_major

    try:
        home = find_java()
    except CohelixError as error:
        return Finding("java", False, str(error).partition(". ")[0], "pip install 'cohelix[spark]'")
    return Finding("java", True, f"{java_major(home)} at {home}")


def _package(name: str, extra: str, wanted: str) -> Finding:
    mend = f"pip install 'cohelix[{extra}]'"
    if importlib.util.find_spec(name) is None:
        return Finding(name, False, "not installed", mend)
    seen = version(name)
    good = seen.startswith(wanted)
    return Finding(name, good, seen, "" if good else f"{mend} (tested with {wanted}*)")


def _program(name: str) -> Finding:
    place = shutil.which(name)
    if place is None:
        return Finding(name, False, "not on the PATH (only the tests compare with it)", f"apt-get install {name}")
    return Finding(name, True, place)
