"""The genomic part of a controlled release: callsets of genomes and arrays, and tables beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cohelix.genotypes.callset import open_callset
from cohelix.release.ids import Ids
from cohelix.release.labels import Controlled, declassifier
from cohelix.release.matrix import formats
from cohelix.release.matrix.callset import chosen, rewrite
from cohelix.release.matrix.tables import (
    AUX,
    asides,
    flagged,
    n_rows_of,
    pieces_of,
    write_aside,
    write_by_person,
    write_report,
)
from cohelix.release.people import People
from cohelix.release.schema import Inputs, MadeFile, ReleaseParams
from cohelix.release.site_filters import site_filters

GENOMES, ARRAYS = "wgs/short_read/snpindel", "microarray"


@declassifier(Controlled)
def controlled(
    inputs: Inputs,
    people: People,
    ids: Ids,
    params: ReleaseParams,
    folder: Path,
    matrix_table: formats.MatrixTable | None = None,
) -> list[MadeFile]:
    """Files of the matrices under `wgs/` and `microarray/`, by All of Us's layout; persons by the tier's ids.

    matrix_table: writes a Hail matrix table, where `params.formats` asks for one.
    """
    person = ids.person(people.person)
    made: list[MadeFile] = []
    for place, root, places in ((GENOMES, inputs.callset, people.genome), (ARRAYS, inputs.arrays, people.array)):
        if root and (places >= 0).any():
            at = folder / place.replace("/", "-")
            called = open_callset(root)
            filters = site_filters(inputs.sites_qc if place == GENOMES else "", called)
            rewrite(chosen(called, places, person), at / "x.callset", filters)
            made += _files(at / "x.callset", f"{place}/callset")
            made += formats.written(at, place, params.formats, matrix_table)
    genomes = _new_ids(people.genome, people.genome_ids, person)
    arrays = _new_ids(people.array, people.array_ids, person)
    for aside in asides(inputs):
        told = flagged(inputs, genomes) if aside.table == "relatedness_flagged_samples" else genomes
        made.append(write_aside(aside, told, _fresh(folder / "aux", aside.table), people.genome_ids))
    made += write_report(inputs, _fresh(folder / "aux", "prs_report"))
    for name, table, path, column, whose, keys in _by_person(inputs):
        new_ids = arrays if whose == "array" else genomes
        at = _fresh(folder / "aux", table)
        one = write_by_person(name, table, pieces_of(path), column, new_ids, params, at, n_rows_of(path), keys)
        made += [one] if one else []
    return made


def _by_person(inputs: Inputs) -> Iterator[tuple[str, str, Path, str, str, tuple[str, ...]]]:
    """(name, table, input, column of samples, of genomes or arrays, further keys) of tables that are Parquet."""
    listed = [
        (f"{AUX}/ancestry/ancestry.parquet", inputs.ancestry, "ancestry.parquet", "genome", ()),
        (f"{AUX}/ancestry/projection.parquet", inputs.projected, "projection.parquet", "genome", ()),
        (f"{AUX}/qc/sample_metrics.parquet", inputs.samples_qc, "sample_metrics.parquet", "genome", ()),
        (f"{AUX}/prs/scores.parquet", inputs.prs, "scores.parquet", "genome", ("score",)),
        (f"{AUX}/prs/adjusted.parquet", inputs.prs_adjusted, "adjusted.parquet", "genome", ("score",)),
        (f"{AUX}/pgx/pgx.parquet", inputs.pgx, "", "genome", ("gene",)),
        (f"{ARRAYS}/aux/array_metrics.parquet", inputs.arrays_qc, "array_metrics.parquet", "array", ()),
    ]
    for name, folder, file, whose, keys in listed:
        path = Path(folder) / file
        if folder and path.exists():
            yield name, Path(name).stem, path, "sample_id", whose, keys


def _new_ids(places: np.ndarray, names: tuple[str, ...], person: np.ndarray) -> dict[str, int]:
    """The tier's person id by sample id, of the samples that stand for a person of the release."""
    has = np.flatnonzero(places >= 0)
    return {names[at]: int(one) for at, one in zip(places[has].tolist(), person[has].tolist(), strict=True)}


def _files(root: Path, name: str) -> list[MadeFile]:
    """The files of a data set, under the name it has in the release."""
    found = sorted(path for path in root.rglob("*") if path.is_file())
    return [MadeFile(f"{name}/{path.relative_to(root).as_posix()}", path) for path in found]


def _fresh(folder: Path, name: str) -> Path:
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    return place
