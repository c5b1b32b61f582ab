"""Association studies, clumps and scoring files against plain definitions, real files, and plink2."""

from __future__ import annotations

import csv
import gzip
import hashlib
import math
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from cohelix.errors import ConfigError
from cohelix.simulate.people.person import SOURCES
from cohelix.simulate.schema import TraitParams
from cohelix.simulate.traits import association
from cohelix.simulate.traits.architecture import Architecture, draw_architecture, genetic_values
from cohelix.simulate.traits.architecture import causal_dosages as causal
from cohelix.simulate.traits.association import Found, Training, independent_columns, null_model, run_gwas, train
from cohelix.simulate.traits.clumping import clump, squared_correlation
from cohelix.simulate.traits.scores import Score, estimated_scores, true_scores, write_scores
from cohelix.simulate.traits.summary_statistics import COLUMNS, write_gwas
from tests.oracles import traits as plain
from tests.simulate.traits_toy import Crowd, Toy, toy

SEED, N = 3, 900
PARAMS = TraitParams(causal=40, heritability=0.6, prevalence=0.3, training=N, clump_p=1e-3)
Made = tuple[Toy, Architecture, Crowd]


@pytest.fixture(scope="module")
def made() -> Made:
    cohort = toy(6, 60)
    return cohort, draw_architecture(PARAMS, SEED, cohort.panels, cohort.regions), Crowd(cohort, "afr", N)


@pytest.fixture(scope="module")
def trained(made: Made) -> Training:
    _, drawn, crowd = made
    return train(drawn, SEED, "afr", crowd.dosages, N, crowd.shares)


def study(made: Made) -> Iterator[Found]:
    cohort, drawn, crowd = made
    return run_gwas(PARAMS, drawn, SEED, "afr", crowd.dosages, N, crowd.shares, cohort.panels, cohort.regions)


@pytest.fixture(scope="module")
def found(made: Made) -> list[Found]:
    return list(study(made))


