"""Which pairs of named alleles a genotype pattern can be."""
