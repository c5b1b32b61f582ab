"""Genotypes of callsets and of Hail tables as dictionaries, to be compared cell by cell."""

from __future__ import annotations

import re
from pathlib import Path
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


def hail_rows(hail: Any, matrix: Any) -> tuple[dict[Key, np.ndarray], dict[Key, tuple[int, ...]]]:
    """Genotypes (copies of ALT, a haploid ALT is 2, -9 missing) and Hail's `variant_qc`, of a biallelic matrix table.

    Rows are keyed by `hl.min_rep`: Hail's split trims only rows that it splits. Samples are sorted by id.
    """
    qc = hail.variant_qc(matrix.select_rows().select_cols())
    copies = qc.GT.n_alt_alleles() * hail.if_else(qc.GT.is_haploid(), 2, 1)
    table = qc.select_entries(n=hail.coalesce(copies, -9)).localize_entries("entries", "columns")
    ids = [column.s for column in hail.eval(table.columns)]
    order = sorted(range(len(ids)), key=lambda index: ids[index].encode())
    found = table.variant_qc
    homozygotes = found.homozygote_count
    table = table.select(
        "entries",
        site=hail.min_rep(table.locus, table.alleles),
        counts=[
            hail.int64(count)
            for count in (
                found.n_called, homozygotes[0], found.n_het, homozygotes[1], found.AC[1], found.AN
            )
        ],
    )  # fmt: skip
    rows = table.collect()
    calls = {_key(row): np.array([-9 if e is None else e.n for e in row.entries], np.int8)[order] for row in rows}
    assert len(calls) == len(rows)
    return calls, {_key(row): tuple(row.counts) for row in rows}


def _key(row: Any) -> Key:
    return row.site.locus.contig, row.site.locus.position, row.site.alleles[0], row.site.alleles[1]


def near(left: np.ndarray, right: np.ndarray, floor: float = 1e-6) -> bool:
    """Whether floats are equal to 1e-6 of their size (those below 1 to `floor`), and unknown in the same places."""
    left, right = np.asarray(left, np.float64), np.asarray(right, np.float64)
    return left.shape == right.shape and np.allclose(left, right, rtol=1e-6, atol=floor, equal_nan=True)


def documented_counts(root: Path, page: str, on: str) -> dict[str, int]:
    """Class to count, from the table "Beside Hail" of a page of docs/methods: its rows about the data `on`."""
    text = (root / "docs" / "methods" / f"{page}.md").read_text()
    marked = re.search(r"<!-- hail-classes -->(.*?)<!-- end hail-classes -->", text, re.DOTALL)
    assert marked, f"docs/methods/{page}.md has no table between the marks hail-classes"
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in marked[1].strip().splitlines()]
    assert rows[0][:3] == ["class", "on", "count"]
    found = {(kind, data): int(number.replace(",", "")) for kind, data, number, *_ in rows[2:]}
    assert len(found) == len(rows) - 2
    return {kind: count for (kind, data), count in found.items() if data == on}
