"""Bit planes of samples, and counts over pairs of them.

A stretch is uint64 (samples, 3, words), 64 sites to a word, the first in the lowest bit: homozygous, homozygous for the
alternate allele, heterozygous. A missing genotype is in none of them, nor are places behind the last site.
Counts of a pair: IBS0 (opposite homozygotes), both heterozygous, only the first, only the second heterozygous with the
other homozygous.
"""

from __future__ import annotations

import numpy as np

from cohelix.kernel import leaf, popcount

IBS0, HET_HET, HET_HOM, HOM_HET, HOM_HOM = range(5)
"""Columns of counts of pairs; those of tiles lack the last."""

KINSHIP_START, KINSHIP_STEP, IBS0_STEP = -0.5, 0.01, 0.0025
"""Bins of histograms of pairs: row 0 holds at 0 those without a heterozygote, and so without kinship."""

_EVERY = np.uint64(0xFFFFFFFFFFFFFFFF)


@leaf
def transpose_bits(words: np.ndarray) -> None:
    """Exchange rows and columns of 64 x 64 bits: bit b of word w and bit w of word b. In place, in six rounds."""
    mask, step = np.uint64(0x00000000FFFFFFFF), 32
    while step:
        shift = np.uint64(step)
        for start in range(0, 64, 2 * step):
            for low in range(start, start + step):
                moved = ((words[low] >> shift) ^ words[low + step]) & mask
                words[low] ^= moved << shift
                words[low + step] ^= moved
        step >>= 1
        mask ^= mask << np.uint64(step)


