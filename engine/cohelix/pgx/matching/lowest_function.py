"""DPYD and RYR1: every alteration counts, and the strand with the lowest function decides.

Where at most one reading is possible, or phase sets are used, the answer is diplotypes, of combinations where a strand
has more than one named allele. Otherwise it is the list of the alleles that are there, one twice if on both strands.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cohelix.pgx import names
from cohelix.pgx.definition import Gene
from cohelix.pgx.genotype import ABSENT, NO_CALL
from cohelix.pgx.matching.answers import Answer, Answers
from cohelix.pgx.matching.combinations import CAP, Part, Table, diplotypes, written
from cohelix.pgx.matching.grouping import grouped, mixed
from cohelix.pgx.matching.hapb3 import HapB3, of_gene
from cohelix.pgx.matching.strands import Reading, Strand, has, read, undocumented_as_reference
from cohelix.pgx.patterns import Patterns

TOO_MANY = "combination-cap"


def call_patterns(gene: Gene, patterns: Patterns, rest: np.ndarray, answers: Answers) -> None:
    """Answer the patterns `rest` (indices), each distinct set of alterations once."""
    caller = LowestFunction(gene)
    codes, phase = patterns.codes[: len(gene.positions), rest], patterns.phase[: len(gene.positions), rest]
    if gene.undocumented_as_reference:
        codes = undocumented_as_reference(gene, codes, patterns.alleles)
    first, group = _alike(gene, codes, phase, patterns.phase_sets[rest])
    rows = np.empty(len(first), dtype=np.int32)
    for index, member in enumerate(first.tolist()):
        phase_sets = bool(patterns.phase_sets[rest[member]])
        rows[index] = answers.row(caller.call(codes[:, member], phase[:, member], patterns.alleles, phase_sets))
    answers.answer[rest] = rows[group]


def _alike(gene: Gene, codes: np.ndarray, phase: np.ndarray, phase_sets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Patterns with one answer: they have the same alterations, in the same phase, and saw as many positions and, of
    the alleles of more than one position, the same ones. As `grouped`."""
    seen = codes != NO_CALL
    sites = np.flatnonzero(np.logical_or.reduce((codes != 0) & seen, axis=1))
    told = codes[sites]
    low, high = told & 15, told >> 4
    silent = (told == 0) | (told == NO_CALL) | (told == ABSENT << 4)
    altered = np.where(silent, 0, told).astype(np.uint16)
    altered |= np.where(silent | (low == high), 0, phase[sites]).astype(np.uint16) << 8
    several = [allele.cells for allele in gene.alleles if not allele.reference]
    several = [cells for cells in several if sum(cell is not None for cell in cells) > 1]
    paired = sorted({site for cells in several for site, cell in enumerate(cells) if cell is not None})
    scalars = np.vstack([seen.sum(axis=0), phase_sets, (high == ABSENT).any(axis=0), seen[paired]]).astype(np.uint64)
    keys = np.zeros(codes.shape[1], dtype=np.uint64)
    for site, words in zip(sites, altered, strict=True):
        there = np.flatnonzero(words)
        keys[there] += mixed(words[there].astype(np.uint64) | np.uint64(site << 20))
    for row, values in enumerate(scalars):
        keys += mixed(values | np.uint64((row + 1) << 40))

    def same(these: np.ndarray, those: np.ndarray) -> np.ndarray:
        equal: np.ndarray = (scalars[:, these] == scalars[:, those]).all(axis=0)
        for words in altered:
            equal &= words[these] == words[those]
        return equal

    return grouped(keys, same)


