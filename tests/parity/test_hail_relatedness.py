"""Kinship and unrelated sets side by side with Hail, on a made cohort of mixed ancestry with families."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from cohelix.relatedness.pc_relate import pc_relate
from cohelix.relatedness.prune import Related, choose_kept
from cohelix.relatedness.run import estimate
from cohelix.relatedness.schema import PcRelateParams, RelatednessParams
from cohelix.runtime.local import LocalRuntime
from tests.relatedness.made import all_pairs, callset_of, families

pytestmark = pytest.mark.jvm


@dataclass(frozen=True)
class Cohort:
    folder: Path
    genotypes: np.ndarray
    pcs: np.ndarray
    ours: Any
    theirs: Any

    def number(self, sample: str) -> int:
        return int(sample.removeprefix("s"))


@pytest.fixture(scope="module")
def cohort(hail: Any, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("families")
    genotypes, pcs = families(900, 11)
    ours = callset_of(genotypes, folder)
    theirs = hail.import_vcf(str(folder / "made.vcf"), reference_genome="GRCh38", min_partitions=2)
    scores = hail.literal(dict(zip(ours.sample_ids(), pcs.tolist(), strict=True)))
    return Cohort(folder, genotypes, pcs, ours, theirs.annotate_cols(scores=scores[theirs.s]))


def as_hail_reads(genotypes: np.ndarray) -> np.ndarray:
    """With missing genotypes as called where the mean of the row's others is 0, 1 or 2.

    Hail imputes the mean, and tells a genotype that is missing by its not being 0, 1 or 2.
    """
    out = genotypes.copy()
    for row in out:
        called = row[row != 3]
        if called.sum() % len(called) == 0:
            row[row == 3] = called.sum() // len(called)
    return out


def test_pc_relate(hail: Any, cohort: Cohort, tmp_path: Path) -> None:
    """Equal to rounding, on every pair, at the minimal frequency of All of Us, but for what `as_hail_reads` tells."""
    pairs = all_pairs(len(cohort.pcs))
    read = as_hail_reads(cohort.genotypes)
    ours = pc_relate(callset_of(read, tmp_path), cohort.pcs, pairs, PcRelateParams(), LocalRuntime(2))
    own = pc_relate(cohort.ours, cohort.pcs, pairs, PcRelateParams(), LocalRuntime(2))
    assert 0 < (read != cohort.genotypes).any(axis=1).sum() < 0.05 * len(read)
    table = hail.pc_relate(cohort.theirs.GT, 0.01, scores_expr=cohort.theirs.scores, block_size=64)
    theirs = {(cohort.number(row.i.s), cohort.number(row.j.s)): row for row in table.collect()}
    assert len(theirs) == len(pairs)
    rows = [theirs[one, other] for one, other in pairs.tolist()]
    for name, field in (("kin", "kinship"), ("ibd0", "ibd0"), ("ibd1", "ibd1"), ("ibd2", "ibd2")):
        expected = np.array([row[name] for row in rows])
        far = np.abs(getattr(ours, field) - expected).max()
        assert far < 1e-7, (name, far)
        assert np.abs(getattr(own, field) - expected).max() < 0.05
    whole = ~(read != cohort.genotypes).any(axis=0)  # pairs of samples that it does not concern
    clear = whole[pairs].all(axis=1)
    assert np.abs(own.kinship - np.array([row.kin for row in rows]))[clear].max() < 1e-7


def test_king(hail: Any, cohort: Cohort) -> None:
    """Every pair that is listed has Hail's kinship, and every pair that Hail finds related is listed."""
    params = RelatednessParams()
    estimate(cohort.ours.callset.root, str(cohort.folder / "out"), params, PcRelateParams(), LocalRuntime(2))
    found = pq.read_table(cohort.folder / "out" / "pairs.parquet").to_pylist()
    entries = hail.king(cohort.theirs.GT, block_size=64).entries().collect()
    phi = {(row.s_1, row.s): row.phi for row in entries if row.s_1 < row.s}
    assert len(phi) == len(all_pairs(len(cohort.pcs)))
    for row in found:
        assert abs(phi[row["sample_id_1"], row["sample_id_2"]] - row["kinship"]) < 1e-12
    listed = {(row["sample_id_1"], row["sample_id_2"]) for row in found}
    assert listed == {pair for pair, value in phi.items() if value >= params.min_kinship}
    assert len(listed) > 15


def test_unrelated_set(hail: Any) -> None:
    """Never fewer than Hail keeps, on tangles of several sizes; more on some."""
    more = 0
    for seed, (n, n_pairs) in enumerate([(30, 30), (60, 90), (100, 160)]):
        ends = np.sort(np.random.default_rng(seed).integers(0, n, (n_pairs, 2)), axis=1)
        pairs = np.unique(ends[ends[:, 0] < ends[:, 1]], axis=0)
        table = hail.Table.parallelize(
            [{"i": one, "j": other} for one, other in pairs.tolist()], "struct{i:int32,j:int32}"
        )
        theirs = {row.node for row in hail.maximal_independent_set(table.i, table.j).collect()}
        involved = set(np.unique(pairs).tolist())
        dropped, facts = choose_kept(Related([f"s{v:03d}" for v in range(n)], pairs, "kinship"), [], 0, 128)
        kept = involved - set(dropped.tolist())
        assert not any(one in kept and other in kept for one, other in pairs.tolist())
        assert facts["exact"]
        assert len(kept) >= len(theirs)
        more += len(kept) - len(theirs)
    assert more > 0
