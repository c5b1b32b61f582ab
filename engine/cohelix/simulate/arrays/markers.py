"""Which sites of a region an array reads."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from cohelix import genome
from cohelix.simulate.arrays import clusters
from cohelix.simulate.arrays.clusters import Clusters
from cohelix.simulate.arrays.strands import FLANK, is_palindromic
from cohelix.simulate.haplotypes import RegionPanel
from cohelix.simulate.population import Sites
from cohelix.simulate.regions import BUILD, Region
from cohelix.simulate.schema import ArrayParams
from cohelix.simulate.sequence import BASES
from cohelix.simulate.streams import stream

COMMON = 0.01  # minor allele frequency, in the source where it is highest
NO_SITE = -1
_KINDS = ("snp", "palindromic", "indel")


@dataclass(frozen=True)
class Markers:
    """M markers in genomic order; every array has M rows.

    region: index of the region. site: row in the panel of that region, `NO_SITE` where nobody of it has an alternate
    (monomorphic). offset: from the region's start; position = start + offset + 1. ref, alt: as in the panel. left,
    right: bases beside, on the reference; of an indel `left` ends with the base that the alleles share. frequency: of
    the alternate, mean over sources. copies: that the cluster file expects: 1 on Y and M, otherwise 2. on_plus: the
    probe is on the strand of the reference. flipped: the manifest states the wrong strand. failed: no cluster file
    fits. zeroed: failed, and marked so by the genotyping centre. duplicate: a second assay of the marker before it.
    number: of the assay, in its IlmnID.
    """

    region: np.ndarray
    contig: np.ndarray
    site: np.ndarray
    offset: np.ndarray
    position: np.ndarray
    ref: np.ndarray
    alt: np.ndarray
    left: np.ndarray
    right: np.ndarray
    frequency: np.ndarray
    copies: np.ndarray
    on_plus: np.ndarray
    palindromic: np.ndarray
    flipped: np.ndarray
    failed: np.ndarray
    zeroed: np.ndarray
    monomorphic: np.ndarray
    duplicate: np.ndarray
    number: np.ndarray
    clusters: Clusters

    @property
    def size(self) -> int:
        return int(self.position.size)

    def joined(self, others: list[Markers]) -> Markers:
        """These, then those."""
        parts = [self, *others]
        columns = {
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(self)
            if field.name != "clusters"
        }
        return Markers(**columns, clusters=clusters.joined([part.clusters for part in parts]))


def choose_markers(params: ArrayParams, seed: int, region: Region, panel: RegionPanel) -> Markers:
    """Markers of one region, the same for a cohort of any size.

    Sites with one alternate that somebody of the panel has, bases where nobody has one, and second assays of some.
    """
    rng = stream(seed, "array markers", region.index)
    wanted = _rounded(params.markers_per_megabase * region.length / 1e6, rng)
    lonely = _rounded(wanted * params.monomorphic, rng)
    rows = _sites(params, panel, wanted - lonely, rng)
    free = _free_offsets(panel, lonely, rng)
    bases = panel.reference.bases
    offset = np.concatenate([panel.sites.offset[rows], free]).astype(np.int64)
    ref = [panel.sites.ref[row] for row in rows.tolist()] + [bases[o] for o in free.tolist()]
    # the transition, which most variants are
    alt = [panel.sites.alts[row][0] for row in rows.tolist()] + ["GTAC"[BASES.index(bases[o])] for o in free.tolist()]
    site = np.concatenate([rows, np.full(free.size, NO_SITE)]).astype(np.int32)
    order = np.argsort(offset, kind="stable")
    again = rng.random(order.size) < params.duplicates
    order = np.repeat(order, 1 + again)
    duplicate = np.concatenate([[False], order[1:] == order[:-1]]) if order.size else np.zeros(0, bool)
    return _with_assays(params, rng, region, bases, offset[order], [ref[k] for k in order], [alt[k] for k in order],
                        site[order], duplicate, panel.sites)  # fmt: skip


def _with_assays(
    params: ArrayParams, rng: np.random.Generator, region: Region, bases: str, offset: np.ndarray, ref: list[str],
    alt: list[str], site: np.ndarray, duplicate: np.ndarray, sites: Sites,
) -> Markers:  # fmt: skip
    n = offset.size
    mean = sites.frequency.mean(axis=1)
    end = offset + np.array([len(r) for r in ref], np.int64)  # behind an indel's last base, and a SNP's only one
    indel = np.array([len(r) != len(a) for r, a in zip(ref, alt, strict=True)], bool)
    start = offset + indel  # the base that both alleles share is beside an indel
    left = [bases[s - FLANK : s] for s in start.tolist()]
    right = [bases[e : e + FLANK] for e in end.tolist()]
    failed = rng.random(n) < params.failed_markers
    zeroed = failed & (rng.random(n) < clusters.ZEROED_SHARE)
    plain = genome.plain_name(region.contig.name)
    frequency = np.where(site == NO_SITE, 0.0, mean[site] if mean.size else 0.0)
    return Markers(
        region=np.full(n, region.index, np.int32), contig=np.full(n, region.contig.name), site=site, offset=offset,
        position=region.start + offset + 1, ref=np.array(ref, "U"), alt=np.array(alt, "U"), left=np.array(left, "U"),
        right=np.array(right, "U"), frequency=frequency.astype(np.float32),
        copies=np.full(n, 1 if plain in ("Y", "MT") else 2, np.int8), on_plus=rng.random(n) < 0.5,
        palindromic=np.array([is_palindromic(r, a) for r, a in zip(ref, alt, strict=True)], bool),
        flipped=(rng.random(n) < params.flipped) & ~indel, failed=failed, zeroed=zeroed,
        monomorphic=site == NO_SITE, duplicate=duplicate, number=rng.integers(10**9, 2 * 10**9, n),
        clusters=clusters.draw(rng, frequency, failed, zeroed),
    )  # fmt: skip


def _sites(params: ArrayParams, panel: RegionPanel, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of `wanted` sites of the panel, ascending: kinds in the wanted shares, and common ones within each kind.

    Fewer where the panel has too few of a kind.
    """
    sites = panel.sites
    kind = np.array([_kind(ref, alts) for ref, alts in zip(sites.ref, sites.alts, strict=True)], np.int8)
    inside = (sites.offset >= FLANK) & (sites.offset + _longest(sites) + FLANK <= len(panel.reference.bases))
    total = sites.frequency
    usable = inside & (kind >= 0) & (total > 0).any(axis=1) & (total < 1).any(axis=1)
    common = (np.minimum(total, 1 - total) > COMMON).any(axis=1)
    chosen = []
    shares = (1 - params.palindromic - params.indels, params.palindromic, params.indels)
    for number, count in enumerate(rng.multinomial(wanted, shares).tolist()):
        pools = [np.flatnonzero(usable & (kind == number) & (common == which)) for which in (True, False)]
        first = min(_rounded(count * params.common, rng), pools[0].size)
        second = min(count - first, pools[1].size)
        first = min(count - second, pools[0].size)  # common ones in place of rare ones that are not there
        chosen += [rng.permutation(pools[0])[:first], rng.permutation(pools[1])[:second]]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def _kind(ref: str, alts: tuple[str, ...]) -> int:
    """Place in `_KINDS`; -1 for what no array reads."""
    if len(alts) != 1 or min(len(ref), len(alts[0])) != 1:
        return -1
    if len(ref) != len(alts[0]):
        return _KINDS.index("indel")
    return _KINDS.index("palindromic" if is_palindromic(ref, alts[0]) else "snp")


def _longest(sites: Sites) -> np.ndarray:
    return np.array([len(ref) for ref in sites.ref], np.int64)


def _free_offsets(panel: RegionPanel, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Offsets of bases that no site of the panel touches."""
    taken = np.zeros(len(panel.reference.bases), bool)
    taken[:FLANK] = taken[-FLANK - 1 :] = True
    for offset, length in zip(panel.sites.offset.tolist(), _longest(panel.sites).tolist(), strict=True):
        taken[offset : offset + length] = True
    return np.sort(rng.permutation(np.flatnonzero(~taken))[:wanted])


def _rounded(value: float, rng: np.random.Generator) -> int:
    """A whole number with the mean `value`, so that shares hold over many small regions."""
    return int(value + rng.random())


def in_pseudo_autosomal(contig: str, position: int) -> bool:
    return genome.par_name(BUILD, contig, position - 1) is not None
