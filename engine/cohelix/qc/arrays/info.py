"""What a line of an array VCF states of its marker: alleles A and B, and the clusters of the training set.

Picard's GtcToVcf writes ALLELE_A=T;ALLELE_B=C* (the reference starred); bcftools +gtc2vcf writes allele numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa

ABSENT = -1
"""Number of an allele that the line does not list."""

_GENOTYPES = ("AA", "AB", "BB")
_MEASURES = ("meanTHETA", "devTHETA", "meanR")


@dataclass(frozen=True, slots=True)
class Marker:
    """One line. allele_a, allele_b: as stated, "" where not. code_a, code_b: their numbers in REF and ALT, `ABSENT`.

    filters: "." or names with semicolons. n: AA, AB, BB of the training set, or 0. theta, dev_theta, r: mean theta, its
    deviation, and mean R of the clusters AA, AB, BB, or NaN. ref_is_known: `ref` is the reference, as in a VCF;
    false for PLINK's, which may be any allele.
    """

    contig: str
    position: int
    name: str
    ref: str
    alts: str
    filters: str
    allele_a: str
    allele_b: str
    code_a: int
    code_b: int
    gentrain: float = np.nan
    strand: str = ""
    probe_a: str = ""
    probe_b: str = ""
    n: tuple[int, ...] = (0, 0, 0)
    theta: tuple[float, ...] = (np.nan,) * 3
    dev_theta: tuple[float, ...] = (np.nan,) * 3
    r: tuple[float, ...] = (np.nan,) * 3
    ref_is_known: bool = True

    @property
    def is_zeroed(self) -> bool:
        return "ZEROED_OUT_ASSAY" in self.filters.split(";")

    @property
    def is_counted(self) -> bool:
        """Part of the call rate, as Picard counts: not filtered, or filtered as a duplicate."""
        names = self.filters.split(";")
        return names in (["."], ["PASS"]) or "DUPE" in names

    @property
    def frequency_b(self) -> tuple[float, int]:
        """Frequency of B in the training set, and the genotypes it is from; NaN where none are stated."""
        total = sum(self.n)
        return ((self.n[1] + 2 * self.n[2]) / (2 * total), total) if total else (float("nan"), 0)


def read_marker(head: Sequence[str], info: str) -> Marker:
    """The marker of a line. head: CHROM, POS, ID, REF, ALT, QUAL, FILTER."""
    contig, position, name, ref, alts, _, filters = head
    stated = dict(part.partition("=")[::2] for part in info.split(";"))
    listed = [ref.upper(), *(alts.upper().split(",") if alts != "." else [])]
    a, b = (_allele(stated.get(key, ""), listed) for key in ("ALLELE_A", "ALLELE_B"))
    if not a and not b and len(listed) <= 2:
        a, b = listed[0], listed[1] if len(listed) == 2 else ""
    code_a, code_b = (listed.index(allele) if allele in listed else ABSENT for allele in (a, b))
    theta, dev_theta, r = (
        tuple(_number(stated.get(f"{measure}_{genotype}", "")) for genotype in _GENOTYPES) for measure in _MEASURES
    )
    counts = tuple(_count(stated.get(f"N_{genotype}", "")) for genotype in _GENOTYPES)
    return Marker(
        contig, int(position), name, listed[0], ",".join(listed[1:]) or ".", filters, a, b, code_a, code_b,
        _number(stated.get("GC_SCORE", "")), stated.get("ILLUMINA_STRAND", ""), _bases(stated.get("PROBE_A", "")),
        _bases(stated.get("PROBE_B", "")), counts, theta, dev_theta, r,
    )  # fmt: skip


def table_of(markers: Sequence[Marker]) -> pa.Table:
    """One row per marker, one column per field of `Marker`."""
    columns = {field.name: [getattr(marker, field.name) for marker in markers] for field in fields(Marker)}
    return pa.table({name: pa.array(values, type=_TYPES.get(name, pa.string())) for name, values in columns.items()})


def markers_of(table: pa.Table) -> list[Marker]:
    """`table_of`, back."""
    columns: list[list[Any]] = [table.column(field.name).to_pylist() for field in fields(Marker)]
    turned = [[tuple(v) for v in column] if isinstance(column[0], list) else column for column in columns]
    return [Marker(*row) for row in zip(*turned, strict=True)]


def key_of(marker: Marker) -> tuple[str, int, str, str, str, str]:
    """What makes two lines of different files the same marker."""
    return marker.contig, marker.position, marker.name, marker.ref, marker.allele_a, marker.allele_b


_LISTED = pa.list_(pa.float64(), 3)
_TYPES = {
    "position": pa.int64(), "code_a": pa.int8(), "code_b": pa.int8(), "gentrain": pa.float64(),
    "n": pa.list_(pa.int64(), 3), "theta": _LISTED, "dev_theta": _LISTED, "r": _LISTED,
    "ref_is_known": pa.bool_(),
}  # fmt: skip


def _allele(text: str, listed: Sequence[str]) -> str:
    text = text.rstrip("*").upper()
    if text.isdigit():
        return listed[int(text)] if int(text) < len(listed) else ""
    return "" if text == "." else text


def _bases(text: str) -> str:
    return "" if text == "." else text.upper()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _count(text: str) -> int:
    return int(text) if text.isdigit() else 0
