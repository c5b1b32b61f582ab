"""Genomes as mosaics of founder haplotypes: meiosis, ancestry tracts, and what of it lies in the made regions.

The autosomes lie one behind the other on one axis of bases, as do X, Y and M on axes of their own. A copy of an axis is
a list of pieces: `start` (n,) ascending from 0, and the founder haplotype from there on. A founder haplotype is named
human x 4 + side (0 mother's, 1 father's, 2 a further X).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cohelix import genome
from cohelix.simulate.people.pedigree import Block
from cohelix.simulate.people.person import SOURCES, Human
from cohelix.simulate.regions import BUILD, Region, contigs
from cohelix.simulate.streams import stream

# Crossovers per base: 4,281 and 2,590 cM over 2.87 Gb of autosomes (Kong et al. 2002, doi 10.1038/ng917).
FEMALE_RATE, MALE_RATE = 1.49e-8, 0.90e-8
RATE = 1.2e-8  # of both, for the ancestors' crossovers
PAR1_CROSSOVER = 0.5  # of sperm have one in PAR1: it is obligatory, and two of four chromatids take part


@dataclass(frozen=True)
class Pieces:
    """One copy of an axis: `founder` (n,) from `start` (n,) to the next start."""

    start: np.ndarray
    founder: np.ndarray


@dataclass(frozen=True)
class Genome:
    """autosomes: two copies of the axis. x: one copy for each X. y_par: for each Y, what it has of the pseudo-autosomal
    stretches, on the axis of X. y, mt: founder haplotypes."""

    autosomes: tuple[Pieces, Pieces]
    x: tuple[Pieces, ...]
    y_par: tuple[Pieces, ...]
    y: tuple[int, ...]
    mt: int


@dataclass(frozen=True)
class Tracts:
    """Where one founder haplotype comes from: `source` (n,), index in SOURCES, from `start` (n,) on an axis."""

    start: np.ndarray
    source: np.ndarray


class Axis:
    """Chromosomes one behind the other. starts (n + 1,)."""

    def __init__(self, names: list[str]) -> None:
        lengths = {genome.plain_name(contig.name): contig.length for contig in contigs()}
        self.names = names
        self.starts = np.concatenate([[0], np.cumsum([lengths[name] for name in names])])

    @property
    def length(self) -> int:
        return int(self.starts[-1])

    def at(self, name: str, offset: int) -> int:
        return int(self.starts[self.names.index(name)]) + offset


AUTOSOMES = Axis([str(number) for number in range(1, 23)])
X = Axis(["X"])
PAR1_END = genome.par_of(BUILD, "chrX")[0][1]


class Inheritance:
    """Genomes of the humans of one block; each is made once."""

    def __init__(self, block: Block, seed: int) -> None:
        self._humans, self._seed = block.humans, seed
        self._genomes: dict[int, Genome] = {}
        self._tracts: dict[int, tuple[Tracts, Tracts]] = {}

    def genome(self, number: int) -> Genome:
        """The genome of a human of the block."""
        if number not in self._genomes:
            human = self._humans[number]
            founder = human.mother is None or human.father is None
            self._genomes[number] = _founder_genome(human) if founder else self._inherited(human)
        return self._genomes[number]

    def tracts(self, founder: int, axis: Axis) -> Tracts:
        """Ancestry of a founder haplotype along the autosomes or X."""
        if founder not in self._tracts:
            human = self._humans[founder // 4]
            rng = stream(self._seed, "ancestry", founder)
            self._tracts[founder] = (_tracts(human, AUTOSOMES, rng), _tracts(human, X, rng))
        return self._tracts[founder][0 if axis is AUTOSOMES else 1]

    def _inherited(self, child: Human) -> Genome:
        assert child.mother is not None and child.father is not None
        mother, father = self.genome(child.mother), self.genome(child.father)
        rng = stream(self._seed, "meiosis", child.number)
        from_mother = _recombined(mother.autosomes, AUTOSOMES, FEMALE_RATE, rng)
        from_father = _recombined(father.autosomes, AUTOSOMES, MALE_RATE, rng)
        egg = _recombined((mother.x[0], mother.x[1]), X, FEMALE_RATE, rng)
        sperm_x, sperm_y = _sperm(father.x[0], father.y_par[0], rng)
        return _with_sex_chromosomes(
            child.karyotype, (from_mother, from_father), egg, mother.x, sperm_x, sperm_y, father.y[0], mother.mt
        )


def _with_sex_chromosomes(
    karyotype: str, autosomes: tuple[Pieces, Pieces], egg: Pieces, both: tuple[Pieces, ...],
    sperm_x: Pieces, sperm_y: Pieces, y: int, mt: int,
) -> Genome:  # fmt: skip
    """A further X is the mother's (both of hers, unrecombined);

    a further Y is the father's again; X alone the mother's.
    """
    x = {
        "XX": (egg, sperm_x), "XY": (egg,), "X": (egg,),
        "XXX": (*both[:2], sperm_x), "XXY": both[:2], "XYY": (egg,),
    }[karyotype]  # fmt: skip
    n_y = karyotype.count("Y")
    return Genome(autosomes, x, (sperm_y,) * n_y, (y,) * n_y, mt)


def _founder_genome(human: Human) -> Genome:
    def whole(side: int) -> Pieces:
        return Pieces(np.zeros(1, np.int64), np.full(1, human.number * 4 + side, np.int64))

    mother, father, further = whole(0), whole(1), whole(2)
    of_x = {"XX": (mother, father), "XY": (mother,), "X": (mother,), "XXX": (mother, further, father),
            "XXY": (mother, further), "XYY": (mother,)}[human.karyotype]  # fmt: skip
    n_y = human.y_copies
    own = human.number * 4
    return Genome((mother, father), of_x, (father,) * n_y, (own + 1,) * n_y, own)


def _recombined(pair: tuple[Pieces, Pieces], axis: Axis, rate: float, rng: np.random.Generator) -> Pieces:
    """A gamete's copy of an axis: crossovers without interference (Haldane), each chromosome from either side."""
    crossovers = np.sort(rng.integers(1, axis.length, rng.poisson(rate * axis.length)))
    begins = axis.starts[:-1]
    side = rng.integers(0, 2, begins.size)
    cuts = np.unique(np.concatenate([begins, crossovers]))
    chromosome = np.searchsorted(begins, cuts, side="right") - 1
    before = np.searchsorted(crossovers, cuts, side="right")
    at_begin = np.searchsorted(crossovers, begins, side="right")
    which = (side[chromosome] + before - at_begin[chromosome]) % 2
    return _spliced(pair, cuts, which)


