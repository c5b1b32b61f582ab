"""The report of quality control: aggregates only."""
