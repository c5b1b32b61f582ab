"""Digests of what a release is made from: a stopped build goes on only from the same inputs."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

from cohelix import dataset
from cohelix.dataset import digest_of
from cohelix.omop.source import Cdm
from cohelix.release.schema import Inputs


def digests_of(inputs: Inputs, cdm: Cdm) -> dict[str, str]:
    """sha256 (hex) of each input: a data set by its newest commit, a folder by its files, health records by theirs."""
    found = {"omop": cdm.digest()}
    for field in dataclasses.fields(Inputs):
        value = getattr(inputs, field.name)
        if field.name != "omop" and value:
            paths = value if isinstance(value, tuple) else (value,)
            found[field.name] = digest_of([_digest(Path(path)) for path in paths])
    return found


def _digest(path: Path) -> str:
    if path.is_dir():
        commit = dataset.find(str(path))
        if commit is not None:
            return digest_of([(entry.path, entry.sha256) for entry in commit.files] + [commit.kind])
        files = sorted(one for one in path.rglob("*") if one.is_file())
        return digest_of([(one.relative_to(path).as_posix(), _file(one)) for one in files])
    return _file(path)


def _file(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
