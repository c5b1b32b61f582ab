"""Health records against the OMOP CDM 5.4: what is not as it should be, counted by table, field and rule.

Two passes over batches: one of primary keys, persons and concepts, one of everything. Findings hold counts, never a
value, a date or an id.
"""

from __future__ import annotations

import datetime
from collections import Counter
from contextlib import closing
from dataclasses import dataclass

from cohelix import storage
from cohelix.errors import InputError
from cohelix.omop.batch_checks import Facts, check_batch, learn
from cohelix.omop.rules import RULES
from cohelix.omop.source import Cdm, open_cdm
from cohelix.omop.tables import fields

COLUMNS = ("table", "field", "rule", "n", "severity")
_REQUIRED_TABLES = ("person", "observation_period")


@dataclass(frozen=True)
class Finding:
    """n: rows; of a rule about columns: columns; of one about a table: 1. severity: error, or warning."""

    table: str
    field: str
    rule: str
    n: int
    severity: str


@dataclass(frozen=True)
class Report:
    """findings: by table and field in the CDM's order, then by rule. rows: of each table that could be read."""

    findings: tuple[Finding, ...]
    rows: dict[str, int]

    def of(self, severity: str) -> list[Finding]:
        return [one for one in self.findings if one.severity == severity]


def validate(cdm: Cdm, today: datetime.date | None = None) -> Report:
    """Everything that breaks a rule of `cohelix.omop.rules.RULES`.

    today: dates after it are in the future (default: the day it is). Memory: a bit for each primary key, and some bytes
    for each person and concept; rows are never held beyond a batch.
    InputError where PERSON cannot be read.
    """
    found: Counter[tuple[str, str, str]] = Counter()
    rows: dict[str, int] = {}
    for name, n in cdm.strange.items():
        if name != "columns that the CDM does not have":  # told by table below
            found["", "", name] += n
    for table in _REQUIRED_TABLES:
        found[table, "", "table missing"] += table not in cdm.tables()
    facts = Facts(today or datetime.date.today())
    unread = {table for table in cdm.tables() if not _learned(cdm, table, facts, found)}
    for table in cdm.tables():
        there = cdm.columns(table)
        found[table, "", "columns that the CDM does not have"] += cdm.unknown(table)
        for field in fields()[table]:
            found[table, field.name, "column missing"] += field.required and field.name not in there
        rows[table] = 0
        if not there or table in unread:
            continue
        try:
            for batch in cdm.raw(table, there):
                rows[table] += batch.num_rows
                check_batch(table, batch, facts, found)
        except InputError:
            found[table, "", "cannot be read to its end"] += 1
    return Report(_ordered(found), rows)


def write_findings(records: str, out: str) -> Report:
    """Validate, and write findings as TSV, also where there are none. InputError where the records cannot be read."""
    with closing(open_cdm(records)) as cdm:
        report = validate(cdm)
    lines = ["\t".join(COLUMNS)]
    lines += ["\t".join(str(getattr(one, name)) for name in COLUMNS) for one in report.findings]
    storage.write(out, ("\n".join(lines) + "\n").encode())
    return report


def refuse_errors(report: Report) -> None:
    """InputError where there are errors."""
    errors = report.of("error")
    if errors:
        raise InputError(
            f"expected health records without errors, found {len(errors)} kinds of them in "
            f"{len({one.table for one in errors})} tables. They are counted in the table of findings."
        )


def summary(report: Report) -> str:
    """Counts in a few lines: of tables, rows, and of findings by rule, the errors first."""
    by_rule: Counter[tuple[str, str]] = Counter()
    for one in report.findings:
        by_rule[one.severity, one.rule] += one.n
    head = f"{len(report.rows)} tables, {sum(report.rows.values())} rows"
    return "\n".join([head, *(f"{severity}: {rule}: {n}" for (severity, rule), n in sorted(by_rule.items()))])


def _learned(cdm: Cdm, table: str, facts: Facts, found: Counter[tuple[str, str, str]]) -> bool:
    """Keys, persons and concepts of a table. False where it cannot be read, which is a finding."""
    try:
        learn(cdm, table, facts, found)
    except InputError:
        if table == "person":
            raise
        found[table, "", "cannot be read to its end"] += 1
        return False
    return True


def _ordered(found: Counter[tuple[str, str, str]]) -> tuple[Finding, ...]:
    tables = {table: row for row, table in enumerate(("", *fields()))}
    names = {(table, field.name): row for table, those in fields().items() for row, field in enumerate(those)}
    rules = {rule: row for row, rule in enumerate(RULES)}

    def place(key: tuple[str, str, str]) -> tuple[int, int, int]:
        return tables[key[0]], names.get((key[0], key[1]), -1), rules[key[2]]

    return tuple(Finding(*key, found[key], RULES[key[2]].severity) for key in sorted(found, key=place) if found[key])
