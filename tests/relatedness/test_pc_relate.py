"""PC-Relate against its plain definition, a published truth (GENESIS in R), and itself cut otherwise."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from cohelix.errors import ContractError, InputError
from cohelix.genotypes.packed.counting import pack
from cohelix.relatedness import pc_relate as module
from cohelix.relatedness.pc_relate import batches_of, orthonormal, pc_relate
from cohelix.relatedness.pcrelate import kernels
from cohelix.relatedness.schema import PcRelateParams
from cohelix.runtime.local import LocalRuntime
from tests.oracles import packed
from tests.oracles import pc_relate as oracle
from tests.relatedness.made import CALLS, all_pairs, callset_of, families

FIELDS = ("kinship", "ibd0", "ibd1", "ibd2")


def test_project_rows_sums_genotypes_and_what_is_missing() -> None:
    random = np.random.default_rng(1)
    for n_samples in (1, 31, 33, 300):
        rows = random.integers(0, 4, (9, n_samples))
        block = pack(np.where(rows == 3, -9, rows).astype(np.int8))
        basis = np.zeros((3, 32 * block.shape[1]))
        basis[:, :n_samples] = random.normal(size=(3, n_samples))
        sums, absent = np.empty((9, 3), np.int64), np.empty((9, 3), np.int64)
        counts = np.empty((9, 2), np.int64)
        kernels.project_rows(block, basis * kernels.BASIS_SCALE, sums, absent, counts)
        dose, gone = oracle.projection(rows.tolist(), basis[:, :n_samples])
        assert np.allclose(sums / kernels.BASIS_SCALE, dose, rtol=0, atol=1e-9)
        assert np.allclose(absent / kernels.BASIS_SCALE, gone, rtol=0, atol=1e-9)
        assert counts[:, 1].tolist() == [row.count(3) for row in rows.tolist()]
        assert counts[:, 0].tolist() == [sum(g for g in row if g < 3) for row in rows.tolist()]


def test_decode_doses_and_add_missing() -> None:
    rows = np.random.default_rng(2).integers(0, 4, (5, 70))
    basis = np.arange(3 * 96, dtype=np.float64).reshape(3, 96)
    for row, words in zip(rows.tolist(), packed.pack(rows.tolist()), strict=True):
        doses, out = np.empty(96), np.zeros(3, np.int64)
        kernels.decode_doses(words, doses)
        assert doses.tolist() == [g if g < 3 else 0 for g in row] + [0] * 26
        missing = [sample for sample, g in enumerate(row) if g == 3]
        assert kernels.add_missing(words, 0, basis, out) == len(missing)
        assert out.tolist() == basis[:, missing].sum(axis=1).tolist()


def test_fill_columns_and_add_pairs() -> None:
    """fill_sample and add_pair are within them. Frequencies beyond both ends, missing genotypes, a short block."""
    random = np.random.default_rng(3)
    n_sites, n_samples, k, floor = 200, 40, 3, 0.05
    rows = random.integers(0, 4, (n_sites, n_samples))
    basis = np.column_stack([np.ones(n_samples), random.normal(0, 0.3, (n_samples, k - 1))])
    coefficients = np.full((k, kernels.BLOCK_SITES), np.nan)
    coefficients[:, :n_sites] = random.normal(0, 0.4, (k, n_sites))
    coefficients[0, :n_sites] += 0.5
    mu = basis @ coefficients[:, :n_sites]
    assert (mu < 0).any() and (mu > 1).any()
    columns = np.empty((n_samples, 5, kernels.BLOCK_SITES))
    planes = np.empty((n_samples, 3, kernels.BLOCK_SITES // 64), np.uint64)
    own = np.zeros((n_samples, 2), np.int64)
    block = pack(np.where(rows == 3, -9, rows).astype(np.int8))
    kernels.fill_columns(block, basis, coefficients, floor, columns, planes, own)
    pairs = all_pairs(n_samples)
    sums, counts = np.zeros((len(pairs), 7), np.int64), np.zeros((len(pairs), 2), np.int64)
    kernels.add_pairs(columns, planes, pairs, sums, counts)
    for (i, j), found, (n_both, n_opposite) in zip(pairs.tolist(), sums / kernels.SUM_SCALE, counts, strict=True):
        expected, n_valid = oracle.pair_sums(rows.tolist(), mu, floor, i, j)
        assert np.allclose(found, expected, rtol=0, atol=1e-8)
        assert n_both == n_valid
        valid = (planes[i, kernels.VALID] & planes[j, kernels.VALID]).view(np.uint8)
        here = np.unpackbits(valid, bitorder="little")[:n_sites].astype(bool)
        assert n_opposite == (np.abs(rows[here, i] - rows[here, j]) == 2).sum()
    for sample in range(n_samples):
        expected, _ = oracle.pair_sums(rows.tolist(), mu, floor, sample, sample)
        assert np.allclose(own[sample] / kernels.SUM_SCALE, expected[:2], rtol=0, atol=1e-8)


@pytest.mark.parametrize("min_maf", [0.0, 0.01, 0.1])
def test_estimates_are_those_of_the_definition(min_maf: float, tmp_path: Path) -> None:
    genotypes, pcs = families(900, 4)
    genotypes[5] = 3  # nobody called
    matrix = callset_of(genotypes, tmp_path)
    pairs = all_pairs(len(pcs))
    found = pc_relate(matrix, pcs, pairs, PcRelateParams(min_individual_maf=min_maf), LocalRuntime(2))
    with np.errstate(invalid="ignore"):
        expected = oracle.estimates(np.where(genotypes == 3, np.nan, genotypes), pcs, min_maf)
    for name in FIELDS:
        assert np.allclose(getattr(found, name), expected[name][pairs[:, 0], pairs[:, 1]], rtol=0, atol=1e-7), name
    assert np.array_equal(found.n_sites, expected["n_sites"][pairs[:, 0], pairs[:, 1]])
    of = {tuple(pair): row for row, pair in enumerate(pairs.tolist())}
    assert abs(found.kinship[of[126, 127]] - 0.5) < 0.08  # a twin
    assert abs(found.kinship[of[0, 120]] - 0.25) < 0.08 and abs(found.ibd0[of[0, 120]]) < 0.08  # a parent
    assert 0.05 < found.ibd2[of[120, 121]] < 0.45  # full siblings


def test_the_same_bits_however_it_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Order of pairs, threads, tasks, and scale of components do not matter, nor which other pairs are asked for."""
    genotypes, pcs = families(1100, 5)
    matrix = callset_of(genotypes, tmp_path)
    pairs, params = all_pairs(len(pcs)), PcRelateParams()
    whole = pc_relate(matrix, pcs, pairs, params, LocalRuntime(1))
    monkeypatch.setattr(module, "_TASK_SITES", 256)
    monkeypatch.setattr(module, "_TASK_SAMPLES", 20)
    monkeypatch.setattr(module, "_TASK_PAIRS", 50)
    monkeypatch.setattr(module, "_TILE", 4)
    order = np.random.default_rng(6).permutation(len(pairs))[:500]
    cut = pc_relate(matrix, pcs, pairs[order], params, LocalRuntime(2))
    for name in (*FIELDS, "n_sites"):
        assert getattr(cut, name).tobytes() == getattr(whole, name)[order].tobytes(), name
    scaled = pc_relate(matrix, pcs * [1000.0, 1e-3], pairs[:100], params, LocalRuntime(1))
    assert np.allclose(scaled.kinship, whole.kinship[:100], rtol=0, atol=1e-9)


