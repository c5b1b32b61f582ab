"""Linkage disequilibrium: which of two correlated variants goes."""
