"""Names of alleles in a diplotype: where one ends, how many copies of it there are, what a tandem is made of.

CYP2D6 may be duplicated, "*1x2" ("*1x≥3" where only the least number is known), and stand in tandem with a hybrid,
"*68+*4", all on one chromosome. UGT1A1*80+*28, though, is one allele: a name that is known is never taken apart.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass

AT_LEAST = "≥"

_COPIES = re.compile(r"(?P<base>.+?)\s*[xX×](?P<least>≥|>=)?\s*(?P<number>[0-9]+)(?P<plus>\+)?")


@dataclass(frozen=True)
class Unit:
    """`copies` copies of the allele `base` in a row; at_least: there may be more."""

    base: str
    copies: int = 1
    at_least: bool = False

    @property
    def name(self) -> str:
        """As CPIC writes it: *1, *1x2, *1x≥3."""
        if self.at_least:
            return f"{self.base}x{AT_LEAST}{self.copies}"
        return self.base if self.copies == 1 else f"{self.base}x{self.copies}"


def split(diplotype: str, known: Container[str]) -> tuple[str, ...]:
    """The one or two names of a diplotype, split where both sides are known.

    A name may hold a slash itself: G6PD's Telti/Kobe, as some tables write it.
    """
    if diplotype in known:
        return (diplotype,)
    pieces = diplotype.split("/")
    for cut in range(1, len(pieces)):
        sides = "/".join(pieces[:cut]).strip(), "/".join(pieces[cut:]).strip()
        if sides[0] in known and sides[1] in known:
            return sides
    return tuple(piece.strip() for piece in pieces)


def units(name: str) -> tuple[Unit, ...]:
    """What stands on one chromosome: "*68+*4x2" is one *68 and two *4."""
    return tuple(_unit(part.strip()) for part in re.split(r"\+(?!$)", name) if part.strip())


def _unit(text: str) -> Unit:
    found = _COPIES.fullmatch(text)
    if not found:
        return Unit(text)
    return Unit(found["base"], int(found["number"]), bool(found["least"] or found["plus"]))
