"""Tables that a user hands in: read as they stand, or refused by row, without an id in the message."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix.errors import InputError
from cohelix.genotypes import alleles, inputs

IDS = ["NA1", "NA2", "NA3", "NA4"]


def written(folder: Path, text: str, name: str = "table.tsv") -> str:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    return str(path)


def refused(call: object, *arguments: object) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments)  # type: ignore[operator]
    message = str(caught.value)
    assert not any(name in message for name in [*IDS, "table.tsv", "OTHER"])
    return message


@pytest.mark.parametrize("sample_column", inputs.SAMPLE_COLUMNS)
@pytest.mark.parametrize("name", ["table.tsv", "table.csv", "table.tsv.gz", "table.parquet"])
def test_pcs_are_those_of_each_sample(tmp_path: Path, sample_column: str, name: str) -> None:
    rows = {"NA3": (0.5, -1e-3), "NA1": (1.0, 2.0), "NA4": (3.0, 4.0), "OTHER": (9.0, 9.0)}
    if name.endswith("parquet"):
        path = str(tmp_path / name)
        first, second = zip(*rows.values(), strict=True)
        pq.write_table(pa.table({sample_column: list(rows), "PC1": first, "PC2": second}), path)
    else:
        separator = "," if "csv" in name else "\t"
        lines = [[sample_column, "PC1", "PC2"], *([key, *map(str, value)] for key, value in rows.items())]
        path = written(tmp_path, "".join(separator.join(line) + "\n" for line in lines), name)
    scores = inputs.read_pcs(path, IDS, 2)
    assert np.array_equal(scores, [[1, 2], [np.nan, np.nan], [0.5, -1e-3], [3, 4]], equal_nan=True)


def test_pcs_are_read_as_all_of_us_writes_them(tmp_path: Path) -> None:
    path = written(
        tmp_path, "research_id\tpca_features\n" + "".join(f"{one}\t[0.5, -{i}, 2e-1]\n" for i, one in enumerate(IDS))
    )
    assert inputs.read_pcs(path, IDS, 2).tolist() == [[0.5, -0.0], [0.5, -1.0], [0.5, -2.0], [0.5, -3.0]]
    assert "at least 4 numbers" in refused(inputs.read_pcs, path, IDS, 4)


def test_pcs_of_other_samples_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "s\tPC1\nOTHER1\t1\nOTHER2\t1\n")
    assert "other samples" in refused(inputs.read_pcs, path, IDS, 1)
    path = written(tmp_path, "s\tPC1\nNA1\t1\nOTHER2\t1\n")
    assert "rows for 1 of them" in refused(inputs.read_pcs, path, IDS, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("s\tPC1\nNA1\t1\nNA1\t2\n", "rows 2 and 3"),
        ("s\tPC1\nNA1\t1\nNA2\tx\nNA3\t1\n", "row 3"),
        ("s\tPC2\nNA1\t1\nNA2\t2\n", "found 0"),
        ("name\tPC1\nNA1\t1\n", "sample_id or research_id"),
        ("s\tPC1\nNA1\t1\nNA2\n", "row 3"),
        ("", "empty file"),
    ],
)
def test_bad_tables_name_the_row(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(inputs.read_pcs, written(tmp_path, text), IDS, 1)


def test_damaged_and_missing_files_are_refused(tmp_path: Path) -> None:
    assert "Check its path" in refused(inputs.read_table, str(tmp_path / "table.tsv"))
    (tmp_path / "table.tsv").write_bytes(b"PAR1 and no more")
    assert "damaged" in refused(inputs.read_table, str(tmp_path / "table.tsv"))
    (tmp_path / "table.tsv").write_bytes(gzip.compress(b"s\tx\n" * 50)[:-9])
    assert "damaged" in refused(inputs.read_table, str(tmp_path / "table.tsv"))
    (tmp_path / "table.tsv").write_bytes(b"s\tsex\nNA1\t\xff\xfe\n")
    assert "UTF-8" in refused(inputs.read_table, str(tmp_path / "table.tsv"))


def test_groups_prefer_the_most_specific_column(tmp_path: Path) -> None:
    path = written(
        tmp_path, "research_id\tancestry_pred\tancestry_pred_other\nNA2\teur\toth\nNA1\tafr\tafr\nNA4\tx\t\n"
    )
    groups = inputs.read_groups(path, IDS)
    assert groups.names == ["afr", "oth"]
    assert groups.codes.tolist() == [0, 1, -1, -1]
    assert groups.sizes.tolist() == [1, 1]
    assert inputs.read_groups(path, IDS, "ancestry_pred").names == ["afr", "eur", "x"]
    assert "called site" in refused(inputs.read_groups, path, IDS, "site")


def test_sexes_are_read_and_unknown_codes_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "s\tsex_at_birth\nNA1\tFemale\nNA2\tPMI: Skip\nNA4\t1\n")
    assert inputs.read_sexes(path, IDS) == ["female", "unknown", "unknown", "male"]
    path = written(tmp_path, "s\tsex\nNA1\tmale\nNA2\t3\nNA3\tfemal\n")
    assert "2 of 3: rows 3, 4" in refused(inputs.read_sexes, path, IDS)


def test_links_by_pair_and_by_person(tmp_path: Path) -> None:
    pairs = inputs.Links(["A1", "A2"], ["NA1", "NA2"])
    assert inputs.read_links(written(tmp_path, "array_sample_id\twgs_sample_id\nA1\tNA1\nA2\tNA2\n")) == pairs
    assert inputs.read_links(written(tmp_path, "left,right\nA1,NA1\nA2,NA2\n", "table.csv")) == pairs
    rows = "A1 array 1,NA1 wgs 1,A2 array 2,NA2 wgs 2,A3 array 3,NA4 wgs 4".replace(" ", "\t").replace(",", "\n")
    assert inputs.read_links(written(tmp_path, f"sample_id\tkind\tperson_id\n{rows}\n")) == pairs
    assert "row 3" in refused(inputs.read_links, written(tmp_path, "left\tright\nA1\tNA1\nA2\t\n"))
    assert "pairs 1 and 2" in refused(inputs.read_links, written(tmp_path, "left\tright\nA1\tNA1\nA1\tNA1\n"))
    assert "at least one pair" in refused(inputs.read_links, written(tmp_path, "left\tright\n"))
    assert "array_sample_id" in refused(inputs.read_links, written(tmp_path, "a\tb\nA1\tNA1\n"))


ALLELE = st.text("ACGT", min_size=1, max_size=4)
SITE = st.tuples(st.sampled_from(["chr1", "2", "chrX"]), st.integers(1, 30), ALLELE, ALLELE).filter(
    lambda site: site[2] != site[3]
)


@given(st.lists(SITE, max_size=20), st.lists(SITE, min_size=1, max_size=20))
def test_lookup_finds_what_is_listed_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory,
    listed: list[tuple[str, int, str, str]],
    asked: list[tuple[str, int, str, str]],
) -> None:
    rows = [f"{c}\t{p}\t{r}\t{a}\t{(i + 1) / 64}\n" for i, (c, p, r, a) in enumerate(listed)]
    path = written(tmp_path_factory.mktemp("f"), "contig\tposition\tref\talt\taf\n" + "".join(rows))
    table = {(c.removeprefix("chr"), *alleles.trim(p, r, a)): (i + 1) / 64 for i, (c, p, r, a) in enumerate(listed)}
    frequencies = inputs.read_frequencies(path)
    for contig in ("chr1", "chr2", "X"):
        own = [
            alleles.trim(p, r, a)
            for c, p, r, a in [*listed, *asked]
            if c.removeprefix("chr") == contig.removeprefix("chr")
        ]
        positions, refs, alts = (list(column) for column in zip(*own, strict=True)) if own else ([], [], [])
        found = frequencies.lookup(contig, np.array(positions, np.int64), refs, alts)
        expected = [table.get((contig.removeprefix("chr"), *one), np.nan) for one in own]
        assert np.array_equal(found, expected, equal_nan=True)


def test_frequencies_of_a_vcf(tmp_path: Path) -> None:
    header = "##fileformat=VCFv4.2\n##INFO=<ID=AF>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    body = "chr1\t10\t.\tCTT\tCT,C\t.\t.\tAN=5;AF=0.25,0.5\nchr1\t20\t.\tA\tG\t.\t.\tXAF=1\n"
    frequencies = inputs.read_frequencies(written(tmp_path, header + body, "table.vcf.gz"))
    found = frequencies.lookup("1", np.array([10, 10, 20, 20]), ["CT", "CTT", "A", "A"], ["C", "C", "G", "T"])
    assert np.array_equal(found, [0.25, 0.5, 0.0, np.nan], equal_nan=True)
    assert "row 2" in refused(
        inputs.read_frequencies, written(tmp_path, "contig\tposition\tref\talt\taf\n1\t5\tA\tC,G\t1,1,1\n")
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("contig\tposition\tref\talt\taf\n1\t99999999999999999999\tA\tC\t0.5\n", "row 2"),
        ("contig\tposition\tref\talt\taf\n1\t5\tA\tC\t0.5\n1\t-5\tA\tC\t0.5\n", "row 3"),
        ("contig\tposition\tref\talt\taf\n1\t5\tA\tC\t1.5\n", "between 0 and 1"),
        ("contig\tposition\tref\talt\taf\n1\t5\tA\tC\tnan\n", "between 0 and 1"),
    ],
)
def test_frequencies_that_cannot_be(tmp_path: Path, text: str, says: str) -> None:
    assert says in refused(inputs.read_frequencies, written(tmp_path, text))


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("separator", ["\t", ","])
def test_quotes_of_r_and_marks_of_windows_are_no_part_of_a_table(
    tmp_path: Path, separator: str, mark: str, ending: str
) -> None:
    rows = [["sample_id", "sex"], *([one, "F"] for one in IDS)]
    for text in (
        mark + ending.join(separator.join(f'"{field}"' for field in row) for row in rows),
        mark + (ending * 2).join(separator.join(row) for row in rows) + ending * 3,
    ):
        assert inputs.read_sexes(written(tmp_path, text), IDS) == ["female"] * 4


def test_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    text = "sample_id\tsex\tage\tsex\n" + "".join(f"{one}\tF\t7\tM\n" for one in IDS)
    assert "column 4" in refused(inputs.read_sexes, written(tmp_path, text), IDS)


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    assert inputs.read_table(written(tmp_path, "sample_id\tsex")).num_rows == 0
    assert "0 rows" in refused(inputs.read_sexes, written(tmp_path, "sample_id\tsex"), IDS)


def test_ids_are_no_names_of_groups(tmp_path: Path) -> None:
    text = "sample_id\tgroup\n" + "".join(f"{one}\t{one}\n" for one in IDS)
    assert "ids of samples" in refused(inputs.read_groups, written(tmp_path, text), IDS)