@leaf
def split_planes(block: np.ndarray, first_word: int, room: np.ndarray, out: np.ndarray) -> None:
    """Set words of `out` (samples, 3, words) from `first_word` on to the rows of a packed block, 64 rows a word.

    room: uint64 (64,).
    """
    n_rows, n_samples = block.shape[0], out.shape[0]
    for word in range(block.shape[1]):
        for group in range((n_rows + 63) // 64):
            rows = min(64, n_rows - 64 * group)
            for row in range(rows):
                room[row] = block[64 * group + row, word]
            for row in range(rows, 64):
                room[row] = _EVERY  # as missing
            transpose_bits(room)
            for sample in range(32 * word, min(32 * word + 32, n_samples)):
                low, high = room[2 * (sample - 32 * word)], room[2 * (sample - 32 * word) + 1]
                out[sample, 0, first_word + group] = ~low
                out[sample, 1, first_word + group] = high & ~low
                out[sample, 2, first_word + group] = low & ~high


@leaf
def count_calls(stretch: np.ndarray, out: np.ndarray) -> None:
    """Add to `out` int64 (samples, 2) the called and the heterozygous genotypes of each sample."""
    for sample in range(stretch.shape[0]):
        hom = het = 0
        for word in range(stretch.shape[2]):
            hom += popcount(stretch[sample, 0, word])
            het += popcount(stretch[sample, 2, word])
        out[sample, 0] += hom + het
        out[sample, 1] += het


@leaf
def _pair(a: np.ndarray, b: np.ndarray, counts: np.ndarray) -> None:
    """Add the counts of one pair: planes (3, words) of two samples, counts int32 (4,)."""
    ibs0 = both = first = second = 0
    for word in range(a.shape[1]):
        hom, het, other_hom, other_het = a[0, word], a[2, word], b[0, word], b[2, word]
        ibs0 += popcount(hom & other_hom & (a[1, word] ^ b[1, word]))
        both += popcount(het & other_het)
        first += popcount(het & other_hom)
        second += popcount(hom & other_het)
    counts[0] += ibs0
    counts[1] += both
    counts[2] += first
    counts[3] += second


@leaf
def _four_pairs(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, upper: np.ndarray, lower: np.ndarray
) -> None:
    """Pairs ac, ad (upper, int32 (2, 4)) and bc, bd (lower): sixteen sums that stay in registers."""
    ac0 = ac1 = ac2 = ac3 = ad0 = ad1 = ad2 = ad3 = 0
    bc0 = bc1 = bc2 = bc3 = bd0 = bd1 = bd2 = bd3 = 0
    for word in range(a.shape[1]):
        a_hom, a_alt, a_het = a[0, word], a[1, word], a[2, word]
        b_hom, b_alt, b_het = b[0, word], b[1, word], b[2, word]
        hom, alt, het = c[0, word], c[1, word], c[2, word]
        ac0 += popcount(a_hom & hom & (a_alt ^ alt))
        ac1 += popcount(a_het & het)
        ac2 += popcount(a_het & hom)
        ac3 += popcount(a_hom & het)
        bc0 += popcount(b_hom & hom & (b_alt ^ alt))
        bc1 += popcount(b_het & het)
        bc2 += popcount(b_het & hom)
        bc3 += popcount(b_hom & het)
        hom, alt, het = d[0, word], d[1, word], d[2, word]
        ad0 += popcount(a_hom & hom & (a_alt ^ alt))
        ad1 += popcount(a_het & het)
        ad2 += popcount(a_het & hom)
        ad3 += popcount(a_hom & het)
        bd0 += popcount(b_hom & hom & (b_alt ^ alt))
        bd1 += popcount(b_het & het)
        bd2 += popcount(b_het & hom)
        bd3 += popcount(b_hom & het)
    _add(upper[0], ac0, ac1, ac2, ac3)
    _add(upper[1], ad0, ad1, ad2, ad3)
    _add(lower[0], bc0, bc1, bc2, bc3)
    _add(lower[1], bd0, bd1, bd2, bd3)


@leaf
def _add(counts: np.ndarray, ibs0: int, both: int, first: int, second: int) -> None:
    counts[0] += ibs0
    counts[1] += both
    counts[2] += first
    counts[3] += second


@leaf
def count_tile(rows: np.ndarray, columns: np.ndarray, counts: np.ndarray) -> None:
    """Add to `counts` int32 (rows, columns, 4) those of every pair of samples of two stretches.

    Two columns stay in the first cache while rows, which fit into the second, pass by.
    """
    whole_rows, whole_columns = rows.shape[0] & ~1, columns.shape[0] & ~1
    for column in range(0, whole_columns, 2):
        for row in range(0, whole_rows, 2):
            _four_pairs(
                rows[row], rows[row + 1], columns[column], columns[column + 1],
                counts[row, column : column + 2], counts[row + 1, column : column + 2],
            )  # fmt: skip
        for row in range(whole_rows, rows.shape[0]):
            _pair(rows[row], columns[column], counts[row, column])
            _pair(rows[row], columns[column + 1], counts[row, column + 1])
    for column in range(whole_columns, columns.shape[0]):
        for row in range(rows.shape[0]):
            _pair(rows[row], columns[column], counts[row, column])


@leaf
def _four_complete(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, upper: np.ndarray, lower: np.ndarray
) -> None:
    """As `_four_pairs` where no genotype is missing: the last two counts are left alone."""
    ac0 = ac1 = ad0 = ad1 = bc0 = bc1 = bd0 = bd1 = 0
    for word in range(a.shape[1]):
        a_hom, a_alt, a_het = a[0, word], a[1, word], a[2, word]
        b_hom, b_alt, b_het = b[0, word], b[1, word], b[2, word]
        hom, alt, het = c[0, word], c[1, word], c[2, word]
        ac0 += popcount(a_hom & hom & (a_alt ^ alt))
        ac1 += popcount(a_het & het)
        bc0 += popcount(b_hom & hom & (b_alt ^ alt))
        bc1 += popcount(b_het & het)
        hom, alt, het = d[0, word], d[1, word], d[2, word]
        ad0 += popcount(a_hom & hom & (a_alt ^ alt))
        ad1 += popcount(a_het & het)
        bd0 += popcount(b_hom & hom & (b_alt ^ alt))
        bd1 += popcount(b_het & het)
    _add(upper[0], ac0, ac1, -ac1, -ac1)
    _add(upper[1], ad0, ad1, -ad1, -ad1)
    _add(lower[0], bc0, bc1, -bc1, -bc1)
    _add(lower[1], bd0, bd1, -bd1, -bd1)


@leaf
def count_complete_tile(
    rows: np.ndarray, columns: np.ndarray, row_hets: np.ndarray, column_hets: np.ndarray, counts: np.ndarray
) -> None:
    """As `count_tile`, in half the time, where no sample misses a genotype. hets: int64, heterozygous ones of each."""
    whole_rows, whole_columns = rows.shape[0] & ~1, columns.shape[0] & ~1
    for column in range(0, whole_columns, 2):
        for row in range(0, whole_rows, 2):
            _four_complete(
                rows[row], rows[row + 1], columns[column], columns[column + 1],
                counts[row, column : column + 2], counts[row + 1, column : column + 2],
            )  # fmt: skip
    for column in range(whole_columns):
        for row in range(whole_rows):
            counts[row, column, 2] += row_hets[row]
            counts[row, column, 3] += column_hets[column]
        for row in range(whole_rows, rows.shape[0]):
            _pair(rows[row], columns[column], counts[row, column])
    for column in range(whole_columns, columns.shape[0]):
        for row in range(rows.shape[0]):
            _pair(rows[row], columns[column], counts[row, column])


@leaf
def count_pairs(stretch: np.ndarray, first: np.ndarray, second: np.ndarray, out: np.ndarray) -> None:
    """Add to `out` int64 (pairs, 5) the counts of pairs of a stretch's samples, both homozygous among them."""
    for pair in range(len(first)):
        i, j = first[pair], second[pair]
        ibs0 = both = left = right = homs = 0
        for word in range(stretch.shape[2]):
            hom, het = stretch[i, 0, word], stretch[i, 2, word]
            other_hom, other_het = stretch[j, 0, word], stretch[j, 2, word]
            ibs0 += popcount(hom & other_hom & (stretch[i, 1, word] ^ stretch[j, 1, word]))
            both += popcount(het & other_het)
            left += popcount(het & other_hom)
            right += popcount(hom & other_het)
            homs += popcount(hom & other_hom)
        _add(out[pair], ibs0, both, left, right)
        out[pair, 4] += homs


@leaf
def judge_tile(
    counts: np.ndarray, offset: int, row_calls: np.ndarray, column_calls: np.ndarray, row_places: np.ndarray,
    column_places: np.ndarray, slope: float, slack: float, histogram: np.ndarray, found: np.ndarray,
) -> int:  # fmt: skip
    """Which pairs of a tile may be related (`relatedness.screen`): rows and columns into `found`; returns how many.

    counts int32 (rows, columns, 4). offset: where the first row lies among the columns; only columns to the right of a
    row's own place are its pairs. calls float64: called genotypes of each sample, over the root of all sites, so that
    the product of two is about how many sites are called in both. places float64 (samples, k): where ancestry puts a
    sample; the squared distance of two, times their sites, is taken off their squared differences. Every pair is added
    to `histogram`.
    """
    n_found = 0
    last_kinship, last_ibs0 = float(histogram.shape[0] - 2), float(histogram.shape[1] - 1)
    of_ibs0, of_het, of_both = 16.0, (1 - slope) * (1 - slope), slope * slope
    for row in range(counts.shape[0]):
        for column in range(max(0, row + offset + 1), counts.shape[1]):
            ibs0, both = counts[row, column, 0], counts[row, column, 1]
            first, second = counts[row, column, 2], counts[row, column, 3]
            fewer, more = min(first, second), max(first, second)
            hets, different = both + fewer, 4 * ibs0 + fewer + more
            if hets == 0:
                histogram[0, 0] += 1
                continue
            sites = row_calls[row] * column_calls[column]
            kinship = (0.5 - KINSHIP_START - different / (4.0 * hets)) * (1 / KINSHIP_STEP)
            rate = ibs0 / sites * (1 / IBS0_STEP)
            histogram[1 + int(min(max(kinship, 0.0), last_kinship)), int(min(rate, last_ibs0))] += 1
            excess = different - slope * hets
            if row_places.shape[1] > 0:
                apart = 0.0
                for axis in range(row_places.shape[1]):
                    step = row_places[row, axis] - column_places[column, axis]
                    apart += step * step
                excess -= apart * sites
            if excess <= 0 or excess * excess <= slack * (of_ibs0 * ibs0 + of_het * fewer + more + of_both * both):
                found[n_found, 0] = row
                found[n_found, 1] = column
                n_found += 1
    return n_found
