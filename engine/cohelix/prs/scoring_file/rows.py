"""Rows of one scoring file as a variant, as a special term, or as neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from cohelix import genome
from cohelix.errors import InputError
from cohelix.prs.schema import ADDITIVE, CHROMOSOMES, DOMINANT, DOSAGE, RECESSIVE
from cohelix.prs.scoring_file.columns import FEW, NO_NUMBER, Columns, text_columns, texts_of
from cohelix.prs.scoring_file.identifiers import Identified, identified
from cohelix.prs.scoring_file.layout import FLAGS, Layout
from cohelix.prs.scoring_file.lines import MISSING, Coded, Text
from cohelix.prs.scoring_file.records import APOE, CYP, DIPLOTYPE, HAPLOTYPE, HLA, INTERACTION, NOT_GIVEN

KINDS = ("", INTERACTION, APOE, HLA, CYP, DIPLOTYPE, HAPLOTYPE)
REASONS = (
    "no_position", "bad_chromosome", "bad_position", "bad_effect_allele", "bad_other_allele", "same_alleles",
    "effect_allele_not_in_id",
)  # fmt: skip
"""States of a row: 0 a variant, 1 to 6 a kind of special row, from 7 on a reason why it is rejected."""

FIRST_REASON = len(KINDS)
NO_POSITION, BAD_CHROMOSOME, BAD_POSITION, BAD_EFFECT, BAD_OTHER, SAME_ALLELES, NOT_IN_ID = range(
    FIRST_REASON, FIRST_REASON + len(REASONS)
)

_FARTHEST = 1 << 28
"""No human chromosome is as long as this (chromosome 1 has 249 million bases)."""

_NOT_KNOWN, _BAD_CHROMOSOME, _SEVERAL = 0, -1, -2
_BAD_ALLELE = -2
_TRUE, _FALSE = ("true", "t", "1", "yes", "y"), ("false", "f", "0", "no", "n", *map(str.lower, MISSING))
_BASES = frozenset("ACGT")
_INTERACTS = "_x_"


class Alleles:
    """Codes of alleles in one batch, in the order in which they are met."""

    def __init__(self) -> None:
        self.codes: dict[str, int] = {}

    def code(self, allele: str) -> int:
        """Of a sequence of bases, else `_BAD_ALLELE`."""
        code = self.codes.get(allele)
        if code is None:
            upper = allele.upper()
            if not upper or not _BASES.issuperset(upper):
                return _BAD_ALLELE
            code = self.codes.setdefault(upper, len(self.codes))
        return code


@dataclass(frozen=True)
class Rows:
    """All n rows of a file as arrays, as in `Batch`; state int8: see `KINDS` and `REASONS`. rs_id: as in `Batch`."""

    state: np.ndarray
    chromosome: np.ndarray
    position: np.ndarray
    effect: np.ndarray
    other: np.ndarray
    effect_type: np.ndarray
    rs_id: pa.Array | None


def rows_of(text: Text, layout: Layout, columns: Columns, alleles: Alleles) -> Rows:
    """What each row is. InputError where a flag is no flag, a row is dominant and recessive, or a position is text."""
    n = columns.n
    effect_values = columns.coded[layout.effect]
    state = _special(text, layout, columns)
    effect = _looked_up([alleles.code(value) for value in effect_values.values], effect_values.codes)
    other = _others(layout, columns, alleles)
    chromosome, position = np.zeros(n, np.int64), columns.position
    if layout.chromosome:
        chromosome = _chromosomes(columns.coded[layout.chromosome])
        _reject(state, KINDS.index(INTERACTION), chromosome == _SEVERAL)
    elif layout.id:
        found = identified(text, layout.id)
        chromosome, position = _chromosomes(found.chromosome), found.position
        other = _others_in(found, effect, other, state, alleles)
    if (position == NO_NUMBER).any():
        _check_positions(text, layout, position, state)
    known = (chromosome != _NOT_KNOWN) & (position != 0)
    _reject(state, BAD_CHROMOSOME, chromosome < 0)
    _reject(state, BAD_POSITION, known & ((position < 0) | (position > _FARTHEST)))
    rs_id = None
    if not known.all():
        rs_id, has_id = _rs_ids(text, layout, known)
        _reject(state, NO_POSITION, ~known & ~has_id)
    _reject(state, BAD_EFFECT, effect < 0)
    _reject(state, BAD_OTHER, other == _BAD_ALLELE)
    _reject(state, SAME_ALLELES, effect == other)
    known &= state == 0
    return Rows(
        state,
        np.where(known, chromosome, 0).astype(np.int8),
        np.where(known, position, 0).astype(np.int32),
        effect.astype(np.int32),
        other.astype(np.int32),
        _effect_types(text, layout, columns),
        rs_id,
    )


def _reject(state: np.ndarray, reason: int, where: np.ndarray) -> None:
    """The first reason stands; special rows stay what they are."""
    if where.any():
        state[where & (state == 0)] = reason


def _looked_up(by_code: list[int], codes: np.ndarray) -> np.ndarray:
    return np.asarray(np.array(by_code, np.int64)[codes])


def _chromosomes(values: Coded) -> np.ndarray:
    return _looked_up([_chromosome(value) for value in values.values], values.codes)


def _others_in(
    found: Identified, effect: np.ndarray, other: np.ndarray, state: np.ndarray, alleles: Alleles
) -> np.ndarray:
    """`other`, and where it is not given that of the identifier's alleles which is not the effect allele."""
    first, second = (
        _looked_up([alleles.code(value) if value else NOT_GIVEN for value in values.values], values.codes)
        for values in (found.first, found.second)
    )
    stated = (first != NOT_GIVEN) & (other == NOT_GIVEN)
    _reject(state, NOT_IN_ID, stated & (effect >= 0) & (effect != first) & (effect != second))
    return np.where(stated, np.where(effect == first, second, first), other)


