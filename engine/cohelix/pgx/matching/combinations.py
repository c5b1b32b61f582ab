"""Combinations and parts of named alleles: what a strand is made of when no single allele tells all of it.

On a strand, every allele whose stated cells are all there is taken; those that share no position go together, the
largest first. Alterations that none of them has are named by themselves: [*6 + *14 + g.94781859G>A].
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cohelix.pgx import names
from cohelix.pgx.definition import Gene
from cohelix.pgx.matching.strands import UNSEEN, Reading, Strand, has

CAP = 4096
"""Readings of a pattern beyond which combinations are not listed."""


@dataclass(frozen=True)
class Part:
    """What a strand is: named alleles (indices; none: the reference), and alterations besides by site.

    score: the cells that are told, less one for each alteration besides.
    """

    alleles: tuple[int, ...]
    others: tuple[tuple[int, str], ...]
    score: int

    def name(self, table: Table) -> str:
        """As it is written."""
        single = [table.gene.alleles[allele].name for allele in self.alleles]
        single += [text for _, text in self.others]
        return names.join(single) if single else table.gene.reference_allele.name


@dataclass(frozen=True)
class Table:
    """A gene's alleles as combinations take them. without: names of alleles that take no part."""

    gene: Gene
    without: frozenset[str] = frozenset()

    @cached_property
    def stated(self) -> list[tuple[int, dict[int, str]]]:
        """Of each allele but the reference: its index and its cells by site."""
        return [
            (index, {site: cell for site, cell in enumerate(allele.cells) if cell is not None})
            for index, allele in enumerate(self.gene.alleles)
            if not allele.reference and allele.name not in self.without
        ]

    @cached_property
    def _by_site(self) -> dict[int, list[int]]:
        """Places in `stated` of the alleles that differ from REF at a site."""
        found: dict[int, list[int]] = {}
        for place, (_, cells) in enumerate(self.stated):
            for site, cell in cells.items():
                if not has(cell, self.gene.positions[site].ref):
                    found.setdefault(site, []).append(place)
        return found

    @cached_property
    def _anywhere(self) -> list[int]:
        """Places in `stated` of the alleles that have a cell which may be REF."""
        return [
            place
            for place, (_, cells) in enumerate(self.stated)
            if any(has(cell, self.gene.positions[site].ref) for site, cell in cells.items())
        ]

    def near(self, altered: Iterable[int]) -> list[tuple[int, dict[int, str]]]:
        """Of `stated`, those that can be where only the sites `altered` differ from REF: the others have one that
        would have to."""
        places = {*self._anywhere, *(place for site in altered for place in self._by_site.get(site, ()))}
        return [self.stated[place] for place in sorted(places)]

    @cached_property
    def silent(self) -> np.ndarray:
        """(P,) bool: sites at which REF tells nothing, since it is part of no allele but the reference."""
        reference = self.gene.reference_allele.cells
        tells = {
            site
            for _, cells in self.stated
            for site, cell in cells.items()
            if len(cells) > 1 or has(cell, self.gene.positions[site].ref)
        }
        return np.array([site not in tells and cell is not None for site, cell in enumerate(reference)])

    @cached_property
    def _reference_sites(self) -> frozenset[int]:
        return frozenset(site for site, cell in enumerate(self.gene.reference_allele.cells) if cell is not None)

    def reference_score(self, strand: Strand, silent: int) -> int:
        """What the reference counts on `strand`: its cells at the sites there, and at the silent ones."""
        return len(self._reference_sites & strand.keys()) + silent

    def covered(self, strand: Strand) -> dict[int, frozenset[int]]:
        """The alleles whose every stated cell at a present site is on `strand`, each with those sites."""
        found: dict[int, frozenset[int]] = {}
        positions = self.gene.positions
        for index, cells in self.near(site for site, allele in strand.items() if allele != positions[site].ref):
            present = [site for site in cells if site in strand]
            if present and all(has(cells[site], strand[site]) for site in present):
                found[index] = frozenset(present)
        return found

    def parts(self, strand: Strand, silent: int = 0) -> list[Part]:
        """Everything that `strand` may be. silent: sites besides at which it is seen to have REF."""
        covered = self.covered(strand)
        altered = {site: allele for site, allele in strand.items() if allele != self.gene.positions[site].ref}
        groups = self._together(covered) if len(covered) > 1 else [tuple(covered)]
        return [self._part(strand, silent, group, covered, altered) for group in groups]

    def _part(
        self, strand: Strand, silent: int, group: tuple[int, ...], covered: dict[int, frozenset[int]], altered: Strand
    ) -> Part:
        sites = frozenset[int]().union(*(covered[index] for index in group))
        others = tuple((site, self.alteration(site, altered[site])) for site in sorted(altered) if site not in sites)
        score = len(sites) if group else self.reference_score(strand, silent)
        return Part(tuple(sorted(group)), others, score - len(others))

    def _together(self, covered: dict[int, frozenset[int]]) -> list[tuple[int, ...]]:
        # the order and the two rules of overlap are those of PharmCAT: an allele that overlaps one of another size is
        # left out; one that overlaps only those of its size (a position is missing) starts a combination of its own
        order = sorted(covered, key=lambda index: (-len(covered[index]), self.gene.alleles[index].name))
        groups: list[list[int]] = []
        for index in order:
            added, left_out = False, False
            for group in groups:
                overlaps = False
                for member in group:
                    if covered[member] & covered[index]:
                        overlaps = True
                        if len(covered[member]) != len(covered[index]):
                            left_out = True
                            break
                if not overlaps:
                    group.append(index)
                    added = True
            if not added and not left_out:
                groups.append([index])
        return [tuple(group) for group in groups]

    def alteration(self, site: int, allele: str) -> str:
        """The name of `allele` at `site` by itself."""
        position = self.gene.positions[site]
        if allele == UNSEEN:
            return f"g.{position.position}?"
        for alt, hgvs in zip(position.alts, position.hgvs, strict=False):
            if alt == allele:
                return hgvs
        return f"g.{position.position}{position.ref}>{allele.removeprefix(position.ref + '>')}"


def diplotypes(table: Table, reading: Reading) -> list[tuple[Part, Part]]:
    """Every pair of parts of two strands that fit the pattern, of all its readings."""
    found = []
    for one, other in reading.strands():
        first = table.parts(one, reading.silent)
        if not reading.blocks:
            found += [(a, b) for index, a in enumerate(first) for b in first[index:]]
            continue
        second = table.parts(other, reading.silent)
        found += [(a, b) for a in first for b in second]
    return found


def written(table: Table, pairs: Sequence[tuple[Part, Part]], haploid: bool = False) -> list[tuple[str, int]]:
    """Names and scores of `pairs`, best first, then in the order of names. Haploid: each part once, alone."""
    if haploid:
        single = {a.name(table): a.score for pair in pairs for a in pair}
        return sorted(single.items(), key=lambda item: (-item[1], names.key(item[0])))
    found = []
    for a, b in pairs:
        first, second = sorted((a.name(table), b.name(table)), key=names.key)
        found.append((first, second, a.score + b.score))
    found.sort(key=lambda item: (-item[2], names.key(item[0]), names.key(item[1])))
    return [(f"{first}/{second}", score) for first, second, score in found]
