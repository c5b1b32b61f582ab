"""One column of a table about samples: tab-separated, with sample_id; further columns are left alone.

Messages name lines, never samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from cohelix import storage
from cohelix.errors import InputError


def read_column(
    path: str, column: str, what: str, accept: Callable[[str], str | None], wanted: str
) -> tuple[dict[str, str], str]:
    """`column` by sample id, and the sha256 of the file. Raises InputError with the line at fault.

    what: of the table, as in "sexes"; also the option that gives it. accept: the value of a field, None where it is
    none; `wanted` says in a message what would be.
    """
    try:
        raw = storage.read(path)
        lines = raw.decode("utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError(f"expected a table of {what}, found none at that path. Correct --{what}.") from None
    except UnicodeDecodeError:
        raise InputError(f"expected the table of {what} in UTF-8, found other bytes. Save it as UTF-8 text.") from None
    header = lines[0].split("\t") if lines else []
    if header.count("sample_id") != 1 or header.count(column) != 1:
        raise InputError(
            f"line 1 of the {what}: expected the tab-separated columns sample_id and {column}, found others. "
            "Correct it."
        )
    sample_at, value_at = header.index("sample_id"), header.index(column)
    found: dict[str, str] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        fields = line.split("\t")
        if len(fields) != len(header):
            raise InputError(f"line {number} of the {what}: expected {len(header)} fields, found {len(fields)}.")
        if fields[sample_at] in found:
            raise InputError(f"line {number} of the {what}: its sample_id was there before. Keep one of the lines.")
        value = accept(fields[value_at])
        if value is None:
            raise InputError(f"line {number} of the {what}: expected {wanted}, found something else. Correct it.")
        found[fields[sample_at]] = value
    return found, hashlib.sha256(raw).hexdigest()
