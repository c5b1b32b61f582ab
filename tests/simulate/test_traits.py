"""Traits are what was asked for: heritability, effects, prevalence, twins; and no value depends on other people."""

from __future__ import annotations

import csv
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from cohelix.errors import ConfigError, ContractError
from cohelix.simulate.people.person import GROUPS, SOURCES
from cohelix.simulate.schema import DEFAULT_SHARES, TraitParams
from cohelix.simulate.traits.architecture import (
    Architecture,
    all_genetic_values,
    causal_dosages,
    draw_architecture,
    genetic_values,
)
from cohelix.simulate.traits.catalogue import traits
from cohelix.simulate.traits.phenotype import (
    PhenotypeFile,
    TraitTruth,
    expected_shares,
    phenotypes,
    write_effects,
)
from tests.simulate.traits_toy import Crowd, Toy, person, toy

SEED = 5
HEIGHT, DIABETES = "height", "type_2_diabetes"


@pytest.fixture(scope="module")
def made() -> Toy:
    return toy(16, 80)


@pytest.fixture(scope="module")
def drawn(made: Toy) -> Architecture:
    return draw_architecture(TraitParams(causal=120), SEED, made.panels, made.regions)


def liabilities(params: TraitParams, drawn: Architecture, made: Toy, group: str, n: int) -> np.ndarray:
    """(T, n) of people of one group with noise of their own."""
    crowd = Crowd(made, group, n)
    genetic = all_genetic_values(drawn, crowd.dosages, 0, n, crowd.shares)
    return phenotypes(params, drawn, SEED, [person(k, k, group) for k in range(n)], genetic).liability


def test_causal_variants_are_common_autosomal_and_biallelic(made: Toy, drawn: Architecture) -> None:
    assert drawn.site.shape == (4, 120)
    for row in range(4):
        keys = list(zip(drawn.region[row].tolist(), drawn.site[row].tolist(), strict=True))
        assert len(set(keys)) == 120 and keys == sorted(keys)
        for column, (region, site) in enumerate(keys):
            sites = made.panels[region].sites
            frequency = sites.frequency[site]
            assert made.regions[region].contig.name == drawn.contig[row, column] != "chrX"
            assert drawn.position[row, column] == made.regions[region].start + sites.offset[site] + 1
            assert sites.alts[site] == (drawn.alt[row, column],)
            assert np.any((frequency > 0.01) & (frequency < 0.99))


def test_heritability_is_that_of_the_mean_source(made: Toy) -> None:
    """Variance of values of people of one source each, over sources: within the error of a variance of n people."""
    params, n = TraitParams(causal=120, heritability=0.4), 3_000
    drawn = draw_architecture(params, SEED, made.panels, made.regions)
    rows = np.eye(len(SOURCES))
    found = np.zeros((4, len(SOURCES)))
    for place in range(len(SOURCES)):
        rng = np.random.default_rng(place)
        picked = [
            panel.alleles[place * panel.per_source + rng.integers(0, panel.per_source, (2, n))] for panel in made.panels
        ]
        shares = np.repeat(rows[[place]], n, axis=0)
        values = all_genetic_values(
            drawn, lambda r, a, b, p=picked: (p[r] == 1).sum(axis=0).astype(np.int8)[a:b], 0, n, shares
        )
        found[:, place] = [one.var() for one in values.values()]
    np.testing.assert_allclose(found.mean(axis=1), 0.4, atol=4 * 0.4 * np.sqrt(2 / n / len(SOURCES)))
    assert found.std(axis=1).min() > 0.01  # sources differ: one scale serves all


def test_environment_explains_the_share_that_was_asked_for(drawn: Architecture) -> None:
    weights = np.array([DEFAULT_SHARES[group] for group in GROUPS])
    np.testing.assert_allclose(drawn.shift @ weights, 0, atol=1e-12)
    np.testing.assert_allclose(drawn.shift**2 @ weights, 0.05, rtol=1e-9)
    np.testing.assert_allclose(drawn.noise**2, 1 - 0.5 - 0.05, rtol=1e-9)


@pytest.mark.parametrize("asked", [0.0, 0.6, 1.0])
def test_effects_correlate_between_sources_as_asked(made: Toy, asked: float) -> None:
    params = TraitParams(causal=600, effect_correlation=asked, effect_size_exponent=0.0)
    effects = draw_architecture(params, SEED, made.panels, made.regions).effects
    for row in range(4):
        found = np.corrcoef(effects[row].T)[np.triu_indices(len(SOURCES), 1)]
        np.testing.assert_allclose(found.mean(), asked, atol=4 * (1 - asked**2 + 1e-9) / np.sqrt(600))


def test_rare_variants_have_larger_effects(made: Toy) -> None:
    params = TraitParams(causal=600, effect_size_exponent=-0.38)
    drawn = draw_architecture(params, SEED, made.panels, made.regions)
    p = drawn.frequency.mean(axis=2).ravel()
    slope = np.polyfit(np.log(2 * p * (1 - p)), np.log((drawn.effects**2).mean(axis=2)).ravel(), 1)[0]
    assert abs(slope + 0.38) < 0.12  # 2,400 effects, each with a log that spreads by about 1.5


