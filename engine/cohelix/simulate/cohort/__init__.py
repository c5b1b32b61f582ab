"""A whole cohort: the stages in order, block by block of its people."""
