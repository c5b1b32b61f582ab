"""GLnexus's cases against our joint caller. `COHELIX_GLNEXUS_CASES` names another folder of cases to run them from."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from tests.external import glnexus_cases

DATA = Path(__file__).parents[2].parent / "shared" / "data"
CASES = Path(os.environ.get("COHELIX_GLNEXUS_CASES", DATA / "joint_cases" / "glnexus"))
DEPARTURES = {
    entry["case"]: entry
    for entry in tomllib.loads((Path(__file__).parent / "glnexus_departures.toml").read_text())["departure"]
}

pytestmark = [pytest.mark.real, pytest.mark.skipif(not CASES.exists(), reason="the cases are not beside this checkout")]


@pytest.mark.parametrize("path", sorted(CASES.glob("*.yml")), ids=lambda path: path.stem)
def test_case_agrees_or_departs_as_written(path: Path, tmp_path: Path) -> None:
    found = glnexus_cases.run(path, tmp_path)
    assert found.compared > 0
    stated = DEPARTURES.get(path.stem, {})
    assert len(found.differences) == stated.get("differences", 0), found.differences
    assert len(found.missing_rows) == stated.get("missing_rows", 0), found.missing_rows


def test_at_least_21_of_the_26_public_cases_agree_in_full() -> None:
    public = {path.stem for path in (DATA / "joint_cases" / "glnexus").glob("*.yml")}
    assert len(public) == 26
    assert len(public - set(DEPARTURES)) >= 21


@pytest.mark.parametrize(
    ("truth", "ours", "expected"),
    [
        ("0/1", [("0", "1")], True),
        ("0/1", [("0", "0")], False),
        ("0/1", [(".", ".")], False),
        ("1/2", [("0", "1"), ("1", "*")], True),
        ("1/2", [("0", "1"), (".", ".")], False),
        ("0/2", [("0", "0"), ("0", "1")], True),
        ("0/2", [("0", "1"), ("0", "1")], False),
        ("./.", [("0", "0")], False),
        ("./.", [("0", "0"), (".", ".")], True),
        ("./.", [("*", "*")], True),
        ("./1", [(".", "1")], True),
        ("./1", [("0", "1")], False),
        ("./0", [("0", ".")], True),
        ("./0", [("0", "0")], False),
        ("./0", [("1", ".")], False),
    ],
)
def test_the_comparison_itself(truth: str, ours: list[tuple[str, str]], expected: bool) -> None:
    assert glnexus_cases.agrees(truth, ours) is expected
