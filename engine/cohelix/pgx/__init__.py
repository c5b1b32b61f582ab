"""Star alleles: which named alleles of the pharmacogenes each person carries, and what they mean for drugs."""
