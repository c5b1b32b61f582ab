"""The people and scores that benchmarks of polygenic scoring are made of: files that hold what was drawn, and sums that
are those of the genotypes."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pgenlib
import pytest

from benchmarks import score_sets
from benchmarks.jobs_prs import CLOSE, ENGINES, ONE, Work, probed
from benchmarks.score_sets import Scores, constants, dense_scores, draw_people, draw_scores, sites, sizes, true_sums

PEOPLE, SITES = 60, 220


@pytest.fixture
def scores() -> Scores:
    return draw_scores(sizes(12, 500, SITES), SITES)


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two blocks of sites and a part of one: the people of the second and third are turned."""
    monkeypatch.setattr(score_sets, "DRAWN_SITES", 100)
    monkeypatch.setattr(score_sets, "TURN", 3)
    draw_people(tmp_path / "people", PEOPLE, SITES)
    return tmp_path / "people"


def genotypes(prefix: Path, people: int = PEOPLE) -> np.ndarray:
    """int8 (sites, people) of the BED, by pgenlib; -9 missing."""
    out = np.empty((SITES, people), np.int8)
    with pgenlib.PgenReader(bytes(prefix.with_suffix(".bed")), raw_sample_ct=people) as reader:
        reader.read_range(0, SITES, out)
    return out


def entries(scores: Scores) -> dict[tuple[int, int], tuple[bool, float]]:
    """Whether the effect allele is REF, and the weight, by score and site."""
    return {
        (score, int(scores.site[at])): (bool(scores.refers[at]), float(scores.pool[scores.weight[at]]))
        for score in range(len(scores))
        for at in range(scores.first[score], scores.first[score + 1])
    }


def test_people(prefix: Path) -> None:
    values = genotypes(prefix)
    assert set(np.unique(values)) == {-9, 0, 1, 2}
    assert 0.003 < (values == -9).mean() < 0.02
    assert (np.sort(values[:100], axis=1) == np.sort(values[100:200], axis=1)).all()
    assert (values[:100] != values[100:200]).any()
    lines = [line.split("\t") for line in prefix.with_suffix(".bim").read_text().splitlines()]
    assert [line[1] for line in lines] == [name for name, *_ in sites(SITES)]
    assert {"".join(sorted(line[4:])) for line in lines} == {"AC", "AG", "CT", "GT"}  # none is its own complement
    assert len({(line[0], line[3]) for line in lines}) == SITES


def test_sizes_are_few_large_and_many_small() -> None:
    drawn = sizes(3_000, 3_000_000, 100_000)
    assert abs(drawn.sum() / 3_000_000 - 1) < 1e-3
    assert (drawn[0], drawn[-1]) == (drawn.min(), 100_000) and drawn[0] >= 1
    assert 100 < np.median(drawn) < 0.25 * drawn.mean()


def test_every_score_has_different_sites(scores: Scores) -> None:
    drawn = np.diff(scores.first)
    assert sorted(drawn.tolist()) == sizes(12, 500, SITES).tolist()
    for score in range(len(scores)):
        site = scores.site[scores.first[score] : scores.first[score + 1]]
        assert (np.diff(site) > 0).all() and 0 <= site[0] and site[-1] < SITES
    assert 0.3 < scores.refers.mean() < 0.7
    assert scores.weight.min() >= 1 and len(set(scores.pool)) > 0.95 * len(scores.pool)


def test_files_hold_the_weights(scores: Scores, tmp_path: Path) -> None:
    expected = entries(scores)
    names = {f"{number}:{at}": (place, ref, alt) for place, (_, number, at, ref, alt) in enumerate(sites(SITES))}
    score_sets.write_catalogue(tmp_path / "catalogue", scores, SITES)
    score_sets.write_native(tmp_path / "native", scores, SITES)
    found: dict[str, dict[tuple[int, int], tuple[bool, float]]] = {"catalogue": {}, "native": {}}
    for score in range(len(scores)):
        name = scores.name(score)
        with gzip.open(tmp_path / "catalogue" / f"{name}_hmPOS_GRCh38.txt.gz", "rt") as lines:
            text = lines.read().splitlines()
        assert f"#pgs_id={name}" in text
        body = [line for line in text if not line.startswith("#")]
        native = (tmp_path / "native" / f"{name}.tsv").read_text().splitlines()
        listed = (
            ("catalogue", body, lambda row: f"{row['hm_chr']}:{row['hm_pos']}", "effect_weight"),
            ("native", native, lambda row: row["variant_id"], name),
        )
        for kind, lines_of, place_of, column in listed:
            for row in csv.DictReader(lines_of, delimiter="\t"):
                place, ref, alt = names[place_of(row)]
                assert {row["effect_allele"], row["other_allele"]} == {ref, alt}
                found[kind][score, place] = (row["effect_allele"] == ref, float(row[column]))
    assert found["catalogue"] == found["native"] == expected


