"""Matching scoring rows to sites of a callset."""