@pytest.mark.real
def test_against_the_truth_of_r(data: Path, tmp_path: Path) -> None:
    """GENESIS on a Balding-Nichols cohort, within the tolerances of Hail's own test of it; as there, 2 components of
    all samples."""
    lines = gzip.decompress((data / "pc_relate" / "pc_relate_bn_input.vcf.bgz").read_bytes()).decode().splitlines()
    rows = [line.split("\t")[9:] for line in lines if not line.startswith("#")]
    genotypes = np.array([[CALLS.index(call) for call in row] for row in rows])
    names = next(line for line in lines if line.startswith("#CHROM")).split("\t")[9:]
    frequency = genotypes.mean(axis=1) / 2
    varies = (frequency > 0) & (frequency < 1)
    centred = (genotypes - 2 * frequency[:, None])[varies] / np.sqrt(2 * frequency * (1 - frequency))[varies, None]
    pcs = np.linalg.svd(centred, full_matrices=False)[2][:2].T
    pairs = all_pairs(len(names))
    runtime = LocalRuntime(2)
    found = pc_relate(callset_of(genotypes, tmp_path), pcs, pairs, PcRelateParams(min_individual_maf=0.0), runtime)
    truth = {}
    text = gzip.decompress((data / "pc_relate" / "pc_relate_r_truth.tsv.bgz").read_bytes()).decode()
    for line in text.splitlines()[1:]:
        i, j, *values = line.split("\t")
        truth[frozenset((json.loads(i)["s"], json.loads(j)["s"]))] = [float(value) for value in values]
    expected = np.array([truth[frozenset((names[i], names[j]))] for i, j in pairs.tolist()])
    assert len(truth) == len(pairs) == 4950
    for name, column, tolerance in zip(FIELDS, expected.T, (1e-3, 1.3e-2, 2.6e-2, 1.3e-2), strict=True):
        assert np.abs(getattr(found, name) - column).max() <= tolerance, name


