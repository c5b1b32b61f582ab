"""A reference panel: labelled, unrelated samples of a callset at chosen sites, with the labels in the callset."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pyarrow as pa

from cohelix import dataset
from cohelix.ancestry.labels import read_labels, settle_groups
from cohelix.ancestry.schema import PanelParams
from cohelix.genotypes import inputs
from cohelix.genotypes.callset import Callset, open_callset
from cohelix.genotypes.schema_select import SelectParams
from cohelix.genotypes.site_selection import select_sites
from cohelix.provenance import provenance
from cohelix.runtime.protocol import Runtime


def make_panel(
    callset_root: str,
    labels: str,
    out_root: str,
    params: PanelParams,
    select: SelectParams,
    runtime: Runtime,
    *,
    unrelated: str | None = None,
) -> Callset:
    """The panel at `out_root`: its meta["tables"]["labels"] is a table of sample_id, group and subgroup (or null).

    labels: a table of groups of the callset's samples; those without one are left out. unrelated: a table of the
    samples that may be taken, as `cohelix relatedness prune` writes it. select: how sites are chosen.
    InputError where a group is too small, fewer than two are left, or tables are of other samples.
    """
    callset = open_callset(callset_root)
    ids: list[str] = callset.samples().column("sample_id").to_pylist()
    groups, subgroups = read_labels(labels, ids, params.label_column, params.subgroup_column)
    dropped = {name.lower() for name in params.drop}
    named = ["" if group.lower() in dropped else group for group in groups]
    may = _unrelated(unrelated, ids)
    named = [group if allowed else "" for group, allowed in zip(named, may.tolist(), strict=True)]
    names, small = settle_groups(named, ids, params.min_group, params.small_groups)
    rows = _rows_of(named, names, params)
    table = pa.table({
        "sample_id": pa.array([ids[row] for row in rows.tolist()], pa.string()),
        "group": pa.array([named[row] for row in rows.tolist()], pa.string()),
        "subgroup": pa.array([subgroups[row] or None for row in rows.tolist()], pa.string()),
    })  # fmt: skip
    counts = {
        "n_by_group": {name: sum(1 for row in rows.tolist() if named[row] == name) for name in names},
        "n_without_label": sum(1 for group in groups if not group),
        "n_label_dropped": sum(1 for group in groups if group and group.lower() in dropped),
        "n_related": int((~may).sum()),
        "n_in_small_groups": sum(small),
    }
    read = [("callset", dataset.digest_of([[entry.path, entry.sha256] for entry in callset.commit.files]))]
    read += inputs.digests_of(labels=labels, unrelated=unrelated)
    made = provenance("ancestry panel", {"panel": asdict(params), "select": asdict(select)}, read, params.seed)
    return select_sites(
        callset_root, out_root, select, runtime,
        samples=rows, tables={"labels": table}, further={"panel": counts}, provenance=made,
    )  # fmt: skip


def _unrelated(path: str | None, ids: list[str]) -> np.ndarray:
    """bool (samples,): who may be taken."""
    if path is None:
        return np.ones(len(ids), bool)
    what = "table of unrelated samples"
    return inputs.rows_of(inputs.read_table(path, what), ids, what) >= 0


def _rows_of(named: list[str], names: list[str], params: PanelParams) -> np.ndarray:
    """Rows of the samples taken, increasing: all of each group, or as many as allowed, drawn group by group."""
    taken = []
    for place, name in enumerate(names):
        own = np.array([row for row, group in enumerate(named) if group == name], np.int64)
        if params.max_per_group is not None and len(own) > params.max_per_group:
            own = np.random.default_rng([params.seed, place]).permutation(own)[: params.max_per_group]
        taken.append(own)
    return np.sort(np.concatenate(taken))
