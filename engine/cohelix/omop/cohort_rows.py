"""Cohorts as rows of COHORT and COHORT_DEFINITION, and as a table of phenotypes for `cohelix prs evaluate`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.errors import ConfigError, InputError
from cohelix.folder import appearing_whole
from cohelix.genotypes.omop import CALCULATED, LAST_ID, arrow_schema, fitting, table_of
from cohelix.omop.cohort import CASE, CONTROL, Cohort, find_cohorts
from cohelix.omop.definition import read_definition
from cohelix.omop.link import link
from cohelix.omop.samples import sample_ids_of
from cohelix.omop.source import open_cdm

ROLES = ((CASE, "cases"), (CONTROL, "controls"))
"""Each phenotype is two cohorts, in this order: the second has the id after the first's."""


def write_cohorts(
    records: str,
    definitions: Sequence[str],
    out: str,
    *,
    samples: str | None = None,
    links: str | None = None,
    first_id: int = 1,
) -> None:
    """A folder with cohort.parquet, cohort_definition.parquet, phenotypes.tsv and cohort.json (counts).

    records: see `open_cdm`. definitions: see `read_definition`. samples: a callset or a table of sample_id; phenotypes
    are then by sample, of those that are linked to a person (see `link`, also for `links`), else by person_id. Of a
    phenotype 1 is a case, 0 a control, NA neither. first_id: cohort_definition_id of the first cohort; each phenotype
    takes two, cases and controls.

    Raises ConfigError for definitions or ids that cannot be, InputError for records that do not fit them.
    """
    wanted = [read_definition(one) for one in definitions]
    names = [one.name for one in wanted]
    if not wanted or len(set(names)) != len(names):
        raise ConfigError("expected phenotypes of different names, at least one. Leave out or rename one.")
    if not 0 < first_id <= LAST_ID - 2 * len(wanted):
        raise ConfigError(f"expected ids of cohorts between 1 and {LAST_ID:,}, found {first_id:,} as the first.")
    if links is not None and samples is None:
        raise ConfigError("a table of links is of samples: give --samples as well.")
    with appearing_whole(Path(out)) as folder:
        cdm = open_cdm(records)
        cohorts = find_cohorts(cdm, wanted)
        pq.write_table(cohort_rows(cohorts, first_id), folder / "cohort.parquet", compression="zstd")
        pq.write_table(definition_rows(cohorts, first_id), folder / "cohort_definition.parquet", compression="zstd")
        counts: dict[str, object] = {one.definition.name: one.counts for one in cohorts}
        states = np.stack([one.state for one in cohorts])
        person = cohorts[0].person
        if samples is None:
            _write_phenotypes(folder / "phenotypes.tsv", "person_id", [str(one) for one in person], names, states)
        else:
            ids = sample_ids_of(samples)
            linked = link(cdm, ids, links)
            rows = np.flatnonzero(linked.person > 0)
            if not rows.size:
                raise InputError(
                    "expected samples of persons in these health records, found none. Give a table of links."
                )
            places = np.searchsorted(person, linked.person[rows])
            found = [ids[row] for row in rows.tolist()]
            _write_phenotypes(folder / "phenotypes.tsv", "sample_id", found, names, states[:, places])
            counts["samples"] = linked.counts
        (folder / "cohort.json").write_text(json.dumps(counts, indent=2) + "\n")


def cohort_rows(cohorts: Sequence[Cohort], first_id: int) -> pa.Table:
    """Rows of COHORT, by definition and person."""
    tables = []
    for place, one in enumerate(cohorts):
        for role, (state, _) in enumerate(ROLES):
            rows = np.flatnonzero(one.state == state)
            columns: dict[str, object] = {
                "cohort_definition_id": np.full(len(rows), first_id + 2 * place + role, np.int32),
                "subject_id": one.person[rows].astype(np.int32),
                "cohort_start_date": pa.array(one.start[rows], pa.int32()).cast(pa.date32()),
                "cohort_end_date": pa.array(one.end[rows], pa.int32()).cast(pa.date32()),
            }
            tables.append(table_of(columns, len(rows), arrow_schema("cohort")))
    return pa.concat_tables(tables)


def definition_rows(cohorts: Sequence[Cohort], first_id: int) -> pa.Table:
    """Rows of COHORT_DEFINITION: cases and controls of each phenotype; the syntax is the definition's file."""
    n = 2 * len(cohorts)
    roles = [(one.definition, role) for one in cohorts for _, role in ROLES]
    columns: dict[str, object] = {
        "cohort_definition_id": np.arange(first_id, first_id + n, dtype=np.int32),
        "cohort_definition_name": [fitting(f"{one.name}: {role}", 255) for one, role in roles],
        "cohort_definition_description": [f"{one.title} ({role})" for one, role in roles],
        "definition_type_concept_id": np.full(n, CALCULATED, np.int32),
        "cohort_definition_syntax": [one.text for one, _ in roles],
        "subject_concept_id": np.zeros(n, np.int32),
    }
    return table_of(columns, n, arrow_schema("cohort_definition"))


def _write_phenotypes(path: Path, key: str, ids: Sequence[str], names: Sequence[str], states: np.ndarray) -> None:
    """states: int8 (phenotypes, ids)."""
    texts = np.array(["0", "1", "NA"])[states.T]  # NEITHER is -1: the last
    with path.open("w", encoding="utf-8") as handle:
        handle.write("\t".join([key, *names]) + "\n")
        for one, row in zip(ids, texts, strict=True):
            handle.write("\t".join([one, *row]) + "\n")
