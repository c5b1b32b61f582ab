"""What is no scoring file: the message says which file and line, what was expected, and the way out."""

from __future__ import annotations

import gzip
import random
import re
from pathlib import Path

import pyarrow as pa
import pytest

from cohelix.errors import InputError
from cohelix.prs.scoring_file.batch import check_ids, read_batch
from cohelix.prs.scoring_file.sources import sources

HEADER = "#pgs_id=PGS1\n#genome_build=GRCh38\n"
NAMES = "chr_name\tchr_position\teffect_allele\tother_allele\teffect_weight"
GOOD = f"{HEADER}{NAMES}\n1\t10\tA\tG\t0.5\n"


def message_of(folder: Path, *contents: str | bytes) -> str:
    paths = []
    for number, content in enumerate(contents):
        path = folder / f"private-name-{number}.txt"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        paths.append(str(path))
    with pytest.raises(InputError) as caught:
        read_batch(sources(paths))
    assert "private-name" not in str(caught.value)
    assert str(folder) not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("weight", "said"),
    [("abc", "'abc'"), ("inf", "'inf'"), ("-Infinity", "'-Infinity'"), ("1,5", "'1,5'"), ("0x10", "'0x10'"),
     ("1_000", "'1_000'"), ("1e999", "'1e999'"), ("nan", "found none"), ("", "found none"), ("NA", "found none")],
)  # fmt: skip
def test_weights_that_are_no_numbers(tmp_path: Path, weight: str, said: str) -> None:
    message = message_of(tmp_path, GOOD, f"{GOOD.replace('PGS1', 'PGS2')}2\t5\tA\tG\t{weight}\n3\t5\tA\tG\t1\n")
    assert "scoring file 2, line 5: expected a" in message
    assert "effect_weight" in message
    assert said in message


@pytest.mark.parametrize(
    ("names", "wanted"),
    [("chr_name\tchr_position\tother_allele\teffect_weight", "column effect_allele"),
     ("effect_allele\tother_allele\teffect_weight", "chr_name and chr_position, ID"),
     ("chr_name\teffect_allele\teffect_weight", "chr_name and chr_position, ID"),
     ("chr_name\tchr_position\teffect_allele\tOR", "column effect_weight"),
     ("chr_name\tchr_position\teffect_allele\tdosage_0_weight\tdosage_1_weight", "dosage_2_weight")],
)  # fmt: skip
def test_missing_columns(tmp_path: Path, names: str, wanted: str) -> None:
    message = message_of(tmp_path, f"{HEADER}{names}\n1\t1\tA\t1\t1\n")
    assert "scoring file 1, line 3: expected column" in message
    assert wanted in message


def test_a_harmonised_file_without_harmonised_columns(tmp_path: Path) -> None:
    header = HEADER + "#HmPOS_build=GRCh38\n#HmPOS_date=2022-07-29\n"
    message = message_of(tmp_path, f"{header}{NAMES}\n1\t10\tA\tG\t0.5\n")
    assert "expected column hm_chr and hm_pos, as the header says HmPOS_build" in message


def test_a_row_that_is_dominant_and_recessive(tmp_path: Path) -> None:
    lines = "1\t1\tA\tG\t1\tTrue\tFalse\n1\t2\tA\tG\t1\tTrue\tTrue\n"
    message = message_of(tmp_path, f"{HEADER}{NAMES}\tis_dominant\tis_recessive\n{lines}")
    assert message.startswith("scoring file 1, line 5: the row is both dominant and recessive")


def test_dosage_weights_that_are_not_three_or_meet_a_flag(tmp_path: Path) -> None:
    names = f"{HEADER}{NAMES}\tdosage_0_weight\tdosage_1_weight\tdosage_2_weight\tis_dominant\n"
    assert "line 4: expected a number as effect_weight (or" in message_of(tmp_path, f"{names}1\t1\tA\tG\t\t1\t\t2\t\n")
    assert "line 5: dosage weights say by themselves" in message_of(
        tmp_path, f"{names}1\t1\tA\tG\t\t1\t1\t2\t\n1\t1\tA\tG\t\t1\t1\t2\tTrue\n"
    )


@pytest.mark.parametrize(("line", "n"), [("1\t2\tA\tG\t0.1\textra", 6), ("1\t2\tA", 3), ("word", 1)])
def test_lines_with_another_number_of_fields(tmp_path: Path, line: str, n: int) -> None:
    message = message_of(tmp_path, f"{GOOD}\n{line}\n1\t3\tA\tG\t1\n")
    assert message.startswith(f"scoring file 1, line 6: expected 5 fields as in line 3, found {n}")


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [("is_dominant", "maybe", "expected True or False as is_dominant, found 'maybe'"),
     ("effect_type", "additve", "as effect_type, found 'additve'"),
     ("row_nr", "-1", "expected a whole number from 0 on as row_nr"),
     ("row_nr", "0", "row_nr 0 is that of an earlier row"),
     ("accession", "", "expected the id of a score as accession")],
)  # fmt: skip
def test_columns_with_values_of_another_kind(tmp_path: Path, column: str, value: str, said: str) -> None:
    first = {"is_dominant": "False", "effect_type": "additive", "row_nr": "0", "accession": "a"}[column]
    text = f"{HEADER}{NAMES}\t{column}\n1\t1\tA\tG\t1\t{first}\n1\t2\tA\tG\t1\t{value}\n"
    message = message_of(tmp_path, text)
    assert message.startswith("scoring file 1, line 5: ")
    assert said in message