def table(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt") as handle:
        return list(csv.DictReader((line for line in handle if not line.startswith("#")), delimiter="\t"))


def header(path: Path) -> dict[str, str]:
    with gzip.open(path, "rt") as handle:
        lines = [line.strip("#\n\t") for line in handle if line.startswith("#") and "=" in line]
    return dict(line.split("=", 1) for line in lines)


def affected(trained: Training, place: int) -> np.ndarray:
    """Who is: residuals of the affected are above 0."""
    return (trained.binary[:, place] > 0).astype(float)


def test_which_variants_are_tested(made: Made, found: list[Found]) -> None:
    cohort, _, crowd = made
    assert [one.region for one in found] == list(range(6))  # none on X
    for one in found:
        alts, copies = cohort.panels[one.region].sites.alts, crowd.dosage[one.region].sum(axis=0, dtype=int)
        expected = [k for k in range(60) if len(alts[k]) == 1 and min(copies[k], 2 * N - copies[k]) >= 20]
        assert one.site.tolist() == expected
        np.testing.assert_array_equal(one.frequency, copies[expected] / (2 * N))


def test_quantitative_traits_are_least_squares(made: Made, trained: Training, found: list[Found]) -> None:
    _, _, crowd = made
    assert trained.covariates.shape[1] == 3  # ones, and two of the three shares that vary
    for one in found[:3]:
        for place, site in enumerate(one.site.tolist()):
            for row in (0, 1):
                dosage = crowd.dosage[one.region][:, site]
                beta, error = plain.least_squares(trained.quantitative[:, row], dosage, trained.covariates)
                np.testing.assert_allclose((one.beta[row, place], one.error[row, place]), (beta, error), rtol=1e-9)


def test_binary_traits_are_the_score_test(made: Made, trained: Training, found: list[Found]) -> None:
    _, _, crowd = made
    for row in (2, 3):
        y = affected(trained, row - 2)
        assert y.sum() == trained.cases[row] > 100
        for place, site in enumerate(found[0].site.tolist()[:12]):
            beta, error = plain.score_test(y, crowd.dosage[0][:, site], trained.covariates)
            got = found[0].beta[row, place], found[0].error[row, place]
            np.testing.assert_allclose(got, (beta, error), rtol=1e-5, atol=1e-7)
            assert found[0].p[row, place] == pytest.approx(math.erfc(abs(beta / error) / math.sqrt(2)), rel=1e-4)


def test_everybody_affected_is_no_test(made: Made) -> None:
    _, drawn, crowd = made
    low = replace(drawn, threshold=np.where(drawn.binary, -99.0, np.nan))
    cohort = made[0]
    one = next(run_gwas(PARAMS, low, SEED, "afr", crowd.dosages, N, crowd.shares, cohort.panels, cohort.regions))
    assert np.isnan(one.p[2:]).all() and np.isfinite(one.p[:2]).all()
    residual, weight = null_model(np.ones((5, 1)), np.ones(5, bool))
    assert not residual.any() and not weight.any()


def test_covariates_are_independent() -> None:
    shares = np.random.default_rng(1).dirichlet([5, 1, 3], 100)
    wide = np.zeros((100, 6))
    wide[:, [0, 1, 3]] = shares
    assert independent_columns(wide).shape == (100, 3)
    assert independent_columns(np.eye(6)[[3] * 10]).shape == (10, 1)


def test_too_few_people_are_refused(made: Made) -> None:
    _, drawn, crowd = made
    with pytest.raises(ConfigError, match="training = 4"):
        train(drawn, SEED, "afr", crowd.dosages, 4, crowd.shares[:4])


@pytest.mark.parametrize("kept", [0, 10**9])
def test_blocks_change_nothing(made: Made, found: list[Found], monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    """Another size of block of dosages gives the same bits, whether or not they are kept."""
    real = association.RegionBlocks.__init__

    def smaller(self: association.RegionBlocks, *arguments: object) -> None:
        real(self, *arguments)  # type: ignore[arg-type]
        self._block = 37

    monkeypatch.setattr(association.RegionBlocks, "__init__", smaller)
    monkeypatch.setattr(association, "KEPT_BYTES", kept)
    for one, again in zip(found, study(made), strict=True):
        for name in ("beta", "error", "p", "frequency"):
            np.testing.assert_array_equal(getattr(one, name), getattr(again, name))


def test_clumps_are_those_of_the_definition(made: Made, found: list[Found]) -> None:
    cohort, _, crowd = made
    sizes = []
    for reach in (250_000, 3_000):
        for one in found:
            dosages = crowd.dosage[one.region]
            position = cohort.panels[one.region].sites.offset[one.site]
            params = replace(PARAMS, clump_p=0.2, clump_bases=reach)
            for row in range(4):
                got = clump(params, one.p[row], position, one.site, [(0, dosages[:500]), (500, dosages[500:])])
                mine = plain.clumps(one.p[row].tolist(), position.tolist(), dosages[:, one.site], 0.2, 0.1, reach)
                assert got.tolist() == mine
                sizes.append((len(mine), int((one.p[row] <= 0.2).sum())))
    assert any(1 < kept < tested for kept, tested in sizes)


def test_linkage_is_the_squared_correlation() -> None:
    dosages = np.random.default_rng(2).integers(0, 3, (50, 4)).astype(np.int8)
    dosages[:, 2] = 1
    got = squared_correlation(np.arange(4), [(0, dosages)])
    for i in range(4):
        for j in range(4):
            assert got[i, j] == pytest.approx(plain.correlation_squared(dosages[:, i], dosages[:, j]), abs=1e-12)


@pytest.fixture(scope="module")
def written(made: Made, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Score]]:
    cohort, drawn, _ = made
    folder = tmp_path_factory.mktemp("prs")
    passing = write_gwas(folder, drawn, "afr", study(made), cohort.panels, cohort.regions, "2024-12-31")
    return folder, estimated_scores(PARAMS, drawn, "afr", passing, cohort.panels, cohort.regions)


def test_summary_statistics_are_in_the_standard_format(
    made: Made, found: list[Found], written: tuple[Path, list[Score]]
) -> None:
    folder, _ = written
    rows = table(folder / "height-afr.tsv.gz")
    assert list(rows[0]) == list(COLUMNS)
    assert list(rows[0])[:8] == [  # the eight that GWAS-SSF 1.0 wants first, in this order
        "chromosome", "base_pair_location", "effect_allele", "other_allele", "beta", "standard_error",
        "effect_allele_frequency", "p_value",
    ]  # fmt: skip
    assert len(rows) == sum(one.site.size for one in found)
    places = [(int(row["chromosome"]), int(row["base_pair_location"])) for row in rows]
    assert places == sorted(places)
    first = rows[0]
    assert first["variant_id"] == "_".join(
        (first["chromosome"], first["base_pair_location"], first["other_allele"], first["effect_allele"])
    )
    np.testing.assert_allclose([float(row["beta"]) for row in rows[:9]], found[0].beta[0, :9], rtol=1e-7)
    meta = yaml.safe_load((folder / "type_2_diabetes-afr.tsv.gz-meta.yaml").read_text())
    data = (folder / "type_2_diabetes-afr.tsv.gz").read_bytes()
    assert meta["data_file_md5sum"] == hashlib.md5(data, usedforsecurity=False).hexdigest()
    assert meta["samples"][0]["case_count"] + meta["samples"][0]["control_count"] == N
    assert meta["genome_assembly"] == "GRCh38" and meta["file_type"] == "GWAS-SSF v1.0" and meta["is_sorted"] is True


def test_the_study_finds_causal_variants(made: Made, found: list[Found]) -> None:
    """Estimates at causal variants go with the true effects; the largest are found."""
    _, drawn, _ = made
    row, truth, estimate = drawn.row("height"), [], []
    for one in found:
        for place, site in enumerate(one.site.tolist()):
            hit = np.flatnonzero((drawn.region[row] == one.region) & (drawn.site[row] == site))
            if hit.size:
                truth.append(float(drawn.effects[row, hit[0], 0]))
                estimate.append(float(one.beta[row, place]))
    assert np.corrcoef(truth, estimate)[0, 1] > 0.5
    assert min(float(np.nanmin(one.p[row])) for one in found) < 1e-6


def test_the_same_bytes_again(made: Made, written: tuple[Path, list[Score]], tmp_path: Path) -> None:
    cohort, drawn, _ = made
    passing = write_gwas(tmp_path, drawn, "afr", study(made), cohort.panels, cohort.regions, "2024-12-31")
    scores = estimated_scores(PARAMS, drawn, "afr", passing, cohort.panels, cohort.regions)
    assert scores == written[1]
    for path in written[0].iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def weights_of(path: Path, cohort: Toy) -> list[tuple[int, int, float, float]]:
    """(region, site, weight of a copy of alt, constant) of each row: by position, whichever allele has the effect."""
    out = []
    for row in table(path):
        for region, panel in zip(cohort.regions, cohort.panels, strict=True):
            at = np.flatnonzero(panel.sites.offset + region.start + 1 == int(row["chr_position"]))
            if region.chromosome == row["chr_name"] and at.size:
                ref, alt = panel.sites.ref[at[0]], panel.sites.alts[at[0]][0]
                assert {row["effect_allele"], row["other_allele"]} == {ref, alt}
                weight = float(row["effect_weight"])
                turned = row["effect_allele"] == ref
                out.append((region.index, int(at[0]), -weight if turned else weight, 2 * weight if turned else 0.0))
    return out


def test_true_scores_are_genetic_values(made: Made, tmp_path: Path) -> None:
    cohort, drawn, _ = made
    files = write_scores(tmp_path, PARAMS, true_scores(drawn))
    assert [one.id for one in files] == [f"MADE{k:06d}" for k in range(1, 29)]
    assert [one.name for one in files if one.trait == "height"] == [f"height_true_{one}" for one in ("mean", *SOURCES)]
    eur = Crowd(cohort, "eur", 200)
    for one in files:
        if one.name.endswith("_eur"):
            rows = weights_of(one.path, cohort)
            assert len(rows) == 40 == one.variants
            score = sum(weight * eur.dosage[region][:, site] for region, site, weight, _ in rows)
            value = genetic_values(drawn, one.trait, causal(drawn, one.trait, eur.dosages, 0, 200), eur.shares)
            assert np.corrcoef(score, value)[0, 1] > 0.999999
            np.testing.assert_allclose(np.ptp(score - value), 0, atol=1e-9)


def test_estimated_scores_predict_and_hold_the_studys_estimates(
    made: Made, written: tuple[Path, list[Score]], tmp_path: Path
) -> None:
    cohort, drawn, _ = made
    files = write_scores(tmp_path, PARAMS, written[1])
    assert [one.name for one in files][:2] == ["height_estimated_afr", "ldl_cholesterol_estimated_afr"]
    others = Crowd(cohort, "afr", 600, seed=9)
    rows = weights_of(files[0].path, cohort)
    assert len(rows) > 3
    score = sum(weight * others.dosage[region][:, site] + constant for region, site, weight, constant in rows)
    value = genetic_values(drawn, "height", causal(drawn, "height", others.dosages, 0, 600), others.shares)
    assert np.corrcoef(score, value)[0, 1] > 0.5
    texts = {row["base_pair_location"]: row for row in table(written[0] / "height-afr.tsv.gz")}
    for row in table(files[0].path):
        study_row = texts[row["chr_position"]]
        assert row["effect_weight"] == study_row["beta"].removeprefix("-")
        assert (row["effect_allele"] == study_row["effect_allele"]) == (not study_row["beta"].startswith("-"))
    assert {row["effect_allele"] == "A" for row in table(files[0].path)} == {True, False}


def test_a_trait_without_a_hit_gets_its_best_variant(made: Made, found: list[Found]) -> None:
    cohort, drawn, _ = made
    nothing = [replace(one, chosen=[np.zeros(0, np.int64)] * 4) for one in found]
    scores = estimated_scores(PARAMS, drawn, "afr", nothing, cohort.panels, cohort.regions)
    assert [len(score.rows) for score in scores] == [1, 1, 1, 1]


@pytest.mark.real
def test_scoring_files_look_like_those_of_the_catalogue(made: Made, data: Path, tmp_path: Path) -> None:
    """Every heading and column of ours is one of real files, in their order; and the parts that they all have are
    there."""
    real = data / "prs_formats" / "pygscatalog" / "core" / "data"
    ours = write_scores(tmp_path, PARAMS, true_scores(made[1]))[0].path
    examples = [real / "PGS000002.txt.gz", *real.glob("PGS*_hmPOS_GRCh38.txt.gz")]
    texts = [gzip.decompress(path.read_bytes()).decode() for path in examples if path.stat().st_size and _is_gzip(path)]
    mine = gzip.decompress(ours.read_bytes()).decode().splitlines()
    columns: set[str] = set()
    for text in texts:
        lines = [line.strip() for line in text.splitlines()]
        assert mine[:3] == [lines[0].strip(), *lines[1:3]]
        theirs = [line.split("=")[0] for line in lines if line.startswith("#") and "=" in line]
        missing = set(theirs) - {line.split("=")[0] for line in mine} - {"#pgp_id"}
        assert {name for name in missing if not name.startswith("#HmPOS")} == set()
        columns |= set(next(line for line in lines if not line.startswith("#")).split("\t"))
    columns.add("allelefrequency_effect")  # of PGS000802, which is not compressed
    names = next(line for line in mine if not line.startswith("#")).split("\t")
    assert set(names) <= columns
    assert header(ours)["variants_number"] == "40" and header(ours)["trait_efo"] == "EFO_0004339"


def _is_gzip(path: Path) -> bool:
    return path.read_bytes()[:2] == b"\x1f\x8b"


@pytest.mark.external
def test_plink2_finds_the_same(made: Made, trained: Training, found: list[Found], tmp_path: Path) -> None:
    """plink2 --glm on the same people: betas and errors of quantitative traits to its six digits; logistic ones
    near."""
    cohort, _, crowd = made
    vcf = ['##fileformat=VCFv4.2\n##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n']
    names = [f"s{k}" for k in range(N)]
    vcf.append("\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *names]) + "\n")
    texts = np.array(["0/0", "0/1", "1/1"])
    for one in found:
        region, sites = cohort.regions[one.region], cohort.panels[one.region].sites
        for site in one.site.tolist():
            fields = [region.chromosome, region.start + int(sites.offset[site]) + 1, f"{one.region}:{site}"]
            fields += [sites.ref[site], sites.alts[site][0], ".", ".", ".", "GT"]
            vcf.append("\t".join(map(str, fields + texts[crowd.dosage[one.region][:, site]].tolist())) + "\n")
    (tmp_path / "in.vcf").write_text("".join(vcf))
    values = [trained.quantitative[:, 0], trained.quantitative[:, 1], affected(trained, 0) + 1]
    phenotype, covariates = np.stack(values, axis=1), trained.covariates[:, 1:]
    for name, labels, numbers in (("pheno.tsv", "Q0\tQ1\tB0", phenotype), ("covar.tsv", "C1\tC2", covariates)):
        with (tmp_path / name).open("w") as handle:
            handle.write(f"#IID\t{labels}\n")
            for sample, row in zip(names, numbers.tolist(), strict=True):
                handle.write("\t".join([sample, *map(repr, row)]) + "\n")
    arguments = ["plink2", "--vcf", "in.vcf", "--pheno", "pheno.tsv", "--covar", "covar.tsv", "--glm", "hide-covar",
                 "no-firth", "omit-ref", "cols=+beta", "--threads", "1", "--out", "out"]  # fmt: skip
    subprocess.run(arguments, cwd=tmp_path, check=True, capture_output=True)
    for row, file in ((0, "Q0.glm.linear"), (1, "Q1.glm.linear"), (2, "B0.glm.logistic")):
        with (tmp_path / f"out.{file}").open() as handle:
            lines = list(csv.DictReader(handle, delimiter="\t"))
        theirs = np.array([[float(line["BETA"]), float(line["SE"]), float(line["P"])] for line in lines])
        mine = np.concatenate([np.stack([one.beta[row], one.error[row], one.p[row]], axis=1) for one in found])
        if row < 2:
            np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=1e-7)
        else:
            assert np.corrcoef(mine[:, 0] / mine[:, 1], theirs[:, 0] / theirs[:, 1])[0, 1] > 0.999
            small = np.abs(theirs[:, 0]) < 0.3  # where one step is near the estimate
            assert small.sum() > 100
            np.testing.assert_allclose(mine[small, 0], theirs[small, 0], rtol=0.02, atol=0.002)
