"""The forest as arrays: scikit-learn's bits, a file that cannot lead astray, mixtures and distances as defined."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from cohelix.ancestry.groups import kernels
from cohelix.ancestry.groups.distance import centres_of, distances
from cohelix.ancestry.groups.forest import Fitted, Forest, fit_forest, read_forest, table_of
from cohelix.ancestry.groups.proportions import proportions
from cohelix.errors import InputError
from cohelix.genotypes.callset import parquet_bytes
from tests.oracles import forest as plain

GROUPS = ["afr", "amr", "eas", "eur", "sas"]


def people(n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of `n` people of five groups that overlap, and the group of each."""
    drawn = np.random.default_rng(seed)
    codes = drawn.integers(0, len(GROUPS), n)
    centres = np.random.default_rng(7).normal(size=(len(GROUPS), k))
    return centres[codes] + 0.8 * drawn.normal(size=(n, k)), codes


@pytest.fixture(scope="module")
def trained() -> tuple[Fitted, RandomForestClassifier]:
    scores, codes = people(400, 6, 1)
    theirs = RandomForestClassifier(n_estimators=40, random_state=337337, oob_score=True, n_jobs=2)
    theirs.fit(scores, np.array(GROUPS)[codes])
    return fit_forest(scores, codes, GROUPS, 40, 337337), theirs


def test_votes_are_scikit_learns_to_the_bit(trained: tuple[Fitted, RandomForestClassifier]) -> None:
    """Also of people who lie exactly on thresholds, or one float32 beside them."""
    fitted, theirs = trained
    theirs.n_jobs = 1
    scores, _ = people(3_000, 6, 2)
    inner = fitted.forest.feature >= 0
    feature, threshold = fitted.forest.feature[inner], fitted.forest.threshold[inner]
    rows = np.arange(2_000) % len(feature)
    scores[np.arange(2_000), feature[rows]] = threshold[rows]
    scores[:1_000] = np.nextafter(scores[:1_000].astype(np.float32), np.float32(np.inf))
    found = fitted.forest.predict(scores)
    assert fitted.forest.groups == tuple(theirs.classes_)
    assert (found == theirs.predict_proba(scores)).all()
    assert (np.array(GROUPS)[found.argmax(axis=1)] == theirs.predict(scores)).all()


def test_out_of_bag_is_scikit_learns(trained: tuple[Fitted, RandomForestClassifier]) -> None:
    fitted, theirs = trained
    _, codes = people(400, 6, 1)
    assert (fitted.out_of_bag == codes).mean() == pytest.approx(theirs.oob_score_)


def test_few_trees_leave_people_without_a_vote_out_of_bag() -> None:
    scores, codes = people(60, 3, 3)
    fitted = fit_forest(scores, codes, GROUPS, 1, 5)
    assert 0 < (fitted.out_of_bag < 0).sum() < 60


def test_the_file_says_the_same_as_its_definition(trained: tuple[Fitted, RandomForestClassifier]) -> None:
    forest = trained[0].forest
    table = table_of(forest)
    assert table.column_names == ["tree", "node", "feature", "threshold", "left", "right", "probabilities"]
    nodes, (scores, _) = table.to_pylist(), people(30, 6, 4)
    by_hand = [plain.vote(nodes, row) for row in scores.tolist()]
    assert forest.predict(scores).tolist() == by_hand
    again = read_forest(parquet_bytes(table), GROUPS, 6)
    assert again.predict(scores).tolist() == by_hand
    for name in ("first", "feature", "threshold", "child", "probabilities"):
        assert (getattr(again, name) == getattr(forest, name)).all(), name


def test_the_kernel_is_the_same_without_its_compiler(trained: tuple[Fitted, RandomForestClassifier]) -> None:
    forest: Forest = trained[0].forest
    scores, _ = people(5, 6, 5)
    leaf = forest.feature < 0
    child = np.where(leaf[:, None], np.arange(len(leaf))[:, None], forest.child).astype(np.int32).ravel()
    given_to = (
        scores.astype(np.float32), forest.first, forest._levels(), np.where(leaf, 0, forest.feature).astype(np.int32),
        forest._thresholds(), child, forest.probabilities,
    )  # fmt: skip
    out = np.empty((5, len(GROUPS)))
    getattr(kernels.vote, "py_func", kernels.vote)(*given_to, out)
    assert (out == forest.predict(scores)).all()


def test_who_has_no_scores_has_no_probabilities(trained: tuple[Fitted, RandomForestClassifier]) -> None:
    scores, _ = people(4, 6, 6)
    whole = trained[0].forest.predict(scores)
    scores[1], scores[2, 5] = np.nan, np.inf
    found = trained[0].forest.predict(scores)
    assert np.isnan(found[1:3]).all()
    assert (found[[0, 3]] == whole[[0, 3]]).all()


