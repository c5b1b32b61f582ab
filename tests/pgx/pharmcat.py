"""PharmCAT's definition files and test VCFs, read plainly and one person at a time.

Genes come out as the matcher takes them, with nothing of phenotypes; genotypes by the rules of PharmCAT's VCF reader.
"""

from __future__ import annotations

import csv
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from cohelix.pgx import names
from cohelix.pgx.definition import Gene, NamedAllele, Position, Priority
from cohelix.pgx.genotype import ABSENT, LONGEST_LIST, MISSING, NO_CALL, OTHER, PHASED, UNPHASED, Genotypes

UNDOCUMENTED_AS_REFERENCE = {"CACNA1S", "DPYD", "G6PD", "NUDT15", "RYR1", "TPMT"}
GENES = (
    "ABCG2 CACNA1S CFTR CYP2B6 CYP2C19 CYP2C9 CYP2D6 CYP3A4 CYP3A5 CYP4F2 DPYD G6PD IFNL3 NAT2 NUDT15 RYR1 SLCO1B1 "
    "TPMT UGT1A1 VKORC1"
).split()


@cache
def gene(path: Path, exemptions: Path | None = None) -> Gene:
    """The gene that `path` defines; without `exemptions` it has no required positions and no priorities."""
    content = json.loads(path.read_text())
    exempt: dict[str, Any] = json.loads(exemptions.read_text()).get(content["gene"], {}) if exemptions else {}
    order = sorted(range(len(content["variants"])), key=lambda at: content["variants"][at]["position"])
    variants = [content["variants"][at] for at in order]
    alleles = [
        NamedAllele(
            named["name"],
            named["id"],
            named["reference"],
            tuple(named["alleles"][at] for at in order),
            sum(cell is not None for cell in named["alleles"]),
            tuple(named.get("corePositions") or ()),
        )
        for named in content["namedAlleles"]
    ]
    symbol = content["gene"]
    return Gene(
        symbol=symbol,
        contig=variants[0]["chromosome"],
        ploidy="X" if symbol == "G6PD" else "autosome",
        method="lowest_function" if symbol in ("DPYD", "RYR1") else "standard",
        positions=tuple(_position(variant) for variant in variants),
        alleles=tuple(sorted(alleles, key=lambda allele: names.key(allele.name))),
        undocumented_as_reference=symbol in UNDOCUMENTED_AS_REFERENCE,
        source="clinpgx",
        version=content.get("version", ""),
        required=frozenset(
            at if isinstance(at, int) else at["position"] for at in exempt.get("requiredPositions", ())
        ),
        priorities=tuple(
            Priority(frozenset(rule["list"]), rule["pick"]) for rule in exempt.get("unphasedDiplotypePriorities", ())
        ),
        suballeles=content.get("suballelesMap") or {},
        no_combination=frozenset(
            allele.name for allele in alleles if symbol == "UGT1A1" and "+" in allele.name
        ),
    )  # fmt: skip


def _position(variant: dict[str, Any]) -> Position:
    hgvs = re.split(r"\s*[;,]\s*", variant["chromosomeHgvsName"])
    return Position(
        variant["chromosome"],
        variant["position"],
        variant.get("rsid") or "",
        variant["ref"],
        tuple(variant["alts"]),
        tuple(hgvs),
    )


def rows(path: Path) -> list[dict[str, str]]:
    """Rows of a tab-separated table in which quotes mean nothing."""
    with path.open() as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


def genotypes(path: Path, of: Gene) -> Genotypes:
    """The first sample's genotypes at the positions of a gene."""
    codes = np.full((len(of.positions), 1), NO_CALL, dtype=np.uint8)
    phase = np.zeros((len(of.positions), 1), dtype=np.uint8)
    alleles = [[position.ref, *position.alts] for position in of.positions]
    sites = {(position.contig, position.position): at for at, position in enumerate(of.positions)}
    sets: dict[str, int] = {}
    lines = path.read_text().splitlines()
    depths = any(line.startswith("##FORMAT=<ID=AD,") and "Number=R" in line for line in lines)
    for line in lines:
        field = line.split("\t")
        site = None if line.startswith("#") else sites.get((field[0], int(field[1])))
        if site is None or codes[site, 0] != NO_CALL or field[3].upper() != of.positions[site].ref:
            continue
        value = dict(zip(field[8].split(":"), field[9].split(":"), strict=False))
        texts = [field[3].upper(), *(field[4].upper().split(",") if field[4] != "." else ())]
        pair = _pair(value.get("GT", "."), texts, value.get("AD", ".") if depths else ".", field[0] == "chrX")
        if pair is None:
            continue
        codes[site, 0] = _code(pair[0], alleles[site]) | _code(pair[1], alleles[site]) << 4
        if "/" in value["GT"]:
            phase[site, 0] = UNPHASED
        elif value.get("PS", ".") == ".":
            phase[site, 0] = PHASED
        else:
            phase[site, 0] = sets.setdefault(value["PS"], 2 + len(sets))
    return Genotypes(of.symbol, codes, phase, tuple(map(tuple, alleles)))


def _pair(call: str, texts: list[str], depths: str, on_x: bool) -> tuple[str | None, str | None] | None:
    """The two alleles of a genotype ("" for none, None for a missing one); None where there is none to take."""
    numbers = re.split("[/|]", call)[:2]
    known = [int(number) for number in numbers if number != "."]
    if not known or (len(known) == 1 and not on_x and known[0] == 0):
        return None
    if not all(re.fullmatch("[ACGT]+", texts[number]) for number in known):
        return None
    if (
        depths != "."
        and len(set(known)) > 1
        and sum(int(depth) > 0 for depth in depths.split(",") if depth != ".") == 1
    ):
        return None
    first, *second = [None if number == "." else texts[int(number)] for number in numbers]
    return first, second[0] if second else ""


def _code(text: str | None, listed: list[str]) -> int:
    if text is None:
        return MISSING
    if text == "":
        return ABSENT
    if text not in listed:
        listed.append(text)
    at = listed.index(text)
    return at if at < LONGEST_LIST else OTHER
