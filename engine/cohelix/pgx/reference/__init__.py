"""Definitions of pharmacogenes: the tables of `reference/pgx`, and how they are made of a source's own files."""

from cohelix.pgx.reference.tables import load

__all__ = ["load"]
