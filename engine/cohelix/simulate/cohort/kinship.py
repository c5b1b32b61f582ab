"""What two people share by descent, from their founder haplotypes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cohelix.simulate.inheritance import AUTOSOMES, Pieces

RELATIONSHIPS = {
    frozenset(("mother", "child")): ("parent-child", 0.25),
    frozenset(("father", "child")): ("parent-child", 0.25),
    frozenset(("sib",)): ("full sibs", 0.25),
    frozenset(("half sib",)): ("half sibs", 0.125),
    frozenset(("cousin",)): ("first cousins", 0.0625),
    frozenset(("twin",)): ("monozygotic twins", 0.5),
    frozenset(("single", "duplicate")): ("duplicate", 0.5),
}
"""Name and expected kinship, by the roles of two people of one family."""


@dataclass(frozen=True)
class Shared:
    """Kinship, and the shares of the sequence where two people share 0, 1 or 2 haplotypes by descent."""

    kinship: float
    ibd0: float
    ibd1: float
    ibd2: float


def shared(one: tuple[Pieces, Pieces], other: tuple[Pieces, Pieces], within: np.ndarray | None = None) -> Shared:
    """Over the autosomes, or over the stretches `within` (m, 2) of their axis."""
    copies = [*one, *other]
    edges = [np.array([0, AUTOSOMES.length]), *(copy.start for copy in copies)]
    if within is not None:
        edges.append(within.ravel())
    cuts = np.unique(np.concatenate(edges))
    weight = np.diff(cuts).astype(np.float64)
    cuts = cuts[:-1]
    if within is not None:
        place = np.searchsorted(within[:, 0], cuts, side="right") - 1
        weight = np.where((place >= 0) & (cuts < within[np.maximum(place, 0), 1]), weight, 0.0)
    a, b, c, d = (copy.founder[np.searchsorted(copy.start, cuts, side="right") - 1] for copy in copies)
    equal = (a == c).astype(int) + (a == d) + (b == c) + (b == d)
    both = ((a == c) & (b == d)) | ((a == d) & (b == c))
    total = weight.sum()
    ibd2 = float((weight * both).sum() / total)
    ibd0 = float((weight * (equal == 0)).sum() / total)
    return Shared(float((weight * equal).sum() / total / 4), ibd0, 1 - ibd0 - ibd2, ibd2)
