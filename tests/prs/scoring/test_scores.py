"""Scores against the plain definition: every form, ploidy, policy and count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from cohelix.errors import InputError
from cohelix.genotypes.outputs import seal_of
from cohelix.prs.schema import ScoreParams
from cohelix.prs.scoring import plan as plan_module
from cohelix.prs.scoring import task as task_module
from cohelix.prs.scoring.run import score
from cohelix.prs.tables import read_scores
from cohelix.runtime.local import LocalRuntime
from tests.oracles import prs_scoring as oracle
from tests.oracles.prs_scoring import Entry
from tests.prs.scoring.made_scores import Cohort, make, random_entries, write_match

REGIONS = {"autosome": 40, "PAR": 6, "X": 12, "Y": 7, "MT": 5}
SEXES = ["male", "female", "female", "male", "unknown"] * 15 + ["male"] * 2
GROUPS = [["afr", "eur", "", "eas"][i % 4] for i in range(len(SEXES))]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return make(tmp_path_factory.mktemp("cohort"), REGIONS, SEXES)


def counts_in(folder: Path) -> np.ndarray:
    """int (3, scores, samples) of n_alleles, n_imputed and n_hom_ref, in the order of the file."""
    table = pq.read_table(folder / "scores.parquet")
    found = read_scores(folder)
    columns = [table.column(name).to_numpy() for name in ("n_alleles", "n_imputed", "n_hom_ref")]
    return np.array(columns).reshape(3, len(found.score_ids), -1)


def write_groups(path: Path, cohort: Cohort) -> str:
    ids = cohort.opened.samples().column("sample_id").to_pylist()
    lines = [f"{sample}\t{group}\n" for sample, group in zip(ids, GROUPS, strict=True)]
    path.write_text("sample_id\tgroup\n" + "".join(lines))
    return str(path)


@pytest.mark.parametrize("missing", ["cohort-af", "reference-af", "ancestry-af", "drop"])
@pytest.mark.parametrize("shape", ["sparse", "dense", "both"])
def test_scores_are_those_of_the_definition(
    tmp_path: Path, cohort: Cohort, monkeypatch: pytest.MonkeyPatch, missing: str, shape: str
) -> None:
    rng = np.random.default_rng(7)
    n_sites = len(cohort.regions)
    if shape != "sparse":
        monkeypatch.setattr(task_module, "FEWEST_DENSE", 2)
    found = random_entries(rng, n_sites, 5, 0.15 if shape == "sparse" else 0.8)
    if shape == "both":
        found += [
            Entry(e.site, e.score + 5, e.form, e.weight, e.same_row) for e in random_entries(rng, n_sites, 3, 0.1)
        ]
    found += [Entry(n_sites - 1, 8, 0, 0.1)]  # one variant
    frequency = [None if rng.random() < 0.5 else float(rng.random()) for _ in range(n_sites)]
    stated = [0.25 if one is None else one for one in frequency]
    match = write_match(tmp_path / "match", cohort, found, 10, frequency=stated)
    table = tmp_path / "af.tsv"
    sites = pq.read_table(match / "sites.parquet")
    rows = zip(sites["contig"].to_pylist(), sites["position"].to_pylist(), frequency, strict=True)
    lines = [f"{contig}\t{position}\tA\tC\t{0.5 * af}\n" for contig, position, af in rows if af is not None]
    table.write_text("contig\tposition\tref\talt\taf\n" + "".join(lines))
    used = [0.25 if one is None else 0.5 * one for one in frequency]  # the table's where it has one
    score(
        cohort.root, str(tmp_path / "out"), ScoreParams(missing=missing), LocalRuntime(2), match=str(match),
        frequencies=str(table) if missing == "reference-af" else None,
        groups=write_groups(tmp_path / "groups.tsv", cohort) if missing == "ancestry-af" else None,
    )  # fmt: skip
    sums, counts = oracle.scores(
        cohort.genotypes, cohort.regions, cohort.sexes, found, 10, missing=missing, reference=used, groups=GROUPS
    )
    scored = read_scores(tmp_path / "out")
    assert scored.score_ids == [f"PGS{number:06d}" for number in range(10)]
    np.testing.assert_allclose(scored.sums, sums, rtol=1e-12, atol=1e-13)
    assert (counts_in(tmp_path / "out") == counts).all()
    assert counts[1].sum() > 100 and counts[2].sum() > 100


def test_a_score_without_missing_genotypes_is_exact(tmp_path: Path) -> None:
    """Weights that are small integers over a power of two leave nothing to round."""
    cohort = make(tmp_path, {"autosome": 300}, ["female"] * 33, missing=0.0)
    rng = np.random.default_rng(2)
    found = [Entry(site, 0, int(rng.integers(0, 5)), float(rng.integers(-99, 99)) / 64) for site in range(300)]
    match = write_match(tmp_path / "match", cohort, found, 1)
    score(cohort.root, str(tmp_path / "out"), ScoreParams(), LocalRuntime(1), match=str(match))
    sums, counts = oracle.scores(cohort.genotypes, cohort.regions, cohort.sexes, found, 1, missing="cohort-af")
    assert (read_scores(tmp_path / "out").sums == sums).all()
    assert (counts_in(tmp_path / "out") == counts).all()


@pytest.mark.parametrize("n_samples", [1, 31, 32, 33, 64, 1024, 1025, 2100])
def test_any_number_of_samples(tmp_path: Path, n_samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut into ranges, tiles and blocks: the same sums."""
    cohort = make(tmp_path, {"autosome": 20, "X": 5}, [("male", "female")[i % 2] for i in range(n_samples)])
    found = [Entry(site, site % 3, 0, 0.1 * site - 1.0) for site in range(25)]
    match = write_match(tmp_path / "match", cohort, found, 3)
    score(cohort.root, str(tmp_path / "whole"), ScoreParams(), LocalRuntime(1), match=str(match))
    monkeypatch.setattr(plan_module, "_LARGE", 0)
    monkeypatch.setattr(plan_module, "_RANGE_SITES", 7)
    monkeypatch.setattr(plan_module, "_SITES_PER_SCORE", 0)
    monkeypatch.setattr(plan_module, "_TILE_SITES", 4)
    monkeypatch.setattr(plan_module, "DENSE_PLANES", 1)
    cut = score(cohort.root, str(tmp_path / "cut"), ScoreParams(), LocalRuntime(2), match=str(match))
    assert cut["plan"] == {"n_ranges": 3, "n_blocks": -(-n_samples // 1024)}
    whole, parts = read_scores(tmp_path / "whole"), read_scores(tmp_path / "cut")
    np.testing.assert_allclose(parts.sums, whole.sums, rtol=1e-13, atol=1e-14)
    assert (counts_in(tmp_path / "cut") == counts_in(tmp_path / "whole")).all()
    if n_samples <= 64:
        sums, _ = oracle.scores(cohort.genotypes, cohort.regions, cohort.sexes, found, 3, missing="cohort-af")
        np.testing.assert_allclose(whole.sums, sums, rtol=1e-13, atol=1e-14)


def test_bytes_do_not_depend_on_the_runtime(tmp_path: Path, cohort: Cohort) -> None:
    found = random_entries(np.random.default_rng(3), len(cohort.regions), 4, 0.5)
    match = write_match(tmp_path / "match", cohort, found, 4)
    for cores in (1, 2):
        score(cohort.root, str(tmp_path / f"out{cores}"), ScoreParams(), LocalRuntime(cores), match=str(match))
    names = sorted(path.name for path in (tmp_path / "out1").iterdir())
    assert names == ["prs.json", "report.parquet", "report.tsv", "scores.parquet", "sites.parquet"]
    for name in names:
        assert (tmp_path / "out1" / name).read_bytes() == (tmp_path / "out2" / name).read_bytes()


@pytest.mark.jvm
def test_spark_gives_the_same_bytes(tmp_path: Path, cohort: Cohort, spark: Any) -> None:
    found = random_entries(np.random.default_rng(3), len(cohort.regions), 4, 0.5)
    match = write_match(tmp_path / "match", cohort, found, 4)
    for name, runtime in (("local", LocalRuntime(2)), ("spark", spark)):
        score(cohort.root, str(tmp_path / name), ScoreParams(), runtime, match=str(match))
    for path in (tmp_path / "local").iterdir():
        assert path.read_bytes() == (tmp_path / "spark" / path.name).read_bytes()


def test_scores_that_did_not_pass_are_in_the_report_alone(tmp_path: Path, cohort: Cohort) -> None:
    found = random_entries(np.random.default_rng(3), len(cohort.regions), 3, 0.5)
    match = write_match(tmp_path / "match", cohort, found, 3, not_passed=[1])
    out = tmp_path / "out"
    summary = score(cohort.root, str(out), ScoreParams(), LocalRuntime(1), match=str(match), keep_match=True)
    assert (summary["n_scores"], summary["n_scores_not_passed"]) == (2, 1)
    scored = read_scores(out)
    assert scored.score_ids == ["PGS000000", "PGS000002"]
    kept = [e for e in found if e.score != 1]
    sums, counts = oracle.scores(cohort.genotypes, cohort.regions, cohort.sexes, kept, 3, missing="cohort-af")
    np.testing.assert_allclose(scored.sums, sums[[0, 2]], rtol=1e-12, atol=1e-13)
    report = pq.read_table(out / "report.parquet").to_pylist()
    assert report[1]["mean_sum"] is None and report[1]["reason"] == "overlap"
    assert report[2]["mean_sum"] == pytest.approx(sums[2].mean())
    assert report[2]["sd_sum"] == pytest.approx(sums[2].std())
    assert report[2]["mean_n_imputed"] == pytest.approx(counts[1, 2].mean())
    assert (out / "match" / "match.json").read_bytes() == (match / "match.json").read_bytes()


def test_sites_are_counted(tmp_path: Path, cohort: Cohort) -> None:
    match = write_match(tmp_path / "match", cohort, [Entry(3, 0, 0, 1.0)], 1)
    summary = score(cohort.root, str(tmp_path / "out"), ScoreParams(), LocalRuntime(1), match=str(match))
    sites = pq.read_table(tmp_path / "out" / "sites.parquet").to_pylist()
    everybody = range(len(SEXES))
    for row, (region, genotypes) in enumerate(zip(cohort.regions, cohort.genotypes, strict=True)):
        known = [
            oracle.called(int(genotypes[s]), region, SEXES[s]) for s in everybody if oracle.copies_of(region, SEXES[s])
        ]
        found = sites[row]
        assert (found["n_called"], found["n_missing"]) == (len(known) - known.count(None), known.count(None))
        p = oracle.frequency(genotypes.tolist(), region, SEXES, everybody)
        assert found["af"] == (None if p is None else pytest.approx(p))
    assert summary["n_missing_genotypes"] == sum(site["n_missing"] for site in sites)
    assert summary["n_sites_nobody_called"] == 1
    assert (summary["n_sex_not_stated"], summary["n_x_not_read"]) == (15, 15)


def test_hom_ref_can_be_left_uncounted(tmp_path: Path, cohort: Cohort) -> None:
    found = random_entries(np.random.default_rng(3), len(cohort.regions), 2, 0.5)
    match = write_match(tmp_path / "match", cohort, found, 2)
    for name, params in (("with", ScoreParams()), ("without", ScoreParams(count_hom_ref=False))):
        score(cohort.root, str(tmp_path / name), params, LocalRuntime(1), match=str(match))
    with_, without = counts_in(tmp_path / "with"), counts_in(tmp_path / "without")
    assert (with_[:2] == without[:2]).all()
    assert with_[2].sum() > 0 and without[2].sum() == 0


def test_missing_genotypes_can_be_refused(tmp_path: Path, cohort: Cohort) -> None:
    match = write_match(tmp_path / "match", cohort, [Entry(3, 0, 0, 1.0)], 1)
    n_missing = sum(
        oracle.called(int(cohort.genotypes[row, s]), region, SEXES[s]) is None
        for row, region in enumerate(cohort.regions)
        for s in range(len(SEXES))
        if oracle.copies_of(region, SEXES[s])
    )
    with pytest.raises(InputError, match=rf"no missing genotype.*found {n_missing} at \d+ of {len(cohort.regions)}"):
        score(cohort.root, str(tmp_path / "out"), ScoreParams("error"), LocalRuntime(2), match=str(match))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["match"]


def test_a_frequency_that_is_not_known_is_refused(tmp_path: Path, cohort: Cohort) -> None:
    match = write_match(tmp_path / "match", cohort, [Entry(3, 0, 0, 1.0)], 1)
    with pytest.raises(InputError, match=r"a frequency for each site.*found none for \d+ of \d+"):
        score(cohort.root, str(tmp_path / "out"), ScoreParams("reference-af"), LocalRuntime(2), match=str(match))
    with pytest.raises(InputError, match="table of groups"):
        score(cohort.root, str(tmp_path / "out"), ScoreParams("ancestry-af"), LocalRuntime(2), match=str(match))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["match"]


def test_another_callset_is_refused(tmp_path: Path, cohort: Cohort) -> None:
    match = write_match(tmp_path / "match", cohort, [Entry(3, 0, 0, 1.0)], 1)
    other = make(tmp_path, REGIONS, SEXES, seed=5)
    with pytest.raises(InputError, match="the callset that the scores were matched to"):
        score(other.root, str(tmp_path / "out"), ScoreParams(), LocalRuntime(2), match=str(match))


def test_no_score_that_passed(tmp_path: Path, cohort: Cohort) -> None:
    match = write_match(tmp_path / "match", cohort, [Entry(3, 0, 0, 1.0)], 1, not_passed=[0])
    with pytest.raises(InputError, match="none among 1"):
        score(cohort.root, str(tmp_path / "out"), ScoreParams(), LocalRuntime(2), match=str(match))


def test_sexes_may_be_told(tmp_path: Path, cohort: Cohort) -> None:
    """A table of sexes stands before the callset's."""
    match = write_match(tmp_path / "match", cohort, [Entry(row, 0, 0, 1.0) for row in range(40, 65)], 1)
    sexes = ["female" if sex == "male" else "male" for sex in SEXES]
    ids = cohort.opened.samples().column("sample_id").to_pylist()
    table = tmp_path / "sexes.tsv"
    table.write_text("sample_id\tsex\n" + "".join(f"{one}\t{sex}\n" for one, sex in zip(ids, sexes, strict=True)))
    score(cohort.root, str(tmp_path / "out"), ScoreParams(), LocalRuntime(1), match=str(match), sexes=str(table))
    found = [Entry(row, 0, 0, 1.0) for row in range(40, 65)]
    sums, counts = oracle.scores(cohort.genotypes, cohort.regions, sexes, found, 1, missing="cohort-af")
    np.testing.assert_allclose(read_scores(tmp_path / "out").sums, sums, rtol=1e-12)
    assert (counts_in(tmp_path / "out") == counts).all()
    assert json.loads((tmp_path / "out" / "prs.json").read_text())["n_sex_not_stated"] == 0


def test_a_match_that_was_changed_is_refused(tmp_path: Path, cohort: Cohort) -> None:
    """Cut, exchanged for a sound file of another match, taken away, or one more than there should be."""
    others = write_match(tmp_path / "others", cohort, [Entry(3, 0, 0, 2.0)], 1, n_files=1)
    names = ["scores.parquet", "sites.parquet", "special.json", "weights-00000.parquet"]
    for number, name in enumerate([*names, *names, "weights-00000.parquet", "weights-00001.parquet"]):
        match = write_match(
            tmp_path / f"match{number}", cohort, [Entry(3, 0, 0, 1.0), Entry(4, 0, 0, 1.0)], 1, n_files=1
        )
        content = (match / name).read_bytes() if (match / name).exists() else b""
        if number < 4:
            (match / name).write_bytes(content[:-9])
        elif number < 8:
            (match / name).unlink()
        else:
            (match / name).write_bytes((others / "weights-00000.parquet").read_bytes())
        with pytest.raises(InputError, match=f"{name}.*of the match"):
            score(cohort.root, str(tmp_path / "out"), ScoreParams(), LocalRuntime(1), match=str(match))
    assert not (tmp_path / "out").exists()


def test_haploid_calls_of_sites_without_a_weight_on_mt_make_no_man(tmp_path: Path) -> None:
    """Sex not stated: more haploid calls than the scores have sites on MT are no sign of a Y."""
    cohort = make(tmp_path, {"autosome": 4, "X": 6, "MT": 8}, ["unknown"] * 6)
    match = write_match(tmp_path / "match", cohort, [Entry(row, 0, 0, 1.0) for row in range(10)], 1)
    sites = pq.read_table(match / "sites.parquet").slice(0, 10)  # the scores have none of MT's
    pq.write_table(sites, match / "sites.parquet")
    summary = json.loads((match / "match.json").read_text())
    summary["files"]["sites.parquet"] = seal_of((match / "sites.parquet").read_bytes())
    (match / "match.json").write_text(json.dumps(summary))
    score(cohort.root, str(tmp_path / "out"), ScoreParams(), LocalRuntime(1), match=str(match))
    assert (counts_in(tmp_path / "out")[0] == 20).all()  # of 10 sites, two copies each
