"""Facts that others published: where the files of `reference/` lie, in a checkout and in an installed package."""

from __future__ import annotations

import csv
from importlib import resources
from pathlib import Path

from cohelix.errors import ContractError

_INSTALLED = "_reference"


def reference_path(*parts: str) -> Path:
    """The file `reference/<parts>`. Raises ContractError where there is none."""
    package = Path(str(resources.files("cohelix")))
    for root in (package / _INSTALLED, package.parents[1] / "reference"):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise ContractError(f"expected reference data at {'/'.join(parts)}, found none. Install cohelix again.")


def read_rows(*parts: str) -> list[dict[str, str]]:
    """Rows of a TSV file of `reference/`, with its first line as names. Lines that begin with `#` are remarks."""
    with reference_path(*parts).open(newline="", encoding="utf-8") as handle:
        lines = (line for line in handle if not line.startswith("#"))
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
