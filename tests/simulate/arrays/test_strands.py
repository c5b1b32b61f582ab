"""Illumina's rules of strands: every marker of the real manifests comes out as Illumina wrote it."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix.simulate.arrays.strands import Assay, around, assay, complement, is_palindromic

REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "arrays" / "illumina"
MANIFESTS = (
    "HumanExome-12v1-1_A.csv",
    "GDA-8v1-0_A5.2.0.extended.csv",
    "MEG_AllofUs_20002558X351448_A2.1.4.extended.csv",
)

bases = st.text("ACGT", min_size=60, max_size=60)


def real_snps() -> list[dict[str, str]]:
    found = []
    for name in MANIFESTS:
        lines = (REAL / name).read_text().splitlines()
        start = next(k for k, line in enumerate(lines) if line.startswith("IlmnID"))
        found += list(csv.DictReader(lines[start:]))
    return [row for row in found if row["IlmnStrand"] in ("TOP", "BOT")]


def split(sequence: str) -> tuple[str, str, str, str]:
    before, first, second, after = re.fullmatch(r"(\w+)\[(\w)/(\w)\](\w+)", sequence.upper()).groups()  # type: ignore[union-attr]
    return before, first, second, after


@pytest.mark.real
@pytest.mark.skipif(not REAL.parents[1].exists(), reason="the real data are not here")
def test_real_manifests() -> None:
    rows = real_snps()
    assert len(rows) == 11
    assert {row["IlmnStrand"] for row in rows} == {"TOP", "BOT"}
    for row in rows:
        # the strand of SourceSeq stands in for the reference's
        before, first, second, after = split(row["SourceSeq"])
        found = assay(first, second, before, after, on_plus=row["IlmnStrand"] == row["SourceStrand"])
        assert (found.strand, found.alleles) == (row["IlmnStrand"], row["SNP"])
        probes = (found.probe_a, found.probe_b)
        if row["AlleleB_ProbeSeq"] and not is_palindromic(first, second):  # one has two probes by Illumina's choice
            probes = (found.probe_a[1:] + row["SNP"][1], found.probe_a[1:] + row["SNP"][3])
        assert probes == (row["AlleleA_ProbeSeq"], row["AlleleB_ProbeSeq"])
        assert split(around(found, same_strand=found.strand == "TOP")) == split(row["TopGenomicSeq"])
        forward = "F" if found.on_plus else "R"
        assert re.search(rf"_{found.strand[0]}_{forward}_\d+$", row["IlmnID"])


@given(left=bases, right=bases, pair=st.sampled_from(["AC", "AG", "AT", "CG", "CT", "GT"]), on_plus=st.booleans())
def test_the_other_strand_tells_the_same(left: str, right: str, pair: str, on_plus: bool) -> None:
    """TOP and BOT, and which allele is A, are of the marker: they do not depend on which strand is the reference's."""
    here = assay(pair[0], pair[1], left, right, on_plus=on_plus)
    there = assay(complement(pair[0]), complement(pair[1]), complement(right), complement(left), on_plus=not on_plus)
    decided = not is_palindromic(*pair) or any(
        (a in "AT") != (b in "AT") for a, b in zip(left[::-1], right, strict=True)
    )
    if decided:
        assert (here.strand, here.alleles, here.a_is_ref) == (there.strand, there.alleles, there.a_is_ref)
        assert (here.probe_a, here.probe_b) == (there.probe_a, there.probe_b)
    assert (here.probe_b != "") == is_palindromic(*pair)


@given(left=bases, right=bases, on_plus=st.booleans())
def test_a_snp_read_from_either_strand_has_one_a(left: str, right: str, on_plus: bool) -> None:
    for pair in ("AG", "TC", "AT", "GC"):
        assert assay(*pair, left, right, on_plus=True).a_is_ref == assay(*pair, left, right, on_plus=False).a_is_ref


def test_indels() -> None:
    left, right = "A" * 58 + "CG", "TT" + "C" * 58
    deletion, insertion = ("GTA", "G"), ("G", "GTA")
    plus = assay(*deletion, left, right, on_plus=True)
    assert plus == Assay("PLUS", True, False, "[D/I]", left[-50:], "", left, "[-/TA]", right)
    minus = assay(*insertion, left, right, on_plus=False)
    assert minus == Assay(
        "MINUS", False, False, "[I/D]", "G" * 48 + "AA", "", complement(right), "[-/TA]", complement(left)
    )
    assert around(minus, same_strand=False) == f"{left}[-/TA]{right}"
