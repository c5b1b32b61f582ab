"""Who is related to whom: KING-robust, PC-Relate, degrees, families, and an unrelated set."""