def _spliced(pair: tuple[Pieces, Pieces], cuts: np.ndarray, which: np.ndarray) -> Pieces:
    """Pieces of copy `which` (m,) of `pair` from each of `cuts` (m,) on."""
    start = np.unique(np.concatenate([cuts, pair[0].start, pair[1].start]))
    of_cut = which[np.searchsorted(cuts, start, side="right") - 1]
    found = [copy.founder[np.searchsorted(copy.start, start, side="right") - 1] for copy in pair]
    founder = np.where(of_cut == 0, found[0], found[1])
    keep = np.concatenate([[True], founder[1:] != founder[:-1]])
    return Pieces(start[keep], founder[keep])


def _sperm(x: Pieces, y: Pieces, rng: np.random.Generator) -> tuple[Pieces, Pieces]:
    """X and Y of sperm, on the axis of X: the ends of PAR1 may have been exchanged."""
    if rng.random() >= PAR1_CROSSOVER:
        return x, y
    cuts = np.array([0, int(rng.integers(1, PAR1_END))])
    return _spliced((x, y), cuts, np.array([1, 0])), _spliced((x, y), cuts, np.array([0, 1]))


def _tracts(human: Human, axis: Axis, rng: np.random.Generator) -> Tracts:
    shares = np.array(human.expected)
    crossovers = rng.integers(1, axis.length, rng.poisson(RATE * axis.length * human.generations))
    start = np.unique(np.concatenate([axis.starts[:-1], crossovers]))
    source = rng.choice(len(SOURCES), start.size, p=shares / shares.sum())
    keep = np.concatenate([[True], source[1:] != source[:-1]]) | np.isin(start, axis.starts)
    return Tracts(start[keep], source[keep].astype(np.int8))


@dataclass(frozen=True)
class Mosaic:
    """Pieces of a person's copies of the made regions, in order of region, copy and start.

    region (n,), copy (n,), start and end (n,): offsets in the region; founder (n,): founder haplotype; source (n,):
    index in SOURCES; row (n,): of the region's panel. copies (R,): of each region.
    """

    region: np.ndarray
    copy: np.ndarray
    start: np.ndarray
    end: np.ndarray
    founder: np.ndarray
    source: np.ndarray
    row: np.ndarray
    copies: np.ndarray

    @cached_property
    def first(self) -> np.ndarray:
        """(R + 1,): where each region's pieces begin."""
        return np.searchsorted(self.region, np.arange(self.copies.size + 1))


@dataclass(frozen=True)
class Ancestry:
    """One copy of an axis, cut wherever founder or source change: start, founder, source (n,)."""

    start: np.ndarray
    founder: np.ndarray
    source: np.ndarray


def ancestry(inheritance: Inheritance, pieces: Pieces, axis: Axis) -> Ancestry:
    """Source along one copy. Begins of chromosomes are cuts."""
    starts, founders, sources = [], [], []
    ends = [*pieces.start[1:].tolist(), axis.length]
    for start, end, founder in zip(pieces.start.tolist(), ends, pieces.founder.tolist(), strict=True):
        tracts = inheritance.tracts(founder, axis)
        low = int(np.searchsorted(tracts.start, start, side="right")) - 1
        high = int(np.searchsorted(tracts.start, end, side="left"))
        starts.append(np.maximum(tracts.start[low:high], start))
        founders.append(np.full(high - low, founder))
        sources.append(tracts.source[low:high])
    return Ancestry(np.concatenate(starts), np.concatenate(founders), np.concatenate(sources))


