"""Which strand a marker's alleles are on, and what becomes of it. Every marker gets one class; none is turned unsaid.

The alleles are compared with REF, that of the file or of a reference FASTA; a VCF whose REF is not the FASTA's base is
reported, not turned. A/T and C/G look alike on both strands:
there the probe decides (both probes end in their allele; where the reference has their other bases tells the strand),
then a known allele frequency, then what the manifest says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cohelix.errors import InputError, ReferenceMismatch
from cohelix.genome import Contig, build_of, plain_name
from cohelix.genotypes.alleles import NO_ALTERNATE, is_sequence, trim
from cohelix.qc.arrays.info import Marker
from cohelix.qc.arrays.manifest import Assay, complement
from cohelix.qc.schema import ArrayQcParams

AGREES = "agrees"
FLIPPED = "flipped"
PALINDROME_AGREES = "palindrome_agrees"
PALINDROME_FLIPPED = "palindrome_flipped"
PALINDROME_UNKNOWN = "palindrome_unknown"
SWAPPED = "reference_is_alternate"
OTHER_REFERENCE = "reference_differs"
MISMATCH = "alleles_do_not_match"
UNSPELLED = "alleles_not_spelled"
UNPLACED = "not_placed"
MULTIALLELIC = "several_alternates"
CLASSES = (
    AGREES, FLIPPED, SWAPPED, PALINDROME_AGREES, PALINDROME_FLIPPED, PALINDROME_UNKNOWN, OTHER_REFERENCE, MISMATCH,
    UNSPELLED, UNPLACED, MULTIALLELIC,
)  # fmt: skip
DROPPED = frozenset({OTHER_REFERENCE, MISMATCH, UNSPELLED, UNPLACED, MULTIALLELIC})
"""Classes whose markers cannot go into a callset."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a marker goes: its class, trimmed site, and whether B is the alternate (else A is). keep: false for the

    classes of `DROPPED` and what the choices drop.
    """

    strand: str
    palindrome: bool
    position: int
    ref: str
    alt: str
    b_is_alt: bool
    keep: bool


class Bases:
    """A reference FASTA with its index. Contigs are found as `chr1` and as `1`."""

    def __init__(self, path: str) -> None:
        import pysam

        try:
            self._handle = pysam.FastaFile(path)
        except (OSError, ValueError):
            raise InputError(
                "expected a FASTA file with an index beside it, found none. Make one: samtools faidx."
            ) from None
        self._names = {plain_name(name): name for name in reversed(self._handle.references)}
        self._lengths = dict(zip(self._handle.references, self._handle.lengths, strict=True))

    @property
    def build(self) -> str:
        """The genome build that the lengths of the contigs are of."""
        return build_of(Contig(name, length) for name, length in self._lengths.items())

    def length(self, contig: str) -> int:
        """Bases of a contig, 0 where the reference has none of that name."""
        return self._lengths.get(self._names.get(plain_name(contig), ""), 0)

    def at(self, contig: str, start: int, end: int) -> str:
        """Bases [start, end) in upper case; "" where the contig has none, or is not there."""
        name = self._names.get(plain_name(contig))
        if name is None or end <= max(start, 0):
            return ""
        return str(self._handle.fetch(name, max(start, 0), end)).upper()


def place(
    marker: Marker, params: ArrayQcParams, bases: Bases | None, assay: Assay | None, expected: tuple[float, float]
) -> Placed:
    """The class of one marker. expected: frequency of allele B in the cohort, and a known one of ALT by VCF's alleles

    (see `turned_by_frequency`); NaN where not known.
    """
    a, b = marker.allele_a, marker.allele_b
    if marker.contig in ("0", ".") or marker.position < 1 or "FAIL_REF" in marker.filters.split(";"):
        return _out(marker, UNPLACED)
    if not a and not b:
        return _out(marker, MULTIALLELIC)
    if not all(is_sequence(allele) for allele in (a, b, marker.ref) if allele):
        return _out(marker, UNSPELLED)
    return _by_bases(marker, params, bases, assay, expected)


def _by_bases(
    marker: Marker, params: ArrayQcParams, bases: Bases | None, assay: Assay | None, expected: tuple[float, float]
) -> Placed:
    a, b, ref = marker.allele_a, marker.allele_b, marker.ref
    is_snp = len(ref) == max(len(a), len(b)) == 1
    strands = (complement(a), complement(b))
    there = bases.at(marker.contig, marker.position - 1, marker.position - 1 + len(ref)) if bases else ""
    differs = bool(there) and "N" not in there and there != ref
    if differs and (marker.ref_is_known or not (is_snp and there in (a, b, *strands))):
        return _out(marker, OTHER_REFERENCE)
    marker = replace(marker, ref=there) if differs else marker
    if is_snp and a == strands[1]:
        return _palindrome(marker, params, bases, assay, expected)
    if marker.ref in (a, b):
        return _at(marker, SWAPPED if differs else AGREES, a, b, keep=True)
    if is_snp and marker.ref in strands:
        return _at(marker, FLIPPED, *strands, keep=params.flipped == "flip")
    return _out(marker, MISMATCH)


def _palindrome(
    marker: Marker, params: ArrayQcParams, bases: Bases | None, assay: Assay | None, expected: tuple[float, float]
) -> Placed:
    a, b = marker.allele_a, marker.allele_b
    if marker.ref not in (a, b):
        return _out(marker, MISMATCH)
    true_a = ""
    if bases is not None:
        probes = [(marker.probe_a, marker.probe_b)] + ([(assay.probe_a, assay.probe_b)] if assay else [])
        true_a = next((found for pair in probes if (found := allele_by_probe(marker, pair, params, bases))), "")
    if not true_a:
        true_a = _by_frequency(marker, params, expected)
    if not true_a and assay is not None and assay.plus_alleles is not None:
        true_a = assay.plus_alleles[0]
    if true_a == a:
        return _at(marker, PALINDROME_AGREES, a, b, keep=True)
    if true_a == b:
        return _at(marker, PALINDROME_FLIPPED, b, a, keep=params.flipped_palindromes == "flip")
    return _at(marker, PALINDROME_UNKNOWN, a, b, keep=params.unresolved_palindromes == "keep")


def allele_by_probe(marker: Marker, probes: tuple[str, str], params: ArrayQcParams, bases: Bases) -> str:
    """Allele A on the strand of the reference, by where the probe of A lies; "" where it lies in neither place or both.

    Probes of A/T and C/G markers end in the allele that they read.
    """
    first, second = probes
    if len(first) < 2 or len(first) != len(second) or first[:-1] != second[:-1] or first[-1] == second[-1]:
        return ""
    body, start = first[:-1], marker.position - 1
    places = (
        (bases.at(marker.contig, start - len(body), start), first[-1]),
        (complement(bases.at(marker.contig, start + 1, start + 1 + len(body))), complement(first[-1])),
    )
    fits = [allele for found, allele in places if _differences(body, found) <= params.probe_mismatches]
    return fits[0] if len(fits) == 1 else ""


def _by_frequency(marker: Marker, params: ArrayQcParams, expected: tuple[float, float]) -> str:
    """A on the reference's strand, where turning the marker, and only that, brings it to the known frequency."""
    of_b, known = expected
    if np.isnan(of_b) or np.isnan(known):
        return ""
    of_alt = of_b if marker.ref == marker.allele_a else 1 - of_b
    apart, turned = abs(of_alt - known), abs(1 - of_alt - known)
    if min(apart, turned) > params.frequency_difference or abs(apart - turned) < params.frequency_difference:
        return ""
    return marker.allele_a if apart < turned else marker.allele_b


