"""The pipelines of polygenic scores, as people start them, on the tiny configuration."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import typer

from benchmarks import cohorts
from cohelix.cli.__main__ import run
from cohelix.prs.tables import read_scores
from cohelix.runtime.java import find_java

Outcome = subprocess.CompletedProcess[str]
BIN = Path(sys.executable).parent
NAMES = ("prs_match", "prs_score", "prs_adjust", "prs_evaluate")
ON_SPARK = ("prs_match", "prs_score")
N_PEOPLE, N_SITES, N_SCORES = 200, 1000, 5


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """People of five populations, scores of random weights, components that tell populations, and a trait."""
    folder = tmp_path_factory.mktemp("cohort")
    work = cohorts.draw(folder, N_PEOPLE, N_SITES)
    cohorts.take_in(work, folder)
    rng = np.random.default_rng(3)
    sites = [line.split("\t") for line in work.prefix.with_suffix(".bim").read_text().splitlines()]
    (folder / "scores").mkdir()
    for number in range(N_SCORES):
        rows = ["rsID\tchr_name\tchr_position\teffect_allele\tother_allele\teffect_weight"]
        for place in np.sort(rng.choice(N_SITES, 60, replace=False)).tolist():
            contig, name, _, position, alt, ref = sites[place]
            effect, other = (alt, ref) if rng.random() < 0.5 else (ref, alt)
            weight = rng.standard_normal()
            rows.append(f"{name}\t{contig.removeprefix('chr')}\t{position}\t{effect}\t{other}\t{weight!r}")
        header = [f"#pgs_id=MADE{number:06d}", "#trait_reported=made", "#genome_build=GRCh38"]
        (folder / f"scores/MADE{number:06d}.txt").write_text("\n".join([*header, *rows]) + "\n")
    ids = [line.split()[1] for line in work.prefix.with_suffix(".fam").read_text().splitlines()]
    population = np.arange(N_PEOPLE) % cohorts.POPULATIONS
    places = rng.standard_normal((cohorts.POPULATIONS, 3))[population] + 0.1 * rng.standard_normal((N_PEOPLE, 3))
    at_places = places.tolist()
    lines = [
        "sample_id\tPC1\tPC2\tPC3",
        *("\t".join([one, *map(repr, at)]) for one, at in zip(ids, at_places, strict=True)),
    ]
    (folder / "pcs.tsv").write_text("\n".join(lines) + "\n")
    lines = ["sample_id\tgroup", *(f"{one}\tp{group}" for one, group in zip(ids, population.tolist(), strict=True))]
    (folder / "groups.tsv").write_text("\n".join(lines) + "\n")
    trait = zip(ids, rng.standard_normal(N_PEOPLE).tolist(), strict=True)
    (folder / "phenotypes.tsv").write_text("\n".join(["sample_id\tmade", *(f"{a}\t{b!r}" for a, b in trait)]) + "\n")
    return folder


def _lines(root: Path, cohort: Path) -> list[list[str]]:
    """Arguments of each of `NAMES`, in a folder that is the working directory."""
    callset = str(cohort / "structured.callset")
    config = ["--config", str(root / "pipelines/configs/tiny/prs.toml")]
    tables = ["--pcs", str(cohort / "pcs.tsv"), "--ancestry", str(cohort / "groups.tsv")]
    return [
        [callset, "--scores", str(cohort / "scores"), "-o", "matched", *config],
        [callset, "--match", "matched", "-o", "prs", *config],
        ["prs", "-o", "adjusted", *tables, "--train", str(cohort / "pcs.tsv"), *config],
        [
            "adjusted",
            "-o",
            "evaluated",
            *tables,
            "--phenotypes",
            str(cohort / "phenotypes.tsv"),
            "--reference-pcs",
            str(cohort / "pcs.tsv"),
            *config,
        ],
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
            cores = ["--cores", "1"] if name in ON_SPARK else []
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
        more = options if name in ON_SPARK else []
        outcome = _run([*launcher, root / f"pipelines/{name}.py", *line, *more], folder, environment)
        assert outcome.returncode == 0, outcome.stderr
        assert outcome.stdout == ""


def test_the_tiny_configuration_meets_every_step(by_command: Path) -> None:
    scores = read_scores(by_command / "prs")
    assert scores.score_ids == [f"MADE{number:06d}" for number in range(N_SCORES)]
    assert scores.sums.shape == (N_SCORES, N_PEOPLE) and np.isfinite(scores.sums).all()
    adjusted = pq.read_table(by_command / "adjusted/adjusted.parquet", columns=["z_norm2"]).column(0).to_numpy()
    assert adjusted.reshape(N_SCORES, -1).mean(axis=1) == pytest.approx(np.zeros(N_SCORES), abs=0.05)
    metrics = pq.read_table(by_command / "evaluated/metrics.parquet").to_pylist()
    strata = {(row["stratum_kind"], row["stratum"]) for row in metrics}
    assert {("all", "all"), ("group", "p0")} <= strata
    assert len([kind for kind, _ in strata if kind == "distance"]) == 4
    assert json.loads((by_command / "evaluated/evaluation.json").read_text())["kind"] == "prs_evaluation"


def test_in_threads__the_same_bytes_as_the_commands(root: Path, cohort: Path, by_command: Path, tmp_path: Path) -> None:
    _all(root, [sys.executable], ["--runtime", "local", "--cores", "2"], cohort, tmp_path)
    assert digests(tmp_path) == digests(by_command)


@pytest.mark.parametrize("name", NAMES)
def test_a_pipeline_runs_on_spark_unless_told_otherwise(name: str) -> None:
    command = typer.main.get_command(importlib.import_module(f"pipelines.{name}").pipeline)
    if name not in ON_SPARK:  # tables in, tables out: nothing to spread
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


@pytest.mark.parametrize("name", ON_SPARK)
def test_wrong_input_is_one_clean_message(root: Path, tmp_path: Path, name: str) -> None:
    options = ["--scores", "person-7", "-o", "out", "--runtime", "local"]
    outcome = _run([sys.executable, root / f"pipelines/{name}.py", "person-7.callset", *options], tmp_path)
    assert outcome.returncode == 2
    assert len(outcome.stderr.splitlines()) == 1
    assert outcome.stderr.startswith("cohelix: ")
    assert list(tmp_path.iterdir()) == []
