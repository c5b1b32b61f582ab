"""Rows of scoring files that are no single variant: interactions and APOE are scored, the others are told why not."""
