"""Concordance of whole callsets: a thousand pairs with planted mistakes, and input that is not what it should be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from cohelix.errors import ConfigError, InputError, ReferenceMismatch
from cohelix.qc.concordance.run import qc_concordance
from cohelix.qc.schema import ConcordanceParams
from cohelix.runtime.local import LocalRuntime
from tests.oracles import fingerprint as plain
from tests.qc.concordance.made import People, Snp, flipped, observed, snps, write_callset, write_links

PAIRS = 1_000
SITES = 700


@dataclass(frozen=True)
class Planted:
    """`really[i]`: the person on array i, which is linked to the genome of person i. `rows` of each kind of mistake."""

    folder: Path
    sites: list[Snp]
    arrays: np.ndarray
    wgs: np.ndarray
    really: list[int]
    kinds: dict[int, str]
    twins: dict[int, int]
    sibs_of_absent: dict[int, int]
    out: dict[str, Any]


def name(kind: str, row: int) -> str:
    """An id that sorts otherwise than `row` does."""
    return kind + hashlib.sha256(f"{kind}{row}".encode()).hexdigest()[:10]


def _people(rng: np.random.Generator) -> tuple[People, dict[int, int], list[int]]:
    """A thousand: families of parents and two children, ten pairs of twins, strangers; then those without a genome."""
    people = People(np.clip(rng.beta(1.2, 2, SITES), 0.02, 0.98), rng)
    while len(people.haplotypes) < 400:  # 0, 1 parents and 2, 3 children; and so on
        mother, father = people.stranger(), people.stranger()
        people.child(mother, father), people.child(mother, father)
    twins = {}
    for _ in range(10):
        first = people.stranger()
        twins[first] = people.twin(first)
    while len(people.haplotypes) < PAIRS:
        people.stranger()
    unlinked = [people.stranger() for _ in range(4)]  # genomes in no link
    absent = [people.stranger() for _ in range(4)] + [people.child(4 * f, 4 * f + 1) for f in (20, 21, 22)]
    return people, twins, [*unlinked, *absent]


def _mistakes(twins: dict[int, int], others: list[int]) -> tuple[list[int], dict[int, str]]:
    really, kinds = list(range(PAIRS)), {}
    swaps = [(0, 1), (6, 7), (8, 10), (500, 501), (600, 900)]  # parents; sibs; parent and child; strangers
    pair = min(twins) + 4  # both twins are misplaced: either's genome fits, and only one makes an exchange
    swaps += [(pair, 741), (twins[pair], 740), (min(twins), 700), (710, twins[min(twins) + 2])] + [
        (750 + 2 * k, 880 - 2 * k) for k in range(30)
    ]
    for one, other in swaps:
        really[one], really[other] = other, one
        kinds |= {one: "swap", other: "swap"}
    for k in range(8):  # a column of a plate, one well off
        really[520 + k] = 520 + (k + 1) % 8
        kinds[520 + k] = "shift"
    for k, person in enumerate(others):
        really[540 + k] = person
        kinds[540 + k] = "unlinked" if k < 4 else "none" if k < 8 else "relative"
    really[560], kinds[560] = 561, "duplicate"
    return really, kinds


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    folder = tmp_path_factory.mktemp("concordance")
    rng = np.random.default_rng(11)
    people, twins, others = _people(rng)
    really, kinds = _mistakes(twins, others)
    bad = np.where(rng.random(PAIRS) < 0.02, 0.3, 0.01)  # arrays of which a third is missing
    arrays = observed(people.genotypes(really), rng, error=0.002, missing=bad)
    wgs = observed(people.genotypes([*range(PAIRS), *others[:4]]), rng, error=0.001, missing=0.005)
    sites = snps(SITES, contigs=6)
    turned = rng.random(SITES) < 0.3
    of_arrays = [Snp(s.contig, s.position, s.alt, s.ref) if t else s for s, t in zip(sites, turned, strict=True)]
    write_callset(folder / "a.callset", of_arrays, flipped(arrays, turned), [name("A", i) for i in range(PAIRS)],
                  prefix="")  # fmt: skip
    write_callset(folder / "w.callset", sites, wgs, [name("W", i) for i in range(PAIRS + 4)])
    order = rng.permutation(PAIRS)
    links = write_links(folder / "links.tsv", [(name("A", i), name("W", i)) for i in order])
    out = run(folder, links, folder / "out")
    sibs = {548 + k: family for k, family in enumerate((20, 21, 22))}
    return Planted(folder, sites, arrays, wgs, really, kinds, twins, sibs, out)


def run(folder: Path, links: str, out: Path, params: ConcordanceParams | None = None, cores: int = 2) -> dict[str, Any]:
    where = str(folder / "a.callset"), str(folder / "w.callset")
    summary = qc_concordance(*where, links, str(out), params or ConcordanceParams(), LocalRuntime(cores))
    assert json.loads((out / "qc.json").read_text()) == summary
    assert summary["kind"] == "concordance"
    links_table = pq.read_table(out / "concordance.parquet").to_pylist()
    return {"summary": summary, "links": links_table, "partners": pq.read_table(out / "partners.parquet").to_pylist()}


def test_no_mistake_is_missed_and_none_is_invented(planted: Planted) -> None:
    verdicts = {row["array_sample_id"]: row["verdict"] for row in planted.out["links"]}
    assert len(verdicts) == PAIRS
    wrong = {row for row in range(PAIRS) if verdicts[name("A", row)] != "match"}
    assert wrong == set(planted.kinds)
    assert {verdicts[name("A", row)] for row in wrong} == {"mismatch"}


def test_every_array_is_given_its_right_genome(planted: Planted) -> None:
    found = {row["sample_id"]: row for row in planted.out["partners"] if row["side"] == "array"}
    assert set(found) == {name("A", row) for row in planted.kinds}
    for row, kind in planted.kinds.items():
        partner = found[name("A", row)]
        assert partner["kind"] == kind, row
        if kind in ("swap", "shift", "unlinked", "duplicate"):
            assert partner["partner_id"] == name("W", planted.really[row])
            assert partner["relation"] == "same" and partner["fingerprint_llr"] > 50
            assert partner["margin"] > 50 or planted.really[row] in {*planted.twins, *planted.twins.values()}
        elif kind == "relative":  # a child of the family: parents and two sibs have genomes
            family = planted.sibs_of_absent[row]
            assert partner["partner_id"] in {name("W", 4 * family + k) for k in range(4)}
            child = partner["partner_id"] in {name("W", 4 * family + k) for k in (2, 3)}
            assert partner["relation"] == ("full_sibs" if child else "parent_child")
            assert partner["fingerprint_llr"] < -3
        else:
            assert partner["partner_id"] is None and partner["margin"] is None


def test_every_genome_is_given_its_right_array(planted: Planted) -> None:
    found = {row["sample_id"]: row for row in planted.out["partners"] if row["side"] == "wgs"}
    arrays_of = {person: row for row, person in enumerate(planted.really) if planted.kinds.get(row) != "duplicate"}
    for row, kind in planted.kinds.items():
        partner = found[name("W", row)]
        if kind in ("swap", "shift"):
            assert partner["kind"] == kind
            assert partner["partner_id"] == name("A", arrays_of[row])
            assert partner["links_involved"] == (2 if kind == "swap" else 8)
        else:
            assert partner["kind"] in ("none", "relative")


def test_swaps_name_each_others_link(planted: Planted) -> None:
    links = [row["array_sample_id"] for row in planted.out["links"]]
    swaps = [row for row in planted.out["partners"] if row["kind"] == "swap"]
    assert len(swaps) == 2 * sum(kind == "swap" for kind in planted.kinds.values())
    back = {(row["link"], row["side"]): row["partner_link"] for row in swaps}
    assert all(back[other, side] == link for (link, side), other in back.items())
    assert {links[link] for link, _ in back} == {
        name("A", row) for row, kind in planted.kinds.items() if kind == "swap"
    }


def test_a_link_to_ones_own_family_is_called_that(planted: Planted) -> None:
    found = {row["sample_id"]: row["linked_relation"] for row in planted.out["partners"] if row["side"] == "array"}
    assert [found[name("A", row)] for row in (6, 8, 500)] == ["full_sibs", "parent_child", None]


def test_values_are_those_of_the_plain_definitions(planted: Planted) -> None:
    sites = planted.out["summary"]["sites"]
    assert sites["n_fingerprint"] == sites["n_shared"] > 600
    called = (planted.wgs >= 0).sum(axis=1)
    copies = np.where(planted.wgs >= 0, planted.wgs, 0).sum(axis=1)
    q = copies / (2 * called)
    enough = (called >= 0.95 * planted.wgs.shape[1]) & ((planted.arrays >= 0).mean(axis=1) >= 0.95)
    kept = np.flatnonzero(enough & (np.minimum(q, 1 - q) >= 0.05))
    assert len(kept) == sites["n_fingerprint"]
    rows = {row["array_sample_id"]: row for row in planted.out["links"]}
    for row in (0, 5, 333, 545, 999):
        one, other = (np.where(block < 0, 3, block)[kept, row].tolist() for block in (planted.arrays, planted.wgs))
        found = rows[name("A", row)]
        assert found["fingerprint_llr"] == pytest.approx(
            plain.llr("same", q[kept].tolist(), one, other, 0.01, 0.01), abs=1e-3
        )
        assert found["genotype_concordance"] == pytest.approx(plain.concordance(one, other), abs=1e-12)
        assert found["non_reference_concordance"] == pytest.approx(
            plain.non_reference_concordance(one, other), abs=1e-12
        )
        table = plain.table(one, other)
        names = ("ref", "het", "alt", "missing")
        assert all(found[f"n_{a}_{w}"] == table[i, j] for i, a in enumerate(names) for j, w in enumerate(names))


def test_the_order_of_links_and_the_number_of_threads_do_not_matter(planted: Planted, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    pairs = [(name("A", i), name("W", i)) for i in rng.permutation(PAIRS)]
    again = run(planted.folder, write_links(tmp_path / "links.tsv", pairs), tmp_path / "out", cores=1)
    key = lambda row: row.get("array_sample_id") or (row["sample_id"], row["side"])  # noqa: E731
    assert sorted(again["links"], key=key) == sorted(planted.out["links"], key=key)
    places = ("link", "partner_link")  # rows of the table of links
    one, other = (
        sorted(({k: v for k, v in row.items() if k not in places} for row in found["partners"]), key=key)
        for found in (again, planted.out)
    )
    assert one == other


LISTED = snps(120, contigs=2)


def unchanged(block: np.ndarray) -> np.ndarray:
    return block


def small(
    folder: Path, *, sites: list[Snp] = LISTED, build: str = "GRCh38",
    change: Callable[[np.ndarray], np.ndarray] = unchanged,
) -> np.ndarray:  # fmt: skip
    """Genotypes of forty people; their genomes are so, and their arrays too: on `sites`, after `change`."""
    rng = np.random.default_rng(40)
    people = People(rng.uniform(0.2, 0.5, len(LISTED)), rng)
    true = people.genotypes([people.stranger() for _ in range(40)])
    write_callset(folder / "a.callset", sites, change(true.copy()), [f"a{i:03}" for i in range(40)], build=build)
    write_callset(folder / "w.callset", LISTED, true, [f"w{i:03}" for i in range(40)])
    return true


def own(n: int) -> list[tuple[str, str]]:
    return [(f"a{i:03}", f"w{i:03}") for i in range(n)]


def test_links_of_unknown_samples_are_counted_and_not_named(tmp_path: Path) -> None:
    small(tmp_path)
    pairs = [("secret-1", "w001"), *own(3), ("a005", "secret-2"), ("secret-3", "secret-4")]
    out = run(tmp_path, write_links(tmp_path / "l.tsv", pairs), tmp_path / "out")
    assert [row["verdict"] for row in out["links"]] == ["absent", "match", "match", "match", "absent", "absent"]
    n = out["summary"]["sites"]["n_fingerprint"]
    assert [row["n_compared"] for row in out["links"]] == [None, n, n, n, None, None]
    assert [row["fingerprint_llr"] is None for row in out["links"]] == [True, False, False, False, True, True]
    counts = out["summary"]["links"]
    assert (counts["n_links"], counts["n_arrays_absent"], counts["n_wgs_absent"]) == (6, 2, 2)
    assert "secret" not in (tmp_path / "out" / "qc.json").read_text()
    assert out["partners"] == []


def test_columns_the_wrong_way_round_are_told(tmp_path: Path) -> None:
    small(tmp_path)
    links = write_links(tmp_path / "l.tsv", [(w, a) for a, w in own(5)])
    with pytest.raises(InputError, match="columns are not exchanged") as error:
        run(tmp_path, links, tmp_path / "out")
    assert "w00" not in str(error.value) and not (tmp_path / "out").exists()


def test_a_pair_that_is_listed_twice_is_refused(tmp_path: Path) -> None:
    small(tmp_path)
    with pytest.raises(InputError, match="pairs 2 and 4"):
        run(tmp_path, write_links(tmp_path / "l.tsv", [*own(3), own(3)[1]]), tmp_path / "out")


def test_an_array_in_two_links_may_match_both(tmp_path: Path) -> None:
    small(tmp_path)
    pairs = [("a000", "w000"), ("a000", "w001"), ("a001", "w001")]
    out = run(tmp_path, write_links(tmp_path / "l.tsv", pairs), tmp_path / "out")
    assert [row["verdict"] for row in out["links"]] == ["match", "mismatch", "match"]
    assert [(row["side"], row["kind"]) for row in out["partners"]] == [("array", "none"), ("wgs", "none")]


@pytest.mark.parametrize("build", ["GRCh37", "unknown"])
def test_builds_must_agree(tmp_path: Path, build: str) -> None:
    small(tmp_path, build=build)
    with pytest.raises(ReferenceMismatch, match=f"found {build} and GRCh38"):
        run(tmp_path, write_links(tmp_path / "l.tsv", own(5)), tmp_path / "out")


def test_callsets_without_a_common_site_are_refused(tmp_path: Path) -> None:
    small(tmp_path, sites=[Snp(s.contig, s.position + 7, s.ref, s.alt) for s in LISTED])
    with pytest.raises(InputError, match="common SNPs that arrays and genomes share, found none"):
        run(tmp_path, write_links(tmp_path / "l.tsv", own(5)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_sites_that_cannot_be_trusted_are_left_out(tmp_path: Path) -> None:
    """Each group of ten markers has a fault of its own; what is left is what is compared."""
    sites = list(LISTED)
    for k in range(30):
        s = sites[k]
        third = next(base for base in "ACGT" if base not in (s.ref, s.alt, "TGCA"["ACGT".index(s.ref)]))
        sites[k] = (
            Snp("X", s.position, s.ref, s.alt),  # not an autosome
            Snp(s.contig, s.position, "A", "T"),  # palindromic
            Snp(s.contig, s.position, s.ref, third),  # another alternate allele
        )[k // 10]

    def change(block: np.ndarray) -> np.ndarray:
        block[30:40, :4] = -9  # a call rate of 90 %
        block[40:50] = 0  # a probe that sees one allele only
        block[50:60] = 2 - block[50:60]  # alleles exchanged, and not told
        return block

    true = small(tmp_path, sites=sites, change=change)
    links = write_links(tmp_path / "l.tsv", own(40))
    for limit in (0.0, 0.2):
        found = run(tmp_path, links, tmp_path / f"{limit}", ConcordanceParams(max_frequency_difference=limit))
        assert {row["verdict"] for row in found["links"]} == {"match"}
        used = found["summary"]["sites"]
        assert used["n_array_candidates"] == 120 - 10 - 10 - 10  # X, palindromic, call rate
        assert used["n_same_alleles"] == used["n_same_position"] - 10
        frequency = true[40:].mean(axis=1) / 2
        apart = np.abs(frequency - np.concatenate([np.zeros(10), 1 - frequency[10:20], frequency[20:]]))
        within = apart <= limit + 5 * np.sqrt(0.25 / 80 + 0.25 / 80)
        assert used["n_shared"] == (within & (frequency >= 0.05)).sum() < 80


def test_rows_at_one_position_and_rare_sites_are_left_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    listed = snps(60, contigs=2)
    twice = [*listed, *(Snp(s.contig, s.position, s.ref, s.ref + "TTT") for s in listed[:20])]
    block = rng.integers(0, 3, (80, 30)).astype(np.int8)
    block[20:40] = 0
    block[20:40, 0] = 1  # one of sixty copies
    write_callset(tmp_path / "a.callset", listed, block[:60], [f"a{i:03}" for i in range(30)])
    write_callset(tmp_path / "w.callset", twice, block, [f"w{i:03}" for i in range(30)])
    links = write_links(tmp_path / "l.tsv", own(30))
    assert run(tmp_path, links, tmp_path / "out")["summary"]["sites"]["n_shared"] == 20
    wide = ConcordanceParams(min_maf=0.01, max_sites=25, min_sites=10)
    found = run(tmp_path, links, tmp_path / "wide", wide)["summary"]["sites"]
    assert (found["n_shared"], found["n_fingerprint"]) == (40, 25)


def test_a_cohort_of_one_is_compared_where_it_is_heterozygous(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    people = People(np.full(400, 0.5), rng)
    one, other = people.stranger(), people.stranger()
    listed = snps(400, contigs=2)
    for place, person, kind in ((0, one, "a"), (0, one, "w"), (1, other, "a"), (1, one, "w")):
        folder = tmp_path / str(place)
        write_callset(folder / f"{kind}.callset", listed, people.genotypes([person]), [f"{kind}000"])
    right, wrong = (
        run(tmp_path / place, write_links(tmp_path / f"{place}.tsv", own(1)), tmp_path / place / "out")
        for place in ("0", "1")
    )
    n_het = int((people.genotypes([one]) == 1).sum())
    assert right["links"][0]["n_compared"] == right["links"][0]["n_het_het"] == n_het > 100
    assert [right["links"][0]["verdict"], wrong["links"][0]["verdict"]] == ["match", "mismatch"]
    assert [row["kind"] for row in wrong["partners"]] == ["none", "none"]


def test_a_sample_without_calls_has_no_verdict_and_no_partner(tmp_path: Path) -> None:
    def change(block: np.ndarray) -> np.ndarray:
        block[:, 7] = -9
        return block

    small(tmp_path, change=change)
    out = run(tmp_path, write_links(tmp_path / "l.tsv", own(40)), tmp_path / "out")
    row = out["links"][7]
    assert (row["verdict"], row["n_compared"], row["fingerprint_llr"]) == ("inconclusive", 0, 0.0)
    assert row["genotype_concordance"] is None and row["non_reference_concordance"] is None
    assert {r["verdict"] for k, r in enumerate(out["links"]) if k != 7} == {"match"}
    assert [(r["link"], r["side"], r["kind"], r["partner_id"]) for r in out["partners"]] == [
        (7, "array", "none", None), (7, "wgs", "none", None),
    ]  # fmt: skip


def test_an_identical_twin_in_the_right_place_is_nobodys_partner(tmp_path: Path) -> None:
    """Person 3 has a genome without a link, and a twin who matches: the array that shows both is given the first."""

    def change(block: np.ndarray) -> np.ndarray:
        block[:, 0] = block[:, 3]
        return block

    rng = np.random.default_rng(40)
    people = People(rng.uniform(0.2, 0.5, len(LISTED)), rng)
    strangers = [people.stranger() for _ in range(30)]
    true = people.genotypes([*strangers, people.twin(3)])
    ids = [f"{i:03}" for i in range(31)]
    for twin, free in ((30, 3), (3, 30)):  # the twin may come behind or before, by row
        folder = tmp_path / str(twin)
        write_callset(folder / "a.callset", LISTED, change(true.copy()), [f"a{i}" for i in ids])
        write_callset(folder / "w.callset", LISTED, true, [f"w{i}" for i in ids])
        pairs = [(f"a{i}", f"w{i}") for k, i in enumerate(ids) if k != free]
        out = run(folder, write_links(folder / "l.tsv", pairs), folder / "out")
        found = next(row for row in out["partners"] if row["side"] == "array")
        assert (found["sample_id"], found["kind"], found["partner_id"]) == ("a000", "unlinked", f"w{free:03}")
        assert found["margin"] == 0


def test_equal_input_gives_equal_files(tmp_path: Path) -> None:
    small(tmp_path)
    links = write_links(tmp_path / "l.tsv", [("a000", "w001"), ("a001", "w000"), *own(40)[2:]])
    for out in ("one", "two"):
        run(tmp_path, links, tmp_path / out)
    for file in ("concordance.parquet", "partners.parquet", "qc.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    other = run(tmp_path, write_links(tmp_path / "l.tsv", own(40)), tmp_path / "three")["summary"]["provenance"]
    assert json.loads((tmp_path / "one" / "qc.json").read_text())["provenance"]["digest"] != other["digest"]


@pytest.mark.parametrize(
    "choice", [{"min_maf": 0.6}, {"array_error": 0.0}, {"min_sites": 0}, {"mismatch_llr": 1.0}, {"min_call_rate": 2.0}]
)
def test_choices_out_of_range_are_refused(choice: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(choice))):
        ConcordanceParams(**choice)
