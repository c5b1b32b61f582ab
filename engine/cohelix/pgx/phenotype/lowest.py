"""DPYD and RYR1: a strand may carry several alleles, and the phenotype is that of those that work least.

Of each strand, where it is known which alleles share one, the least active allele counts; where it is not, the two
least active of all that are there. Ties go to the allele whose name comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cohelix.pgx import names
from cohelix.pgx.phenotype.meaning import Interpreter, Meaning

SEVERE = "Malignant"
"""Part of the function of an allele that counts before all others, in genes without activity values (RYR1)."""

_UNKNOWN = 2.0  # what an allele of unknown activity counts when diplotypes are compared: more than any other


def of_diplotypes(interpreter: Interpreter, diplotypes: Iterable[str]) -> Meaning | None:
    """The meaning of the least active of `diplotypes`, each of which may hold combinations "[a + b]"; None of none."""
    found = [tuple(_lowest(interpreter, names.parts(strand)) for strand in interpreter.split(diplotype))
             for diplotype in diplotypes]  # fmt: skip
    if not found:
        return None
    return interpreter.diplotype(*min(found, key=lambda pair: _diplotype_rank(interpreter, pair)))


def of_haplotypes(interpreter: Interpreter, haplotypes: Sequence[str]) -> Meaning | None:
    """The meaning of the two least active of `haplotypes`, which are on unknown strands; None of none."""
    every = [part for haplotype in haplotypes for part in names.parts(haplotype)]
    lowest = sorted(every, key=lambda name: _rank(interpreter, name))[:2]
    return interpreter.diplotype(*lowest) if lowest else None


def _lowest(interpreter: Interpreter, alleles: Sequence[str]) -> str:
    return min(alleles, key=lambda name: _rank(interpreter, name))


def _rank(interpreter: Interpreter, name: str) -> tuple[Any, ...]:
    """An allele of unknown activity comes first: what it does must not be hidden by those that are known."""
    allele = interpreter.allele(name)
    if interpreter.gene.scored_by_activity:
        return (allele.activity is not None, allele.activity or 0.0, names.key(name))
    return (SEVERE not in (allele.function or ""), names.key(name))


def _diplotype_rank(interpreter: Interpreter, pair: tuple[str, ...]) -> tuple[Any, ...]:
    alleles = [interpreter.allele(name) for name in pair]
    if interpreter.gene.scored_by_activity:
        total = sum(_UNKNOWN if allele.activity is None else allele.activity for allele in alleles)
    else:
        total = -float(sum(SEVERE in (allele.function or "") for allele in alleles))
    return (total, *(names.key(name) for name in pair))
