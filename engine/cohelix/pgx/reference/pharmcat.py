"""PharmCAT's definition, phenotype and exemption files (JSON), as genes.

A phenotype file lists every diplotype. What it says follows from the functions (or the activity values) of the two
alleles, and only that is kept; a file of which this is not so is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from cohelix.errors import InputError
from cohelix.pgx import names
from cohelix.pgx.definition import Gene, NamedAllele, Position, Priority, Rule

UNDOCUMENTED_AS_REFERENCE = frozenset({"CACNA1S", "DPYD", "G6PD", "NUDT15", "RYR1", "TPMT"})
"""Genes in which an allele that no definition knows is read as REF: their definitions list harmful variants alone."""

LOWEST_FUNCTION = frozenset({"DPYD", "RYR1"})
PLOIDY = {"chrX": "X", "chrM": "MT"}

Json = Mapping[str, Any]

_NO_RULE = ("n/a", "No Result", "")


def gene_of(
    definition: Json, exemption: Json | None = None, phenotype: Json | None = None, *, source: str = "clinpgx"
) -> Gene:
    """A gene of its definition file. exemption: the gene's entry of exemptions.json. phenotype: its phenotype file.

    Raises InputError where a file is not of this form, or a cell is neither an allele of its position nor a IUPAC code.
    """
    exemption = exemption or {}
    try:
        return _gene(definition, exemption, phenotype, source)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise InputError(
            f"expected a definition file of PharmCAT (format 2), found one in which {type(error).__name__} "
            f"{str(error)[:60]} is met. Take the files of one release."
        ) from None


def _gene(definition: Json, exemption: Json, phenotype: Json | None, source: str) -> Gene:
    symbol = definition["gene"]
    order = sorted(range(len(definition["variants"])), key=lambda at: definition["variants"][at]["position"])
    positions = tuple(_position(definition["variants"][at]) for at in order)
    if len({place.position for place in positions}) != len(positions):
        raise InputError(f"{symbol}: expected each position once, found one twice.")
    said = functions_of(phenotype) if phenotype else {}
    ignored = {name.lower() for name in exemption.get("ignoredAlleles") or ()}
    if any(len(one["alleles"]) != len(positions) for one in definition["namedAlleles"]):
        raise InputError(f"{symbol}: expected a cell for each of {len(positions)} positions in every allele.")
    alleles = [
        _allele(one, [one["alleles"][at] for at in order], positions, said)
        for one in definition["namedAlleles"]
        if one["name"].lower() not in ignored
    ]
    if sum(allele.reference for allele in alleles) != 1 or len({allele.name for allele in alleles}) != len(alleles):
        raise InputError(f"{symbol}: expected one reference allele, and each name once.")
    defined = {allele.name for allele in alleles}
    scored, rules = rules_of(symbol, phenotype) if phenotype else (False, ())
    return Gene(
        symbol=symbol,
        contig=definition["chromosome"],
        ploidy=PLOIDY.get(definition["chromosome"], "autosome"),
        method="lowest_function" if symbol in LOWEST_FUNCTION else "standard",
        positions=positions,
        alleles=tuple(sorted(alleles, key=lambda allele: names.key(allele.name))),
        undocumented_as_reference=symbol in UNDOCUMENTED_AS_REFERENCE,
        source=source,
        version=definition.get("version") or definition.get("dataVersion") or "unversioned",
        scored_by_activity=scored,
        extra=tuple(_position(one) for one in exemption.get("extraPositions") or ()),
        required=frozenset(exemption.get("requiredPositions") or ()),
        priorities=tuple(
            Priority(frozenset(one["list"]), one["pick"]) for one in exemption.get("unphasedDiplotypePriorities") or ()
        ),
        suballeles=dict(definition.get("suballelesMap") or {}),
        no_combination=frozenset(name for name in defined if symbol == "UGT1A1" and "+" in name),
        functions_only=tuple(one for name, one in said.items() if name not in defined),
        rules=rules,
    )


def _position(variant: Json) -> Position:
    alts = tuple(variant["alts"])
    return Position(
        variant["chromosome"], variant["position"], variant["rsid"] or "", variant["ref"], alts, _hgvs(variant, alts)
    )


def _hgvs(variant: Json, alts: Sequence[str]) -> tuple[str, ...]:
    """The name of each ALT. Those of several are told by the base they end in, or by how often the unit is repeated."""
    listed = [name.strip() for name in variant["chromosomeHgvsName"].split(";")]
    if len(alts) == 1 and len(listed) == 1:
        return (listed[0],)
    spelled = {vcf: text for text, vcf in variant["cpicToVcfAlleleMap"].items()}
    return tuple(next((name for name in listed if _names(name, alt, spelled.get(alt, ""))), "") for alt in alts)


def _names(name: str, alt: str, spelled: str) -> bool:
    if name.endswith(f">{alt}"):
        return True
    found = re.search(r"\[([0-9]+)\]$", name)
    repeats = re.search(r"\(([0-9]+)\)$", spelled)
    if found and repeats:
        return found[1] == repeats[1]
    return name.endswith("dup") and bool(repeats) and repeats is not None and repeats[1] == "2"


def _allele(
    named: Json, cells: Sequence[str | None], positions: Sequence[Position], said: Mapping[str, NamedAllele]
) -> NamedAllele:
    for place, cell in zip(positions, cells, strict=True):
        if cell is not None and cell not in (place.ref, *place.alts) and (len(cell) > 1 or cell not in "RYSWKMBDHVN"):
            raise InputError(f"allele {named['name']} has {cell[:20]} at {place.position}, where it is not an allele.")
    known = said.get(named["name"])
    stated = [place.position for place, cell in zip(positions, cells, strict=True) if cell is not None]
    core = named.get("corePositions", () if named["reference"] else stated)  # older releases list none
    return NamedAllele(
        name=named["name"],
        id=named["id"],
        reference=bool(named["reference"]),
        cells=tuple(cells),
        score=len(stated),
        core=tuple(sorted(core or ())),
        function=known.function if known else "",
        activity=known.activity if known else None,
    )


def functions_of(phenotype: Json) -> dict[str, NamedAllele]:
    """Alleles by name with their function and activity, as a phenotype file states them."""
    return {
        one["name"]: function_only(one["name"], one["functionValue"] or "", one["activityValue"])
        for one in phenotype["namedAlleles"]
    }


def function_only(name: str, function: str, activity: str | None) -> NamedAllele:
    """An allele that is known by its function. activity "≥3.0" is 3.0: the name says that it may be more."""
    return NamedAllele(name, "", False, (), 0, (), function, score_of(activity))


def rules_of(symbol: str, phenotype: Json) -> tuple[bool, tuple[Rule, ...]]:
    """Whether the gene is scored by activity, and its rules. InputError where diplotypes contradict one another."""
    functions = {one["name"]: one["functionValue"] or "" for one in phenotype["namedAlleles"]}
    by_score = {score_of(one["activityScore"]): one["phenotype"] for one in phenotype["diplotypes"]}
    if any(score is not None for score in by_score):
        pairs = [(score_of(one["activityScore"]), one["phenotype"]) for one in phenotype["diplotypes"]]
        if any(by_score[score] != said for score, said in pairs):
            raise InputError(f"{symbol}: one activity score has two phenotypes.")
        return True, ranges(by_score)
    found: dict[tuple[str, ...], str] = {}
    for one in phenotype["diplotypes"]:
        pair = tuple(sorted(functions[name] for name, n in one["diplotypekey"].items() for _ in range(n)))
        if found.setdefault(pair, one["phenotype"]) != one["phenotype"]:
            raise InputError(f"{symbol}: two diplotypes of the functions {' + '.join(pair)} have different phenotypes.")
    return False, tuple(Rule(said, pair) for pair, said in sorted(found.items()) if said not in _NO_RULE)


def ranges(by_score: Mapping[float | None, str], open_ended: str = "Ultrarapid") -> tuple[Rule, ...]:
    """Rules from the phenotype of each score that occurs; the highest scores have no upper end where they are those of
    an ultrarapid phenotype."""
    found: dict[str, list[float]] = {}
    for score, said in by_score.items():
        if score is not None and said not in _NO_RULE:
            found.setdefault(said, []).append(score)
    rules = [
        Rule(said, (), min(scores), None if said.startswith(open_ended) else max(scores))
        for said, scores in found.items()
    ]
    return tuple(sorted(rules, key=lambda rule: rule.lowest or 0.0))


def score_of(text: str | None) -> float | None:
    """An activity value or score, "≥3.0" as 3.0; None for one that is not known. InputError where it is no number."""
    value = (text or "").lstrip("≥")
    try:
        return None if value in _NO_RULE else float(value)
    except ValueError:
        raise InputError(f"expected an activity value such as 0.25, ≥3.0 or n/a, found {value[:20]!r}.") from None
