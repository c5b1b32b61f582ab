"""Frequencies of alleles, diplotypes and phenotypes by group, beside published ones.

A folder: frequencies.tsv, published.tsv, frequencies.json, and, with plots, index.html and plots/. Small counts are
withheld (`cohelix.pgx.outputs.disclosure`), a first care: what may be made public is decided later, by the release.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix.choices import between
from cohelix.errors import ConfigError
from cohelix.genotypes.inputs import Groups, digests_of, read_groups
from cohelix.genotypes.outputs import new_folder, write_tsv
from cohelix.pgx import names, reference
from cohelix.pgx.outputs import page
from cohelix.pgx.outputs.disclosure import withheld
from cohelix.pgx.outputs.folder import Calls, genes_of, open_calls, people_of
from cohelix.pgx.outputs.published import Published, addresses, published_groups, read_published
from cohelix.pgx.outputs.tally import COLUMNS, KINDS, Tally, known_names

EVERYBODY, NOT_STATED = "all", "not stated"
TABLE = ("gene", "kind", "name", "group", "n", "total", "frequency", "withheld")


@dataclass(frozen=True)
class Frequency:
    """n of `total` people (alleles: chromosomes) of a group have it. Of a withheld one neither number is told."""

    gene: str
    kind: str
    name: str
    group: str
    n: int
    total: int
    withheld: bool

    @property
    def frequency(self) -> float:
        return self.n / self.total if self.total else float("nan")

    @property
    def row(self) -> tuple[object, ...]:
        told = (None, None, None) if self.withheld else (self.n, self.total, self.frequency)
        return (self.gene, self.kind, self.name, self.group, *told, self.withheld)


def frequencies(
    calls: str, out: str, *, groups: str | None = None, column: str | None = None, least: int = 20, plots: bool = True
) -> dict[str, Any]:
    """Write the folder `out` from a folder of calls. Returns what frequencies.json holds.

    groups: table of samples and groups (`column` of it, or the first of the known names); without one there is only
    one group, everybody. least: smaller counts are withheld. plots: draw index.html (needs matplotlib).

    Raises InputError for damaged calls or a table of other samples, ConfigError for choices that cannot be met.
    """
    between("pgx.frequencies.least", least, 1, 1_000_000)
    if plots:
        page.check_installed()
    opened = open_calls(calls)
    group_names, tallies = _counted(opened, groups, column)
    if {EVERYBODY, NOT_STATED} & set(group_names):
        raise ConfigError(f"expected groups with names other than {EVERYBODY!r} and {NOT_STATED!r}. Rename them.")
    found = [row for gene in sorted(tallies) for row in _rows(gene, tallies[gene], group_names, least)]
    beside = list(_beside(found, group_names))
    summary = {
        "kind": "pgx_frequencies", "reference": opened.reference, "least": least, "groups": group_names,
        "genes": sorted(tallies), "n_rows": len(found), "n_withheld": sum(row.withheld for row in found),
        "inputs": dict(digests_of(groups=groups)), "sources": addresses(),
    }  # fmt: skip
    with new_folder(out) as folder:
        write_tsv(folder / "frequencies.tsv", TABLE, [row.row for row in found])
        write_tsv(
            folder / "published.tsv",
            ("gene", "allele", "group", "frequency", "published_group", "published", "relation", "source"),
            [(row.gene, row.name, row.group, row.frequency, one.group, one.frequency,
              "below" if one.below else "is", one.source) for row, one in beside],
        )  # fmt: skip
        (folder / "frequencies.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        if plots:
            page.write(Path(folder), found, beside, summary)
    return summary


def _counted(calls: Calls, groups: str | None, column: str | None) -> tuple[list[str], dict[str, Tally]]:
    """(names of the groups, tally of each gene)."""
    people = [people_of(calls, part) for part in calls.parts]
    stated = Groups([], np.full(sum(map(len, people)), -1, np.int32))
    if groups is not None:
        stated = read_groups(groups, [one for part in people for one in part.to_pylist()], column)
    genes = _genes(calls)
    tallies: dict[str, Tally] = {}
    first = 0
    for part, ids in zip(calls.parts, people, strict=True):
        codes = stated.codes[first : first + len(ids)]
        first += len(ids)
        for gene, rows in genes_of(calls, part, COLUMNS):
            tally = tallies.setdefault(gene, Tally(len(stated.names)))
            tally.take(rows, codes[_places(rows.column("sample_id"), ids)], genes.get(gene, frozenset()))
    return stated.names, tallies


def _genes(calls: Calls) -> dict[str, frozenset[str]]:
    """Names of the alleles of the genes that were called."""
    return {symbol: known_names(gene) for symbol, gene in reference.load(calls.reference, calls.genes).items()}


def _places(samples: pa.ChunkedArray, ids: pa.Array) -> np.ndarray:
    import pyarrow.compute as pc

    return np.asarray(pc.index_in(samples, ids).combine_chunks().to_numpy(zero_copy_only=False), np.int64)


def _rows(gene: str, tally: Tally, group_names: list[str], least: int) -> Iterator[Frequency]:
    """All groups of a name, everybody first; the last, of people without a group, where there are groups."""
    columns = [EVERYBODY, *group_names, NOT_STATED] if group_names else [EVERYBODY]
    for kind in KINDS:
        order = names.diplotype_key if kind == "diplotype" else names.key
        listed = sorted(tally.counts[kind], key=lambda name: (order(name), name))
        if not listed:
            continue
        counts = np.array([tally.counts[kind][name] for name in listed])
        totals = tally.total[kind]
        if group_names:
            counts = np.column_stack([counts.sum(1), counts])
            totals = np.concatenate([[totals.sum()], totals])
        hidden = withheld(counts, totals, least)
        for row, name in enumerate(listed):
            for place, group in enumerate(columns):
                yield Frequency(gene, kind, name, group, int(counts[row, place]), int(totals[place]),
                                bool(hidden[row, place]))  # fmt: skip


def _beside(found: list[Frequency], group_names: list[str]) -> Iterator[tuple[Frequency, Published]]:
    """Frequencies of alleles that may be shown, each with what was published of such a group."""
    groups = published_groups(group_names)
    published: dict[tuple[str, str], list[Published]] = {}
    for one in read_published():
        published.setdefault((one.gene, one.allele), []).append(one)
    for row in found:
        if row.kind == "allele" and not row.withheld and row.total:
            for one in published.get((row.gene, row.name), ()):
                if one.group in groups.get(row.group, ()):
                    yield row, one
