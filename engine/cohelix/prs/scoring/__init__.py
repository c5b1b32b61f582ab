"""Thousands of scores in one pass over packed genotypes."""
