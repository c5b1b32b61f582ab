"""Matrices of the controlled tier, and what was computed from them, by the tier's person ids."""

from cohelix.release.matrix.controlled import controlled

__all__ = ["controlled"]
