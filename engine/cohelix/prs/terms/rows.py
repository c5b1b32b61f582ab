"""A special row of a scoring file as a term of the sum, or the reason why it is none.

An interaction joins the entries of its variants by `_x_` in every column that describes them, and its weight is
multiplied with the copies of the effect allele of each (the PGS Catalog's scoring file format).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cohelix import genome
from cohelix.genotypes.alleles import is_sequence
from cohelix.prs.schema import CHROMOSOMES
from cohelix.prs.scoring_file.records import APOE, CYP, DIPLOTYPE, HAPLOTYPE, HLA, INTERACTION
from cohelix.prs.terms import apoe

JOINT = "_x_"

REASONS = {
    "": "scored",
    "phase_not_known": "a haplotype needs to know which alleles lie on one chromosome, and a callset does not say",
    "hla_not_called": "HLA alleles are called by programs of their own, and a callset has none",
    "cyp_not_called": "star alleles are called by programs of their own, and a callset has none",
    "kind_not_known": "rows of this kind are not known",
    "apoe_not_named": "the effect allele names none of e2, e3 and e4, and no pair of them",
    "effect_type": "an interaction that is dominant, recessive or has a weight for each number of copies",
    "not_two_variants": "an interaction joins two variants or more, with as many entries in every column",
    "no_position": "no chromosome and position of each variant in the build of the callset",
    "bad_allele": "an allele that is no sequence of A, C, G and T, or effect and other allele are the same",
    "absent": "no row of the callset at the position of one of its variants",
    "other_alleles": "the callset has other alleles at the position of one of its variants",
    "ambiguous": "a variant looks the same on both strands, and prs.match.palindromic does not keep it as it stands",
    "multiallelic": "further alternates were seen at the position of one of its variants",
    "strand_flip": "a variant fits on the other strand only, and prs.match.strand_flips does not match it",
}
"""Why a row is not scored, by the word that terms.parquet has for it."""

_NO_TERM = {
    HAPLOTYPE: "phase_not_known",
    DIPLOTYPE: "phase_not_known",
    HLA: "hla_not_called",
    CYP: "cyp_not_called",
}
_BUILDS = {"grch37": "GRCh37", "hg19": "GRCh37", "grch38": "GRCh38", "hg38": "GRCh38"}
_BASES = frozenset("ACGT")


@dataclass(frozen=True)
class Variant:
    """chromosome: as in `CHROMOSOMES`; position 1-based; other "" where it is not given."""

    chromosome: str
    position: int
    effect: str
    other: str


@dataclass(frozen=True)
class Term:
    """weight times the product of copies of `variants`, or times copies of an APOE allele (or a pair of them)."""

    score: int
    row: int
    kind: str
    weight: float
    variants: tuple[Variant, ...]
    apoe: tuple[int, ...] = ()


def read_term(
    score: int, row: int, kind: str, fields: Mapping[str, str], weight: float | None, header: Mapping[str, str],
    build: str,
) -> Term | str:  # fmt: skip
    """The term, or the word of `REASONS`. build: of the callset. header: of the score's file."""
    if kind not in (INTERACTION, APOE):
        return _NO_TERM.get(kind, "kind_not_known")
    if weight is None or weight != weight or _flag(fields, "is_dominant") or _flag(fields, "is_recessive"):
        return "effect_type"
    if kind == APOE:
        alleles = apoe.named(fields.get("effect_allele", ""))
        known = build if build != genome.UNKNOWN_BUILD else build_of(header)
        if alleles is None:
            return "apoe_not_named"
        if known not in apoe.POSITIONS:
            return "no_position"
        return Term(score, row, kind, weight, tuple(Variant(*one) for one in apoe.variants(known)), alleles)
    variants = _variants(fields, header, build)
    return variants if isinstance(variants, str) else Term(score, row, kind, weight, variants)


def build_of(header: Mapping[str, str]) -> str:
    """Build of the positions that are read: of the harmonised ones where there are any."""
    return _named(header.get("HmPOS_build", "")) or _named(header.get("genome_build", "")) or genome.UNKNOWN_BUILD


def _named(text: str) -> str:
    return _BUILDS.get(text.strip().lower(), "")


def _flag(fields: Mapping[str, str], name: str) -> bool:
    return fields.get(name, "").strip().lower() in ("true", "1", "t", "yes")


def _variants(fields: Mapping[str, str], header: Mapping[str, str], build: str) -> tuple[Variant, ...] | str:
    """Those of an interaction. Harmonised places count where there are any, as for other rows."""
    effects = _entries(fields, "effect_allele")
    if len(effects) < 2:
        return "not_two_variants"
    places = _places(fields, "hm_chr", "hm_pos", len(effects))
    if places is None and _same_build(header, build):
        places = _places(fields, "chr_name", "chr_position", len(effects))
    if places is None:
        return "no_position"
    others = _entries(fields, "other_allele") or _entries(fields, "hm_inferOtherAllele") or [""] * len(effects)
    if len(others) != len(effects):
        return "not_two_variants"
    found = []
    for (chromosome, position), effect, other in zip(places, effects, others, strict=True):
        one, two = effect.upper(), "" if "/" in other else other.upper()
        if not _BASES.issuperset(one + two) or not is_sequence(one) or one == two:
            return "bad_allele"
        found.append(Variant(chromosome, position, one, two))
    return tuple(found)


def _same_build(header: Mapping[str, str], build: str) -> bool:
    """Whether the places of the authors are of the callset's build, as far as both are known."""
    theirs = _named(header.get("genome_build", ""))
    wanted = build if build != genome.UNKNOWN_BUILD else _named(header.get("HmPOS_build", ""))
    return not theirs or not wanted or theirs == wanted


def _entries(fields: Mapping[str, str], name: str) -> list[str]:
    text = fields.get(name, "").strip()
    return [entry.strip() for entry in re.split(re.escape(JOINT), text, flags=re.IGNORECASE)] if text else []


def _places(fields: Mapping[str, str], chromosome: str, position: str, count: int) -> list[tuple[str, int]] | None:
    """(chromosome, position) of each variant; one chromosome may stand for all. None where one is not known."""
    names, positions = _entries(fields, chromosome), _entries(fields, position)
    names = names * count if len(names) == 1 else names
    if len(names) != count or len(positions) != count:
        return None
    plain = [genome.plain_name(name) for name in names]
    if not all(name in CHROMOSOMES[1:] for name in plain):
        return None
    whole = [text.removesuffix(".0") for text in positions]
    if not all(text.isascii() and text.isdigit() and 0 < int(text) < 1 << 31 for text in whole):
        return None
    return list(zip(plain, map(int, whole), strict=True))


def special_rows(special: Mapping[str, Any], build: str) -> list[tuple[dict[str, Any], Term | str]]:
    """Every row of `special.json` with its term or its reason, in the order of scores and rows."""
    headers = special.get("headers", {})
    found = []
    for row in sorted(special.get("rows", []), key=lambda one: (one["score"], one["row"])):
        header = headers.get(str(row["score"]), {})
        term = read_term(
            int(row["score"]), int(row["row"]), row["kind"], row["fields"], row.get("weight"), header, build
        )
        found.append((row, term))
    return found
