"""The table of star alleles: what cannot be placed is refused, with its row."""

from __future__ import annotations

from pathlib import Path

import pytest

from cohelix.errors import ConfigError
from cohelix.simulate import regions
from cohelix.simulate.star_alleles import COLUMNS, StarAlleles, read_table, stretches

TENTHS = "\t".join(["0.1"] * 6)
GOOD = f"G\t*2\tchr2\t500000\tA\tG\t1\t.\t.\t{TENTHS}"

REFERENCE = "G\t*9\tchr2\t500000\tAC\t.\t1\t.\t." + "\t." * 6


def written(folder: Path, *rows: str) -> str:
    path = folder / "table.tsv"
    path.write_text("\n".join(["\t".join(COLUMNS), *rows]) + "\n")
    return str(path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([GOOD + "\textra"], "15 fields"),
        (["G\t*2\tchr2\t5000"], "15 fields"),
        ([GOOD.replace("0.1", "nan", 1)], "frequencies from 0 to 1"),
        ([GOOD.replace("\tG\t1", "\tA\t1")], "two alleles"),
        ([GOOD.replace("\tA\tG\t", "\tAC\tAG\t")], "one base for another"),
        ([GOOD.replace("500000", "242193529").replace("\tA\t", "\tAC\t").replace("\tG\t1", "\tA\t1")], "on the contig"),
        ([GOOD, GOOD], "do not overlap"),
        ([GOOD, GOOD.replace("\tG\t1", "\tC\t1")], "do not overlap"),
        ([GOOD.replace("\tA\tG", "\tACG\tA"), GOOD.replace("500000", "500002")], "do not overlap"),
        ([GOOD, GOOD.replace("500000", "500010").replace("0.1", "0.2")], "agree"),
        ([GOOD, GOOD.replace("chr2\t500000", "chr3\t500010")], "agree"),
        ([GOOD.replace("500000\tA\tG", ".\t.\t.")], "a change of copies of G"),
        ([REFERENCE, REFERENCE.replace("*9", "*8")], "one reference haplotype of G, found two"),
        ([REFERENCE.replace("\t1\t", "\t2\t").replace("\t.\t.\t.", "\t1\t5\t.", 1)], "'.' as alt|one copy"),
        ([GOOD.replace("\tG\t1", "\tG\t1"), REFERENCE.replace("*9", "*2")], "agree"),
        ([f"G\t*5\tchr2\t.\t.\t.\t0\t9000\t5000\t{TENTHS}"], "start and end"),
        ([f"G\t*5\tchr2\t.\t.\t.\t0\t-100\t5000\t{TENTHS}"], "start and end"),
        ([f"G\t*5\tchr2\t.\t.\t.\t0\t249000000\t250000000\t{TENTHS}"], "start and end"),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_placed_are_refused(tmp_path: Path, rows: list[str], message: str) -> None:
    assert read_table(written(tmp_path, GOOD))["G"][0].variants == ((499_999, "A", "G"),)
    with pytest.raises(ConfigError, match=message):
        read_table(written(tmp_path, *rows))


def test_a_gene_at_the_end_of_its_contig_gets_a_region_within_it(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, GOOD.replace("chr2\t500000", "chrM\t16569")))
    ((contig, start, end),) = stretches(table)
    assert (contig, start, end) == ("chrM", 15_568, 16_569)
    assert regions.parse([f"{contig}:{start + 1}-{end}"])


def test_a_reference_haplotype_has_a_name_and_bases(tmp_path: Path) -> None:
    further = REFERENCE.replace("500000\tAC", "502000\tT")
    table = read_table(written(tmp_path, GOOD, REFERENCE, further))
    reference = table["G"][1]
    assert reference.is_reference and reference.bases == ((499_999, "AC"), (501_999, "T"))
    stars = StarAlleles(table, regions.parse(["chr2:498,001-504,000"]), seed=1)
    assert stars.references == ["*9"]
    (region,) = stars.regions_of[0]
    assert stars.placed(region) == [(1999, "A"), (2000, "C"), (3999, "T")]
    drawn = {None if (one := stars.draw(0, founder, 0)) is None else one.name for founder in range(200)}
    assert drawn == {None, "*2"}  # the reference haplotype is what is left over


def test_a_gene_whose_variants_lie_far_apart_gets_several_regions(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, GOOD, GOOD.replace("500000", "540000"), GOOD.replace("500000", "541500")))
    assert stretches(table) == [("chr2", 498_999, 501_000), ("chr2", 538_999, 542_500)]
    found = regions.parse([f"{contig}:{start + 1}-{end}" for contig, start, end in stretches(table)])
    stars = StarAlleles(table, found, seed=1)
    extras = stars.extras(0, table["G"][0])
    assert [(index, extra.offset) for index, extra in extras] == [(0, 1000), (1, 1000), (1, 2500)]


def test_bases_that_contradict_one_another_are_refused(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, GOOD, REFERENCE.replace("AC", "GC")))
    with pytest.raises(ConfigError, match="different reference bases"):
        StarAlleles(table, regions.parse(["chr2:498,001-504,000"]), seed=1)
