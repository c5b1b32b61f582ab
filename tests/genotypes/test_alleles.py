"""Trimming keeps the haplotype, and nothing can be trimmed twice."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cohelix.errors import InputError
from cohelix.genotypes import alleles
from tests.oracles.genotypes import haplotype

BASES = st.text("ACGT", min_size=1, max_size=8)


@given(BASES, BASES, BASES, BASES)
def test_trimming_keeps_the_haplotype(left: str, ref: str, alt: str, right: str) -> None:
    assume(ref != alt)
    position = len(left) + 1
    trimmed = alleles.trim(position, ref, alt)
    sequence = left + ref + right
    assert haplotype(sequence, *trimmed) == haplotype(sequence, position, ref, alt)
    assert alleles.trim(*trimmed) == trimmed
    _, short_ref, short_alt = trimmed
    if min(len(short_ref), len(short_alt)) > 1:
        assert short_ref[0] != short_alt[0] and short_ref[-1] != short_alt[-1]


@pytest.mark.parametrize(
    ("ref", "alt", "kind"),
    [
        ("A", "C", "snp"), ("A", "AT", "insertion"), ("AT", "A", "deletion"), ("AT", "GC", "mnp"), ("AT", "G", "other"),
        ("A", "<DEL>", "other"), ("A", ".", "other"), ("A", "G[chr2:3[", "other"), ("A", "CT", "other"),
    ],
)  # fmt: skip
def test_kinds(ref: str, alt: str, kind: str) -> None:
    assert alleles.kind_of(ref, alt) == kind
    assert alleles.trim(7, ref, alt) == (7, ref, alt)


def test_alleles_are_checked_and_put_in_upper_case() -> None:
    assert alleles.check("acg", "<DEL>", "line 1") == ("ACG", "<DEL>")
    assert alleles.check("a", "t", "line 1") == ("A", "T")
    for ref, alt in [("A", "A"), ("a", "A"), ("D", "A"), ("A", "I"), ("", "A"), ("A", ""), ("A", "<a,b>"), ("A", "*x")]:
        with pytest.raises(InputError, match="line 4"):
            alleles.check(ref, alt, "line 4")
