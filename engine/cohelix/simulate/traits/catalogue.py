"""The traits that can be made, from `reference/simulate/traits`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache

from cohelix.errors import ConfigError
from cohelix.reference import read_rows

KINDS = ("quantitative", "binary")


@dataclass(frozen=True)
class Trait:
    """kind: one of KINDS. reported, mapped, ontology: as the PGS Catalog has them."""

    name: str
    kind: str
    reported: str
    mapped: str
    ontology: str


@cache
def traits() -> dict[str, Trait]:
    """All traits by name."""
    return {row["name"]: Trait(**row) for row in read_rows("simulate", "traits", "1", "traits.tsv")}


def find(name: str, kind: str) -> Trait:
    """The trait `name`. Raises ConfigError where it is not known, or not of `kind`."""
    known = traits()
    if name in known and known[name].kind == kind:
        return known[name]
    if name in known:
        raise ConfigError(f"expected a {kind} trait, found {name}, which is {known[name].kind}. Name it there.")
    names = [trait.name for trait in known.values() if trait.kind == kind]
    near = difflib.get_close_matches(name, names, n=2) or sorted(names)
    raise ConfigError(f"{kind} = {name!r} is not a known trait. Choose {' or '.join(near)}.")


def check_names(quantitative: list[str], binary: list[str]) -> None:
    """Raises ConfigError unless all are known, of their kind, and named once."""
    for kind, names in zip(KINDS, (quantitative, binary), strict=True):
        for name in names:
            find(name, kind)
    if len(set(quantitative + binary)) < len(quantitative) + len(binary):
        raise ConfigError("expected each trait to be named once, found one twice. Take it out.")
