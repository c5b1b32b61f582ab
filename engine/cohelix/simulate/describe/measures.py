"""Population statistics of genotypes, summed up over blocks of variants."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cohelix.simulate.describe.truth_genotypes import Genotypes
from cohelix.simulate.people.person import GROUPS

FEWEST = 5
"""People of a group, below which nothing is said of it."""
PROJECTED = 60
"""Chromosomes that frequency spectra are projected to, so that groups of different sizes compare."""
COMMON = 0.05
"""Minor allele frequency from which variants take part in LD and PCA."""
LD_PEOPLE = 250
FEWEST_LD_PEOPLE, FEWEST_LD_PAIRS = 10, 200
LD_SITES = 400
LD_EDGES = np.array([0, 1, 2, 5, 10, 15, 20, 30, 50, 75, 100, 200]) * 1_000
PCA_PEOPLE, PCA_SITES, PCA_SPACING = 2_000, 4_000, 2_000
PCA_AXES = 4

_G, _BINS = len(GROUPS), len(LD_EDGES) - 1


@dataclass
class Sums:
    """groups: places in GROUPS that are described. het (N,): heterozygous SNPs of each person.

    spectrum [group]: SNPs by alternate count (2n + 1,). f_above, f_below (G, G): numerator and denominator of F_ST.
    ld, ld_pairs (G, bins): sum and number of r2. king (P, 2): variants where both are heterozygous, and where both are
    homozygous and differ; king_het (N,): heterozygous variants.
    """

    genotypes: Genotypes
    groups: list[int] = field(default_factory=list)
    n_snps: int = 0
    n_transitions: int = 0
    n_variants: int = 0
    n_rare: int = 0
    spectrum: dict[int, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        genotypes, people = self.genotypes, self.genotypes.group.size
        self.members = {group: genotypes.of_group(group) for group in range(_G)}
        self.groups = [group for group, members in self.members.items() if members.size >= FEWEST]
        self.het = np.zeros(people, np.int64)
        self.king = np.zeros((len(genotypes.pairs), 2), np.int64)
        self.king_het = np.zeros(people, np.int64)
        self.f_above, self.f_below = np.zeros((_G, _G)), np.zeros((_G, _G))
        self.ld, self.ld_pairs = np.zeros((_G, _BINS)), np.zeros((_G, _BINS))
        self.spectrum = {group: np.zeros(2 * self.members[group].size + 1, np.int64) for group in self.groups}
        shown = np.flatnonzero(genotypes.unrelated)
        self.pca_people = shown[np.linspace(0, shown.size - 1, min(PCA_PEOPLE, shown.size)).astype(np.int64)]
        self.pca_rows: list[np.ndarray] = []
        self._last = (-1, 0)

    def add(self, part: slice, copies: np.ndarray) -> None:
        """A block of variants (V, N). Missing genotypes count as copies of the reference."""
        copies = np.maximum(copies, 0)
        snp = self.genotypes.snp[part]
        self.n_variants += snp.size
        self.n_snps += int(snp.sum())
        self.n_transitions += int(self.genotypes.transition[part][snp].sum())
        all_unrelated = copies[:, self.genotypes.unrelated]
        frequency = all_unrelated.mean(axis=1, dtype=np.float64) / 2
        minor = np.minimum(frequency, 1 - frequency)
        self.n_rare += int(((minor > 0) & (minor < 0.005) & snp).sum())
        self.het += (copies[snp] == 1).sum(axis=0)
        self._add_frequencies(copies[snp])
        self._add_kinship(copies)
        self._add_ld(part, copies)
        self._keep_for_pca(part, copies, minor)

    def _add_frequencies(self, snps: np.ndarray) -> None:
        p = np.zeros((_G, len(snps)))
        within = np.zeros((_G, len(snps)))
        for group in self.groups:
            count = snps[:, self.members[group]].sum(axis=1, dtype=np.int64)
            n = 2 * self.members[group].size
            self.spectrum[group] += np.bincount(count, minlength=n + 1)
            p[group] = count / n
            within[group] = p[group] * (1 - p[group]) / (n - 1)
        for a in self.groups:
            for b in self.groups:
                self.f_above[a, b] += float(((p[a] - p[b]) ** 2 - within[a] - within[b]).sum())
                self.f_below[a, b] += float((p[a] * (1 - p[b]) + p[b] * (1 - p[a])).sum())

    def _add_kinship(self, copies: np.ndarray) -> None:
        self.king_het += (copies == 1).sum(axis=0)
        if len(self.king):
            first, second = (copies[:, self.genotypes.pairs[:, side]] for side in (0, 1))
            self.king[:, 0] += ((first == 1) & (second == 1)).sum(axis=0)
            self.king[:, 1] += (np.abs(first - second) == 2).sum(axis=0)

    def _add_ld(self, part: slice, copies: np.ndarray) -> None:
        """r2 of genotypes, less what chance gives (1 / n), between SNPs of one block that are common in a group."""
        position, contig, snp = (values[part] for values in (
            self.genotypes.position, self.genotypes.contig, self.genotypes.snp))  # fmt: skip
        for group in self.groups:
            here = copies[:, self.members[group][:LD_PEOPLE]]
            if here.shape[1] < FEWEST_LD_PEOPLE:
                continue
            p = here.mean(axis=1, dtype=np.float64) / 2
            rows = np.flatnonzero(snp & (np.minimum(p, 1 - p) >= COMMON))
            for start in range(0, rows.size, LD_SITES):
                chosen = rows[start : start + LD_SITES]
                centred = here[chosen] - 2 * p[chosen, None]
                spread = np.sqrt((centred**2).sum(axis=1))
                varies = spread > 0
                chosen, centred = chosen[varies], centred[varies] / spread[varies, None]
                r2 = (centred @ centred.T) ** 2 - 1 / here.shape[1]
                above = np.triu_indices(chosen.size, 1)
                same = contig[chosen[above[0]]] == contig[chosen[above[1]]]
                distance = np.where(same, np.abs(position[chosen[above[0]]] - position[chosen[above[1]]]), LD_EDGES[-1])
                bins = np.searchsorted(LD_EDGES, distance, side="right") - 1
                inside = bins < _BINS
                self.ld[group] += np.bincount(bins[inside], r2[above][inside], _BINS)
                self.ld_pairs[group] += np.bincount(bins[inside], minlength=_BINS)

    def _keep_for_pca(self, part: slice, copies: np.ndarray, minor: np.ndarray) -> None:
        """Common variants some way apart."""
        for row in np.flatnonzero(minor >= COMMON).tolist():
            contig, position = int(self.genotypes.contig[part][row]), int(self.genotypes.position[part][row])
            near = contig == self._last[0] and position - self._last[1] < PCA_SPACING
            if not near and len(self.pca_rows) < PCA_SITES:
                self.pca_rows.append(copies[row, self.pca_people].copy())
                self._last = (contig, position)


def measure(genotypes: Genotypes) -> Sums:
    """One pass over the genotypes."""
    sums = Sums(genotypes)
    for part, copies in genotypes.blocks():
        sums.add(part, copies)
    return sums


def f_st(sums: Sums) -> np.ndarray:
    """(G, G) Hudson's F_ST as a ratio of sums (Bhatia 2013); NaN for groups that are not described."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found: np.ndarray = sums.f_above / sums.f_below
    np.fill_diagonal(found, np.nan)
    return found


