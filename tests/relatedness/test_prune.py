"""The samples to keep: against every subset of small graphs, on large ones, and from the folder to the folder."""

from __future__ import annotations

import json
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix.errors import ConfigError, InputError
from cohelix.genotypes.outputs import seal_of
from cohelix.relatedness import independent
from cohelix.relatedness.independent import greedy, heaviest_set, improve, pieces_of, take_certain
from cohelix.relatedness.prune import Related, choose_kept, prune_related
from cohelix.relatedness.schema import PruneParams
from tests.oracles import independent_set as oracle

Pairs = set[tuple[int, int]]


@st.composite
def graphs(draw: st.DrawFn, most: int = 9) -> tuple[int, Pairs]:
    n = draw(st.integers(1, most))
    every = list(combinations(range(n), 2))
    return n, set(draw(st.lists(st.sampled_from(every), unique=True))) if every else set()


def neighbours_of(n: int, pairs: Pairs) -> list[set[int]]:
    out: list[set[int]] = [set() for _ in range(n)]
    for one, other in pairs:
        out[one].add(other)
        out[other].add(one)
    return out


def is_independent(kept: set[int], neighbours: list[set[int]]) -> bool:
    return not any(neighbours[vertex] & kept for vertex in kept)


def random_graph(n: int, n_pairs: int, seed: int) -> Pairs:
    ends = np.sort(np.random.default_rng(seed).integers(0, n, (n_pairs, 2)), axis=1)
    return {(one, other) for one, other in ends.tolist() if one < other}


@settings(max_examples=150)
@given(graphs(), st.data())
def test_the_kept_are_the_best_of_all_sets(made: tuple[int, Pairs], data: st.DataObject) -> None:
    """Priorities, then number, then ties, then the first ids; whatever the order of the samples."""
    n, pairs = made
    numbers = st.lists(st.integers(0, 3), min_size=n, max_size=n)
    before, after = ([data.draw(numbers) for _ in range(data.draw(st.integers(0, 2)))] for _ in range(2))
    ids = [f"s{place:02d}" for place in data.draw(st.permutations(range(n)))]
    related = Related(ids, np.array(sorted(pairs), np.int64).reshape(-1, 2), "kinship")
    dropped, facts = choose_kept(related, [*before, *after], len(before), 64)
    order = sorted(range(n), key=lambda row: ids[row])
    place = {row: at for at, row in enumerate(order)}
    renamed = {tuple(sorted((place[one], place[other]))) for one, other in pairs}
    expected = oracle.best_set(n, renamed, *([[one[row] for row in order] for one in some] for some in (before, after)))
    assert sorted(set(range(n)) - set(dropped.tolist())) == sorted(order[at] for at in expected)
    assert facts["exact"] and facts["n_in_approximate_families"] == 0
    assert facts["n_with_relatives"] == len({vertex for pair in pairs for vertex in pair})


@settings(max_examples=80)
@given(graphs(14), st.data())
def test_exact_search_certain_vertices_and_improvement(made: tuple[int, Pairs], data: st.DataObject) -> None:
    n, pairs = made
    weights = data.draw(st.lists(st.integers(1, 9), min_size=n, max_size=n))
    neighbours = neighbours_of(n, pairs)
    best = oracle.largest_weight(n, pairs, weights)
    kept, approximate = heaviest_set(neighbours, weights, 64)
    assert is_independent(kept, neighbours) and approximate == 0
    assert sum(weights[vertex] for vertex in kept) == best
    alive = set(range(n))
    certain = take_certain(neighbours, weights, alive)
    rest = heaviest_set(
        [near & alive for near in neighbours], [w if v in alive else 1 for v, w in enumerate(weights)], 0
    )
    assert is_independent(certain, neighbours) and not any(neighbours[vertex] & alive for vertex in certain)
    exact = oracle.largest_weight(n, pairs, [w if v in alive else 0 for v, w in enumerate(weights)])
    assert sum(weights[vertex] for vertex in certain) + exact == best
    assert is_independent(rest[0] & alive, neighbours)
    local = dict(enumerate(neighbours))
    first = greedy(local, weights)
    better = improve(local, weights, first)
    for some in (first, better):
        assert is_independent(some, neighbours)
        assert all(neighbours[vertex] & some for vertex in set(range(n)) - some)  # none could be added
    assert sum(weights[v] for v in first) <= sum(weights[v] for v in better) <= best


def test_pieces() -> None:
    neighbours = neighbours_of(7, {(0, 3), (3, 5), (1, 2)})
    assert pieces_of(neighbours, set(range(7))) == [[0, 3, 5], [1, 2], [4], [6]]
    assert pieces_of(neighbours, {0, 5, 1}) == [[0], [1], [5]]


