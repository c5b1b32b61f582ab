"""Scores side by side with Hail, where a score is an expression over a MatrixTable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cohelix.jobs.scoring import Inputs, score
from cohelix.prs.schema import MatchParams, ScoreParams
from cohelix.prs.tables import read_scores
from cohelix.runtime.local import LocalRuntime

pytestmark = pytest.mark.jvm

PEOPLE, SITES = 37, 90
PAIRS = ("AC", "AG", "CT", "GT", "CA", "GA")  # REF and ALT
MODELS = ("additive", "dominant", "recessive")


@dataclass(frozen=True)
class Made:
    """weights float64 (models, sites), 0 where the model's score has not the site; refers bool (sites,): the effect
    allele is REF. table: Hail's, with these as fields of its rows."""

    vcf: Path
    files: list[str]
    table: Any


@pytest.fixture(scope="module")
def made(hail: Any, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder, rng = tmp_path_factory.mktemp("scores"), np.random.default_rng(5)
    copies = rng.binomial(2, rng.uniform(0.02, 0.98, (SITES, 1)), (SITES, PEOPLE))
    copies[rng.random(copies.shape) < 0.08] = 3
    copies[:, 0] = np.where(copies[:, 0] == 3, 1, copies[:, 0])  # somebody is called at every site
    weights = rng.normal(0, 1, (len(MODELS), SITES)) * (rng.random((len(MODELS), SITES)) < 0.8)
    refers = rng.random(SITES) < 0.5
    sites = [(1 + row // 45, 1000 + 100 * row, *PAIRS[row % len(PAIRS)]) for row in range(SITES)]
    vcf = _write_vcf(folder / "people.vcf", sites, copies)
    files = [str(_write_score(folder, model, sites, refers, weights[place])) for place, model in enumerate(MODELS)]
    matrix = hail.import_vcf(str(vcf), reference_genome="GRCh38", min_partitions=2)
    of_site = {
        f"chr{number}:{position}": {"weights": weights[:, row].tolist(), "refers": bool(refers[row])}
        for row, (number, position, *_) in enumerate(sites)
    }
    told = hail.literal(of_site)
    matrix = matrix.annotate_rows(told=told[hail.str(matrix.locus)], mean=hail.agg.mean(matrix.GT.n_alt_alleles()))
    return Made(vcf, files, matrix)


def _write_vcf(path: Path, sites: list[Any], copies: np.ndarray) -> Path:
    texts = np.array(["0/0", "0/1", "1/1", "./."])
    head = ["##fileformat=VCFv4.2", '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    head += [f"##contig=<ID=chr{number},length={length}>" for number, length in ((1, 248956422), (2, 242193529))]
    people = [f"p{place:03d}" for place in range(PEOPLE)]
    head += ["\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *people])]
    rows = [
        "\t".join([f"chr{number}", str(position), ".", ref, alt, ".", "PASS", ".", "GT", *texts[row].tolist()])
        for (number, position, ref, alt), row in zip(sites, copies, strict=True)
    ]
    path.write_text("\n".join([*head, *rows]) + "\n")
    return path


def _write_score(folder: Path, model: str, sites: list[Any], refers: np.ndarray, weights: np.ndarray) -> Path:
    lines = ["###PGS CATALOG SCORING FILE", "#format_version=2.0", f"#pgs_id={model}", "#trait_reported=made",
             "#genome_build=GRCh38"]  # fmt: skip
    columns = ["chr_name", "chr_position", "effect_allele", "other_allele", "effect_weight"]
    flag = [] if model == "additive" else [f"is_{model}"]
    lines.append("\t".join([*columns, *flag]))
    for (number, position, ref, alt), of_ref, weight in zip(sites, refers, weights.tolist(), strict=True):
        if weight:
            effect, other = (ref, alt) if of_ref else (alt, ref)
            lines.append("\t".join([str(number), str(position), effect, other, repr(weight), *(["True"] * len(flag))]))
    path = folder / f"{model}.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def ours(made: Made, out: Path, missing: str) -> dict[str, dict[str, float]]:
    """Sums by model and person."""
    score(
        str(made.vcf), str(out), Inputs(scores=tuple(made.files)), MatchParams(), ScoreParams(missing=missing),
        LocalRuntime(2),
    )  # fmt: skip
    found = read_scores(out)
    return {
        name: dict(zip(found.sample_ids, row.tolist(), strict=True))
        for name, row in zip(found.score_ids, found.sums, strict=True)
    }


def theirs(hail: Any, made: Made, filled: Any) -> dict[str, dict[str, float]]:
    """filled: copies of ALT where a genotype is missing, an expression that may itself be missing."""
    matrix = made.table
    alt = hail.or_else(hail.float64(matrix.GT.n_alt_alleles()), filled)
    effect = hail.if_else(matrix.told.refers, 2 - alt, alt)
    one, none = hail.if_else(effect > 1, 1.0, effect), hail.if_else(effect < 1, 0.0, effect - 1)  # min skips missing
    factors = {"additive": effect, "dominant": one, "recessive": none}
    sums = {name: hail.agg.sum(matrix.told.weights[place] * factors[name]) for place, name in enumerate(MODELS)}
    rows = matrix.annotate_cols(**sums).cols().collect()
    return {name: {row.s: row[name] for row in rows} for name in MODELS}


def test_missing_genotypes_count_as_nothing(hail: Any, made: Made, tmp_path: Path) -> None:
    found = ours(made, tmp_path / "drop", "drop")
    expected = theirs(hail, made, hail.missing(hail.tfloat64))
    assert set(found) == set(expected) == set(MODELS)
    for model in MODELS:
        assert len(found[model]) == PEOPLE and found[model] == pytest.approx(expected[model], abs=1e-12)
    assert len({round(value, 6) for value in found["recessive"].values()}) > PEOPLE // 2


def test_missing_genotypes_count_as_the_mean(hail: Any, made: Made, tmp_path: Path) -> None:
    found = ours(made, tmp_path / "mean", "cohort-af")["additive"]
    expected = theirs(hail, made, made.table.mean)["additive"]
    dropped = theirs(hail, made, hail.missing(hail.tfloat64))["additive"]
    assert found == pytest.approx(expected, abs=1e-12)
    assert any(abs(found[person] - dropped[person]) > 0.01 for person in found)
