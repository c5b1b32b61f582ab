"""The pipelines of star alleles, as people start them, on the tiny configuration."""

from __future__ import annotations

import importlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow.dataset
import pytest
import typer

from cohelix.cli.__main__ import run
from cohelix.pgx import reference
from cohelix.pgx.schema import CallParams
from cohelix.runtime.java import find_java
from tests.pgx import planted
from tests.pipelines.test_prs import digests

Outcome = subprocess.CompletedProcess[str]
BIN = Path(sys.executable).parent
NAMES = ("pgx_call", "pgx_frequencies")
N_PEOPLE = 40
GENES = ("CYP2C19", "CYP2D6", "G6PD", "TPMT", "VKORC1")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """People with alleles drawn from the definitions, men with one of G6PD, and their groups."""
    folder = tmp_path_factory.mktemp("cohort")
    genes = reference.load(CallParams().reference, GENES)
    draw = random.Random(5)
    people: dict[str, dict[str, planted.Strands]] = {}
    for number in range(N_PEOPLE):
        own = {symbol: tuple(draw.choice(gene.alleles).name for _ in range(2)) for symbol, gene in genes.items()}
        if number % 2:
            own["G6PD"] = own["G6PD"][:1]
        people[f"p{number:03d}"] = own
    planted.vcf(folder / "people.vcf", genes, people)
    lines = ["sample_id\tgroup", *(f"{one}\tg{place % 2}" for place, one in enumerate(people))]
    (folder / "groups.tsv").write_text("\n".join(lines) + "\n")
    return folder


def _lines(root: Path, cohort: Path) -> list[list[str]]:
    """Arguments of each of `NAMES`, in a folder that is the working directory."""
    config = ["--config", str(root / "pipelines/configs/tiny/pgx.toml")]
    counted = ["--groups", str(cohort / "groups.tsv"), "--least", "1", "--no-plots"]
    return [[str(cohort / "people.vcf"), "-o", "pgx.parquet", *config], ["pgx.parquet", "-o", "counted", *counted]]


@pytest.fixture(scope="module")
def by_command(root: Path, cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands make of it, on one core."""
    folder = tmp_path_factory.mktemp("command")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, line in zip(NAMES, _lines(root, cohort), strict=True):
            cores = ["--cores", "1"] if name == "pgx_call" else []
            assert run([*name.split("_"), *line, *cores]) == 0, name
    return folder


def _all(root: Path, launcher: Sequence[str | Path], options: Sequence[str], cohort: Path, folder: Path) -> None:
    """Run the pipelines one after the other, each as a process of its own."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SPARK", "PYSPARK"))}
    environment |= {"PATH": f"{BIN}:{environment['PATH']}", "SPARK_LOCAL_IP": "127.0.0.1"}
    environment |= {} if options else {"JAVA_HOME": str(find_java())}
    for name, line in zip(NAMES, _lines(root, cohort), strict=True):
        more = options if name == "pgx_call" else []
        outcome = _run([*launcher, root / f"pipelines/{name}.py", *line, *more], folder, environment)
        assert outcome.returncode == 0, outcome.stderr
        assert outcome.stdout == ""


def _run(line: Sequence[str | Path], folder: Path, environment: dict[str, str] | None = None) -> Outcome:
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False)


def test_the_tiny_configuration_meets_every_step(by_command: Path) -> None:
    rows = pyarrow.dataset.dataset(str(by_command / "pgx.parquet"), format="parquet").to_table().to_pylist()
    assert len(list((by_command / "pgx.parquet").glob("part-*.parquet"))) == 3  # blocks of 16 people
    genes = {row["gene"] for row in rows}
    assert set(GENES) < genes and len(rows) == N_PEOPLE * len(genes)
    # DPYD and SLCO1B1 are asked for and have no genotype in the file
    assert {row["gene"] for row in rows if row["status"] == "no_data"} == genes - set(GENES)
    assert {row["source"] for row in rows if row["gene"] == "CYP2D6"} == {"snv_only"}
    assert json.loads((by_command / "pgx.parquet/_pgx/pgx.json").read_text())["kind"] == "pgx_calls"
    assert any((by_command / "counted").iterdir())


def test_in_threads__the_same_bytes_as_the_commands(root: Path, cohort: Path, by_command: Path, tmp_path: Path) -> None:
    _all(root, [sys.executable], ["--runtime", "local", "--cores", "2"], cohort, tmp_path)
    assert digests(tmp_path) == digests(by_command)


@pytest.mark.parametrize("name", NAMES)
def test_a_pipeline_runs_on_spark_unless_told_otherwise(name: str) -> None:
    command = typer.main.get_command(importlib.import_module(f"pipelines.{name}").pipeline)
    if name != "pgx_call":  # tables in, tables out: nothing to spread
        assert "runtime" not in {parameter.name for parameter in command.params}
        return
    for options, expected in (([], "spark"), (["--runtime", "local"], "local")):
        arguments = ["input", "-o", "output", *options]
        assert command.make_context(name, arguments).params["runtime"] == expected


@pytest.mark.jvm
def test_under_spark_submit__the_same_bytes_as_the_commands(
    root: Path, cohort: Path, by_command: Path, tmp_path: Path
) -> None:
    launcher = [BIN / "spark-submit", "--master", "local[2]", "--properties-file", root / "spark-conf/cluster.conf"]
    _all(root, launcher, [], cohort, tmp_path)
    assert digests(tmp_path) == digests(by_command)


def test_wrong_input_is_one_clean_message(root: Path, tmp_path: Path) -> None:
    line = [sys.executable, root / "pipelines/pgx_call.py", "person-7.callset", "-o", "out", "--runtime", "local"]
    outcome = _run(line, tmp_path)
    assert outcome.returncode == 2
    assert len(outcome.stderr.splitlines()) == 1
    assert outcome.stderr.startswith("cohelix: ") and "person-7" not in outcome.stderr
    assert list(tmp_path.iterdir()) == []
