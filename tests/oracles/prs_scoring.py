"""Plain definitions for scoring: one genotype and one weight at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

ALT, REF, HOM_REF, HET, HOM_ALT = range(5)


@dataclass(frozen=True)
class Entry:
    site: int
    score: int
    form: int
    weight: float
    same_row: bool = False


def copies_of(region: str, sex: str) -> int:
    """Copies that a person has; a woman, and whoever is not known to be a man, has two X and no Y."""
    if region == "X":
        return 1 if sex == "male" else 2
    if region == "Y":
        return 1 if sex == "male" else 0
    return 1 if region == "MT" else 2


def called(genotype: int, region: str, sex: str) -> int | None:
    """Copies of ALT, None where they are not known. genotype: 0, 1, 2 or -9; a haploid ALT is 2."""
    if genotype == -9 or (region == "X" and sex == "unknown"):
        return None
    if copies_of(region, sex) == 1:
        return {0: 0, 1: None, 2: 1}[int(genotype)]
    return int(genotype)


def frequency(genotypes: Sequence[int], region: str, sexes: Sequence[str], members: Sequence[int]) -> float | None:
    """Of ALT among the members, None where none of them is called."""
    known = [(called(genotypes[s], region, sexes[s]), copies_of(region, sexes[s])) for s in members]
    counted = [(alt, copies) for alt, copies in known if copies and alt is not None]
    alleles = sum(copies for _, copies in counted)
    return sum(alt for alt, _ in counted) / alleles if alleles else None


def value(form: int, alt: int, copies: int) -> float:
    return {
        ALT: alt,
        REF: copies - alt,
        HOM_REF: float(alt == 0),
        HET: float(copies == 2 and alt == 1),
        HOM_ALT: float(alt == copies),
    }[form]


def expected(form: int, p: float, copies: int) -> float:
    """The mean of `value` over genotypes drawn with the frequency p of ALT."""
    chances = [1 - p, p] if copies == 1 else [(1 - p) ** 2, 2 * p * (1 - p), p**2]
    return sum(chance * value(form, alt, copies) for alt, chance in enumerate(chances))


def scores(
    genotypes: np.ndarray, regions: Sequence[str], sexes: Sequence[str], entries: Sequence[Entry], n_scores: int, *,
    missing: str, reference: Sequence[float | None] = (), groups: Sequence[str] = (),
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """sums float64 (scores, samples), and n_alleles, n_imputed, n_hom_ref int64 (3, scores, samples)."""
    n_samples = genotypes.shape[1]
    everybody = range(n_samples)
    products: list[list[list[float]]] = [[[] for _ in everybody] for _ in range(n_scores)]
    counts = np.zeros((3, n_scores, n_samples), np.int64)
    whole = [frequency(genotypes[j], regions[j], sexes, everybody) for j in range(len(regions))]
    for entry in entries:
        region = regions[entry.site]
        for s in everybody:
            copies = copies_of(region, sexes[s])
            if copies == 0:
                continue
            alt = called(int(genotypes[entry.site, s]), region, sexes[s])
            if not entry.same_row:
                counts[0, entry.score, s] += 0 if alt is None and missing == "drop" else copies
                counts[1, entry.score, s] += alt is None
                counts[2, entry.score, s] += alt == 0
            if alt is not None:
                what = value(entry.form, alt, copies)
            elif missing == "drop":
                continue
            else:
                p = reference[entry.site] if missing == "reference-af" else whole[entry.site]
                if missing == "ancestry-af" and groups[s]:
                    members = [t for t in everybody if groups[t] == groups[s]]
                    own = frequency(genotypes[entry.site], region, sexes, members)
                    p = p if own is None else own
                what = expected(entry.form, 0.5 if p is None else p, copies)  # 0.5: nobody is called
            products[entry.score][s].append(entry.weight * what)
    return np.array([[math.fsum(one) for one in row] for row in products]), counts


def unpack(rows: Sequence[Sequence[int]], values: Sequence[Sequence[float]]) -> list[list[float]]:
    """Values of genotypes 0 to 3, plane by plane; values: of 0 to 3 for each plane."""
    return [[table[g] for g in row] for row, table in zip(rows, values, strict=True)]


def fused_sum(weights: Sequence[float], values: Sequence[float], start: float) -> float:
    """start + w1 x1 + w2 x2 ..., rounded once after each."""
    total = start
    for weight, one in zip(weights, values, strict=True):
        total = float(Fraction(weight) * Fraction(one) + Fraction(total))
    return total
