"""Starting Hail where it cannot start: one clean message, nothing left behind."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import Any

import pytest

from cohelix.errors import ConfigError
from cohelix.runtime import on_hail


@pytest.fixture
def no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not started Hail; what another test started comes back afterwards."""
    monkeypatch.setattr(on_hail._Session, "hail", None)
    monkeypatch.setattr(on_hail._Session, "folder", None)


def test_without_the_package_the_way_out_is_named(no_session: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'cohelix\[hail\]'"):
        on_hail.session()


def test_a_failed_start_leaves_no_folder(no_session: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("JAVA_GATEWAY_EXITED")

    monkeypatch.setattr(on_hail, "_start", fail)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(ConfigError, match="Hail did not start"):
        on_hail.session()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.jvm
def test_one_session_with_the_flag_and_scratch_that_goes(hail: Any) -> None:
    assert on_hail.session() is hail
    assert hail._get_flags("branching_factor") == {"branching_factor": "1000"}
    with on_hail.scratch() as folder:
        Path(folder).mkdir()
        (Path(folder) / "x").write_text("x")
    assert not Path(folder).exists()


@pytest.mark.jvm
def test_scratch_in_a_shared_folder(hail: Any, tmp_path: Path) -> None:
    with on_hail.scratch(str(tmp_path)) as folder:
        assert Path(folder).parent == tmp_path
