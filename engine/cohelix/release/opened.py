"""Plain contents of encrypted releases, one file at a time, for those who hold the program's keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cohelix.release import container
from cohelix.release.draft import SEALED
from cohelix.release.keys import open_keys
from cohelix.release.manifest import MANIFEST, read
from cohelix.tier import Tier, tier_named


def contents(folder: Path, keys: str) -> Iterator[tuple[str, bytes]]:
    """(name, plain bytes) of each container of every release at or below `folder`. Nothing without `keys`."""
    if not keys:
        return
    opened = open_keys(keys)
    for place in sorted(path.parent for path in folder.rglob(MANIFEST)):
        manifest = read(place, opened.verifying())
        tier = tier_named(manifest.tier)
        if tier is Tier.PUBLIC:
            continue
        key = opened.opening(tier)
        for line in manifest.files:
            name = (place / line.path).relative_to(folder).as_posix().removesuffix(SEALED)
            yield name, container.read_bytes(place / line.path, key, line)
