"""What star-allele calls are written as: rows of people, other programs' formats, frequencies, OMOP, a page."""
