"""Matrices of packed genotypes: the rows and samples that were chosen, whatever the shards and blocks."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from cohelix.errors import ContractError, InputError
from cohelix.genotypes import callset as store
from cohelix.genotypes import vcf
from cohelix.genotypes.callset import Callset
from cohelix.genotypes.packed.counting import pack
from cohelix.genotypes.packed.kernels import take_samples
from cohelix.genotypes.packed.matrix import block_edges, matrix_of
from tests.genotypes.conftest import WriteVcf

SAMPLES = tuple(f"s{number:02d}" for number in range(37))
CALLS = ("0/0", "0/1", "1/1", "./.")


@pytest.fixture
def made(write_vcf: WriteVcf, tmp_path: Path) -> Callset:
    """SNPs on two autosomes, in several shards; and what a matrix passes by: indels, shared positions, X."""
    rng = np.random.default_rng(5)
    rows = []
    for contig in ("chr1", "chr2", "chrX"):
        for place in range(60):
            alleles = "A C" if place % 5 else "A AC"
            calls = " ".join(rng.choice(CALLS, len(SAMPLES)).tolist())
            rows.append(f"{contig} {1000 + 700_000 * place} {alleles} {calls}")
            if place == 31:
                rows.append(f"{contig} {1000 + 700_000 * place} A G {calls}")
    path = write_vcf(rows, SAMPLES)
    return vcf.import_vcf(str(path), str(tmp_path / "made.callset"), build="GRCh38")


def expected(callset: Callset) -> tuple[list[tuple[str, int]], np.ndarray]:
    """Sites and int8 genotypes that a matrix should have, a row at a time."""
    named, rows = [], []
    for shard in callset.shards:
        sites = callset.sites(shard).to_pylist()
        block = store.read_genotypes(callset, shard, 0, shard.n_sites)
        for row, site in enumerate(sites):
            alone = sum(other["position"] == site["position"] for other in sites) == 1
            if site["kind"] == "snp" and alone and site["contig"] != "chrX":
                named.append((site["contig"], site["position"]))
                rows.append(block[row])
    return named, np.array(rows)


def test_a_matrix_holds_autosomal_snps_alone_at_their_position(made: Callset) -> None:
    matrix = matrix_of(made)
    named, rows = expected(made)
    sites = matrix.sites()
    assert list(zip(sites.column("contig").to_pylist(), sites.column("position").to_pylist(), strict=True)) == named
    assert len(made.shards) > 2 and 0 < matrix.n_sites == len(named) < made.n_sites
    assert np.array_equal(matrix.read(0, matrix.n_sites), pack(rows))


@pytest.mark.parametrize("block_rows", [1, 7, 16, 1000])
def test_blocks_cross_shards_and_rows_and_samples_are_taken(made: Callset, block_rows: int) -> None:
    _, rows = expected(made)
    some, people = np.array([0, 3, 4, 20, 60, 61, 90]), np.array([0, 5, 31, 32, 36])
    chosen = matrix_of(made).take(some).of_samples(people)
    assert chosen.sample_ids() == [SAMPLES[row] for row in people]
    again = chosen.of_samples(np.array([1, 4])).take(np.array([2, 6]))
    assert np.array_equal(again.read(0, 2), pack(rows[some[[2, 6]]][:, people[[1, 4]]]))
    travelled = pickle.loads(pickle.dumps(chosen))  # noqa: S301  # our own bytes: as a task travels
    blocks = list(travelled.blocks(1, 7, block_rows))
    assert [first for first, _ in blocks] == [1 + start for start, _ in block_edges(6, block_rows)]
    assert np.array_equal(np.concatenate([block for _, block in blocks]), pack(rows[some[1:]][:, people]))


def test_samples_are_taken_from_packed_rows() -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 4, (9, 101)).astype(np.int8)
    for count in (1, 31, 32, 33, 101):
        people = np.sort(rng.choice(101, count, replace=False))
        out = np.empty((9, -(-count // 32)), np.uint64)
        take_samples(pack(rows), people, out)
        assert np.array_equal(out, pack(rows[:, people]))


def test_what_does_not_fit_is_refused(made: Callset, write_vcf: WriteVcf, tmp_path: Path) -> None:
    matrix = matrix_of(made)
    for wrong in ([3, 3], [-1], [matrix.n_sites], [4, 2]):
        with pytest.raises(ContractError):
            matrix.take(np.array(wrong))
    with pytest.raises(ContractError):
        matrix.of_samples(np.array([len(SAMPLES)]))
    with pytest.raises(ContractError):
        list(matrix.blocks(0, matrix.n_sites + 1))
    only_x = vcf.import_vcf(str(write_vcf(["chrX 5000000 A C 0/1 0/1 0/1"])), str(tmp_path / "x.callset"))
    with pytest.raises(InputError, match="autosomal biallelic SNPs"):
        matrix_of(only_x)
