"""cohelix: joint calling and cohort genomics on open formats, on a laptop or on Spark."""

__version__ = "0.1.0"

__all__ = ["__version__"]
