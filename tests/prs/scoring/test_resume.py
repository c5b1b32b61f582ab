"""Work that was killed goes on where it stopped, and gives the bytes that undisturbed work gives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cohelix.prs.schema import ScoreParams
from cohelix.prs.scoring import partial_sums, task
from cohelix.prs.scoring.run import score
from cohelix.runtime.local import LocalRuntime
from tests.prs.scoring.made_scores import Cohort, make, random_entries, write_match

PROGRAM = """
import os, signal, sys
from pathlib import Path
from cohelix.prs.schema import ScoreParams
from cohelix.prs.scoring import partial_sums, task
from cohelix.prs.scoring.run import score
from cohelix.runtime.local import LocalRuntime

root, out, match, work = sys.argv[1:]
record = task.record

def killed(folder, own, block, found, arrays):
    if own == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return record(folder, own, block, found, arrays)

task.record = killed
score(root, out, ScoreParams(), LocalRuntime(1), match=match, work=Path(work))
"""


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    return make(tmp_path, {"autosome": 30, "X": 6, "Y": 4, "MT": 4}, ["male", "female"] * 20)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_killed_run_goes_on(tmp_path: Path, cohort: Cohort, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    match = write_match(tmp_path / "match", cohort, random_entries(np.random.default_rng(1), 44, 3, 0.5), 3)
    score(cohort.root, str(tmp_path / "whole"), ScoreParams(), LocalRuntime(2), match=str(match))
    work, out = tmp_path / "work", tmp_path / "out"
    command = [sys.executable, "-c", PROGRAM, cohort.root, str(out), str(match), str(work)]
    ended = subprocess.run(command, cwd=root, env=os.environ, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert not out.exists()
    assert sorted(path.name for path in work.glob("done-*")) == ["done-00000-00000.json", "done-00001-00000.json"]
    (work / "sparse-00001-00000.npy").write_bytes((work / "sparse-00001-00000.npy").read_bytes()[:-8])  # torn
    done, record = [], partial_sums.record
    monkeypatch.setattr(task, "record", lambda folder, own, *rest: (done.append(own), record(folder, own, *rest))[1])
    score(cohort.root, str(out), ScoreParams(), LocalRuntime(1), match=str(match), work=work)
    assert done == [1, 2, 3]
    assert files_of(out) == files_of(tmp_path / "whole")


def test_work_of_other_choices_is_not_taken(tmp_path: Path, cohort: Cohort) -> None:
    match = write_match(tmp_path / "match", cohort, random_entries(np.random.default_rng(1), 44, 3, 0.5), 3)
    for name, params in (("first", ScoreParams()), ("second", ScoreParams("drop"))):
        score(cohort.root, str(tmp_path / name), params, LocalRuntime(1), match=str(match), work=tmp_path / "work")
        digest = json.loads((tmp_path / "work" / "plan.json").read_text())["digest"]
        score(cohort.root, str(tmp_path / f"{name}-alone"), params, LocalRuntime(1), match=str(match))
        assert files_of(tmp_path / name) == files_of(tmp_path / f"{name}-alone")
        assert digest
    assert files_of(tmp_path / "first")["scores.parquet"] != files_of(tmp_path / "second")["scores.parquet"]
