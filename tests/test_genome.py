"""The genome's constants against a second reading, and ploidy by region."""

from __future__ import annotations

import csv
import hashlib
import re
import tomllib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix import genome
from cohelix.errors import InputError, ReferenceMismatch
from cohelix.genome import AS_STATED, Contig

BUILDS = ("GRCh38", "GRCh37")


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def _lengths(root: Path, build: str) -> dict[str, int]:
    return {row["contig"]: int(row["length"]) for row in _table(root / "reference/genome" / build / "contigs.tsv")}


@pytest.mark.parametrize("build", BUILDS)
def test_source_is_complete_and_the_files_are_what_it_says(root: Path, build: str) -> None:
    folder = root / "reference/genome" / build
    source = tomllib.loads((folder / "SOURCE.toml").read_text())
    assert source["build"] == build
    assert {"version", "publisher", "url", "licence"} <= set(source)
    assert {file["path"] for file in source["file"]} == {path.name for path in folder.glob("*.tsv")}
    for file in source["file"]:
        assert hashlib.sha256((folder / file["path"]).read_bytes()).hexdigest() == file["sha256"]


@pytest.mark.parametrize("build", BUILDS)
def test_each_length_alone_tells_the_build(root: Path, build: str) -> None:
    lengths = _lengths(root, build)
    assert len(lengths) == 25
    for name, length in lengths.items():
        expected = genome.UNKNOWN_BUILD if name == "MT" else build  # both builds have the same MT
        assert genome.build_of([Contig(f"chr{name}", length)]) == expected
        assert genome.build_of([Contig(name, length)]) == expected


def test_builds_mixed_or_unknown(root: Path) -> None:
    new, old = _lengths(root, "GRCh38"), _lengths(root, "GRCh37")
    with pytest.raises(ReferenceMismatch, match="both GRCh37 and GRCh38"):
        genome.build_of([Contig("chr1", new["1"]), Contig("chr2", old["2"])])
    assert genome.build_of([Contig("chr1", new["1"] + 1), Contig("decoy", 5)]) == genome.UNKNOWN_BUILD
    assert genome.build_of([]) == genome.UNKNOWN_BUILD


@pytest.mark.parametrize("build", BUILDS)
def test_pseudoautosomal_regions_as_read_a_second_time(root: Path, build: str) -> None:
    rows = _table(root / "reference/genome" / build / "pseudoautosomal.tsv")
    for contig in ("X", "Y"):
        expected = tuple((int(r["start"]), int(r["end"])) for r in rows if r["contig"] == contig)
        assert genome.par_of(build, contig) == expected
        assert genome.par_of(build, f"chr{contig}") == expected
    assert genome.par_of(build, "chr7") == ()
    for row in rows:
        if row["contig"] == "X":
            start, end = int(row["start"]), int(row["end"])
            named = [genome.par_name(build, "chrX", at) for at in (start - 1, start, end - 1, end)]
            assert named == [None, row["name"], row["name"], None]


@pytest.mark.real
def test_contig_lengths_of_real_gvcfs(data: Path, root: Path) -> None:
    import gzip

    path = sorted((data / "gvcf_1kg_chr22").glob("*.gz"))[0]
    with gzip.open(path, "rt") as handle:
        header = [line for line in handle if line.startswith("##contig")]
    pattern = re.compile(r"ID=([^,]+),length=(\d+)")
    contigs = [Contig(m[1], int(m[2])) for line in header if (m := pattern.search(line))]
    assert genome.build_of(contigs) == "GRCh38"
    lengths = _lengths(root, "GRCh38")
    assert {c.name: c.length for c in contigs if c.name[3:] in lengths} | {"chrM": lengths["MT"]} == {
        f"chr{name}" if name != "MT" else "chrM": length for name, length in lengths.items()
    }


@given(
    build=st.sampled_from([*BUILDS, "unknown"]),
    contig=st.sampled_from(["chr1", "22", "chrX", "Y", "chrM", "MT", "chrUn_1"]),
    sex=st.sampled_from(genome.SEXES),
    length=st.integers(156_100_000, 300_000_000),
)
def test_ploidy_segments_cover_the_contig_once(build: str, contig: str, sex: str, length: int) -> None:
    segments = genome.ploidy_segments(build, contig, sex, length)
    assert segments[0][0] == 0
    assert segments[-1][1] >= length
    assert all(a[1] == b[0] for a, b in pairwise(segments))


