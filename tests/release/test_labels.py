"""Labels of data: lowered by declassifiers alone, checked by mypy and when it runs."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from cohelix.errors import ContractError
from cohelix.release.labels import (
    Controlled,
    Labelled,
    Public,
    Registered,
    Source,
    declassifier,
    highest,
    joined,
    source,
)
from cohelix.tier import Tier

ENGINE = Path(__file__).parents[2] / "engine" / "cohelix"


def test_what_is_joined_has_the_highest_label() -> None:
    labels = (Public, Registered, Controlled, Source)
    for one in labels:
        for other in labels:
            made = joined(lambda a, b: a + b, Labelled(1, one), Labelled(2, other))
            assert made.value == 3
            assert made.tier == max(one.tier, other.tier)
    assert highest() is Source
    assert joined(lambda: 0).label is Source


def test_declassifiers_lower_a_label_and_are_named_once() -> None:
    @declassifier(Public)
    def counted_for_this_test(data: Labelled[list[int], Source]) -> int:
        return len(data.value)

    made = counted_for_this_test(source([1, 2, 3]))
    assert (made.value, made.tier) == (3, Tier.PUBLIC)
    with pytest.raises(ContractError):
        declassifier(Public)(counted_for_this_test.__wrapped__)  # type: ignore[attr-defined]


def test_nobody_else_makes_labelled_data() -> None:
    """`Labelled(...)` is called in labels.py alone: elsewhere a label comes from a declassifier."""
    for path in ENGINE.rglob("*.py"):
        if path.name == "labels.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                assert name != "Labelled", f"{path.name}:{node.lineno}"


def _mypy(tmp_path: Path, body: str) -> str:
    head = """
    from pathlib import Path
    from cohelix.release.draft import Draft
    from cohelix.release.labels import Controlled, Labelled, Public, Registered, Source
    from cohelix.release.schema import MadeFile
    """
    place = tmp_path / "snippet.py"
    place.write_text(textwrap.dedent(head) + textwrap.dedent(body))
    root = ENGINE.parents[1]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--config-file",
            str(root / "pyproject.toml"),
            "--follow-imports=silent",
            str(place),
        ],
        cwd=root,
        env={"MYPYPATH": "engine", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_mypy_refuses_what_would_lower_a_label(tmp_path: Path) -> None:
    said = _mypy(
        tmp_path,
        """
        def allowed(draft: Draft[Controlled], data: Labelled[list[MadeFile], Public]) -> None:
            draft.put("part", data)

        def same(draft: Draft[Registered], data: Labelled[list[MadeFile], Registered]) -> None:
            draft.put("part", data)

        def lowered(draft: Draft[Public], data: Labelled[list[MadeFile], Registered]) -> None:
            draft.put("part", data)

        def unseen(draft: Draft[Controlled], data: Labelled[list[MadeFile], Source]) -> None:
            draft.put("part", data)
        """,
    )
    errors = [line for line in said.splitlines() if ": error:" in line]
    assert len(errors) == 2, said
    assert 'expected "Labelled[Sequence[MadeFile], Public]"' in errors[0], said
    assert 'expected "Labelled[Sequence[MadeFile], Controlled]"' in errors[1], said
