"""`cohelix pgx call` from file to folder: planted alleles come back in whatever blocks, wrong input leaves nothing."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from cohelix.cli.__main__ import run
from cohelix.jobs.star_alleles import Inputs, call
from cohelix.pgx import reference
from cohelix.pgx.calling import block
from cohelix.pgx.definition import Gene
from cohelix.pgx.schema import CALLS, CallParams
from cohelix.reference import reference_path
from cohelix.runtime.local import LocalRuntime
from tests.pgx import planted

GENES = ("CYP2C19", "G6PD", "TPMT", "VKORC1")
PARAMS = CallParams(genes=GENES)
V = ("rs9923231 reference (C)", "rs9923231 variant (T)")
PEOPLE: dict[str, dict[str, planted.Strands]] = {
    "p07": {"CYP2C19": ("*1", "*2"), "G6PD": ("B (reference)",), "TPMT": ("*1", "*3A"), "VKORC1": (V[0], V[1])},
    "p02": {"CYP2C19": ("*17", "*17"), "G6PD": ("B (reference)", "B (reference)"), "VKORC1": (V[1], V[1])},
    "p09": {"CYP2C19": ("*2", "*17"), "TPMT": ("*2", "*3C"), "VKORC1": (V[0], V[0])},
    "p01": {"CYP2C19": ("*1", "*2"), "TPMT": ("*1", "*1"), "VKORC1": (V[1], V[0])},
    "p03": {"TPMT": ("*3A", "*3A"), "G6PD": ("Asahi",), "VKORC1": (V[1], V[0])},
}
"""In an order that is not theirs; who lacks a gene has no genotype there."""


@pytest.fixture(scope="module")
def genes() -> dict[str, Gene]:
    return reference.load(PARAMS.reference, GENES)


@pytest.fixture(scope="module")
def target(genes: dict[str, Gene], tmp_path_factory: pytest.TempPathFactory) -> str:
    return planted.vcf(tmp_path_factory.mktemp("people") / "people.vcf", genes, PEOPLE)


def called(target: str, out: Path, params: CallParams = PARAMS, inputs: Inputs | None = None) -> dict[str, Any]:
    return call(target, str(out), inputs or Inputs(), params, LocalRuntime(2))


def table(out: Path) -> Any:
    return pyarrow.dataset.dataset(str(out), format="parquet").to_table()


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_planted_alleles_come_back(genes: dict[str, Gene], target: str, tmp_path: Path) -> None:
    summary = called(target, tmp_path / "out")
    found = table(tmp_path / "out")
    assert found.column_names == CALLS.names and found.num_rows == len(PEOPLE) * len(GENES)
    rows = found.to_pylist()
    assert [(row["gene"], row["sample_id"]) for row in rows] == [
        (gene, one) for gene in GENES for one in sorted(PEOPLE)
    ]
    for row in rows:
        strands = PEOPLE[row["sample_id"]].get(row["gene"])
        if strands is None:
            assert (row["status"], row["diplotypes"], row["phenotype"]) == ("no_data", [], None)
            assert row["n_missing"] == row["n_positions"] == len(genes[row["gene"]].positions)
        else:
            assert row["status"] == "called"
            assert row["diplotypes"] in (["/".join(strands)], ["/".join(reversed(strands))]), row
            assert (row["n_missing"], row["confidence"], row["phase"]) == (0, "high", "phased")
    assert summary["n_people"] == len(PEOPLE) and summary["n_rows"] == len(rows)
    assert summary["statuses"]["G6PD"] == {"called": 3, "no_data": 2}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_what_stands_beside_the_rows(genes: dict[str, Gene], target: str, tmp_path: Path) -> None:
    called(target, tmp_path / "out")
    aside = tmp_path / "out/_pgx"
    said = json.loads((aside / "pgx.json").read_text())
    own = digests(tmp_path / "out")
    assert {name: one["sha256"] for name, one in said["files"].items()} == {
        name: digest for name, digest in own.items() if name != "_pgx/pgx.json"
    }
    patterns = pq.read_table(aside / "patterns.parquet").to_pylist()
    for symbol, gene in genes.items():
        listed = [one for one in patterns if one["gene"] == symbol]
        assert sum(one["n_people"] for one in listed) == len(PEOPLE)
        assert len(listed) == said["genes"][symbol]["n_patterns"] == len({one["pattern"] for one in listed})
        keys = {row["pattern"] for row in table(tmp_path / "out").to_pylist() if row["gene"] == symbol}
        assert keys == {one["pattern"] for one in listed}
        assert said["genes"][symbol]["n_positions"] == len(gene.positions)
    (vkorc1,) = genes["VKORC1"].positions
    words = {one["genotype"]: one["n_people"] for one in patterns if one["gene"] == "VKORC1"}
    # p07, p01 and p03 carry the variant on one strand, and it does not matter on which
    assert f"{vkorc1.position}:T/T" in words and "" in words  # homozygous: no strand to know
    lines = [line.split("\t") for line in (aside / "positions.tsv").read_text().splitlines()]
    assert lines[0] == ["gene", "contig", "position", "rsid", "n_called", "n_missing", "n_half", "n_undocumented"]
    assert lines[-1][:3] == ["VKORC1", vkorc1.contig, str(vkorc1.position)] and lines[-1][4:] == ["5", "0", "0", "0"]
    tpmt = [line for line in lines if line[0] == "TPMT"]
    assert len(tpmt) == len(genes["TPMT"].positions) and {tuple(line[4:6]) for line in tpmt} == {("4", "1")}
    assert (aside / "summary.tsv").read_text().splitlines()[0] == "gene\tstatus\tn_people"


@pytest.mark.parametrize("size", [1, 2, 5])
def test_blocks_change_no_row(target: str, tmp_path: Path, size: int) -> None:
    called(target, tmp_path / "whole")
    called(target, tmp_path / "blocks", replace(PARAMS, block_people=size))
    assert len(list((tmp_path / "blocks").glob("part-*.parquet"))) == -(-len(PEOPLE) // size)
    order = [("gene", "ascending"), ("sample_id", "ascending")]
    assert table(tmp_path / "blocks").sort_by(order).to_pylist() == table(tmp_path / "whole").sort_by(order).to_pylist()
    for name in ("patterns.parquet", "summary.tsv", "positions.tsv"):
        one, other = (tmp_path / folder / "_pgx" / name for folder in ("whole", "blocks"))
        assert one.read_bytes() == other.read_bytes(), name


def test_the_same_bytes_again(target: str, tmp_path: Path) -> None:
    called(target, tmp_path / "one")
    call(target, str(tmp_path / "two"), Inputs(), PARAMS, LocalRuntime(1))
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_a_stopped_run_goes_on(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = replace(PARAMS, block_people=2)
    called(target, tmp_path / "whole", params)
    solved: list[str] = []
    solve = block.solve

    def stops(gene: Gene, *more: Any) -> Any:
        solved.append(gene.symbol)
        if len(solved) == len(GENES) + 1:
            raise KeyboardInterrupt
        return solve(gene, *more)

    monkeypatch.setattr(block, "solve", stops)
    with pytest.raises(KeyboardInterrupt):
        call(target, str(tmp_path / "out"), Inputs(), params, LocalRuntime(1))
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "out.work/parts/part-00000.parquet").exists()
    assert not list((tmp_path / "out.work/parts").glob(".*")) and solved[-1] == GENES[0]
    solved.clear()
    solved += ["the first block"] * (len(GENES) + 1)
    call(target, str(tmp_path / "out"), Inputs(), params, LocalRuntime(1))
    assert len(solved) == (len(GENES) + 1) + 2 * len(GENES)  # two of three blocks
    assert digests(tmp_path / "out") == digests(tmp_path / "whole")
    assert not (tmp_path / "out.work").exists()


def test_work_of_other_choices_and_damaged_parts_are_not_taken(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = replace(PARAMS, block_people=2)
    called(target, tmp_path / "whole", params)
    monkeypatch.setattr("cohelix.pgx.calling.run.new_folder", _stops)
    with pytest.raises(KeyboardInterrupt):
        called(target, tmp_path / "out", params)
    monkeypatch.undo()
    part = tmp_path / "out.work/parts/part-00001.parquet"
    part.write_bytes(part.read_bytes()[:-1] + b"?")
    called(target, tmp_path / "out", params)
    assert digests(tmp_path / "out") == digests(tmp_path / "whole")
    monkeypatch.setattr("cohelix.pgx.calling.run.new_folder", _stops)
    with pytest.raises(KeyboardInterrupt):
        called(target, tmp_path / "other", params)
    monkeypatch.undo()
    called(target, tmp_path / "other", replace(params, block_people=3))
    assert len(list((tmp_path / "other").glob("part-*"))) == 2


def _stops(path: str) -> Any:
    raise KeyboardInterrupt


def outside(folder: Path, *rows: tuple[str, str, str]) -> str:
    path = folder / "outside.tsv"
    path.write_text("\n".join(["sample_id\tgene\tdiplotype", *("\t".join(row) for row in rows)]) + "\n")
    return str(path)


def test_calls_of_other_programs_stand_before_ours(target: str, tmp_path: Path) -> None:
    """Of TPMT p01's, of MT-RNR1 p09's; somebody who is not here is counted and has no row."""
    listed = outside(tmp_path, ("p01", "TPMT", "*1/*3C"), ("p09", "MT-RNR1", "m.1555A>G"), ("q99", "TPMT", "*1/*1"))
    params = replace(PARAMS, genes=(*GENES, "MT-RNR1"), block_people=2)
    summary = called(target, tmp_path / "out", params, Inputs(outside=(listed,)))
    rows = {(row["sample_id"], row["gene"]): row for row in table(tmp_path / "out").to_pylist()}
    one = rows["p01", "TPMT"]
    assert (one["source"], one["status"], one["diplotypes"]) == ("outside", "outside", ["*1/*3C"])
    assert one["phenotype"] == "Intermediate Metabolizer" and one["n_missing"] == 0
    assert rows["p07", "TPMT"]["source"] == "matcher"
    assert [person for person, gene in rows if gene == "MT-RNR1"] == ["p09"]
    assert summary["outside"] == {"calls": 3, "of_other_people": 1, "of_other_genes": {}}
    assert summary["n_rows"] == len(rows) == len(PEOPLE) * len(GENES) + 1
    assert "outside" in {one["role"] for one in summary["provenance"]["inputs"]}


def test_cyp2d6_is_left_to_other_programs(genes: dict[str, Gene], target: str, tmp_path: Path) -> None:
    listed = outside(tmp_path, ("p03", "CYP2D6", "*1/*4x2"), ("p09", "CYP2D6", "*5/*5"))
    params = CallParams(genes=("CYP2D6", "VKORC1"), cyp2d6="off")
    called(target, tmp_path / "out", params, Inputs(outside=(listed,)))
    rows = {row["sample_id"]: row for row in table(tmp_path / "out").to_pylist() if row["gene"] == "CYP2D6"}
    assert {one: (row["diplotypes"], row["copy_number"], row["activity_score"]) for one, row in rows.items()} == {
        "p03": (["*1/*4x2"], 3, 1.0),
        "p09": (["*5/*5"], 0, 0.0),
    }


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("p01", "TPMT", "*1/*999"), "*999"),
        (("p01", "CYP2C20", "*1/*1"), "file 1, row 2: a gene was expected"),
        (("q1", "TPMT", "*1/*1"), "ids"),
    ],
)
def test_outside_calls_that_cannot_be(
    row: tuple[str, str, str], message: str, target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = outside(tmp_path, row)
    line = ["pgx", "call", target, "-o", str(tmp_path / "out"), "--gene", "TPMT", "--outside", listed]
    assert run(line) == 2
    said = capsys.readouterr().err
    assert message in said and "p01" not in said and "q1" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["outside.tsv"]


def test_another_build(target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its contigs say so."""
    text = Path(target).read_text().replace("length=133797422", "length=135534747")
    (tmp_path / "old.vcf").write_text(text.replace("length=90338345", "length=90354753"))
    assert run(["pgx", "call", str(tmp_path / "old.vcf"), "-o", str(tmp_path / "out"), "--gene", "TPMT"]) == 4
    assert "GRCh38" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["old.vcf"]


