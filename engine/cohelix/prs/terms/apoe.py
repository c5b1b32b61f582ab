"""The alleles e2, e3 and e4 of APOE, from the SNPs that make them: rs429358 (codon 112) and rs7412 (codon 158).

    e2: rs429358 T, rs7412 T        e3: T, C        e4: C, C        e1: C, T

Without phase, two heterozygotes are e2/e4 or e1/e3. e1 has been seen in a few families of the world, and the pair is
taken for e2/e4, as everybody does. e1 is there only where the number of C and T leaves no other choice.
"""

from __future__ import annotations

import re

import numpy as np

POSITIONS = {"GRCh37": (45_411_941, 45_412_079), "GRCh38": (44_908_684, 44_908_822)}
"""Of rs429358 and rs7412 on chromosome 19 (dbSNP), by build."""

_PAIRS = ((2, 2), (2, 3), (2, 4), (3, 3), (3, 4), (4, 4))
_NAME = re.compile(r"(?:apoe)?[\s_*\-]*(?:e|ε|epsilon)[\s_\-]*([234])", re.IGNORECASE)
_ALLELES = 3
"""e2, e3, e4: columns 0 to 2 of counts."""


def named(text: str) -> tuple[int, ...] | None:
    """(4,) of "APOE_e4", (2, 4) of "APOE_e2/e4"; None where the text names no allele and no pair."""
    pieces = [_NAME.fullmatch(piece.strip()) for piece in re.split(r"[/|;]", text.strip())]
    if not 1 <= len(pieces) <= 2 or not all(pieces):
        return None
    return tuple(sorted(int(piece[1]) for piece in pieces if piece))


def variants(build: str) -> tuple[tuple[str, int, str, str], tuple[str, int, str, str]]:
    """(chromosome, position, counted allele, other allele): C of rs429358 and T of rs7412."""
    first, second = POSITIONS[build]
    return ("19", first, "C", "T"), ("19", second, "T", "C")


def counts(c: np.ndarray, t: np.ndarray) -> np.ndarray:
    """float64 (samples, 3): copies of e2, e3 and e4. c: of C at rs429358, t: of T at rs7412; both called."""
    e1 = np.maximum(0.0, c + t - 2.0)
    return np.column_stack([t - e1, 2.0 - c - t + e1, c - e1])


def value(alleles: tuple[int, ...], copies: np.ndarray) -> np.ndarray:
    """float64 (samples,): copies of an allele, or 1 for carriers of a pair. copies: as `counts` gives them."""
    if len(alleles) == 1:
        return np.asarray(copies[:, alleles[0] - 2], np.float64)
    return np.asarray((copies == _of_pair(alleles)).all(axis=1), np.float64)


def expected(alleles: tuple[int, ...], c: np.ndarray, t: np.ndarray, f_c: np.ndarray, f_t: np.ndarray) -> np.ndarray:
    """float64 (samples,): what `value` is on average where c, t or both are missing (NaN).

    f_c, f_t: frequencies of C and T. Two chromosomes are drawn from e2 (f_t), e4 (f_c) and e3 (the rest), of those
    pairs that what is called leaves open.
    """
    share = np.column_stack([f_t, np.maximum(0.0, 1.0 - f_c - f_t), f_c])
    share = np.maximum(share, 1e-12)  # a pair that is called has been seen, whatever the frequencies say
    total, sums = np.zeros(len(c)), np.zeros(len(c))
    for pair in _PAIRS:
        own = _of_pair(pair)
        chance = share[:, pair[0] - 2] * share[:, pair[1] - 2] * (1.0 if pair[0] == pair[1] else 2.0)
        chance = np.where(np.isnan(c) | (c == own[2]), chance, 0.0)
        chance = np.where(np.isnan(t) | (t == own[0]), chance, 0.0)
        total += chance
        sums += chance * value(alleles, own[None, :])
    return sums / total


def _of_pair(pair: tuple[int, ...]) -> np.ndarray:
    return np.bincount(np.array(pair) - 2, minlength=_ALLELES).astype(np.float64)
