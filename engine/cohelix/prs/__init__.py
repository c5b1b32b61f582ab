"""Polygenic scores: scoring files, matching, scoring, calibration across ancestries, evaluation."""
