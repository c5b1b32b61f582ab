"""Reads of the genotypes that carry a common SNP, noted while a batch is called, summed when the row's frequency is
known.
"""

from __future__ import annotations

import numpy as np

from cohelix.joint.schema import CHARR_DEPTHS, CHARR_MIN_GQ, CONTAMINATION_DEPTHS, MIN_ALT_SHARE, SAMPLE_COUNTS
from cohelix.kernel import kernel, leaf

_CHARR_SUM, _CHARR = SAMPLE_COUNTS.index("charr_sum_nano"), SAMPLE_COUNTS.index("n_charr")
_MOST = 255


@leaf
def note(row: int, cell: int, gq: int, dp: int, ref_reads: int, reads: int) -> int:
    """A genotype at a lone autosomal SNP in one number, or -1 where nothing will ask for it.

    From the right: whether CHARR takes it (1 bit), reads of the alternate (8), of the reference (8), row.
    """
    if not (cell == 1 or cell == 2) or not 0 <= ref_reads <= _MOST or not 0 <= reads <= _MOST:
        return -1
    charr = cell == 2 and gq >= CHARR_MIN_GQ and CHARR_DEPTHS[0] <= dp <= CHARR_DEPTHS[1] and ref_reads + reads > 0
    if not charr and not CONTAMINATION_DEPTHS[0] <= ref_reads + reads <= CONTAMINATION_DEPTHS[1]:
        return -1
    return (int(row) << 17) | (int(ref_reads) << 9) | (int(reads) << 1) | int(charr)


@leaf
def place_of(ref_reads: int, n: int) -> int:
    """Where the table of likelihoods has `ref_reads` of `n` reads: those of fewer reads come before."""
    low = CONTAMINATION_DEPTHS[0]
    return (n - low) * (n + low + 1) // 2 + ref_reads


@kernel
def sum_reads(
    noted: np.ndarray, at: np.ndarray, ac: np.ndarray, an: np.ndarray, bins: np.ndarray, table: np.ndarray,
    counts: np.ndarray, sums: np.ndarray,
) -> None:  # fmt: skip
    """Add CHARR to counts (samples, SAMPLE_COUNTS) and log-likelihoods to sums (samples, 1 + CONTAMINATION_SUMS).

    noted: by sample, at (samples + 1,). ac, an (rows,) int64; bins (rows,): bin of the frequency, -1 for a row that is
    not common. table (reads, bins, CONTAMINATION_SUMS) int32. sums: genotypes, then what the table says; int64.
    """
    for s in range(at.size - 1):
        for i in range(at[s], at[s + 1]):
            row, ref_reads, reads = noted[i] >> 17, (noted[i] >> 9) & _MOST, (noted[i] >> 1) & _MOST
            if bins[row] < 0:
                continue
            if noted[i] & 1:
                share = ref_reads / (ref_reads + reads)
                counts[s, _CHARR_SUM] += np.int64(np.rint(1e9 * (share / (1.0 - ac[row] / an[row]))))
                counts[s, _CHARR] += 1
            n = ref_reads + reads
            if CONTAMINATION_DEPTHS[0] <= n <= CONTAMINATION_DEPTHS[1] and reads >= MIN_ALT_SHARE * n:
                line = table[place_of(ref_reads, n), bins[row]]
                sums[s, 0] += 1
                for a in range(line.size):
                    sums[s, 1 + a] += line[a]
