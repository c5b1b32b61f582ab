"""The kept markers of all arrays as one callset, built as every imported callset is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cohelix.dataset import Writer
from cohelix.errors import InputError
from cohelix.genotypes import assembly
from cohelix.genotypes.assembly import Builder, Site
from cohelix.genotypes.callset import BLOCK_VALUES, Callset
from cohelix.qc.arrays.gather import Cohort
from cohelix.qc.arrays.strands import Placed


def write_callset(
    writer: Writer, after: int, record: Mapping[str, Any], cohort: Cohort, placed: Sequence[Placed], kept: np.ndarray,
    sexes: Sequence[str], filters: Sequence[str], params: Mapping[str, Any],
) -> Callset:  # fmt: skip
    """Commit the markers `kept` (rows of the cohort). filters (M,): the gates each failed, or PASS.

    Where a marker is turned, so is its copy count; the sites keep the marker's name as `source_id`.
    """
    if not len(kept):
        raise InputError("expected markers that can be placed on the reference, found none. See strand_report.tsv.")
    builder = Builder(
        writer, build=cohort.build, contigs=cohort.contigs, sample_ids=cohort.sample_ids, sexes=list(sexes)
    )
    by_contig: dict[str, list[tuple[Site, int]]] = {contig.name: [] for contig in cohort.contigs}
    for row in kept.tolist():
        marker, where = cohort.markers[row], placed[row]
        site = Site(where.position, where.ref, where.alt, marker.name, filters[row])
        by_contig[marker.contig].append((site, row))
    for contig in cohort.contigs:
        found = sorted(by_contig[contig.name], key=lambda pair: pair[0])
        sites = [site for site, _ in found]
        rows = np.array([row for _, row in found], np.int64)
        _check_end(contig.name, contig.length, sites)
        start = 0
        for first, last in assembly.cut(sites, assembly.shard_rows(len(cohort.sample_ids))):
            end = sites[last].position - 1 if last < len(sites) else max(contig.length, sites[-1].position)
            builder.add(contig.name, start, end, sites[first:last], _alternates(cohort, placed, rows[first:last]))
            start = end
    return builder.commit(alleles_are="trimmed", params=dict(params), provenance=dict(record), after=after)


def _alternates(cohort: Cohort, placed: Sequence[Placed], rows: np.ndarray) -> Callable[[], Iterator[np.ndarray]]:
    """A reader of int8 blocks: copies of the alternate allele."""
    turned = np.array([not placed[row].b_is_alt for row in rows.tolist()], bool)
    step = max(1, BLOCK_VALUES // max(1, len(cohort.sample_ids)))

    def read() -> Iterator[np.ndarray]:
        for first in range(0, len(rows), step):
            block = cohort.calls(rows[first : first + step])
            other = turned[first : first + step]
            block[other] = np.where(block[other] >= 0, 2 - block[other], block[other])
            yield block

    return read


def _check_end(contig: str, length: int, sites: Sequence[Site]) -> None:
    if length and sites and sites[-1].position > length:
        raise InputError(f"expected positions up to {length} on {contig}, found {sites[-1].position}. Check the build.")
