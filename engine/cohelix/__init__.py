"""cohelix: joint calling and cohort genomics on open formats, on a laptop or on Spark."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("cohelix")
except PackageNotFoundError:  # a source tree on the path, not installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
