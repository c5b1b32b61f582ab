"""What the outside calls of one person at one gene say together: an answer, what it means, the number of copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cohelix.errors import InputError
from cohelix.pgx.definition import Gene
from cohelix.pgx.outside.checked import Checked
from cohelix.pgx.outside.record import Record
from cohelix.pgx.phenotype import Interpreter, Meaning, judge
from cohelix.pgx.phenotype.alleles import units
from cohelix.pgx.phenotype.wording import normal_phenotype

_COUNTED = "CYP2D6"
"""The gene whose copies are told by its alleles' names; *5 is none."""
_DELETED = "*5"


def answer_of(checked: Checked, records: Sequence[Record]) -> tuple[dict[str, object], list[Meaning], int]:
    """What the records of one person say together: a row of `ANSWERS`, what it means, and the number of copies."""
    diplotypes: list[str] = []
    meanings: list[Meaning] = []
    warnings: list[str] = []
    for record in records:
        named = []
        for text in record.diplotypes:
            found, changed = checked.diplotype(text, record)
            named.append(found)
            warnings += changed
        warnings += record.warnings
        meanings += _meant(checked.interpreter, record, named, warnings)
        diplotypes += named
    if not meanings:
        warnings.append(f"{records[0].tool} made no call")
    diplotypes = list(dict.fromkeys(diplotypes))
    numbers = {_copies(checked.gene, one) for one in diplotypes}
    told: dict[str, object] = {
        "status": "outside",
        "diplotypes": diplotypes,
        "scores": [],
        "n_top": len(diplotypes),
        "haplotypes": [],
        "warnings": list(dict.fromkeys(warnings)),
    }
    return told, list(dict.fromkeys(meanings)), numbers.pop() if len(numbers) == 1 else -1


def _meant(interpreter: Interpreter, record: Record, diplotypes: list[str], warnings: list[str]) -> list[Meaning]:
    """The meanings of a record's diplotypes, or what it states in their place, with a warning where they differ."""
    if record.unassigned:
        found = [_of_copies(interpreter, text) for text in diplotypes]
    else:
        found = judge(interpreter, diplotypes)
    phenotype = normal_phenotype(record.phenotype, interpreter.gene.symbol) if record.phenotype else None
    score = _score(record)
    if phenotype is None and score is None:
        return found
    return [_stated(interpreter, one, phenotype, score, warnings) for one in found or [Meaning(None)]]


def _stated(
    interpreter: Interpreter, found: Meaning, phenotype: str | None, score: float | None, warnings: list[str]
) -> Meaning:
    """`found` with the phenotype and the activity score that were stated: these count."""
    if not interpreter.gene.scored_by_activity:
        score = None
    if score is not None:
        if found.reported and found.activity_score != score:
            warnings.append(f"activity score {score} was stated, {found.activity_score} is expected")
        by_score = interpreter.of_score(score)
        if phenotype is not None and phenotype != by_score:
            warnings.append(f"{phenotype} was stated, {by_score} is expected of the activity score")
        return replace(found, activity_score=score, phenotype=phenotype or by_score)
    if phenotype is None or phenotype == found.phenotype:
        return found
    if found.reported:
        warnings.append(f"{phenotype} was stated, {found.phenotype} is expected of {found.reported}")
    return replace(found, phenotype=phenotype, activity_score=None)


def _score(record: Record) -> float | None:
    """The stated activity score; the least it may be of "≥3.0"."""
    text = (record.activity_score or "").lstrip("≥>=").strip()
    if text.lower() in ("", ".", "n/a", "na"):
        return None
    try:
        score = float(text)
    except ValueError:
        score = -1.0
    if not 0 <= score < 100:
        raise InputError(
            f"{record.where.capitalize()}: an activity score was expected. Write a number from 0 to 100 such as "
            "1.25, or leave it empty."
        )
    return score


def _of_copies(interpreter: Interpreter, text: str) -> Meaning:
    """Of copies on unknown chromosomes: the activity is the same however they lie."""
    if not interpreter.gene.scored_by_activity:
        return Meaning(text)
    values = [interpreter.allele(name).activity for name in text.split("_")]
    score = None if None in values else float(sum(value for value in values if value is not None))
    return Meaning(text, None, None, score, interpreter.of_score(score))


def _copies(gene: Gene, diplotype: str) -> int:
    """How many copies of the gene the alleles name; -1 where they do not tell."""
    if gene.symbol != _COUNTED or "[" in diplotype:
        return -1
    every = [unit for name in diplotype.replace("_", "/").split("/") for unit in units(name)]
    if any(unit.at_least for unit in every):
        return -1
    return sum(unit.copies for unit in every if unit.base != _DELETED)
