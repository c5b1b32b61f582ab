"""A folder appears whole or not at all, and what cannot be replaced is refused at the begin."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cohelix import folder as folders
from cohelix.errors import ConfigError
from cohelix.folder import appearing_whole


def test_a_link_to_an_empty_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with appearing_whole(tmp_path / "link") as passing:
        (passing / "x").write_text("made")
        assert not (tmp_path / "real" / "x").exists()
    assert (tmp_path / "real" / "x").read_text() == "made"
    assert {path.name for path in tmp_path.iterdir()} == {"real", "link"}


def test_what_a_killed_process_of_this_number_left_is_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container every process has the same number."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    killed = appearing_whole(tmp_path / "out")
    left = killed.__enter__()
    with appearing_whole(tmp_path / "out") as passing:
        (passing / "x").write_text("made")
    assert left.is_dir() and (tmp_path / "out" / "x").read_text() == "made"


@pytest.mark.parametrize("case", ["here", "mount", "under a file", "long name"])
def test_a_folder_that_cannot_be_made_is_refused_at_the_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    out = tmp_path / "out"
    if case == "here":
        out.mkdir()
        monkeypatch.chdir(out)
        out = Path()
    elif case == "mount":
        out.mkdir()
        monkeypatch.setattr(folders.os.path, "ismount", lambda path: path == out)
    elif case == "under a file":
        out.write_text("")
        out = out / "sub"
    else:
        out = tmp_path / ("x" * 250)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match="Name one in it" if case in ("here", "mount") else "cannot be made"):
        with appearing_whole(out):
            pytest.fail("begun")
    assert sorted(tmp_path.rglob("*")) == before