def test_a_search_that_gives_up_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = random_graph(60, 400, 1)
    neighbours, weights = neighbours_of(60, pairs), [1] * 60
    exact, n_hard = heaviest_set(neighbours, weights, 64)
    monkeypatch.setattr(independent, "_STEPS", 3)
    greedily, n_given_up = heaviest_set(neighbours, weights, 64)
    assert n_hard == 0 < n_given_up
    assert is_independent(exact, neighbours) and is_independent(greedily, neighbours)
    assert len(greedily) <= len(exact) and len(greedily) >= 0.9 * len(exact)


def test_a_large_tangle_is_near_its_bound() -> None:
    """One piece of thousands: the greedy choice, improved, keeps nearly what an even cycle with chords allows."""
    n = 4000
    cycle = {(v, v + 1) for v in range(n - 1)} | {(0, n - 1)}
    chords = {(v, v + 7) for v in range(0, n - 7, 2)}  # even to odd: the even ones stay independent
    related = Related([f"s{v:05d}" for v in range(n)], np.array(sorted(cycle | chords)), "kinship")
    dropped, facts = choose_kept(related, [], 0, 64)
    kept = set(range(n)) - set(dropped.tolist())
    assert is_independent(kept, neighbours_of(n, cycle | chords))
    assert len(kept) >= 0.97 * n / 2 and len(kept) <= n / 2
    assert facts["families"]["by_size"] == {"4000": 1}


def test_many_families_are_exact_and_deterministic() -> None:
    random = np.random.default_rng(2)
    sizes = random.integers(2, 7, 8000)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    pairs = np.array([pair for a, b in pairwise(starts.tolist()) for pair in combinations(range(a, b), 2)])
    ids = [f"s{v:06d}" for v in range(starts[-1] + 1000)]
    dropped, facts = choose_kept(Related(ids, pairs, "kinship"), [], 0, 64)
    assert facts["exact"] and facts["families"]["n"] == 8000
    assert sorted(set(range(len(ids))) - set(dropped.tolist())) == [*starts[:-1].tolist(), *range(starts[-1], len(ids))]


def made_folder(folder: Path, pairs: list[tuple[str, str, float, float]], ids: list[str]) -> str:
    folder.mkdir()
    ones, others, king, given = zip(*pairs, strict=True) if pairs else ((), (), (), ())
    table = pa.table({
        "sample_id_1": pa.array(ones, pa.string()), "sample_id_2": pa.array(others, pa.string()),
        "kinship": pa.array(king, pa.float64()), "pc_kinship": pa.array(given, pa.float64()),
    })  # fmt: skip
    pq.write_table(table, folder / "pairs.parquet")
    (folder / "samples.tsv").write_text("sample_id\n" + "".join(f"{one}\n" for one in ids))
    files = {path.name: seal_of(path.read_bytes()) for path in folder.iterdir()}
    about = {"kind": "relatedness", "provenance": {"digest": "d" * 64}, "files": files}
    (folder / "relatedness.json").write_text(json.dumps(about))
    return str(folder)


NAN = float("nan")
IDS = ["a", "b", "c", "d", "e", "f"]
TRIO = [("a", "b", 0.25, NAN), ("b", "c", 0.25, NAN), ("d", "e", 0.5, NAN), ("e", "f", 0.09, NAN)]


def listed(path: Path) -> list[str]:
    head, *rows = path.read_text().splitlines()
    assert head == "sample_id"
    return rows


def test_from_folder_to_folder(tmp_path: Path) -> None:
    """All of Us' column; a duplicate; kept and left out are all samples; prune.json holds counts only."""
    summary = prune_related(made_folder(tmp_path / "r", TRIO, IDS), str(tmp_path / "out"), PruneParams())
    assert listed(tmp_path / "out" / "relatedness_flagged_samples.tsv") == ["b", "e"]
    assert listed(tmp_path / "out" / "unrelated.tsv") == ["a", "c", "d", "f"]
    assert json.loads((tmp_path / "out" / "prune.json").read_text()) == summary
    assert (summary["kind"], summary["n_samples"], summary["n_kept"], summary["n_dropped"]) == ("unrelated", 6, 4, 2)
    assert summary["statistic"] == "kinship" and summary["n_pairs_related"] == 3
    closer = prune_related(str(tmp_path / "r"), str(tmp_path / "more"), PruneParams(max_kinship=0.0884))
    assert closer["n_pairs_related"] == 4 and closer["provenance"]["digest"] != summary["provenance"]["digest"]
    assert listed(tmp_path / "more" / "relatedness_flagged_samples.tsv") == ["b", "e"]


