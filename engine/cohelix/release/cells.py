"""Texts of others as cells of a TSV, which somebody may open in a spreadsheet."""

from __future__ import annotations

from contextlib import suppress

_RUN = ("=", "+", "-", "@")
"""What a text begins with that a spreadsheet takes for a formula."""


def harmless(text: str) -> str:
    """Of one line and printable; an apostrophe stands before what a spreadsheet would run. Numbers stay as they are."""
    plain = text if text.isprintable() else "".join(one if one.isprintable() else " " for one in text)
    if not plain.lstrip().startswith(_RUN):
        return plain
    with suppress(ValueError):
        float(plain)
        return plain
    return f"'{plain}"
