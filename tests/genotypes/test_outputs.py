"""Places that quality control refuses to write to, before it reads anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from cohelix.errors import ConfigError
from cohelix.genotypes.outputs import check_outside, new_folder


def test_a_folder_appears_whole_beside_a_data_set_and_not_within(tmp_path: Path) -> None:
    (tmp_path / "x.callset" / "_commit").mkdir(parents=True)
    for inside in ("x.callset/qc", "x.callset/a/b/qc"):
        with pytest.raises(ConfigError, match="outside of data sets"), new_folder(str(tmp_path / inside)):
            raise AssertionError("the folder was made")
    check_outside(str(tmp_path / "x.callset"))  # a new version of it is no file within it
    with new_folder(str(tmp_path / "qc")) as folder:
        (folder / "a").write_text("b")
    assert (tmp_path / "qc" / "a").read_text() == "b"
    assert sorted(path.name for path in (tmp_path / "x.callset").rglob("*")) == ["_commit"]


def test_an_object_store_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="object store"), new_folder("s3://bucket/qc"):
        raise AssertionError("the folder was made")
    assert list(tmp_path.iterdir()) == []  # no folder called s3:
    check_outside("s3://bucket/sites.qc")
