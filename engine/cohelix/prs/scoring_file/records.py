"""What scoring files hold once they are read: headers, rows as arrays, and rows that are no single variant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

INTERACTION, APOE, HLA, CYP, HAPLOTYPE, DIPLOTYPE = "interaction", "APOE", "HLA", "CYP", "haplotype", "diplotype"
"""Kinds of rows that are no single variant."""

NOT_GIVEN = -1
"""Code of an other allele that the file does not state, or states several of."""

REJECTED = pa.schema(
    [
        ("score", pa.int32()),
        ("row", pa.int32()),
        ("reason", pa.string()),
        ("chr_name", pa.string()),
        ("chr_position", pa.string()),
        ("effect_allele", pa.string()),
        ("other_allele", pa.string()),
        ("weight", pa.float64()),
    ]
)
"""Rows that cannot be read as a variant though their file is sound; the texts as the file has them.

reason: no_position (neither a position nor an rs number), bad_chromosome (not 1 to 22, X, Y or MT), bad_position (on no
chromosome), bad_effect_allele and bad_other_allele (no sequence of A, C, G, T), same_alleles, or
effect_allele_not_in_id. weight: NaN where the row has one for each number of copies.
"""


@dataclass(frozen=True)
class Source:
    """A scoring file, or some score columns of a wide one.

    number: its place among all files, from 1, by which messages name it. n_bytes: of the stored file.
    columns: [first, last) of the score columns of a wide file; None: all.
    """

    path: str
    number: int
    n_bytes: int
    columns: tuple[int, int] | None = None


@dataclass(frozen=True)
class ScoreHeader:
    """What a file says of a score. `build`: GRCh37, GRCh38, NCBI36, NCBI35 or unknown, that of the positions read.

    n_rows: rows of the score, all of which are in the arrays, special or rejected. sha256: of the stored file.
    fields: every value of the header as it stands, by its key. file: the number of its `Source`.
    """

    id: str
    name: str
    trait: str
    trait_efo: str
    build: str
    weight_type: str
    citation: str
    license: str
    n_rows: int
    sha256: str
    fields: dict[str, str]
    file: int


@dataclass(frozen=True)
class SpecialRow:
    """A row that is no single variant. score and row as in `Batch`; kind: one of the kinds above.

    fields: its columns as text, empty ones left out. weight: NaN where it has one for each number of copies.
    """

    score: int
    row: int
    kind: str
    fields: dict[str, str]
    weight: float


@dataclass(frozen=True)
class Batch:
    """Scores, and their rows as arrays (rows,), sorted by score and row.

    score int32: place in `scores`. row int32: of the file's data lines from 0, or its own `row_nr`. chromosome int8 and
    position int32: 0 where not known. effect and other int32: places in `alleles`; other -1 where it is not given.
    weight float64: the nearest to the text; NaN where the row has dosage weights. effect_type int8.
    rs_id: strings, null where the position is known; None where it always is.
    alleles: upper case. dosage_row int64 (m,): rows of the arrays with weights for 0, 1 and 2 copies;
    dosage float64 (m, 3). frequency float64: of the effect allele, NaN where not given; None where never.
    """

    scores: tuple[ScoreHeader, ...]
    score: np.ndarray
    row: np.ndarray
    chromosome: np.ndarray
    position: np.ndarray
    effect: np.ndarray
    other: np.ndarray
    weight: np.ndarray
    effect_type: np.ndarray
    rs_id: pa.Array | None
    alleles: tuple[str, ...]
    dosage_row: np.ndarray
    dosage: np.ndarray
    frequency: np.ndarray | None
    special: tuple[SpecialRow, ...]
    rejected: pa.Table
