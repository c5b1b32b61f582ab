"""The pipeline of a simulated cohort, as people start it, on the tiny configuration."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer

from cohelix.cli.__main__ import run
from cohelix.runtime.java import find_java
from pipelines import simulate_cohort

BIN = Path(sys.executable).parent


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def options(root: Path) -> list[str]:
    return ["--config", str(root / "pipelines/configs/tiny/cohort.toml"), "--seed", "4"]


@pytest.fixture(scope="module")
def by_command(options: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Digest of every file that the command writes."""
    folder = tmp_path_factory.mktemp("command") / "cohort"
    assert run(["simulate", "cohort", "-o", str(folder), "--cores", "1", *options]) == 0
    return digests(folder)


def _run(root: Path, launcher: Sequence[str | Path], words: Sequence[str], folder: Path) -> dict[str, str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SPARK", "PYSPARK"))}
    environment |= {"PATH": f"{BIN}:{environment['PATH']}", "SPARK_LOCAL_IP": "127.0.0.1"}
    environment |= {"JAVA_HOME": str(find_java())} if "--runtime" not in words else {}
    line = [*launcher, root / "pipelines/simulate_cohort.py", "-o", "cohort", *words]
    outcome = subprocess.run(
        line, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout == ""
    assert [path.name for path in folder.iterdir() if path.name.endswith("cohort")] == ["cohort"]
    return digests(folder / "cohort")


def test_the_tiny_configuration_has_all_kinds_of_files(by_command: dict[str, str]) -> None:
    kinds = {path.split("/")[0] for path in by_command}
    assert kinds >= {"arrays", "omop", "prs", "reference", "truth", "wgs", "phenotypes.tsv", "cohort.json"}
    assert sum(path.endswith(".g.vcf.gz") for path in by_command) > 5


def test_in_processes__the_same_bytes_as_the_command(
    root: Path, options: list[str], by_command: dict[str, str], tmp_path: Path
) -> None:
    assert _run(root, [sys.executable], [*options, "--runtime", "local", "--cores", "2"], tmp_path) == by_command


@pytest.mark.jvm
def test_under_spark_submit__the_same_bytes_as_the_command(
    root: Path, options: list[str], by_command: dict[str, str], tmp_path: Path
) -> None:
    launcher = [BIN / "spark-submit", "--master", "local[2]", "--properties-file", root / "spark-conf/cluster.conf"]
    assert _run(root, launcher, options, tmp_path) == by_command


def test_the_pipeline_runs_on_spark_unless_told_otherwise() -> None:
    command = typer.main.get_command(simulate_cohort.pipeline)
    for words, expected in (([], "spark"), (["--runtime", "local"], "local")):
        assert command.make_context("simulate_cohort", ["-o", "out", *words]).params["runtime"] == expected