def test_samples_without_components_are_left_out(tmp_path: Path) -> None:
    genotypes, pcs = families(300, 7)
    matrix = callset_of(genotypes, tmp_path)
    pairs, params = all_pairs(len(pcs)), PcRelateParams()
    holed = pcs.copy()
    holed[[3, 125]] = np.nan
    found = pc_relate(matrix, holed, pairs, params, LocalRuntime(1))
    lacks = np.isin(pairs, [3, 125]).any(axis=1)
    assert np.isnan(found.kinship[lacks]).all() and not found.n_sites[lacks].any()
    rest = np.setdiff1d(np.arange(len(pcs)), [3, 125])
    alone = pc_relate(matrix.of_samples(rest), pcs[rest], all_pairs(len(rest)), params, LocalRuntime(1))
    assert found.kinship[~lacks].tobytes() == alone.kinship.tobytes()
    nobody = pc_relate(matrix, np.full_like(pcs, np.nan), pairs[:3], params, LocalRuntime(1))
    assert np.isnan(nobody.ibd1).all()
    assert pc_relate(matrix, pcs, pairs[:0], params, LocalRuntime(1)).kinship.shape == (0,)


def test_components_too_many_and_pairs_that_do_not_fit(tmp_path: Path) -> None:
    genotypes, pcs = families(20, 8)
    matrix = callset_of(genotypes, tmp_path)
    with pytest.raises(InputError, match="found 128 for 127"):
        pc_relate(matrix, np.ones((128, 127)), all_pairs(128), PcRelateParams(), LocalRuntime(1))
    with pytest.raises(ContractError):
        pc_relate(matrix, pcs, np.array([[0, 128]]), PcRelateParams(), LocalRuntime(1))


def test_orthonormal_drops_what_others_make_up() -> None:
    random = np.random.default_rng(9)
    pcs = random.normal(size=(50, 3))
    wide = np.column_stack([pcs, pcs[:, 0] + 2 * pcs[:, 1] - 5, np.full(50, 3.0)])
    basis = orthonormal(wide)
    assert basis.shape == (50, 4)
    assert np.allclose(basis.T @ basis, np.eye(4), atol=1e-14)
    fit = basis @ (basis.T @ wide)
    assert np.allclose(fit, wide, atol=1e-12)


def test_batches_hold_every_pair_once_and_few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TASK_SAMPLES", 30)
    random = np.random.default_rng(10)
    pairs = np.unique(np.sort(random.integers(0, 200, (900, 2)), axis=1), axis=0)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    batches = batches_of(pairs)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(pairs)))
    assert max(len(np.unique(pairs[batch])) for batch in batches) <= 30
    assert len(batches) > 5
