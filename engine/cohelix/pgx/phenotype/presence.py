"""HLA genes: the phenotype says of each allele that matters whether it is there."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cohelix.pgx.definition import Gene

_WORDS = re.compile(r"(?P<allele>\*[0-9]+:[0-9]+) (?:positive|negative)")

BETWEEN = "; "
"""Between the phenotypes of one person."""


def markers(gene: Gene) -> tuple[str, ...]:
    """The alleles that the rules or the named phenotypes of `gene` ask for, as *57:01; none for other genes."""
    texts = [rule.phenotype for rule in gene.rules] + [allele.name for allele in gene.functions_only]
    return tuple(sorted({found["allele"] for found in map(_WORDS.fullmatch, texts) if found}))


def phenotype(gene: Gene, alleles: Sequence[str]) -> str:
    """ "*15:02 negative; *57:01 positive; ..." of a person with `alleles`."""
    return BETWEEN.join(f"{marker} {'positive' if marker in alleles else 'negative'}" for marker in markers(gene))
