"""Samples to be linked, and the table of whose they are, as other commands read it."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import numpy as np

from cohelix.errors import InputError
from cohelix.folder import appearing_whole
from cohelix.genotypes.callset import open_callset
from cohelix.genotypes.inputs import SAMPLE_COLUMNS, column_of, read_table, texts
from cohelix.omop.link import link
from cohelix.omop.source import open_cdm

_EPOCH = datetime.date(1970, 1, 1)


def sample_ids_of(path: str) -> list[str]:
    """Ids of a callset (a folder), or of a table's column of samples. InputError where one is empty or there twice."""
    if Path(path).is_dir():
        ids = [str(one) for one in open_callset(path).samples().column("sample_id").to_pylist()]
        if not all(one.isprintable() for one in ids):
            raise InputError("the callset has a sample whose id cannot be written in a table. Rename it.")
        return ids
    what = "table of samples"
    table = read_table(path, what)
    found: dict[str, int] = {}
    for row, sample in enumerate(texts(table, column_of(table, SAMPLE_COLUMNS, what))):
        if not sample.isprintable() or not sample or found.setdefault(sample, row) != row:
            raise InputError(
                f"row {row + 2} of the {what} has no id, an unprintable one, or that of an earlier row. Remove it."
            )
    return list(found)


def write_links(
    records: str, samples: str, out: str, *, links: str | None = None, rank: str | None = None
) -> dict[str, int]:
    """A folder with links.tsv (sample_id, person_id, measurement_date) of linked samples, and link.json (counts).

    Returns how many samples are linked, and how many are not, by the reason.

    measurement_date is the day of the specimen, where SPECIMEN was asked. samples: see `sample_ids_of`. rank: a table
    of samples, the best first: of several samples of a person the one named first stands for the person; samples that
    it lacks come last.

    InputError where nobody could be linked, and what `link` raises.
    """
    with appearing_whole(Path(out)) as folder:
        ids = sample_ids_of(samples)
        found = link(open_cdm(records), ids, links, rank=_ranks(rank, ids))
        if not (found.person > 0).any():
            raise InputError(
                f"expected samples of persons in these health records, found none of {len(ids)}. Give a table of links."
            )
        dated = links is None
        with (folder / "links.tsv").open("w", encoding="utf-8") as handle:
            handle.write("sample_id\tperson_id" + ("\tmeasurement_date" if dated else "") + "\n")
            for sample, person, day in zip(ids, found.person.tolist(), found.day.tolist(), strict=True):
                if person:
                    on = f"\t{_EPOCH + datetime.timedelta(day)}" if dated else ""
                    handle.write(f"{sample}\t{person}{on}\n")
        (folder / "link.json").write_text(json.dumps({"samples": len(ids), **found.counts}, indent=2) + "\n")
    return found.counts


def _ranks(path: str | None, ids: list[str]) -> np.ndarray:
    if path is None:
        return np.zeros(len(ids), np.int64)
    place = {sample: row for row, sample in enumerate(sample_ids_of(path))}
    return np.array([place.get(sample, len(place)) for sample in ids], np.int64)
