"""Star-allele matching by writing out every strand a genotype may have: plain, exhaustive, exponential.

A strand is a tuple of allele texts, one a present site. Every named allele is held against every possible strand, and
two alleles are a candidate when they match two strands that together give the genotypes.
"""

from __future__ import annotations

from itertools import product

from cohelix.pgx.definition import IUPAC, Gene
from cohelix.pgx.genotype import ABSENT, MISSING


def candidates(gene: Gene, codes, phase, alleles) -> list[tuple[int, int, int]]:
    """(first, second, score) of every pair of alleles that fits one pattern, best first; second -1: haploid.

    codes, phase (P,): genotypes as `cohelix.pgx.genotype` has them. alleles: texts by site.
    """
    present = [site for site in range(len(gene.positions)) if int(codes[site]) != MISSING | MISSING << 4]
    genotypes = [(int(codes[site]) & 15, int(codes[site]) >> 4) for site in present]
    if not present or any(MISSING in pair for pair in genotypes):
        return []
    haploid = all(second == ABSENT for _, second in genotypes)
    if not haploid and any(second == ABSENT for _, second in genotypes):
        return []
    texts = [
        tuple(_text(gene, alleles, site, code) for code in (a, a if b == ABSENT else b))
        for site, (a, b) in zip(present, genotypes, strict=True)
    ]
    strands = _strands(texts, [int(phase[site]) for site in present])
    cells = _cells(gene, present)
    matching = {
        name: {strand for strand in strands if all(t in allowed for t, allowed in zip(strand, row, strict=True))}
        for name, row in cells.items()
    }
    matching = {name: found for name, found in matching.items() if found}
    if haploid:
        only = next(iter(strands))
        found = [(name, -1, _score(gene, name, present, [only])) for name in matching]
    else:
        found = []
        for a in sorted(matching):
            for b in sorted(matching):
                if a > b:
                    continue
                scores = [
                    _pair_score(gene, a, b, one, other, matching, present)
                    for one in matching[a]
                    for other in matching[b]
                    if _complement(one, other, texts)
                ]
                if scores:
                    found.append((a, b, max(scores)))
    return sorted(found, key=lambda item: (-item[2], item[0], item[1]))


def _text(gene: Gene, alleles, site: int, code: int) -> str:
    if gene.undocumented_as_reference and code > len(gene.positions[site].alts):
        return gene.positions[site].ref
    return alleles[site][code] if code < len(alleles[site]) else f"unknown{code}"


def _strands(texts, phases) -> set[tuple[str, ...]]:
    """Every strand that one of the two may be: unphased sites turn by themselves, those of a block together."""
    blocks = []
    for site, (pair, phase) in enumerate(zip(texts, phases, strict=True)):
        kind = "same" if pair[0] == pair[1] else "alone" if phase == 0 else "block"
        blocks.append((kind, {"same": 0, "alone": site, "block": phase}[kind]))
    found = set()
    names = sorted(set(blocks))
    for turns in product((0, 1), repeat=len(names)):
        turn = dict(zip(names, turns, strict=True))
        found.add(tuple(pair[turn[block]] for pair, block in zip(texts, blocks, strict=True)))
    return found


def _cells(gene: Gene, present) -> dict[int, list[frozenset[str]]]:
    """By allele with a stated cell, the texts it allows at each present site."""
    reference = gene.reference_allele
    found = {}
    for index, allele in enumerate(gene.alleles):
        if not any(allele.cells[site] is not None for site in present):
            continue
        row = []
        for site in present:
            cell = allele.cells[site]
            if cell is None:
                default = reference.cells[site]
                cell = gene.positions[site].ref if default is None or _is_wobble(default) else default
            row.append(frozenset(IUPAC[cell]) if _is_wobble(cell) else frozenset([cell]))
        found[index] = row
    return found


def _is_wobble(cell: str) -> bool:
    return len(cell) == 1 and cell not in "ACGT"


def _complement(one, other, texts) -> bool:
    return all((a == b) == (pair[0] == pair[1]) for a, b, pair in zip(one, other, texts, strict=True))


def _score(gene: Gene, allele: int, present, strands) -> int:
    """Stated cells, less those wobbles at which all of `strands` have REF."""
    cells = gene.alleles[allele].cells
    score = sum(cells[site] is not None for site in present)
    for place, site in enumerate(present):
        cell = cells[site]
        if cell is not None and _is_wobble(cell):
            score -= all(strand[place] == gene.positions[site].ref for strand in strands)
    return score


def _pair_score(gene: Gene, a: int, b: int, one, other, matching, present) -> int:
    if a == b:
        return _score(gene, a, present, [one]) + _score(gene, b, present, [other])
    both = {one, other}
    return _score(gene, a, present, list(both & matching[a])) + _score(gene, b, present, list(both & matching[b]))
