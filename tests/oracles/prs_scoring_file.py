"""Scoring files row by row with the standard library: what each row is, as the documents of the formats say it."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

MISSING = {"", ".", "NA", "N/A", "NR", "nan", "NaN", "None", "null", "NULL"}
CHROMOSOMES = [*(str(number) for number in range(1, 23)), "X", "Y", "MT"]


@dataclass(frozen=True)
class Row:
    """A row of a score. effect_type: additive, dominant, recessive or nonadditive; chromosome 0: not known."""

    score: str
    row: int
    chromosome: int
    position: int
    effect: str
    other: str
    weight: float | None
    dosage: tuple[float, float, float] | None
    effect_type: str


@dataclass(frozen=True)
class ScoringFile:
    """Header, and the rows of a file apart: variants, special ones as (score, row), rejected ones as (score, row)."""

    header: dict[str, str]
    rows: list[Row]
    special: list[tuple[str, int]]
    rejected: list[tuple[str, int]]


def read(path: Path) -> ScoringFile:
    """A sound file with one score, or several told apart by `accession`."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    lines = text.splitlines()
    header = {}
    while lines[0].startswith("#"):
        line = lines.pop(0)
        if not line.startswith("##") and "=" in line:
            key, value = line[1:].split("=", 1)
            header[key] = value.strip()
    rows: list[Row] = []
    special, rejected = [], []
    for number, fields in enumerate(csv.DictReader(lines, delimiter="\t")):
        given = {key: (value or "").strip() for key, value in fields.items()}
        named = [header[key] for key in ("pgs_id", "omicspred_id", "score_id", "pgs_name") if key in header]
        score = given.get("accession", (named or [""])[0])
        place = (score, int(given.get("row_nr", number)))
        if _is_special(given):
            special.append(place)
        elif (row := _variant(given, header, *place)) is None:
            rejected.append(place)
        else:
            rows.append(row)
    return ScoringFile(header, rows, special, rejected)


def _is_special(given: dict[str, str]) -> bool:
    flags = ("is_haplotype", "is_diplotype", "is_interaction")
    allele = given["effect_allele"].upper()
    return (
        any(given.get(flag, "").lower() == "true" for flag in flags)
        or given.get("variant_type", "") != ""
        or allele == "P"
        or allele.startswith(("HLA", "APOE", "CYP"))
        or "_X_" in allele
    )


def _variant(given: dict[str, str], header: dict[str, str], score: str, number: int) -> Row | None:
    harmonised = "HmPOS_build" in header
    name = given.get("hm_chr" if harmonised else "chr_name", "")
    position = given.get("hm_pos" if harmonised else "chr_position", "")
    rs_id = next((given[key] for key in ("hm_rsID", "rsID", "rsid") if given.get(key, "") not in MISSING), "")
    effect = given["effect_allele"].upper()
    other = given.get("other_allele", "")
    if other in MISSING and harmonised:
        other = given.get("hm_inferOtherAllele", "")
    other = "" if other in MISSING or "/" in other else other.upper()
    placed = name not in MISSING and position not in MISSING
    if placed and (name not in CHROMOSOMES or not 0 < int(position) <= 250_000_000):
        return None
    if not placed and not rs_id:
        return None
    if not effect or set(effect) - set("ACGT") or set(other) - set("ACGT") or effect == other:
        return None
    weight = float(given["effect_weight"]) if given.get("effect_weight") else None
    dosage = None
    effect_type = given.get("effect_type", "additive")
    if weight is None:
        first, second, third = (float(given[f"dosage_{copies}_weight"]) for copies in range(3))
        dosage, effect_type = (first, second, third), "nonadditive"
    if given.get("is_dominant", "").lower() == "true":
        effect_type = "dominant"
    if given.get("is_recessive", "").lower() == "true":
        effect_type = "recessive"
    chromosome = CHROMOSOMES.index(name) + 1 if placed else 0
    return Row(score, number, chromosome, int(position) if placed else 0, effect, other, weight, dosage, effect_type)
