"""The ways in which a release can be other than what was signed."""

from __future__ import annotations

from enum import StrEnum

from cohelix.errors import IntegrityError


class Damage(StrEnum):
    """What is wrong with a release."""

    UNSIGNED = "unsigned"
    """There is no manifest or no signature."""
    SIGNATURE = "signature"
    """The signature is not that of the manifest by the key."""
    FORMAT = "format"
    """The manifest or a container is not of the format, though it may be signed."""
    TIER = "other tier"
    """The manifest is of another tier than the place where it lies."""
    REPLAYED = "replayed"
    """Another release, or an older one, in the place of the one that is expected."""
    MISSING = "missing"
    EXTRA = "extra"
    KIND = "not a file"
    """A link, a device or a folder where a file should be."""
    SIZE = "size"
    DIGEST = "digest"
    SEGMENT = "segment"
    """A segment of a container is changed, or not in its place."""


class Damaged(IntegrityError):
    """A release, or a file of it, that is damaged. kind: how; path: the file in the release, "" for the whole of it."""

    def __init__(self, kind: Damage, message: str, path: str = "") -> None:
        super().__init__(f"{message} [{kind.value}]")
        self.kind = kind
        self.path = path


def damaged(kind: Damage, path: str, what: str) -> Damaged:
    """A damaged file. what: how it is, as in "has another size than the manifest says"."""
    return Damaged(
        kind,
        f"{path or 'a container'} {what}. The release was altered or damaged: take it from its source again.",
        path,
    )
