"""Machine code that is kept on disk is that of the sources as they are, whichever file has changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cohelix.kernel import is_compiled

CALLER = """
from cohelix.kernel import kernel
from {package}.inner.kernels import step

@kernel
def run(x):
    return step(x)
"""
CALLED = """
from cohelix.kernel import leaf

@leaf
def step(x):
    return x + {add}
"""


@pytest.mark.skipif(not is_compiled(), reason="nothing is kept without the compiler")
def test_a_change_in_a_called_kernel_is_not_lost(root: Path, tmp_path: Path) -> None:
    """A copy of the package, so that its digest of sources covers the two files."""
    engine = tmp_path / "engine"
    shutil.copytree(root / "engine" / "cohelix", engine / "cohelix", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("outer", "outer/inner"):
        (engine / "cohelix" / name).mkdir()
        (engine / "cohelix" / name / "__init__.py").write_text("")
    (engine / "cohelix" / "outer" / "kernels.py").write_text(CALLER.format(package="cohelix.outer"))
    found = []
    for add in (1, 2, 2):
        (engine / "cohelix" / "outer" / "inner" / "kernels.py").write_text(CALLED.format(add=add))
        program = "from cohelix.outer.kernels import run; print(run(40), sum(run.stats.cache_hits.values()))"
        line = [sys.executable, "-c", program]
        made = subprocess.run(line, env={"PYTHONPATH": str(engine)}, capture_output=True, text=True, check=True)
        found.append(made.stdout.split())
    assert found == [["41", "0"], ["42", "0"], ["42", "1"]]
