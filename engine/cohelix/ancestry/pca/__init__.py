"""Principal components of standardised genotypes, over packed blocks."""
