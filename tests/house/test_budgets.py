"""The size and shape of the code: what a reader can hold in mind."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINE = sorted((ROOT / "engine" / "cohelix").rglob("*.py"))
PIPELINES = sorted((ROOT / "pipelines").rglob("*.py"))
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "core", "base", "tools", "shared"}


def _named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _functions(path: Path) -> Iterator[tuple[str, int, int]]:
    """Name, lines without the docstring, and number of parameters of each function of a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            lines = node.end_lineno - node.lineno + 1
            if ast.get_docstring(node) is not None:
                first = node.body[0]
                assert first.end_lineno is not None
                lines -= first.end_lineno - first.lineno + 1
            yield node.name, lines, len(node.args.args) + len(node.args.kwonlyargs)


@pytest.mark.parametrize("path", ENGINE, ids=_named)
def test_a_module_is_short(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= (40 if path.name == "__init__.py" else 450)


@pytest.mark.parametrize("path", [*ENGINE, *PIPELINES], ids=_named)
def test_a_function_is_short(path: Path) -> None:
    assert [(name, lines) for name, lines, _ in _functions(path) if lines > 60] == []


@pytest.mark.parametrize("path", ENGINE, ids=_named)
def test_a_module_has_a_name_that_says_something_and_a_docstring(path: Path) -> None:
    assert path.stem not in VAGUE
    assert path.parent.name not in VAGUE
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", PIPELINES, ids=_named)
def test_a_pipeline_is_a_page(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 80
    assert ast.get_docstring(ast.parse(text))
    assert not [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.For | ast.While)]


@pytest.mark.parametrize("path", [path for path in ENGINE if path.parts[-2] != "cli"], ids=_named)
def test_numba_is_not_named_but_in_kernel(path: Path) -> None:
    if path.name != "kernel.py":
        names = {node.value.id for node in ast.walk(ast.parse(path.read_text())) if _is_dotted(node)}
        assert "numba" not in names


def _is_dotted(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)


def test_the_counting_itself(tmp_path: Path) -> None:
    """A budget that cannot be exceeded guards nothing."""
    module = tmp_path / "m.py"
    module.write_text('def f(a, *, b):\n    """One.\n\n    Two.\n    """\n    x = a\n    return x\n')
    assert list(_functions(module)) == [("f", 3, 2)]
