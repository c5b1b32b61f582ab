"""Genotypes of callsets and of Hail tables as dictionaries, to be compared cell by cell."""

from __future__ import annotations

from typing import Any

import numpy as np

from cohelix.genotypes import callset
from cohelix.genotypes.callset import Callset

Key = tuple[str, int, str, str]
COUNTS = ("n_called", "n_hom_ref", "n_het", "n_hom_alt", "ac", "an")


def genotypes(opened: Callset) -> dict[Key, np.ndarray]:
    """Row to int8 (samples,) in the order of the samples table."""
    found = {}
    for shard in opened.shards:
        block = callset.read_genotypes(opened, shard, 0, shard.n_sites)
        for site, row in zip(opened.sites(shard).to_pylist(), block, strict=True):
            found[site["contig"], site["position"], site["ref"], site["alt"]] = row
    return found


def counts(opened: Callset) -> dict[Key, tuple[int, ...]]:
    """Row to the counts of its sites table, in the order of COUNTS."""
    sites = [site for shard in opened.shards for site in opened.sites(shard).to_pylist()]
    return {
        (site["contig"], site["position"], site["ref"], site["alt"]): tuple(site[name] for name in COUNTS)
        for site in sites
    }


def hail_genotypes(hail: Any, matrix: Any) -> dict[Key, np.ndarray]:
    """Row to int8 (samples sorted by id,) of a biallelic table: copies of ALT, a haploid ALT is 2, -9 missing.

    Rows are keyed by `hl.min_rep`: Hail's split trims only rows that it splits.
    """
    copies = matrix.GT.n_alt_alleles() * hail.if_else(matrix.GT.is_haploid(), 2, 1)
    table = matrix.select_entries(n=hail.coalesce(copies, -9)).select_rows().select_cols()
    table = table.localize_entries("entries", "columns")
    table = table.annotate(site=hail.min_rep(table.locus, table.alleles))
    ids = [column.s for column in hail.eval(table.columns)]
    order = sorted(range(len(ids)), key=lambda index: ids[index].encode())
    found = {}
    rows = table.collect()
    for row in rows:
        calls = [-9 if entry is None else entry.n for entry in row.entries]
        found[_key(row)] = np.array(calls, np.int8)[order]
    assert len(found) == len(rows)
    return found


def hail_counts(hail: Any, matrix: Any) -> dict[Key, tuple[int, ...]]:
    """Row to Hail's own `variant_qc`, in the order of COUNTS."""
    table = hail.variant_qc(matrix).rows()
    qc = table.variant_qc
    site = hail.min_rep(table.locus, table.alleles)
    table = table.select(site=site, counts=[
        qc.n_called, hail.int64(qc.homozygote_count[0]), qc.n_het, hail.int64(qc.homozygote_count[1]),
        hail.int64(qc.AC[1]), hail.int64(qc.AN),
    ])  # fmt: skip
    return {_key(row): tuple(row.counts) for row in table.collect()}


def _key(row: Any) -> Key:
    return row.site.locus.contig, row.site.locus.position, row.site.alleles[0], row.site.alleles[1]
