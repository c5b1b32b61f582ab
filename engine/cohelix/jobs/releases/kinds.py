"""What is handed in for a release: each of the kind that its entry asks for, before anything is made of it.

Without this, a folder of another command would be a release that lacks a table, and nobody would notice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cohelix.errors import ConfigError, InputError
from cohelix.genotypes.callset import open_callset
from cohelix.release.schema import Inputs
from cohelix.release.site_filters import site_filters

_FILES = {
    "samples_qc": ("sample_metrics.parquet", "cohelix qc samples"),
    "arrays_qc": ("array_metrics.parquet", "cohelix qc arrays"),
    "projected": ("projection.parquet", "cohelix ancestry project"),
    "relatedness": ("relatedness.tsv", "cohelix relatedness estimate"),
    "unrelated": ("relatedness_flagged_samples.tsv", "cohelix relatedness prune"),
    "prs": ("scores.parquet", "cohelix prs score"),
    "prs_adjusted": ("adjusted.parquet", "cohelix prs adjust"),
}
"""Entry: (file of its folder that goes into a release, command that writes it)."""

_COLUMNS = {
    "samples_qc": "sample_id",
    "arrays_qc": "sample_id",
    "projected": "sample_id",
    "prs": "score",
    "prs_adjusted": "score",
    "pgx": "gene",
}


def check_kinds(inputs: Inputs) -> None:
    """InputError where a folder lacks the file that its entry is named for, or where its table is another's.

    And where sites_qc is not of the sites of the callset, whether or not the tier has them.
    """
    for entry, (name, command) in _FILES.items():
        folder = str(getattr(inputs, entry))
        if folder and not (Path(folder) / name).is_file():
            raise InputError(f"expected a folder of `{command}` as {entry}, found none with {name}. Check its path.")
    for entry, column in _COLUMNS.items():
        folder = str(getattr(inputs, entry))
        if folder:
            path = Path(folder) / _FILES[entry][0] if entry in _FILES else Path(folder)
            _check_columns(entry, path, ("sample_id", column))
    if inputs.known_issues and not Path(inputs.known_issues).is_dir():
        raise InputError("expected a folder of lists as known_issues, found something else. Check its path.")
    if inputs.sites_qc and not inputs.callset:
        raise InputError("expected callset beside sites_qc, which is of its sites, found none. Name it.")
    if inputs.sites_qc:
        site_filters(inputs.sites_qc, open_callset(inputs.callset))


@contextmanager
def said_by_entry(inputs: Inputs) -> Iterator[None]:
    """Messages name an input by its entry in place of its path, which may hold ids of persons."""
    try:
        yield
    except (InputError, ConfigError) as error:
        said = str(error)
        for path, entry in sorted(_entries(inputs), reverse=True):  # a path before those that it begins with
            said = said.replace(path, entry)
        if said == str(error):
            raise
        raise type(error)(said) from None


def _entries(inputs: Inputs) -> Iterator[tuple[str, str]]:
    for field in dataclasses.fields(Inputs):
        value = getattr(inputs, field.name)
        yield from ((path, field.name) for path in (value if isinstance(value, tuple) else (value,)) if path)


def _check_columns(entry: str, path: Path, columns: tuple[str, ...]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"expected Parquet as {entry}, found none. Check its path.")
    for file in files:
        try:
            names = pq.read_schema(file).names
        except (pa.ArrowException, OSError):
            raise InputError(
                f"expected Parquet as {entry}, found a file that is damaged or something else. Make it again."
            ) from None
        if not set(columns) <= set(names):
            wanted = " and ".join(dict.fromkeys(columns))
            raise InputError(f"expected a table with {wanted} as {entry}, found another. Check its path.")
