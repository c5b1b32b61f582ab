"""Sound scoring files: every row of them is where the plain reading of its format says it is."""

from __future__ import annotations

import gzip
import hashlib
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cohelix.prs.schema import EFFECT_TYPES
from cohelix.prs.scoring_file import columns
from cohelix.prs.scoring_file.batch import read_batch
from cohelix.prs.scoring_file.lines import Text
from cohelix.prs.scoring_file.records import Batch
from cohelix.prs.scoring_file.sources import sources
from tests.oracles import prs_scoring_file as plain

HEADER = "#pgs_id=PGS1\n#pgs_name=one\n#trait_reported=made\n#genome_build=GRCh38\n"
NAMES = "chr_name\tchr_position\teffect_allele\tother_allele\teffect_weight"
LINES = "1\t10\tA\tG\t0.5\n2\t20\tC\tT\t-1e-3"


def read(folder: Path, *contents: str | bytes, name: str = "made.txt") -> Batch:
    paths = []
    for number, content in enumerate(contents):
        path = folder / f"{number}_{name}"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        paths.append(str(path))
    return read_batch(sources(paths))


def rows_of(batch: Batch) -> list[plain.Row]:
    dosages = dict(zip(batch.dosage_row.tolist(), map(tuple, batch.dosage.tolist()), strict=True))
    fields = ("score", "row", "chromosome", "position", "effect", "other", "weight", "effect_type")
    columns = zip(*(getattr(batch, field).tolist() for field in fields), strict=True)
    return [
        plain.Row(
            batch.scores[score].id, row, chromosome, position, batch.alleles[effect],
            batch.alleles[other] if other >= 0 else "", None if at in dosages else weight, dosages.get(at),
            EFFECT_TYPES[effect_type],
        )
        for at, (score, row, chromosome, position, effect, other, weight, effect_type) in enumerate(columns)
    ]  # fmt: skip


CATALOG = [
    "OPGS002493.txt.gz", "OPGS017309.txt", "OPGS017309_hmPOS_GRCh38.txt.gz", "OPGS019828.txt",
    "OPGS019828_hmPOS_GRCh38.txt.gz", "PGS000001.txt.gz", "PGS000001_hmPOS_GRCh37.txt",
    "PGS000001_hmPOS_GRCh37.txt.gz", "PGS000001_hmPOS_GRCh38.txt", "PGS000001_hmPOS_GRCh38.txt.gz", "PGS000002.txt.gz",
    "PGS000002_hmPOS_GRCh37.txt.gz", "PGS000002_hmPOS_GRCh38.txt.gz", "PGS000802_hmPOS_GRCh37.txt",
    "PGS004255_hmPOS_GRCh38.txt.gz", "bad_harmonised.txt", "combined.txt.gz", "complex_variants_PGS000021.txt",
    "complex_variants_PGS004239.txt", "custom.txt", "custom_no_oa.txt", "invalid_scorefile.txt",
    "lift/PGS000001_hmPOS_GRCh37.txt", "lift/PGS000001_hmPOS_GRCh38.txt", "lift_to_grch37.txt", "lift_to_grch38.txt",
]  # fmt: skip
MATCH = [
    "bad_match_scorefile.txt.gz", "duplicated_scorefile.txt", "good_match_scorefile.txt",
    "normalised_PGS000001_hmPOS_GRCh38.txt.gz", "normalised_PGS000866_hmPOS_GRCh38.txt.gz",
]  # fmt: skip
CALCULATOR = [
    "PGS001229_22.txt", "PGS001229_22_duplicate.txt", "customgrch37.txt", "customgrch38.txt", "scorefile.txt",
    "scorefile_dominant_and_recessive.txt",
]  # fmt: skip
REAL = [
    *(f"pygscatalog/core/data/{name}" for name in CATALOG),
    *(f"pygscatalog/match/data/{name}" for name in MATCH),
    *(f"pgsc_calc/assets/examples/scorefiles/{name}" for name in CALCULATOR),
    "pgsc_calc/tests/subworkflows/perfect.txt",
]


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_every_row_of_a_real_file_is_what_the_plain_reader_says(data: Path, name: str) -> None:
    path = data / "prs_formats" / name
    batch, expected = read_batch(sources([str(path)])), plain.read(path)
    ids = list(dict.fromkeys(score.id for score in batch.scores))
    if expected.rows and expected.rows[0].score:
        assert rows_of(batch) == sorted(expected.rows, key=lambda row: (ids.index(row.score), row.row))
    else:  # a file without an id is called by its name
        assert [row.row for row in expected.rows] == batch.row.tolist()
        assert [row.weight for row in expected.rows] == batch.weight.tolist()
    assert len(expected.special) == len(batch.special)
    assert sorted(number for _, number in expected.special) == sorted(row.row for row in batch.special)
    assert sorted(number for _, number in expected.rejected) == sorted(batch.rejected.column("row").to_pylist())
    n_rows = sum(score.n_rows for score in batch.scores)
    assert n_rows == len(batch.row) + len(batch.special) + batch.rejected.num_rows
    assert batch.scores[0].fields == expected.header
    assert batch.scores[0].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.real
