"""The truth that benchmarks of quality control are checked with, itself checked: against what was drawn, and against
p-values that were published."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pgenlib
import pytest

from benchmarks import callsets
from benchmarks.callsets import Drawn, draw, exact_p, probed_places
from benchmarks.jobs_qc import ENGINES


def genotypes(work: Drawn) -> np.ndarray:
    """int8 (variants, samples) of the BED, by pgenlib; -9 missing."""
    with pgenlib.PgenReader(bytes(work.prefix.with_suffix(".bed")), raw_sample_ct=work.n_samples) as reader:
        out = np.empty((work.n_records, work.n_samples), np.int8)
        reader.read_range(0, work.n_records, out)
    return out


@pytest.mark.parametrize("n_samples", [50, 120])
def test_truth_is_what_the_fileset_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_samples: int) -> None:
    """50 people drawn; 120 are three blocks of the same 40, turned."""
    monkeypatch.setattr(callsets, "DRAWN_SAMPLES", 40 if n_samples == 120 else 10_000)
    monkeypatch.setattr(callsets, "TURN", 3)
    work = draw(tmp_path, n_samples, 90)
    values = genotypes(work)
    called = np.where(values == -9, 0, values)
    of_all, of_samples = work.truth["qc-variants"], work.truth["qc-samples"]
    assert (of_all["rows"], of_all["ac"]) == (90, called.sum())
    assert of_all["n_missing"] == of_samples["n_missing"] == (values == -9).sum() > 0
    assert of_samples["carried"] == (called > 0).sum()
    assert of_samples["n_singleton"] == (called.sum(axis=1) == 1).sum()
    for sample, (carried, missing) in zip(probed_places(n_samples), of_samples["probed"], strict=True):
        assert (carried, missing) == ((called[:, sample] > 0).sum(), (values[:, sample] == -9).sum())
    rows = [line.split("\t") for line in work.groups.read_text().splitlines()[1:]]
    strata = np.array([row[2] for row in rows])
    for row, found in zip(probed_places(90), work.truth["qc-variants-groups"]["probed"], strict=True):
        assert found[:16] == [called[row, strata == name].sum() for name in callsets.strata()]
    if n_samples == 120:
        assert (np.sort(values[:, :40], axis=1) == np.sort(values[:, 40:80], axis=1)).all()
        assert (values[:, :40] != values[:, 40:80]).any()


def test_p_values_are_the_published_ones() -> None:
    """21 rare alleles among 100 people (Wigginton et al. 2005, table 1)."""
    assert exact_p(84, 11, 5) == pytest.approx(0.000919, rel=5e-3)
    assert exact_p(83, 13, 4) == pytest.approx(0.010293, rel=5e-3)
    assert exact_p(81, 17, 2) == pytest.approx(0.284042, rel=5e-3)
    assert exact_p(80, 19, 1) == exact_p(1, 19, 80) == pytest.approx(1.0)
    assert exact_p(80, 19, 1, midp=True) < 1.0


def test_wrong_counts_are_refused(tmp_path: Path) -> None:
    work = replace(draw(tmp_path, 20, 30), job="qc-variants")
    ours, hail = ENGINES["qc-variants"]["ours"], ENGINES["qc-variants"]["hail"]
    right = work.truth["qc-variants"]
    counts = {name: right[name] for name in ("rows", "ac", "n_missing", "probed")}
    work.check(ours, dict(counts))
    work.check(hail, counts | {"probed": right["probed_midp"]})
    with pytest.raises(AssertionError, match="ours"):
        work.check(ours, counts | {"ac": counts["ac"] + 1})
    with pytest.raises(AssertionError, match="ours"):
        work.check(ours, counts | {"probed": right["probed_midp"]})
