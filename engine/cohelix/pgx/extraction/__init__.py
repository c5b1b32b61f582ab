"""Genotypes at the positions of pharmacogenes, out of a VCF or BCF, a PLINK fileset or a callset."""
