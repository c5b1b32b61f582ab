"""What the alleles that a person carries mean: function, activity score, and metaboliser or function phenotype.

Diplotypes are judged by the rules of the gene's source, which follow from the functions (or the activity values) of
their alleles. No guideline's text is here: a recommendation is found by drug and phenotype at CPIC.
"""

from __future__ import annotations

from cohelix.pgx.phenotype.judging import judge, phenotypes_of, table
from cohelix.pgx.phenotype.meaning import Interpreter, Meaning

__all__ = ["Interpreter", "Meaning", "judge", "phenotypes_of", "table"]
