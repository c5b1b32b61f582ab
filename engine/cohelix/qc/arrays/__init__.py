"""Quality control of genotyping arrays."""
