"""Scoring files: of the PGS Catalog and of others, one score to a file or thousands."""
