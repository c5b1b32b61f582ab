"""Quality control of whole-genome samples."""
