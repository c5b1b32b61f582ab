"""Variants of terms found among the rows of a callset, by the choices that scoring rows were matched with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix import genome
from cohelix.genotypes import alleles
from cohelix.genotypes.callset import Callset
from cohelix.prs.terms.rows import Variant

_COMPLEMENT = str.maketrans("ACGT", "TGCA")


@dataclass(frozen=True)
class Site:
    """A row of the callset. counts_ref: the effect allele is REF. region: as in `REGIONS` of prs.schema."""

    shard: int
    row: int
    contig: str
    position: int
    ref: str
    alt: str
    region: str
    counts_ref: bool


@dataclass(frozen=True)
class _Row:
    row: int
    position: int
    ref: str
    alt: str
    ac: int
    an: int


def find(callset: Callset, variants: Sequence[Variant], params: Mapping[str, Any]) -> dict[Variant, Site | str]:
    """The site of each variant, or a word of `rows.REASONS`. params: of the match. Memory is that of one shard."""
    wanted: dict[str, list[Variant]] = {}
    for variant in dict.fromkeys(variants):
        wanted.setdefault(variant.chromosome, []).append(variant)
    found: dict[Variant, Site | str] = dict.fromkeys(variants, "absent")
    for number, shard in enumerate(callset.shards):
        here = [
            variant
            for variant in wanted.get(genome.plain_name(shard.contig), ())
            if shard.start < max(variant.position, _trimmed(variant)) <= shard.end
        ]
        if not here:
            continue
        table = callset.table(shard.sites, columns=("position", "ref", "alt", "ac", "an"))
        positions = table.column("position").to_numpy()
        for variant in here:
            site = _site_of(variant, _rows_at(table, positions, variant), params)
            if isinstance(site, str):
                if found[variant] == "absent":
                    found[variant] = site
                continue
            row, counts_ref = site
            region = _region(callset.build, shard.contig, row.position)
            found[variant] = Site(number, row.row, shard.contig, row.position, row.ref, row.alt, region, counts_ref)
    return found


def _trimmed(variant: Variant) -> int:
    """Where a callset has the alleles: padded ones begin further on there."""
    return alleles.trim(variant.position, variant.effect, variant.other)[0] if variant.other else variant.position


def _rows_at(table: pa.Table, positions: np.ndarray, variant: Variant) -> list[_Row]:
    rows = np.unique(
        np.concatenate(
            [
                np.arange(*np.searchsorted(positions, [place, place + 1]))
                for place in {variant.position, _trimmed(variant)}
            ]
        )
    )
    taken = table.take(pa.array(rows.astype(np.int64)))
    columns = [taken.column(name).to_pylist() for name in ("position", "ref", "alt", "ac", "an")]
    return [_Row(row, *values) for row, *values in zip(rows.tolist(), *columns, strict=True)]


def _site_of(variant: Variant, rows: Sequence[_Row], params: Mapping[str, Any]) -> tuple[_Row, bool] | str:
    """(row, whether its REF is the effect allele), or why there is none."""
    if not rows:
        return "absent"
    for flipped in (False, True):
        effect, other = (_of_strand(allele, flipped) for allele in (variant.effect, variant.other))
        for counts_ref in (True, False):
            for row in rows:
                if not _fits(row, variant.position, effect, other, counts_ref):
                    continue
                if flipped and params.get("strand_flips", "match") != "match":
                    return "strand_flip"
                if _is_palindrome(row) and params.get("palindromic", "exclude") != "keep":
                    return "ambiguous"
                if _has_others(row, rows, params):
                    return "multiallelic"
                return row, counts_ref
    return "other_alleles"


def _of_strand(allele: str, flipped: bool) -> str:
    """Only single bases are looked for on the other strand: a longer allele has other neighbours there."""
    if not flipped or not allele:
        return allele
    return allele.translate(_COMPLEMENT) if len(allele) == 1 else "?"


def _fits(row: _Row, position: int, effect: str, other: str, counts_ref: bool) -> bool:
    ref, alt = (effect, other) if counts_ref else (other, effect)
    if not other:
        return row.position == position and (row.ref == ref if counts_ref else row.alt == alt)
    if (row.position, row.ref, row.alt) == (position, ref, alt):
        return True
    return (row.position, row.ref, row.alt) == alleles.trim(position, ref, alt)


def _is_palindrome(row: _Row) -> bool:
    return len(row.ref) == len(row.alt) == 1 and row.ref.translate(_COMPLEMENT) == row.alt


def _has_others(row: _Row, rows: Sequence[_Row], params: Mapping[str, Any]) -> bool:
    """Whether further alternates at the position are more frequent than the match lets pass."""
    if params.get("multiallelic", "exclude") == "keep":
        return False
    most = float(params.get("multiallelic_min_af", 0.0))
    others = [one for one in rows if one.row != row.row and one.position == row.position]
    return any(one.an and one.ac / one.an > most for one in others)


def _region(build: str, contig: str, position: int) -> str:
    kind = genome.REGIONS[int(genome.region_of(build, contig, np.array([position]))[0])]
    if genome.plain_name(contig) == "Y":
        return "Y"
    return {"x": "X", "x_par": "PAR", "mt": "MT"}.get(kind, "autosome")
