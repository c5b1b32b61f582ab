"""Alleles of a bin: collected over batches, made equal where they are equal, chosen, spelled as rows.

An allele is (start, ref, alt) with the bases that REF and ALT share dropped: `AT>T` at 100 and `GA>G` at 99 both
delete base 100. With a FASTA, insertions and deletions are also moved to the left as far as the reference allows. The
row of a pure insertion or deletion is spelled with the base before it (the base behind it where nothing tells the one
before).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from cohelix.errors import ReferenceMismatch
from cohelix.genome import Bin
from cohelix.joint import kernels as k
from cohelix.joint.schema import MARGIN_BP, CallParams

Key = tuple[int, bytes, bytes]
"""start (0-based), reference bases that change, alternate bases; one of the two may be empty."""


@dataclass
class Allele:
    """What the cohort says of one allele.

    left, right: neighbouring reference bases, empty where unknown. forced: asked for by --sites.
    """

    copies: int = 0
    best: int = -1
    second: int = -1
    left: bytes = b""
    right: bytes = b""
    forced: bool = False


@dataclass(frozen=True, order=True)
class Row:
    """One row of the callset: position is 0-based here; ref and alt as VCF spells them."""

    position: int
    ref: str
    alt: str
    key: Key = field(compare=False)
    forced: bool = field(compare=False, default=False)

    @property
    def end(self) -> int:
        return self.position + len(self.ref)


Fetch = Callable[[int, int], bytes]
"""Reference bases [start, end) of the bin's contig, upper case."""


def keys_of(found: np.ndarray, ref: np.ndarray, alts: np.ndarray) -> list[Key]:
    """The keys of the distinct alleles that `collect_alleles` numbered, in their order."""
    ref_text, alt_text = ref.tobytes().upper(), alts.tobytes().upper()
    slices = found[:, [k.A_START, k.A_REF_AT, k.A_REF_LEN, k.A_ALT_AT, k.A_ALT_LEN]].tolist()
    return [(start, ref_text[r : r + r_len], alt_text[a : a + a_len]) for start, r, r_len, a, a_len in slices]


def left_align(key: Key, fetch: Fetch) -> Key:
    """Move an insertion or deletion left while the base before it equals its last base, `MARGIN_BP` at most."""
    start, ref, alt = key
    if bool(ref) == bool(alt):
        return key
    low = max(0, start - MARGIN_BP)
    before = fetch(low, start)
    bases = ref or alt
    while start > low and before[start - low - 1] == bases[-1]:
        bases = bases[-1:] + bases[:-1]
        start -= 1
    return (start, bases, b"") if ref else (start, b"", bases)


def pool(alleles: dict[Key, Allele], keys: Iterable[Key], found: np.ndarray) -> None:
    """Add one batch's alleles to those of the batches before."""
    for key, a in zip(keys, found.tolist(), strict=True):
        allele = alleles.setdefault(key, Allele())
        allele.copies += a[k.A_COPIES]
        quality = sorted((allele.best, allele.second, a[k.A_BEST], a[k.A_SECOND]), reverse=True)
        allele.best, allele.second = quality[0], quality[1]
        allele.left = _first(allele.left, bytes([a[k.A_LEFT]]) if a[k.A_LEFT] else b"")
        allele.right = _first(allele.right, bytes([a[k.A_RIGHT]]) if a[k.A_RIGHT] else b"")


def _first(a: bytes, b: bytes) -> bytes:
    return min(a, b) if a and b else a or b


def choose(alleles: dict[Key, Allele], bin_: Bin, params: CallParams) -> tuple[list[Row], list[tuple[int, int, int]]]:
    """Rows of the alleles that the bin owns and the thresholds keep, in order;

    and (position, alleles, kept) of positions cut to the cap.
    """
    rows: dict[int, list[tuple[int, Row]]] = {}
    for key, allele in alleles.items():
        if not bin_.start <= key[0] < bin_.end:
            continue
        if not allele.forced and not _is_supported(allele, params):
            continue
        row = spell(key, allele)
        rows.setdefault(row.position, []).append((allele.copies, row))
    cut = []
    chosen: list[Row] = []
    for position, here in rows.items():
        if len(here) > params.max_alleles:
            here.sort(key=lambda pair: (not pair[1].forced, -pair[0], pair[1]))
            kept = max(params.max_alleles, sum(row.forced for _, row in here))
            cut.append((position, len(here), kept))
            here = here[:kept]
        chosen += [row for _, row in here]
    return sorted(chosen), sorted(cut)


def _is_supported(allele: Allele, params: CallParams) -> bool:
    if allele.copies < max(params.min_copies, 1):
        return False
    if params.min_allele_quality == 0 and params.min_allele_quality_twice == 0:
        return True
    once, twice = params.min_allele_quality, params.min_allele_quality_twice
    return allele.best >= once or (twice > 0 and allele.second >= twice)


def spell(key: Key, allele: Allele) -> Row:
    """The row of an allele, with the base before it (or behind it) where one of its sides is empty."""
    start, ref, alt = key
    if not (ref and alt):
        if allele.left:
            start, ref, alt = start - 1, allele.left + ref, allele.left + alt
        else:
            ref, alt = ref + (allele.right or b"N"), alt + (allele.right or b"N")
    return Row(start, ref.decode(), alt.decode(), key, allele.forced)


def trimmed(start: int, ref: str, alt: str) -> Key:
    """The key of an allele that somebody spelled out."""
    a, b = ref.upper().encode(), alt.upper().encode()
    while a and b and a[-1] == b[-1]:
        a, b = a[:-1], b[:-1]
    while a and b and a[0] == b[0]:
        a, b, start = a[1:], b[1:], start + 1
    return start, a, b


def fetcher(fasta: str, contig: str) -> Fetch:
    """Reference bases of one contig from an indexed FASTA. Raises ReferenceMismatch where it lacks the contig."""
    import pysam

    handle = pysam.FastaFile(fasta)
    if contig not in handle.references:
        raise ReferenceMismatch(f"the FASTA has no contig {contig}. Give the reference that the gVCFs were made with.")
    length = handle.get_reference_length(contig)

    def fetch(start: int, end: int) -> bytes:
        return bytes(handle.fetch(contig, max(start, 0), min(end, length)).upper().encode())

    return fetch


def check_reference(key: Key, fetch: Fetch, contig: str) -> None:
    """Refuse an allele whose REF is not what the FASTA has there."""
    start, ref, _ = key
    if ref and fetch(start, start + len(ref)) != ref and ref.isalpha() and set(ref) <= set(b"ACGT"):
        raise ReferenceMismatch(
            f"REF at {contig}:{start + 1} is not what the FASTA has there. The gVCFs were made with another "
            "reference: give that one."
        )


def kind_of(ref: str, alt: str) -> int:
    """Index into `schema.KINDS`."""
    if len(ref) == len(alt):
        return 0 if len(ref) == 1 else 3
    if len(ref) == 1 and alt[0] == ref:
        return 1
    if len(alt) == 1 and ref[0] == alt:
        return 2
    return 1 if alt.endswith(ref) and len(ref) == 1 else 2 if ref.endswith(alt) and len(alt) == 1 else 4


_TRANSITIONS = {("A", "G"), ("G", "A"), ("C", "T"), ("T", "C")}


def substitution_of(ref: str, alt: str) -> int:
    """1 a transition, 2 a transversion, 0 not a substitution of one known base by another."""
    if len(ref) != 1 or len(alt) != 1 or ref not in "ACGT" or alt not in "ACGT":
        return 0
    return 1 if (ref, alt) in _TRANSITIONS else 2