@dataclass(frozen=True)
class _Bounds:
    """Regions on one axis: index (n,) among all regions; low, high (n,): [low, high) on the axis."""

    index: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, regions: list[Region], axis: Axis) -> _Bounds:
        rows = [(r.index, axis.at(r.chromosome, r.start), r.length) for r in regions if r.chromosome in axis.names]
        index, low, length = np.array(rows, np.int64).reshape(-1, 3).T
        return cls(index, low, low + length)


class Layout:
    """The made regions on the axes.

    spans[r] (m, 2): offsets that deletions of region r's panel span, disjoint and ascending. A change of haplotype
    moves to the end of the span it falls in, so that each deletion stays on one haplotype.
    """

    def __init__(self, regions: list[Region], per_source: int, spans: list[np.ndarray]) -> None:
        self.regions, self.per_source, self.spans = regions, per_source, spans
        self._on = {axis: _Bounds.of(regions, axis) for axis in (AUTOSOMES, X)}
        self._uniparental = [region for region in regions if region.chromosome in ("Y", "MT")]

    def mosaic(self, inheritance: Inheritance, human: Human, seed: int) -> Mosaic:
        """What `human` has of the regions."""
        genome_ = inheritance.genome(human.number)
        parts: list[np.ndarray] = []
        copies = np.zeros(len(self.regions), np.int64)
        for copy, pieces in enumerate(genome_.autosomes):
            parts.append(self._cut(ancestry(inheritance, pieces, AUTOSOMES), AUTOSOMES, copy))
        for copy, pieces in enumerate((*genome_.x, *genome_.y_par)):
            found = self._cut(ancestry(inheritance, pieces, X), X, copy)
            parts.append(found if copy < len(genome_.x) else self._within_par(found))
        for region in self._uniparental:
            founders = genome_.y if region.chromosome == "Y" else (genome_.mt,)
            for copy, founder in enumerate(founders):
                source = int(inheritance.tracts(founder, AUTOSOMES).source[0])
                parts.append(np.array([[region.index, copy, 0, region.length, founder, source]], np.int64))
        rows = np.concatenate([part for part in parts if part.size] or [np.empty((0, 6), np.int64)])
        rows = rows[np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))]
        np.maximum.at(copies, rows[:, 0], rows[:, 1] + 1)
        region_, copy_, start, end, founder_, source_ = rows.T
        row = source_ * self.per_source + self._donors(founder_, region_, seed)
        return Mosaic(region_, copy_, start, end, founder_, source_, row, copies)

    def _cut(self, found: Ancestry, axis: Axis, copy: int) -> np.ndarray:
        """(n, 6): region, copy, start, end, founder, source of the pieces in the regions of one axis."""
        on = self._on[axis]
        if on.index.size == 0:
            return np.empty((0, 6), np.int64)
        low, high = on.low, on.high
        inner = found.start
        place = np.searchsorted(low, inner, side="right") - 1
        inside = (place >= 0) & (inner < high[np.maximum(place, 0)])
        cuts = zip(inner[inside].tolist(), place[inside].tolist(), strict=True)
        moved = [self._moved(int(on.index[k]), int(cut - low[k])) + int(low[k]) for cut, k in cuts]
        edges = np.unique(np.concatenate([low, np.array(moved, np.int64), high]))
        place = np.searchsorted(low, edges, side="right") - 1
        inside = (place >= 0) & (edges < high[np.maximum(place, 0)])
        start, place = edges[inside], place[inside]
        end = edges[np.flatnonzero(inside) + 1]
        # A cut that moved to the end of a span: what lies before it is still the piece before.
        which = np.searchsorted(found.start, start, side="right") - 1
        columns = (on.index[place], np.full(start.size, copy), start - low[place], end - low[place],
                   found.founder[which], found.source[which])  # fmt: skip
        return np.stack(columns, axis=1).astype(np.int64)

    def _moved(self, region: int, offset: int) -> int:
        spans = self.spans[region]
        place = int(np.searchsorted(spans[:, 0], offset, side="left")) - 1
        if place >= 0 and offset < spans[place, 1]:
            return min(int(spans[place, 1]), self.regions[region].length)
        return offset

    def _within_par(self, rows: np.ndarray) -> np.ndarray:
        """Rows of a copy of X on Y, cut to the pseudo-autosomal stretches."""
        kept = []
        for row in rows.tolist():
            begin = self.regions[row[0]].start
            for low, high in genome.par_of(BUILD, "chrX"):
                start, end = max(row[2], low - begin), min(row[3], high - begin)
                if start < end:
                    kept.append([row[0], row[1], start, end, row[4], row[5]])
        return np.array(kept, np.int64).reshape(-1, 6)

    def _donors(self, founder: np.ndarray, region: np.ndarray, seed: int) -> np.ndarray:
        """(n,) place among the haplotypes of a source that a founder copies in a region."""
        unique, inverse = np.unique(founder, return_inverse=True)
        chances = np.stack([stream(seed, "donor", int(one)).random(len(self.regions)) for one in unique])
        return np.asarray(chances[inverse, region] * self.per_source).astype(np.int64)
