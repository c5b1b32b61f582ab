"""The kernels as plain Python: what is compiled and what is read are one text, and coverage can see it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_kernels_run_without_numba_compiling_them() -> None:
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "COHELIX_EXAMPLES": "20"}
    files = [
        "tests/joint/test_kernels.py",
        "tests/joint/test_rules.py",
        "tests/joint/test_sample_counts.py",
        "tests/joint/test_contamination.py",
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-4000:]
    probe = "from cohelix.joint import kernels; print(hasattr(kernels.trim, 'py_func'))"
    seen = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert seen.stdout.strip() == "False", "Numba compiled them all the same"
