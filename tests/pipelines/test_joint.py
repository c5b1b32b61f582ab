"""The pipelines of the joint call, as people start them, on the tiny configuration."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer

from cohelix import dataset
from cohelix.cli.__main__ import run
from cohelix.runtime.java import find_java

Outcome = subprocess.CompletedProcess[str]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty people over a bin's edge of the tiny configuration: two batches and three bins."""
    folder = tmp_path_factory.mktemp("cohort") / "gvcfs"
    arguments = ["-o", str(folder), "--samples", "20", "--region", "chr22:20,080,000-20,220,000", "--seed", "5"]
    assert run(["simulate", "gvcfs", *arguments]) == 0
    return folder / "manifest.tsv"


@pytest.fixture(scope="module")
def by_command(root: Path, manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands make of it: x.calls and x.callset."""
    folder = tmp_path_factory.mktemp("command")
    config = ["--config", str(root / "pipelines/configs/tiny/joint.toml")]
    assert run(["joint", "ingest", str(manifest), "-o", str(folder / "x.calls"), *config]) == 0
    assert run(["joint", "call", str(folder / "x.calls"), "-o", str(folder / "x.callset"), *config]) == 0
    return folder


def _run(line: Sequence[str | Path], folder: Path, environment: dict[str, str] | None = None) -> Outcome:
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False)


def _both(root: Path, launcher: Sequence[str | Path], options: Sequence[str], manifest: Path, folder: Path) -> None:
    """Run both pipelines one after the other, each as a process of its own."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SPARK", "PYSPARK"))}
    environment |= {"PATH": f"{BIN}:{environment['PATH']}", "SPARK_LOCAL_IP": "127.0.0.1"}
    if options == []:
        environment["JAVA_HOME"] = str(find_java())
    calls, callset = str(folder / "x.calls"), str(folder / "x.callset")
    for name, arguments in (("joint_ingest", [manifest, "-o", calls]), ("joint_call", [calls, "-o", callset])):
        line = [*launcher, root / f"pipelines/{name}.py", *arguments]
        line += ["--config", root / "pipelines/configs/tiny/joint.toml", *options]
        outcome = _run(line, folder, environment)
        assert outcome.returncode == 0, outcome.stderr
        assert outcome.stdout == ""


def _same(ours: Path, theirs: Path) -> None:
    """Every byte that a commit names, and the commit itself."""
    for name in ("x.calls", "x.callset"):
        commits = [(folder / name / "_commit" / "000001.json").read_bytes() for folder in (ours, theirs)]
        assert commits[0] == commits[1]
        found = dataset.find(str(ours / name))
        assert found is not None
        dataset.verify(str(ours / name), found)


def test_the_tiny_configuration_meets_several_bins_and_batches(by_command: Path) -> None:
    commit = dataset.open_existing(str(by_command / "x.calls"), "calls")
    paths = [entry.path for entry in commit.files if entry.path.startswith("variants/")]
    assert len({path.split("/")[1] for path in paths}) >= 3
    assert len({path.split("/")[2].split("-")[0] for path in paths}) == 2


def test_in_threads__the_same_bytes_as_the_commands(
    root: Path, manifest: Path, by_command: Path, tmp_path: Path
) -> None:
    _both(root, [sys.executable], ["--runtime", "local", "--cores", "1"], manifest, tmp_path)
    _same(tmp_path, by_command)


@pytest.mark.parametrize("name", ["joint_ingest", "joint_call"])
def test_a_pipeline_runs_on_spark_unless_told_otherwise(name: str) -> None:
    command = typer.main.get_command(importlib.import_module(f"pipelines.{name}").pipeline)
    for options, expected in (([], "spark"), (["--runtime", "local"], "local")):
        arguments = ["input", "-o", "output", *options]
        assert command.make_context(name, arguments).params["runtime"] == expected


@pytest.mark.jvm
def test_under_spark_submit__the_same_bytes_as_the_commands(
    root: Path, manifest: Path, by_command: Path, tmp_path: Path
) -> None:
    launcher = [BIN / "spark-submit", "--master", "local[2]", "--properties-file", root / "spark-conf/cluster.conf"]
    _both(root, launcher, [], manifest, tmp_path)
    _same(tmp_path, by_command)


def test_wrong_input_is_one_clean_message(root: Path, tmp_path: Path) -> None:
    line = [sys.executable, root / "pipelines/joint_call.py", "person-7.calls", "-o", "out", "--runtime", "local"]
    outcome = _run(line, tmp_path)
    assert outcome.returncode == 2
    assert len(outcome.stderr.splitlines()) == 1
    assert outcome.stderr.startswith("cohelix: ")
    assert list(tmp_path.iterdir()) == []
