"""Loops over fingerprints: 2-bit genotypes, 32 samples to a word (0, 1, 2 alternate copies, 3 missing)."""

from __future__ import annotations

import numpy as np

from cohelix.kernel import kernel


@kernel
def thin(order: np.ndarray, contig: np.ndarray, position: np.ndarray, distance: int, limit: int) -> np.ndarray:
    """Of sites sorted by (contig, position), at most `limit`, taken in `order`, none closer than `distance` bases.

    Returns the indexes of the sites taken, sorted.
    """
    n = len(position)
    taken = np.zeros(n, np.bool_)
    count = 0
    for site in order:
        if count == limit:
            break
        free = True
        for step in (-1, 1):
            near = site + step
            while (
                free
                and 0 <= near < n
                and contig[near] == contig[site]
                and abs(position[near] - position[site]) < distance
            ):
                free = not taken[near]
                near += step
        if free:
            taken[site] = True
            count += 1
    return np.flatnonzero(taken)


@kernel
def pack(block: np.ndarray, flip: np.ndarray, out: np.ndarray) -> None:
    """int8 block (sites, samples; -9 missing) into uint64 `out` (sites, words), which is overwritten.

    In rows where `flip`, copies are counted of the other allele.
    """
    for row in range(block.shape[0]):
        out[row, :] = np.uint64(0)
        for sample in range(block.shape[1]):
            genotype = block[row, sample]
            code = np.uint64(3)
            if genotype >= 0:
                code = np.uint64(2 - genotype) if flip[row] else np.uint64(genotype)
            out[row, sample >> 5] |= code << np.uint64(2 * (sample & 31))


@kernel
def unpack(words: np.ndarray, samples: np.ndarray, out: np.ndarray) -> None:
    """Genotypes (sites, len(samples)) of the chosen samples into int8 `out`; 3 is missing."""
    for row in range(words.shape[0]):
        for place in range(len(samples)):
            sample = samples[place]
            out[row, place] = np.int8((words[row, sample >> 5] >> np.uint64(2 * (sample & 31))) & np.uint64(3))


@kernel
def weigh(genotypes: np.ndarray, scores: np.ndarray, out: np.ndarray) -> None:
    """out[sample, 3 * site + g] = scores[site, 4 * genotype of the sample + g]: what a candidate with g would score.

    genotypes int8 (sites, samples; 3 missing), scores int64 (sites, 16), out float32 (samples, 3 * sites).
    """
    for sample in range(genotypes.shape[1]):
        for site in range(genotypes.shape[0]):
            cell = 4 * genotypes[site, sample]
            for other in range(3):
                out[sample, 3 * site + other] = scores[site, cell + other]


@kernel
def compare_pairs(
    arrays: np.ndarray, wgs: np.ndarray, left: np.ndarray, right: np.ndarray, scores: np.ndarray, tables: np.ndarray,
    sums: np.ndarray,
) -> None:  # fmt: skip
    """Add, for pair p of sample left[p] of `arrays` and right[p] of `wgs`, over all sites:

    one to tables[p, 4 * array genotype + genome genotype], and scores[site, model, that cell] to sums[p, model].
    Words are uint64 (sites, words), scores int64 (sites, models, 16), tables and sums int64.
    """
    for site in range(arrays.shape[0]):
        for pair in range(len(left)):
            a, w = left[pair], right[pair]
            of_array = (arrays[site, a >> 5] >> np.uint64(2 * (a & 31))) & np.uint64(3)
            of_wgs = (wgs[site, w >> 5] >> np.uint64(2 * (w & 31))) & np.uint64(3)
            cell = np.int64(of_array) * 4 + np.int64(of_wgs)
            tables[pair, cell] += 1
            for model in range(scores.shape[1]):
                sums[pair, model] += scores[site, model, cell]


@kernel
def keep_best(scores: np.ndarray, first: int, best_scores: np.ndarray, best_rows: np.ndarray) -> None:
    """Merge a block of int64 scores (queries, candidates first, first + 1, ...) into the best kept for each query.

    `best_scores` and `best_rows` (queries, kept) are sorted by falling score, then by row; row -1 is a free place.
    The outcome is the same however the candidates are cut into blocks, and in which order the blocks come.
    """
    kept = best_scores.shape[1]
    for query in range(scores.shape[0]):
        for candidate in range(scores.shape[1]):
            score, row = scores[query, candidate], first + candidate
            place = kept
            while place > 0:
                held, held_row = best_scores[query, place - 1], best_rows[query, place - 1]
                if held_row >= 0 and (held > score or (held == score and held_row < row)):
                    break
                place -= 1
            if place == kept:
                continue
            for later in range(kept - 1, place, -1):
                best_scores[query, later] = best_scores[query, later - 1]
                best_rows[query, later] = best_rows[query, later - 1]
            best_scores[query, place] = score
            best_rows[query, place] = row
