"""Metrics that others measured, and batches that differ."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix.errors import InputError
from cohelix.qc.samples.batches import batch_effects, cohens_d
from cohelix.qc.samples.measured import preferred, read_measured
from tests.qc.samples.test_run import joint, rows_of, run

IDS = ["A", "B", "C"]


def table(folder: Path, text: str) -> str:
    path = folder / "measured.tsv"
    path.write_text(text.replace(" ", "\t"))
    return str(path)


def test_columns_of_all_of_us_and_ours_are_read_by_sample(tmp_path: Path) -> None:
    path = table(tmp_path, "research_id aou_hdr_coverage chimera_rate site_id\nC 0.97 0.01 bi\nA 0.95 NA uw\n")
    found = read_measured(path, IDS)
    assert set(found) == {"hdr_coverage_20x", "chimera_rate"}
    np.testing.assert_array_equal(found["hdr_coverage_20x"], [0.95, np.nan, 0.97])
    np.testing.assert_array_equal(found["chimera_rate"], [np.nan, np.nan, 0.01])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sample_id colour\nA red\n", "no column|found none"),
        ("sample_id hdr_coverage_20x\nA 0.9\nB 97.1\n", "share between 0 and 1.*row 3.*Divide"),
        ("sample_id mean_coverage\nA thirty\n", "row 2 .* not a number"),
        ("sample_id mean_coverage\nX 30\n", "of other samples"),
        ("sample_id mean_coverage\nA 30\nA 31\n", "rows 2 and 3"),
        ("sample_id n_snp\nA 3\nB 3.5\n", "a count.*row 3"),
        ("sample_id n_snp\nA -3\n", "a count.*row 2"),
        ("sample_id n_snp\nA 1e300\n", "a count.*row 2"),
        ("sample_id n_snp\nA inf\n", "a count.*row 2"),
        ("sample_id aligned_q30_bases\nA inf\n", "a number.*row 2"),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_measured(table(tmp_path, text), IDS)


def test_what_they_do_not_say_stays_ours() -> None:
    merged = preferred({"a": np.array([1.0, np.nan]), "b": np.array([np.nan, 2.0])}, {"a": np.array([7, 8])})
    assert set(merged) == {"a", "b"}
    np.testing.assert_array_equal(merged["a"], [1, 8])
    np.testing.assert_array_equal(merged["b"], [np.nan, 2])


def test_gates_judge_what_was_handed_in(tmp_path: Path) -> None:
    callset = joint(tmp_path)
    ids = callset.samples().column("sample_id").to_pylist()
    lines = [f"{sample} {7e10 if row == 5 else 9e10} 0.97\n" for row, sample in enumerate(ids)]
    path = table(tmp_path, "sample_id aligned_q30_bases aou_hdr_coverage\n" + "".join(lines))
    run(callset, tmp_path / "qc", measured=path)
    flags = pq.read_table(tmp_path / "qc" / "sample_flags.parquet").to_pylist()
    assert [row["row"] for row in flags if row["gate"] == "aligned_q30_bases"] == [5]
    written = rows_of(tmp_path / "qc" / "genomic_metrics.tsv")
    assert float(written[5]["aligned_q30_bases"]) == 7e10 and float(written[0]["aou_hdr_coverage"]) == 0.97
    missing = json.loads((tmp_path / "qc" / "qc.json").read_text())["not_evaluated"]
    assert not {"aligned_q30_bases", "hdr_coverage_20x"} & {one["gate"] for one in missing}


def test_a_batch_that_differs_is_found_and_small_ones_are_not_judged() -> None:
    draw = np.random.default_rng(1)
    batches = ["one"] * 200 + ["two"] * 200 + ["few"] * 5 + [""] * 50
    depth = draw.normal(35, 2, len(batches))
    depth[200:400] += 4
    found = batch_effects({"mean_coverage": depth, "n_called": depth}, batches, 30)
    assert {(one.metric, one.batch, one.n) for one in found} == {
        ("mean_coverage", "one", 200),
        ("mean_coverage", "two", 200),
    }
    two = next(one for one in batch_effects({"ti_tv": depth[:400]}, batches[:400], 30) if one.batch == "two")
    assert two.d == pytest.approx(2, abs=0.4)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=9), st.lists(st.floats(-5, 5), min_size=2, max_size=9))
def test_cohens_d_is_its_definition(first: list[float], second: list[float]) -> None:
    def spread(values: list[float]) -> float:
        mean = sum(values) / len(values)
        return sum((value - mean) ** 2 for value in values)

    pooled = (spread(first) + spread(second)) / (len(first) + len(second) - 2)
    gap = sum(first) / len(first) - sum(second) / len(second)
    found = cohens_d(np.array(first), np.array(second))
    if pooled > 1e-12:
        assert found == pytest.approx(gap / pooled**0.5, rel=1e-6, abs=1e-9)
        assert cohens_d(np.array(second), np.array(first)) == -found
    elif pooled == 0:
        assert found == 0
