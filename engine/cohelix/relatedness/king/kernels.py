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

WORDS = 16
LANES = 32 * WORDS
"""Samples of a block whose gaps are counted together, and the words of its packed rows."""

_EVERY, _ONE = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(1)
_BYTES = np.uint64(0x0101010101010101)


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
def _two(a: np.ndarray, b: np.ndarray, counts: np.ndarray) -> None:
    """Add the first two counts of one pair."""
    ibs0 = both = 0
    for word in range(a.shape[1]):
        ibs0 += popcount(a[0, word] & b[0, word] & (a[1, word] ^ b[1, word]))
        both += popcount(a[2, word] & b[2, word])
    counts[0] += ibs0
    counts[1] += both


@leaf
def _two_of_four(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, upper: np.ndarray, lower: np.ndarray
) -> None:
    """Add the first two counts of pairs ac, ad (upper, int32 (2, 4)) and bc, bd (lower)."""
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
    upper[0, 0] += ac0
    upper[0, 1] += ac1
    upper[1, 0] += ad0
    upper[1, 1] += ad1
    lower[0, 0] += bc0
    lower[0, 1] += bc1
    lower[1, 0] += bd0
    lower[1, 1] += bd1


@leaf
def count_two_tile(rows: np.ndarray, columns: np.ndarray, counts: np.ndarray) -> None:
    """Add to `counts` int32 (rows, columns, 4) the first two of every pair, in half the time of `count_tile`.

    The other two follow from the heterozygotes of each sample and `count_gaps`: see `settle_tile`.
    """
    whole_rows, whole_columns = rows.shape[0] & ~1, columns.shape[0] & ~1
    for column in range(0, whole_columns, 2):
        for row in range(0, whole_rows, 2):
            _two_of_four(
                rows[row], rows[row + 1], columns[column], columns[column + 1],
                counts[row, column : column + 2], counts[row + 1, column : column + 2],
            )  # fmt: skip
        for row in range(whole_rows, rows.shape[0]):
            _two(rows[row], columns[column], counts[row, column])
            _two(rows[row], columns[column + 1], counts[row, column + 1])
    for column in range(whole_columns, columns.shape[0]):
        for row in range(rows.shape[0]):
            _two(rows[row], columns[column], counts[row, column])


@leaf
def list_gaps(planes: np.ndarray, n_sites: int, starts: np.ndarray, out: np.ndarray) -> None:
    """Set out[starts[s] : starts[s + 1]] of uint16 `out` to the sites of a stretch that sample s misses, in order."""
    for sample in range(planes.shape[0]):
        at = starts[sample]
        for word in range(planes.shape[2]):
            gaps = ~(planes[sample, 0, word] | planes[sample, 2, word])
            left = n_sites - 64 * word
            if left < 64:
                gaps &= (_ONE << np.uint64(left)) - _ONE
            while gaps:
                out[at] = 64 * word + popcount((gaps & (~gaps + _ONE)) - _ONE)
                gaps &= gaps - _ONE
                at += 1


@leaf
def _hets(word: np.uint64) -> np.uint64:
    """A bit for each heterozygote of a packed word, at the lower of its two bits; other bits are rubbish."""
    return word & ~(word >> _ONE)


@leaf
def count_gaps(
    starts: np.ndarray, gaps: np.ndarray, rows: np.ndarray, lanes: np.ndarray, lane_bytes: np.ndarray, out: np.ndarray
) -> None:
    """Add to `out` int32 (samples, LANES) the sites that a sample misses and another is heterozygous at.

    starts, gaps: of `list_gaps`, starts (samples + 1,) of these samples only. rows: packed rows (sites, WORDS) of the
    others, which are counted in the order of `lane_of`. lanes: uint64 (4, WORDS) of zeros, and its bytes, which count
    to 255.
    """
    for sample in range(out.shape[0]):
        at, end, held = starts[sample], starts[sample + 1], 0
        while at < end:
            if at + 4 <= end:
                a, b, c, d = rows[gaps[at]], rows[gaps[at + 1]], rows[gaps[at + 2]], rows[gaps[at + 3]]
                for part in range(WORDS):
                    one, two, three, four = _hets(a[part]), _hets(b[part]), _hets(c[part]), _hets(d[part])
                    for lane in range(4):
                        shift = np.uint64(2 * lane)
                        more = ((one >> shift) & _BYTES) + ((two >> shift) & _BYTES)
                        lanes[lane, part] += more + ((three >> shift) & _BYTES) + ((four >> shift) & _BYTES)
                at += 4
            else:
                for part in range(WORDS):
                    one = _hets(rows[gaps[at], part])
                    for lane in range(4):
                        lanes[lane, part] += (one >> np.uint64(2 * lane)) & _BYTES
                at += 1
            held += 4
            if held > 255 - 4:
                _empty_lanes(lane_bytes, out[sample])
                held = 0
        _empty_lanes(lane_bytes, out[sample])


@leaf
def _empty_lanes(lane_bytes: np.ndarray, out: np.ndarray) -> None:
    for lane in range(LANES):
        out[lane] += np.int32(lane_bytes[lane])
        lane_bytes[lane] = 0


@leaf
def lane_of(sample: int) -> int:
    """Where `count_gaps` counts the sample of this place in a block of LANES."""
    return 8 * WORDS * (sample % 4) + 8 * (sample // 32) + sample % 32 // 4


@leaf
def settle_tile(
    counts: np.ndarray, row_hets: np.ndarray, column_hets: np.ndarray, row_gaps: np.ndarray, column_gaps: np.ndarray,
    first_row: int,
) -> None:  # fmt: skip
    """Set the last two of `counts` int32 (rows, columns, 4) from the first two.

    hets: int64, heterozygous genotypes of each sample. row_gaps int32 (rows, LANES): what a row misses where a column
    is heterozygous; column_gaps (columns, LANES) the reverse, rows beginning at `first_row` of their block.
    """
    for row in range(counts.shape[0]):
        own = lane_of(first_row + row)
        for column in range(counts.shape[1]):
            both = counts[row, column, 1]
            counts[row, column, 2] = row_hets[row] - both - column_gaps[column, own]
            counts[row, column, 3] = column_hets[column] - both - row_gaps[row, lane_of(column)]


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
    column_places: np.ndarray, slope: float, slack: float, histogram: np.ndarray, ibs0_sum: np.ndarray,
    found: np.ndarray,
) -> int:  # fmt: skip
    """Which pairs of a tile may be related (`relatedness.screen`): rows and columns into `found`; returns how many.

    counts int32 (rows, columns, 4). offset: where the first row lies among the columns; only columns to the right of a
    row's own place are its pairs. calls float64: called genotypes of each sample, over the root of all sites, so that
    the product of two is about how many sites are called in both. places float64 (samples, k): where ancestry puts a
    sample; the squared distance of two, times their sites, is taken off their squared differences. Every pair is added
    to `histogram`, and its IBS0 to `ibs0_sum` int64 (1,).
    """
    n_found = total = 0
    last_kinship, last_ibs0 = float(histogram.shape[0] - 2), float(histogram.shape[1] - 1)
    of_ibs0, of_het, of_both = 16.0, (1 - slope) * (1 - slope), slope * slope
    for row in range(counts.shape[0]):
        for column in range(max(0, row + offset + 1), counts.shape[1]):
            ibs0, both = counts[row, column, 0], counts[row, column, 1]
            first, second = counts[row, column, 2], counts[row, column, 3]
            total += ibs0
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
    ibs0_sum[0] += total
    return n_found
