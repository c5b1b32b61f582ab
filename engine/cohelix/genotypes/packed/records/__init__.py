"""The records of a PGEN file: unpacked to rows, or counted as they are."""
