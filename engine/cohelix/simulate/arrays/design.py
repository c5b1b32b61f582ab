"""The design of an array: the markers of all regions, and what each row of its VCFs states."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from cohelix import genome
from cohelix.errors import ContractError
from cohelix.simulate.arrays.clusters import Clusters
from cohelix.simulate.arrays.markers import Markers, in_pseudo_autosomal
from cohelix.simulate.arrays.strands import Assay, assay, complement

NAME = "Cohelix-Made-1"
BUILD = "38"
SOURCE = "Cohelix"


@dataclass(frozen=True)
class Stated:
    """What the VCF says of one marker. a, b: alleles on the strand that the manifest takes for the reference's.

    alts: one, or both where neither a nor b is the reference base (a wrong strand). codes: allele numbers of a and b.
    """

    a: str
    b: str
    alts: tuple[str, ...]
    codes: tuple[int, int]


@dataclass(frozen=True, eq=False)
class ArrayDesign:
    """Markers in genomic order; region k of `regions` has the rows from starts[k] to starts[k + 1]."""

    markers: Markers
    regions: np.ndarray
    starts: np.ndarray

    @property
    def size(self) -> int:
        return self.markers.size

    def rows(self, region: int) -> slice:
        """The rows of the region with that index; an empty slice where it has none."""
        found = np.flatnonzero(self.regions == region)
        if found.size == 0:
            return slice(0, 0)
        return slice(int(self.starts[found[0]]), int(self.starts[found[0] + 1]))

    @cached_property
    def assays(self) -> list[Assay]:
        m = self.markers
        columns = zip(
            m.ref.tolist(), m.alt.tolist(), m.left.tolist(), m.right.tolist(), m.on_plus.tolist(), strict=True
        )
        return [assay(ref, alt, left, right, on_plus=plus) for ref, alt, left, right, plus in columns]

    @cached_property
    def a_is_ref(self) -> np.ndarray:
        """(M,) bool: whether the probe of allele A binds the reference base, whatever the manifest says."""
        return np.array([found.a_is_ref for found in self.assays], bool)

    @cached_property
    def stated(self) -> list[Stated]:
        m = self.markers
        columns = zip(m.ref.tolist(), m.alt.tolist(), self.a_is_ref.tolist(), m.flipped.tolist(), strict=True)
        return [_stated(*row) for row in columns]

    @cached_property
    def names(self) -> list[str]:
        """Like `chr1:49554-G-A` without the `chr`; a second assay's ends in `_2`."""
        m = self.markers
        columns = zip(
            self.chromosomes, m.position.tolist(), m.ref.tolist(), m.alt.tolist(), m.duplicate.tolist(), strict=True
        )
        return [f"{c}:{p}-{ref}-{alt}{'_2' if again else ''}" for c, p, ref, alt, again in columns]

    @cached_property
    def chromosomes(self) -> list[str]:
        """As Illumina writes them: "1", "X", "Y", "MT", and "XY" in the pseudo-autosomal regions."""
        m = self.markers
        return [
            "XY" if in_pseudo_autosomal(contig, position) else genome.plain_name(contig)
            for contig, position in zip(m.contig.tolist(), m.position.tolist(), strict=True)
        ]

    @cached_property
    def map_positions(self) -> list[int]:
        """As Illumina states them: the first deleted base of a deletion, the base before an insertion."""
        m = self.markers
        deletion = np.char.str_len(m.ref) > np.char.str_len(m.alt)
        return [int(p) for p in (m.position + deletion).tolist()]

    @cached_property
    def clusters(self) -> Clusters:
        """With the training set's genotypes as AA, AB, BB."""
        found = self.markers.clusters
        n = np.where(self.a_is_ref[:, None], found.n, found.n[:, ::-1])
        return Clusters(found.theta, found.r, found.dev_theta, found.dev_r, n, found.score)

    def save(self, path: Path) -> None:
        """As one `.npz` file that `load` reads."""
        columns = {f"marker_{f.name}": getattr(self.markers, f.name) for f in fields(Markers) if f.name != "clusters"}
        columns |= {f"cluster_{f.name}": getattr(self.markers.clusters, f.name) for f in fields(Clusters)}
        with path.open("wb") as handle:
            np.savez(handle, regions=self.regions, starts=self.starts, **columns)


def design_from(parts: list[Markers]) -> ArrayDesign:
    """One array of the markers of all regions, given in genomic order. Raises ContractError for none."""
    if not any(part.size for part in parts):
        raise ContractError("expected at least one marker in the regions of an array, found none.")
    parts = [part for part in parts if part.size]
    for left, right in pairwise(parts):
        if left.region[0] >= right.region[0]:
            raise ContractError("expected the markers of an array by region, in genomic order; found another order.")
    starts = np.cumsum([0] + [part.size for part in parts])
    return ArrayDesign(parts[0].joined(parts[1:]), np.array([part.region[0] for part in parts], np.int32), starts)


def load(path: Path) -> ArrayDesign:
    """What `ArrayDesign.save` wrote."""
    with np.load(path) as found:
        clusters = Clusters(**{f.name: found[f"cluster_{f.name}"] for f in fields(Clusters)})
        columns = {f.name: found[f"marker_{f.name}"] for f in fields(Markers) if f.name != "clusters"}
        return ArrayDesign(Markers(**columns, clusters=clusters), found["regions"], found["starts"])


def _stated(ref: str, alt: str, a_is_ref: bool, flipped: bool) -> Stated:
    a, b = (ref, alt) if a_is_ref else (alt, ref)
    if flipped:
        a, b = complement(a), complement(b)
    alts = tuple(allele for allele in (a, b) if allele != ref)
    alleles = (ref, *alts)
    return Stated(a, b, alts, (alleles.index(a), alleles.index(b)))