def _differences(probe: str, found: str) -> int:
    if len(probe) != len(found):
        return len(probe)
    return sum(one != other for one, other in zip(probe, found, strict=True))


def _at(marker: Marker, strand: str, a: str, b: str, *, keep: bool) -> Placed:
    alt = (b if a == marker.ref else a) or NO_ALTERNATE
    palindrome = strand in (PALINDROME_AGREES, PALINDROME_FLIPPED, PALINDROME_UNKNOWN)
    position, ref, alt = trim(marker.position, marker.ref, alt)
    return Placed(strand, palindrome, position, ref, alt, a == marker.ref, keep)


def _out(marker: Marker, strand: str) -> Placed:
    alt = marker.alts.split(",")[0]
    return Placed(strand, False, marker.position, marker.ref, alt, True, False)


def place_all(
    markers: Sequence[Marker], params: ArrayQcParams, *, reference: str | None, assays: Mapping[str, Assay],
    of_b: np.ndarray, known: np.ndarray,
) -> list[Placed]:  # fmt: skip
    """`place` of every marker. of_b, known float64 (markers,): frequency of B in the cohort, and a known one of ALT."""
    bases = Bases(reference) if reference else None
    if bases is not None and not any(bases.length(contig) for contig in {marker.contig for marker in markers}):
        raise ReferenceMismatch("the reference FASTA has none of the contigs of the arrays. Give that of their build.")
    placed = [
        place(marker, params, bases, assays.get(marker.name), (float(b), float(k)))
        for marker, b, k in zip(markers, of_b, known, strict=True)
    ]
    differing = sum(one.strand in (OTHER_REFERENCE, SWAPPED) for one in placed)
    if differing > max(10, len(placed) // 2):
        raise ReferenceMismatch(
            f"expected REF of the arrays to be the bases of the reference FASTA, found others at {differing} of "
            f"{len(placed)} markers: it is another build. Give the FASTA of the arrays' build."
        )
    return placed
