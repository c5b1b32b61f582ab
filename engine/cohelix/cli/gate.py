"""What every command goes through: paths within a tier's folders, read with a grant and written to only upwards.

An argument that names a place in a workspace above Public, or a list or a settings file that does, asks for a grant: by
the passport and the trust file of the environment, and it is written down. A place in a workspace takes only what comes
from data of its tier or lower ones. Folders of releases are read through `cohelix release open`, and written to by
`cohelix release`. Tables of people that come from elsewhere are read beside a workspace only with an approval to link.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import click

from cohelix.errors import AccessError, ConfigError
from cohelix.tier import MARK, Mark, Tier, mark_of, opened

_OWN = ("cohelix.cli.release", "cohelix.cli.release_gate")
"""Where the commands are that check for themselves, on the command line and as pipelines."""

WRITTEN: dict[tuple[str, ...], set[str]] = {
    ("joint", "run"): {"calls"},
    ("joint", "withdraw"): {"calls"},
    ("qc", "arrays"): {"callset"},
    ("simulate", "compare-pgx"): {"confused"},
    ("hail", "import"): {"scratch"},
    ("hail", "export"): {"scratch"},
}
"""What commands write to besides --out: names of their parameters."""

SETTINGS = {"config", "preset", "set_", "overrides", "runtime", "gates", "prices", "form", "format_", "region", "value"}
"""Parameters that say how, not what: they are no data, though files may bear their words as names."""

NOT_OF_PEOPLE = SETTINGS | {
    "sites", "fasta", "frequencies", "training", "calibration", "manifest", "reference", "reference_pcs",
    "reference_labels", "labels", "model", "forest", "pcs_model", "definitions", "genes", "pairs", "question", "column",
    "date", "build", "a1", "duplicates", "sampleset", "size", "locus", "sample", "dialect", "gq0", "matched",
}  # fmt: skip
"""Parameters that bring no table of people: alleles, weights, models and definitions may come from anywhere."""

_LISTS = (".tsv", ".csv", ".txt", ".list", ".toml", ".json", ".yaml", ".yml")
_LONGEST_LIST = 64 << 20
_PATH = re.compile(r"[^\s\"',=\[\]{}]*/[^\s\"',=\[\]{}]+")


@dataclass(frozen=True)
class _Place:
    """A place that an argument names. parameter: whose; read, written: whether it may be."""

    mark: Mark | None
    parameter: str
    read: bool
    written: bool

    @property
    def is_gated(self) -> bool:
        return self.mark is not None and self.mark.tier is not Tier.PUBLIC

    @property
    def tier(self) -> Tier:
        return Tier.SOURCE if self.mark is None else self.mark.tier


def guard(command: click.Command, path: tuple[str, ...] = ()) -> None:
    """Put every command below `command` behind the gate."""
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            guard(below, (*path, name))
    elif command.callback is not None and command.callback.__module__ not in _OWN:
        command.callback = _guarded(command, command.callback, path)


def _guarded(command: click.Command, callback: Callable[..., Any], path: tuple[str, ...]) -> Callable[..., Any]:
    written = {one.name or "" for one in command.params if {"-o", "--out"} & set(one.opts)} | WRITTEN.get(path, set())
    scores = {"scores"} if any("--scores" in one.opts for one in command.params) else set()

    @functools.wraps(callback)
    def run(*args: Any, **given: Any) -> Any:
        places = list(_places(given, written))
        if all(one.mark is None for one in places):
            return callback(*args, **given)
        _check_releases(places)
        label = max((one.tier for one in places if one.read and one.parameter not in SETTINGS), default=Tier.SOURCE)
        with ExitStack() as stack:
            for mark in {one.mark.root: one.mark for one in places if one.mark is not None and one.written}.values():
                _check_label(mark, label)
                stack.enter_context(opened(mark, label))
            _admit(places, " ".join(path) or command.name or "a pipeline", NOT_OF_PEOPLE | scores)
            return callback(*args, **given)

    return run


def _places(given: dict[str, Any], written: set[str]) -> Iterator[_Place]:
    """Every place that the arguments name; words that name none are left out."""
    for parameter, value in given.items():
        for one in value if isinstance(value, list | tuple) else (value,):
            for path in _paths(one):
                is_written = parameter in written
                is_read = os.path.exists(path) or _begins_files(path)
                if is_read or is_written:
                    # What is added to is read as well; what is made anew has nothing of its own yet.
                    known = is_read and not (is_written and mark_of(path) is None)
                    yield _Place(mark_of(path), parameter, known, is_written)
                if is_read and not is_written:
                    for mark in _listed(path):
                        yield _Place(mark, parameter, True, False)


def _paths(value: Any) -> Iterator[str]:
    """Paths that a value can mean: `file:///data/a`, `model=/data/a` and `a.tsv,b.tsv` do, besides `a.tsv`."""
    if not isinstance(value, str | os.PathLike):
        return
    text = os.fspath(value)
    if not isinstance(text, str) or "\0" in text or "\n" in text:
        return
    told = {text, *text.split(","), *text.split("=", 1)[1:], *text.split(":", 1)[1:]}
    for one in sorted(told):
        path = one.strip().removeprefix("file://")
        if path and "://" not in path and len(path) < 4096:
            yield path


def _begins_files(prefix: str) -> bool:
    """Whether a path is the beginning of files' names, as of a PLINK fileset."""
    folder, _, stem = os.path.abspath(prefix).rpartition("/")
    with suppress(OSError):
        return any(name.startswith(f"{stem}.") for name in os.listdir(folder or "/") if name != MARK)
    return False