def test_prevalence_is_that_of_all_people(made: Toy) -> None:
    """Groups in their shares: the threshold comes from the panel, the people from it too, but never from each other."""
    params = TraitParams(causal=120, prevalence=0.2)
    drawn = draw_architecture(params, SEED, made.panels, made.regions)
    rates, n = np.zeros(2), 1_000
    for group in GROUPS[:-1]:
        value = liabilities(params, drawn, made, group, n)[2:] > drawn.threshold[2:, None]
        rates += DEFAULT_SHARES[group] / (1 - DEFAULT_SHARES["oth"]) * value.mean(axis=1)
    assert np.all(np.abs(rates - 0.2) < 0.03)


def test_twins_share_genes_and_duplicates_share_noise_too(made: Toy, drawn: Architecture) -> None:
    people = [person(0, 7), person(1, 7, role="duplicate"), person(2, 9, role="twin"), person(3, 9, role="twin")]
    genetic = {trait: np.array([1.0, 1.0, 2.0, 2.0]) for trait in drawn.traits.tolist()}
    health = phenotypes(TraitParams(), drawn, SEED, people, genetic)
    assert np.array_equal(health.liability[:, 0], health.liability[:, 1])
    assert np.array_equal(health.genetic[:, 2], health.genetic[:, 3])
    assert np.all(health.noise[:, 2] != health.noise[:, 3])


def test_nobody_depends_on_the_others(made: Toy, drawn: Architecture) -> None:
    crowd, n = Crowd(made, "amr", 50), 50
    people = [person(k, k, "amr") for k in range(n)]
    whole = all_genetic_values(drawn, crowd.dosages, 0, n, crowd.shares)
    for trait, values in whole.items():
        for first, last in ((0, 1), (1, 8), (8, 50)):
            shares = crowd.shares[first:last]
            alone = genetic_values(drawn, trait, causal_dosages(drawn, trait, crowd.dosages, first, last), shares)
            assert np.array_equal(alone, values[first:last])
    everybody = phenotypes(TraitParams(), drawn, SEED, people, whole)
    one = phenotypes(TraitParams(), drawn, SEED, people[7:8], {trait: value[7:8] for trait, value in whole.items()})
    assert np.array_equal(one.liability[:, 0], everybody.liability[:, 7])
    assert np.array_equal(one.measured[:, 0], everybody.measured[:, 7])


def test_genetic_values_are_sums_of_effects(made: Toy, drawn: Architecture) -> None:
    crowd = Crowd(made, "afr", 5)
    row = drawn.row(HEIGHT)
    copies = causal_dosages(drawn, HEIGHT, crowd.dosages, 0, 5)
    for k in range(5):
        expected = sum(
            float(crowd.shares[k, s] * (copies[k] @ drawn.effects[row, :, s] - drawn.centre[row, s])) for s in range(6)
        )
        assert abs(genetic_values(drawn, HEIGHT, copies, crowd.shares)[k] - expected) < 1e-9


def test_a_traits_draws_do_not_depend_on_the_other_traits(made: Toy, drawn: Architecture) -> None:
    alone = draw_architecture(
        TraitParams(quantitative=[], binary=[DIABETES], causal=120), SEED, made.panels, made.regions
    )
    assert np.array_equal(alone.effects[0], drawn.effects[drawn.row(DIABETES)])
    assert alone.threshold[0] == drawn.threshold[drawn.row(DIABETES)]


def test_an_architecture_is_saved_and_loaded(drawn: Architecture, tmp_path: Path) -> None:
    drawn.save(tmp_path / "traits.npz")
    again = Architecture.load(tmp_path / "traits.npz")
    for name, value in vars(drawn).items():
        np.testing.assert_array_equal(getattr(again, name), value)
    with pytest.raises(ContractError):
        again.row("weight")


def test_files_of_phenotypes_and_truth(made: Toy, drawn: Architecture, tmp_path: Path) -> None:
    params = TraitParams(causal=120, missing=0.3)
    people = [person(0, 0, wgs=("S1",)), person(1, 1), person(2, 2, wgs=("S2", "S3"))]
    crowd = Crowd(made, "eur", 3)
    health = phenotypes(params, drawn, SEED, people, all_genetic_values(drawn, crowd.dosages, 0, 3, crowd.shares))
    table, truth = PhenotypeFile(tmp_path / "phenotypes.tsv", health.traits), TraitTruth(tmp_path / "traits.parquet")
    for block in (slice(0, 1), slice(1, 3)):
        genetic = all_genetic_values(drawn, crowd.dosages, block.start, block.stop, crowd.shares[block])
        part = phenotypes(params, drawn, SEED, people[block], genetic)
        table.append(people[block], part)
        truth.append(people[block], part)
    table.close()
    truth.close()
    with (tmp_path / "phenotypes.tsv").open() as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    assert [(row["#FID"], row["IID"]) for row in rows] == [("0", "S1"), ("0", "S2"), ("0", "S3")]
    stored = pq.read_table(tmp_path / "traits.parquet").to_pylist()
    assert len(stored) == 12
    for line in stored:
        assert line["liability"] == pytest.approx(line["genetic"] + line["environment"] + line["noise"])
        for row in rows if line["person"] == 2 else []:
            text = row[line["trait"]]
            if row["IID"] == "S1":
                continue
            if not line["measured"]:
                assert text == "NA"
            elif traits()[line["trait"]].kind == "binary":
                assert text == ("2" if line["value"] else "1")
            else:
                assert float(text) == pytest.approx(line["value"], abs=1e-6)


