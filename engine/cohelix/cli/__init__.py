"""The command line: one file per noun. No heavy import at module level, so that `--help` answers at once."""
