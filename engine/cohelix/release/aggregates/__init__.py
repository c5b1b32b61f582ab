"""Aggregates that every tier has: count tables and variant frequencies, under disclosure control."""
