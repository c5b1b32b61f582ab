"""Loops of variant quality control: exact tests of Hardy-Weinberg equilibrium and strand bias, trees of a forest.

Weights of the tests are products of ratios of neighbours, relative to the mode: no factorials, so that nothing is lost
to cancellation, and a far tail keeps its relative precision. Very small weights carry a power of two beside them.
"""

from __future__ import annotations

import math

import numpy as np

from cohelix.kernel import kernel

TIE = 1e-11
"""Weights that differ by less, relatively, are of equally probable outcomes."""

_NEGLIGIBLE = 1e-18
_TINY = 2.0**-600
_HUGE = 2.0**600


@kernel
def mode_of(n_rare: int, n_common: int) -> int:
    """The most probable number of hets among (n_rare + n_common) / 2 people; of two equal ones the larger."""
    parity = n_rare & 1
    hets = int((n_rare + 1.0) * (n_common + 1.0) / (n_rare + n_common + 3.0))
    hets = min(max(hets - ((hets ^ parity) & 1), parity), n_rare)
    while hets + 2 <= n_rare and (n_rare - hets) * (n_common - hets) >= (hets + 2) * (hets + 1):
        hets += 2
    while hets >= 2 and hets * (hets - 1) > (n_rare - hets + 2) * (n_common - hets + 2):
        hets -= 2
    return hets


@kernel
def tail_of(hets: float, n_rare: float, n_common: float, upwards: bool, largest: float) -> float:
    """Sum of the weights beyond `hets`, relative to that of `hets`, until they no longer count beside `largest`."""
    weight, total = 1.0, 0.0
    while weight > _NEGLIGIBLE * (total + largest):
        if upwards:
            weight *= (n_rare - hets) * (n_common - hets) / ((hets + 2.0) * (hets + 1.0))
            hets += 2.0
        else:
            weight *= hets * (hets - 1.0) / ((n_rare - hets + 2.0) * (n_common - hets + 2.0))
            hets -= 2.0
        total += weight
    return total


@kernel
def levene_haldane(n_one: int, n_het: int, n_other: int, out: np.ndarray) -> None:
    """Natural logarithms of three p-values of `n_het` hets, given the allele counts, into out (3,); NaN of nobody.

    Two-sided exact; two-sided mid-p (outcomes as probable as the observed one count half); one-sided mid-p for an
    excess of hets.
    """
    n_rare = 2 * min(n_one, n_other) + n_het
    n_common = 2 * max(n_one, n_other) + n_het
    if n_common == 0:
        out[:] = np.nan
        return
    mode = mode_of(n_rare, n_common)
    rare, common, hets = float(n_rare), float(n_common), float(mode)
    total = 1.0 + tail_of(hets, rare, common, True, 1.0) + tail_of(hets, rare, common, False, 1.0)

    weight, power = 1.0, 0  # of the observed outcome, relative to the mode: weight * 2 ** -(600 * power)
    while hets < n_het:
        weight *= (rare - hets) * (common - hets) / ((hets + 2.0) * (hets + 1.0))
        hets += 2.0
        if weight < _TINY:
            weight, power = weight * _HUGE, power + 1
    while hets > n_het:
        weight *= hets * (hets - 1.0) / ((rare - hets + 2.0) * (common - hets + 2.0))
        hets -= 2.0
        if weight < _TINY:
            weight, power = weight * _HUGE, power + 1

    upwards = n_het >= mode
    outer = tail_of(float(n_het), rare, common, upwards, 1.0)
    # The other side, from the mode outwards: weights relative to the observed outcome, times 2 ** (600 * power).
    relative, behind, hets = 1.0 / weight, power, float(mode)
    tied, other, first = 0.0, 0.0, n_het == mode
    while True:
        if not first and behind == 0 and relative <= 1.0 + TIE:
            if relative >= 1.0 - TIE:
                tied += 1.0
            else:
                other = relative * (1.0 + tail_of(hets, rare, common, not upwards, 1.0 / relative))
                break
        first = False
        if upwards:
            relative *= hets * (hets - 1.0) / ((rare - hets + 2.0) * (common - hets + 2.0))
            hets -= 2.0
        else:
            relative *= (rare - hets) * (common - hets) / ((hets + 2.0) * (hets + 1.0))
            hets += 2.0
        if relative == 0.0:
            break
        if behind > 0 and relative < 2.0 * _TINY:
            relative, behind = relative * _HUGE, behind - 1

    observed = math.log(weight) - power * math.log(_HUGE) - math.log(total)
    out[0] = min(0.0, observed + math.log(1.0 + outer + tied + other))
    out[1] = min(0.0, observed + math.log(0.5 + outer + 0.5 * tied + other))
    one_side = observed + math.log(0.5 + outer)
    out[2] = one_side if upwards else math.log1p(-math.exp(one_side))


