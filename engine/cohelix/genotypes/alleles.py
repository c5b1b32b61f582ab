"""One alternate allele against its reference allele: trimmed, and what kind of change it is."""

from __future__ import annotations

from cohelix.errors import InputError

_BASES = frozenset("ACGTN")
_TRANSITIONS = frozenset(["AG", "GA", "CT", "TC"])
NO_ALTERNATE = "."
"""ALT of a site at which nobody was seen to differ."""


def trim(position: int, ref: str, alt: str) -> tuple[int, str, str]:
    """Drop shared bases from the right, then from the left, keeping one base of each. `position` is 1-based."""
    if len(ref) == 1 or len(alt) == 1 or not is_sequence(alt):
        if len(ref) == len(alt) or not is_sequence(alt):
            return position, ref, alt
    right = 0
    while right < min(len(ref), len(alt)) - 1 and ref[-1 - right] == alt[-1 - right]:
        right += 1
    ref, alt = ref[: len(ref) - right], alt[: len(alt) - right]
    left = 0
    while left < min(len(ref), len(alt)) - 1 and ref[left] == alt[left]:
        left += 1
    return position + left, ref[left:], alt[left:]


def kind_of(ref: str, alt: str) -> str:
    """`snp`, `insertion`, `deletion`, `mnp` or `other` (symbolic, breakend, complex, none) of a trimmed pair."""
    if not is_sequence(alt):
        return "other"
    if len(ref) == len(alt):
        return "snp" if len(ref) == 1 else "mnp"
    if len(ref) == 1 and alt[0] == ref:
        return "insertion"
    if len(alt) == 1 and ref[0] == alt:
        return "deletion"
    return "other"


def is_transition(ref: str, alt: str) -> bool:
    return ref + alt in _TRANSITIONS


def is_sequence(allele: str) -> bool:
    return bool(allele) and _BASES.issuperset(allele)


def check(ref: str, alt: str, where: str) -> tuple[str, str]:
    """Both alleles in upper case. InputError where REF is no sequence of bases or both alleles are the same.

    `where` names the line. ALT may be symbolic (`<DEL>`), a breakend, or `.`.
    """
    ref = ref.upper()
    alt = alt if any(c in alt for c in "<[]") else alt.upper()
    if not is_sequence(ref):
        raise InputError(
            f"expected the bases A, C, G, T, N as the reference allele, found something else on {where}. "
            "Give every site its reference bases (plink2 --ref-from-fa) or drop it."
        )
    if not (is_sequence(alt) or alt == NO_ALTERNATE or any(c in alt for c in "<[].")):
        raise InputError(
            f"expected bases, a symbolic allele or '.' as the alternate allele, found something else on {where}. "
            "Correct or drop that site."
        )
    if any(c in alt for c in '"\t ,'):
        raise InputError(f"the alternate allele on {where} holds a character VCF forbids. Drop that site.")
    if ref == alt:
        raise InputError(f"reference and alternate allele on {where} are the same. Correct or drop that site.")
    return ref, alt