@pytest.mark.real
def test_a_reference_is_imported(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = root.parent / "shared/data/pgx"
    line = ["pgx", "import-reference", "--definitions", str(data / "definitions")]
    assert run([*line, "--phenotypes", str(data / "phenotypes"), "-o", str(tmp_path / "2025-11-05")]) == 0
    capsys.readouterr()
    shipped = reference_path("pgx", "clinpgx", "2025-11-05")
    assert (tmp_path / "2025-11-05/positions.tsv").read_bytes() == (shipped / "positions.tsv").read_bytes()
    assert run([*line, "--phenotypes", str(tmp_path / "none"), "-o", str(tmp_path / "2026")]) in (2, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["2025-11-05"]


WRONG = {
    "no such file": (2, [], "none"),
    "an unknown gene": (3, ["--gene", "CYP2C20"], "CYP2C19"),
    "a gene twice": (3, ["--gene", "TPMT", "--gene", "TPMT"], "twice"),
    "a choice that is not known": (3, ["--set", "pgx.call.cyp2d6=guess"], "snv_only"),
    "another reference": (3, ["--set", "pgx.call.reference=clinpgx/1999-01-01"], "1999-01-01"),
    "a gene that other programs call": (3, ["--gene", "MT-RNR1"], "--outside"),
    "no table of sexes": (2, ["--sexes", "none.tsv"], "sexes"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_leaves_nothing(
    name: str, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, options, message = WRONG[name]
    given = "person-7.vcf" if name == "no such file" else target
    more = [] if "--gene" in options else ["--gene", "TPMT"]
    assert run(["pgx", "call", given, "-o", "out", *more, *options]) == code
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1 and message in said and "person-7" not in said
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_files_is_kept(target: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("mine")
    assert run(["pgx", "call", target, "-o", str(tmp_path / "out"), "--gene", "TPMT"]) == 3
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "thesis.txt"]


def test_the_list_of_genes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["pgx", "genes"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    known = {line[0]: line for line in lines[1:]}
    assert len(known) >= 21 and set(GENES) | {"MT-RNR1", "DPYD"} <= set(known)
    assert known["CYP2C19"][1:6] == ["chr10", "autosome", "standard", "35", "36"]  # as the source says it has
    assert known["DPYD"][3] == "lowest_function" and known["G6PD"][2] == "X" and known["MT-RNR1"][3] == "outside"
