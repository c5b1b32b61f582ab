"""`cohelix relatedness prune`: the samples to keep so that no two are related, and those to leave out.

Among all sets without a related pair, the one kept has the greatest total of the first priority; of these, the greatest
total of the next; of these, the most samples; of these, the greatest totals of the columns for ties; of these, the
sample whose id comes first by bytes. Each family is solved on its own (`cohelix.relatedness.independent`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cohelix import storage
from cohelix.errors import ContractError, InputError
from cohelix.genotypes import inputs
from cohelix.genotypes.callset import open_callset
from cohelix.genotypes.outputs import new_folder, seal_of, write_tsv
from cohelix.provenance import provenance
from cohelix.relatedness.independent import heaviest_set, pieces_of
from cohelix.relatedness.schema import PruneParams

_READ = ("pairs.parquet", "samples.tsv")
"""Files of the folder that are read."""

_DECIMALS = 1e9
"""Priorities are compared to nine decimals, as integers: sums are exact."""

_LARGEST = 1e15
"""Of a priority: more is a slip, or a number that means "missing"."""

_FIRST_ID_FIRST = 512
"""Ties of families up to this size are settled by the first id, then the second..., of larger by sums of places."""


@dataclass(frozen=True)
class Related:
    """Related pairs of a cohort: `pairs` int64 (n, 2), rows of `sample_ids`; statistic: what they are judged by."""

    sample_ids: list[str]
    pairs: np.ndarray
    statistic: str


def prune_related(
    folder: str, out: str, params: PruneParams, *, priority: str | None = None, callset: str | None = None
) -> dict[str, Any]:
    """Write relatedness_flagged_samples.tsv, unrelated.tsv and prune.json to `out`. Returns what prune.json holds.

    folder: what `cohelix relatedness estimate` made. priority: a table of samples and the numbers that `params` names.
    callset: whose samples to keep some of, where not all that the folder knows.
    """
    digest = _digest(folder)
    related = read_related(folder, params.max_kinship, callset)
    digests = [("relatedness", digest), *inputs.digests_of(priority=priority)]
    levels, n_without = _levels(related.sample_ids, priority, params)
    dropped, facts = choose_kept(related, levels, len(params.priority_columns) if priority else 0, params.exact_size)
    ids = related.sample_ids
    gone = set(dropped.tolist())
    summary = {
        "kind": "unrelated",
        "n_samples": len(ids),
        "n_kept": len(ids) - len(dropped),
        "n_dropped": len(dropped),
        "max_kinship": params.max_kinship,
        "statistic": related.statistic,
        "n_pairs_related": len(related.pairs),
        **facts,
        "priority": _totals(levels, params, gone, n_without) if priority else None,
        "provenance": provenance("relatedness prune", params, digests),
    }
    with new_folder(out) as made:
        write_tsv(made / "relatedness_flagged_samples.tsv", ("sample_id",), [(ids[row],) for row in dropped.tolist()])
        kept = [(sample,) for row, sample in enumerate(ids) if row not in gone]
        write_tsv(made / "unrelated.tsv", ("sample_id",), kept)
        (made / "prune.json").write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n")
    return summary


def read_related(folder: str, max_kinship: float, callset: str | None = None) -> Related:
    """Pairs of the folder with kinship above `max_kinship`: PC-Relate's where it was estimated, else KING's."""
    pairs = _pairs_table(folder)
    if callset is not None:
        ids = open_callset(callset).samples().column("sample_id").to_pylist()
    else:
        path = storage.join(folder, "samples.tsv")
        ids = inputs.texts(inputs.read_table(path, "list of samples in the folder of relatedness"), "sample_id")
    king = pairs.column("kinship").to_numpy(zero_copy_only=False).astype(np.float64)
    statistic, kinship = "kinship", king
    if "pc_kinship" in pairs.column_names:
        given = pairs.column("pc_kinship").to_numpy(zero_copy_only=False).astype(np.float64)
        if np.isfinite(given).any():
            statistic, kinship = "pc_kinship", np.where(np.isnan(given), king, given)
    above = np.flatnonzero(kinship > max_kinship)
    order = pa.array(ids, pa.string())
    ends = [
        pc.index_in(pairs.column(name).take(pa.array(above)), order).to_numpy(zero_copy_only=False).astype(np.float64)
        for name in ("sample_id_1", "sample_id_2")
    ]
    found = np.column_stack(ends)
    present = ~np.isnan(found).any(axis=1)
    if callset is None and not present.all():
        raise InputError(
            f"expected samples of the folder's samples.tsv in its pairs.parquet, found {int((~present).sum())} related "
            "pairs of others. The two are of different runs: estimate relatedness again."
        )
    linked = np.unique(np.sort(found[present].astype(np.int64), axis=1), axis=0)
    if len(set(ids)) < len(ids) or (linked[:, 0] == linked[:, 1]).any():
        raise InputError("a sample is in samples.tsv twice, or related to itself. Estimate relatedness again.")
    return Related(ids, linked, statistic)


def _pairs_table(folder: str) -> pa.Table:
    try:
        table = pq.ParquetFile(pa.BufferReader(storage.read(storage.join(folder, "pairs.parquet")))).read()
        names = [name for name in ("sample_id_1", "sample_id_2", "kinship", "pc_kinship") if name in table.column_names]
        if len(names) < 3:
            raise KeyError
    except (OSError, ValueError, KeyError):
        raise InputError(
            "expected pairs.parquet in the folder that `cohelix relatedness estimate` made, found none, or another "
            "file. Check the path."
        ) from None
    return table.select(names)


def _digest(folder: str) -> str:
    """Which run made the folder. InputError where it is none, or a file is not what that run wrote."""
    try:
        made = json.loads(storage.read(storage.join(folder, "relatedness.json")))
        if made["kind"] != "relatedness":
            raise KeyError
        digest, sealed = str(made["provenance"]["digest"]), [made["files"][name] for name in _READ]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            "expected relatedness.json in the folder that `cohelix relatedness estimate` made, found none, or another "
            "file. Check the path."
        ) from None
    for name, seal in zip(_READ, sealed, strict=True):
        try:
            content = storage.read(storage.join(folder, name))
        except OSError:
            raise InputError(
                f"expected {name} in the folder that `cohelix relatedness estimate` made, found none. Check the path."
            ) from None
        if seal_of(content) != seal:
            raise InputError(
                f"{name} is not the file that `cohelix relatedness estimate` wrote (its size or sha256 differs). Copy "
                "the folder whole, or estimate again."
            )
    return digest


def _levels(sample_ids: Sequence[str], path: str | None, params: PruneParams) -> tuple[list[list[int]], int]:
    """Integers of every sample by column, priorities first, all from 0; and how many samples the table lacks."""
    if path is None:
        return [], 0
    what = "table of priorities"
    table = inputs.read_table(path, what)
    rows = inputs.rows_of(table, sample_ids, what)
    levels = []
    for name in (*params.priority_columns, *params.tie_columns):
        values = inputs.numbers(inputs.texts(table, inputs.column_of(table, (), what, name)), what)
        if (np.abs(values) > _LARGEST).any() or (name in params.priority_columns and (values < 0).any()):
            raise InputError(
                f"expected finite numbers from 0 in {name} of the {what} (to {_LARGEST:.0e}), found others. Recode it: "
                "the higher a number, the sooner a sample is kept."
            )
        whole = np.where(rows >= 0, values[rows], np.nan)
        lowest = 0.0 if name in params.priority_columns or np.isnan(whole).all() else float(np.nanmin(whole))
        levels.append([round(value * _DECIMALS) for value in np.nan_to_num(whole - lowest, nan=0.0).tolist()])
    return levels, int((rows < 0).sum())


def choose_kept(
    related: Related, levels: Sequence[Sequence[int]], n_priorities: int, exact_size: int
) -> tuple[np.ndarray, dict[str, Any]]:
    """Rows of the samples to leave out, increasing; and counts of families.

    levels: integers from 0 of every sample, by column; the first `n_priorities` come before the number of samples.
    """
    involved, local = np.unique(related.pairs, return_inverse=True)
    neighbours: list[set[int]] = [set() for _ in involved]
    for one, other in local.reshape(-1, 2).tolist():
        neighbours[one].add(other)
        neighbours[other].add(one)
    rows = involved.tolist()
    by_id = sorted(range(len(rows)), key=lambda vertex: related.sample_ids[rows[vertex]].encode())
    rank = {vertex: place for place, vertex in enumerate(by_id)}
    families = pieces_of(neighbours, set(range(len(rows))))
    weights = [0] * len(rows)
    for family in families:
        members = sorted(family, key=rank.__getitem__)
        for vertex, weight in zip(members, _weights([rows[v] for v in members], levels, n_priorities), strict=True):
            weights[vertex] = weight
    kept, approximate = heaviest_set(neighbours, weights, exact_size)
    if any(neighbours[vertex] & kept for vertex in kept):
        raise ContractError("two related samples were kept.")
    sizes = Counter(len(family) for family in families)
    facts = {
        "n_with_relatives": len(rows),
        "families": {"n": len(families), "by_size": {str(size): sizes[size] for size in sorted(sizes)}},
        "exact": approximate == 0,
        "n_in_approximate_families": approximate,
    }
    return np.setdiff1d(involved, involved[sorted(kept)]), facts


def _weights(members: Sequence[int], levels: Sequence[Sequence[int]], n_priorities: int) -> list[int]:
    """A weight of each member, who are in the order of ids: levels, the count and the order of ids in one integer.

    Each has room for its total over the family, so that no sum of a lesser one outweighs a greater.
    """
    columns = [[level[row] for row in members] for level in levels]
    columns.insert(n_priorities, [1] * len(members))
    places = range(len(members) - 1, -1, -1)
    columns.append([1 << place for place in places] if len(members) <= _FIRST_ID_FIRST else list(places))
    weights = [0] * len(members)
    for column in columns:
        room = sum(column).bit_length()
        weights = [(weight << room) + value for weight, value in zip(weights, column, strict=True)]
    return weights


def _totals(levels: Sequence[Sequence[int]], params: PruneParams, dropped: set[int], n_without: int) -> dict[str, Any]:
    """Totals over all samples and over those kept of each priority, and how many samples the table lacks."""
    totals = {}
    for name, level in zip(params.priority_columns, levels, strict=False):
        kept = sum(value for row, value in enumerate(level) if row not in dropped)
        totals[name] = {"all": sum(level) / _DECIMALS, "kept": kept / _DECIMALS}
    return {"totals": totals, "n_samples_without": n_without}