@pytest.mark.external
def test_plink2_reads_the_phenotypes(drawn: Architecture, made: Toy, tmp_path: Path) -> None:
    """Three of plink2's dummy people: what it has taken in is what was written, with NA and 1/2 understood."""
    people = [person(k, k, wgs=(f"per{k}",)) for k in range(3)]
    crowd = Crowd(made, "eur", 3)
    genetic = all_genetic_values(drawn, crowd.dosages, 0, 3, crowd.shares)
    health = phenotypes(TraitParams(missing=0.3), drawn, SEED, people, genetic)
    assert not health.measured.all()
    table = PhenotypeFile(tmp_path / "phenotypes.tsv", health.traits)
    table.append(people, health)
    table.close()
    command = ["plink2", "--dummy", "3", "5", "--pheno", "phenotypes.tsv", "--make-just-psam", "--out", "out"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    with (tmp_path / "phenotypes.tsv").open() as ours, (tmp_path / "out.psam").open() as theirs:
        for mine, read in zip(*(csv.DictReader(lines, delimiter="\t") for lines in (ours, theirs)), strict=True):
            for trait in health.traits:
                empty = {"NA", "NONE"} if traits()[trait].kind == "binary" else {"NA"}
                assert (read[trait] in empty) == (mine[trait] == "NA")
                if mine[trait] != "NA":
                    assert float(read[trait]) == pytest.approx(float(mine[trait]), rel=1e-4)


def test_true_effects_are_written(drawn: Architecture, tmp_path: Path) -> None:
    write_effects(tmp_path / "effects.parquet", drawn)
    rows = pq.read_table(tmp_path / "effects.parquet").to_pylist()
    assert len(rows) == 480
    assert rows[0]["trait"] == HEIGHT and rows[0]["effect_eur"] == drawn.effects[0, 0, SOURCES.index("eur")]


def test_shares_of_persons_are_those_expected() -> None:
    assert expected_shares([person(0, 0, "eas")]).tolist() == [[0, 0, 1, 0, 0, 0]]


def test_one_group_has_no_confounding(made: Toy) -> None:
    drawn = draw_architecture(TraitParams(causal=20), SEED, made.panels, made.regions, {"eur": 1.0})
    assert not drawn.shift.any()
    np.testing.assert_allclose(drawn.noise**2, 0.5)


def test_no_heritability_and_no_traits(made: Toy) -> None:
    flat = draw_architecture(TraitParams(heritability=0.0, causal=20), SEED, made.panels, made.regions)
    assert not flat.effects.any()
    none = draw_architecture(TraitParams(quantitative=[], binary=[]), SEED, made.panels, made.regions)
    health = phenotypes(TraitParams(quantitative=[], binary=[]), none, SEED, [person(0, 0)], {})
    assert health.traits == () and health.liability.shape == (0, 1)


def test_sites_without_haplotypes_have_moments_too(made: Toy) -> None:
    """Where sites are independent, heritability is the sum of 2pq x effect squared."""
    bare = [replace(panel, alleles=np.zeros((0, len(panel.sites.alts)), np.int8)) for panel in made.panels]
    drawn = draw_architecture(TraitParams(causal=100), SEED, bare, made.regions)
    p = drawn.frequency
    np.testing.assert_allclose((2 * p * (1 - p) * drawn.effects**2).sum(axis=1).mean(axis=1), 0.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"quantitative": ["heigth"]}, "Choose height"),
        ({"binary": ["height"]}, "quantitative"),
        ({"quantitative": ["height", "height"]}, "twice"),
        ({"heritability": 1.2}, "heritability"),
        ({"heritability": 0.8, "confounding": 0.3}, "more than 1"),
        ({"training_groups": ["oth"]}, "training_groups"),
        ({"training_groups": ["eur", "eur"]}, "twice"),
        ({"clump_r2": -0.1}, "clump_r2"),
        ({"missing": 2.0}, "missing"),
    ],
)
def test_wrong_choices_are_refused(wrong: dict[str, object], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        TraitParams(**wrong)  # type: ignore[arg-type]


def test_more_causal_variants_than_sites_are_refused(made: Toy) -> None:
    with pytest.raises(ConfigError, match="Lower causal"):
        draw_architecture(TraitParams(causal=5_000), SEED, made.panels, made.regions)
