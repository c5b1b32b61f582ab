"""The page about a callset: the numbers, and that nobody is on it."""

from __future__ import annotations

from pathlib import Path

from cohelix.genotypes import describe, vcf
from tests.genotypes.conftest import WriteVcf

SAMPLES = ("alpha_1", "beta_2", "gamma_3", "delta_4")
ROWS = [
    "chr1 10 A G 0/1 0/0 0/0 0/0",  # transition, one copy
    "chr1 20 C T 1/1 1/1 1/1 0/1",  # transition, 7 of 8
    "chr1 30 A C 0/0 0/0 0/0 ./.",  # transversion, none
    "chr1 40 A AT 0/1 0/1 ./1 0/0",  # insertion, 2 of 6
    "chr2 50 AT A ./. ./. ./. ./.",  # deletion, no call
    "chrX 30000000 AC GT 0/1 0/1 0/0 0/0",  # two bases; the man's het is in conflict
]


def test_the_numbers_are_those_of_the_rows(tmp_path: Path, write_vcf: WriteVcf) -> None:
    path = write_vcf(ROWS, SAMPLES)
    opened = vcf.import_vcf(str(path), str(tmp_path / "x"), sexes={"alpha_1": "male", "beta_2": "female"})
    found = describe.describe(opened)
    assert found.samples_by_sex == {"male": 1, "female": 1, "unknown": 2}
    assert found.sites_by_contig == {"chr1": 4, "chr2": 1, "chrX": 1}
    assert found.sites_by_kind == {"snp": 3, "insertion": 1, "deletion": 1, "mnp": 1, "other": 0}
    assert (found.transitions, found.transversions, found.ti_tv) == (2, 1, 2.0)
    assert found.by_frequency == {
        "no call": 1, "none": 1, "one copy": 2, "0 to 0.001": 0, "0.001 to 0.01": 0, "0.01 to 0.05": 0,
        "0.05 to 0.5": 1, "0.5 to 1": 1,
    }  # fmt: skip
    assert (found.n_genotypes, found.n_called) == (24, 17)
    assert found.missing == {"no_call": 5, "half_call": 1, "deletion": 0, "ploidy": 1, "no_copy": 0}
    assert found.n_called + sum(found.missing.values()) == found.n_genotypes


def test_the_page_names_nobody(tmp_path: Path, write_vcf: WriteVcf) -> None:
    opened = vcf.import_vcf(str(write_vcf(ROWS, SAMPLES)), str(tmp_path / "x"))
    page = describe.text(opened, describe.describe(opened))
    assert not any(sample in page for sample in SAMPLES)
    for words in ("GRCh38", "samples     4 (unknown 4)", "sites       6 in 3 shards", "2.000", "half_call"):
        assert words in page
