"""Every kernel is compiled by the one decorator, runs without the JIT too, and is named by a test."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(
    ".".join(path.relative_to(ROOT / "engine").with_suffix("").parts)
    for path in (ROOT / "engine" / "cohelix").rglob("kernels.py")
)


def _registry() -> dict[str, Any]:
    from cohelix.kernel import REGISTRY

    for module in MODULES:
        importlib.import_module(module)
    return {name: function for name, function in REGISTRY.items() if name.rpartition(".")[0] in MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_every_public_function_of_a_kernel_module_is_compiled(module: str) -> None:
    tree = ast.parse((ROOT / "engine" / Path(*module.split(".")).with_suffix(".py")).read_text())
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    compiled = {name.rpartition(".")[2] for name in _registry() if name.startswith(f"{module}.")}
    assert functions
    assert {name for name in functions if not name.startswith("_")} <= compiled


def test_kernels_live_in_kernel_modules_only() -> None:
    outside = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "engine" / "cohelix").rglob("*.py")
        if path.name != "kernels.py" and re.search(r"^\s*@(kernel|leaf)\b", path.read_text(), re.MULTILINE)
    ]
    assert outside == []


def test_every_kernel_is_named_by_a_test_or_by_a_kernel_that_is() -> None:
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__).resolve())
    kernels = {name: name.rpartition(".")[2] for name in _registry()}
    named = {name for name, short in kernels.items() if re.search(rf"\b{short}\b", tests)}
    assert sorted(name for name in kernels if name not in named and not kernels[name].startswith("_")) == []