@pytest.mark.parametrize("how", ["arrow", "python"])
def test_kernels_arrow_and_python_read_the_same(data: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files = sources([str(data / "prs_formats" / name) for name in REAL])
    expected = [read_batch([file]) for file in files]
    monkeypatch.setattr(columns, "fields_of", lambda *_: None)
    if how == "python":
        typed = columns.read_table

        def strings_only(text: Text, types: dict[str, pa.DataType]) -> pa.Table:
            if pa.float64() in types.values():
                raise pa.ArrowInvalid("as if a number were odd")
            return typed(text, types)

        monkeypatch.setattr(columns, "read_table", strings_only)
    for file, kernels in zip(files, expected, strict=True):
        found = read_batch([file])
        assert rows_of(found) == rows_of(kernels)
        assert found.special == kernels.special
        assert found.rejected.drop_columns("weight").equals(kernels.rejected.drop_columns("weight"))


def test_header_values_may_hold_equal_signs_and_blanks(tmp_path: Path) -> None:
    header = "###PGS CATALOG\n#pgs_id=PGS9\t\t\n#citation=doi=10.1/x=y\n#genome_build=hg19\n#HmPOS_match_pos={}\n"
    batch = read(tmp_path, f"{header}{NAMES}\n{LINES}\n")
    (score,) = batch.scores
    assert (score.id, score.citation, score.build, score.n_rows) == ("PGS9", "doi=10.1/x=y", "GRCh37", 2)
    assert score.fields["genome_build"] == "hg19"


def test_the_first_format_of_the_catalog(tmp_path: Path) -> None:
    text = (
        "### PGS CATALOG SCORING FILE\n## POLYGENIC SCORE (PGS) INFORMATION\n# PGS ID = PGS000001\n# PGS Name = B\n"
        "# Reported Trait = Breast Cancer\n# Original Genome Build = NCBI36\n# Number of Variants = 1\n"
        "rsID\tchr_name\tchr_position\teffect_allele\treference_allele\teffect_weight\nrs1\t3\t7\tG\tA\t0.25\n"
    )
    batch = read(tmp_path, text)
    (score,) = batch.scores
    assert (score.id, score.name, score.trait, score.build) == ("PGS000001", "B", "Breast Cancer", "NCBI36")
    assert [batch.alleles[code] for code in (batch.effect[0], batch.other[0])] == ["G", "A"]


@pytest.mark.parametrize("build", ["GRCh37", "hg19", "b37", "GRCh38", "hg38", "NCBI36", "hg18", "NR", ""])
def test_builds_by_all_their_names(tmp_path: Path, build: str) -> None:
    known = {"hg19": "GRCh37", "b37": "GRCh37", "hg38": "GRCh38", "hg18": "NCBI36", "NR": "unknown", "": "unknown"}
    batch = read(tmp_path, f"#pgs_id=x\n#genome_build={build}\n{NAMES}\n{LINES}")
    assert batch.scores[0].build == known.get(build, build)


def test_harmonised_positions_count_even_where_harmonising_failed(tmp_path: Path) -> None:
    header = "#pgs_id=x\n#genome_build=GRCh37\n#HmPOS_build=GRCh38\n#HmPOS_date=2022-07-29\n"
    names = f"rsID\t{NAMES}\thm_source\thm_rsID\thm_chr\thm_pos\thm_inferOtherAllele"
    lines = [
        "rs1\t1\t10\tA\t\t1\tENSEMBL\trs11\t1\t110\tG",  # the other allele is inferred
        "rs2\t1\t20\tA\tC\t1\tENSEMBL\trs2\t1\t120\tG",  # the author's stands
        "rs3\t1\t30\tA\tC\t1\tUnknown\t\t\t\t",  # no position, though the author's build has one
        ".\t1\t40\tA\tC\t1\tUnknown\t\t\t\t",
        "rs5\t1\t50\tA\t\t1\tENSEMBL\t\t1\t150\tG/T",
    ]
    batch = read(tmp_path, header + "\n".join([names, *lines]))
    assert batch.scores[0].build == "GRCh38"
    assert batch.row.tolist() == [0, 1, 2, 4]
    assert batch.position.tolist() == [110, 120, 0, 150]
    others = [batch.alleles[code] if code >= 0 else "" for code in batch.other]
    assert others == ["G", "C", "C", ""]
    assert batch.rs_id is not None
    assert batch.rs_id.to_pylist() == [None, None, "rs3", None]
    assert batch.rejected.to_pylist()[0]["reason"] == "no_position"


@pytest.mark.parametrize("ids", [["rs5", "."], [".", ""], ["rs5", '"rs6"']])
def test_few_rows_without_a_position_among_many(tmp_path: Path, ids: list[str]) -> None:
    lines = [f"rs{row}\t1\t{row + 1}\tA\tG\t{row}" for row in range(100)]
    lines[30], lines[99] = (f"{name}\t\t\tA\tG\t{row}" for name, row in zip(ids, (30, 99), strict=True))
    lines[50] = "rs50\t6\t\tHLA-A\t\t50"
    batch = read(tmp_path, f"{HEADER}rsID\t{NAMES}\n" + "\n".join(lines))
    named = {row: name.strip('"') for row, name in zip((30, 99), ids, strict=True) if name.startswith(("r", '"'))}
    assert batch.rs_id is not None
    found = zip(batch.row.tolist(), batch.rs_id.to_pylist(), strict=True)
    assert {row: name for row, name in found if name is not None} == named
    assert batch.rejected.column("row").to_pylist() == [row for row in (30, 99) if row not in named]
    assert [row.fields["rsID"] for row in batch.special] == ["rs50"]
    assert batch.weight.tolist() == batch.row.tolist()
    assert len(batch.row) + batch.rejected.num_rows == 99


def test_without_harmonisation_in_the_header_the_authors_positions_stand(tmp_path: Path) -> None:
    names = NAMES + "\thm_chr\thm_pos"
    batch = read(tmp_path, f"{HEADER}{names}\n1\t10\tA\tG\t1\t2\t20\n")
    assert (batch.chromosome[0], batch.position[0]) == (1, 10)


@pytest.mark.parametrize(
    ("name", "code"),
    [("1", 1), ("chr7", 7), ("Chr7", 7), ("07", 7), ("22.0", 22), ("23", 23), ("X", 23), ("chrx", 23), ("XY", 23),
     ("25", 23), ("PAR1", 23), ("24", 24), ("Y", 24), ("26", 25), ("M", 25), ("chrM", 25), ("MT", 25)],
)  # fmt: skip
def test_chromosomes_by_all_their_names(tmp_path: Path, name: str, code: int) -> None:
    assert read(tmp_path, f"{HEADER}{NAMES}\n{name}\t10\tA\tG\t1\n").chromosome.tolist() == [code]


@pytest.mark.parametrize(
    ("line", "reason"),
    [("\t\tA\tG\t1", "no_position"), ("1\t0\tA\tG\t1", "no_position"), ("\t 0\tA\tG\t1", "no_position"),
     ("NA\tNA\tA\tG\t1", "no_position"), ("0\t5\tA\tG\t1", "bad_chromosome"), ("6_GL1\t5\tA\tG\t1", "bad_chromosome"),
     ("1\t1000000000\tA\tG\t1", "bad_position"), ("1\t9999999999\tA\tG\t1", "bad_position"),
     ("1\t5\tN\tG\t1", "bad_effect_allele"), ("1\t5\t-\tG\t1", "bad_effect_allele"),
     ("1\t5\tI\tD\t1", "bad_effect_allele"), ("1\t5\t\tG\t1", "bad_effect_allele"),
     ("1\t5\t\ufffd\tG\t1", "bad_effect_allele"), ("1\t5\tA\t-\t1", "bad_other_allele"),
     ("1\t5\tA\tD\t1", "bad_other_allele"), ("1\t5\tA\ta\t1", "same_alleles")],
)  # fmt: skip
def test_rows_that_are_no_variant_are_listed_with_the_reason(tmp_path: Path, line: str, reason: str) -> None:
    batch = read(tmp_path, f"{HEADER}{NAMES}\n1\t10\tA\tG\t0.5\n{line}\n2\t20\tC\tT\t2\n")
    (rejected,) = batch.rejected.to_pylist()
    assert (rejected["score"], rejected["row"], rejected["reason"], rejected["weight"]) == (0, 1, reason, 1.0)
    assert rejected["effect_allele"] == line.split("\t")[2]
    assert batch.row.tolist() == [0, 2]
    assert batch.weight.tolist() == [0.5, 2.0]
    assert batch.scores[0].n_rows == 3


def test_texts_with_blanks_quotes_and_lower_case_are_read_for_what_they_say(tmp_path: Path) -> None:
    variants = [
        f"{HEADER}{NAMES}\n{LINES}\n",
        "\ufeff" + f"{HEADER}{NAMES}\n{LINES}\n",
        f"{HEADER}{NAMES}\n{LINES}\n".replace("\n", "\r\n"),
        f"{HEADER}{NAMES}\n" + f"{LINES}\n".replace("\n", "\r"),
        f"{HEADER}{NAMES}\n\n{LINES}\n\n",
        f"{HEADER}{NAMES}\n1\t 10 \t a\tg \t 0.5\nchr2\t20.0\tC\tT\t-1e-3 ",
        HEADER
        + "\t".join(f'"{name}"' for name in NAMES.split("\t"))
        + '\n"1"\t10\t"A"\t"G"\t0.5\n2\t20\t"C"\t"T"\t-1e-3\n',
        f'{HEADER}{NAMES}\n"1"\t"10"\t"A"\t"G"\t"0.5"\n2\t20\tC\tT\t-1e-3\n',
        f"{HEADER}{NAMES}\n{LINES}\n".replace("\t", ","),
        f"{HEADER}{NAMES}\n{LINES}\n".replace("\t", "  "),
        f"{HEADER}#{NAMES}\n{LINES}\n",
        f"{HEADER}{NAMES}\tvariant_description\n" + LINES.replace("\n", '\ta "b\n') + "\tc",
        f"{HEADER}{NAMES}\tlocus_name\tvariant_description\n{LINES}\n",
    ]
    for text in variants:
        batch = read(tmp_path, text)
        assert [(row.chromosome, row.position, row.effect, row.other, row.weight) for row in rows_of(batch)] == [
            (1, 10, "A", "G", 0.5), (2, 20, "C", "T", -0.001),
        ], text  # fmt: skip


def test_text_that_is_not_utf8_does_no_harm_where_it_is_not_needed(tmp_path: Path) -> None:
    text = f"{HEADER}#citation=M\xfcller\n{NAMES}\tlocus_name\n1\t10\tA\tG\t0.5\tcaf\xe9\n".encode("latin-1")
    assert read(tmp_path, text).weight.tolist() == [0.5]


def test_weights_are_the_nearest_to_their_text(tmp_path: Path) -> None:
    chance = np.random.default_rng(4)
    values = [repr(value) for value in chance.normal(0, 1e-2, 4000).tolist()]
    values += [f"{value:.16e}" for value in chance.normal(0, 1e-9, 4000).tolist()]
    lines = "\n".join(f"1\t{at + 1}\tA\tG\t{value}" for at, value in enumerate(values))
    fast = read(tmp_path, f"{HEADER}{NAMES}\n{lines}\n")
    careful = read(tmp_path, f"{HEADER}{NAMES}\n{lines}\n1\t 7\tA\tG\t1e-310")
    expected = [float(value) for value in values]
    assert fast.weight.tolist() == expected
    assert careful.weight.tolist() == [*expected, 1e-310]


@pytest.mark.parametrize("how", ["gzip", "members", "bgzf", "zstd"])
def test_compressed_files_are_read_whole(tmp_path: Path, how: str) -> None:
    lines = "".join(f"1\t{position}\tA\tG\t{position}\n" for position in range(1, 3000))
    text = f"{HEADER}{NAMES}\n{lines}".encode()
    if how == "zstd":
        data = pa.Codec("zstd").compress(text, asbytes=True)
    elif how == "bgzf":
        import pysam

        with pysam.BGZFile(str(tmp_path / "x.gz"), "wb") as stream:
            stream.write(text)
        data = (tmp_path / "x.gz").read_bytes()
    elif how == "members":
        data = gzip.compress(text[:5000], mtime=0) + gzip.compress(text[5000:], mtime=0)
    else:
        data = gzip.compress(text, mtime=0)
    batch = read(tmp_path, data)
    assert batch.weight.tolist() == list(range(1, 3000))


def test_effect_types_and_dosage_weights(tmp_path: Path) -> None:
    names = f"{NAMES}\tis_dominant\tis_recessive\tdosage_0_weight\tdosage_1_weight\tdosage_2_weight"
    lines = [
        "1\t1\tA\tG\t0.1\tTRUE\tFALSE\t\t\t",
        "1\t2\tA\tG\t0.2\tFalse\tTrue\t\t\t",
        "1\t3\tA\tG\t\t\t\t-0.5\t0.25\t1e-3",
        "1\t4\tA\tG\t0.4\t\t\t1\t2\t3",  # effect_weight is there, and counts
    ]
    batch = read(tmp_path, HEADER + "\n".join([names, *lines]))
    assert [EFFECT_TYPES[code] for code in batch.effect_type] == ["dominant", "recessive", "nonadditive", "additive"]
    assert batch.dosage_row.tolist() == [2]
    assert batch.dosage.tolist() == [[-0.5, 0.25, 1e-3]]
    assert math.isnan(batch.weight[2])
    assert batch.weight[[0, 1, 3]].tolist() == [0.1, 0.2, 0.4]


def test_special_rows_keep_their_columns_as_text(tmp_path: Path) -> None:
    names = f"rsID\t{NAMES}\tis_interaction\tis_haplotype\tis_diplotype\tvariant_type\tlocus_name"
    lines = [
        "rs1_x_rs2\t1_x_2\t10_x_20\tA_x_C\tG_x_T\t0.5\tTRUE\t\t\t\t",
        "\t19\t\tAPOE_e2\t\t-0.5\tFalse\tTrue\t\tAPOE_allele\tAPOE",
        '\t6\t\tHLA-DR3/X\t\t1.5\tFalse\t\tTrue\tHLA_serotype\t"HLA-A, HLA-B"',
        "rs4\t1\t4\tA\tG\t4\tFalse\tFalse\tFalse\t\t",
        "\t10\t\tCYP2C19*2\t\t0.1\tFalse\tFalse\tFalse\tCYP_allele\tCYP2C19",
        "rs6,rs7\t1\t\tAC\t\t6\tFalse\tTRUE\tFalse\t\t",
        "rs8\t1\t8\tAA/AC\t\t8\tFalse\t\tTrue\t\t",
        "HLA_A_01\t6\t31\tP\tN\t9\tFalse\t\t\t\t",
    ]
    batch = read(tmp_path, HEADER + "\n".join([names, *lines]))
    kinds = {row.row: row.kind for row in batch.special}
    assert kinds == {0: "interaction", 1: "APOE", 2: "HLA", 4: "CYP", 5: "haplotype", 6: "diplotype", 7: "HLA"}
    assert batch.row.tolist() == [3]
    first, second, third = batch.special[:3]
    assert first.fields["rsID"] == "rs1_x_rs2"
    assert first.fields["chr_position"] == "10_x_20"
    assert first.weight == 0.5
    assert second.fields == {
        "chr_name": "19", "effect_allele": "APOE_e2", "effect_weight": "-0.5", "is_interaction": "False",
        "is_haplotype": "True", "variant_type": "APOE_allele", "locus_name": "APOE",
    }  # fmt: skip
    assert third.fields["locus_name"] == "HLA-A, HLA-B"


def test_frequencies_of_effect_alleles_where_they_are_given(tmp_path: Path) -> None:
    names = f"{NAMES}\tallelefrequency_effect\tallelefrequency_effect_European"
    with_some = f"{HEADER}{names}\n1\t1\tA\tG\t1\t0.25\t0.5\n1\t2\tA\tG\t1\t\t\n1\t3\tA\tG\t1\t1.5\t\n"
    without = f"#pgs_id=other\n{NAMES}\n{LINES}"
    batch = read(tmp_path, with_some, without)
    assert batch.frequency is not None
    assert np.array_equal(batch.frequency, [0.25, np.nan, np.nan, np.nan, np.nan], equal_nan=True)
    assert read(tmp_path, without).frequency is None


def test_several_files_are_joined_with_scores_and_alleles_numbered_through(tmp_path: Path) -> None:
    names = f"rsID\t{NAMES}\tdosage_0_weight\tdosage_1_weight\tdosage_2_weight"
    texts = [
        f"#pgs_id=a/../b\n{NAMES}\n{LINES}\n1\t9\tN\tA\t1\n",
        f"#pgs_id=b\n{names}\nrs7\t\t\tAT\tA\t\t0\t1\t2\n.\t1\t5\tHLA-A*1\t\t1\t\t\t\n",
        f"#score_id=c\n{NAMES}\n3\t30\tg\tat\t7\n5\t2\t.\tT\t1",
    ]
    batch = read(tmp_path, *texts)
    assert [(score.id, score.file, score.n_rows) for score in batch.scores] == [
        ("a/../b", 1, 3),
        ("b", 2, 2),
        ("c", 3, 2),
    ]
    assert batch.score.tolist() == [0, 0, 1, 2]
    assert batch.score.dtype == batch.row.dtype == batch.position.dtype == batch.effect.dtype == np.int32
    assert batch.chromosome.dtype == batch.effect_type.dtype == np.int8
    assert [(batch.alleles[e], batch.alleles[o]) for e, o in zip(batch.effect, batch.other, strict=True)] == [
        ("A", "G"), ("C", "T"), ("AT", "A"), ("G", "AT"),
    ]  # fmt: skip
    assert batch.rs_id is not None
    assert batch.rs_id.to_pylist() == [None, None, "rs7", None]
    assert batch.dosage_row.tolist() == [2]
    assert [(row.score, row.row, row.kind) for row in batch.special] == [(1, 1, "HLA")]
    assert batch.rejected.select(["score", "row"]).to_pylist() == [{"score": 0, "row": 2}, {"score": 2, "row": 1}]
