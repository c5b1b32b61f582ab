"""The release that a new one supersedes: checked, and its aggregates laid out to be compared with."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from cohelix.errors import ConfigError
from cohelix.release import container
from cohelix.release.draft import SEALED
from cohelix.release.keys import Keys
from cohelix.release.manifest import MANIFEST, read
from cohelix.tier import Tier, mark_of

AGGREGATES = "aggregates/"


@dataclass(frozen=True)
class Former:
    """serial: 0 where there is none. manifest: name and sha256 of its manifest. folder: its aggregates, plain."""

    serial: int = 0
    manifest: dict[str, str] | None = None
    folder: Path | None = None


def former_of(root: Path, name: str, keys: Keys, work: Path) -> Former:
    """The release `name` of a root. ConfigError where it is not there or not the newest, IntegrityError where damaged.

    A first release of a root has none; a later one must name the newest, lest two releases be compared with none.
    """
    names = sorted(path.name for path in root.iterdir() if (path / MANIFEST).is_file())
    if not name:
        if names:
            raise ConfigError(
                "this tier has releases already. Name the newest with --supersedes, so that what can be worked out "
                "from both is checked."
            )
        return Former()
    if name not in names:
        raise ConfigError("expected --supersedes to name a release of this tier, found none of that name.")
    serials = {one: read(root / one, keys.verifying()).serial for one in names}
    if serials[name] != max(serials.values()):
        raise ConfigError("expected --supersedes to name the newest release of this tier, found an older one.")
    manifest = read(root / name, keys.verifying())
    folder = work / "former"
    shutil.rmtree(folder, ignore_errors=True)
    mark = mark_of(root)
    assert mark is not None
    for line in manifest.files:
        if line.path.startswith(AGGREGATES):
            plain = folder / line.path.removesuffix(SEALED)
            plain.parent.mkdir(parents=True, exist_ok=True)
            if mark.tier is Tier.PUBLIC:
                container.copied(root / name / line.path, plain, line)
            else:
                container.unseal(root / name / line.path, plain, keys.opening(mark.tier), line)
    digest = hashlib.sha256((root / name / MANIFEST).read_bytes()).hexdigest()
    return Former(manifest.serial, {"name": name, "sha256": digest}, folder)
