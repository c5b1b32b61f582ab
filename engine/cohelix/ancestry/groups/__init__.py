"""Ancestry groups from principal components: a random forest, genetic distances and admixture proportions."""
