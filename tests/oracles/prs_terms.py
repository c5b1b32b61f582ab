"""Plain definitions of terms: one person at a time, alleles as letters, phase by trying every pair of chromosomes."""

from __future__ import annotations

from collections.abc import Sequence

APOE = {("T", "T"): 2, ("T", "C"): 3, ("C", "C"): 4, ("C", "T"): 1}
"""The allele that bases of rs429358 and rs7412 on one chromosome make."""


def copies(genotype: str, effect: str) -> int | None:
    """Copies of `effect` in a genotype as VCF spells it with bases, "A/G" or "A"; None where a base is missing."""
    bases = genotype.split("/")
    return None if "." in bases else bases.count(effect)


def product(weight: float, counts: Sequence[float]) -> float:
    total = weight
    for count in counts:
        total *= count
    return total


def palantir(weight: float, counts: Sequence[int], *, one_site: bool) -> float:
    """Interaction terms of the Broad's imputation pipeline: pairs of copies, not their product."""
    return weight * (counts[0] // 2 if one_site else min(counts))


def apoe_pairs(first: str, second: str) -> list[tuple[int, int]]:
    """Pairs of APOE alleles that unphased genotypes of rs429358 and rs7412 leave open, e1 last."""
    a, b = first.split("/"), second.split("/")
    pairs = {tuple(sorted((APOE[a[0], b[i]], APOE[a[1], b[1 - i]]))) for i in (0, 1)}
    return sorted(((one[0], one[1]) for one in pairs), key=lambda pair: pair.count(1))


def apoe_expected(first: str, second: str, wanted: Sequence[int], share: dict[int, float]) -> float:
    """Copies of an allele (or 1 for a pair), averaged over chromosomes drawn by `share` of e2, e3 and e4 that agree
    with what is called ("./." where it is not).
    """
    total = value = 0.0
    letters = {allele: bases for bases, allele in APOE.items()}
    for one in (2, 3, 4):
        for two in (2, 3, 4):
            called = [sorted([letters[one][i], letters[two][i]]) for i in (0, 1)]
            agrees = all(
                "." in genotype or sorted(genotype.split("/")) == bases
                for genotype, bases in zip((first, second), called, strict=True)
            )
            if agrees:
                chance = share[one] * share[two]
                total += chance
                carried = sorted((one, two))
                value += chance * (carried.count(wanted[0]) if len(wanted) == 1 else carried == sorted(wanted))
    return value / total
