"""Records re-expressed on the REF of a locus, against the haplotypes that they and the definition spell."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix.pgx.definition import Gene, NamedAllele, Position
from cohelix.pgx.extraction import loci
from cohelix.pgx.extraction.loci import AUTOSOME, OTHER_EVENT, REF_MISMATCH, UNKNOWN_REF, Locus


def locus(position: int, ref: str, *alts: str) -> Locus:
    return Locus("TOY", 0, position, ref, alts, AUTOSOME)


SNV = locus(100, "C", "T")
TWO = locus(100, "C", "A", "T")
INSERTION = locus(100, "T", "TG")
DELETION = locus(100, "TG", "T")
REPEAT = locus(100, "CAT", "C", "CATAT", "CATATAT")


@pytest.mark.parametrize(
    ("at", "position", "ref", "alts", "expected"),
    [
        (SNV, 100, "C", ["T"], ("T",)),
        (SNV, 100, "c", ["t"], ("T",)),
        (SNV, 100, "C", ["."], ()),
        (SNV, 100, "C", ["G"], ("G",)),  # no definition knows it, and it is seen as such
        (SNV, 100, "C", ["T", "*"], ("T", None)),
        (SNV, 100, "C", ["T", "<DEL>", "N", "CN"], ("T", None, None, None)),
        (SNV, 100, "C", ["<NON_REF>"], (None,)),
        (SNV, 99, "GC", ["GT"], ("T",)),
        (SNV, 100, "CAG", ["TAG"], ("T",)),
        (SNV, 98, "AGCAG", ["AGTAG"], ("T",)),
        (SNV, 100, "CA", ["C", "TA"], ("C", "T")),  # a deletion behind the base, beside the base change
        (SNV, 100, "CA", ["C"], OTHER_EVENT),
        (SNV, 99, "GC", ["G"], OTHER_EVENT),  # the base itself is deleted
        (SNV, 100, "G", ["T"], REF_MISMATCH),
        (SNV, 99, "GG", ["GT"], REF_MISMATCH),
        (SNV, 100, "N", ["T"], UNKNOWN_REF),
        (SNV, 100, "<DEL>", ["T"], UNKNOWN_REF),
        (INSERTION, 100, "T", ["TG"], ("TG",)),
        (INSERTION, 100, "T", ["C"], ("C",)),
        (INSERTION, 100, "TAC", ["TGAC"], ("TG",)),
        (INSERTION, 99, "AT", ["ATG"], ("TG",)),
        (DELETION, 100, "T", ["C"], OTHER_EVENT),  # a base change where a deletion is looked for
        (DELETION, 100, "T", ["."], OTHER_EVENT),  # says nothing about the base behind
        (DELETION, 100, "TG", ["T"], ("T",)),
        (DELETION, 100, "TGA", ["TA"], ("T",)),
        (DELETION, 100, "TGA", ["T"], OTHER_EVENT),  # a longer deletion
        (DELETION, 101, "G", ["C"], OTHER_EVENT),
        (DELETION, 100, "TC", ["T"], REF_MISMATCH),
        (REPEAT, 100, "C", ["CAT"], ("CATAT",)),
        (REPEAT, 100, "C", ["CATAT"], ("CATATAT",)),
        (REPEAT, 100, "CAT", ["C"], ("C",)),
        (REPEAT, 100, "CATG", ["CG", "CATATG"], ("C", "CATAT")),
        (REPEAT, 102, "T", ["TAT"], ("CATAT",)),  # the same haplotype, placed at the right
        (REPEAT, 100, "C", ["CA"], ("CAAT",)),
        (REPEAT, 101, "A", ["AG"], OTHER_EVENT),  # inside, and no definition knows it
    ],
)  # fmt: skip
def test_a_record_is_read_on_the_ref_of_the_locus(
    at: Locus, position: int, ref: str, alts: list[str], expected: Any
) -> None:
    assert loci.read_record(at, position, ref, alts) == expected


@given(st.data())
def test_padding_does_not_change_what_a_record_says(data: Any) -> None:
    at = data.draw(st.sampled_from([SNV, TWO, INSERTION, DELETION, REPEAT]))
    bases = st.text("ACGT", max_size=4)
    left, right = data.draw(bases), data.draw(bases)
    alts = data.draw(st.lists(st.sampled_from(at.alts), min_size=1, max_size=3, unique=True))
    record = (at.position - len(left), left + at.ref + right, [left + alt + right for alt in alts])
    assert loci.read_record(at, *record) == tuple(alts)


@given(st.data())
def test_what_is_read_spells_the_haplotype_of_the_record(data: Any) -> None:
    """Any record over a known stretch: where an ALT is read as an allele of the locus, both spell the same bases."""
    at = data.draw(st.sampled_from([TWO, INSERTION, DELETION, REPEAT]))
    left, right = data.draw(st.text("ACGT", min_size=4, max_size=4)), data.draw(st.text("ACGT", min_size=4, max_size=4))
    genome, origin = left + at.ref + right, at.position - 4
    start = data.draw(st.integers(0, len(genome) - 1))
    ref = genome[start : data.draw(st.integers(start + 1, len(genome)))]
    alts = data.draw(
        st.lists(st.text("ACGT", min_size=1, max_size=5).filter(lambda alt: alt != ref), min_size=1, max_size=2)
    )
    found = loci.read_record(at, origin + start, ref, alts)
    if isinstance(found, str):
        assert found == OTHER_EVENT
        return
    for alt, text in zip(alts, found, strict=True):
        assert text is not None
        if text != at.ref:
            assert left + text + right == genome[:start] + alt + genome[start + len(ref) :]


def test_loci_are_found_by_every_base_they_cover_and_by_no_other() -> None:
    def gene(symbol: str, contig: str, ploidy: str, *places: tuple[int, str, str]) -> Gene:
        positions = tuple(Position(contig, at, "", ref, (alt,), ("",)) for at, ref, alt in places)
        reference = NamedAllele("*1", "", True, tuple(ref for _, ref, _ in places), len(places), ())
        extra = (Position(contig, 90, "", "G", ("A",), ("",)),)
        return Gene(symbol, contig, ploidy, "standard", positions, (reference,), False, "toy", "1", extra=extra)

    found = loci.loci_of(
        [gene("A", "chr1", "autosome", (100, "CAT", "C"), (5000, "G", "T")), gene("B", "chrX", "X", (7, "A", "G"))]
    )
    assert [(one.row, one.position) for one in found.genes["A"]] == [(0, 100), (1, 5000), (2, 90)]
    assert [one.position for one in found.near("1", 102, "T")] == [100]
    assert [one.position for one in found.near("1", 80, "A" * 21)] == [90, 100]
    assert found.near("1", 103, "A") == found.near("2", 100, "C") == ()
    assert found.stretches() == [("1", 89, 102), ("1", 4999, 5000), ("X", 6, 90)]
    assert found.stretches(5) == [("1", 89, 90), ("1", 99, 102), ("1", 4999, 5000), ("X", 6, 7), ("X", 89, 90)]
