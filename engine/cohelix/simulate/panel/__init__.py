"""Founder haplotypes: what all people of a cohort are mosaics of, made region by region."""
