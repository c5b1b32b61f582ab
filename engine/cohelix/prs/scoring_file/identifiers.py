"""Variant identifiers such as 22:17080378:G:A, which stand for chromosome, position and both alleles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cohelix.prs.scoring_file.columns import text_columns
from cohelix.prs.scoring_file.lines import Coded, Text, bare

_PATTERN = (
    r"^(?:chr)?(?P<chromosome>[0-9A-Za-z]{1,5})[:_](?P<position>[0-9]{1,15})"
    r"(?:[:_](?P<first>[A-Za-z*]+)[:_/](?P<second>[A-Za-z*]+))?$"
)


@dataclass(frozen=True)
class Identified:
    """What the identifiers of all rows say: "" and 0 where they are no places."""

    chromosome: Coded
    position: np.ndarray
    first: Coded
    second: Coded


def identified(text: Text, name: str) -> Identified:
    """Chromosome, position (int64) and alleles out of column `name`."""
    import pyarrow.compute as pc

    (values,) = text_columns(text, [name])
    values = pc.utf8_trim(values, ' "\t')
    found = pc.extract_regex(values, _PATTERN)
    texts = [pc.fill_null(pc.struct_field(found, place), "") for place in range(4)]
    position = pc.if_else(pc.equal(texts[1], ""), "0", texts[1]).cast(pa.int64()).to_numpy()
    return Identified(
        _encoded(texts[0]),
        position,
        _encoded(texts[2]),
        _encoded(texts[3]),
    )


def _encoded(values: pa.Array) -> Coded:
    coded = values.dictionary_encode()
    return Coded(coded.indices.to_numpy(), [bare(value) for value in coded.dictionary.to_pylist()])
