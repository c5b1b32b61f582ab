"""The program's own record of its releases of all tiers: who has withdrawn, and what each was made from.

The folder is never part of a release. Persons who have withdrawn are in it under ids of the ledger alone, so
that a person who once left is not put into a later release by an old list.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cohelix import storage
from cohelix.dataset import canonical_json
from cohelix.errors import ConfigError, InputError
from cohelix.qc.report.disclosure import shown
from cohelix.release.ids import Ids
from cohelix.release.keys import Keys
from cohelix.release.people import People
from cohelix.tier import Tier, check_write

_WITHDRAWN = "withdrawn.json"


@dataclass(frozen=True)
class Ledger:
    """A folder, and the ids that persons have in it."""

    folder: Path
    ids: Ids

    def withdrawn(self) -> np.ndarray:
        """int64, ascending: persons who have withdrawn, by their ids of the ledger."""
        path = self.folder / _WITHDRAWN
        try:
            return np.array(json.loads(path.read_bytes()) if path.exists() else [], np.int64)
        except ValueError:
            raise InputError(
                "the ledger's list of who has withdrawn is damaged. Restore it before any release."
            ) from None

    def check(self, people: People) -> None:
        """ConfigError where a person of a release withdrew before an earlier one."""
        gone = self.withdrawn()
        if not len(gone):
            return
        back = int(np.isin(self.ids.row("ledger", people.person), gone).sum())
        if back:
            raise ConfigError(
                "persons who were withdrawn or excluded in an earlier release, of any tier, are in the input. "
                "Put them on the list in `exclude`; if they consented anew, remove them from the ledger by hand."
            )

    def record(self, tier: Tier, name: str, gone: np.ndarray, made: dict[str, Any]) -> None:
        """Add a release, and those who are not in it for good."""
        with self._alone():
            whole = np.union1d(self.withdrawn(), self.ids.row("ledger", gone) if len(gone) else gone)
            storage.write(str(self.folder / f"{tier.word}-{name}.json"), canonical_json(made))
            storage.write(str(self.folder / _WITHDRAWN), canonical_json(whole.tolist()))

    def has(self, tier: Tier, name: str, made: dict[str, Any]) -> bool:
        """Whether a release is recorded that was made from this."""
        try:
            recorded = json.loads((self.folder / f"{tier.word}-{name}.json").read_bytes())
        except (OSError, ValueError):
            return False
        return canonical_json({key: recorded.get(key) for key in made}) == canonical_json(made)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """While the block runs, no release of another tier adds to the list: of two, one would be lost."""
        import fcntl

        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def opened(folder: str, keys: Keys) -> Ledger:
    """The ledger of a program. ConfigError where it cannot be kept: then nothing is released."""
    place = Path(folder)
    check_write(place)
    try:
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o700)
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise ConfigError(
            f"the ledger of the program cannot be written ({error.strerror or type(error).__name__}), and nothing is "
            "released without it. Name a folder on a disk as `ledger`, under [program]."
        ) from None
    return Ledger(Path(folder), Ids(keys, Tier.SOURCE))


def told(folder: str, tier: Tier, name: str) -> list[str]:
    """Lines for the screen: persons of a release, how many persons and samples it leaves out, and why; few as ≤20."""
    made = _made(folder, tier, name)
    lines = [f"{name} ({tier.word}): {made['persons']:,} persons"]
    return lines + [f"left out, {why}: {shown(n)}" for why, n in made["excluded"].items() if n]


def warned(folder: str, tier: Tier, name: str) -> list[str]:
    """Warnings for the screen: inputs that lack samples of a release."""
    lacking = _made(folder, tier, name)["lacking"].items()
    return [f"{entry} lacks {shown(n)} samples of the release, who have no row in its tables" for entry, n in lacking]


def _made(folder: str, tier: Tier, name: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((Path(folder) / f"{tier.word}-{name}.json").read_bytes())
    return said
