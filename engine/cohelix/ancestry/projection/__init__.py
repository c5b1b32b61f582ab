"""Placing people among the components of others: projection, its shrinkage, and who is unlike all of the reference."""