@pytest.mark.parametrize("position", ["12a", "1.5", "-7", "-2", "1e5"])
def test_positions_that_are_no_whole_numbers(tmp_path: Path, position: str) -> None:
    message = message_of(tmp_path, f"{GOOD}1\t{position}\tA\tG\t1\n")
    assert message.startswith("scoring file 1, line 5: expected a whole number as chr_position")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b" \n\n", "is empty"), (b"#pgs_id=1\n", "comment lines only"),
     (f"{HEADER}{NAMES}\n".encode(), "has no rows below its column names (line 3)"),
     (f"{HEADER}{NAMES}".encode(), "has no rows below its column names (line 3)"),
     (bytes(range(256)) * 4, "is no text"), (gzip.compress(b"", mtime=0), "is empty"),
     (b"#pgs_id=1\n#genome_build=pangenome\n" + NAMES.encode() + b"\n1\t1\tA\tG\t1\n", "found 'pangenome'"),
     (f"{HEADER}{NAMES}\teffect_weight\n".encode(), "has the name of an earlier one"),
     (f"{HEADER}{NAMES}\n1\t1\t\xe9\tG\t1\n".encode("latin-1"), "line 4 is no UTF-8 text")],
)  # fmt: skip
def test_files_that_are_no_scoring_files(tmp_path: Path, content: bytes, said: str) -> None:
    message = message_of(tmp_path, content)
    assert message.startswith("scoring file 1")
    assert said in message


def bgzf(text: bytes, folder: Path) -> bytes:
    import pysam

    with pysam.BGZFile(str(folder / "x.gz"), "wb") as stream:
        stream.write(text)
    return (folder / "x.gz").read_bytes()


def test_files_that_were_cut_short(tmp_path: Path) -> None:
    text = (GOOD + "".join(f"1\t{at}\tA\tG\t0.{at}\n" for at in range(11, 20_000))).encode()
    packed, blocks = gzip.compress(text, mtime=0), bgzf(text, tmp_path)
    zstd = pa.Codec("zstd").compress(text, asbytes=True)
    for cut in (packed[:-9], packed[:-1], packed[:12], blocks[:-28], zstd[:-3], packed[:-6] + b"\0\0" + packed[-4:]):
        assert "scoring file 1 is cut short or damaged" in message_of(tmp_path, cut)


def test_two_scores_of_one_id(tmp_path: Path) -> None:
    message = message_of(tmp_path, GOOD, GOOD.replace("PGS1", "PGS2"), GOOD.replace("0.5", "0.6"))
    assert message.startswith("scoring files 1 and 3 both hold a score 'PGS1'")
    (tmp_path / "one.txt").write_text(GOOD)
    batch = read_batch(sources([str(tmp_path / "one.txt")]))
    check_ids(batch.scores)
    with pytest.raises(InputError, match=re.escape("both hold a score 'PGS1'")):
        check_ids([*batch.scores, *batch.scores])


PIECES = [
    "\t",
    "\n",
    "\r",
    '"',
    "NA",
    "",
    "\udcff",
    "1e5",
    "-",
    "_x_",
    "#",
    "nan",
    ",",
    " ",
    "TRUE",
    "P",
    "9" * 21,
    "=",
]


def test_a_damaged_file_is_read_whole_or_refused(tmp_path: Path) -> None:
    chance = random.Random(5)
    names = f"rsID\t{NAMES}\tis_haplotype\tvariant_type\tdosage_0_weight\tdosage_1_weight\tdosage_2_weight"
    lines = "rs1\t1\t5\tA\tG\t0.5\tFalse\t\t\t\t\nrs2\t\t\tT\t\t\tFalse\t\t1\t2\t3\n"
    lines += "\t6\t\tHLA-A\t\t1\tTrue\tHLA_allele\t\t\t\n"
    texts = [HEADER + names + "\n" + lines * 3, "ID\teffect_allele\tS1\tS2\n" + "1:5:A:G\tA\t1\t0\nrs7\tC\t2\t\n" * 4]
    path, read = tmp_path / "x.txt", 0
    for _ in range(400):
        text = chance.choice(texts)
        for _ in range(chance.choice([1, 1, 3])):
            at = chance.randrange(len(text))
            text = text[:at] + chance.choice(PIECES) + text[at + chance.choice([0, 1, 5]) :]
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        try:
            batch = read_batch(sources([str(path)]))
        except InputError:
            continue
        read += 1
        n_rows = sum(score.n_rows for score in batch.scores)
        assert n_rows == len(batch.row) + len(batch.special) + batch.rejected.num_rows
        assert ((batch.position > 0) == (batch.chromosome > 0)).all()
        assert ((batch.effect >= 0) & (batch.effect < len(batch.alleles))).all()
    assert 50 < read < 350
