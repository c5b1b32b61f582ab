"""Which column of a scoring file holds what."""

from __future__ import annotations

from dataclasses import dataclass

from cohelix.errors import InputError
from cohelix.genome import UNKNOWN_BUILD
from cohelix.prs.scoring_file.header import Head, build_of

_VARIANT = (
    "rsID", "rsid", "ID", "chr_name", "chr_position", "effect_allele", "other_allele", "reference_allele", "locus_name",
    "is_haplotype", "is_diplotype", "is_interaction", "imputation_method", "variant_description", "inclusion_criteria",
    "variant_type", "weight_type", "is_dominant", "is_recessive", "OR", "HR", "effect_type", "is_duplicated",
    "hm_source", "hm_rsID", "hm_chr", "hm_pos", "hm_inferOtherAllele", "hm_match_chr", "hm_match_pos",
    "hm_fixOtherAllele", "row_nr", "accession",
)  # fmt: skip
"""Columns that are never a score of a wide file."""

DOSAGES = ("dosage_0_weight", "dosage_1_weight", "dosage_2_weight")
FLAGS = ("is_interaction", "is_diplotype", "is_haplotype")
MODELS = ("is_dominant", "is_recessive", "effect_type")


@dataclass(frozen=True)
class Layout:
    """Names of the columns by what they hold; "" or () where the file has none.

    id: chr:pos:ref:alt, in place of chromosome and position. flags and models: those of `FLAGS` and `MODELS` that there
    are. scores: names of the score columns of a wide file. build: of the positions.
    """

    chromosome: str
    position: str
    id: str
    effect: str
    other: str
    inferred: str
    weight: str
    dosages: tuple[str, ...]
    rs_ids: tuple[str, ...]
    flags: tuple[str, ...]
    models: tuple[str, ...]
    variant_type: str
    frequency: str
    accession: str
    row_nr: str
    scores: tuple[str, ...]
    build: str


def layout_of(head: Head, number: int) -> Layout:
    """InputError where scoring file `number` lacks a column, or has some of the dosage weights only."""
    names = set(head.columns)

    def first(*candidates: str) -> str:
        return next((name for name in candidates if name in names), "")

    harmonised = is_harmonised(head, number)
    rs_ids = tuple(name for name in ("hm_rsID", "rsID", "rsid") if name in names)
    chromosome, position = ("hm_chr", "hm_pos") if harmonised else (first("chr_name"), first("chr_position"))
    id_name = "" if chromosome and position else first("ID", "id", "variant_id")
    weight = first("effect_weight")
    dosages = tuple(name for name in DOSAGES if name in names)
    scores = () if weight or dosages else _scores(head)
    _check(head, number, first("effect_allele"), bool(chromosome and position) or bool(id_name) or bool(rs_ids))
    if not weight and not scores and len(dosages) != 3:
        raise _lacks(head, number, "effect_weight, or dosage_0_weight, dosage_1_weight and dosage_2_weight")
    return Layout(
        chromosome=chromosome if position else "",
        position=position if chromosome else "",
        id=id_name,
        effect="effect_allele",
        other=first("other_allele", "reference_allele"),
        inferred="hm_inferOtherAllele" if harmonised and "hm_inferOtherAllele" in names else "",
        weight=weight,
        dosages=dosages if len(dosages) == 3 else (),
        rs_ids=rs_ids if harmonised else tuple(name for name in rs_ids if name != "hm_rsID"),
        flags=tuple(name for name in FLAGS if name in names),
        models=tuple(name for name in MODELS if name in names),
        variant_type=first("variant_type"),
        frequency=first("allelefrequency_effect"),
        accession=first("accession"),
        row_nr=first("row_nr"),
        scores=scores,
        build=build_of(head.fields, "HmPOS_build" if harmonised else "genome_build", number),
    )


def is_harmonised(head: Head, number: int) -> bool:
    """Whether positions are those of HmPOS_build, as the catalog's tools decide: by the header alone.

    InputError where the header says so and the columns are not there.
    """
    if build_of(head.fields, "HmPOS_build", number) == UNKNOWN_BUILD:
        return False
    lacking = [name for name in ("hm_chr", "hm_pos") if name not in head.columns]
    if len(lacking) == 2 and "HmPOS_date" not in head.fields:
        return False
    if lacking:
        raise _lacks(head, number, f"{' and '.join(lacking)}, as the header says HmPOS_build")
    return True


def _scores(head: Head) -> tuple[str, ...]:
    """Columns of a wide file that are scores: all that say nothing of the variant."""
    said = {*_VARIANT, *DOSAGES, "id", "variant_id"}
    return tuple(
        name for name in head.columns if name and name not in said and not name.startswith("allelefrequency_effect")
    )


def _check(head: Head, number: int, effect: str, placed: bool) -> None:
    if not effect:
        raise _lacks(head, number, "effect_allele")
    if not placed:
        raise _lacks(head, number, "chr_name and chr_position, ID (chr:pos:ref:alt) or rsID")


def _lacks(head: Head, number: int, wanted: str) -> InputError:
    seen = ", ".join(name[:30] for name in head.columns[:8])
    return InputError(
        f"scoring file {number}, line {head.line}: expected column {wanted}; its columns are {seen}"
        f"{' ...' if len(head.columns) > 8 else ''}. See the scoring file format of the PGS Catalog."
    )