def test_the_wide_table_turns_weights_of_ref_round(scores: Scores, tmp_path: Path) -> None:
    score_sets.write_wide(tmp_path / "wide.tsv", scores, SITES)
    with (tmp_path / "wide.tsv").open() as lines:
        head, *rows = csv.reader(lines, delimiter="\t")
    assert head == ["ID", "effect_allele", *(scores.name(score) for score in range(len(scores)))]
    assert [row[:2] for row in rows] == [[name, alt] for name, _, _, _, alt in sites(SITES)]
    table = np.array([[float(value) for value in row[2:]] for row in rows])
    expected = np.zeros(table.shape)
    for (score, site), (refers, weight) in entries(scores).items():
        expected[site, score] = -weight if refers else weight
    np.testing.assert_array_equal(table, expected)


@pytest.mark.parametrize("n_people", [PEOPLE, PEOPLE + 1])
def test_true_sums_are_those_of_the_genotypes(
    scores: Scores, prefix: Path, monkeypatch: pytest.MonkeyPatch, n_people: int
) -> None:
    """Of one person more, a byte of each row is not full, and nothing is turned."""
    if n_people > PEOPLE:
        with pytest.raises(ValueError, match="in fours"):
            draw_people(prefix, n_people, SITES)
        monkeypatch.setattr(score_sets, "DRAWN_SITES", SITES)
        draw_people(prefix, n_people, SITES)
    values, of, people = genotypes(prefix, n_people).astype(float), [0, 5, 11], [0, 3, 17, n_people - 1]
    values[values == -9] = np.nan
    mean = np.nanmean(values, axis=1)
    filled = np.where(np.isnan(values), mean[:, None], values)
    found = true_sums(prefix, n_people, scores, people, of)
    listed = entries(scores)
    for row, score in enumerate(of):
        mine = [(site, refers, weight) for (one, site), (refers, weight) in listed.items() if one == score]
        for column, person in enumerate(people):
            total = sum(weight * abs(2 * refers - filled[site, person]) for site, refers, weight in mine)
            called = [one for one in mine if not np.isnan(values[one[0], person])]
            dropped = sum(weight * abs(2 * refers - values[site, person]) for site, refers, weight in called)
            assert found["mean"][row, column] == pytest.approx(total, abs=1e-12)
            assert found["drop"][row, column] == pytest.approx(dropped, abs=1e-12)
            assert found["used"][row, column] == len(called)
        assert constants(scores, of)[row] == pytest.approx(2 * sum(weight for _, refers, weight in mine if refers))


def test_dense_scores_have_every_site() -> None:
    dense = dense_scores(3, SITES)
    assert len(dense) == 3 and len(entries(dense)) == 3 * SITES
    assert not dense.refers.any() and not constants(dense, [0, 1, 2]).any()


def test_wrong_sums_are_refused(scores: Scores, prefix: Path) -> None:
    of, people = probed(len(scores), 5), probed(PEOPLE, 7)
    truth = true_sums(prefix, PEOPLE, scores, people, of)
    work = Work(ONE, prefix, PEOPLE, SITES, len(scores), len(scores.site), truth, constants(scores, of))
    engine = ENGINES[ONE]["ours"]

    def counts(sums: np.ndarray) -> dict[str, object]:
        return {"samples": PEOPLE, "scores": len(scores), "sums": sums.tolist()}

    work.check(engine, counts(truth["mean"]))
    wrong = truth["mean"].copy()
    wrong[2, 3] += 2 * CLOSE * np.abs(wrong[2]).max() + 2 * CLOSE * abs(work.constants[2])
    with pytest.raises(AssertionError, match="sums differ"):
        work.check(engine, counts(wrong))
    with pytest.raises(AssertionError, match="sums differ"):
        work.check(engine, counts(truth["drop"]))
    with pytest.raises(AssertionError, match="not"):
        work.check(engine, counts(truth["mean"]) | {"samples": PEOPLE - 1})
