"""Made cohorts, each with its truth."""