@pytest.mark.parametrize(
    ("contig", "sex", "position", "ploidy"),
    [
        ("chr22", "male", 20_000_000, 2),
        ("chrX", "male", 10_001, 2),  # first base of PAR1
        ("chrX", "male", 10_000, 1),
        ("chrX", "male", 2_781_479, 2),  # last base of PAR1
        ("chrX", "male", 2_781_480, 1),
        ("chrX", "male", 155_701_383, 2),
        ("chrX", "male", 156_030_896, 1),
        ("chrX", "female", 50_000_000, 2),
        ("chrX", "unknown", 50_000_000, AS_STATED),
        ("chrY", "male", 20_000_000, 1),
        ("chrY", "male", 56_887_903, 2),
        ("chrY", "female", 20_000_000, 0),
        ("chrM", "female", 100, 1),
        ("chrM", "male", 100, 1),
        ("HLA-A", "male", 100, AS_STATED),
    ],
)
def test_ploidy_at_a_position(contig: str, sex: str, position: int, ploidy: int) -> None:
    """Expected values from the rules of inheritance and the published region ends (1-based here)."""
    segments = genome.ploidy_segments("GRCh38", contig, sex, 156_040_895)
    assert [p for start, end, p in segments if start <= position - 1 < end] == [ploidy]


@pytest.mark.parametrize(
    ("name", "plain"),
    [("chr7", "7"), ("7", "7"), ("chrX", "X"), ("x", "X"), ("23", "X"), ("chrM", "MT"), ("M", "MT"), ("MT", "MT")],
)
def test_plain_name(name: str, plain: str) -> None:
    assert genome.plain_name(name) == plain


CONTIGS = [Contig("chr1", 1000), Contig("HLA:01", 50), Contig("open", 0)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("chr1", (0, 0, 1000)),
        ("chr1:1-10", (0, 0, 10)),
        ("chr1:1,0-1,1", (0, 9, 11)),
        ("chr1:7", (0, 6, 7)),
        ("HLA:01:5-6", (1, 4, 6)),
        ("open", (2, 0, 2**31 - 1)),
    ],
)
def test_parse_region(text: str, expected: tuple[int, int, int]) -> None:
    assert genome.parse_region(text, CONTIGS) == expected


@pytest.mark.parametrize("text", ["chr2", "chr1:", "chr1:0-5", "chr1:9-5", "chr1:a-b", "chr1:-5", ""])
def test_parse_region__refused(text: str) -> None:
    with pytest.raises(InputError):
        genome.parse_region(text, CONTIGS)


def test_a_contig_whose_name_has_a_colon_can_be_named_whole() -> None:
    assert genome.parse_region("HLA:01", CONTIGS) == (1, 0, 50)


@pytest.mark.parametrize(
    ("text", "sex"),
    [("1", "male"), ("XX", "female"), ("F", "female"), ("NA", "unknown"), (" male ", "male"), ("", "unknown")],
)
def test_parse_sex(text: str, sex: str) -> None:
    assert genome.parse_sex(text) == sex


def test_parse_sex__refused() -> None:
    with pytest.raises(InputError, match="expected a sex"):
        genome.parse_sex("3")


def test_names_of_bins_sort_by_start_and_differ_between_contigs() -> None:
    names = [genome.Bin(0, start, start + 10, "chr4").name for start in (0, 10, 100, 2_000_000_000)]
    assert names == sorted(names)
    assert len({genome.Bin(0, 0, 10, contig).name for contig in ("HLA:1", "HLA_1", "HLA*1", "HLA1")}) == 4


@pytest.mark.parametrize("build", ["GRCh37", "GRCh38"])
def test_regions_follow_the_ploidy_of_a_man(build: str) -> None:
    """Where a man has one copy of X or Y is what is counted as X and Y; the rest is autosome, PAR or other."""
    expected: dict[str, dict[int, str]] = {
        "chr1": {2: "autosome"}, "20": {2: "chr20"}, "chrX": {1: "x", 2: "x_par"}, "Y": {1: "y", 2: "other"},
        "chrM": {1: "mt"}, "MT": {1: "mt"}, "chrUn_x": {genome.AS_STATED: "other"},
    }  # fmt: skip
    for contig, names in expected.items():
        edges = [edge for interval in genome.par_of(build, contig) for edge in interval]
        positions = sorted({1, 10_000_000, *edges, *(edge + 1 for edge in edges)})
        seen = [genome.REGIONS[code] for code in genome.region_of(build, contig, np.array(positions))]
        for position, name in zip(positions, seen, strict=True):
            segments = genome.ploidy_segments(build, contig, "male", 20_000_000 + position)
            (copies,) = [copies for low, high, copies in segments if low < position <= high]
            assert name == names[copies], (contig, position)
