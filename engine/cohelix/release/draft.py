"""A release while it is made: sealed file by file, and published by one rename.

`<root>/_staging/<name>/` takes the files; the root is bound to a tier (`cohelix.tier`) and takes data of that tier or
of lower ones, which mypy checks by the labels' types and `put` checks again. Above Public a file is stored as a
Crypt4GH container. Whatever stops the work, nothing is at `<root>/<name>` until the manifest is signed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Generic

from cohelix import storage
from cohelix.dataset import canonical_json
from cohelix.errors import ConfigError, ContractError
from cohelix.release import container
from cohelix.release.keys import Keys
from cohelix.release.labels import L, Labelled
from cohelix.release.lines import FileLine
from cohelix.release.schema import MadeFile
from cohelix.tier import Mark, Tier, bind, opened

STAGING = "_staging"
SEALED = ".c4gh"
"""Ending of a file that is stored as a container."""
LONGEST_NAME = 100
"""Characters of a release's name: folders of that name, with more behind it, are on every file system."""


@dataclass(frozen=True)
class Root(Generic[L]):
    """The folder of all releases of a tier."""

    mark: Mark
    label: type[L]

    @property
    def path(self) -> Path:
        return self.mark.root


def open_root(path: str, label: type[L]) -> Root[L]:
    """Bind a folder to the tier of `label`, or find it bound so. ConfigError where it belongs to another tier."""
    return Root(bind(path, label.tier, "releases"), label)


@dataclass(frozen=True)
class Draft(Generic[L]):
    """A release that is not published. done: the folder outside of the root where finished parts are recorded."""

    root: Root[L]
    name: str
    keys: Keys
    done: Path

    @property
    def folder(self) -> Path:
        return self.root.path / STAGING / self.name

    def begin(self, fingerprint: str) -> None:
        """Go on with what an earlier run of the same work left; what other work left, of any name, is removed."""
        said = self.done / "work"
        if not (said.is_file() and said.read_text() == fingerprint and self.folder.is_dir()):
            shutil.rmtree(self.done, ignore_errors=True)
            shutil.rmtree(self.folder.parent, ignore_errors=True)
            self.done.mkdir(parents=True)
            self.folder.parent.mkdir(mode=0o700)  # of the public tier as well, until it is published
            self.folder.mkdir(mode=_folder_mode(self.root.mark.tier))
            storage.write(str(said), fingerprint.encode())

    def recall(self, part: str) -> list[FileLine] | None:
        """Lines of a part that is finished, None where it is not."""
        record = self.done / f"{part}.json"
        if not record.is_file():
            return None
        return [FileLine(**line) for line in json.loads(record.read_bytes())]

    def put(self, part: str, data: Labelled[Sequence[MadeFile], L]) -> list[FileLine]:
        """Take the files of a part, and record it as finished.

        ConfigError where the data's label is above the root's tier: mypy refuses such a call before.
        """
        lines = []
        with opened(self.root.mark, data.tier):
            for made in data.value:
                lines.append(self._take(made))
        storage.write(str(self.done / f"{part}.json"), canonical_json([asdict(line) for line in lines]))
        return lines

    def _take(self, made: MadeFile) -> FileLine:
        name, tier = checked_name(made.name), self.root.mark.tier
        stored = name if tier is Tier.PUBLIC else name + SEALED
        target = self.folder / stored
        target.parent.mkdir(parents=True, exist_ok=True, mode=_folder_mode(tier))
        passing = target.with_name(f".{target.name}.part")
        if tier is Tier.PUBLIC:
            size, digest = _copied(made.path, passing)
        else:
            context = f"{tier.word}|{self.name}|{name}"
            size, digest = container.seal(
                made.path, passing, self.keys.sealing(tier), self.keys.secret(f"container|{tier.word}"), context
            )
        passing.chmod(0o644 if tier is Tier.PUBLIC else 0o600)
        with passing.open("rb") as handle:
            os.fsync(handle.fileno())
        os.replace(passing, target)
        return FileLine(stored, size, digest, made.rows, made.table)

    def abandon(self) -> None:
        """Remove what is staged: it cannot become a release."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def publish(self) -> Path:
        """Give the staged folder its name: the one step that readers see. ConfigError where the name is taken."""
        target = self.root.path / self.name
        if target.exists():
            raise ConfigError(f"release {self.name} exists already, and releases never change. Choose another name.")
        for folder, _, _ in os.walk(self.folder):
            os.chmod(folder, _folder_mode(self.root.mark.tier))
            storage.sync_folder(Path(folder))
        os.rename(self.folder, target)
        storage.sync_folder(self.root.path)
        return target


def checked_name(name: str) -> str:
    """A path within a release, of the few characters that every file system and archive takes as they are."""
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/")
    parts = name.split("/")
    if set(name) <= allowed and all(part not in ("", ".", "..") and not part.startswith("-") for part in parts):
        return name
    raise ContractError("a file of a release has a name that is not allowed in releases.")


def check_release_name(name: str) -> None:
    """ConfigError for a name that no release may have: its folder lies beside what is not a release."""
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    if not (name[:1].isalnum() and set(name) <= allowed and len(name) <= LONGEST_NAME):
        raise ConfigError(
            f"expected 1 to {LONGEST_NAME} letters, digits, dots, dashes and underscores as the release's name, the "
            "first a letter or a digit, found others. Choose a name as C2026Q4R1."
        )


def _folder_mode(tier: Tier) -> int:
    return 0o755 if tier is Tier.PUBLIC else 0o700


def _copied(source: Path, target: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as read, target.open("wb") as write:
        while data := read.read(1 << 20):
            digest.update(data)
            size += len(data)
            write.write(data)
    return size, digest.hexdigest()
