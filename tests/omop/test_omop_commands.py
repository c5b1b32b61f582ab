"""`cohelix omop link|cohort|observe` and their pipelines: what others read, and nothing of a person in a word."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
import typer

from cohelix.cli.__main__ import run
from cohelix.genotypes.omop import read_linked
from tests.omop.made_cdm import write_cdm

PIPELINES = ("omop_link", "omop_cohort", "omop_observe")


@pytest.fixture
def cohort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_cdm(
        tmp_path / "cdm",
        person={"person_id": [700001, 700002, 700003]},
        specimen={
            "specimen_id": [1, 2, 3, 4],
            "person_id": [700001, 700002, 700002, 700003],
            "specimen_source_id": ["SAMPLE-A", "SAMPLE-B", "SAMPLE-C", "=cmd()"],
        },
        condition_occurrence={"person_id": [700001], "condition_concept_id": [201826]},
        observation_period={"observation_period_id": [1], "person_id": [700002]},
    )
    (tmp_path / "samples.tsv").write_text("sample_id\nSAMPLE-A\nSAMPLE-B\nSAMPLE-C\nSAMPLE-D\n")
    (tmp_path / "best.tsv").write_text("sample_id\nSAMPLE-C\nSAMPLE-B\n")
    (tmp_path / "groups.tsv").write_text("sample_id\tgroup\nSAMPLE-A\tafr\nSAMPLE-C\teur\n")
    (tmp_path / "t2d.toml").write_text('name = "t2d"\n[cases]\ninclude = [201826]\ndescendants = false\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_counts_of_samples_are_told(cohort: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["omop", "link", "cdm", "--samples", "samples.tsv", "-o", "links"]) == 0
    assert capsys.readouterr().out == "2 of 4 samples linked; no specimen 1; second sample 1\n"
    rows = ["SAMPLE-A\tafr", "SAMPLE-B\t", "SAMPLE-Q\teur", "SAMPLE-R\tafr", "SAMPLE-T\tafr", "SAMPLE-U\tNA"]
    (cohort / "groups.tsv").write_text("\n".join(["sample_id\tgroup", *rows]) + "\n")
    dated = ["SAMPLE-A\t700001", "SAMPLE-B\t700002", "SAMPLE-Q\t700001", "SAMPLE-U\t700003"]
    (cohort / "others.tsv").write_text("\n".join(["sample_id\tperson_id", *dated]) + "\n")
    assert run(["omop", "observe", "groups.tsv", "-o", "g", "--links", "others.tsv", "--date", "2024-01-01"]) == 0
    assert capsys.readouterr().out == "1 of 6 samples linked; no link 2; second sample 1; no group 2\n"


def test_links_are_what_other_commands_read(cohort: Path) -> None:
    assert run(["omop", "link", "cdm", "--samples", "samples.tsv", "-o", "links", "--rank", "best.tsv"]) == 0
    linked = read_linked("links/links.tsv", None)
    assert linked.person == {"SAMPLE-A": 700001, "SAMPLE-C": 700002}
    assert set(linked.day.values()) == {18262}  # 2020-01-01, the day of the specimens
    assert json.loads((cohort / "links/link.json").read_text()) == {
        "samples": 4, "linked": 2, "no_specimen": 1, "no_person": 0, "two_persons": 0, "second_sample": 1,
    }  # fmt: skip
    assert run(["omop", "observe", "groups.tsv", "-o", "groups", "--links", "links/links.tsv"]) == 0
    assert run(["omop", "cohort", "cdm", "t2d.toml", "-o", "found", "--samples", "samples.tsv"]) == 0
    assert (cohort / "found/phenotypes.tsv").read_text() == "sample_id\tt2d\nSAMPLE-A\t1\nSAMPLE-B\t0\n"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (["link", "absent", "--samples", "samples.tsv"], 3), (["link", "cdm", "--samples", "absent.tsv"], 2),
        (["link", "cdm", "--samples", "twice.tsv"], 2), (["link", "cdm", "--samples", "others.tsv"], 2),
        (["link", "cdm", "--samples", "samples.tsv", "--links", "bad.tsv"], 2), (["cohort", "cdm", "unheard"], 3),
        (["cohort", "cdm", "type_2_diabetes"], 2), (["observe", "samples.tsv", "--links", "bad.tsv"], 2),
    ],
)  # fmt: skip
def test_bad_input_has_its_code_and_leaves_nothing(
    line: list[str], code: int, cohort: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (cohort / "twice.tsv").write_text("sample_id\nSAMPLE-A\nSAMPLE-A\n")
    (cohort / "others.tsv").write_text("sample_id\nSAMPLE-Z\n")
    (cohort / "bad.tsv").write_text("sample_id\tperson_id\tmeasurement_date\nSAMPLE-A\t700001x\t2024-01-01\n")
    before = sorted(cohort.rglob("*"))
    assert run(["omop", *line, "-o", "out"]) == code
    told = capsys.readouterr()
    assert "SAMPLE" not in told.err + told.out and "7000" not in told.err + told.out and told.err.count("\n") == 1
    assert sorted(cohort.rglob("*")) == before


def test_the_same_bytes_again(cohort: Path) -> None:
    for out in ("a", "b"):
        assert run(["omop", "cohort", "cdm", "t2d.toml", "-o", out]) == 0
        assert run(["omop", "link", "cdm", "--samples", "samples.tsv", "-o", f"links-{out}"]) == 0
    for name in ("cohort.parquet", "cohort_definition.parquet", "phenotypes.tsv", "cohort.json"):
        assert (cohort / "a" / name).read_bytes() == (cohort / "b" / name).read_bytes()
    assert (cohort / "links-a/links.tsv").read_bytes() == (cohort / "links-b/links.tsv").read_bytes()


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_takes_what_its_command_takes(name: str) -> None:
    from cohelix.cli.__main__ import app

    noun, verb = name.split("_")
    of_command = typer.main.get_command(app).commands[noun].commands[verb]  # type: ignore[attr-defined]  # groups
    of_pipeline = typer.main.get_command(importlib.import_module(f"pipelines.{name}").pipeline)
    assert [one.opts for one in of_pipeline.params] == [one.opts for one in of_command.params]
