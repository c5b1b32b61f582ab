"""How PharmCAT and CPIC word what a diplotype is and means, and the phenotypes other programs write."""

from __future__ import annotations

import re

from cohelix.pgx.definition import Gene
from cohelix.pgx.phenotype.alleles import AT_LEAST, split, units

NOT_KNOWN = "n/a"

_BY_ALTERATION = ("CACNA1S", "CFTR", "DPYD", "RYR1")
"""Genes of which PharmCAT names what is altered: "c.85T>C (heterozygous)" in place of Reference/c.85T>C."""

_SHORT = {
    "pm": "Poor Metabolizer",
    "im": "Intermediate Metabolizer",
    "nm": "Normal Metabolizer",
    "em": "Normal Metabolizer",
    "rm": "Rapid Metabolizer",
    "um": "Ultrarapid Metabolizer",
}
_LONG = ("Poor", "Intermediate", "Normal", "Ultrarapid", "Rapid")


def label(gene: Gene, diplotype: str) -> str:
    """The diplotype as PharmCAT prints it."""
    if gene.symbol not in _BY_ALTERATION:
        return diplotype
    reference = gene.reference_allele.name
    alleles = split(diplotype, {allele.name for allele in gene.alleles})
    others = [name for name in alleles if name != reference]
    if len(others) == len(alleles):
        return diplotype
    if not others:
        return "/".join(["Reference"] * len(alleles))
    return f"{others[0]} (heterozygous)"


def activity_text(gene: Gene, reported: str | None, score: float | None) -> str | None:
    """The activity score as CPIC writes it: 2.0, ≥3.0, n/a; None for a gene that has none."""
    if not gene.scored_by_activity:
        return None
    if score is None:
        return NOT_KNOWN
    active = {allele.name for allele in (*gene.alleles, *gene.functions_only) if allele.activity}
    every = [unit for name in (reported or "").split("/") for unit in units(name)]
    more = any(unit.at_least and unit.base in active for unit in every)
    return f"{AT_LEAST if more else ''}{score}"


def normal_phenotype(text: str, symbol: str) -> str | None:
    """A phenotype in CPIC's words: "CYP2D6 ultrarapid metaboliser (UM)" is Ultrarapid Metabolizer. None of nothing."""
    trimmed = re.sub(r"\s+", " ", text.replace(symbol, "")).strip()
    if not trimmed or trimmed == ".":
        return None
    trimmed = re.sub(r"metaboli[zs]ers?", "Metabolizer", trimmed, flags=re.IGNORECASE)
    lowered = trimmed.lower().replace("extensive", "normal")
    if lowered in _SHORT:
        return _SHORT[lowered]
    if "indeterminate" in lowered:
        return "Indeterminate"
    for word in _LONG:
        if f"{word.lower()} metabolizer" in lowered:
            first = next((one for one in ("Likely", "Possible") if lowered.startswith(one.lower())), None)
            return f"{first} {word} Metabolizer" if first else f"{word} Metabolizer"
    return trimmed
