"""Loops of PC-Relate: arrays in, arrays out.

Sums are integers: a product of two floats is scaled, cut to an int64 and added. Sums then do not depend on the order of
sites, blocks or tasks, and the loops run eight sites at a time without being told that floats may be reordered.
Blocks are packed (`cohelix.genotypes.packed`): 0, 1, 2, and 3 for missing.
"""

from __future__ import annotations

import numpy as np

from cohelix.kernel import kernel, leaf, popcount

BLOCK_SITES = 256
"""Sites of one block of columns: those of two samples stay in the processor's first cache."""

COLUMN_SCALE = 2.0**18
SUM_SCALE = 2.0**36
"""One, in sums over pairs. A product is at most 4: 33 million sites fit, each to 2e-11."""

BASIS_SCALE = 2.0**40
"""One, in sums over samples of a row. |sum| <= 2 sqrt(samples): 17 million million samples fit."""

RESIDUAL, DEVIATION, DOMINANCE, FREQUENCY, OTHER = range(5)
"""Columns of a sample: g - 2 mu, sqrt(mu (1 - mu)), dominance coding, mu, 1 - mu; 0 where a site does not count."""

VALID, HOM_REF, HOM_ALT = range(3)
"""Planes of a sample: bits over the sites that count for it."""

LOW = np.uint64(0x5555555555555555)
ONE, THREE = np.uint64(1), np.uint64(3)
_CHUNK = 8
"""Words of a row that are decoded at once."""


@leaf
def decode_doses(row: np.ndarray, doses: np.ndarray) -> None:
    """Set `doses` float64 (32 * words,) to the genotypes of a packed row, 0 where one is missing."""
    for word in range(row.size):
        held = row[word]
        held ^= (held & (held >> ONE) & LOW) * THREE
        for place in range(32):
            doses[32 * word + place] = np.int64((held >> np.uint64(2 * place)) & THREE)


@leaf
def add_missing(row: np.ndarray, first: int, basis: np.ndarray, out: np.ndarray) -> int:
    """Add the columns of `basis` of a row's missing genotypes to `out` int64 (columns,). Returns how many are missing.

    first: sample of the row's first genotype.
    """
    count = 0
    for word in range(row.size):
        missing = row[word] & (row[word] >> ONE) & LOW
        count += popcount(missing)
        while missing:
            sample = first + 32 * word + popcount((missing & (~missing + ONE)) - ONE) // 2
            for column in range(basis.shape[0]):
                out[column] += np.int64(basis[column, sample])
            missing &= missing - ONE
    return count


@kernel
def project_rows(
    block: np.ndarray, basis: np.ndarray, sums: np.ndarray, absent: np.ndarray, counts: np.ndarray
) -> None:
    """Set `sums` int64 (rows, columns): over samples, genotype times basis; `absent` likewise: over missing, basis.

    basis: float64 (columns, 32 * words), scaled, 0 behind the last sample. counts: int64 (rows, 2): copies of the
    alternate allele, and missing genotypes.
    """
    doses = np.zeros(32 * _CHUNK, np.float64)
    sums[:] = 0
    absent[:] = 0
    counts[:] = 0
    for start in range(0, block.shape[1], _CHUNK):
        end = min(start + _CHUNK, block.shape[1])
        size = 32 * (end - start)
        for row in range(block.shape[0]):
            words = block[row, start:end]
            decode_doses(words, doses)
            copies = np.int64(0)
            for place in range(size):
                copies += np.int64(doses[place])
            counts[row, 0] += copies
            counts[row, 1] += add_missing(words, 32 * start, basis, absent[row])
            for column in range(basis.shape[0]):
                weights = basis[column, 32 * start : 32 * end]
                total = np.int64(0)
                for place in range(size):
                    total += np.int64(doses[place] * weights[place])
                sums[row, column] += total


@leaf
def fill_sample(genotypes: np.ndarray, mu: np.ndarray, floor: float, columns: np.ndarray, planes: np.ndarray) -> None:
    """Set a sample's `columns` float64 (5, sites) and `planes` uint64 (3, sites / 64) from its genotypes and mu."""
    ceiling = 1.0 - floor
    for site in range(mu.size):  # no branches: eight sites at a time
        value, frequency = genotypes[site], mu[site]
        keep = np.float64((value != 3) & (frequency > floor) & (frequency < ceiling))
        frequency = frequency if keep > 0.0 else 0.0
        other = keep - frequency
        columns[RESIDUAL, site] = (keep * value - 2.0 * frequency) * COLUMN_SCALE
        columns[DEVIATION, site] = np.sqrt(frequency * other) * COLUMN_SCALE
        columns[DOMINANCE, site] = (frequency * (value == 0) + other * (value == 2)) * COLUMN_SCALE
        columns[FREQUENCY, site] = frequency * COLUMN_SCALE
        columns[OTHER, site] = other
    for word in range(planes.shape[1]):
        valid, hom_ref, hom_alt = np.uint64(0), np.uint64(0), np.uint64(0)
        for place in range(64):
            site = 64 * word + place
            bit = np.uint64(columns[OTHER, site] > 0.0) << np.uint64(place)
            valid |= bit
            hom_ref |= bit * np.uint64(genotypes[site] == 0)
            hom_alt |= bit * np.uint64(genotypes[site] == 2)
        planes[VALID, word], planes[HOM_REF, word], planes[HOM_ALT, word] = valid, hom_ref, hom_alt


