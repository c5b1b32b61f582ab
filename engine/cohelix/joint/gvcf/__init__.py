"""Reading single-sample gVCFs: BGZF blocks, headers, indexes, records as columns."""
