"""The import contracts are kept, and each of them can be broken."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

VIOLATIONS = {
    "one-way layers": ("engine/cohelix/genotypes/alleles.py", "import cohelix.joint.call"),
    "kernels are arrays in, arrays out": ("engine/cohelix/genotypes/kernels.py", "import pyarrow"),
    "hail and pyspark live behind their doors": ("engine/cohelix/simulate/truth.py", "import pyspark"),
    "numba is named once": ("engine/cohelix/joint/call.py", "import numba"),
    "hail programs are chosen by commands, never imported by methods": (
        "engine/cohelix/joint/unify.py",
        "from cohelix.joint import on_hail",
    ),
    "pipelines compose, they do not compute": ("pipelines/joint_call.py", "import numpy"),
    "pipelines stand on top": ("engine/cohelix/genome.py", "import pipelines.joint_call"),
}


def _lint(root: Path) -> subprocess.CompletedProcess[str]:
    """lint-imports over the tree at `root`, not over the one that is installed."""
    program = Path(sys.executable).with_name("lint-imports")
    environment = os.environ | {"PYTHONPATH": f"{root / 'engine'}:{root}"}
    return subprocess.run(
        [program, "--no-cache"], cwd=root, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def _status(output: str) -> dict[str, str]:
    plain = re.sub(r"\x1b\[\d*m", "", output)
    return dict(re.findall(r"^(.+) (KEPT|BROKEN)\s*$", plain, re.MULTILINE))


def _copy(root: Path, target: Path) -> Path:
    for folder in ("engine", "pipelines"):
        shutil.copytree(root / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "pyproject.toml", target)
    return target


def test_all_contracts_are_kept(root: Path) -> None:
    outcome = _lint(root)
    assert outcome.returncode == 0, outcome.stdout
    assert set(_status(outcome.stdout)) == set(VIOLATIONS)


def test_each_contract_catches_what_it_is_for(root: Path, tmp_path: Path) -> None:
    tree = _copy(root, tmp_path)
    for path, statement in VIOLATIONS.values():
        with (tree / path).open("a") as handle:
            handle.write(f"\n{statement}\n")
    assert _status(_lint(tree).stdout) == dict.fromkeys(VIOLATIONS, "BROKEN")


def test_a_module_without_a_place_is_refused(root: Path, tmp_path: Path) -> None:
    tree = _copy(root, tmp_path)
    (tree / "engine" / "cohelix" / "stray.py").write_text('"""Belongs nowhere."""\n')
    outcome = _lint(tree)
    assert outcome.returncode != 0
    assert "cohelix.stray" in outcome.stdout
