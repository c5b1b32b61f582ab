"""Groups of people as rows of OBSERVATION, and the custom concepts that they point to.

A question, such as which genetic ancestry group, and an answer, the group. No vocabulary has them as genetics means
them: race and ethnicity are what people say of themselves, and no group that was inferred is written there. So they are
custom concepts; an id follows from what it means alone:

    2,008,000,000 + the first 8 bytes of sha256("group <kind> <question>[ <answer>]"), big-endian, modulo 1,000,000
"""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.errors import ConfigError, InputError
from cohelix.folder import appearing_whole
from cohelix.genotypes.inputs import GROUP_COLUMNS, SAMPLE_COLUMNS, column_of, read_groups, read_table, texts
from cohelix.genotypes.omop import (
    CALCULATED,
    LAST_ID,
    Linked,
    arrow_schema,
    fitting,
    parse_date,
    read_linked,
    table_of,
)

FIRST_CUSTOM, N_CUSTOM = 2_008_000_000, 1_000_000
QUESTION, ANSWER = "question", "answer"
ANCESTRY = "Genetic ancestry group"
VOCABULARY = "cohelix groups"


def concept_id(kind: str, subject: str) -> int:
    """The custom concept of a question, or of an answer, whose subject is `<question> <answer>`."""
    digest = hashlib.sha256(f"group {kind} {subject}".encode()).digest()
    return FIRST_CUSTOM + int.from_bytes(digest[:8], "big") % N_CUSTOM


def write_observations(
    groups: str,
    out: str,
    *,
    links: str,
    question: str = ANCESTRY,
    column: str | None = None,
    date: str | None = None,
    first_id: int = 1,
) -> dict[str, int]:
    """A folder with observation.parquet and concept.parquet: a row a person that has a group.

    Returns how many samples of the table have a row, and how many have none, by the reason.

    groups: a table of samples and their groups, such as ancestry_preds.tsv; column: that of the groups, where it has
    several. links: table of sample_id and person_id; of several samples of a person the first listed counts. date: of
    all rows (YYYY-MM-DD), where `links` has no column measurement_date. first_id: observation_id of the first row.

    Raises ConfigError for choices that cannot be met, InputError for tables that do not fit one another.
    """
    if not question.strip() or not question.isprintable():
        raise ConfigError("expected a question in words, as in 'Genetic ancestry group'.")
    linked = read_linked(links, parse_date(date))
    what = "table of groups"
    table = read_table(groups, what)
    samples = texts(table, column_of(table, SAMPLE_COLUMNS, what))
    column = column_of(table, GROUP_COLUMNS, what, column)
    found = read_groups(groups, samples, column)
    with appearing_whole(Path(out)) as folder:
        rows = _rows(samples, found.codes, found.names, linked, question, first_id)
        if not rows.num_rows:
            raise InputError("expected a table of links of these samples, found none of them in it. Give theirs.")
        pq.write_table(rows, folder / "observation.parquet", compression="zstd")
        pq.write_table(concept_rows(question, found.names), folder / "concept.parquet", compression="zstd")
    return _counts(samples, found.codes, linked)


def _counts(samples: list[str], codes: np.ndarray, linked: Linked) -> dict[str, int]:
    listed = np.array([one in linked.person for one in samples], bool)
    counts = linked.of(samples)[0] > 0
    named = codes >= 0
    return {
        "linked": int((counts & named).sum()),
        "no_link": int((~listed).sum()),
        "second_sample": int((listed & ~counts).sum()),
        "no_group": int((counts & ~named).sum()),
    }


def concept_rows(question: str, names: list[str]) -> pa.Table:
    """Rows of CONCEPT for a question and its answers. InputError where two come to the same id."""
    listed = [(QUESTION, question, question), *((ANSWER, f"{question} {name}", name) for name in names)]
    ids = [concept_id(kind, subject) for kind, subject, _ in listed]
    if len(set(ids)) != len(ids):
        raise InputError("two of the groups have the same custom concept: they could not be told apart. Rename one.")
    n = len(listed)
    columns: dict[str, object] = {
        "concept_id": np.array(ids, np.int32),
        "concept_name": [fitting(f"{question}: {name}" if kind == ANSWER else name, 255) for kind, _, name in listed],
        "domain_id": ["Observation"] * n,
        "vocabulary_id": [VOCABULARY] * n,
        "concept_class_id": ["Answer" if kind == ANSWER else "Question" for kind, _, _ in listed],
        "concept_code": [fitting(f"{kind}:{subject}", 50) for kind, subject, _ in listed],
        "valid_start_date": [datetime.date(1970, 1, 1)] * n,
        "valid_end_date": [datetime.date(2099, 12, 31)] * n,
    }
    return table_of(columns, n, arrow_schema("concept"))


def _rows(
    samples: list[str], codes: np.ndarray, names: list[str], linked: Linked, question: str, first_id: int
) -> pa.Table:
    """Rows of OBSERVATION by person. codes: place of each sample's group among `names`, -1 for none."""
    person, day = linked.of(samples)
    kept = np.flatnonzero((person > 0) & (codes >= 0))
    kept = kept[np.argsort(person[kept], kind="stable")]
    n = len(kept)
    if not 0 < first_id <= LAST_ID - n:
        raise ConfigError(f"expected ids of observations between 1 and {LAST_ID:,}. Lower --first-id.")
    asked = concept_id(QUESTION, question)
    answers = np.array([concept_id(ANSWER, f"{question} {name}") for name in names], np.int32)
    shown = pa.array([fitting(name, 50) for name in names], pa.string()).take(pa.array(codes[kept]))
    columns: dict[str, object] = {
        "observation_id": np.arange(first_id, first_id + n, dtype=np.int32),
        "person_id": person[kept].astype(np.int32),
        "observation_concept_id": np.full(n, asked, np.int32),
        "observation_date": pa.array(day[kept], pa.int32()).cast(pa.date32()),
        "observation_type_concept_id": np.full(n, CALCULATED, np.int32),
        "value_as_string": shown,
        "value_as_concept_id": answers[codes[kept]],
        "observation_source_value": pa.repeat(fitting(question, 50), n),
        "observation_source_concept_id": np.full(n, asked, np.int32),
        "value_source_value": shown,
    }
    return table_of(columns, n, arrow_schema("observation"))
