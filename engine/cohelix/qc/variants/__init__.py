"""Quality control of variants: counts by group, tests, filters, selection."""
