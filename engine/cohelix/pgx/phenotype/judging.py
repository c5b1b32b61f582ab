"""Answers of the matcher, and what each of them means: one table of meanings, row for row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from cohelix.pgx.definition import Gene
from cohelix.pgx.phenotype import lowest, presence
from cohelix.pgx.phenotype.meaning import Interpreter, Meaning
from cohelix.pgx.schema import PHENOTYPES


def phenotypes_of(gene: Gene, answers: pa.Table) -> pa.Table:
    """Table of `PHENOTYPES`, row for row of `answers` (`ANSWERS`).

    An answer without a call has empty lists. Haplotypes without a diplotype are the two that count (SLCO1B1 called by
    one position) or, of a gene of lowest function, all that are there.
    """
    interpreter = Interpreter(gene)
    columns = [answers.column(name).to_pylist() for name in ("diplotypes", "n_top", "haplotypes")]
    return table([judge(interpreter, (diplotypes or [])[: top or 0], haplotypes or [])
                  for diplotypes, top, haplotypes in zip(*columns, strict=True)])  # fmt: skip


def judge(interpreter: Interpreter, diplotypes: Sequence[str], haplotypes: Sequence[str] = ()) -> list[Meaning]:
    """One meaning for each of `diplotypes`, or a single one where the lowest function counts."""
    if interpreter.gene.method == "lowest_function":
        of = lowest.of_diplotypes(interpreter, diplotypes) or lowest.of_haplotypes(interpreter, haplotypes)
        return [of] if of else []
    if not diplotypes:
        return [interpreter.diplotype(*haplotypes)] if haplotypes else []
    if presence.markers(interpreter.gene):
        return [Meaning(text, phenotype=presence.phenotype(interpreter.gene, interpreter.split(text)))
                for text in diplotypes]  # fmt: skip
    return [interpreter.diplotype(*interpreter.split(text)) for text in diplotypes]


def table(meanings: Sequence[Sequence[Meaning]]) -> pa.Table:
    """Table of `PHENOTYPES`, a row for each list of meanings."""
    rows = [
        {
            "reported": [one.reported for one in listed],
            "function1": [one.function1 for one in listed],
            "function2": [one.function2 for one in listed],
            "activity_scores": [one.activity_score for one in listed],
            "phenotypes": [one.phenotype for one in listed],
            "activity_score": _agreed([one.activity_score for one in listed]),
            "phenotype": _agreed([one.phenotype for one in listed]),
        }
        for listed in meanings
    ]
    return pa.Table.from_pylist(rows, schema=PHENOTYPES)


def _agreed(values: Sequence[Any]) -> Any:
    return values[0] if values and len(set(values)) == 1 else None
