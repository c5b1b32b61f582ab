"""A structured cohort for relatedness and ancestry: populations, linkage and families, and what is true of them.

Five populations drift from one ancestor (Balding and Nichols); a tenth of the people descend from two of them, some
ten generations ago.
Linkage: along a chromosome each haplotype keeps the rank that decides whether it has the allele, or draws a new one, so
that neighbours correlate and frequencies stay those of the population. Families are four founders, two of their
children, and two of theirs, who are first cousins; some people are there twice. Everybody's genotypes are drawn site by
site into a BED: memory is that of one site.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.programs import cohelix, size_of
from benchmarks.registry import Engine

POPULATIONS, DRIFT, ADMIXED = 5, 0.08, 0.1
CHROMOSOMES, BASES = 22, 120_000_000
KEPT = 0.6  # share of haplotypes that keep their rank from one site to the next
CLOSE = 0.01
MISSING, PLACED_TWICE, IN_FAMILIES, FAMILY = 0.005, 0.004, 0.12, 8
BED_CODES = np.array([3, 2, 0, 1], np.uint8)  # of 0, 1, 2 copies and missing
MORGAN, SINCE = 1e-8, 10  # recombinations a base; generations since the admixture
# Pairs of each degree among the eight of a family: founders 0 and 1, their children 4 and 5, who have a child each with
# 2 and 3: 6 and 7.
DEGREES = {
    1: ((0, 4), (1, 4), (0, 5), (1, 5), (4, 5), (4, 6), (2, 6), (5, 7), (3, 7)),
    2: ((0, 6), (1, 6), (0, 7), (1, 7), (5, 6), (4, 7)),
    3: ((6, 7),),
}


@dataclass(frozen=True)
class Structured:
    """`prefix`.bed/.bim/.fam and labels.tsv. truth: pairs of each degree, 0 for people who are there twice.
    made: `callset`, `matrix_table`."""

    job: str
    prefix: Path
    n_samples: int
    n_records: int
    truth: dict[int, int]
    made: dict[str, Path] = field(default_factory=dict)

    @property
    def labels(self) -> Path:
        return self.prefix.with_name("labels.tsv")

    @property
    def bases(self) -> int:
        return CHROMOSOMES * BASES

    @property
    def settings(self) -> tuple[str, ...]:
        """Lines of one number of people and others of sites are apart."""
        return (f"sites={self.n_records}",)

    @property
    def inputs(self) -> list[Path]:
        return [self.prefix.with_suffix(".bed"), *self.made.values()]

    @property
    def sizes(self) -> dict[str, int]:
        return {"input": size_of(self.made["callset"])} if "callset" in self.made else {}

    def check(self, engine: Engine, counts: dict[str, Any]) -> None:
        """Raises AssertionError where an engine missed what was planted, or its components do not part populations."""
        if "pairs" in counts:
            found = counts.pop("pairs")
            assert found["0"] == self.truth[0], f"{engine.name}: {found['0']} duplicates, not {self.truth[0]}"
            # what relatives share is drawn, too: a few of the second degree lie above the cut
            right = abs(found["1"] - self.truth[1]) <= CLOSE * self.truth[1]
            assert right, f"{engine.name}: {found['1']} of first degree, not {self.truth[1]}"
        if "between" in counts:
            assert counts["between"] > 0.95, f"{engine.name}: components explain {counts['between']:.3f} of populations"


def draw(folder: Path, n_samples: int, n_variants: int, seed: int = 1) -> Structured:
    """Draw the genotypes into `folder`/structured.*."""
    # frequencies have a stream of their own: cohorts of any size are of the same populations
    prefix, rng, frequencies = folder / "structured", np.random.default_rng(seed), np.random.default_rng([seed, 1])
    people = _people(n_samples)
    drift = 1 / DRIFT - 1
    per_chromosome = -(-n_variants // CHROMOSOMES)
    step = BASES // per_chromosome
    with prefix.with_suffix(".bed").open("wb") as bed, prefix.with_suffix(".bim").open("w") as bim:
        bed.write(b"\x6c\x1b\x01")
        for row in range(n_variants):
            place = row % per_chromosome
            if place == 0:
                ranks, taken = rng.random((2, people.n_founders), np.float32), _start(people, rng)
                local = people.populations.copy()
            else:
                fresh = rng.random(ranks.shape, np.float32) > KEPT
                ranks[fresh] = rng.random(int(fresh.sum()), np.float32)
                taken ^= rng.random(taken.shape, np.float32) < step * MORGAN
                _switch(people, local, step, rng)
            ancestral = frequencies.uniform(0.05, 0.95)
            of_each = frequencies.beta(ancestral * drift, (1 - ancestral) * drift, POPULATIONS).astype(np.float32)
            bed.write(_row(people, ranks < of_each[local], taken, rng))
            bim.write(f"{row // per_chromosome + 1}\t.\t0\t{1 + place * step}\tA\tG\n")
    ids = [f"S{person:07d}" for person in range(n_samples)]
    prefix.with_suffix(".fam").write_text("".join(f"0\t{one}\t0\t0\t{1 + i % 2}\t-9\n" for i, one in enumerate(ids)))
    work = Structured("", prefix, n_samples, n_variants, people.pairs)
    rows = (f"{one}\tp{group}\n" for one, group in zip(ids, people.labels, strict=True) if group >= 0)
    work.labels.write_text("sample_id\tgroup\n" + "".join(rows))
    return work


def take_in(work: Structured, folder: Path) -> None:
    """The callset that ours starts from."""
    work.made["callset"] = folder / "structured.callset"
    bed = work.prefix.with_suffix(".bed")
    words = cohelix("genotypes", "import", bed, "-o", work.made["callset"], "--build", "GRCh38")
    subprocess.run(words, check=True, capture_output=True)


def between(scores: np.ndarray, labels: list[int]) -> float:
    """Share of the variance of the first components (one fewer than populations) that lies between populations; the
    least of them. scores: (samples, components); labels: population, -1 for who has none."""
    groups = np.array(labels)
    known = scores[groups >= 0, : POPULATIONS - 1]
    groups = groups[groups >= 0]
    centred = known - known.mean(axis=0)
    means = np.array([centred[groups == group].mean(axis=0) for group in range(POPULATIONS)])
    return float(((means[groups] ** 2).sum(axis=0) / (centred**2).sum(axis=0)).min())


def labels_of(n_samples: int) -> list[int]:
    """Population of each person in the order of their ids, -1 for the children of two populations."""
    return _people(n_samples).labels


@dataclass(frozen=True)
class _People:
    """populations: (2, founders) of the haplotypes, at the start of a chromosome; `other` and `admixed`: the second one
    of who is admixed, and who is. families: founder numbers (families, 4). doubled: founders who are
    there twice. labels: of everybody, in the order of the BED: founders, children, second copies."""

    n_founders: int
    populations: np.ndarray
    other: np.ndarray
    admixed: np.ndarray
    families: np.ndarray
    doubled: np.ndarray
    labels: list[int]
    pairs: dict[int, int]


def _people(n_samples: int) -> _People:
    n_families, n_doubled = int(IN_FAMILIES * n_samples) // FAMILY, int(PLACED_TWICE * n_samples)
    n_founders = n_samples - 4 * n_families - n_doubled
    groups = np.arange(n_founders) % POPULATIONS
    admixed = np.arange(n_founders) >= int((1 - ADMIXED) * n_founders)
    other = np.where(admixed, (groups + 1) % POPULATIONS, groups)
    populations = np.stack([groups, other])
    # The four founders of a family are of one population.
    start = POPULATIONS * 4 * (np.arange(n_families) // POPULATIONS) + np.arange(n_families) % POPULATIONS
    families = start[:, None] + POPULATIONS * np.arange(4)
    doubled = np.arange(n_founders - n_doubled, n_founders)
    of_founders = np.where(admixed, -1, groups)
    labels = [*of_founders.tolist(), *np.repeat(groups[families[:, 0]], 4).tolist(), *of_founders[doubled].tolist()]
    pairs = {0: n_doubled} | {degree: n_families * len(listed) for degree, listed in DEGREES.items()}
    assert families.max(initial=0) < int((1 - ADMIXED) * n_founders)
    return _People(n_founders, populations, other, np.flatnonzero(admixed), families, doubled, labels, pairs)


def _switch(people: _People, local: np.ndarray, step: int, rng: np.random.Generator) -> None:
    """Haplotypes of the admixed pass from one of their two populations to the other, or stay."""
    of_two = rng.random((2, len(people.admixed)), np.float32)
    switching = of_two < SINCE * MORGAN * step
    first, second = people.populations[0, people.admixed], people.other[people.admixed]
    now = local[:, people.admixed]
    local[:, people.admixed] = np.where(switching, first + second - now, now)


def _start(people: _People, rng: np.random.Generator) -> np.ndarray:
    """Which haplotype of its parent a child has where a chromosome begins: (families, four children, two parents)."""
    return rng.random((len(people.families), 4, 2)) < 0.5


def _row(people: _People, carried: np.ndarray, taken: np.ndarray, rng: np.random.Generator) -> bytes:
    """One site of the BED. carried: bool (2, founders). taken: (families, 4, 2), as `_start` gives it."""
    founders = carried[:, people.families]  # (2, families, 4)
    families = np.arange(len(people.families))
    children = np.empty((2, len(families), 4), bool)
    for child, (mother, father) in enumerate(((0, 1), (0, 1))):
        for parent, one in enumerate((mother, father)):
            children[parent, :, child] = founders[taken[:, child, parent].astype(int), families, one]
    for grandchild, (of, other) in enumerate(((0, 2), (1, 3))):
        children[0, :, 2 + grandchild] = children[taken[:, 2 + grandchild, 0].astype(int), families, of]
        children[1, :, 2 + grandchild] = founders[taken[:, 2 + grandchild, 1].astype(int), families, other]
    first = carried.sum(axis=0, dtype=np.uint8)
    copies = np.concatenate([first, children.sum(axis=0, dtype=np.uint8).reshape(-1), first[people.doubled]])
    copies[rng.integers(0, len(copies), rng.poisson(MISSING * len(copies)))] = 3
    codes = np.zeros(-(-len(copies) // 4) * 4, np.uint8)
    codes[: len(copies)] = BED_CODES[copies]
    quads = codes.reshape(-1, 4)
    return (quads[:, 0] | quads[:, 1] << 2 | quads[:, 2] << 4 | quads[:, 3] << 6).tobytes()
