"""Counts of the records of a PGEN file, straight from their bytes."""
