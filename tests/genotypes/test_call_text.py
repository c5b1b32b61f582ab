"""Genotypes as text: what a cluster writes is what the callset holds, however lines fall into bins."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cohelix.dataset import Writer
from cohelix.errors import ContractError
from cohelix.genome import Contig
from cohelix.genotypes import call_text, callset
from cohelix.genotypes.callset import Callset

IDS = ["b", "c", "a"]
BIN = 100
Line = tuple[str, int, int, str, str, str]


def write_parts(folder: Path, parts: list[list[Line]]) -> list[str]:
    paths = []
    for number, lines in enumerate(parts):
        path = folder / f"part-{number:05d}.gz"
        path.write_bytes(gzip.compress("".join("\t".join(map(str, line)) + "\n" for line in lines).encode()))
        paths.append(str(path))
    return paths


def build(tmp: Path, parts: list[list[Line]], *, sexes: list[str] | None = None) -> Callset:
    sexes = sexes or ["unknown"] * 3
    order = np.array([2, 0, 1])
    sample_ids = [IDS[index] for index in order]
    writer = Writer(str(tmp / "x.callset"), callset.KIND, "run")
    totals = call_text.no_totals(3)
    spooled = tmp / "spool"
    spooled.mkdir()
    shards, files = [], []
    names = ["chr1", "chrX"]
    for spool in call_text.bins(write_parts(tmp, parts), contigs=names, n_samples=3, bin_bp=BIN, folder=spooled):
        shard, entries = call_text.write_bin(
            writer, spool, build="GRCh38", order=order, sample_ids=sample_ids, sexes=sexes, totals=totals
        )
        shards.append(shard)
        files += entries
    return callset.commit_callset(
        writer, build="GRCh38", contigs=[Contig("chr1", 10**6), Contig("chrX", 156040895)], shards=shards, files=files,
        samples=callset.write_samples(writer, call_text.samples_table(sample_ids, sexes, totals)), n_samples=3,
        alleles="trimmed", params={"collapsed": totals.n_collapsed}, after=0,
    )  # fmt: skip


def rows_of(opened: Callset) -> dict[tuple[str, int, str, str], list[int]]:
    found = {}
    for shard in opened.shards:
        block = callset.read_genotypes(opened, shard, 0, shard.n_sites)
        for site, row in zip(opened.sites(shard).to_pylist(), block, strict=True):
            assert shard.start < site["position"] <= shard.end
            found[site["contig"], site["position"], site["ref"], site["alt"]] = row.tolist()
    return found


def test_counts_tell_one_copy_from_two(tmp_path: Path) -> None:
    opened = build(tmp_path, [[("chrX", 5, 5, "A", "C", "r2a"), ("chrX", 9, 9, "A", "G", ".01")]])
    first, second = opened.sites(opened.shards[0]).to_pylist()
    assert [first[name] for name in call_text.COUNTS] == [3, 0, 0, 1, 1, 1]
    assert (first["ac"], first["an"], first["missing_no_call"]) == (3, 4, 0)
    assert (second["ac"], second["an"], second["missing_no_call"]) == (1, 4, 1)
    assert rows_of(opened)["chrX", 5, "A", "C"] == [2, 0, 2]  # columns b, c, a sorted by id: a, b, c
    samples = {row["sample_id"]: row for row in opened.samples().to_pylist()}
    assert (samples["b"]["n_called"], samples["b"]["n_haploid_ref"]) == (1, 1)
    assert (samples["a"]["n_called"], samples["a"]["n_het"], samples["a"]["n_haploid_alt"]) == (2, 1, 1)


def test_a_trimmed_row_moves_into_the_next_bin_and_meets_its_twin(tmp_path: Path) -> None:
    """AT>AG at 100 is T>G at 101, in the bin behind; the stronger of two calls of one allele stays."""
    opened = build(
        tmp_path,
        [
            [("chr1", 99, 99, "A", "C", "000"), ("chr1", 100, 101, "T", "G", "10.")],
            [("chr1", 101, 101, "T", "G", ".20")],
        ],
    )
    assert rows_of(opened) == {("chr1", 99, "A", "C"): [0, 0, 0], ("chr1", 101, "T", "G"): [0, 1, 2]}
    assert opened.commit.meta["params"]["collapsed"] == 1


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(
        st.tuples(
            st.integers(1, 350), st.integers(0, 120), st.sampled_from("CGT"), st.text(".012ra", min_size=3, max_size=3)
        ),
        min_size=1,
        max_size=40,
    ),
    cuts=st.lists(st.integers(0, 40), max_size=3),
)
def test_any_lines_come_back(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[int, int, str, str]], cuts: list[int]
) -> None:
    ordered: list[Line] = [("chr1", at, at + shift, "A", alt, calls) for at, shift, alt, calls in sorted(lines)]
    edges = [0, *sorted(min(cut, len(ordered)) for cut in cuts), len(ordered)]
    parts = [ordered[low:high] for low, high in itertools.pairwise(edges)]
    expected: dict[tuple[str, int, str, str], list[str]] = {}
    strength = {".": 0, "0": 1, "r": 1, "1": 2, "2": 3, "a": 3}
    for contig, _, position, ref, alt, calls in ordered:
        row = expected.setdefault((contig, position, ref, alt), list(calls))
        for index, code in enumerate(calls):
            if strength[code] > strength[row[index]]:
                row[index] = code
    hard = {".": -9, "0": 0, "1": 1, "2": 2, "r": 0, "a": 2}
    opened = build(tmp_path_factory.mktemp("lines"), parts)
    assert rows_of(opened) == {key: [hard[row[i]] for i in (2, 0, 1)] for key, row in expected.items()}
    assert list(rows_of(opened)) == sorted(expected)


def test_text_of_a_shard_is_the_text_it_was_made_from(tmp_path: Path) -> None:
    """A man's calls on X are of one copy outside the pseudo-autosomal regions and of two inside."""
    lines: list[Line] = [("chrX", 2781479, 2781479, "A", "C", "1.0"), ("chrX", 2781480, 2781480, "A", "C", "a.1")]
    opened = build(tmp_path, [lines], sexes=["female", "male", "male"])
    text = b"".join(gzip.decompress(call_text.encode_shard(opened, shard)) for shard in opened.shards).decode()
    assert [line.split("\t") for line in text.splitlines()] == [
        ["chrX", "2781479", "2781479", "A", "C", "01."],
        ["chrX", "2781480", "2781480", "A", "C", "1a."],
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([("chr1", 5, 5, "A", "C", "00")], "expected 3 genotypes"),
        ([("chr1", 5, 5, "A", "C", "000"), ("chr1", 4, 4, "A", "C", "000")], "not in the order"),
        ([("chr1", 5, 5, "A", "C", "0x0")], "no genotype"),
    ],
)
def test_lines_that_break_the_promise_are_refused(tmp_path: Path, lines: list[Line], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        build(tmp_path, [lines])


def test_large_rows_are_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_text, "BLOCK_BYTES", 6)  # two rows of three samples
    lines: list[Line] = [("chr1", at, at, "A", "C", "012"[at % 3] * 3) for at in range(1, 12)]
    rows = rows_of(build(tmp_path, [lines]))
    assert rows == {("chr1", at, "A", "C"): [at % 3] * 3 for at in range(1, 12)}
