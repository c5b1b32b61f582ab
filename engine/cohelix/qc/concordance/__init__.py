"""Whether an array and a genome are of one person."""
