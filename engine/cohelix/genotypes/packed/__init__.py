"""Hard calls at two bits each, straight from PGEN: read, counted by group, tallied by sample.

A packed block is a C-contiguous uint64 array (variants, words), 32 genotypes a word: that of sample s is
`(row[s // 32] >> 2 * (s % 32)) & 3`, copies 0, 1 or 2 of the alternate allele, 3 where it is missing. Places behind
the last sample are 0.
"""
