"""Plain definitions of site quality control: one row, one sample, one read at a time."""

from __future__ import annotations

import math
from fractions import Fraction
from math import comb

from tests.oracles.genotypes import copies_of


def stratum_counts(
    genotypes: list[int], fails_adj: list[int] | None, chosen: list[bool], sexes: list[str],
    build: str, contig: str, position: int,
) -> dict[str, int]:  # fmt: skip
    """ac, an, hom, het, hemi over the chosen samples; with `fails_adj`, over calls that pass."""
    found = dict.fromkeys(("ac", "an", "hom", "het", "hemi"), 0)
    for sample, genotype in enumerate(genotypes):
        if not chosen[sample] or genotype == -9 or (fails_adj is not None and fails_adj[sample]):
            continue
        copies = copies_of(build, contig, position, sexes[sample])
        if copies == 0 or (copies == 1 and genotype == 1):
            continue
        found["an"] += copies
        found["ac"] += genotype if copies == 2 else genotype // 2
        found["hom"] += copies == 2 and genotype == 2
        found["het"] += genotype == 1
        found["hemi"] += copies == 1 and genotype == 2
    return found


def poisson_below(ac: int, mean: float) -> float:
    """Probability that a Poisson count of this mean is below `ac`."""
    return sum(math.exp(-mean + k * math.log(mean) - math.lgamma(k + 1)) for k in range(ac))


def fisher_strand(ref_forward: int, ref_reverse: int, alt_forward: int, alt_reverse: int) -> float:
    """FS: -10 log10 of the two-sided Fisher p; a table of more than 400 reads is scaled to 200 and cut to integers."""
    table = [ref_forward, ref_reverse, alt_forward, alt_reverse]
    if sum(table) > 400:
        table = [int(count / (sum(table) / 200.0)) for count in table]
    a, b, c, d = table
    total = comb(a + b + c + d, a + c)
    chances = {
        x: Fraction(comb(a + b, x) * comb(c + d, a + c - x), total) for x in range(max(0, a - d), min(a + b, a + c) + 1)
    }
    p = sum(chance for chance in chances.values() if chance <= chances[a] * (1 + Fraction(1, 10**7)))
    return abs(-10 * math.log10(min(1.0, float(p))))


def strand_odds_ratio(ref_forward: int, ref_reverse: int, alt_forward: int, alt_reverse: int) -> float:
    """SOR as GATK's documentation derives it, with one read added to each count."""
    a, b, c, d = (count + 1 for count in (ref_forward, ref_reverse, alt_forward, alt_reverse))
    symmetric = (a * d) / (b * c) + (b * c) / (a * d)
    return math.log(symmetric) + math.log(min(a, b) / max(a, b)) - math.log(min(c, d) / max(c, d))


def acaf(rows: list[tuple[int, list[tuple[int, float]]]], min_ac: int, min_af: float, documented: bool) -> list[bool]:
    """Which (position, [(ac, af) of each group]) rows lie at a position with an allele that is frequent enough."""
    kept = {
        position
        for position, groups in rows
        for ac, af in groups
        if (ac > min_ac if documented else ac >= min_ac) or af > min_af
    }
    return [position in kept for position, _ in rows]


def path_length(values: list[float], tree: dict[str, list[float]], node: int = 0) -> float:
    """Depth at which a row ends in a tree of lists feature, threshold, left, right, depth."""
    if tree["feature"][node] < 0:
        return tree["depth"][node]
    go_left = values[int(tree["feature"][node])] <= tree["threshold"][node]
    return path_length(values, tree, int(tree["left" if go_left else "right"][node]))
