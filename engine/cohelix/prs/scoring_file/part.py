"""One scoring file: its scores and their rows, to be joined with those of other files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cohelix.errors import InputError
from cohelix.genome import UNKNOWN_BUILD
from cohelix.prs.schema import ADDITIVE, DOSAGE
from cohelix.prs.scoring_file.columns import Columns, read_columns, texts_of
from cohelix.prs.scoring_file.content import stored_bytes, text_of
from cohelix.prs.scoring_file.header import build_of, id_of, read_head
from cohelix.prs.scoring_file.layout import Layout, layout_of
from cohelix.prs.scoring_file.lines import Text
from cohelix.prs.scoring_file.records import REJECTED, ScoreHeader, Source, SpecialRow
from cohelix.prs.scoring_file.rows import FIRST_REASON, KINDS, REASONS, Alleles, Rows, rows_of
from cohelix.prs.scoring_file.sources import stem_of

_HARMONISED = "_hmPOS_"
"""What stands between the id and the build in the accessions of files that pgscatalog-format wrote."""


@dataclass(frozen=True)
class Part:
    """Scores of one file. Arrays as in `Batch`, with `score` counted from the first of this file."""

    scores: list[ScoreHeader]
    score: np.ndarray
    row: np.ndarray
    chromosome: np.ndarray
    position: np.ndarray
    effect: np.ndarray
    other: np.ndarray
    weight: np.ndarray
    effect_type: np.ndarray
    rs_id: pa.Array | None
    dosage_row: np.ndarray
    dosage: np.ndarray
    frequency: np.ndarray | None
    special: list[SpecialRow]
    rejected: pa.Table


@dataclass(frozen=True)
class Opened:
    """A file that is read as far as its rows: what `Part`s are made of."""

    source: Source
    sha256: str
    text: Text
    layout: Layout
    columns: Columns
    rows: Rows

    def header(self, name: str, n_rows: int, build: str = "") -> ScoreHeader:
        """The header of one score of the file, whose id is `name`."""
        fields = self.text.head.fields
        return ScoreHeader(
            id=name,
            name=fields.get("pgs_name", ""),
            trait=fields.get("trait_reported", ""),
            trait_efo=fields.get("trait_efo", ""),
            build=build or self.layout.build,
            weight_type=fields.get("weight_type", ""),
            citation=fields.get("citation", ""),
            license=fields.get("license", ""),
            n_rows=n_rows,
            sha256=self.sha256,
            fields=dict(fields),
            file=self.source.number,
        )


def open_source(source: Source, alleles: Alleles) -> Opened:
    """Read a file; InputError says what is wrong, by the number of the file and the line."""
    data = stored_bytes(source.path, source.number)
    sha256 = hashlib.sha256(data).hexdigest()
    content = text_of(data, source.number)
    head = read_head(content, source.number)
    layout = layout_of(head, source.number)
    floats = [name for name in (layout.weight, *layout.dosages, layout.frequency) if name]
    if layout.scores:
        first, last = source.columns or (0, len(layout.scores))
        floats += layout.scores[first:last]
    text, columns = read_columns(Text(content, head, source.number, head.quoted), layout, floats)
    return Opened(source, sha256, text, layout, columns, rows_of(text, layout, columns, alleles))


def part_of(opened: Opened) -> Part:
    """The one score of a file, or the scores of a long one, told apart by its column `accession`."""
    weight, dosage = _weights(opened)
    scores, score = _scores_of(opened)
    row = _row_numbers(opened, score)
    rows, n = opened.rows, opened.columns.n
    order = np.arange(n)
    if len(scores) > 1 or opened.layout.row_nr:
        order = np.lexsort((row, score))
    kept = order[rows.state[order] == 0]
    whole = len(kept) == n and bool((kept == np.arange(n)).all())
    frequency = opened.columns.floats.get(opened.layout.frequency)
    effect_type = rows.effect_type
    if dosage is not None:
        effect_type = np.where(np.isnan(weight), DOSAGE, effect_type).astype(np.int8)

    def taken(values: np.ndarray) -> np.ndarray:
        return values if whole else values[kept]

    dosage_row = np.flatnonzero(taken(effect_type) == DOSAGE)
    special, rejected = _others_of(opened, order, score, row, weight)
    return Part(
        scores, taken(score), taken(row), taken(rows.chromosome), taken(rows.position), taken(rows.effect),
        taken(rows.other), taken(weight), taken(effect_type),
        None if rows.rs_id is None else rows.rs_id if whole else rows.rs_id.take(pa.array(kept)),
        dosage_row, np.zeros((0, 3)) if dosage is None else taken(dosage)[dosage_row],
        None if frequency is None else taken(likely(frequency)), special, rejected,
    )  # fmt: skip


def likely(frequency: np.ndarray) -> np.ndarray:
    """Frequencies outside of 0 to 1 count as not given."""
    with np.errstate(invalid="ignore"):
        return np.where((frequency >= 0) & (frequency <= 1), frequency, np.nan)


def check_finite(text: Text, name: str, values: np.ndarray) -> None:
    """InputError where a weight is infinite (Arrow reads such words as numbers)."""
    wrong = np.flatnonzero(np.isinf(values))
    if len(wrong):
        found = texts_of(text, wrong[:1], [name])[0].get(name, "")
        raise InputError(
            f"{text.where(int(wrong[0]))}: expected a finite number as {name[:40]}, found {found[:40]!r}. "
            "Correct the file."
        )


def _weights(opened: Opened) -> tuple[np.ndarray, np.ndarray | None]:
    """float64 (rows,), NaN where dosage weights stand in; those float64 (rows, 3), None where no row has any."""
    text, layout, floats = opened.text, opened.layout, opened.columns.floats
    weight = floats[layout.weight] if layout.weight else np.full(opened.columns.n, np.nan)
    for name in (layout.weight, *layout.dosages):
        if name:
            check_finite(text, name, floats[name])
    missing = np.isnan(weight)
    nonadditive = opened.rows.effect_type == DOSAGE
    if not missing.any() and not nonadditive.any():
        return weight, None
    wrong = missing | nonadditive
    dosage = None
    if layout.dosages:
        dosage = np.stack([floats[name] for name in layout.dosages], axis=1)
        wrong = (missing & np.isnan(dosage).any(axis=1)) | (nonadditive & ~missing)
        modelled = missing & (opened.rows.effect_type != ADDITIVE) & ~nonadditive
        if modelled.any():
            raise InputError(
                f"{text.where(int(np.argmax(modelled)))}: dosage weights say by themselves what each number of copies "
                "weighs; the row is dominant or recessive besides. Drop that flag."
            )
    if wrong.any():
        raise InputError(
            f"{text.where(int(np.argmax(wrong)))}: expected a number as effect_weight (or the three dosage weights of "
            "a nonadditive row), found none. Correct the file."
        )
    return weight, dosage


def _scores_of(opened: Opened) -> tuple[list[ScoreHeader], np.ndarray]:
    """Headers in the order of first appearance, and the score int32 of each row."""
    n, layout = opened.columns.n, opened.layout
    if not layout.accession:
        name = id_of(opened.text.head.fields) or stem_of(opened.source.path)
        return [opened.header(name, n)], np.zeros(n, np.int32)
    values = opened.columns.coded[layout.accession]
    names = list(dict.fromkeys(values.values))
    place = {name: number for number, name in enumerate(names)}
    score = np.array([place[name] for name in values.values], np.int32)[values.codes]
    counts = np.bincount(score, minlength=len(names)).tolist()
    if "" in place:
        row = int(np.argmax(score == place[""]))
        raise InputError(f"{opened.text.where(row)}: expected the id of a score as accession, found none.")
    headers = [
        opened.header(name, count, _build_in(name, layout, opened.source.number))
        for name, count in zip(names, counts, strict=True)
    ]
    return headers, score


def _build_in(accession: str, layout: Layout, number: int) -> str:
    """The build that pgscatalog-format wrote into the accession, where the header names none."""
    if layout.build != UNKNOWN_BUILD or _HARMONISED not in accession:
        return layout.build
    return build_of({"accession": accession.rpartition(_HARMONISED)[2].replace("None", "")}, "accession", number)


def _row_numbers(opened: Opened, score: np.ndarray) -> np.ndarray:
    """int32: `row_nr` of files that have it, else the number of the data line. Each once in a score."""
    n, text, name = opened.columns.n, opened.text, opened.layout.row_nr
    if not name:
        return np.arange(n, dtype=np.int32)
    stated = opened.columns.floats[name]
    wrong = ~((stated >= 0) & (stated < 2**31) & (stated == np.floor(stated)))
    if wrong.any():
        raise InputError(f"{text.where(int(np.argmax(wrong)))}: expected a whole number from 0 on as {name}.")
    row = stated.astype(np.int32)
    order = np.lexsort((row, score))
    again = np.flatnonzero((np.diff(row[order]) == 0) & (np.diff(score[order]) == 0))
    if len(again):
        line = int(order[again[0] + 1])
        raise InputError(f"{text.where(line)}: {name} {row[line]} is that of an earlier row of the same score.")
    return row


def _others_of(
    opened: Opened, order: np.ndarray, score: np.ndarray, row: np.ndarray, weight: np.ndarray
) -> tuple[list[SpecialRow], pa.Table]:
    """Special rows and rejected ones, by score and row."""
    state = opened.rows.state
    if not state.any():
        return [], REJECTED.empty_table()
    placed = state[order]
    chosen = order[(placed > 0) & (placed < FIRST_REASON)]
    special = [
        SpecialRow(int(score[at]), int(row[at]), KINDS[state[at]], fields, float(weight[at]))
        for at, fields in zip(chosen.tolist(), texts_of(opened.text, chosen) if len(chosen) else [], strict=True)
    ]
    chosen = order[placed >= FIRST_REASON]
    return special, rejected_table(opened, chosen, score[chosen], row[chosen], weight[chosen])


def rejected_table(opened: Opened, at: np.ndarray, score: np.ndarray, row: np.ndarray, weight: np.ndarray) -> pa.Table:
    """`REJECTED` of rows `at` of the file."""
    if not len(at):
        return REJECTED.empty_table()
    layout = opened.layout
    names = {
        "chr_name": layout.chromosome, "chr_position": layout.position or layout.id,
        "effect_allele": layout.effect, "other_allele": layout.other,
    }  # fmt: skip
    texts = texts_of(opened.text, at, [name for name in names.values() if name])
    columns = [
        pa.array(score.astype(np.int32)), pa.array(row.astype(np.int32)),
        pa.array([REASONS[code - FIRST_REASON] for code in opened.rows.state[at].tolist()], pa.string()),
        *(pa.array([fields.get(name, "") for fields in texts], pa.string()) for name in names.values()),
        pa.array(weight),
    ]  # fmt: skip
    return pa.table(columns, schema=REJECTED)
