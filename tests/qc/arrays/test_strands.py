"""The class of a marker's strand, case by case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pysam
import pytest

from cohelix.errors import InputError
from cohelix.qc.arrays import duplicates, strands
from cohelix.qc.arrays.info import Marker, read_marker
from cohelix.qc.arrays.manifest import complement, read_manifest
from cohelix.qc.arrays.strands import Bases, place
from cohelix.qc.schema import ArrayQcParams

UNKNOWN = (float("nan"), float("nan"))
SEQUENCE = "".join("ACGT"[k] for k in np.random.default_rng(5).integers(0, 4, 400))


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Bases:
    path = tmp_path_factory.mktemp("fasta") / "x.fa"
    path.write_text(f">chr1\n{SEQUENCE}\n")
    pysam.faidx(str(path))
    return Bases(str(path))


def _marker(ref: str, a: str, b: str, position: int = 200, **more: Any) -> Marker:
    return Marker("1", position, "m", ref, ".", more.pop("filters", "."), a, b, 0, 1, **more)


@pytest.mark.parametrize(
    ("ref", "a", "b", "strand", "site"),
    [
        ("A", "A", "G", strands.AGREES, ("A", "G", True)),
        ("G", "A", "G", strands.AGREES, ("G", "A", False)),
        ("A", "T", "C", strands.FLIPPED, ("A", "G", True)),
        ("C", "T", "G", strands.FLIPPED, ("C", "A", False)),
        ("A", "C", "G", strands.PALINDROME_AGREES, None),
        ("TC", "T", "TC", strands.AGREES, ("TC", "T", False)),
        ("T", "T", "TCA", strands.AGREES, ("T", "TCA", True)),
        ("GA", "T", "TC", strands.MISMATCH, None),
        ("A", "D", "I", strands.UNSPELLED, None),
        ("A", "A", "", strands.AGREES, ("A", ".", True)),
        ("A", "", "", strands.MULTIALLELIC, None),
        ("A", "T", "A", strands.PALINDROME_UNKNOWN, ("A", "T", False)),
    ],
)
def test_without_a_reference(ref: str, a: str, b: str, strand: str, site: tuple[str, str, bool] | None) -> None:
    found = place(_marker(ref, a, b), ArrayQcParams(), None, None, UNKNOWN)
    if (a, b) == ("C", "G"):
        strand = strands.MISMATCH  # REF is neither, on no strand
    assert found.strand == strand
    assert found.keep == (site is not None)
    if site is not None:
        assert (found.ref, found.alt, found.b_is_alt) == site


def test_an_indel_is_trimmed() -> None:
    found = place(_marker("CTTT", "CTT", "CTTT"), ArrayQcParams(), None, None, UNKNOWN)
    assert (found.position, found.ref, found.alt, found.b_is_alt) == (200, "CT", "C", False)


@pytest.mark.parametrize("plus", [True, False])
@pytest.mark.parametrize("errors", [0, 3, 4])
def test_probes_tell_the_strand_of_a_palindrome(bases: Bases, plus: bool, errors: int) -> None:
    """Probes end in their allele; the file states allele A rightly, or on the other strand."""
    position = next(k + 1 for k in range(150, 300) if SEQUENCE[k] == "A")
    before, after = SEQUENCE[position - 50 : position - 1], SEQUENCE[position : position + 49]
    body = before if plus else complement(after)
    body = "".join(complement(base) if k < errors else base for k, base in enumerate(body))
    # the probe of A reads A on the reference's strand
    probes = (body + ("A" if plus else "T"), body + ("T" if plus else "A"))
    for a, b, expected in (("A", "T", strands.PALINDROME_AGREES), ("T", "A", strands.PALINDROME_FLIPPED)):
        marker = _marker("A", a, b, position, probe_a=probes[0], probe_b=probes[1])
        found = place(marker, ArrayQcParams(), bases, None, UNKNOWN)
        assert found.strand == (expected if errors <= 3 else strands.PALINDROME_UNKNOWN)
        if errors <= 3:
            assert found.b_is_alt  # A is the reference base, whatever is stated
            dropped = place(marker, ArrayQcParams(flipped_palindromes="drop"), bases, None, UNKNOWN)
            assert dropped.keep == (expected == strands.PALINDROME_AGREES)


def test_probes_that_end_elsewhere_tell_nothing(bases: Bases) -> None:
    position = next(k + 1 for k in range(150, 300) if SEQUENCE[k] == "A")
    body = SEQUENCE[position - 50 : position - 1]
    for probes in ((body, ""), ("", ""), (body + "A", body + "A"), (body + "A", body[1:] + "AT")):
        marker = _marker("A", "A", "T", position, probe_a=probes[0], probe_b=probes[1])
        assert place(marker, ArrayQcParams(), bases, None, UNKNOWN).strand == strands.PALINDROME_UNKNOWN


def test_the_reference_has_the_last_word(bases: Bases) -> None:
    """PLINK's A2 may be any allele: where the FASTA has the other one, the marker is turned, and said to be."""
    position = next(k + 1 for k in range(150, 300) if SEQUENCE[k] == "A")
    plink = {"position": position, "ref_is_known": False}
    swapped = place(_marker("G", "G", "A", **plink), ArrayQcParams(), bases, None, UNKNOWN)
    assert (swapped.strand, swapped.ref, swapped.alt, swapped.b_is_alt) == (strands.SWAPPED, "A", "G", False)
    flipped = place(_marker("C", "C", "T", **plink), ArrayQcParams(), bases, None, UNKNOWN)
    assert (flipped.strand, flipped.ref, flipped.alt, flipped.b_is_alt) == (strands.FLIPPED, "A", "G", False)
    neither = place(_marker("C", "C", "G", **plink), ArrayQcParams(), bases, None, UNKNOWN)
    assert (neither.strand, neither.keep) == (strands.OTHER_REFERENCE, False)
    vcf = place(_marker("G", "G", "A", position), ArrayQcParams(), bases, None, UNKNOWN)
    assert (vcf.strand, vcf.keep) == (strands.OTHER_REFERENCE, False)


