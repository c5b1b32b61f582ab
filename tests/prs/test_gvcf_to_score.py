"""From gVCF to score, with the sums worked out by hand: a no-call is never scored as homozygous reference.

Who has what is drawn in `tests/jobs/made_reads.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cohelix.jobs.scoring import Inputs, score
from cohelix.prs.schema import MatchParams, ScoreParams
from cohelix.runtime.local import LocalRuntime
from tests.jobs import made_reads
from tests.jobs.made_reads import score_file

ROWS: list[tuple[object, ...]] = [
    ("21", 1000, "G", "A", 1),  # the effect allele is ALT
    ("21", 2000, "C", "T", 10),  # it is REF, and nobody carries another
    ("X", 2_800_000, "C", "A", 100),
    ("22", 1000, "G", "A", 1000),  # REF; five people have no record there
]
JOINED: list[tuple[object, ...]] = [
    ("21_x_21", "1000_x_2000", "G_x_C", "A_x_T", 1, "TRUE"),
    ("21", 1000, "G", "A", 1, "FALSE"),
]
JOINED_COLUMNS = ("chr_name", "chr_position", "effect_allele", "other_allele", "effect_weight", "is_interaction")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Inputs]:
    folder = tmp_path_factory.mktemp("reads")
    scores = (
        score_file(folder / "one.txt", ROWS),
        score_file(folder / "two.txt", JOINED, score="MADE000002", columns=JOINED_COLUMNS),
    )
    return made_reads.call_store(folder), Inputs(scores=scores, fasta=made_reads.fasta(folder))


def scored(tmp_path: Path, inputs: tuple[str, Inputs], missing: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Rows of scores.parquet by score and sample."""
    out = tmp_path / "prs"
    score(inputs[0], str(out), inputs[1], MatchParams(), ScoreParams(missing=missing), LocalRuntime(1))
    assert not (tmp_path / "prs.work").exists()
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in pq.ParquetFile(out / "scores.parquet").read().to_pylist():
        found.setdefault(row["score"], {})[row["sample_id"]] = row
    return found


NAMES = ("sum", "n_alleles", "n_imputed", "n_hom_ref")


def told(rows: dict[str, dict[str, Any]]) -> dict[str, tuple[float, ...]]:
    return {person: tuple(row[name] for name in NAMES) for person, row in rows.items()}


def test_what_is_not_called_counts_nothing(tmp_path: Path, inputs: tuple[str, Inputs]) -> None:
    found = scored(tmp_path, inputs, "drop")
    # sum, alleles used, sites without a genotype, sites that are reference on evidence
    assert told(found["MADE000001"]) == {
        "P1": (0 + 20 + 0 + 2000, 8, 0, 4),
        "P2": (1 + 20 + 100 + 2000, 8, 0, 2),  # het at 1000 and on X
        "P3": (2 + 20, 4, 2, 1),  # hom-alt at 1000; no record on X and 22
        "P4": (0, 0, 4, 0),  # a no-call block, GQ 0, and no records: not one of them is reference
        "P5": (20, 2, 3, 1),  # half a call at 1000
        "P6": (0 + 20 + 100, 5, 1, 2),  # one copy of X, which is ALT
        "P7": (0 + 20 + 0, 5, 1, 3),  # one copy of X, which is REF
    }


def test_what_is_not_called_is_expected(tmp_path: Path, inputs: tuple[str, Inputs]) -> None:
    found = scored(tmp_path, inputs, "cohort-af")
    g = 2 * 3 / 10  # at 1000 five people are called, with 0, 1, 2, 0 and 0 copies of G
    x = 2 * 2 / 6  # on X two women and two men, with 0, 1, 1 and 0 copies of C
    sums = {
        "P1": 2020, "P2": 2121, "P3": 22 + 100 * x + 2000, "P4": g + 20 + 100 * x + 2000,
        "P5": g + 20 + 100 * x + 2000, "P6": 120 + 2000, "P7": 20 + 2000,
    }  # fmt: skip
    made = json.loads((tmp_path / "prs" / "prs.json").read_text())["callset"]  # it is gone; what it was made of is not
    assert made["operation"] == "joint call" and {one["role"] for one in made["inputs"]} == {"fasta", "sites"}
    one = found["MADE000001"]
    assert {person: row["sum"] for person, row in one.items()} == pytest.approx(sums, abs=1e-9)
    assert [row["n_alleles"] for row in one.values()] == [8, 8, 8, 8, 8, 7, 7]
    assert [row["n_imputed"] for row in one.values()] == [0, 0, 2, 4, 3, 1, 1]
    assert [row["n_hom_ref"] for row in one.values()] == [4, 2, 1, 0, 1, 2, 3]  # P4: none, though its sum is like P1's


def test_interactions_are_added(tmp_path: Path, inputs: tuple[str, Inputs]) -> None:
    """Copies of G at 1000 times copies of REF at 2000, and copies of G."""
    found = scored(tmp_path, inputs, "drop")
    assert told(found["MADE000002"]) == {
        "P1": (0, 4, 0, 2), "P2": (1 * 2 + 1, 4, 0, 0), "P3": (2 * 2 + 2, 4, 0, 0), "P4": (0, 0, 2, 0),
        "P5": (0, 0, 2, 0), "P6": (0, 4, 0, 2), "P7": (0, 4, 0, 2),
    }  # fmt: skip
    assert pq.ParquetFile(tmp_path / "prs" / "terms.parquet").read().to_pylist() == [
        {"score": 1, "row": 0, "kind": "interaction", "scored": True, "reason": "", "n_sites": 2}
    ]


def test_a_score_of_interactions_alone(tmp_path: Path, inputs: tuple[str, Inputs]) -> None:
    alone = score_file(tmp_path / "alone.txt", JOINED[:1], columns=JOINED_COLUMNS)
    found = scored(tmp_path, (inputs[0], Inputs(scores=(alone,), fasta=inputs[1].fasta)), "drop")
    assert told(found["MADE000001"]) == {
        "P1": (0, 2, 0, 1), "P2": (2, 2, 0, 0), "P3": (4, 2, 0, 0), "P4": (0, 0, 1, 0),
        "P5": (0, 0, 1, 0), "P6": (0, 2, 0, 1), "P7": (0, 2, 0, 1),
    }  # fmt: skip
