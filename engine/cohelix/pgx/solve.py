"""The answer of each genotype pattern of a gene.

A gene without any genotype, or without one it cannot do without, has no call. DPYD and RYR1 have a way of their own
(`cohelix.pgx.matching.lowest_function`), the others are pairs of named alleles (`cohelix.pgx.matching.named`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cohelix.pgx.definition import Gene
from cohelix.pgx.genotype import NO_CALL, Genotypes
from cohelix.pgx.matching import lowest_function, named
from cohelix.pgx.matching.answers import Answer, Answers
from cohelix.pgx.patterns import Patterns, distinct
from cohelix.pgx.schema import CallParams

MISSING_REQUIRED = "missing-required-position"


@dataclass(frozen=True)
class Solved:
    """Patterns of n people and what they mean. answers: rows of ANSWERS. answer (m,) int32: of each pattern its row."""

    patterns: Patterns
    answers: pa.Table
    answer: np.ndarray


def solve(gene: Gene, genotypes: Genotypes, params: CallParams) -> Solved:
    """Which diplotypes each pattern among `genotypes` may be, every candidate with its score."""
    patterns = distinct(genotypes)
    return Solved(patterns, *answers_of(gene, patterns, params))


def answers_of(gene: Gene, patterns: Patterns, params: CallParams) -> tuple[pa.Table, np.ndarray]:
    """(answers, answer): rows of ANSWERS, and of each pattern its row."""
    codes = patterns.codes[: len(gene.positions)]
    answers = Answers(codes.shape[1])
    seen = (codes != NO_CALL).any(axis=0)
    answers.put(np.flatnonzero(~seen), Answer("no_data"))
    required = [site for site, position in enumerate(gene.positions) if position.position in gene.required]
    lacking = seen & (codes[required] == NO_CALL).any(axis=0)
    answers.put(np.flatnonzero(lacking), Answer("no_call_required_missing", warnings=(MISSING_REQUIRED,)))
    rest = np.flatnonzero(seen & ~lacking)
    if len(rest) and gene.method == "lowest_function":
        lowest_function.call_patterns(gene, patterns, rest, answers)
    elif len(rest):
        named.call_patterns(gene, patterns, rest, params, answers)
    return answers.table(), answers.answer