@kernel
def hardy_weinberg(counts: np.ndarray, out: np.ndarray) -> None:
    """`levene_haldane` of each row of counts int64 (rows, 3: one homozygote, het, other homozygote) into (rows, 3)."""
    for row in range(counts.shape[0]):
        if row and (counts[row] == counts[row - 1]).all():
            out[row] = out[row - 1]
        else:
            levene_haldane(counts[row, 0], counts[row, 1], counts[row, 2], out[row])


@kernel
def next_row(cell: np.ndarray, up: bool) -> None:
    """Move a cell, in place, to the next number of men with allele A, and there to the most probable women.

    cell: men with A, men with B, women AA, AB, BB, and the weight of all that relative to where it began.
    """
    more, less, gained, lost = (0, 1, 4, 2) if up else (1, 0, 2, 4)  # women give one allele and get the other
    cell[5] *= cell[less] / (cell[more] + 1.0)
    cell[more] += 1.0
    cell[less] -= 1.0
    if cell[3] > 0.0:
        cell[5] *= cell[3] / (2.0 * (cell[gained] + 1.0))
        cell[gained] += 1.0
        cell[3] -= 1.0
    else:
        cell[5] *= 2.0 * cell[lost] / (cell[3] + 1.0)
        cell[lost] -= 1.0
        cell[3] += 1.0
    while 4.0 * cell[2] * cell[4] >= (cell[3] + 2.0) * (cell[3] + 1.0) and cell[2] * cell[4] > 0.0:
        cell[5] *= 4.0 * cell[2] * cell[4] / ((cell[3] + 2.0) * (cell[3] + 1.0))
        cell[2], cell[3], cell[4] = cell[2] - 1.0, cell[3] + 2.0, cell[4] - 1.0
    while cell[3] * (cell[3] - 1.0) > 4.0 * (cell[2] + 1.0) * (cell[4] + 1.0):
        cell[5] *= cell[3] * (cell[3] - 1.0) / (4.0 * (cell[2] + 1.0) * (cell[4] + 1.0))
        cell[2], cell[3], cell[4] = cell[2] + 1.0, cell[3] - 2.0, cell[4] + 1.0


@kernel
def add_row(cell: np.ndarray, observed: float, sums: np.ndarray) -> None:
    """Add the outcomes with as many men of allele A as `cell` to sums (all; less probable; as probable as observed)."""
    for direction in range(2):
        weight, one, hets, other = cell[5], cell[2], cell[3], cell[4]
        while weight > _NEGLIGIBLE * observed:
            if direction == 0 or hets != cell[3]:
                sums[0] += weight
                if weight < observed * (1.0 - TIE):
                    sums[1] += weight
                elif weight <= observed * (1.0 + TIE):
                    sums[2] += weight
            if direction == 0:
                weight *= 4.0 * one * other / ((hets + 2.0) * (hets + 1.0))
                one, hets, other = one - 1.0, hets + 2.0, other - 1.0
            else:
                weight *= hets * (hets - 1.0) / (4.0 * (one + 1.0) * (other + 1.0))
                one, hets, other = one + 1.0, hets - 2.0, other + 1.0


