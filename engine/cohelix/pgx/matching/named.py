"""Genes that are called by pairs of named alleles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cohelix.pgx.definition import Gene
from cohelix.pgx.matching import priorities, slco1b1, strands
from cohelix.pgx.matching.answers import Answer, Answers
from cohelix.pgx.matching.combinations import CAP, Table, diplotypes, written
from cohelix.pgx.matching.grouping import grouped, mixed
from cohelix.pgx.matching.pairs import Pairs, match_pairs
from cohelix.pgx.patterns import Patterns
from cohelix.pgx.schema import CallParams

TOO_MANY = "combination-cap"


def call_patterns(gene: Gene, patterns: Patterns, rest: np.ndarray, params: CallParams, answers: Answers) -> None:
    """Answer the patterns `rest` (indices)."""
    if params.combinations:
        gene = replace(gene, undocumented_as_reference=False)
    codes = patterns.codes[: len(gene.positions), rest]
    pairs = match_pairs(gene, patterns)
    half = strands.is_half(codes)
    found = (np.diff(pairs.start)[rest] > 0) & ~half
    _put_pairs(gene, patterns, pairs, rest[found], answers)
    left, codes, half = rest[~found], codes[:, ~found], half[~found]
    if params.combinations:
        mixed_copies = strands.is_mixed(codes)  # it is not known of how many strands
        answers.put(left[mixed_copies], Answer("no_call_half_genotype"))
        for pattern in left[~mixed_copies].tolist():
            answers.put(np.array([pattern]), _combined(gene, patterns, pattern, params.max_combinations))
        return
    if gene.undocumented_as_reference:
        unknown = np.zeros(len(left), dtype=bool)
    else:
        unknown = strands.is_undocumented(gene, codes)
    for status, these in (
        ("no_call_half_genotype", half),
        ("no_call_undocumented", ~half & unknown),
        ("no_call_no_match", ~half & ~unknown),
    ):
        _put_no_call(gene, patterns, status, left[these], answers)


def _put_no_call(gene: Gene, patterns: Patterns, status: str, these: np.ndarray, answers: Answers) -> None:
    at = slco1b1.site(gene)
    if at is None:
        answers.put(these, Answer(status))
        return
    codes = patterns.codes[at][these]
    for code in np.unique(codes).tolist():
        known = slco1b1.alleles(gene, at, code, patterns.alleles[at])
        answer = Answer(status, haplotypes=known, warnings=(slco1b1.WARNING,) if known else ())
        answers.put(these[codes == code], answer)


def _put_pairs(gene: Gene, patterns: Patterns, pairs: Pairs, these: np.ndarray, answers: Answers) -> None:
    """Answers of patterns that have candidates, one a distinct list of candidates."""
    if not len(these):
        return
    start, count = pairs.start[these], np.diff(pairs.start)[these]
    place = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    entry = np.repeat(start, count) + place
    first, second, score = pairs.first[entry], pairs.second[entry], pairs.score[entry]
    unphased = np.zeros(len(these), dtype=bool)
    if gene.priorities:
        sites = slice(0, len(gene.positions))
        unphased = strands.n_blocks(patterns.codes[sites, these], patterns.phase[sites, these]) > 1
    offset = np.cumsum(count) - count
    word = mixed(
        mixed((first.astype(np.int64) << 32 | (second.astype(np.int64) + 1)).astype(np.uint64))
        + mixed(score.astype(np.uint64) << np.uint64(20) | place.astype(np.uint64))
    )
    keys = np.add.reduceat(word, offset) + unphased.astype(np.uint64)

    def same(those: np.ndarray, others: np.ndarray) -> np.ndarray:
        equal: np.ndarray = (count[those] == count[others]) & (unphased[those] == unphased[others])
        at = np.repeat(offset[those], count[those]) + place
        other = np.minimum(np.repeat(offset[others], count[those]) + place, len(first) - 1)
        differs = (first[at] != first[other]) | (second[at] != second[other]) | (score[at] != score[other])
        return equal & ~np.logical_or.reduceat(differs, offset)

    members, group = grouped(keys, same)
    names = [gene.suballeles.get(allele.name, allele.name) for allele in gene.alleles]
    rows = np.empty(len(members), dtype=np.int32)
    for index, member in enumerate(members.tolist()):
        span = slice(int(offset[member]), int(offset[member] + count[member]))
        rows[index] = answers.row(
            _of_pairs(
                gene, names, first[span].tolist(), second[span].tolist(), score[span].tolist(), bool(unphased[member])
            )
        )
    answers.answer[these] = rows[group]


def _of_pairs(
    gene: Gene, names: list[str], first: list[int], second: list[int], score: list[int], unphased: bool
) -> Answer:
    texts = [names[a] if b < 0 else f"{names[a]}/{names[b]}" for a, b in zip(first, second, strict=True)]
    n_top = sum(value == score[0] for value in score)
    warnings: tuple[str, ...] = ()
    if unphased:
        pick = priorities.picked(gene, texts)
        n_top = len(texts)
        if pick is not None:
            at = texts.index(pick)
            texts.insert(0, texts.pop(at))
            score.insert(0, score.pop(at))
            n_top, warnings = 1, (priorities.WARNING,)
    return Answer("called" if n_top == 1 else "ambiguous", tuple(texts), tuple(score), n_top, (), warnings)


def _combined(gene: Gene, patterns: Patterns, pattern: int, most: int) -> Answer:
    """The answer of a pattern that no pair of named alleles fits, from combinations and parts."""
    sites = slice(0, len(gene.positions))
    reading = strands.read(gene, patterns.codes[sites, pattern], patterns.phase[sites, pattern], patterns.alleles)
    if reading.readings > min(most, CAP):
        return Answer("too_many_combinations", warnings=(TOO_MANY,))
    found = written(table := Table(gene, gene.no_combination), diplotypes(table, reading), reading.haploid)
    if len(found) > most:
        return Answer("too_many_combinations", warnings=(TOO_MANY,))
    texts, scores = tuple(text for text, _ in found), tuple(score for _, score in found)
    return Answer("called" if len(found) == 1 else "ambiguous", texts, scores, len(found))
