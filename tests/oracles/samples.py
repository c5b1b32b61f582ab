"""Plain definitions of sample quality control: one genotype at a time, sums of Python numbers."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.oracles.genotypes import copies_of

TRANSITIONS = {("A", "G"), ("G", "A"), ("C", "T"), ("T", "C")}


def region(build: str, contig: str, position: int) -> str:
    """The part of the genome that is counted apart, by copies of a man and a woman."""
    name = contig.removeprefix("chr")
    man, woman = (copies_of(build, contig, position, sex) for sex in ("male", "female"))
    if name == "X":
        return "x" if man == 1 else "x_par"
    if name == "Y":
        return "y" if man == 1 else "other"
    if name in ("M", "MT"):
        return "mt"
    assert man == woman == 2
    return "chr20" if name == "20" else "autosome" if name in map(str, range(1, 23)) else "other"


def change(ref: str, alt: str) -> str:
    if len(ref) == len(alt) == 1:
        return "transition" if (ref, alt) in TRANSITIONS else "transversion"
    if len(ref) == 1 and alt[0] == ref:
        return "insertion"
    if len(alt) == 1 and ref[0] == alt:
        return "deletion"
    return "other"


def count(
    build: str, sites: Sequence[dict[str, Any]], genotypes: Sequence[Sequence[int]], sexes: Sequence[str],
    conflicts: set[tuple[int, int]],
) -> tuple[list[dict[str, int]], list[dict[str, dict[str, float]]]]:  # fmt: skip
    """Counts of each sample, and of each sample by region. conflicts: (row, sample) of masked hets."""
    samples = [defaultdict(int) for _ in sexes]
    regions = [defaultdict(lambda: defaultdict(float)) for _ in sexes]
    for row, (site, calls) in enumerate(zip(sites, genotypes, strict=True)):
        where = region(build, site["contig"], site["position"])
        what = change(site["ref"], site["alt"])
        ac, an = site["ac"], site["an"]
        for sample, (call, sex) in enumerate(zip(calls, sexes, strict=True)):
            own, here = samples[sample], regions[sample][where]
            masked = (row, sample) in conflicts
            here["n_sites"] += 1
            here["n_ploidy_conflict"] += masked
            if 0 < ac < an and (masked or call >= 0):
                q = ac / an
                here["n_f_called"] += 1
                here["n_f_hom"] += call in (0, 2)
                here["f_expected_nano"] += 1 - 2 * q * (1 - q)
                here["f_expected_small_nano"] += 1 - 2 * q * (1 - q) * an / (an - 1)
            if call < 0:
                continue
            haploid = copies_of(build, site["contig"], site["position"], sex) == 1
            kind = {0: "ref", 1: "het", 2: "alt"}[call]
            name = "n_het" if kind == "het" else f"n_{'haploid' if haploid else 'hom'}_{kind}"
            here["n_called"] += 1
            here[name] += 1
            if call == 0:
                continue
            snp = what in ("transition", "transversion")
            own["n_non_ref"] += 1
            own["n_snp"] += snp
            own[f"n_{what}"] += 1
            own["n_singleton"] += ac == 1
            own[f"n_singleton_{what}"] += ac == 1
            group = "snp" if snp else "indel" if what in ("insertion", "deletion") else "neither"
            own[f"n_het_{group}"] += call == 1
            own[f"n_hom_alt_{group}"] += call == 2 and not haploid
            own[f"n_hom_alt_{what}"] += call == 2 and not haploid
    return [dict(one) for one in samples], [{k: dict(v) for k, v in one.items()} for one in regions]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def mad(values: Sequence[float]) -> float:
    """1.4826 times the median distance from the median."""
    middle = median(values)
    return 1.4826 * median([abs(value - middle) for value in values])


def residuals(values: Sequence[float], rows: Sequence[Sequence[float]]) -> list[float]:
    """Residuals of least squares on `rows` of variables, by the normal equations and elimination, in fractions."""
    from fractions import Fraction

    exact = [[Fraction(one) for one in row] for row in rows]
    y = [Fraction(value) for value in values]
    width = len(exact[0])
    system = [
        [sum(row[i] * row[j] for row in exact) for j in range(width)]
        + [sum(row[i] * value for row, value in zip(exact, y, strict=True))]
        for i in range(width)
    ]
    for i in range(width):
        pivot = next(k for k in range(i, width) if system[k][i] != 0)
        system[i], system[pivot] = system[pivot], system[i]
        system[i] = [value / system[i][i] for value in system[i]]
        for k in range(width):
            if k != i:
                system[k] = [a - system[k][i] * b for a, b in zip(system[k], system[i], strict=True)]
    beta = [row[-1] for row in system]
    return [
        float(value - sum(b * x for b, x in zip(beta, row, strict=True))) for value, row in zip(y, exact, strict=True)
    ]


def log_likelihood(alpha: float, ref: np.ndarray, alt: np.ndarray, frequency: np.ndarray) -> float:
    """Of reads of either allele at sites where a sample is homozygous for `alt`, a share `alpha` from another person.

    frequency: of `ref`. One read in a thousand is wrong.
    """
    p = alpha * frequency * 0.999 + (1 - alpha * frequency) * 0.001
    return float((ref * np.log(p) + alt * np.log(1 - p)).sum())