@pytest.mark.parametrize(
    ("of_b", "known", "strand"),
    [
        (0.1, 0.12, strands.PALINDROME_AGREES),
        (0.1, 0.88, strands.PALINDROME_FLIPPED),
        (0.45, 0.5, strands.PALINDROME_UNKNOWN),
        (0.1, 0.5, strands.PALINDROME_UNKNOWN),
        (0.1, float("nan"), strands.PALINDROME_UNKNOWN),
    ],
)
def test_frequencies_tell_the_strand_of_a_palindrome(of_b: float, known: float, strand: str) -> None:
    assert place(_marker("A", "A", "T"), ArrayQcParams(), None, None, (of_b, known)).strand == strand


def test_what_cannot_be_placed(bases: Bases) -> None:
    for marker in (_marker("A", "A", "G", 0), _marker("A", "A", "G", filters="DUPE;FAIL_REF")):
        assert place(marker, ArrayQcParams(), bases, None, UNKNOWN).strand == strands.UNPLACED


def test_choices_of_what_is_dropped() -> None:
    params = ArrayQcParams(flipped="drop", unresolved_palindromes="drop")
    for alleles in (("T", "C"), ("A", "T")):
        assert not place(_marker("A", *alleles), params, None, None, UNKNOWN).keep


def test_alleles_as_text_and_as_numbers() -> None:
    """Picard stars the reference; bcftools +gtc2vcf numbers the alleles."""
    head = ["1", "5", "m", "C", "T", ".", "."]
    for info in ("ALLELE_A=T;ALLELE_B=C*", "ALLELE_A=1;ALLELE_B=0"):
        found = read_marker(head, info)
        assert (found.allele_a, found.allele_b, found.code_a, found.code_b) == ("T", "C", 1, 0)
    plain = read_marker(head, "DP=3")
    assert (plain.allele_a, plain.allele_b, plain.code_a, plain.code_b) == ("C", "T", 0, 1)
    several = read_marker([*head[:4], "T,G", ".", "."], "DP=3")
    assert (several.allele_a, several.allele_b) == ("", "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Index,Name\n1,x\n", "a section \\[Assay\\]"),
        ("[Assay]\nIlmnID,Name\na,b\n", "line 2 of the manifest"),
        ("[Assay]\nName,IlmnStrand,SNP,AlleleA_ProbeSeq\n", "found none behind"),
        ("[Assay]\nName,IlmnStrand,SNP,AlleleA_ProbeSeq\nm,TOP,AG,ACGT\n", "on line 3 of the manifest"),
    ],
)
def test_manifests_that_are_none(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        read_manifest(str(path))


def test_bands_have_every_pair_once() -> None:
    for n in (2, 3, 1_000, 9_000):
        bands = duplicates._bands(n)
        assert [first for first, _ in bands] == [0, *(last for _, last in bands[:-1])]
        assert bands[-1][1] == n
        pairs = [sum(n - 1 - i for i in range(first, last)) for first, last in bands]
        assert max(pairs) <= 1.5 * 4_000_000 + n
