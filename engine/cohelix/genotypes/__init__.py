"""Callsets: PGEN shards with their tables; PLINK and VCF in and out; counts."""