def _listed(path: str) -> Iterator[Mark | None]:
    """Marks of the folders that a list of files or a settings file names. Those outside of all tiers are left out."""
    if not path.lower().endswith(_LISTS) or not os.path.isfile(path) or os.path.getsize(path) > _LONGEST_LIST:
        return
    roots, folders = (os.path.dirname(os.path.abspath(path)), os.getcwd()), set()
    with suppress(OSError), open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            for found in _PATH.findall(line):
                named = found.removeprefix("file://")
                if "://" not in named and "\0" not in named and len(named) < 4096:
                    folders.add(os.path.dirname(named))
                    if os.path.exists(os.path.join(named, MARK)):
                        folders.add(named)
    folders = {os.path.join(root, folder) for folder in folders for root in roots}
    for folder in sorted(folders):
        mark = mark_of(folder)
        if mark is not None:
            yield mark


def _check_releases(places: list[_Place]) -> None:
    """Releases are read and written by `cohelix release` alone; those of the public tier everybody reads."""
    for one in places:
        if one.mark is None or one.mark.use == "workspace":
            continue
        if one.written:
            raise ConfigError(
                "expected a place outside of the releases of a tier to write to, found one in those of "
                f"{one.tier.word}. Only `cohelix release` writes there."
            )
        if one.is_gated:
            raise AccessError(
                f"a release of the tier {one.tier.word} is read through `cohelix release open`, which asks for a grant."
            )


def _check_label(mark: Mark, label: Tier) -> None:
    if label is Tier.SOURCE:
        raise ConfigError(
            f"expected inputs from workspaces of the tier {mark.tier.word} or lower, to write to one of that tier, "
            "found an input from elsewhere, which counts as the program's own data. Write to a folder outside of the "
            "workspace; or copy into it what was made for everybody, such as weights."
        )


def _admit(places: list[_Place], what: str, not_of_people: set[str]) -> None:
    """AccessError where somebody may not read what a command reads, or not beside what else it reads."""
    marks = {one.mark.root: one.mark for one in places if one.mark is not None and one.is_gated}
    if not marks:
        return
    from cohelix.release.gate.admission import Admission
    from cohelix.release.gate.passport import ENV as PASSPORT
    from cohelix.release.gate.trust import ENV as TRUST
    from cohelix.release.gate.trust import read_trust

    admission = Admission(os.environ.get(PASSPORT, ""), read_trust(os.environ.get(TRUST, "")))
    programs = {mark.dataset for mark in marks.values()}
    read = [one for one in places if one.read]
    linking = any(one.is_gated for one in read) and (
        len(programs) > 1
        or any(
            one.parameter not in not_of_people and (one.mark is None or one.mark.dataset not in programs)
            for one in read
        )
    )
    for mark in marks.values():
        admission.admit_to(what, mark.release, mark.tier, mark.dataset, linking=linking)
