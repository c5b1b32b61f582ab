"""Calls of other programs: each format read, names brought to ours, what is not known refused."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cohelix.errors import InputError
from cohelix.pgx import names
from cohelix.pgx.definition import Gene, NamedAllele, Rule
from cohelix.pgx.outside import OutsideCalls, read_outside
from cohelix.pgx.schema import ANSWERS, PHENOTYPES

PERSON = "MOUSE-7"


def gene(symbol: str, alleles: dict[str, tuple[str, float | None]], **more: Any) -> Gene:
    made = [NamedAllele(name, "", rank == 0, (), 1, (), *told) for rank, (name, told) in enumerate(alleles.items())]
    more = {"ploidy": "autosome", "method": "standard"} | more
    return Gene(symbol, "chr1", positions=(), alleles=tuple(sorted(made, key=lambda one: names.key(one.name))),
                undocumented_as_reference=False, source="toy", version="1", **more)  # fmt: skip


def genes() -> dict[str, Gene]:
    d6 = {"*1": 1.0, "*2": 1.0, "*4": 0.0, "*10": 0.25, "*36": 0.0, "*43": None, "*45": 1.0, "*46": 1.0, "*68": 0.0}
    only = (NamedAllele("*5", "", False, (), 1, (), "", 0.0), NamedAllele("*1x≥3", "", False, (), 1, (), "", 3.0))
    scores = (
        Rule("Poor Metabolizer", (), 0.0, 0.0),
        Rule("Intermediate Metabolizer", (), 0.25, 1.0),
        Rule("Normal Metabolizer", (), 1.25, 2.25),
        Rule("Ultrarapid Metabolizer", (), 2.5, None),
    )
    normal, no = "Normal function", "No function"
    made = [
        gene("CYP2D6", {name: ("", value) for name, value in d6.items()}, scored_by_activity=True, functions_only=only,
             rules=scores),
        gene("CYP2C19", {"*1": (normal, None), "*2": (no, None)},
             rules=(Rule("Normal Metabolizer", (normal, normal)), Rule("Intermediate Metabolizer", (no, normal)))),
        gene("MT-RNR1", {"Reference": ("Normal risk", None), "m.1555A>G": ("Increased risk", None)}, ploidy="MT",
             method="outside", rules=(Rule("increased risk", ("Increased risk",)),)),
        gene("HLA-B", {}, method="outside", functions_only=tuple(
            NamedAllele(f"{one} {sign}", "", False, (), 1, ()) for one in ("*15:02", "*57:01")
            for sign in ("positive", "negative"))),
    ]  # fmt: skip
    return {one.symbol: one for one in made}


def written(folder: Path, name: str, text: str | bytes) -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def calls(found: OutsideCalls, symbol: str) -> dict[str, dict[str, Any]]:
    """By person: answer and meaning in one, with the number of copies and the tool."""
    of = found.of(symbol)
    assert of is not None
    assert (of.answers.schema, of.meanings.schema) == (ANSWERS, PHENOTYPES)
    answers, meanings = of.answers.to_pylist(), of.meanings.to_pylist()
    assert {one["status"] for one in answers} == {"outside"}
    return {
        person: answers[row] | meanings[row] | {"copies": int(copies), "tool": tool}
        for person, row, copies, tool in zip(of.sample_ids, of.answer, of.copy_number, of.tool, strict=True)
    }


def test_pharmcat_tells_one_person_by_the_name_of_the_file(tmp_path: Path) -> None:
    text = ("# calls of a laboratory\nCYP2D6\tCYP2D6*4x2/CYP2D6*1\nCYP2C19\t\tIM\n\nHLA-B\t\t*57:01 positive\n"
            "HLA-B\t\t*15:02 negative\nMT-RNR1\t1555A>G\n")  # fmt: skip
    found = read_outside([written(tmp_path, f"{PERSON}.outside.tsv", text)], genes())
    assert found.genes == ("CYP2C19", "CYP2D6", "HLA-B", "MT-RNR1")
    two = calls(found, "CYP2D6")[PERSON]
    assert (two["diplotypes"], two["n_top"], two["reported"]) == (["*1/*4x2"], 1, ["*1/*4x2"])
    assert (two["activity_score"], two["phenotype"], two["copies"]) == (1.0, "Intermediate Metabolizer", 3)
    stated = calls(found, "CYP2C19")[PERSON]
    assert (stated["diplotypes"], stated["reported"], stated["phenotype"]) == ([], [None], "Intermediate Metabolizer")
    assert calls(found, "HLA-B")[PERSON]["phenotypes"] == ["*57:01 positive", "*15:02 negative"]
    assert calls(found, "MT-RNR1")[PERSON]["phenotype"] == "increased risk"
    assert found.of("CYP2C9") is None


def test_a_table_of_many_people(tmp_path: Path) -> None:
    text = (
        "sample_id\tgene\tdiplotype\tphenotype\tactivity_score\n"
        "a\tCYP2D6\t*1x5/*1\t\t\n"
        "b\tCYP2D6\t*4/*5\t\t\n"
        "c\tCYP2D6\t*1/*1x5\t\t\n"
        "d\tCYP2D6\t*1/*46 or *43/*45\t\t\n"
        "e\tCYP2D6\t\t\t≥3.0\n"
        "f\tCYP2D6\t*1/*4\tPoor Metabolizer\t\n"
        "g\tCYP2D6\t*1/*4\t\t0.25\n"
        "h\tCYP2D6\t./.\tIndeterminate\t\n"
        "i\tHLA-B\tHLA-B*57:01:01:01/B*07:02\t\t\n"
    )
    packed = written(tmp_path, "calls.tsv.gz", gzip.compress(text.encode()))
    found = read_outside([packed], genes())
    two = calls(found, "CYP2D6")
    assert (two["a"]["reported"], two["a"]["activity_score"], two["a"]["copies"]) == (["*1/*1x≥3"], 4.0, 6)
    assert two["a"]["diplotypes"] == two["c"]["diplotypes"] == ["*1/*1x5"]
    assert (two["b"]["phenotype"], two["b"]["copies"]) == ("Poor Metabolizer", 1)
    assert two["d"]["phenotypes"] == ["Normal Metabolizer", "Indeterminate"]
    assert (two["d"]["n_top"], two["d"]["phenotype"]) == (2, None)
    assert (two["e"]["activity_score"], two["e"]["phenotype"], two["e"]["copies"]) == (
        3.0,
        "Ultrarapid Metabolizer",
        -1,
    )
    assert (two["f"]["phenotype"], two["f"]["activity_score"]) == ("Poor Metabolizer", None)
    assert two["f"]["warnings"] == ["Poor Metabolizer was stated, Intermediate Metabolizer is expected of *1/*4"]
    assert (two["g"]["activity_score"], two["g"]["phenotype"]) == (0.25, "Intermediate Metabolizer")
    assert two["g"]["warnings"] == ["activity score 0.25 was stated, 1.0 is expected"]
    assert (two["h"]["diplotypes"], two["h"]["phenotype"]) == ([], "Indeterminate")
    hla = calls(found, "HLA-B")["i"]
    assert hla["phenotype"] == "*15:02 negative; *57:01 positive"
    assert (hla["diplotypes"], hla["warnings"]) == (["*07:02/*57:01"], ["HLA-B*57:01:01:01 is read as *57:01"])


CYRIUS = (
    ("p1", "*1/*68+*4", "PASS"),
    ("p2", "None", "None"),
    ("p3", "*1/*46;*43/*45", "More_than_one_possible_genotype"),
    ("p4", "*1_*2_*68", "Not_assigned_to_haplotypes"),
    ("p5", "*1x4", "Not_assigned_to_haplotypes"),
    ("p6", "*36+*10/*36x2+*10", "PASS"),
)


@pytest.mark.parametrize("form", ["tsv", "json"])
def test_cyrius(tmp_path: Path, form: str) -> None:
    if form == "tsv":
        text = "".join("\t".join(row) + "\n" for row in (("Sample", "Genotype", "Filter"), *CYRIUS))
    else:
        document = {
            person: {"Total_CN": 4, "Genotype": None if genotype == "None" else genotype, "Filter": passed}
            for person, genotype, passed in CYRIUS
        }
        text = json.dumps(document)
    found = calls(read_outside([written(tmp_path, "batch", text)], genes()), "CYP2D6")
    assert found["p1"]["reported"] == ["*1/*68+*4"]
    assert (found["p1"]["activity_score"], found["p1"]["copies"], found["p1"]["warnings"]) == (1.0, 3, [])
    assert (found["p2"]["diplotypes"], found["p2"]["phenotype"]) == ([], None)
    assert found["p2"]["warnings"] == ["Cyrius made no call"]
    assert (found["p3"]["diplotypes"], found["p3"]["copies"]) == (["*1/*46", "*43/*45"], 2)
    assert (found["p4"]["activity_score"], found["p4"]["phenotype"]) == (2.0, "Normal Metabolizer")
    assert (found["p4"]["copies"], found["p4"]["function1"]) == (3, [None])
    assert "alleles not assigned to chromosomes" in found["p4"]["warnings"]
    assert (found["p5"]["phenotype"], found["p5"]["copies"]) == ("Ultrarapid Metabolizer", 4)
    assert (found["p6"]["activity_score"], found["p6"]["copies"]) == (0.5, 5)


def test_dragen_tells_one_person_many_genes_and_some_that_are_not_ours(tmp_path: Path) -> None:
    text = json.dumps({
        "sampleId": PERSON,
        "cyp2d6": {"genotype": "*1/*4", "genotypeFilter": "PASS", "phenotypeDatabaseAnnotation": "Normal"},
        "smn": {"smn1CopyNumber": 2},
        "locusAnnotations": [
            {"gene": "CYP2C19", "genotypes": [{"genotype": "*1/*2"}, {"genotype": "*1/*1"}]},
            {"gene": "BCHE", "genotype": "negative"},
        ],
    })  # fmt: skip
    found = read_outside([written(tmp_path, f"{PERSON}.targeted.json", text)], genes())
    assert calls(found, "CYP2D6")[PERSON]["phenotype"] == "Intermediate Metabolizer"
    assert calls(found, "CYP2C19")[PERSON]["diplotypes"] == ["*1/*2", "*1/*1"]
    assert found.skipped == {"BCHE": 1}


ALDY = (
    "#Sample\tGene\tSolutionID\tMajor\tMinor\tCopy\tAllele\tLocation\tType\tCoverage\tEffect\tdbSNP\tCode\tStatus\n"
    "#Solution 1: *1.001, *4, *4.021\n"
    "MOUSE-7\tCYP2D6\t1\t*1/*4+*4.021\t1.001;4;4.021\t0\t1.001\n"
    "MOUSE-7\tCYP2D6\t1\t*1/*4+*4.021\t1.001;4;4.021\t1\t4\t42522612\tC>G\t15\tS486T\trs1135840\n"
    "#Solution 2: *4, *4, *45.001\n"
    "MOUSE-7\tCYP2D6\t2\t*4+*4/*45\t4;45.001;4\t0\t4\t42522612\tC>G\t15\tS486T\trs1135840\n"
)


def test_aldy_gives_every_solution(tmp_path: Path) -> None:
    found = calls(read_outside([written(tmp_path, "x.CYP2D6.aldy", ALDY)], genes()), "CYP2D6")[PERSON]
    assert found["diplotypes"] == ["*1/*4+*4", "*4+*4/*45"]
    assert (found["activity_scores"], found["phenotype"]) == ([1.0, 1.0], "Intermediate Metabolizer")
    assert (found["copies"], found["warnings"]) == (3, ["CYP2D6*4.021 is read as *4"])


def test_pypgx_archives_and_tables(tmp_path: Path) -> None:
    data = "\tGenotype\tPhenotype\tHaplotype1\nm1\t*1/*36+*10\tNormal Metabolizer\t*1;\nm2\tIndeterminate\t\t\n"
    path = tmp_path / "results.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tmp1/data.tsv", data)
        archive.writestr("tmp1/metadata.txt", "Gene=CYP2D6\nAssembly=GRCh38\nSemanticType=SampleTable[Results]\n")
    found = calls(read_outside([str(path)], genes()), "CYP2D6")
    assert (found["m1"]["activity_score"], found["m1"]["copies"], found["m1"]["tool"]) == (1.25, 3, "pypgx")
    assert found["m2"]["warnings"] == ["pypgx made no call"]
    named = data.replace("Haplotype1", "Gene").replace("*1;", "CYP2D6")
    assert calls(read_outside([written(tmp_path, "t.tsv", named.replace("m2\tIndeterminate\t\t\n", ""))], genes()),
                 "CYP2D6")["m1"]["diplotypes"] == ["*1/*36+*10"]  # fmt: skip
    with pytest.raises(InputError, match=r"file 1, row 1: a table of pypgx does not say its gene"):
        read_outside([written(tmp_path, "t2.tsv", data)], genes())


HEADER = "sample_id\tgene\tdiplotype\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            HEADER + f"{PERSON}\tCYP2D6\t*1/*4\n{PERSON}x\tCYP2D6\t*1/*999\n",
            r"row 3: CYP2D6 has no allele '\*999' in toy/1",
        ),
        (HEADER + f"{PERSON}\tCYP2D6\t*1/*36+*998\n", r"row 2: CYP2D6 has no allele '\*36\+\*998'"),
        (HEADER + f"{PERSON}\tCYP2D6\t[*1 + *997]/*4\n", r"row 2: CYP2D6 has no allele '\*997'"),
        (HEADER + f"CYP2D6\tCYP2D6\t*1/{PERSON}\n", r"row 2: CYP2D6 has no allele of the name that is there"),
        (HEADER + f"{PERSON}\tCYP9\t*1/*4\n", r"row 2: a gene was expected that is called here: CYP2C19, CYP2D6"),
        (HEADER + f"{PERSON}\tCYP2D6\t*1\n", r"row 2: two alleles of CYP2D6 were expected, 1 are there"),
        (HEADER + f"{PERSON}\tCYP2D6\t*1/*4/*4\n", r"row 2: two alleles of CYP2D6 were expected, 3 are there"),
        (HEADER + f"{PERSON}\tHLA-B\t*57\n", r"row 2: HLA-B has no allele '\*57'"),
        (HEADER + "\tCYP2D6\t*1/*4\n", r"row 2: the sample id is empty"),
        (HEADER + f"{PERSON}\tCYP2D6\t\n", r"row 2: nothing is said of CYP2D6"),
        ("sample_id\tgene\tnote\nx\tCYP2D6\tgood\n", r"row 1: no column is named diplotype"),
        ("sample_id\tgene\tactivity_score\nx\tCYP2D6\tmuch\n", r"row 2: an activity score was expected"),
        ("CYP2D6\n", r"row 1: 2 to 4 columns were expected .* 1 are there"),
        ("\n", r"row 1: the file is empty"),
        (ALDY.split("MOUSE")[0], r"row 1: no solution has a row"),
    ],
)
def test_what_is_wrong_is_told_by_row_and_never_by_person(tmp_path: Path, text: str, message: str) -> None:
    good = written(tmp_path, "good.outside.tsv", "CYP2C19\t*1/*2\n")
    bad = written(tmp_path, f"{PERSON}.tsv", text)
    with pytest.raises(InputError, match=message) as caught:
        read_outside([good, bad], genes())
    assert "file 2" in str(caught.value)
    assert PERSON not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", b"{ no", r"row 1: this is no JSON document"),
        ("a.json", b'{"x": {"y": 1}}', r"Cyrius's genotypes by sample or DRAGEN's"),
        ("a.json", b"[]", r"a JSON object of Cyrius or of DRAGEN was expected"),
        ("a.json", b'{"locusAnnotations": [{"genotype": "*1/*1"}]}', r"a gene was expected in each"),
        ("a.zip", b"PK\x03\x04rubbish", r"damaged zip archive"),
        ("a.tsv.gz", b"\x1f\x8brubbish", r"damaged gzip file"),
        ("a.tsv", "CYP2D6\t*1x≥3/*1\n".encode("utf-16"), r"no UTF-8 text"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, name: str, text: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_outside([written(tmp_path, name, text)], genes())


def test_a_missing_file_and_a_foreign_archive_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="file 1 cannot be read"):
        read_outside([str(tmp_path / f"{PERSON}.tsv")], genes())
    path = tmp_path / "alleles.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("t/metadata.txt", "Gene=CYP2D6\nSemanticType=SampleTable[Alleles]\n")
    with pytest.raises(InputError, match=r"SampleTable\[Results\]"):
        read_outside([str(path)], genes())


def test_a_person_called_at_a_gene_by_two_files_is_refused(tmp_path: Path) -> None:
    paths = [written(tmp_path, f"{number}.tsv", HEADER + f"{PERSON}\tCYP2D6\t*1/*4\n") for number in (1, 2)]
    with pytest.raises(
        InputError, match=r"file 2, row 2: CYP2D6 of this person was called in outside calls, file 1"
    ) as caught:
        read_outside(paths, genes())
    assert PERSON not in str(caught.value)


def test_a_short_name_of_an_alteration_is_read_as_the_whole(tmp_path: Path) -> None:
    dpyd = gene("DPYD", {"Reference": ("Normal", 1.0), "c.1905+1G>A (*2A)": ("No", 0.0), "c.2846A>T": ("Less", 0.5)},
                method="lowest_function", scored_by_activity=True)  # fmt: skip
    rows = HEADER + "a\tDPYD\t*2A/Reference\nb\tDPYD\tc.1905+1G>A/[c.2846A>T + *2A]\n"
    found = calls(read_outside([written(tmp_path, "d.tsv", rows)], {"DPYD": dpyd}), "DPYD")
    assert found["a"]["diplotypes"] == ["Reference/c.1905+1G>A (*2A)"]
    assert found["b"]["diplotypes"] == ["c.1905+1G>A (*2A)/[c.2846A>T + c.1905+1G>A (*2A)]"]
    assert found["b"]["reported"] == ["c.1905+1G>A (*2A)/c.1905+1G>A (*2A)"]  # of each strand what works least


def test_many_people_share_their_answers(tmp_path: Path) -> None:
    kinds = ["*1/*4", "*1/*1x2", "*10/*36+*10", "*4/*5"]
    rows = "".join(f"person{number}\tCYP2D6\t{kinds[number % 4]}\n" for number in range(20_000))
    of = read_outside([written(tmp_path, "all.tsv", HEADER + rows)], genes()).of("CYP2D6")
    assert of is not None
    assert (len(of.sample_ids), of.answers.num_rows, of.meanings.num_rows) == (20_000, 4, 4)
    assert of.copy_number[:4].tolist() == [2, 3, 3, 1]
