"""The tour and the README's example do what they show: every command is run, in order, in an empty folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cohelix.cli.__main__ import run
from tests.house.test_documents import _commands


@pytest.mark.parametrize("document", ["README.md", "docs/tour.md", "docs/methods/simulate.md"])
def test_every_command_shown_succeeds(
    document: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = _commands(root / document, "console")
    assert len(commands) >= 5
    monkeypatch.chdir(tmp_path)
    for words in commands:
        assert run(words) == 0, f"cohelix {' '.join(words)}\n{capsys.readouterr().err}"
    assert list(tmp_path.glob("*.callset/genotypes/*.pgen"))
    if any("cohort.vcf.gz" in words for words in commands):
        assert (tmp_path / "cohort.vcf.gz").stat().st_size > 1000


def test_the_code_of_the_data_model_reads_a_callset(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for line in (
        "simulate gvcfs -o cohort --samples 3 --region chr22:20,000,000-20,010,000 --seed 1",
        "joint ingest cohort/manifest.tsv -o cohort.calls",
        "joint call cohort.calls -o cohort.callset",
    ):
        assert run(line.split()) == 0
    code = (root / "docs/data-model.md").read_text().split("```python\n")[1].split("```")[0]
    names: dict[str, object] = {}
    exec(compile(code, "data-model.md", "exec"), names)  # the document's own example
    sites = names["sites"]
    assert isinstance(sites, list)
    assert sum(table.num_rows for table in sites) > 0


def _documented_columns(root: Path, file: str) -> set[str]:
    row = next(line for line in (root / "docs/data-model.md").read_text().splitlines() if line.startswith(f"| `{file}"))
    return set(re.findall(r"`(\w+)`", row.split("|")[3]))


def test_the_columns_of_the_data_model_are_those_of_the_store(root: Path) -> None:
    from cohelix.joint import store

    assert _documented_columns(root, "variants/") == set(store.VARIANT_SCHEMA.names)
    assert _documented_columns(root, "blocks/") == set(store.BLOCK_SCHEMA.names)
    assert _documented_columns(root, "samples-") == set(store.SAMPLE_SCHEMA.names)
