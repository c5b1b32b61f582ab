"""Tiers: who may see a place's data; and which data may go where.

A folder is bound to a tier by a file `_TIER` in it, once and for good; all that lies below belongs to that tier. What
is not below such a folder is `SOURCE`: data of the program itself, above every tier. So data whose label was lost is
taken for the most protected there is, never for less.

Data may go to places of their own tier or of higher ones. Writing below a bound folder is refused at the doors through
which cohelix writes (`cohelix.storage`, `cohelix.folder`), unless somebody who says what the data are has opened it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from cohelix.errors import ConfigError

MARK = "_TIER"


class Tier(IntEnum):
    """Order of protection. A higher tier's readers may see all that lower tiers have, and more."""

    PUBLIC = 0
    REGISTERED = 1
    CONTROLLED = 2
    SOURCE = 3

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Mark:
    """What `_TIER` of a folder says.

    use: "releases" (a tier's root: its releases are folders in it, and only `cohelix release` writes there) or
    "workspace" (decrypted data of one release, and what is computed from them). release, name: of a workspace, the
    release it was opened from (see `cohelix.release.manifest`), and the digest of its manifest.
    """

    root: Path
    tier: Tier
    use: str
    release: str = ""
    manifest: str = ""
    dataset: str = ""


def tier_named(word: str) -> Tier:
    """`public`, `registered` or `controlled`. ConfigError where it is another word."""
    for tier in (Tier.PUBLIC, Tier.REGISTERED, Tier.CONTROLLED):
        if tier.word == word:
            return tier
    raise ConfigError(f"expected public, registered or controlled as the tier, found {word!r}.")


def mark_of(path: str | os.PathLike[str]) -> Mark | None:
    """The mark of the nearest folder at or above `path` that is bound to a tier; links are followed. None: SOURCE.

    ConfigError where a mark is there that cannot be read: then nothing is known, and nothing is done.
    """
    place = _local(path)
    if place is None:
        return None
    for folder in (place, *place.parents):
        mark = folder / MARK
        if mark.is_file() or mark.is_symlink():
            return _read(mark)
    return None


def tier_of(path: str | os.PathLike[str]) -> Tier:
    mark = mark_of(path)
    return Tier.SOURCE if mark is None else mark.tier


def marks_below(folder: str | os.PathLike[str]) -> list[Mark]:
    """Marks of folders below `folder`, not its own."""
    place = _local(folder)
    if place is None:
        return []
    found = []
    for parent, folders, names in os.walk(place):
        if MARK in names and Path(parent) != place:
            found.append(_read(Path(parent) / MARK))
            folders.clear()
    return found


def bind(
    folder: str | os.PathLike[str], tier: Tier, use: str, *, release: str = "", manifest: str = "", dataset: str = ""
) -> Mark:
    """Bind a folder to a tier, or find it bound so already.

    ConfigError where it is bound otherwise, lies in a bound folder or has one below it, holds files already, or is a
    link: tiers are apart on the disk.
    """
    place = _local(folder)
    if place is None:
        raise ConfigError("expected a folder on a disk as the root of a tier, found an object store.")
    if Path(os.path.abspath(os.fspath(folder))).is_symlink():
        raise ConfigError("expected a folder as the root of a tier, found a link. Name the folder itself.")
    found = mark_of(place)
    if found is not None and found.root == place and (found.tier, found.use) == (tier, use):
        return found
    if found is not None:
        where = "is bound to" if found.root == place else "lies within the folder of"
        raise ConfigError(
            f"expected a folder for the tier {tier.word}, found one that {where} the tier {found.tier.word} "
            f"({found.use}). Choose a folder outside of other tiers."
        )
    if marks_below(place):
        raise ConfigError("expected a folder without others' tiers below it, found one. Choose another folder.")
    if place.exists() and (not place.is_dir() or any(not _is_unfinished(one) for one in place.iterdir())):
        raise ConfigError(
            f"expected a new or empty folder to be bound to the tier {tier.word}, found files. Choose another."
        )
    of = {"release": release, "manifest": manifest, "dataset": dataset}
    said = {"tier": tier.word, "use": use} | {name: value for name, value in of.items() if value}
    try:
        _write_mark(place, tier, (json.dumps(said, sort_keys=True) + "\n").encode())
    except OSError as error:
        raise ConfigError(
            f"the folder of the tier {tier.word} cannot be made or written to "
            f"({error.strerror or type(error).__name__}). Choose another, or make room there."
        ) from None
    return Mark(place, tier, use, release, manifest, dataset)


def _write_mark(place: Path, tier: Tier, data: bytes) -> None:
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(0o755 if tier is Tier.PUBLIC else 0o700)
    passing = place / f".{MARK}.{os.getpid()}"
    passing.write_bytes(data)
    try:
        os.replace(passing, place / MARK)
    except FileNotFoundError:
        if not (place / MARK).is_file():  # else another process has bound the folder at this moment
            raise
    for left in filter(_is_unfinished, list(place.iterdir())):
        left.unlink(missing_ok=True)


def _is_unfinished(path: Path) -> bool:
    """A mark that a process did not live to give its name."""
    return path.name.startswith(f".{MARK}.")


@contextmanager
def opened(mark: Mark, label: Tier) -> Iterator[None]:
    """Let data of `label` be written below a bound folder while the block runs. ConfigError where they may not."""
    if label > mark.tier:
        raise ConfigError(
            f"expected data of the tier {mark.tier.word} or lower to be written to a folder of that tier, "
            f"found data of {label.word}. Write them elsewhere."
        )
    _open[mark.root] = _open.get(mark.root, 0) + 1
    try:
        yield
    finally:
        _open[mark.root] -= 1
        if not _open[mark.root]:
            del _open[mark.root]


_open: dict[Path, int] = {}
"""Bound folders that may be written to now, by this process."""


def check_write(path: str | os.PathLike[str]) -> None:
    """ConfigError where `path` lies in a folder bound to a tier that nobody has opened for what is to be written."""
    mark = mark_of(path)
    if mark is not None and mark.root not in _open:
        raise ConfigError(
            f"expected a place outside of folders bound to a tier, found one in a folder of the tier {mark.tier.word}. "
            "Only `cohelix release` writes there. Choose another place."
        )


def _local(path: str | os.PathLike[str]) -> Path | None:
    text = os.fspath(path)
    if "://" in text and not text.startswith("file://"):
        return None
    return Path(os.path.realpath(text.removeprefix("file://")))


def _read(mark: Path) -> Mark:
    try:
        if mark.is_symlink():
            raise ValueError
        said = json.loads(mark.read_bytes())
        tier, use = tier_named(said["tier"]), said["use"]
        if use not in ("releases", "workspace"):
            raise ValueError
        of = [str(said.get(name, "")) for name in ("release", "manifest", "dataset")]
        return Mark(mark.parent, tier, use, *of)
    except (OSError, ValueError, KeyError, TypeError, ConfigError):
        raise ConfigError(
            f"the file {MARK} of a folder cannot be read, so that its tier is not known. Restore it."
        ) from None
