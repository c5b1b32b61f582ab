"""What genomes say of people, by group: phenotypes of pharmacogenes, scores, and the quality of the data."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix.errors import InputError
from cohelix.release.aggregates.quantiles import by_group
from cohelix.release.aggregates.strata import Strata
from cohelix.release.cells import harmless
from cohelix.release.disclosure.tables import CountTable
from cohelix.release.people import People

OTHER = "other or not called"
METRICS = ("call_rate", "mean_coverage", "ti_tv", "het_hom", "n_snp", "contamination")
MEASURES = (("scores.parquet", "sum"), ("adjusted.parquet", "z_norm2"), ("adjusted.parquet", "z_most_similar"))
_ROWS = 500_000


def phenotype_tables(path: str, people: People, strata: Strata, least: int) -> Iterator[CountTable]:
    """Phenotype by group, a table a gene, of all people of the tables; by gene.

    Phenotypes that fewer than `least` people have are counted with those that have none.
    """
    place = _places(people)
    found: dict[tuple[str, str], np.ndarray] = {}
    names = strata.categories[0]
    group = strata.group
    for batch in _batches(path, ("sample_id", "gene", "phenotype")):
        at = np.array([place.get(sample, -1) for sample in batch.column(0).to_pylist()], np.int64)
        of = np.where(at >= 0, group[at], -1)
        pairs = [column.cast(pa.string()).fill_null("").dictionary_encode() for column in batch.columns[1:]]
        gene_code, phenotype_code = (np.asarray(column.indices) for column in pairs)
        genes, phenotypes = ([harmless(one) for one in column.dictionary.to_pylist()] for column in pairs)
        inside = of >= 0
        rows, times = np.unique(np.stack([gene_code, phenotype_code, of])[:, inside], axis=1, return_counts=True)
        for (g, p, stratum), n in zip(rows.T.tolist(), times.tolist(), strict=True):
            if phenotypes[p]:
                counts = found.setdefault((genes[g], phenotypes[p]), np.zeros(len(names), np.int64))
                counts[stratum] += n
    everybody = strata.frame.sum((1, 2))
    for gene in sorted({gene for gene, _ in found}):
        kept = sorted(name for of, name in found if of == gene and found[of, name].sum() >= least)
        if not kept:
            continue
        rows = np.stack([found[gene, name] for name in kept])
        counts = np.vstack([rows, everybody - rows.sum(0)])
        yield CountTable(
            gene, ("phenotype", "group"), ((*kept, OTHER), names), counts, ((), (0,), (1,), (0, 1)), given=((), (1,))
        )


def score_rows(prs: str, adjusted: str, people: People, strata: Strata, least: int) -> Iterator[dict[str, Any]]:
    """Quantiles of scores by group: raw sums and those adjusted for ancestry."""
    for name, measure in MEASURES:
        folder = prs if name == "scores.parquet" else adjusted
        path = Path(folder) / name
        if folder and path.is_file() and measure in _columns(path):
            for score, values in _by_score(path, measure, people):
                for row in _quantiles(values, strata, least):
                    yield {"score": harmless(score), "measure": measure} | row


def quality_rows(folder: str, people: People, strata: Strata, least: int) -> Iterator[dict[str, Any]]:
    """Quantiles of metrics of genomes by group."""
    path = Path(folder) / "sample_metrics.parquet"
    metrics = [name for name in METRICS if path.is_file() and name in _columns(path)]
    place = _places(people)
    values = {name: np.full(len(people), np.nan) for name in metrics}
    if metrics:
        for batch in _batches(str(path), ("sample_id", *metrics)):
            at = np.array([place.get(sample, -1) for sample in batch.column(0).to_pylist()], np.int64)
            for name in metrics:
                numbers = batch.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False)
                values[name][at[at >= 0]] = numbers[at >= 0]
    for name in metrics:
        for row in _quantiles(values[name], strata, least):
            yield {"metric": name} | row


def _quantiles(values: np.ndarray, strata: Strata, least: int) -> Iterator[dict[str, Any]]:
    for group, about, share, value in by_group(values, strata.group, strata.categories[0], least):
        yield {"group": group, "persons_up_to": about, "share": share, "value": value}


def _by_score(path: Path, measure: str, people: People) -> Iterator[tuple[str, np.ndarray]]:
    """(score, float64 (people,)) one score at a time: their rows are together."""
    place = _places(people)
    done: set[str] = set()
    now, values = "", np.full(len(people), np.nan)
    for batch in _batches(str(path), ("score", "sample_id", measure)):
        scores = np.array(batch.column(0).cast(pa.string()).to_pylist(), object)
        at = np.array([place.get(one, -1) for one in batch.column(1).cast(pa.string()).to_pylist()], np.int64)
        numbers = batch.column(2).cast(pa.float64()).to_numpy(zero_copy_only=False)
        starts = [0, *(np.flatnonzero(scores[1:] != scores[:-1]) + 1).tolist(), len(scores)]
        for first, last in pairwise(starts):
            if first == last:
                continue
            if scores[first] != now:
                if now:
                    yield now, values
                done.add(now)
                now, values = str(scores[first]), np.full(len(people), np.nan)
                if now in done:
                    raise InputError("expected the rows of each score together, found a score in two places.")
            inside = at[first:last] >= 0
            values[at[first:last][inside]] = numbers[first:last][inside]
    if now:
        yield now, values


def _places(people: People) -> dict[str, int]:
    """Row of a person by sample id of the genome."""
    rows = np.flatnonzero(people.genome >= 0)
    return {people.genome_ids[people.genome[row]]: row for row in rows.tolist()}


def _columns(path: Path) -> list[str]:
    import pyarrow.parquet as pq

    return [str(name) for name in pq.read_schema(path).names]


def _batches(path: str, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    files = sorted(Path(path).glob("*.parquet")) if Path(path).is_dir() else [Path(path)]
    for file in files:
        try:
            opened = pq.ParquetFile(file)
        except (OSError, pa.ArrowException):
            raise InputError("a table that aggregates are made from cannot be read. Make it again.") from None
        missing = [name for name in columns if name not in opened.schema_arrow.names]
        if missing:
            raise InputError(f"expected the column {missing[0]} in a table that aggregates are made from, found none.")
        for batch in opened.iter_batches(_ROWS, columns=list(columns)):
            yield batch.select(list(columns))
