"""Calibration of scores across ancestries: percentiles in the most similar group, Z_norm1 and Z_norm2."""
