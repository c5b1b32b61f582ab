"""Joint calling: gVCFs in, a call store kept, a callset out."""
