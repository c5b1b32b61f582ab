"""The order of allele names: natural (*2 before *10), combinations such as [*2 + *3] after single alleles.

It decides which of two alleles of a diplotype is written first, and the order of diplotypes of one score.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

JOINER = " + "
"""Between the parts of a combination."""

_FIRST, _LAST = ("Any", "All", "Reference"), ("Other", "Unknown")
_TOKEN = re.compile(r"[0-9]+|[^0-9]+")
_PARTIAL = re.compile(r"g\.[0-9]+.*")


def parts(name: str) -> tuple[str, ...]:
    """What a combination [a + b] is made of; a single allele is its own part."""
    if is_combination(name):
        return tuple(part.strip() for part in name[1:-1].split(JOINER))
    return (name,)


def is_combination(name: str) -> bool:
    """Whether `name` is one of a combination of alleles (or of an allele and what it has besides)."""
    return name.startswith("[") and name.endswith("]") and JOINER in name


def join(names: Iterable[str]) -> str:
    """The name of a combination of `names`; of one, that name. A part that is a combination gives its parts."""
    single = [part for name in names for part in parts(name)]
    return single[0] if len(single) == 1 else "[" + JOINER.join(single) + "]"


def is_partial(name: str) -> bool:
    """Whether `name` is a single alteration, g.94781859G>A, and no named allele."""
    return _PARTIAL.fullmatch(name) is not None


@cache
def key(name: str) -> tuple[Any, ...]:
    """Sort key: single alleles before combinations, fewer parts before more; a number in a name is compared as one."""
    if is_combination(name):
        single = parts(name)
        return (1, len(single), *((is_partial(part), *_single(part)) for part in single))
    return (0, 1, (False, *_single(name)))


def diplotype_key(diplotype: str) -> tuple[Any, ...]:
    """Sort key of "a/b" or of a haploid "a": first name, then second."""
    return tuple(key(name) for name in diplotype.split("/"))


def _single(name: str) -> tuple[Any, ...]:
    place = 0 if name in _FIRST else 2 if name in _LAST else 1
    tokens = tuple((0, int(token), "") if token[0].isdigit() else (1, 0, token) for token in _TOKEN.findall(name))
    return (place, tokens)
