"""A callset into a draft: unphased, one row for each ALT, half calls in the partial table.

A position without a row is missing. At insertions and deletions, a homozygous reference of a callset that was called
from gVCFs may come from a reference block, which is no evidence there: `CallParams.indels_of_blocks` says what to do.
An imported callset is taken as it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cohelix import genome
from cohelix.errors import ReferenceMismatch
from cohelix.genotypes import callset, inputs
from cohelix.genotypes.callset import Callset, Shard
from cohelix.pgx.extraction import kernels
from cohelix.pgx.extraction.draft import Draft
from cohelix.pgx.extraction.loci import AUTOSOME, HAPLOID, Loci
from cohelix.pgx.extraction.pgen import COPIES_OF_X

_CALLED = "joint call"
"""The operation in the provenance of a callset that was made from gVCFs."""

_MISSING = -9


def read(
    target: str, loci: Loci, folder: Path, sexes: str | None, *, indels_of_blocks: str
) -> tuple[Sequence[str], dict[str, Any], dict[str, Any]]:
    """(sample ids, what `Draft.finish` says, further report) of the callset at `target`."""
    opened = callset.open_callset(target)
    if opened.build not in ("GRCh38", genome.UNKNOWN_BUILD):
        raise ReferenceMismatch(
            f"expected a callset of GRCh38, as the definitions, found {opened.build}. Lift it over, or call that build."
        )
    samples = opened.samples()
    sample_ids = samples.column("sample_id").to_pylist()
    stated = samples.column("sex").to_pylist() if sexes is None else inputs.read_sexes(sexes, sample_ids)
    copies_x = np.array([COPIES_OF_X.get(sex, 0) for sex in stated], np.uint8)
    draft = Draft(folder, loci, len(sample_ids))
    n_records = 0
    for shard in opened.shards:
        bases = loci.by_base.get(genome.plain_name(shard.contig), {})
        if any(shard.start < base <= shard.end for base in bases):
            n_records += _read_shard(opened, shard, draft, copies_x)
    of_blocks = opened.commit.provenance.get("operation") == _CALLED
    if of_blocks and indels_of_blocks == "missing":
        for locus in draft.taken:
            if locus.is_indel:
                draft.no_homozygous_reference(locus)
    found = draft.finish()
    return sample_ids, found, {"n_records": n_records, "reference_blocks": indels_of_blocks if of_blocks else "none"}


def _read_shard(opened: Callset, shard: Shard, draft: Draft, copies_x: np.ndarray) -> int:
    """Put the rows of a shard that lie at loci into `draft`; how many there are."""
    sites = opened.table(shard.sites, ["position", "ref", "alt"])
    bases = np.array(sorted(draft.loci.by_base[genome.plain_name(shard.contig)]), np.int64)
    position = sites.column("position").to_numpy().astype(np.int64)
    longest = max((len(ref) for ref in set(sites.column("ref").to_pylist())), default=1)
    following = np.append(bases, np.iinfo(np.int64).max)[np.searchsorted(bases, position)]
    rows = np.flatnonzero(following < position + longest)
    if not len(rows):
        return 0
    halves = _halves(opened, shard, rows)
    copies = {AUTOSOME: np.full(draft.n, 2, np.uint8), HAPLOID: np.ones(draft.n, np.uint8)}
    codes, phase, n_records = np.empty(draft.n, np.uint8), np.empty(draft.n, np.uint8), 0
    with callset.open_pgen(opened, shard) as reader:
        for row, site in zip(rows.tolist(), sites.take(rows).to_pylist(), strict=True):
            places = draft.places(genome.plain_name(shard.contig), site["position"], site["ref"], [site["alt"]])
            if not places:
                continue
            n_records += 1
            pairs = _pairs(callset.read_rows(reader, row, row + 1)[0])
            for place in places:
                copied = copies.get(place.locus.ploidy, copies_x)
                kernels.place_pairs(pairs, place.codes_of, copied, codes, draft.counts[place.locus.gene])
                _put_halves(codes, halves.get(row, ()), place.codes_of, copied, draft.counts[place.locus.gene])
                phase[:] = np.where(codes >> 4 == kernels.ABSENT, kernels.PHASED, kernels.UNPHASED)
                draft.put(place, codes, phase)
    return n_records


def _pairs(genotypes: np.ndarray) -> np.ndarray:
    """int32 (n, 2) alleles of int8 copies of the ALT (n,)."""
    pairs = np.empty((len(genotypes), 2), np.int32)
    pairs[:, 0], pairs[:, 1] = genotypes == 2, genotypes >= 1
    pairs[genotypes == _MISSING] = -1
    return pairs


def _halves(opened: Callset, shard: Shard, rows: np.ndarray) -> dict[int, list[tuple[int, str, str]]]:
    """(sample, first, second) of half calls by row."""
    partial = opened.partial(shard)
    if partial is None:
        return {}
    chosen = np.flatnonzero(np.isin(partial.column("row").to_numpy(), rows))
    found: dict[int, list[tuple[int, str, str]]] = {}
    for half in partial.take(chosen).to_pylist():
        found.setdefault(half["row"], []).append((half["sample"], half["first"], half["second"]))
    return found


def _put_halves(
    codes: np.ndarray, halves: Sequence[tuple[int, str, str]], codes_of: np.ndarray, copies: np.ndarray,
    counts: np.ndarray,
) -> None:  # fmt: skip
    """Half calls of two copies: a known and a missing allele, in place. Beside a deletion: missing."""
    for sample, first, second in halves:
        if copies[sample] != 2:
            continue
        if "*" in (first, second):
            counts[kernels.SYMBOLIC] += 1
        elif "." in (first, second):
            low, high = (kernels.MISSING if one == "." else int(codes_of[int(one)]) for one in (first, second))
            codes[sample] = low | high << 4
