"""The tables of `cohelix relatedness estimate`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cohelix.relatedness import degrees
from cohelix.relatedness.king import kernels
from cohelix.relatedness.king.scan import Found, kinship_of, sites_of
from cohelix.relatedness.schema import RelatednessParams

PC_COLUMNS = ("pc_kinship", "ibd0", "ibd1", "ibd2")


@dataclass(frozen=True)
class Admixed:
    """What PC-Relate says of each pair, float64 (pairs,); NaN where it says nothing."""

    kinship: np.ndarray
    ibd0: np.ndarray
    ibd1: np.ndarray
    ibd2: np.ndarray


def pairs_table(found: Found, admixed: Admixed, sample_ids: list[str], params: RelatednessParams) -> pa.Table:
    """A row per pair, in the order of the samples: see `docs/methods/relatedness.md`.

    Degree and relationship are those of PC-Relate's kinship where there is one, unless KING's is of first degree or
    above: chance and ancestry do not make strangers that, while components which follow families, as those of a fit to
    related people do, take kinship from PC-Relate.
    """
    counts, kinship = found.counts, kinship_of(found.counts)
    n_sites = sites_of(counts)
    best = np.where(np.isnan(admixed.kinship) | (kinship >= degrees.CUTOFFS[1]), kinship, admixed.kinship)
    degree = degrees.degrees(best)
    expected = degrees.unrelated_ibs0(counts, found.ibs0_rate)
    ibs0 = counts[:, kernels.IBS0]
    relationship = degrees.relationships(degree, ibs0, n_sites, expected, params.max_parent_child_ibs0)
    ids, names = pa.array(sample_ids, pa.string()), pa.array(degrees.RELATIONSHIPS, pa.string())
    return pa.table({
        "sample_id_1": ids.take(pa.array(found.pairs[:, 0])),
        "sample_id_2": ids.take(pa.array(found.pairs[:, 1])),
        "n_sites": n_sites,
        "n_het_1": counts[:, kernels.HET_HET] + counts[:, kernels.HET_HOM],
        "n_het_2": counts[:, kernels.HET_HET] + counts[:, kernels.HOM_HET],
        "n_het_het": counts[:, kernels.HET_HET],
        "n_ibs0": ibs0,
        "kinship": kinship,
        "degree": degree,
        "relationship": names.take(pa.array(relationship)),
        "ibs0_rate": ibs0 / np.maximum(n_sites, 1),
        "pc_kinship": admixed.kinship,
        "ibd0": admixed.ibd0,
        "ibd1": admixed.ibd1,
        "ibd2": admixed.ibd2,
    })  # fmt: skip


def aou_rows(table: pa.Table, min_kinship: float) -> list[tuple[str, str, float]]:
    """Rows `i.s`, `j.s`, `kin` of pairs above `min_kinship`: PC-Relate's kinship where there is one, else KING's."""
    best = best_kinship(table)
    above = np.flatnonzero(best > min_kinship)
    some = table.select(["sample_id_1", "sample_id_2"]).take(pa.array(above))
    return list(zip(some[0].to_pylist(), some[1].to_pylist(), best[above].tolist(), strict=True))


def best_kinship(table: pa.Table) -> np.ndarray:
    """float64 (pairs,): PC-Relate's kinship where there is one, else KING's."""
    of_pcs = table.column("pc_kinship").to_numpy()
    return np.asarray(np.where(np.isnan(of_pcs), table.column("kinship").to_numpy(), of_pcs))


def counts_of(table: pa.Table) -> dict[str, dict[str, int]]:
    """Pairs by degree and by relationship, every one of them named."""
    of_degree = Counter(table.column("degree").to_pylist())
    named = Counter(pc.cast(table.column("relationship"), pa.string()).to_pylist())
    return {
        "by_degree": {str(degree): of_degree[degree] for degree in range(5)},
        "by_relationship": {name: named[name] for name in degrees.RELATIONSHIPS},
    }


def histogram_of(found: Found) -> dict[str, Any]:
    """Counts of all pairs by kinship and rate of opposite homozygotes; end bins take what lies beyond."""
    rows, columns = found.histogram.shape
    return {
        "kinship_edges": [round(kernels.KINSHIP_START + kernels.KINSHIP_STEP * at, 10) for at in range(rows)],
        "ibs0_edges": [round(kernels.IBS0_STEP * at, 10) for at in range(columns + 1)],
        "counts": found.histogram[1:].tolist(),
    }
