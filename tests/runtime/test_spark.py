"""The same promises on Spark, and those that only a cluster can break."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cohelix.dataset import Writer, find, verify
from cohelix.errors import CohelixError, ConfigError, ContractError, InputError, ReferenceMismatch
from cohelix.runtime import spark as module
from cohelix.runtime.local import LocalRuntime

jvm = pytest.mark.jvm


@pytest.mark.parametrize("name", ["local.conf", "cluster.conf", "dataproc.conf", "emr.conf"])
def test_conf_files_parse_and_every_setting_has_a_reason(name: str) -> None:
    settings = module.read_conf(name)
    assert settings
    assert all(key.startswith("spark.") and value for key, value in settings.items())
    blocks = (module.conf_folder() / name).read_text().split("\n\n")
    for block in blocks:
        lines = [line for line in block.splitlines() if line.strip()]
        assert lines[0].startswith("# "), f"{name}: no reason before {lines[0]!r}"


def test_without_pyspark__says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_active_session", lambda: None)
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'cohelix\[spark\]'"):
        module.session()


@dataclass(frozen=True)
class Task:
    number: int
    root: str = ""


def _by_value(function: Any) -> Any:
    """Workers cannot import this test file: send its functions and classes along, as those of a main script are."""
    from pyspark import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[function.__module__])
    return function


def _square(task: Task) -> int:
    return task.number**2


@jvm
def test_results_are_in_the_order_of_the_tasks(spark: Any) -> None:
    tasks = [Task(n) for n in (5, 3, 9, 1)]
    ours = list(spark.map(_by_value(_square), tasks, label="squares"))
    assert ours == list(LocalRuntime(2).map(_square, tasks, label="squares")) == [25, 9, 81, 1]
    assert list(spark.map(_square, [], label="none")) == []


@jvm
@pytest.mark.parametrize("kind", [InputError, ConfigError, ReferenceMismatch, ContractError, CohelixError])
def test_errors_keep_their_type_and_the_first_in_order_is_raised(spark: Any, kind: type[CohelixError]) -> None:
    def refuse(number: int) -> int:
        if number >= 2:
            raise kind(f"row {number}: expected, seen, way out")
        return number

    with pytest.raises(CohelixError, match=r"^row 2: expected, seen, way out$") as caught:
        list(spark.map(refuse, range(5), label="refuse"))
    assert type(caught.value) is kind


@jvm
def test_share_reaches_the_tasks(spark: Any) -> None:
    shared = spark.share({"x": 40})
    assert shared() == {"x": 40}
    assert list(spark.map(lambda n: n + shared()["x"], [1, 2], label="shared")) == [41, 42]


@jvm
def test_tasks_run_in_this_interpreter_and_can_import_cohelix(spark: Any) -> None:
    def where(_: int) -> tuple[str, str]:
        import cohelix

        return sys.executable, cohelix.__version__

    import cohelix

    assert set(spark.map(where, [0, 1], label="where")) == {(sys.executable, cohelix.__version__)}


def _write(task: Task) -> Any:
    return Writer(task.root, "table", "run").put(f"part-{task.number % 3}", ".bin", b"x" * 100_000)


@jvm
def test_tasks_that_run_twice_at_once_leave_one_whole_file(spark: Any, tmp_path: Path) -> None:
    root = str(tmp_path / "set")
    tasks = [Task(n, root) for n in range(12)]  # four attempts of each of three parts
    entries = list(spark.map(_by_value(_write), tasks, label="attempts"))
    assert len(set(entries)) == 3
    Writer(root, "table", "run").commit(entries, {}, {}, after=0)
    commit = find(root)
    assert commit is not None
    assert len(commit.files) == 3
    verify(root, commit)
    assert len([path for path in Path(root).iterdir() if path.suffix == ".bin"]) == 3


@jvm
def test_describe_and_an_active_session_is_respected(spark: Any) -> None:
    assert spark.describe() == {"runtime": "spark", "master": "local[2]", "cores": 2}
    second = module.SparkRuntime(1)
    second.close()
    assert list(spark.map(abs, [-1], label="still open")) == [1]


@jvm
def test_a_new_session_is_quiet(tmp_path: Path) -> None:
    """A process of its own: nothing on stderr but what a person must act on, and no folder left behind."""
    script = tmp_path / "job.py"
    script.write_text(
        "from cohelix.runtime.protocol import open_runtime\n"
        "runtime = open_runtime('spark', cores=1)\n"
        "print(list(runtime.map(lambda n: n * 2, [1, 2], label='double')))\n"
        "runtime.close()\n"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SPARK", "PYSPARK"))}
    outcome = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout == "[2, 4]\n"
    assert outcome.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["job.py"]
