"""What is underway lies in a folder beside the output, which is removed: nothing of anybody else may lie there."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from cohelix.errors import CohelixError, ConfigError
from cohelix.jobs.scoring import Inputs, score
from cohelix.prs.schema import MatchParams, ScoreParams
from cohelix.runtime.local import LocalRuntime


def tried(tmp_path: Path) -> None:
    inputs = Inputs(scores=(str(tmp_path / "no-such-scores"),))
    score(str(tmp_path / "none"), str(tmp_path / "out"), inputs, MatchParams(), ScoreParams(), LocalRuntime(1))


def test_files_of_others_are_kept(tmp_path: Path) -> None:
    """A folder that merely has the name of a folder of work is refused, and left as it is."""
    theirs = tmp_path / "out.work"
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match="found other files there"):
        tried(tmp_path)
    assert [path.name for path in theirs.iterdir()] == ["thesis.txt"]


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """The folder of work of a process that lives is neither used nor removed; that of a dead one is."""
    work = tmp_path / "out.work"
    work.mkdir()
    with (work / ".cohelix-prs-score").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ConfigError, match="another process"):
            tried(tmp_path)
        assert work.exists()
    with pytest.raises(CohelixError, match="found none of these"):
        tried(tmp_path)
    assert not work.exists()
