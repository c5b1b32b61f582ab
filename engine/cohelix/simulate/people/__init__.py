"""Who is in the cohort: families, ancestry, sex chromosomes."""
