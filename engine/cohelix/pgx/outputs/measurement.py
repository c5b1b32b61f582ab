"""Star-allele calls as rows of OMOP's table MEASUREMENT, and the custom concepts that they point to.

Up to three rows a person and gene: the phenotype, the activity score and the genotype. Where reference/pgx/codes knows
a standard concept that was verified, it is the measurement's; the source concept is a custom one in any case, whose id
follows from what it means alone:

    2,009,000,000 + the first 8 bytes of sha256("pgx <kind> <subject>"), big-endian, modulo 1,000,000
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.errors import ConfigError, InputError
from cohelix.genotypes.exports import coded, whole_file
from cohelix.genotypes.omop import (
    CALCULATED,
    LAST_ID,
    arrow_schema,
    fitting,
    parse_date,
    read_linked,
    table_of,
)
from cohelix.pgx.outputs.folder import Calls, genes_of, open_calls
from cohelix.reference import read_rows

FIRST_CUSTOM, N_CUSTOM = 2_009_000_000, 1_000_000
KINDS = ("phenotype", "activity_score", "genotype")
ANSWER = "answer"
VOCABULARY = "cohelix PGx"
CODES = ("pgx", "codes", "1", "codes.tsv")
_COLUMNS = ("sample_id", "diplotypes", "haplotypes", "activity_score", "phenotype", "definition")
_NAMES = {
    "phenotype": "{} phenotype predicted from star alleles",
    "activity_score": "{} activity score of star alleles",
    "genotype": "{} star-allele diplotype",
    ANSWER: "{}",
}


def concept_id(kind: str, subject: str) -> int:
    """The custom concept of a gene's `kind` (of `KINDS`), or of a phenotype as an answer (kind `ANSWER`)."""
    digest = hashlib.sha256(f"pgx {kind} {subject}".encode()).digest()
    return FIRST_CUSTOM + int.from_bytes(digest[:8], "big") % N_CUSTOM


