"""The joint caller's kernels by themselves: `.venv/bin/pytest benchmarks/bench_joint.py --benchmark-enable`.

Without --benchmark-enable each runs once, as a test. The input is made here, from a fixed seed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cohelix.joint import kernels
from cohelix.joint.genotype import kernels as g
from cohelix.joint.gvcf import kernels as text_kernels
from cohelix.joint.overlap import kernels as o
from cohelix.joint.schema import REASONS, SAMPLE_COUNTS, SITE_COUNTS

BLOCKS, SITES, SAMPLES = 200_000, 2_000, 200


def test_tokenise(benchmark: Any) -> None:
    """18 MB as GATK writes them: nine blocks, then a het."""
    rng = np.random.default_rng(1)
    depth = rng.integers(1, 60, BLOCKS).tolist()
    lines = [
        f"chr22\t{100 * i + 1}\t.\tA\t<NON_REF>\t.\t.\tEND={100 * i + 100}\t"
        f"GT:DP:GQ:MIN_DP:PL\t0/0:{d}:{d}:{d}:0,{d},9{d}"
        if i % 10
        else f"chr22\t{100 * i + 1}\t.\tA\tG,<NON_REF>\t30.6\t.\tDP={d}\t"
        f"GT:AD:DP:GQ:PL:SB\t0/1:9,{d},0:{d}:40:40,0,326,76,335,411:5,7,2,1"
        for i, d in enumerate(depth)
    ]
    text = np.frombuffer(("\n".join(lines) + "\n").encode(), np.uint8)
    names = np.frombuffer(b"chr22", np.uint8)
    table = np.empty((BLOCKS, text_kernels.N_COLUMNS), np.int32)
    n, status, _ = benchmark(text_kernels.tokenise, text, names, np.array([0, 5], np.int64), 0, table)
    assert (n, status) == (BLOCKS, text_kernels.OK)
    assert table[:, text_kernels.DP].tolist() == depth
    assert table[:, text_kernels.KIND].sum() == BLOCKS // 10


def _carriers() -> tuple[np.ndarray, np.ndarray]:
    """(sample, site) of 40,000 hets: site 100 bases apart, sorted by sample, then site."""
    cells = np.random.default_rng(2).choice(SAMPLES * SITES, SAMPLES * SITES // 10, replace=False)
    cells.sort()
    return cells // SITES, cells % SITES


def _collect(site: np.ndarray) -> tuple[np.ndarray, ...]:
    n = site.size
    each = np.arange(n + 1, dtype=np.int32)
    return kernels.collect_alleles(
        (100 * site + 50).astype(np.int32), np.full(n, 40, np.int32), np.tile(np.array([0, 1], np.int16), (n, 1)),
        each, np.full(n, ord("A"), np.uint8), each, np.where(site % 2, ord("G"), ord("T")).astype(np.uint8),
        3 * each, np.tile(np.array([40, 0, 300], np.int32), n), True,
    )  # fmt: skip


def test_collect_alleles(benchmark: Any) -> None:
    _, site = _carriers()
    codes, found, lead, quality = benchmark(_collect, site)
    assert len(found) == np.unique(site).size
    assert found[:, kernels.A_COPIES].tolist() == np.bincount(site)[found[:, kernels.A_START] // 100].tolist()
    assert (codes[:, 0] == kernels.REF).all() and (lead == 0).all() and (quality == 40).all()


def test_genotype_samples(benchmark: Any) -> None:
    """2,000 rows of 200 samples, a tenth of the genotypes het, the rest under one reference block per row."""
    sample, site = _carriers()
    codes, found, _, _ = _collect(site)
    row_of = (found[:, kernels.A_START] // 100).astype(np.int32)
    alleles = np.zeros((len(found), g.L_COLUMNS), np.int32)
    alleles[:, g.L_ROW] = row_of
    records = np.zeros((site.size, o.R_COLUMNS), np.int32)
    start = 100 * site + 50
    records[:, [o.R_START, o.R_BODY_START]] = start[:, None]
    records[:, [o.R_END, o.R_BODY_END]] = start[:, None] + 1
    records[:, o.R_GQ], records[:, o.R_DP], records[:, o.R_QUALITY] = 40, 20, 40
    records[:, [o.R_CODE1, o.R_CODE2]] = codes
    records[:, [o.R_REF_READS, o.R_READS1, o.R_READS2]] = 10
    rows = np.zeros((SITES, g.W_COLUMNS), np.int32)
    rows[:, g.W_POSITION] = 100 * np.arange(SITES) + 50
    rows[:, g.W_EVIDENCE_END] = rows[:, g.W_POSITION] + 1
    blocks = np.tile(100 * np.arange(SITES, dtype=np.int32), SAMPLES)
    full = [np.full(blocks.size, value, np.int32) for value in (40, 20)]
    settings = np.zeros(g.S_COLUMNS, np.int64)
    settings[[g.S_GQ0_NOCALL, g.S_ADJ_GQ, g.S_ADJ_DP, g.S_ADJ_DP1, g.S_ADJ_AB_PERMILLE]] = 1, 20, 10, 5, 200
    cells, known = np.empty((2, SAMPLES, SITES), np.int8)
    counts = [
        np.zeros((SITES, len(REASONS)), np.int64), np.zeros((SITES, len(SITE_COUNTS)), np.int64),
        np.zeros((SAMPLES, len(SAMPLE_COUNTS)), np.int64),
    ]  # fmt: skip
    record_at = np.searchsorted(sample, np.arange(SAMPLES + 1)).astype(np.int64)
    block_at = SITES * np.arange(SAMPLES + 1, dtype=np.int64)
    benchmark(
        g.genotype_samples, rows, np.full((3, SITES), 2, np.int8), np.zeros(SAMPLES, np.int8), alleles, records,
        record_at, blocks, blocks + 100, *full, np.full(blocks.size, 2, np.int8), block_at, settings,
        cells, known, *counts,
    )  # fmt: skip
    assert (cells[sample, site] == 1).all() and (cells == 1).sum() == site.size and (cells >= 0).all()
    rounds = counts[1][:, 0].sum() // cells.size
    assert rounds >= 1
    assert counts[1][:, SITE_COUNTS.index("ac")].tolist() == (rounds * np.bincount(site, minlength=SITES)).tolist()
    assert counts[2][:, SAMPLE_COUNTS.index("n_het")].tolist() == (rounds * np.bincount(sample)).tolist()
    assert counts[0].sum() == 0