def test_priorities(tmp_path: Path) -> None:
    """Cases before numbers; numbers before quality; quality before ids; a sample without a row comes last."""
    folder = made_folder(tmp_path / "r", TRIO, IDS)
    table = tmp_path / "p.tsv"
    table.write_text("sample_id\tcase\tcall_rate\na\t0\t0.9\nb\t1\t0.99\nc\t0\t0.99\nd\t0\t0.98\ne\t0\t0.99\n")
    params = PruneParams(priority_columns=["case"], tie_columns=["call_rate"])
    summary = prune_related(folder, str(tmp_path / "out"), params, priority=str(table))
    assert listed(tmp_path / "out" / "unrelated.tsv") == ["b", "e", "f"]
    assert summary["priority"] == {"totals": {"case": {"all": 1.0, "kept": 1.0}}, "n_samples_without": 1}
    quality = PruneParams(priority_columns=[], tie_columns=["call_rate"])
    prune_related(folder, str(tmp_path / "two"), quality, priority=str(table))
    assert listed(tmp_path / "two" / "unrelated.tsv") == ["a", "c", "e", "f"]


def test_kinship_given_ancestry_is_taken_where_known(tmp_path: Path) -> None:
    pairs = [("a", "b", 0.25, 0.05), ("c", "d", 0.02, 0.12), ("e", "f", 0.2, NAN)]
    summary = prune_related(made_folder(tmp_path / "r", pairs, IDS), str(tmp_path / "out"), PruneParams())
    assert summary["statistic"] == "pc_kinship"
    assert listed(tmp_path / "out" / "relatedness_flagged_samples.tsv") == ["d", "f"]


def test_nobody_is_related(tmp_path: Path) -> None:
    summary = prune_related(made_folder(tmp_path / "r", [], IDS), str(tmp_path / "out"), PruneParams())
    assert summary["n_dropped"] == 0 and listed(tmp_path / "out" / "unrelated.tsv") == IDS


def test_bad_input(tmp_path: Path) -> None:
    folder = made_folder(tmp_path / "r", TRIO, IDS)
    out, table = str(tmp_path / "out"), tmp_path / "p.tsv"
    for text, message in [
        ("sample_id\tpriority\na\t-1\n", "finite numbers from 0 in priority"),
        ("sample_id\tpriority\na\tinf\n", "finite numbers from 0 in priority"),
        ("sample_id\tpriority\na\t1e300\n", "finite numbers from 0 in priority"),
        ("sample_id\tpriority\na\thigh\n", "row 2 of the table of priorities holds something that is not a number"),
        ("sample_id\tcase\na\t1\n", "column called priority, found none"),
        ("sample_id\tpriority\nz\t1\n", "of other samples"),
        ("sample_id\tpriority\na\t1\na\t2\n", "rows 2 and 3"),
    ]:
        table.write_text(text)
        with pytest.raises(InputError, match=message):
            prune_related(folder, out, PruneParams(), priority=str(table))
    with pytest.raises(InputError, match="found 1 related pairs of others"):
        prune_related(made_folder(tmp_path / "s", TRIO, ["a", "b", "d", "e"]), out, PruneParams())
    with pytest.raises(InputError, match=r"expected relatedness\.json"):
        prune_related(str(tmp_path / "nothing"), out, PruneParams())
    (tmp_path / "r" / "relatedness.json").unlink()
    with pytest.raises(InputError, match=r"expected relatedness\.json"):
        prune_related(folder, out, PruneParams())
    with pytest.raises(ConfigError, match="in both"):
        PruneParams(tie_columns=["priority"])
    assert not Path(out).exists()


@pytest.mark.parametrize("name", ["pairs.parquet", "samples.tsv"])
def test_a_folder_that_was_damaged_is_refused(tmp_path: Path, name: str) -> None:
    """Half of the samples, or other pairs, would be other people who are kept."""
    folder = made_folder(tmp_path / "r", TRIO, IDS)
    content = (tmp_path / "r" / name).read_bytes()
    for other in (content[: len(content) // 2], b"", content + b"g\n"):
        (tmp_path / "r" / name).write_bytes(other)
        with pytest.raises(InputError, match="is not the file that `cohelix relatedness estimate` wrote"):
            prune_related(folder, str(tmp_path / "out"), PruneParams())
    (tmp_path / "r" / name).unlink()
    with pytest.raises(InputError, match=f"expected {name} in the folder"):
        prune_related(folder, str(tmp_path / "out"), PruneParams())
    assert not (tmp_path / "out").exists()