@dataclass
class _Concepts:
    """Concepts used so far. standard: verified ones by (kind, subject)."""

    standard: dict[tuple[str, str], int]
    used: dict[tuple[str, str], int] = field(default_factory=dict)
    held: dict[int, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def known(cls) -> _Concepts:
        return cls(
            {(row["kind"], row["subject"]): int(row["omop_concept_id"])
             for row in read_rows(*CODES) if row["omop_concept_id"]}
        )  # fmt: skip

    def of(self, kind: str, subject: str) -> tuple[int, int]:
        """(concept, source concept). InputError where two have one custom concept."""
        number = self.used.setdefault((kind, subject), concept_id(kind, subject))
        if self.held.setdefault(number, (kind, subject)) != (kind, subject):
            raise InputError(
                f"{subject!r} and {self.held[number][1]!r} have the same custom concept, {number}: their rows could "
                "not be told apart. Export them apart."
            )
        return self.standard.get((kind, subject), number), number


def write_measurement(calls: str, out: str, *, links: str, date: str | None = None, first_id: int = 1) -> int:
    """Write rows of MEASUREMENT (Parquet) from a folder of calls. Returns how many.

    links: table of sample_id and person_id; of several samples of a person the one named first counts. date: of all
    rows (YYYY-MM-DD), where `links` has no column measurement_date. first_id: measurement_id of the first row. A sample
    without a person, and what could not be called, have no row; a genotype has one row for each equally good diplotype.

    Raises ConfigError for choices that cannot be met, InputError for tables that do not fit one another.
    """
    opened, linked, concepts = open_calls(calls), read_linked(links, parse_date(date)), _Concepts.known()
    schema, n, used = arrow_schema("measurement"), 0, False
    with whole_file(out) as path, pq.ParquetWriter(path, schema, compression="zstd", compression_level=1) as writer:
        for gene, rows in _all(opened):
            code, samples = coded(rows.column("sample_id"))
            persons, days = linked.of(samples)
            used = used or bool(persons.any())
            for kind in KINDS:
                table = _measured(gene, kind, rows, persons[code], days[code], first_id + n, concepts, schema)
                if table.num_rows:
                    writer.write_table(table)
                    n += table.num_rows
        if not used:
            raise InputError("expected a table of links of these samples, found none of them in it. Give theirs.")
    return n


def write_concepts(calls: str, out: str) -> int:
    """Write rows of CONCEPT (Parquet) for the custom concepts that `write_measurement` points to. Returns how many."""
    opened, concepts = open_calls(calls), _Concepts.known()
    for gene, rows in _all(opened):
        for kind in KINDS:
            if _held(kind, rows)[0].any():
                concepts.of(kind, gene)
        for text in coded(rows.column("phenotype"))[1]:
            concepts.of(ANSWER, text)
    listed = sorted(concepts.used, key=lambda one: concepts.used[one])
    columns: dict[str, object] = {
        "concept_id": np.array([concepts.used[one] for one in listed], np.int32),
        "concept_name": [fitting(_NAMES[kind].format(subject), 255) for kind, subject in listed],
        "domain_id": ["Meas Value" if kind == ANSWER else "Measurement" for kind, _ in listed],
        "vocabulary_id": [VOCABULARY] * len(listed),
        "concept_class_id": ["Answer" if kind == ANSWER else "Pharmacogenomics" for kind, _ in listed],
        "concept_code": [fitting(f"{kind}:{subject}", 50) for kind, subject in listed],
        "valid_start_date": [datetime.date(1970, 1, 1)] * len(listed),
        "valid_end_date": [datetime.date(2099, 12, 31)] * len(listed),
    }
    with whole_file(out) as path:
        pq.write_table(table_of(columns, len(listed), arrow_schema("concept")), path, compression="zstd")
    return len(listed)


def _all(calls: Calls) -> Iterator[tuple[str, pa.Table]]:
    for part in calls.parts:
        yield from genes_of(calls, part, _COLUMNS)


def _held(kind: str, rows: pa.Table) -> tuple[np.ndarray, pa.Array]:
    """(rows that have a value of this kind, the values). A row with several diplotypes is there for each."""
    import pyarrow.compute as pc

    if kind != "genotype":
        column = rows.column(kind).combine_chunks()
        held = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
        return held, column.take(pa.array(held))
    parents, values = [], []
    for name in ("diplotypes", "haplotypes"):
        listed = rows.column(name).combine_chunks()
        if name == "haplotypes":  # alleles whose strands are not known stand together in one value
            listed = pc.if_else(pc.greater(pc.list_value_length(listed).fill_null(0), 0), listed, None)
            held = np.flatnonzero(listed.is_valid().to_numpy(zero_copy_only=False))
            parents.append(held)
            values.append(pc.binary_join(listed.take(pa.array(held)), "; "))
        else:
            parents.append(pc.list_parent_indices(listed).to_numpy())
            values.append(listed.flatten())
    parent = np.concatenate(parents).astype(np.int64)
    order = np.argsort(parent, kind="stable")
    return parent[order], pa.concat_arrays(values).take(pa.array(order))


def _measured(
    gene: str, kind: str, rows: pa.Table, person: np.ndarray, day: np.ndarray, first_id: int, concepts: _Concepts,
    schema: pa.Schema,
) -> pa.Table:  # fmt: skip
    """Rows of one kind of a gene. person, day (rows,): 0 where a sample has no person."""
    held, values = _held(kind, rows)
    linked = np.flatnonzero(person[held] > 0)
    held, values, n = held[linked], values.take(pa.array(linked)), len(linked)
    if not n:
        return schema.empty_table()
    if not 0 < first_id <= LAST_ID - n:
        raise ConfigError(
            f"expected ids of measurements between 1 and {LAST_ID:,}, and {n:,} rows would go on from {first_id:,}. "
            "Export fewer genes at a time, or lower --first-id."
        )
    standard, custom = concepts.of(kind, gene)
    source = fitting(f"{gene} {kind} {rows.column('definition')[0]}", 50)
    columns: dict[str, object] = {
        "measurement_id": np.arange(first_id, first_id + n, dtype=np.int32),
        "person_id": person[held].astype(np.int32),
        "measurement_concept_id": np.full(n, standard, np.int32),
        "measurement_date": pa.array(day[held], pa.int32()).cast(pa.date32()),
        "measurement_type_concept_id": np.full(n, CALCULATED, np.int32),
        "measurement_source_value": pa.repeat(source, n),
        "measurement_source_concept_id": np.full(n, custom, np.int32),
    }
    if kind == "activity_score":
        columns["value_as_number"] = values
        return table_of(columns, n, schema)
    code, texts = coded(values)
    columns["value_source_value"] = pa.array([fitting(one, 50) for one in texts], pa.string()).take(pa.array(code))
    if kind == "phenotype":
        answers = np.array([concepts.of(ANSWER, one)[0] for one in texts], np.int32)
        columns["value_as_concept_id"] = answers[code]
    return table_of(columns, n, schema)
