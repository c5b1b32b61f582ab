"""Releases: what each tier may see, made, signed, gated, withdrawn and compared."""
