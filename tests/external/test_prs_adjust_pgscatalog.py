"""Adjusted scores are those of pgscatalog-ancestry-adjust, on a panel and a cohort made here."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cohelix.prs.adjust.run import adjust
from cohelix.prs.adjust.tables import PGS_COLUMNS, read_adjusted
from cohelix.prs.schema import AdjustParams
from tests.oracles import prs_adjust as oracle
from tests.prs.adjust.made import GROUPS, People, people, world, write_rows

pytestmark = pytest.mark.external

N_PANEL, N_COHORT, N_RELATED = 330, 90, 30
PLAIN = range(5)
SMALL, LARGE, VARIANT, CONSTANT, PRIVATE = range(5, 10)
"""Scores: mean and variance depend on components; one of them in small and in large units; one variant with three
values; one value; a variant that one group carries alone."""


def program(root: Path) -> Path:
    path = root / ".peers" / "bin" / "pgscatalog-ancestry-adjust"
    if not path.exists():
        if os.environ.get("COHELIX_REQUIRE_TOOLS"):
            pytest.fail("not installed, though required here: pgscatalog-ancestry-adjust")
        pytest.skip("not installed: pgscatalog-ancestry-adjust (`make peers`)")
    return path


def made() -> tuple[People, People]:
    of = world(6)
    both = []
    for one, seed in ((people(of, N_PANEL, 1, "r", 0.1), 3), (people(of, N_COHORT, 2, "t", 0.1), 4)):
        draw = np.random.default_rng(seed)
        n = len(one.group)
        more = [
            one.scores[5] * 1e-5,
            one.scores[5] * 1e4,
            draw.binomial(2, 0.3, n) * 0.17,
            np.full(n, 0.5),  # of 0.4, rounding leaves them a variance, and they fail
            np.where(one.group == 0, draw.binomial(2, 0.3, n), 0) * 1.0,
        ]
        both.append(one.with_scores(np.concatenate([one.scores[:5], more])))
    return both[0], both[1]


def write_theirs(folder: Path, panel: People, cohort: People, related: list[str]) -> None:
    header = ["FID", "IID", *(f"PC{i + 1}" for i in range(5))]
    for name, one in (("reference", panel), ("target", cohort)):
        rows = [[i, i, *map(repr, pcs)] for i, pcs in zip(one.sample_ids, one.pcs.tolist(), strict=True)]
        write_rows(folder / f"{name}.pcs", header, rows)
    psam = [[i, "0", GROUPS[code]] for i, code in zip(panel.sample_ids, panel.group, strict=True)]
    write_rows(folder / "ref.psam", ["#IID", "SEX", "SuperPop"], psam)
    (folder / "related.id").write_text("".join(f"{one}\n" for one in related))
    lines = ["sampleset\tFID\tIID\tPGS\tSUM\tDENOM"]
    for name, one in (("reference", panel), ("target", cohort)):
        for score, values in zip(one.score_ids, one.scores.tolist(), strict=True):
            lines += [f"{name}\t{i}\t{i}\t{score}\t{x!r}\t80" for i, x in zip(one.sample_ids, values, strict=True)]
    with gzip.open(folder / "aggregated_scores.txt.gz", "wt") as handle:
        handle.write("\n".join(lines) + "\n")


def run_theirs(root: Path, folder: Path) -> tuple[dict[str, np.ndarray], list[str], dict[str, Any]]:
    """Columns as (scores, people of the cohort in order of their ids), the header, and their models."""
    arguments = [
        "-d", "target", "-r", "reference", "--ref_pcs", "reference.pcs", "--target_pcs", "target.pcs", "--psam",
        "ref.psam", "-x", "related.id", "-s", "aggregated_scores.txt.gz", "-a", "Mahalanobis", "--outdir", "out",
    ]  # fmt: skip
    (folder / "out").mkdir()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([program(root), *arguments], cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    with gzip.open(folder / "out" / "target_pgs.txt.gz", "rt") as handle:
        header, *rows = (line.rstrip("\n").split("\t") for line in handle)
    mine = sorted((row for row in rows if row[0] == "target"), key=lambda row: (row[3], row[2]))
    columns = {
        name: np.array([float(row[place] or "nan") for row in mine]).reshape(-1, N_COHORT)
        for place, name in enumerate(header)
        if place >= 4
    }
    with gzip.open(folder / "out" / "target_info.json.gz", "rt") as handle:
        return columns, header, json.load(handle)["pgs"]["adjust_pcs"]["PGS"]


def test_adjusted_scores_are_pgscatalogs(root: Path, tmp_path: Path) -> None:
    panel, cohort = made()
    related = panel.sample_ids[:N_RELATED]
    of_panel, of_cohort = panel.write(tmp_path / "panel"), cohort.write(tmp_path / "cohort")
    write_theirs(tmp_path, panel, cohort, related)
    theirs, header, models = run_theirs(root, tmp_path)
    write_rows(tmp_path / "unrelated.tsv", ["sample_id"], [[one] for one in panel.sample_ids[N_RELATED:]])
    adjust(
        of_cohort["scores"], str(tmp_path / "ours"), AdjustParams(pgs_txt=True, sampleset="target"),
        pcs=of_cohort["pcs"], reference=of_panel["scores"], reference_pcs=of_panel["pcs"],
        reference_labels=of_panel["groups"], train=str(tmp_path / "unrelated.tsv"),
    )  # fmt: skip
    ours = {
        name: read_adjusted(tmp_path / "ours", column).sums
        for name, column in (
            ("SUM", "sum"), ("percentile_MostSimilarPop", "percentile_most_similar"),
            ("Z_MostSimilarPop", "z_most_similar"), ("Z_norm1", "z_norm1"), ("Z_norm2", "z_norm2"),
        )
    }  # fmt: skip
    assert header == list(PGS_COLUMNS)
    with gzip.open(tmp_path / "ours" / "pgs.txt.gz", "rt") as handle:
        assert handle.readline().rstrip("\n").split("\t") == header
    usual = [*PLAIN, SMALL, LARGE, VARIANT]
    np.testing.assert_allclose(ours["SUM"], theirs["SUM"], rtol=1e-12)  # pandas reads numbers to the last digit but one
    np.testing.assert_allclose(
        ours["percentile_MostSimilarPop"][usual], theirs["percentile_MostSimilarPop"][usual], atol=1e-9
    )
    np.testing.assert_allclose(ours["Z_MostSimilarPop"][usual], theirs["Z_MostSimilarPop"][usual], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ours["Z_norm1"][[*usual, PRIVATE]], theirs["Z_norm1"][[*usual, PRIVATE]], atol=1e-6)
    for name in list(ours)[1:]:
        assert np.isnan(ours[name][CONSTANT]).all() and np.isnan(theirs[name][CONSTANT]).all()
    apart = np.abs(ours["Z_norm2"] - theirs["Z_norm2"]).max(axis=1)
    assert (apart[PLAIN] < 1e-3).all(), apart
    check_likelihoods(panel, models, tmp_path / "ours", apart)


def check_likelihoods(panel: People, models: dict[str, Any], ours: Path, apart: np.ndarray) -> None:
    """Where Z_norm2 differs, their search has ended early: ours is the better likelihood, and they say so or stop far
    from a maximum; of the private variant nobody has one, and ours alone says nothing."""
    import pyarrow.parquet as pq

    parameters = pq.read_table(ours / "model" / "parameters.parquet").to_pydict()
    status = dict(zip(parameters["score"], parameters["status"], strict=True))
    assert status[panel.score_ids[PRIVATE]] == "not_converged" and status[panel.score_ids[CONSTANT]] == "constant"
    assert np.isnan(apart[PRIVATE]) and np.isnan(apart[CONSTANT])
    training = panel.pcs[N_RELATED:, :4]
    design = np.column_stack([np.ones(len(training)), oracle.standardised(training, training)])
    names = ["intercept", *(f"pc{i + 1}" for i in range(4))]
    for row in (*PLAIN, SMALL, LARGE, VARIANT):
        score = panel.scores[row, N_RELATED:]
        scale = score.std()
        fit = models[panel.score_ids[row]]["Z_norm2"]
        mean = np.array([fit["mu_intercept"], *fit["mu_coef"].values()]) / scale
        log_variance = np.array([fit["var_intercept"], *fit["var_coef"].values()])
        log_variance[0] -= 2.0 * np.log(scale)
        own = [parameters[f"{kind}_{name}"][row] for kind in ("mean2", "log_variance") for name in names]
        unit = (score - score.mean()) / scale
        better = oracle.nll(np.array(own), design, unit)
        theirs = oracle.nll(np.concatenate([mean, log_variance]), design, unit)
        assert better <= theirs + 1e-9, row
        assert apart[row] < 1e-3 or theirs > better + 1e-7, row
