"""The pipelines of quality control, as people start them, on the tiny configuration."""

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

from cohelix.cli.__main__ import run
from cohelix.runtime.java import find_java

Outcome = subprocess.CompletedProcess[str]
BIN = Path(sys.executable).parent
NAMES = ("qc_arrays", "qc_concordance", "qc_samples", "qc_variants")


@pytest.fixture(scope="module")
def cohort(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dozen people with gVCFs, arrays and links, and their callset."""
    folder = tmp_path_factory.mktemp("cohort")
    config = root / "pipelines/configs/tiny"
    made = ["simulate", "cohort", "-o", str(folder / "made"), "--config", str(config / "cohort.toml"), "--seed", "4"]
    assert run([*made, "--set", "simulate.arrays.share=1", "--set", "simulate.region_count=3"]) == 0
    called = [
        "--calls",
        str(folder / "x.calls"),
        "-o",
        str(folder / "x.callset"),
        "--config",
        str(config / "joint.toml"),
    ]
    assert run(["joint", "run", str(folder / "made/wgs/manifest.tsv"), *called]) == 0
    return folder


def _lines(root: Path, cohort: Path) -> list[list[str]]:
    """Arguments of each of `NAMES`, in a folder that is the working directory."""
    made, callset = cohort / "made", str(cohort / "x.callset")
    arrays = sorted(map(str, (made / "arrays").glob("*.vcf.gz")))
    config = ["--config", str(root / "pipelines/configs/tiny/qc.toml")]
    return [
        [*arrays, "-o", "arrays-qc", "--callset", "a.callset", *config],
        ["a.callset", callset, "--links", str(made / "links.tsv"), "-o", "concordance", *config],
        [callset, "-o", "samples-qc", "--arrays", "arrays-qc", "--concordance", "concordance", *config],
        [callset, "-o", "sites.qc", "--sexes", "samples-qc/sexes.tsv", *config],
    ]


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def by_command(root: Path, cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands make of it."""
    folder = tmp_path_factory.mktemp("command")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, line in zip(NAMES, _lines(root, cohort), strict=True):
            assert run(["qc", name.removeprefix("qc_"), *line, "--cores", "1"]) == 0, name
    return folder


def _run(line: Sequence[str | Path], folder: Path, environment: dict[str, str] | None = None) -> Outcome:
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False)


def _all(root: Path, launcher: Sequence[str | Path], options: Sequence[str], cohort: Path, folder: Path) -> None:
    """Run the pipelines one after the other, each as a process of its own."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SPARK", "PYSPARK"))}
    environment |= {"PATH": f"{BIN}:{environment['PATH']}", "SPARK_LOCAL_IP": "127.0.0.1"}
    environment |= {} if options else {"JAVA_HOME": str(find_java())}
    for name, line in zip(NAMES, _lines(root, cohort), strict=True):
        outcome = _run([*launcher, root / f"pipelines/{name}.py", *line, *options], folder, environment)
        assert outcome.returncode == 0, outcome.stderr
        assert outcome.stdout == ""


def test_the_tiny_cohort_meets_every_step(by_command: Path) -> None:
    links = pq.read_table(by_command / "concordance/concordance.parquet")
    assert links.column("verdict").to_pylist() == ["match"] * links.num_rows
    assert links.num_rows >= 12
    metrics = pq.read_table(by_command / "samples-qc/sample_metrics.parquet")
    for name in ("mean_coverage", "contamination", "karyotype", "array_call_rate", "fingerprint_llr"):
        assert metrics.column(name).null_count < metrics.num_rows, name
    judged = json.loads((by_command / "samples-qc/qc.json").read_text())["outliers"]
    assert any(rule["judged"] for rule in judged)


def test_in_threads__the_same_bytes_as_the_commands(root: Path, cohort: Path, by_command: Path, tmp_path: Path) -> None:
    _all(root, [sys.executable], ["--runtime", "local", "--cores", "2"], cohort, tmp_path)
    assert digests(tmp_path) == digests(by_command)


@pytest.mark.parametrize("name", NAMES)
def test_a_pipeline_runs_on_spark_unless_told_otherwise(name: str) -> None:
    command = typer.main.get_command(importlib.import_module(f"pipelines.{name}").pipeline)
    further = {"qc_arrays": ["--callset", "c"], "qc_concordance": ["other", "--links", "l"]}.get(name, [])
    for options, expected in (([], "spark"), (["--runtime", "local"], "local")):
        arguments = ["input", *further, "-o", "output", *options]
        assert command.make_context(name, arguments).params["runtime"] == expected


def test_the_release_check_ends_with_its_exit_code(root: Path, cohort: Path, by_command: Path, tmp_path: Path) -> None:
    ids = pq.read_table(by_command / "samples-qc/sample_metrics.parquet").column("sample_id").to_pylist()
    (tmp_path / "released.txt").write_text("\n".join(ids))
    line = [sys.executable, root / "pipelines/qc_check.py", cohort / "x.callset", "--released", "released.txt"]
    outcome = _run([*line, "--qc", by_command / "samples-qc", "-o", "failures"], tmp_path)
    assert outcome.returncode == 2  # nothing here has the metrics that reads tell
    assert len(outcome.stderr.splitlines()) == 1
    assert not any(sample in outcome.stdout + outcome.stderr for sample in ids)
    assert set(pq.read_table(tmp_path / "failures/failures.parquet").column("sample_id").to_pylist()) == set(ids)


@pytest.mark.jvm
def test_under_spark_submit__the_same_bytes_as_the_commands(
    root: Path, cohort: Path, by_command: Path, tmp_path: Path
) -> None:
    launcher = [BIN / "spark-submit", "--master", "local[2]", "--properties-file", root / "spark-conf/cluster.conf"]
    _all(root, launcher, [], cohort, tmp_path)
    assert digests(tmp_path) == digests(by_command)


@pytest.mark.parametrize("name", NAMES[2:])
def test_wrong_input_is_one_clean_message(root: Path, tmp_path: Path, name: str) -> None:
    line = [sys.executable, root / f"pipelines/{name}.py", "person-7.callset", "-o", "out", "--runtime", "local"]
    outcome = _run(line, tmp_path)
    assert outcome.returncode == 2
    assert len(outcome.stderr.splitlines()) == 1
    assert outcome.stderr.startswith("cohelix: ")
    assert list(tmp_path.iterdir()) == []