@kernel
def x_linked(women_one: int, women_het: int, women_other: int, men_one: int, men_other: int, out: np.ndarray) -> None:
    """Natural logarithms of the two-sided exact p and mid-p with men's alleles into out (2,); NaN of nobody.

    Outcomes are all numbers of men with each allele and of het women, given both allele counts and both sexes' numbers
    (Graffelman & Weir 2016). A p below 1e-280 is written as minus infinity.
    """
    women, men = women_one + women_het + women_other, men_one + men_other
    if women + men == 0:
        out[:] = np.nan
        return
    ones = 2 * women_one + women_het + men_one
    start = np.empty(6)
    likely = int((men + 1.0) * (ones + 1.0) / (2.0 * women + men + 2.0))
    likely = min(max(likely, ones - 2 * women, 0), men, ones)
    left, others = ones - likely, 2 * women - ones + likely
    hets = mode_of(min(left, others), max(left, others))
    start[0], start[1], start[5] = likely, men - likely, 1.0
    start[2], start[3], start[4] = (left - hets) // 2, hets, (others - hets) // 2

    cell = start.copy()
    while cell[0] != men_one and cell[5] > 1e-280:
        next_row(cell, cell[0] < men_one)
    if cell[0] == men_one:
        while cell[3] < women_het and cell[5] > 1e-280:
            cell[5] *= 4.0 * cell[2] * cell[4] / ((cell[3] + 2.0) * (cell[3] + 1.0))
            cell[2], cell[3], cell[4] = cell[2] - 1.0, cell[3] + 2.0, cell[4] - 1.0
        while cell[3] > women_het and cell[5] > 1e-280:
            cell[5] *= cell[3] * (cell[3] - 1.0) / (4.0 * (cell[2] + 1.0) * (cell[4] + 1.0))
            cell[2], cell[3], cell[4] = cell[2] + 1.0, cell[3] - 2.0, cell[4] + 1.0
    observed = cell[5]
    if observed <= 1e-280:
        out[:] = -np.inf
        return

    sums = np.zeros(3)
    add_row(start, observed, sums)
    for direction in range(2):
        cell[:] = start
        last = min(men, ones) if direction == 0 else max(0, ones - 2 * women)
        while cell[0] != last:
            next_row(cell, direction == 0)
            if cell[5] <= _NEGLIGIBLE * observed:
                break
            add_row(cell, observed, sums)
    out[0] = min(0.0, math.log(sums[1] + sums[2]) - math.log(sums[0]))
    out[1] = min(0.0, math.log(sums[1] + 0.5 * sums[2]) - math.log(sums[0]))


@kernel
def hardy_weinberg_x(counts: np.ndarray, out: np.ndarray) -> None:
    """`x_linked` of each row of counts int64 (rows, 5: women AA, AB, BB, men A, B) into out (rows, 2)."""
    for row in range(counts.shape[0]):
        if counts[row, 3] + counts[row, 4] == 0:
            three = np.empty(3)
            levene_haldane(counts[row, 0], counts[row, 1], counts[row, 2], three)
            out[row] = three[:2]
        else:
            x_linked(counts[row, 0], counts[row, 1], counts[row, 2], counts[row, 3], counts[row, 4], out[row])


@kernel
def fisher_strand(tables: np.ndarray, out: np.ndarray) -> None:
    """FS of int64 (rows, 4: ref forward, ref reverse, alt forward, alt reverse) into out (rows,), as GATK makes it.

    Tables of more than 400 reads are brought to about 200, cut to integers. -10 log10 of the two-sided Fisher p.
    """
    table = np.empty(4)
    for row in range(tables.shape[0]):
        total = tables[row].sum()
        for place in range(4):
            table[place] = float(tables[row, place])
            if total > 400:
                table[place] = math.floor(table[place] / (total / 200.0))
        top, bottom, forward = table[0] + table[1], table[2] + table[3], table[0] + table[2]
        low, high = max(0.0, forward - bottom), min(top, forward)
        weight, everything, tail = 1.0, 1.0, 1.0  # relative to the table as it is
        cell = table[0]
        while cell < high:
            weight *= (top - cell) * (forward - cell) / ((cell + 1.0) * (bottom - forward + cell + 1.0))
            cell += 1.0
            everything += weight
            tail += weight if weight <= 1.0 + 1e-7 else 0.0
        weight, cell = 1.0, table[0]
        while cell > low:
            weight *= cell * (bottom - forward + cell) / ((top - cell + 1.0) * (forward - cell + 1.0))
            cell -= 1.0
            everything += weight
            tail += weight if weight <= 1.0 + 1e-7 else 0.0
        out[row] = abs(10.0 * math.log10(min(1.0, tail / everything)))


@kernel
def depths_of(
    values: np.ndarray, roots: np.ndarray, feature: np.ndarray, threshold: np.ndarray, left: np.ndarray,
    right: np.ndarray, depth: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    """Add the depth at which each row of values float32 (rows, features) ends in each tree to out float64 (rows,).

    Trees lie behind one another: `roots` are the nodes they begin with, `feature` is negative at a leaf, and `depth`
    is what a leaf counts.
    """
    for row in range(values.shape[0]):
        for tree in range(roots.size):
            node = roots[tree]
            while feature[node] >= 0:
                node = left[node] if values[row, feature[node]] <= threshold[node] else right[node]
            out[row] += depth[node]
