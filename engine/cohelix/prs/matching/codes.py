"""Codes of the decisions on scoring rows, and the names that the tables of a match give them."""

from __future__ import annotations

MATCH_TYPES = (
    "refalt", "altref", "refalt_flip", "altref_flip", "no_oa_ref", "no_oa_alt", "no_oa_ref_flip", "no_oa_alt_flip",
)  # fmt: skip
"""Kinds of a match, the best first, as the PGS Catalog calculator orders and names them: which alleles of the site the
effect and the other allele are, on the other strand (flip), or without another allele (no_oa).

The effect allele is REF in those of even code, ALT in those of odd code.
"""

NO_MATCH = len(MATCH_TYPES)
FLIPPED = (2, 3, 6, 7)

MATCHED, EXCLUDED, UNMATCHED, NOT_SCORABLE = 0, 1, 2, 3
STATUSES = ("matched", "excluded", "unmatched", "not_scorable")

(
    USED, DUPLICATE, AMBIGUOUS, FREQUENCY_UNKNOWN, FREQUENCY_NEAR_HALF, FREQUENCY_DISAGREES, MULTIALLELIC, STRAND_FLIP,
    ABSENT, OTHER_ALLELES, NO_POSITION,
) = range(11)  # fmt: skip
REASONS = (
    "", "duplicate", "ambiguous", "ambiguous_no_frequency", "ambiguous_near_half", "ambiguous_frequency_disagrees",
    "multiallelic", "strand_flip", "absent", "other_alleles", "no_position",
)  # fmt: skip
"""Why a row counts or does not; of several reasons the one that stands first. Rows that are not scorable carry a word
of their own: what they are instead of a variant."""
