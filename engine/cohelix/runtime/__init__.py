"""How blocks of work move: the same tasks in threads here, or on a Spark cluster."""