def _changed(name: str, row: int, value: Any) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        column = table.column(name).to_pylist()
        column[row] = value(column[row]) if callable(value) else value
        place = table.column_names.index(name)
        return table.set_column(place, name, pa.array(column, table.schema.field(name).type))

    return change


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda table: table.drop_columns(["left"]), "lacks columns"),
        (lambda table: table.slice(0, 0), "no tree"),
        (lambda table: table.slice(1), "no tree"),
        (lambda table: table.slice(0, table.num_rows - 1), "leads out of its tree"),
        (lambda table: pa.concat_tables([table.slice(0, 1), table]), "not in order"),
        (_changed("tree", 0, 1), "not in order"),
        (_changed("left", 0, 0), "or back"),
        (_changed("right", 0, 10**6), "out of its tree"),
        (_changed("right", 0, lambda right: right + 1), "no parent"),
        (_changed("left", 0, None), "or back"),
        (_changed("feature", 0, 6), "something else than components"),
        (_changed("feature", 0, -2), "something else than components"),
        (_changed("threshold", 0, float("nan")), "threshold is not a number"),
        (_changed("feature", 0, None), "not a number"),
        (_changed("probabilities", 0, [1.0, 0, 0, 0, 0]), "probability of each"),
        (_changed("probabilities", -1, [1.0, 0, 0, 0]), "not a number"),
        (_changed("probabilities", -1, [2.0, -1.0, 0, 0, 0]), "add up to 1"),
        (_changed("probabilities", -1, [0.5, 0, 0, 0, 0]), "add up to 1"),
        (_changed("probabilities", -1, [float("nan")] * 5), "add up to 1"),
    ],
)
def test_a_file_that_was_tampered_with_is_refused(
    trained: tuple[Fitted, RandomForestClassifier], change: Callable[[pa.Table], pa.Table], seen: str
) -> None:
    table = change(table_of(trained[0].forest))
    sink = io.BytesIO()
    pq.write_table(table, sink)
    with pytest.raises(InputError, match=seen):
        read_forest(sink.getvalue(), GROUPS, 6)


def test_bytes_that_are_no_table_are_refused() -> None:
    with pytest.raises(InputError, match="damaged"):
        read_forest(b"cos\nsystem\n(S'true'\ntR.", GROUPS, 6)


def test_distances_and_centres_are_those_of_their_definition() -> None:
    scores, codes = people(50, 4, 8)
    centres = centres_of(scores, codes, len(GROUPS))
    for group in range(len(GROUPS)):
        assert centres[group] == pytest.approx(
            np.mean([s for s, c in zip(scores, codes, strict=True) if c == group], 0)
        )
    found = distances(scores, centres)
    for row in range(50):
        assert found[row] == pytest.approx([np.linalg.norm(scores[row] - centre) for centre in centres], rel=1e-12)


@settings(max_examples=40)
@given(st.integers(2, 5), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_proportions_are_the_nearest_mixture(n_groups: int, k: int, seed: int) -> None:
    """Compared by where they lie: where centres are mixtures of others, several mixtures lie equally near."""
    drawn = np.random.default_rng(seed)
    centres, points = drawn.normal(size=(n_groups, k)), 2 * drawn.normal(size=(6, k))
    points[0] = centres[0]
    points[1] = centres.mean(axis=0)
    found = proportions(points, centres)
    assert (found >= 0).all()
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-9)
    for row in range(6):
        best = plain.mixture(points[row], centres)
        assert found[row] @ centres == pytest.approx(best @ centres, abs=2e-4)
        if n_groups <= k + 1:
            assert found[row] == pytest.approx(best, abs=1e-4) or np.linalg.cond(centres[1:] - centres[0]) > 100


def test_mix_takes_every_vertex_edge_and_the_unknown() -> None:
    centres = np.array([[0.0, 0], [1, 0], [0, 1]])
    points = np.array([[-1.0, -1], [3, 0], [0.5, -2], [0.25, 0.25], [np.nan, 0]])
    found = proportions(points, centres)
    assert found[:4] == pytest.approx(np.array([[1, 0, 0], [0, 1, 0], [0.5, 0.5, 0], [0.5, 0.25, 0.25]]), abs=1e-7)
    assert np.isnan(found[4]).all()
    linear, gram = points[3:4] @ centres.T, centres @ centres.T + 1e-9 * np.eye(3)
    out = np.empty((1, 3))
    kernels.mix(linear, gram, out)
    assert out == pytest.approx(found[3:4], abs=1e-6)


def test_proportions_of_made_people_are_the_true_ones() -> None:
    """Six groups at F_ST 0.1: as near to the truth as somebody comes who knows the frequencies at every site."""
    drawn = np.random.default_rng(11)
    ancestral = drawn.uniform(0.1, 0.9, 2_000)
    frequencies = drawn.beta(9 * ancestral, 9 * (1 - ancestral), (6, 2_000))
    codes = np.repeat(np.arange(6), 60)
    pure = plain.admixed_genotypes(frequencies, np.eye(6)[codes], drawn)
    truth = drawn.dirichlet([0.4] * 6, 100)
    mixed = plain.admixed_genotypes(frequencies, truth, drawn)
    usable = (pure.mean(axis=0) > 0.02) & (pure.mean(axis=0) < 1.98)
    pure, mixed, frequencies = pure[:, usable], mixed[:, usable], frequencies[:, usable]
    scores, _, loadings, af = plain.components(pure, 8)
    theirs = plain.standardised(mixed, af) @ loadings / np.sqrt(len(af))
    found = proportions(theirs, centres_of(scores, codes, 6))
    known = proportions(plain.standardised(mixed, af), plain.standardised(2 * frequencies, af))
    assert np.abs(found - truth).mean() < 1.15 * np.abs(known - truth).mean() < 0.04
    assert np.corrcoef(found.ravel(), truth.ravel())[0, 1] > 0.97
