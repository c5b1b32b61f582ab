"""Drugs on which a guideline exists (`reference/pgx/drugs`), for people with a phenotype of its gene: a line for each.

It says where to look and by what: address of the guideline, phenotype and activity score. It recommends nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from cohelix.genotypes.exports import coded, whole_file
from cohelix.pgx import reference
from cohelix.pgx.definition import Gene
from cohelix.pgx.outputs.calls_only import text_of
from cohelix.pgx.outputs.folder import Calls, genes_of, open_calls, people_of
from cohelix.pgx.phenotype.wording import NOT_KNOWN, activity_text
from cohelix.reference import read_rows

FOLDER = ("pgx", "drugs", "1")
LEVELS = ("A", "B")
"""Levels of CPIC at which a guideline has a change of prescribing."""
COLUMNS = ("sample_id", "drug", "rxnorm", "atc", "genes", "phenotypes", "activity_scores", "genes_without", "guideline")
_READ = ("sample_id", "reported", "activity_score", "phenotype")
_BETWEEN = "|"


@dataclass(frozen=True)
class Drug:
    """genes: those of levels A and B, sorted. atc: several are joined by `|`."""

    name: str
    rxnorm: str
    atc: str
    guideline: str
    genes: tuple[str, ...]


@dataclass(frozen=True)
class _Known:
    """Of a gene: code int64 (people,) into the texts, -1 without a phenotype."""

    code: np.ndarray
    phenotypes: list[str]
    scores: list[str]


def read_drugs() -> list[Drug]:
    """Drugs with a guideline, by name."""
    found: dict[tuple[str, str, str, str], list[str]] = {}
    for row in read_rows(*FOLDER, "drugs.tsv"):
        if row["cpic_level"] in LEVELS:
            found.setdefault((row["drug"], row["rxnorm"], row["atc"], row["guideline"]), []).append(row["gene"])
    return [Drug(*key, tuple(sorted(genes))) for key, genes in sorted(found.items())]


def export_drugs(calls: str, out: str) -> int:
    """Write the TSV `out` from a folder of calls, part by part. Returns the number of lines of people."""
    opened = open_calls(calls)
    genes = reference.load(opened.reference, opened.genes)
    drugs = read_drugs()
    n = 0
    with whole_file(out) as path, path.open("wb") as handle:
        handle.write("\t".join(COLUMNS).encode() + b"\n")
        for part in opened.parts:
            for table in _tables(opened, part, genes, drugs):
                handle.write(text_of(table))
                n += table.num_rows
    return n


def _tables(calls: Calls, part: Path, genes: dict[str, Gene], drugs: list[Drug]) -> Iterator[pa.Table]:
    people = people_of(calls, part)
    wanted = {gene for drug in drugs for gene in drug.genes}
    known = {
        symbol: _known(genes[symbol], rows, people)
        for symbol, rows in genes_of(calls, part, _READ)
        if symbol in wanted
    }  # fmt: skip
    for drug in drugs:
        held = [gene for gene in drug.genes if gene in known]
        if held:
            yield _lines(drug, held, [known[gene] for gene in held], people)


def _known(gene: Gene, rows: pa.Table, people: pa.Array) -> _Known:
    """What is known of each person. It is worded once for all of whom the same is said."""
    import pyarrow.compute as pc

    called = pc.fill_null(pc.not_equal(rows.column("phenotype").cast(pa.string()), NOT_KNOWN), False)
    rows = rows.filter(called)
    reported = rows.column("reported").combine_chunks()
    said = [
        rows.column("phenotype").cast(pa.string()),
        pc.fill_null(rows.column("activity_score").cast(pa.string()), ""),
        pc.fill_null(pc.binary_join(reported, "/"), ""),
    ]
    code, _ = coded(pc.binary_join_element_wise(*said, "\x1f"))
    _, first, place = np.unique(code, return_index=True, return_inverse=True)
    worded = rows.take(pa.array(first)).to_pylist()
    scores = [
        activity_text(gene, "/".join(filter(None, row["reported"] or ())), row["activity_score"]) for row in worded
    ]
    dense = np.full(len(people), -1, np.int64)
    dense[pc.index_in(rows.column("sample_id").cast(people.type), people).to_numpy()] = place.reshape(-1)
    return _Known(dense, [row["phenotype"] for row in worded], [score or "" for score in scores])


def _lines(drug: Drug, held: list[str], known: list[_Known], people: pa.Array) -> pa.Table:
    """Lines of a drug: people with a phenotype of one of its genes at least."""
    together = np.zeros(len(people), np.int64)
    for one in known:
        together = together * (len(one.phenotypes) + 1) + one.code + 1
    who = np.flatnonzero(together)
    _, first, place = np.unique(together[who], return_index=True, return_inverse=True)
    worded = [_fields(drug, held, known, int(who[at])) for at in first]
    texts = [pa.array([fields[column] for fields in worded], pa.string()) for column in range(4)]
    genes, phenotypes, scores, without = (text.take(pa.array(place.reshape(-1))) for text in texts)
    n = len(who)
    named = [pa.repeat(pa.scalar(text), n) for text in (drug.name, drug.rxnorm, drug.atc, drug.guideline)]
    columns = [people.take(pa.array(who)).cast(pa.string()), *named[:3], genes, phenotypes, scores, without, named[3]]
    return pa.table(dict(zip(COLUMNS, columns, strict=True)))


def _fields(drug: Drug, held: list[str], known: list[_Known], person: int) -> tuple[str, str, str, str]:
    """genes, phenotypes, activity_scores and genes_without of a person."""
    there = [(gene, one, int(one.code[person])) for gene, one in zip(held, known, strict=True) if one.code[person] >= 0]
    genes = [gene for gene, _, _ in there]
    return (
        _BETWEEN.join(genes),
        _BETWEEN.join(one.phenotypes[code] for _, one, code in there),
        _BETWEEN.join(one.scores[code] for _, one, code in there),
        _BETWEEN.join(gene for gene in drug.genes if gene not in genes),
    )
