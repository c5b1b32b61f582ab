"""The pipelines of relatedness and ancestry, as people start them, on the tiny configuration."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer

from benchmarks import cohorts
from cohelix.cli.__main__ import run
from cohelix.runtime.java import find_java

Outcome = subprocess.CompletedProcess[str]
BIN = Path(sys.executable).parent
NAMES = (
    "genotypes_select", "relatedness_estimate", "relatedness_prune", "ancestry_panel", "ancestry_fit",
    "ancestry_project", "ancestry_assign",
)  # fmt: skip


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """People of five populations, families among them, and their labels."""
    folder = tmp_path_factory.mktemp("cohort")
    cohorts.take_in(cohorts.draw(folder, 300, 3000), folder)
    return folder


def _lines(root: Path, cohort: Path) -> list[list[str]]:
    """Arguments of each of `NAMES`, in a folder that is the working directory."""
    callset, labels = str(cohort / "structured.callset"), str(cohort / "labels.tsv")
    config = ["--config", str(root / "pipelines/configs/tiny/ancestry.toml")]
    return [
        [callset, "-o", "sites.callset", *config],
        ["sites.callset", "-o", "relatedness", *config],
        ["relatedness", "-o", "unrelated", *config],
        [callset, "--labels", labels, "-o", "panel.callset", "--unrelated", "unrelated/unrelated.tsv", *config],
        ["panel.callset", "-o", "pca", *config],
        ["pca", callset, "-o", "projected", *config],
        ["pca", "projected", "-o", "ancestry", *config],
    ]


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def by_command(root: Path, cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands make of it, on one core."""
    folder = tmp_path_factory.mktemp("command")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, line in zip(NAMES, _lines(root, cohort), strict=True):
            cores = [] if name in ("relatedness_prune", "ancestry_assign") else ["--cores", "1"]
            assert run([*name.split("_"), *line, *cores]) == 0, name
    return folder


def _run(line: Sequence[str | Path], folder: Path, environment: dict[str, str] | None = None) -> Outcome:
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False)


def _all(root: Path, launcher: Sequence[str | Path], options: Sequence[str], cohort: Path, folder: Path) -> None:
    """Run the pipelines one after the other, each as a process of its own."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SPARK", "PYSPARK"))}
    environment |= {"PATH": f"{BIN}:{environment['PATH']}", "SPARK_LOCAL_IP": "127.0.0.1"}
    environment |= {} if options else {"JAVA_HOME": str(find_java())}
    for name, line in zip(NAMES, _lines(root, cohort), strict=True):
        more = [] if name in ("relatedness_prune", "ancestry_assign") else options
        outcome = _run([*launcher, root / f"pipelines/{name}.py", *line, *more], folder, environment)
        assert outcome.returncode == 0, outcome.stderr
        assert outcome.stdout == ""


def test_the_tiny_configuration_meets_every_step(by_command: Path, cohort: Path) -> None:
    truth = cohorts.draw(cohort, 300, 1).truth
    pairs = pq.read_table(by_command / "relatedness/pairs.parquet")
    degrees = pairs.column("degree").to_pylist()
    assert degrees.count(0) == truth[0] and degrees.count(1) == truth[1]
    released = json.loads((by_command / "unrelated/prune.json").read_text())
    assert 0 < released["n_dropped"] < released["n_samples"]
    labels = dict(line.split("\t") for line in (cohort / "labels.tsv").read_text().splitlines()[1:])
    assigned = (by_command / "ancestry/ancestry_preds.tsv").read_text().splitlines()[1:]
    found = {line.split("\t")[0]: line.split("\t")[1] for line in assigned}
    assert len(found) == 300 and all(found[sample] == label for sample, label in labels.items())


def test_in_threads__the_same_bytes_as_the_commands(root: Path, cohort: Path, by_command: Path, tmp_path: Path) -> None:
    _all(root, [sys.executable], ["--runtime", "local", "--cores", "2"], cohort, tmp_path)
    assert digests(tmp_path) == digests(by_command)


@pytest.mark.parametrize("name", NAMES)
def test_a_pipeline_runs_on_spark_unless_told_otherwise(name: str) -> None:
    command = typer.main.get_command(importlib.import_module(f"pipelines.{name}").pipeline)
    if name in ("relatedness_prune", "ancestry_assign"):  # tables in, tables out: nothing to spread
        assert "runtime" not in {parameter.name for parameter in command.params}
        return
    further = {"ancestry_panel": ["--labels", "l"], "ancestry_project": ["other"]}.get(name, [])
    for options, expected in (([], "spark"), (["--runtime", "local"], "local")):
        arguments = ["input", *further, "-o", "output", *options]
        assert command.make_context(name, arguments).params["runtime"] == expected


@pytest.mark.jvm
def test_under_spark_submit__the_same_bytes_as_the_commands(
    root: Path, cohort: Path, by_command: Path, tmp_path: Path
) -> None:
    launcher = [BIN / "spark-submit", "--master", "local[2]", "--properties-file", root / "spark-conf/cluster.conf"]
    _all(root, launcher, [], cohort, tmp_path)
    assert digests(tmp_path) == digests(by_command)


@pytest.mark.parametrize("name", ["genotypes_select", "relatedness_estimate", "ancestry_fit"])
def test_wrong_input_is_one_clean_message(root: Path, tmp_path: Path, name: str) -> None:
    line = [sys.executable, root / f"pipelines/{name}.py", "person-7.callset", "-o", "out", "--runtime", "local"]
    outcome = _run(line, tmp_path)
    assert outcome.returncode == 2
    assert len(outcome.stderr.splitlines()) == 1
    assert outcome.stderr.startswith("cohelix: ")