@lru_cache(1024)
def _chromosome(name: str) -> int:
    """Code of a chromosome; 0 where none is named."""
    if name in MISSING:
        return _NOT_KNOWN
    if _INTERACTS in name:
        return _SEVERAL
    plain = genome.plain_name(name)
    plain = plain[: -len(".0")] if plain.endswith(".0") else plain
    plain = {"25": "X", "XY": "X", "PAR1": "X", "PAR2": "X", "PAR": "X"}.get(plain.upper(), plain)
    plain = plain.lstrip("0") or "0"
    return CHROMOSOMES.index(plain) if plain in CHROMOSOMES[1:] else _BAD_CHROMOSOME


def _special(text: Text, layout: Layout, columns: Columns) -> np.ndarray:
    """int8 states with the kinds of special rows, and 0."""
    state = np.zeros(columns.n, np.int8)
    kinds = {"is_interaction": INTERACTION, "is_diplotype": DIPLOTYPE, "is_haplotype": HAPLOTYPE}
    for name in FLAGS:  # an interaction of haplotypes is an interaction
        if name in layout.flags:
            flagged = flags_of(text, name, columns.coded[name])
            state[flagged & (state == 0)] = KINDS.index(kinds[name])
    by_name = [(columns.coded[layout.effect], _kind_of_allele)]
    if layout.variant_type:
        by_name.append((columns.coded[layout.variant_type], _kind_of_type))
    for values, kind_of in by_name:
        kind = [KINDS.index(kind_of(value)) for value in values.values]
        if any(kind):
            found = _looked_up(kind, values.codes)
            state = np.where((found > 0) & (state != KINDS.index(INTERACTION)), found, state).astype(np.int8)
    return state


def _kind_of_allele(value: str) -> str:
    if _INTERACTS in value:
        return INTERACTION
    if value.upper() == "P":  # present, as HLA alleles are coded
        return HLA
    return next((kind for kind in (APOE, HLA, CYP) if value.upper().startswith(kind)), "")


def _kind_of_type(value: str) -> str:
    return next((kind for kind in (APOE, HLA, CYP) if value.upper().startswith(kind)), "")


def flags_of(text: Text, name: str, values: Coded) -> np.ndarray:
    """bool (rows,). InputError where a value is neither true, false nor empty."""
    truth = []
    for code, value in enumerate(values.values):
        lower = value.lower()
        if lower not in _TRUE and lower not in _FALSE:
            row = int(np.argmax(values.codes == code))
            raise InputError(f"{text.where(row)}: expected True or False as {name}, found {value[:40]!r}.")
        truth.append(lower in _TRUE)
    return np.asarray(np.array(truth, bool)[values.codes])


