"""Calls as one TSV with the columns of PharmCAT's "calls only" report, for tools that read those.

As there, the first line names the program, and a gene without data has no line. Missing positions are said as yes or
no. A name that ends in .gz is compressed.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from isal import isal_zlib

from cohelix import __version__
from cohelix.errors import InputError
from cohelix.genotypes.exports import coded, whole_file
from cohelix.pgx import reference
from cohelix.pgx.definition import Gene
from cohelix.pgx.outputs.folder import genes_of, open_calls
from cohelix.pgx.outputs.tally import known_names
from cohelix.pgx.phenotype.alleles import split
from cohelix.pgx.phenotype.wording import activity_text, label

COLUMNS = (
    "Sample ID", "Gene", "Source Diplotype", "Phenotype", "Activity Score",
    "Haplotype 1", "Haplotype 1 Function", "Haplotype 1 Activity Value",
    "Haplotype 2", "Haplotype 2 Function", "Haplotype 2 Activity Value",
    "Outside Call", "Match Score", "Missing positions",
    "Recommendation Lookup Diplotype", "Recommendation Lookup Phenotype", "Recommendation Lookup Activity Score",
)  # fmt: skip
NO_CALL = "no call"
_GZIP = 31
"""Window bits that ask zlib for a gzip file, with no name and no time in it."""
_READ = ("sample_id", "source", "status", "diplotypes", "scores", "haplotypes", "reported", "function1", "function2",
         "activity_scores", "phenotypes", "n_missing")  # fmt: skip


def export_calls_only(calls: str, out: str) -> int:
    """Write the TSV `out` from a folder of calls. Returns the number of lines of people."""
    opened = open_calls(calls)
    genes = reference.load(opened.reference, opened.genes)
    packed = isal_zlib.compressobj(level=3, wbits=_GZIP) if out.endswith(".gz") else None
    n = 0
    with whole_file(out) as path, path.open("wb") as handle:

        def write(text: bytes) -> None:
            handle.write(text if packed is None else packed.compress(text))

        write(f"cohelix {__version__}\n".encode() + "\t".join(COLUMNS).encode() + b"\n")
        for part in opened.parts:
            for symbol, rows in genes_of(opened, part, _READ):
                table = _lines(genes[symbol], rows)
                write(text_of(table))
                n += table.num_rows
        if packed is not None:
            handle.write(packed.flush())
    return n


def text_of(table: pa.Table) -> bytes:
    """Lines of a TSV, without names of columns. InputError where an id has a tab, a line break or a quote."""
    sink = io.BytesIO()
    options = pyarrow.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    try:
        pyarrow.csv.write_csv(table, sink, options)
    except pa.ArrowInvalid:
        raise InputError(
            "expected ids of samples without tabs, line breaks and quotes, found one with some, which a table of text "
            "cannot hold. Rename it."
        ) from None
    return sink.getvalue()


def _lines(gene: Gene, rows: pa.Table) -> pa.Table:
    """Lines of a gene. What they say is worded once for all people of whom the same is said."""
    import pyarrow.compute as pc

    rows = rows.filter(pc.not_equal(rows.column("status"), "no_data"))
    code, _ = coded(_key(rows))
    distinct, first, place = np.unique(code, return_index=True, return_inverse=True)
    known = known_names(gene)
    worded = [line(gene, row, known) for row in rows.take(pa.array(first)).to_pylist()]
    columns: dict[str, Any] = {"Sample ID": rows.column("sample_id").cast(pa.string())}
    for column, name in enumerate(COLUMNS[1:]):
        texts = pa.array([one[column] for one in worded], pa.string())
        columns[name] = texts.take(pa.array(place.reshape(-1))) if len(distinct) else texts
    missing = pc.greater(rows.column("n_missing"), 0)
    columns["Missing positions"] = pc.if_else(missing, "yes", "no")
    return pa.table(columns)


def _key(rows: pa.Table) -> pa.ChunkedArray:
    """A text a row, equal where all that is said of a person is."""
    import pyarrow.compute as pc

    columns = []
    for name in _READ[1:-1]:
        column = rows.column(name).combine_chunks()
        if pa.types.is_list(column.type):
            values = column.flatten().cast(pa.string()).fill_null("")
            offsets = np.concatenate([[0], np.cumsum(pc.list_value_length(column).fill_null(0).to_numpy())])
            column = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values), "\x1e")
        columns.append(column.cast(pa.string()).fill_null(""))
    return pc.binary_join_element_wise(*columns, "\x1f")


def line(gene: Gene, row: dict[str, Any], known: frozenset[str]) -> tuple[str, ...]:
    """The fields of `COLUMNS` after the sample's id; missing positions are left open."""
    outside = "yes" if row["source"] == "outside" else "no"
    reported = _looked_up(gene, row)
    sources = list(row["diplotypes"] or ())
    if not sources and row["status"] == "haplotypes":
        sources = list(row["haplotypes"] or ())
        return (gene.symbol, " AND ".join(sources), "", "", *[""] * 6, outside, "", "", *reported)
    if not sources:
        return (gene.symbol, NO_CALL, "", "", *[""] * 6, outside, "", "", *reported)
    scores = " / ".join(str(score) for score in (row["scores"] or ())[: len(sources)])
    phenotypes, activity = "", ""
    meant = dict(zip(row["reported"] or (), range(len(row["reported"] or ())), strict=True))
    if all(name in meant for name in sources):
        phenotypes = " / ".join(row["phenotypes"][meant[name]] or " " for name in sources)
        activity = " / ".join(
            activity_text(gene, name, row["activity_scores"][meant[name]]) or "" for name in sources
        ).strip(" /")
    parts = [""] * 6
    if len(sources) == 1:
        at = meant.get(sources[0])
        functions = ("", "") if at is None else (row["function1"][at] or "", row["function2"][at] or "")
        parts = _haplotypes(gene, split(sources[0], known), functions)
    return (gene.symbol, " OR ".join(sources), phenotypes, activity, *parts, outside, scores, "", *reported)


def _haplotypes(gene: Gene, strands: tuple[str, ...], functions: tuple[str, str]) -> list[str]:
    """Name, function and activity value of each strand."""
    known = {allele.name: allele for allele in (*gene.alleles, *gene.functions_only)}
    found: list[str] = []
    for place, function in enumerate(functions):
        strand = strands[place] if place < len(strands) else ""
        allele = known.get(strand)
        value = "" if allele is None or allele.activity is None else str(allele.activity)
        found += [strand, function or (allele.function if allele is not None else ""), value]
    return found


def _looked_up(gene: Gene, row: dict[str, Any]) -> tuple[str, str, str]:
    """Diplotype, phenotype and activity score by which recommendations are looked up, where there is one."""
    reported: list[str | None] = row["reported"] or []
    if len(reported) != 1:
        return "", "", ""
    name, phenotype = reported[0], row["phenotypes"][0] or ""
    if name is None:
        return "", phenotype, ""
    return label(gene, name), phenotype, activity_text(gene, name, row["activity_scores"][0]) or ""
