"""`cohelix release withdraw`: a new release of a tier without persons who have left."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from cohelix.errors import ConfigError
from cohelix.jobs.releases.build import Request, build
from cohelix.jobs.releases.order import read_order
from cohelix.release.keys import Keys
from cohelix.release.manifest import read
from cohelix.release.matrix.formats import FOLDERS
from cohelix.release.schema import ReleaseParams
from cohelix.tier import Mark, mark_of

CALLSET = "callset"
"""The folder that every released callset is in, beside those of its formats."""


def withdraw(
    release: str,
    inputs: str,
    withdrawn: str,
    name: str,
    keys: Keys,
    params: ReleaseParams,
    *,
    as_of: str | None = None,
    issued: str = "",
) -> Path:
    """Build the successor of the newest release of a tier, without the persons listed; returns its folder.

    It has the bytes of a release that is built from inputs which exclude them: nothing is taken over from the former
    one but published counts that must not change (`ReleaseParams.differencing`).
    """
    mark = _mark(release)
    order = read_order(inputs)
    listed = dataclasses.replace(order.inputs, exclude=(*order.inputs.exclude, withdrawn))
    request = Request(mark.tier, str(mark.root), name, Path(release).resolve().name, as_of, issued)
    return build(dataclasses.replace(order, inputs=listed), request, keys, params)


def changed_settings(release: str, keys: Keys, params: ReleaseParams) -> list[str]:
    """Settings of a new release that are not those of `release`, as its manifest and its files tell them."""
    _mark(release)
    manifest = read(Path(release), keys.verifying())
    changed = [name for name, value in manifest.params.items() if getattr(params, name, value) != value]
    folders = {part for line in manifest.files for part in Path(line.path).parts}
    if CALLSET in folders and {one for one, folder in FOLDERS.items() if folder in folders} != set(params.formats):
        changed.append("formats")
    return [f"release.{name}" for name in sorted(changed)]


def _mark(release: str) -> Mark:
    folder = Path(release)
    mark = mark_of(folder)
    if mark is None or mark.use != "releases" or folder.resolve().parent != mark.root:
        raise ConfigError("expected the folder of a release in a tier's root, found another. Name the newest release.")
    return mark