def _others(layout: Layout, columns: Columns, alleles: Alleles) -> np.ndarray:
    """int64: codes of the other alleles; `NOT_GIVEN` where none or several are; the inferred one in place of none."""
    other = np.full(columns.n, NOT_GIVEN, np.int64)
    given = np.zeros(columns.n, bool)
    for name in (layout.other, layout.inferred):
        if name:
            values = columns.coded[name]
            stated = np.array([value not in MISSING for value in values.values], bool)[values.codes] & ~given
            codes = [NOT_GIVEN if value in MISSING or "/" in value else alleles.code(value) for value in values.values]
            other[stated] = _looked_up(codes, values.codes)[stated]
            given |= stated
    return other


def _check_positions(text: Text, layout: Layout, position: np.ndarray, state: np.ndarray) -> None:
    wrong = np.flatnonzero((position == NO_NUMBER) & (state == 0))
    for row in wrong[:1].tolist():
        raise InputError(
            f"{text.where(row)}: expected a whole number as {layout.position}, found something else. Correct the file."
        )


def _rs_ids(text: Text, layout: Layout, known: np.ndarray) -> tuple[pa.Array | None, np.ndarray]:
    """rs numbers (or other names) of rows without a position, null elsewhere; bool (rows,): which have one.

    The first column that has one says it.
    """
    has_id = np.zeros(len(known), bool)
    names = (*layout.rs_ids, layout.id) if layout.id else layout.rs_ids
    if not names:
        return None, has_id
    import pyarrow.compute as pc

    wanted = np.flatnonzero(~known)
    if text.begins is not None and len(wanted) * FEW < len(known):
        return _looked_up_ids(text, names, wanted, has_id)
    found = pa.nulls(len(known), pa.string())
    for values in text_columns(text, names):
        trimmed = pc.utf8_trim(pc.utf8_trim_whitespace(values), '"')
        stated = pc.invert(pc.is_in(trimmed, pa.array(MISSING)))
        found = pc.if_else(pc.and_(stated, pc.is_null(found)), trimmed, found)
    found = pc.if_else(pa.array(known), pa.scalar(None, pa.string()), found)
    return found, np.asarray(pc.is_valid(found))


def _looked_up_ids(
    text: Text, names: Sequence[str], wanted: np.ndarray, has_id: np.ndarray
) -> tuple[pa.Array, np.ndarray]:
    """What `_rs_ids` gives, of few rows."""
    place = np.zeros(len(has_id), np.int32)
    ids: list[str] = []
    for row, fields in zip(wanted.tolist(), texts_of(text, wanted, names), strict=True):
        found = next((fields[name] for name in names if fields.get(name, "") not in MISSING), "")
        if found:
            place[row], has_id[row] = len(ids), True
            ids.append(found)
    return pa.array(ids, pa.string()).take(pa.array(place, mask=~has_id)), has_id


def _effect_types(text: Text, layout: Layout, columns: Columns) -> np.ndarray:
    """int8 (rows,), but for dosage weights."""
    types = np.full(columns.n, ADDITIVE, np.int8)
    named = {"additive": ADDITIVE, "dominant": DOMINANT, "recessive": RECESSIVE, "nonadditive": DOSAGE}
    if "effect_type" in layout.models:
        values = columns.coded["effect_type"]
        codes = []
        for code, value in enumerate(values.values):
            if value not in named and value not in MISSING:
                row = int(np.argmax(values.codes == code))
                raise InputError(
                    f"{text.where(row)}: expected additive, dominant, recessive or nonadditive as effect_type, found "
                    f"{value[:40]!r}."
                )
            codes.append(named.get(value, ADDITIVE))
        types = _looked_up(codes, values.codes).astype(np.int8)
    for name, code in (("is_dominant", DOMINANT), ("is_recessive", RECESSIVE)):
        if name in layout.models:
            flagged = flags_of(text, name, columns.coded[name])
            clash = np.flatnonzero(flagged & (types != ADDITIVE) & (types != code))
            if len(clash):
                raise InputError(
                    f"{text.where(int(clash[0]))}: the row is both dominant and recessive. Keep one of the two flags."
                )
            types[flagged] = code
    return types
