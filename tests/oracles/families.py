"""Kinship by a pedigree, as it is defined: over every way in which alleles can be handed down."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product


def kinship(parents: Sequence[tuple[int, int]], same: Sequence[int]) -> list[list[float]]:
    """The chance that an allele of one and an allele of the other are the same founder's, for every two people.

    parents: (father, mother), -1 unknown; parents come before children. same: the person whose genome this one has.
    """
    n, drops = len(parents), 0
    total = [[0.0] * n for _ in range(n)]
    handed = [(person, side) for person in range(n) for side in (0, 1) if parents[person][side] >= 0]
    handed = [(person, side) for person, side in handed if same[person] == person]
    for choice in product((0, 1), repeat=len(handed)):
        taken = dict(zip(handed, choice, strict=True))
        alleles: list[list[object]] = []
        for person in range(n):
            if same[person] != person:
                alleles.append(alleles[same[person]])
                continue
            own: list[object] = []
            for side in (0, 1):
                parent = parents[person][side]
                own.append((person, side) if parent < 0 else alleles[parent][taken[person, side]])
            alleles.append(own)
        drops += 1
        for i in range(n):
            for j in range(n):
                total[i][j] += sum(a == b for a in alleles[i] for b in alleles[j]) / 4
    # an allele of oneself is drawn twice: the same one half of the time, which the sum above has in it
    return [[value / drops for value in row] for row in total]