@kernel
def fill_columns(
    block: np.ndarray, basis: np.ndarray, coefficients: np.ndarray, floor: float,
    columns: np.ndarray, planes: np.ndarray, own: np.ndarray,
) -> None:  # fmt: skip
    """Set `columns` (samples, 5, sites) and `planes` (samples, 3, sites / 64); add to `own` int64 (samples, 2).

    block: packed, at most `BLOCK_SITES` rows. basis: float64 (samples, k); coefficients: float64 (k, BLOCK_SITES), NaN
    behind the block's last row, where nothing counts. mu is their product, and counts between `floor` and 1 - `floor`.
    own: sums of squared residuals, and of variances.
    """
    n_samples, n_sites = columns.shape[0], columns.shape[2]
    mu = np.empty(n_sites, np.float64)
    genotypes, words = np.zeros(n_sites, np.int64), np.zeros(n_sites, np.uint64)
    for sample in range(n_samples):
        if sample % 32 == 0:
            for site in range(block.shape[0]):
                words[site] = block[site, sample // 32]
        shift = np.uint64(2 * (sample % 32))
        for site in range(n_sites):
            genotypes[site] = np.int64((words[site] >> shift) & THREE)
            mu[site] = 0.0
        for column in range(basis.shape[1]):
            weight, line = basis[sample, column], coefficients[column]
            for site in range(n_sites):
                mu[site] += weight * line[site]
        fill_sample(genotypes, mu, floor, columns[sample], planes[sample])
        squared, variance = np.int64(0), np.int64(0)
        residual, deviation = columns[sample, RESIDUAL], columns[sample, DEVIATION]
        for site in range(n_sites):
            squared += np.int64(residual[site] * residual[site])
            variance += np.int64(deviation[site] * deviation[site])
        own[sample, 0] += squared
        own[sample, 1] += variance


@leaf
def add_pair(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """Add to `out` int64 (7,) the sums of `add_pairs` from the columns (5, sites) of two samples."""
    ra, sa, da, ma, ha = a[0], a[1], a[2], a[3], a[4]
    rb, sb, db, mb, hb = b[0], b[1], b[2], b[3], b[4]
    nothing = np.int64(0)
    rr, ss, dd, dv, vd, vv, opposite = nothing, nothing, nothing, nothing, nothing, nothing, nothing
    for site in range(a.shape[1]):
        first, second = ma[site] * hb[site], ha[site] * mb[site]
        rr += np.int64(ra[site] * rb[site])
        ss += np.int64(sa[site] * sb[site])
        dd += np.int64(da[site] * db[site])
        dv += np.int64(da[site] * (mb[site] * hb[site]))
        vd += np.int64((ma[site] * ha[site]) * db[site])
        vv += np.int64(first * second)
        opposite += np.int64(first * first + second * second)
    out[0] += rr
    out[1] += ss
    out[2] += dd
    out[3] += dv
    out[4] += vd
    out[5] += vv
    out[6] += opposite


@leaf
def add_pairs(columns: np.ndarray, planes: np.ndarray, pairs: np.ndarray, sums: np.ndarray, counts: np.ndarray) -> None:
    """Add a block's sites to each pair's `sums` int64 (pairs, 7) and `counts` int64 (pairs, 2).

    sums: over sites that count for both samples, of residuals r, deviations s, dominance d, variances v = mu (1 - mu):
    r r', s s', d d', d v', v d', v v', and mu^2 (1 - mu')^2 + (1 - mu)^2 mu'^2. counts: these sites, and those of them
    where the two are opposite homozygotes.
    """
    for pair in range(pairs.shape[0]):
        left, right = pairs[pair, 0], pairs[pair, 1]
        add_pair(columns[left], columns[right], sums[pair])
        both, opposite = 0, 0
        for word in range(planes.shape[2]):
            both += popcount(planes[left, VALID, word] & planes[right, VALID, word])
            opposite += popcount(
                (planes[left, HOM_REF, word] & planes[right, HOM_ALT, word])
                | (planes[left, HOM_ALT, word] & planes[right, HOM_REF, word])
            )
        counts[pair, 0] += both
        counts[pair, 1] += opposite
