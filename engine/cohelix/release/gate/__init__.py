"""The gate: whoever reads above Public shows a grant, at every read, and the read is written down."""
