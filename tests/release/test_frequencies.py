"""Frequencies of a release against plain counts of people; two releases beside one another; who changes nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cohelix import dataset, genome
from cohelix.dataset import Writer
from cohelix.errors import DisclosureError, InputError
from cohelix.genome import Contig
from cohelix.genotypes import callset as store
from cohelix.genotypes import schema
from cohelix.release.aggregates.frequencies import GROUPS, TABLE, public
from cohelix.release.aggregates.frequency_cells import edges_of
from cohelix.release.describe import dictionary, head_of
from cohelix.release.disclosure import membership
from cohelix.release.labels import DECLASSIFIERS, Public
from cohelix.release.people import People
from cohelix.release.schema import MadeFile, ReleaseParams

N, LEAST = 900, 21
SHARDS = (("chr1", 10_000, 120), ("chr1", 2_000_000, 40), ("chrX", 20_000_000, 40), ("chrX", 100_000, 6),
          ("chrMT", 100, 10))  # fmt: skip
OPEN = ReleaseParams(max_power=0.99)  # nothing is thinned


@dataclasses.dataclass(frozen=True)
class Made:
    root: str
    people: People
    keys: list[tuple[str, int, str, str]]
    genotypes: np.ndarray  # (sites, samples), all shards


def people_of(seed: int = 2) -> People:
    """Two large groups, and one of 15 people; five people of the first group whose sex is not known."""
    rng = np.random.default_rng(seed)
    group = rng.choice([0, 1], N, p=[0.6, 0.4]).astype(np.int16)
    sex = rng.choice([1, 2], N).astype(np.int8)
    group[:15], group[15:20], sex[15:20], group[20:25] = 2, 0, 0, -1
    ids = tuple(f"S{number:04d}" for number in range(N))
    order = rng.permutation(N).astype(np.int32)
    return People(
        person=np.arange(1, N + 1), birth=np.zeros(N, np.int32), genome=order, array=np.full(N, -1, np.int32),
        group=group, sex=sex, groups=("eur", "afr", "tiny"), genome_ids=ids, array_ids=(), excluded={}, as_of=20_000,
    )  # fmt: skip


def write(root: str, blocks: list[np.ndarray], keys: list[tuple[str, int, str, str]]) -> None:
    writer = Writer(root, store.KIND, "run")
    ids = [f"S{number:04d}" for number in range(N)]
    shards, files, at = [], [], 0
    for (contig, start, n), block in zip(SHARDS, blocks, strict=True):
        part = keys[at : at + n]
        at += n
        names = dict(zip(("contig", "position", "ref", "alt"), map(list, zip(*part, strict=True)), strict=True))
        zeros = {c.name: pa.array(np.zeros(n, np.int64)) for c in schema.SITES if c.type == pa.int64()}
        more = {"id": [":".join(map(str, key)) for key in part], "kind": ["snp"] * n}
        sites = pa.table(names | more | zeros)
        sites = sites.set_column(1, "position", sites.column("position").cast(pa.int32()))
        shard, written = store.write_shard(
            writer, name=f"{contig}-{start:011d}", contig=contig, start=start - 1, end=start + 1_000_000,
            build="GRCh38", sites=sites, blocks=[block], sample_ids=ids, sexes=["unknown"] * N,
        )  # fmt: skip
        shards.append(shard)
        files += written
    zeros = {c.name: pa.array(np.zeros(N, np.int64)) for c in schema.SAMPLES if c.type == pa.int64()}
    samples = store.write_samples(writer, pa.table({"sample_id": ids, "sex": ["unknown"] * N} | zeros))
    contigs = [Contig("chr1", 248956422), Contig("chrX", 156040895), Contig("chrMT", 16569)]
    store.commit_callset(
        writer, build="GRCh38", contigs=contigs, shards=shards, samples=samples, n_samples=N, files=files,
        alleles="trimmed", params={}, after=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    rng = np.random.default_rng(1)
    people = people_of()
    sex = np.zeros(N, int)
    sex[people.genome] = people.sex
    keys, blocks = [], []
    for contig, start, n in SHARDS:
        positions = start + 10 * (np.arange(n) - np.isin(np.arange(n), (3, 4, 9)))  # some at one position
        keys += [(contig, int(position), "A", "CGT"[row % 3]) for row, position in enumerate(positions)]
        frequency = rng.beta(0.5, 1.0, n)
        block = rng.binomial(2, frequency[:, None], (n, N)).astype(np.int8)
        if contig == "chrMT" or (contig == "chrX" and start > 2_781_479):
            one = np.ones(N, bool) if contig == "chrMT" else sex == 1
            block[:, one] = 2 * (block[:, one] > 0)
            block[0, np.flatnonzero(one)[:7]] = 1  # calls that contradict the ploidy
        block[rng.random((n, N)) < rng.choice([0, 0.01, 0.1], n)[:, None]] = -9
        blocks.append(block)
    root = str(tmp_path_factory.mktemp("callset") / "x.callset")
    write(root, blocks, keys)
    return Made(root, people, keys, np.concatenate(blocks))


def built(
    made: Made, people: People, params: ReleaseParams, folder: Path, former: Path | None = None
) -> list[MadeFile]:
    labelled = public(made.root, people, params, former, folder)
    assert labelled.label is Public
    assert not (folder / "cells").exists()
    return labelled.value


def plain_counts(made: Made, people: People, row: int, group: int) -> tuple[list[int], list[int], int, int]:
    """([hom_ref, het, hom_alt], [ref, alt], people with two copies, with one), person by person."""
    contig, position = made.keys[row][:2]
    two, one, n_two, n_one = [0, 0, 0], [0, 0], 0, 0
    for at in range(len(people)):
        if people.genome[at] < 0 or people.group[at] != group:
            continue
        sex = genome.SEXES[{0: 2, 1: 0, 2: 1}[int(people.sex[at])]]
        same = (people.genome >= 0) & (people.group == group) & (people.sex == people.sex[at])
        if same.sum() < LEAST:
            continue
        copies = 1 if contig == "chrMT" else 2
        if contig == "chrX" and sex == "male" and genome.par_name("GRCh38", contig, position - 1) is None:
            copies = 1
        call = int(made.genotypes[row, people.genome[at]])
        if copies == 2:
            n_two += 1
            if call >= 0:
                two[call] += 1
        else:
            n_one += 1
            if call in (0, 2):
                one[call // 2] += 1
    return two, one, n_two, n_one


def plain_row(two: list[int], one: list[int], n_two: int, n_one: int) -> tuple[int, int, int | None, int] | None:
    """(ac, an, hom, hemi) by the rule of one row, None where nothing is shown."""
    (ref, het, hom), (ref_1, alt_1) = two, one
    called, called_1 = (ref + het + hom) // LEAST * LEAST, (ref_1 + alt_1) // LEAST * LEAST
    ac, homs = het + 2 * hom, hom >= LEAST and het >= LEAST
    if n_two:
        fine = het + hom >= LEAST and called - het - hom >= LEAST and called >= 4 * LEAST
        if not fine or 2 * called - ac < 3 * LEAST or not (homs or (hom < LEAST and ac <= called - LEAST)):
            return None
    if n_one and not (alt_1 >= LEAST and called_1 - alt_1 >= LEAST and called_1 >= 4 * LEAST):
        return None
    shown_hom = (hom if homs else None) if n_two else 0
    return ac + alt_1, 2 * called + called_1, shown_hom, alt_1


def test_every_number_is_a_plain_count_of_people(made: Made, tmp_path: Path) -> None:
    files = built(made, made.people, OPEN, tmp_path)
    table = pq.read_table(tmp_path / TABLE).to_pylist()
    by_key = {(row["contig"], row["position"], row["ref_allele"], row["alt_allele"]): row for row in table}
    assert len(by_key) == len(table) == files[0].rows
    shown_cells = 0
    alone = [key for key in made.keys if sum(key[:2] == other[:2] for other in made.keys) == 1]
    assert len(alone) < len(made.keys)
    for number, key in enumerate(made.keys):
        row = by_key.get(key)
        whole = [0, 0]
        for place, group in enumerate(("eur", "afr")):
            expected = plain_row(*plain_counts(made, made.people, number, place))
            seen = None if row is None or row[f"gvs_{group}_ac"] is None else row
            if key in alone:
                assert (seen is None) == (expected is None)
            if seen is not None:
                assert expected is not None
                ac, an, hom, hemi = expected
                found = tuple(seen[f"gvs_{group}_{name}"] for name in ("ac", "an", "hom", "hemi", "sc"))
                assert found == (ac, an, hom, hemi, None if hom is None else ac - hom)
                assert seen[f"gvs_{group}_af"] == pytest.approx(ac / an)
                whole = [whole[0] + ac, whole[1] + an]
                shown_cells += 1
        if row is not None:
            assert [row["gvs_all_ac"], row["gvs_all_an"]] == whole
            told = [group for group in ("afr", "eur") if row[f"gvs_{group}_ac"] is not None]
            best = max(told, key=lambda group: row[f"gvs_{group}_af"])
            assert row["gvs_max_subpop"] == best and row["gvs_max_ac"] == row[f"gvs_{best}_ac"]
            assert row["vid"] == "-".join((genome.plain_name(key[0]), str(key[1]), *key[2:]))
    assert shown_cells > 150
    assert {row["contig"] for row in table} == {"chr1", "chrX", "chrMT"}
    assert not any("tiny" in name for name in pq.read_schema(tmp_path / TABLE).names)
    assert "tiny" not in (tmp_path / GROUPS).read_text()


def test_rows_are_in_order_and_the_dictionary_has_every_column(made: Made, tmp_path: Path) -> None:
    files = built(made, made.people, OPEN, tmp_path)
    rows = pq.read_table(tmp_path / TABLE).to_pylist()
    order = ["chr1", "chrX", "chrMT"]
    places = [(order.index(r["contig"]), r["position"], r["ref_allele"], r["alt_allele"]) for r in rows]
    assert places == sorted(places)
    assert all(line.description for line in dictionary([head_of(file) for file in files]))
    assert "release.aggregates.frequencies.public" in DECLASSIFIERS


def bytes_of(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in (TABLE, GROUPS)]


def without(people: People, *rows: int) -> People:
    return people.taken(np.setdiff1d(np.arange(len(people)), rows))


@pytest.mark.parametrize("who", [0, 16, 21])  # of a small group, of a sex not known, of no group
def test_a_person_of_a_stratum_that_is_not_told_changes_no_byte(made: Made, tmp_path: Path, who: int) -> None:
    built(made, made.people, OPEN, tmp_path / "with")
    built(made, without(made.people, who), OPEN, tmp_path / "without")
    assert bytes_of(tmp_path / "with") == bytes_of(tmp_path / "without")


def test_the_order_of_people_changes_no_byte(made: Made, tmp_path: Path) -> None:
    built(made, made.people, OPEN, tmp_path / "one")
    other = made.people.taken(np.random.default_rng(3).permutation(N))
    built(made, other, OPEN, tmp_path / "other")
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "other")


def test_sites_are_thinned_to_the_bound_or_the_release_is_refused(made: Made, tmp_path: Path) -> None:
    built(made, made.people, OPEN, tmp_path / "open")
    tight = ReleaseParams(max_power=0.015)  # far below what 200 sites of 350 people tell
    built(made, made.people, tight, tmp_path / "tight")
    everything, thinned = (pq.read_table(tmp_path / name / TABLE) for name in ("open", "tight"))
    budget = membership.separation(tight.max_power) ** 2
    lines = [line.split("\t") for line in (tmp_path / "tight" / GROUPS).read_text().splitlines()[1:]]
    assert [line[0] for line in lines] == ["afr", "eur"]
    all_rows = {row["vid"]: row for row in everything.to_pylist()}
    for group, people, sites, share, power in lines:
        told = [row for row in thinned.to_pylist() if row[f"gvs_{group}_ac"] is not None]
        numbers = len(told) + sum(bool(row[f"gvs_{group}_hom"]) for row in told)
        assert numbers / int(people) <= budget and len(told) == int(sites) and 0 < float(share) < 1
        assert float(power) <= tight.max_power + 0.005
        assert all(row[f"gvs_{group}_ac"] == all_rows[row["vid"]][f"gvs_{group}_ac"] for row in told)
    assert 0 < thinned.num_rows < everything.num_rows
    with pytest.raises(DisclosureError, match="membership"):
        built(made, made.people, dataclasses.replace(tight, frequencies="refuse"), tmp_path / "refused")
    assert not list((tmp_path / "refused").iterdir())


def test_one_withdrawal_changes_no_byte(made: Made, tmp_path: Path) -> None:
    built(made, made.people, OPEN, tmp_path / "old")
    fewer = without(made.people, 40)
    built(made, fewer, OPEN, tmp_path / "alone")
    assert bytes_of(tmp_path / "alone") != bytes_of(tmp_path / "old")  # so that something is to be hidden
    built(made, fewer, OPEN, tmp_path / "new", tmp_path / "old")
    assert bytes_of(tmp_path / "new") == bytes_of(tmp_path / "old")
    with pytest.raises(DisclosureError, match="former release"):
        built(made, fewer, dataclasses.replace(OPEN, differencing="refuse"), tmp_path / "refused", tmp_path / "old")
    assert not list((tmp_path / "refused").iterdir())
    withheld = dataclasses.replace(OPEN, differencing="withhold")
    built(made, fewer, withheld, tmp_path / "withheld", tmp_path / "old")
    assert pq.read_table(tmp_path / "withheld" / TABLE).num_rows == 0


def differences(old: Path, new: Path, group: str) -> list[tuple[int, int]]:
    """(difference of ac, 1 where hom differs by 1 to 20) of sites told in both."""
    columns = ("ac", "hom")
    before, after = (
        {row["vid"]: [row[f"gvs_{group}_{name}"] for name in columns] for row in pq.read_table(at / TABLE).to_pylist()}
        for at in (old, new)
    )
    found = []
    for vid in before.keys() & after.keys():
        (ac, hom), (ac_new, hom_new) = before[vid], after[vid]
        if ac is not None and ac_new is not None:
            small = hom is not None and hom_new is not None and 0 < abs(hom_new - hom) < LEAST
            found.append((ac_new - ac, int(small)))
    return found


@pytest.mark.parametrize("leave", [60, 250])
def test_many_withdrawals_differ_by_enough_people_or_not_at_all(made: Made, tmp_path: Path, leave: int) -> None:
    built(made, made.people, OPEN, tmp_path / "old")
    eur = np.flatnonzero((made.people.group == 0) & (made.people.sex > 0))[:leave]
    fewer = without(made.people, *eur.tolist())
    built(made, fewer, OPEN, tmp_path / "new", tmp_path / "old")
    steps = differences(tmp_path / "old", tmp_path / "new", "eur")
    assert not any(0 < abs(step) < LEAST or small for step, small in steps)
    assert any(step for step, _ in steps) and all(step == 0 for step, _ in differences(
        tmp_path / "old", tmp_path / "new", "afr"))  # fmt: skip


def test_groups_that_are_all_too_small_give_no_file(made: Made, tmp_path: Path) -> None:
    assert built(made, made.people.taken(np.arange(60)), OPEN, tmp_path) == []


def test_without_groups_everybody_is_in_one(made: Made, tmp_path: Path) -> None:
    nobody = dataclasses.replace(made.people, groups=(), group=np.full(N, -1, np.int16))
    built(made, nobody, OPEN, tmp_path)
    names = pq.read_schema(tmp_path / TABLE).names
    assert "gvs_all_ac" in names and len(names) == 5 + 6 + 6 + 1
    assert pq.read_table(tmp_path / TABLE).num_rows > 50


@pytest.mark.parametrize("name", ["all", "max", "=cmd()", "a/b", "afr", ""])
def test_a_group_that_no_column_can_have_is_refused(made: Made, tmp_path: Path, name: str) -> None:
    people = dataclasses.replace(made.people, groups=("afr", name, "eur"))
    with pytest.raises(InputError, match="group 2") as caught:
        built(made, people, OPEN, tmp_path)
    assert "cmd" not in str(caught.value) and not list(tmp_path.iterdir())


def sites_qc(root: Path, made: Made, passes: Callable[[int], bool], cut: int = 0) -> str:
    writer = Writer(str(root), "site-qc", "run")
    shards, files = [], []
    for shard in store.open_callset(made.root).shards:
        ids = store.open_callset(made.root).sites(shard).column("id").to_pylist()
        filters = ["PASS" if passes(number) else "LowQual" for number in range(len(ids))]
        content = store.parquet_bytes(pa.table({"id": ids[cut:] + ids[:cut], "filters": filters}))
        files.append(writer.put(f"sites/{shard.name}", ".parquet", content))
        shards.append({"name": shard.name, "n_sites": len(ids), "sites": files[-1].path})
    writer.commit(files, {"shards": shards}, {}, after=0)
    assert dataset.find(str(root)) is not None
    return str(root)


def test_sites_that_fail_their_filters_are_left_out(made: Made, tmp_path: Path) -> None:
    built(made, made.people, OPEN, tmp_path / "all")
    quality = sites_qc(tmp_path / "qc", made, lambda number: number % 2 == 0)
    public(made.root, made.people, OPEN, None, tmp_path / "half", quality)
    failed = {":".join(map(str, key)) for at, key in enumerate(made.keys) if at % 2}  # shards have even lengths
    every, half = (pq.read_table(tmp_path / name / TABLE).to_pylist() for name in ("all", "half"))
    keys = [":".join(str(row[name]) for name in ("contig", "position", "ref_allele", "alt_allele")) for row in half]
    assert not failed & set(keys) and 0 < len(half) < len(every)
    other = sites_qc(tmp_path / "other", made, lambda number: True, cut=1)
    with pytest.raises(InputError, match="not of this callset"):
        public(made.root, made.people, OPEN, None, tmp_path / "none", other)
    assert not (tmp_path / "none" / TABLE).exists() and not (tmp_path / "none" / "cells").exists()


def test_rows_of_a_position_are_in_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cohelix.release.aggregates.frequency_cells.BLOCK_ROWS", 3)
    assert edges_of(np.array([1, 2, 3, 3, 3, 4, 5, 6])).tolist() == [0, 5, 8]
    assert edges_of(np.array([7, 7, 7, 7])).tolist() == [0, 4]
