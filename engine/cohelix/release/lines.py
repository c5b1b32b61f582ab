"""What a manifest says of one file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FileLine:
    """A file of a release as it is stored.

    path: below the release's folder. bytes, sha256 (hex): of the stored file, encrypted or not. rows: of a table, None
    for what is none. table: its name in the data dictionary, "" for what is none. head: SHA-256 (hex) of a container's
    header, so that a part of it can be read and trusted without reading the whole; "" for other files.
    """

    path: str
    bytes: int
    sha256: str
    rows: int | None = None
    table: str = ""
    head: str = ""