def heterozygosity(sums: Sums) -> dict[int, np.ndarray]:
    """Heterozygous SNPs per 1,000 bases of each unrelated person, by group."""
    return {group: sums.het[sums.members[group]] * 1_000 / sums.genotypes.bases for group in sums.groups}


def minor_spectrum(counts: np.ndarray, n: int = PROJECTED) -> np.ndarray:
    """Share of variants by minor count 1 to n / 2 in a random draw of n chromosomes; counts (2m + 1,): variants by
    alternate count in all. Empty where there are fewer chromosomes than n."""
    from scipy.stats import hypergeom

    total = counts.size - 1
    if total < n:
        return np.zeros(0)
    here = np.flatnonzero(counts)
    chance = hypergeom.pmf(np.arange(n + 1)[None, :], total, here[:, None], n)
    drawn = counts[here] @ chance
    folded = drawn[: n // 2 + 1] + drawn[::-1][: n // 2 + 1]
    folded[n // 2] /= 2
    shares: np.ndarray = folded[1:] / folded[1:].sum()
    return shares


def neutral_spectrum(n: int = PROJECTED) -> np.ndarray:
    """The same for a population of constant size: (1 / i + 1 / (n - i)), half of it at i = n / 2."""
    i = np.arange(1, n // 2 + 1)
    expected = 1 / i + 1 / (n - i)
    expected[-1] /= 2
    shares: np.ndarray = expected / expected.sum()
    return shares


def king(sums: Sums) -> np.ndarray:
    """(P,) KING-robust kinship of each pair, in the form for pairs of one family (Manichaikul 2010).

    The form for strangers takes the smaller of two counts of heterozygotes, which on few bases is too small by chance.
    NaN where neither of a pair has a heterozygous variant.
    """
    of_first, of_second = (sums.king_het[sums.genotypes.pairs[:, side]] for side in (0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((sums.king[:, 0] - 2 * sums.king[:, 1]) / (of_first + of_second))


def principal_axes(sums: Sums) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (people, axes) of `sums.pca_people`, and the share of variance of each axis (axes,)."""
    if len(sums.pca_rows) < PCA_AXES or sums.pca_people.size <= PCA_AXES:
        return np.zeros((sums.pca_people.size, 0)), np.zeros(0)
    copies = np.array(sums.pca_rows, np.float64)
    p = copies.mean(axis=1) / 2
    varies = (p > 0) & (p < 1)
    copies, p = copies[varies], p[varies]
    scaled = (copies - 2 * p[:, None]) / np.sqrt(2 * p * (1 - p))[:, None]
    values, vectors = np.linalg.eigh(scaled.T @ scaled)
    order = np.argsort(values)[::-1][:PCA_AXES]
    return vectors[:, order] * np.sqrt(np.maximum(values[order], 0)), values[order] / values.sum()


def between_groups(coordinates: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Share of the variance of each axis that lies between groups."""
    centre = coordinates.mean(axis=0)
    between = np.zeros(coordinates.shape[1])
    for code in np.unique(group).tolist():
        here = coordinates[group == code]
        between += len(here) * (here.mean(axis=0) - centre) ** 2
    shares: np.ndarray = between / ((coordinates - centre) ** 2).sum(axis=0)
    return shares
