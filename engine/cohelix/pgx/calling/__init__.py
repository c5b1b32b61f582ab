"""From genotypes to the folder of calls: blocks of people, all genes of each."""
