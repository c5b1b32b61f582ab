"""Documents tell the truth: paths exist, commands exist with the options shown, and nothing of one machine is left."""

from __future__ import annotations

import re
import shlex
import subprocess
from functools import cache
from pathlib import Path

import click
import pytest
import typer

from cohelix.cli.__main__ import app

ROOT = Path(__file__).resolve().parents[2]
TRACKED = [
    ROOT / line
    for line in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout.splitlines()
]  # fmt: skip
DOCUMENTS = sorted(path for path in TRACKED if path.suffix == ".md" and path.exists())
SOURCES = sorted(
    path for path in TRACKED if path.suffix in {".py", ".md", ".toml", ".conf", ".yaml", ".cff", ".properties"}
)
TOP = {"engine", "tests", "docs", "pipelines", "reference", "spark-conf", "benchmarks", ".ci"}


def _named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _commands(path: Path, fence: str = "console|bash") -> list[list[str]]:
    """Command lines that begin with cohelix in the fenced blocks of a document, as words."""
    found = []
    for block in re.findall(rf"```(?:{fence})\n(.*?)```", path.read_text(), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words and words[0] == "cohelix":
                found.append(words[1:])
    return found


@cache
def _root_command() -> click.Command:
    return typer.main.get_command(app)


def _resolve(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that `words` name, and the words that are left for it."""
    command = _root_command()
    rest = list(words)
    while rest and not rest[0].startswith("-") and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]  # type: ignore[attr-defined]  # a group
    return command, rest


def _unknown_options(words: list[str]) -> list[str]:
    command, rest = _resolve(words)
    known = {option for parameter in command.params for option in parameter.opts + parameter.secondary_opts}
    return [w for w in (word.partition("=")[0] for word in rest) if w.startswith("-") and w not in known | {"--help"}]


def test_there_is_something_to_check() -> None:
    assert ROOT / "README.md" in DOCUMENTS
    assert len(SOURCES) > 50


@pytest.mark.parametrize("path", DOCUMENTS, ids=_named)
def test_every_path_in_backticks_exists(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    missing = []
    for word in re.findall(r"`([\w./{},*-]+)`", text):
        top = word.split("/")[0]
        is_path = ("/" in word and top in TOP) or re.fullmatch(r"[\w.-]+\.(md|toml|cff|lock)", word)
        if is_path and not list(ROOT.glob(word.rstrip("/"))) and not list(path.parent.glob(word.rstrip("/"))):
            missing.append(word)
    assert missing == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=_named)
def test_every_link_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text())
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=_named)
def test_every_command_shown_exists_with_its_options(path: Path) -> None:
    for words in _commands(path):
        command, _ = _resolve(words)
        assert not getattr(command, "commands", None) or words[-1:] in (["--help"], ["--version"]), words
        assert _unknown_options(words) == [], words


@pytest.mark.parametrize("path", DOCUMENTS, ids=_named)
def test_every_make_target_shown_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in re.findall(r"^(?:\$ )?make ([a-z ]+?)(?:\s*#.*)?$|`make ([a-z ]+)`", path.read_text(), re.MULTILINE):
        assert set(" ".join(line).split()) <= targets


def test_the_checks_of_commands_can_fail() -> None:
    assert _unknown_options(["config", "show", "--colour", "red"]) == ["--colour"]
    assert _resolve(["config", "shw"])[0].name == "config"


@pytest.mark.parametrize("path", SOURCES, ids=_named)
def test_no_folder_of_one_machine_is_named(path: Path) -> None:
    if path == Path(__file__).resolve() or not path.exists():
        return
    here = rf"{re.escape(str(ROOT))}\b"  # wherever this checkout lies
    for pattern in (here, r"/root/", r"/home/\w", r"/Users/\w"):
        assert not re.search(pattern, path.read_text()), pattern