class LowestFunction:
    """The caller of one gene."""

    def __init__(self, gene: Gene) -> None:
        self.gene = gene
        self.hapb3: HapB3 | None = of_gene(gene)
        special = frozenset(gene.alleles[index].name for index in self._special())
        self.table = Table(gene, special)
        self.silent = self.table.silent.copy()
        if self.hapb3 is not None:
            self.silent[list(self.hapb3.sites)] = False

    def _special(self) -> tuple[int, ...]:
        return () if self.hapb3 is None else (self.hapb3.whole, self.hapb3.intronic)

    def call(self, codes: np.ndarray, phase: np.ndarray, alleles: Sequence[Sequence[str]], phase_sets: bool) -> Answer:
        """The answer of one pattern: codes, phase (P,), alleles that no definition knows already read as REF."""
        reading = read(self.gene, codes, phase, alleles, self.silent)
        warnings: set[str] = set()
        if len(reading.blocks) > 1 and not phase_sets:
            return Answer("haplotypes", haplotypes=self._haplotypes(reading, warnings), warnings=(*sorted(warnings),))
        if reading.readings > CAP:
            return Answer("too_many_combinations", warnings=(TOO_MANY,))
        found = written(self.table, self._diplotypes(reading, warnings), reading.haploid)
        texts, scores = tuple(text for text, _ in found), tuple(score for _, score in found)
        status = "called" if len(found) == 1 else "ambiguous"
        return Answer(status, texts, scores, len(found), warnings=(*sorted(warnings),))

    def _diplotypes(self, reading: Reading, warnings: set[str]) -> list[tuple[Part, Part]]:
        if len(reading.blocks) <= 1:
            exact = self._exact(reading)
            if exact:
                return exact
        if self.hapb3 is None:
            return diplotypes(self.table, reading)
        found = []
        for one, other in reading.strands():
            first = [self._with_hapb3(part, one, warnings) for part in self._parts_without(one, reading.silent)]
            second = [self._with_hapb3(part, other, warnings) for part in self._parts_without(other, reading.silent)]
            if reading.blocks:
                found += [(a, b) for a in first for b in second]
            else:
                found += [(a, b) for index, a in enumerate(first) for b in first[index:]]
        return found

    def _exact(self, reading: Reading) -> list[tuple[Part, Part]]:
        """Pairs of single named alleles that leave nothing of either strand untold."""
        one, other = next(reading.strands())
        first, second = self._single(one, reading.silent), self._single(other, reading.silent)
        if reading.blocks:
            return [(a, b) for a in first for b in second]
        return [(a, b) for index, a in enumerate(first) for b in first[index:]]

    def _single(self, strand: Strand, silent: int) -> list[Part]:
        altered = frozenset(site for site, allele in strand.items() if allele != self.gene.positions[site].ref)
        if not altered:
            return [Part((), (), self.table.reference_score(strand, silent))]
        covered = self.table.covered(strand)
        return [Part((index,), (), len(sites)) for index, sites in covered.items() if altered <= sites]

    def _parts_without(self, strand: Strand, silent: int) -> list[Part]:
        """Parts of a strand on which HapB3's own alterations are not told."""
        assert self.hapb3 is not None
        refs = {site: self.gene.positions[site].ref for site in self.hapb3.sites if site in strand}
        return self.table.parts({**strand, **refs}, silent)

    def _with_hapb3(self, part: Part, strand: Strand, warnings: set[str]) -> Part:
        assert self.hapb3 is not None
        allele = self.hapb3.on_strand(self.gene, strand, warnings)
        if allele is None:
            return part
        cells = sum(cell is not None and site in strand for site, cell in enumerate(self.gene.alleles[allele].cells))
        score = cells + (part.score if part.alleles else 0)
        return Part(tuple(sorted((*part.alleles, allele))), part.others, score)

    def _haplotypes(self, reading: Reading, warnings: set[str]) -> tuple[str, ...]:
        """The alleles of a pattern of several readings, in the order of names."""
        seen: dict[int, list[str]] = {site: [allele, allele] for site, allele in reading.same.items()}
        for block in reading.blocks:
            seen |= {site: [first, second] for site, first, second in block}
        positions = self.gene.positions
        altered = [site for site, (one, other) in seen.items() if one != other or one != positions[site].ref]
        found: list[int] = []
        for index, cells in self.table.near(altered):
            present = {site: cell for site, cell in cells.items() if site in seen}
            if present and self._possible(reading, present):
                both = all(has(cell, allele) for site, cell in present.items() for allele in seen[site])
                found += [index] * (2 if both else 1)
        special: list[int] = []
        if self.hapb3 is not None:
            exon, intron = (seen.get(site) for site in self.hapb3.sites)
            special = self.hapb3.unphased(self.gene, intron, exon, warnings)
        reference = {site: positions[site].ref for site in altered}
        if self._possible(reading, reference) and len(set(found)) + 1 + len(special) <= 2:
            found.append(next(index for index, allele in enumerate(self.gene.alleles) if allele.reference))
        return tuple(sorted((self.gene.alleles[index].name for index in (*found, *special)), key=names.key))

    def _possible(self, reading: Reading, cells: dict[int, str]) -> bool:
        """Whether one strand of one reading can have all of `cells`."""
        if not all(has(cell, reading.same[site]) for site, cell in cells.items() if site in reading.same):
            return False
        for block in reading.blocks:
            wanted = [(cells[site], first, second) for site, first, second in block if site in cells]
            if not all(has(cell, first) for cell, first, _ in wanted) and not all(
                has(cell, second) for cell, _, second in wanted
            ):
                return False
        return True
