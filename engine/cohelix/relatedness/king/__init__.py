"""KING-robust kinship from bit planes: counts of every pair of samples, or of chosen ones."""
