"""Genotype patterns, plainly: what is the same in two people whichever strand is written first."""

from __future__ import annotations

from cohelix.pgx.genotype import ABSENT, MISSING, OTHER


def pattern_of(codes, phase, alleles) -> tuple:
    """One person's genotypes (P,), equal for two people exactly when these are the same.

    Homozygous genotypes by site; unphased ones as sets; a block of phased ones as the set of its two strands. Half a
    genotype is as if phased.
    """
    alone, blocks, phases = [], {}, []
    for site, code in enumerate(int(c) for c in codes):
        pair = tuple(_text(alleles[site], c) for c in (code & 15, code >> 4))
        block = int(phase[site] if phase.shape[0] > 1 else phase[0])
        if code != MISSING | MISSING << 4:
            phases.append(block)
        if "." in pair:
            block = 1
        if pair[0] == pair[1] or block == 0:
            alone.append((site, tuple(sorted(pair))))
        else:
            blocks.setdefault(block, []).append((site, pair))
    strands = {
        (block > 1, frozenset(tuple((site, pair[side]) for site, pair in found) for side in (0, 1)))
        for block, found in blocks.items()
    }
    return tuple(alone), frozenset(strands), bool(phases) and all(phases), any(block > 1 for block in phases)


def _text(texts, code: int) -> str:
    return {OTHER: "?", ABSENT: "", MISSING: "."}.get(code) or ("" if code == ABSENT else texts[code])
