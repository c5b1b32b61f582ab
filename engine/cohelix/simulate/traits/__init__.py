"""Traits of made people: causal variants, phenotypes, association studies and polygenic scores."""
