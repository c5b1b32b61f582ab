"""Illumina's rules of strands and alleles: TOP and BOT, allele A and B, and the probes that read them.

Of two bases that no complement exchanges, A is the one that is A or T, and the strand where it is an A is TOP. A/T and
C/G are palindromic: the nearest pair of bases at equal distance that is not (one of A and T, one of C and G) decides;
TOP is the strand that has the A or T before the marker. Source: Illumina, "TOP/BOT strand and A/B allele".
"""

from __future__ import annotations

from dataclasses import dataclass

FLANK = 60  # bases on each side in the manifest
PROBE = 50  # bases of a probe

_COMPLEMENT = str.maketrans("ACGT", "TGCA")
_WEAK = "AT"


def complement(bases: str) -> str:
    """The other strand, in its own direction."""
    return bases.translate(_COMPLEMENT)[::-1]


def is_palindromic(ref: str, alt: str) -> bool:
    """Whether a complement exchanges the two bases of a SNP: A/T and C/G."""
    return len(ref) == len(alt) == 1 and alt == complement(ref)


@dataclass(frozen=True)
class Assay:
    """How one marker is read.

    strand: of the probe, "TOP", "BOT", "PLUS" or "MINUS" (indels). on_plus: whether it is the strand of the reference.
    a_is_ref: whether the reference base is allele A. alleles: A and B as the manifest states them, "[A/G]" or "[D/I]".
    probe_a, probe_b: bases before the marker on the probe's strand; palindromic SNPs have a probe for each allele,
    which ends in it; others have none for B. before, between, after: the sequence around the marker, on
    the probe's strand.
    """

    strand: str
    on_plus: bool
    a_is_ref: bool
    alleles: str
    probe_a: str
    probe_b: str
    before: str
    between: str
    after: str


def assay(ref: str, alt: str, left: str, right: str, *, on_plus: bool) -> Assay:
    """The assay of a marker with `left` and `right` beside it on the reference; `on_plus`: read from that strand.

    Of an indel, `left` ends with the base that both alleles begin with.
    """
    before, after = (left, right) if on_plus else (complement(right), complement(left))
    probe = before[-PROBE:]
    if len(ref) != len(alt):
        return _indel(ref, alt, probe, before, after, on_plus=on_plus)
    top_is_plus = _top_is_plus(ref, alt, left, right)
    if is_palindromic(ref, alt):
        first = min(ref, alt)  # A of A/T, C of C/G, on TOP
        a_is_ref = ref == (first if top_is_plus else complement(first))
    else:
        a_is_ref = ref in _WEAK
    pair = (ref, alt) if a_is_ref else (alt, ref)
    a, b = pair if on_plus else (complement(pair[0]), complement(pair[1]))
    probes = (probe[1:] + a, probe[1:] + b) if is_palindromic(ref, alt) else (probe, "")
    strand = "TOP" if top_is_plus == on_plus else "BOT"
    return Assay(strand, on_plus, a_is_ref, f"[{a}/{b}]", *probes, before, f"[{a}/{b}]", after)


def around(found: Assay, *, same_strand: bool) -> str:
    """The marker and the bases around it, on the probe's strand or on the other one."""
    if same_strand:
        return f"{found.before}{found.between}{found.after}"
    first, second = found.between[1:-1].split("/")
    turned = f"[{first if first == '-' else complement(first)}/{complement(second)}]"
    return f"{complement(found.after)}{turned}{complement(found.before)}"


def _indel(ref: str, alt: str, probe: str, before: str, after: str, *, on_plus: bool) -> Assay:
    inserted = len(alt) > len(ref)
    event = (alt if inserted else ref)[1:]
    strand, alleles = ("PLUS", "[D/I]") if on_plus else ("MINUS", "[I/D]")
    a_is_ref = inserted == on_plus  # the reference is D of an insertion, I of a deletion
    between = f"[-/{event if on_plus else complement(event)}]"
    return Assay(strand, on_plus, a_is_ref, alleles, probe, "", before, between, after)


def _top_is_plus(ref: str, alt: str, left: str, right: str) -> bool:
    if not is_palindromic(ref, alt):
        return "A" in (ref, alt)
    for before, after in zip(reversed(left), right, strict=False):
        if (before in _WEAK) != (after in _WEAK):
            return before in _WEAK
    return True
