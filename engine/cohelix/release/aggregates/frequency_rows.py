"""Rows of the table of frequencies: from cells of sites and groups, and cells from rows of a former release."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from cohelix import genome
from cohelix.qc.variants.frequencies import ALL
from cohelix.release.aggregates.frequency_cells import NUMBERS, vids
from cohelix.release.disclosure import membership
from cohelix.release.disclosure.site_rule import HIDDEN

KEY = ("contig", "position", "ref", "alt")
_OF_GROUP = ("ac", "an", "af", "sc", "hom", "hemi")
_SITE = (("vid", pa.string()), ("contig", pa.string()), ("position", pa.int32()), ("ref_allele", pa.string()),
         ("alt_allele", pa.string()))  # fmt: skip


def own_columns(names: Sequence[str]) -> list[str]:
    """Groups that have columns of their own: all, but "all" where it is the only one."""
    return [name for name in names if name != ALL]


def told_schema(names: Sequence[str]) -> pa.Schema:
    """vid, contig, position, ref_allele, alt_allele; gvs_all_*, gvs_max_*, and gvs_<group>_* of each group.

    ac: alternate alleles; an: alleles of called people, rounded down; af: ac / an; sc: people who carry the allele;
    hom: with two copies; hemi: with one where there is only one. Null: not told. all: the sum of the groups told in
    the row. max: the first of the groups with the greatest af, gvs_max_subpop its name.
    """
    fields = list(_SITE)
    for group in (ALL, "max", *own_columns(names)):
        fields += [(f"gvs_{group}_{name}", pa.float64() if name == "af" else pa.int64()) for name in _OF_GROUP]
    return pa.schema([*fields, ("gvs_max_subpop", pa.string())])


def told_rows(cells: pa.Table, names: Sequence[str]) -> pa.Table:
    """Rows (`told_schema`) of the cells of one contig of which something is told, by position, ref and alt."""
    numbers = {
        number: np.column_stack([cells.column(f"{number}_{name}").to_numpy() for name in names]) for number in NUMBERS
    }
    kept = np.flatnonzero((numbers["ac"] != HIDDEN).any(axis=1))
    keys = list(zip(*(cells.column(name).take(pa.array(kept)).to_pylist() for name in KEY), strict=True))
    order = sorted(range(len(keys)), key=lambda at: keys[at][1:])
    kept = kept[np.array(order, np.int64)]
    sites = cells.select(KEY).take(pa.array(kept))
    numbers = {number: values[kept] for number, values in numbers.items()}
    columns = {"vid": pa.array(vids(sites), pa.string())}
    columns |= dict(zip((name for name, _ in _SITE[1:]), (sites.column(name) for name in KEY), strict=True))
    told = numbers["ac"] != HIDDEN
    whole = {number: np.where(told, values, 0).sum(axis=1) for number, values in numbers.items()}
    whole["hom"] = np.where((told & (numbers["hom"] == HIDDEN)).any(axis=1), HIDDEN, whole["hom"])
    frequency = np.where(told, numbers["ac"] / np.maximum(numbers["an"], 1), -1.0)
    best = frequency.argmax(axis=1) if len(kept) else np.zeros(0, np.int64)
    of_best = {number: values[np.arange(len(kept)), best] for number, values in numbers.items()}
    columns |= _columns(ALL, whole) | _columns("max", of_best)
    for at, name in enumerate(names):
        if name in own_columns(names):
            columns |= _columns(name, {number: values[:, at] for number, values in numbers.items()})
    columns["gvs_max_subpop"] = pa.array(np.array(names, object)[best], pa.string())
    schema = told_schema(names)
    return pa.table({name: columns[name] for name in schema.names}).cast(schema)


def _columns(group: str, told: dict[str, np.ndarray]) -> dict[str, pa.Array]:
    hidden = told["ac"] == HIDDEN
    no_hom = hidden | (told["hom"] == HIDDEN)
    af = told["ac"] / np.where(hidden, 1, told["an"])
    made = {"ac": (told["ac"], hidden), "an": (told["an"], hidden), "af": (af, hidden), "hemi": (told["hemi"], hidden)}
    made |= {"hom": (told["hom"], no_hom), "sc": (told["ac"] - told["hom"], no_hom)}
    return {f"gvs_{group}_{name}": pa.array(values, mask=mask) for name, (values, mask) in made.items()}


def joined(
    cells: pa.Table, former: pa.Table, names: Sequence[str]
) -> tuple[pa.Table, dict[str, dict[str, np.ndarray]], dict[str, dict[str, np.ndarray]]]:
    """Sites of both (KEY and level), and the numbers of each group now and then, HIDDEN where not told."""
    now = list(zip(*(cells.column(name).to_pylist() for name in KEY), strict=True))
    then_columns = ("contig", "position", "ref_allele", "alt_allele")
    then = list(zip(*(former.column(name).to_pylist() for name in then_columns), strict=True))
    place = {key: at for at, key in enumerate(now)}
    more = [key for key in then if key not in place]
    place |= {key: len(now) + at for at, key in enumerate(more)}
    at_then = np.array([place[key] for key in then], np.int64)
    sites = pa.table(
        {name: pa.array([key[at] for key in now + more], cells.schema.field(name).type) for at, name in enumerate(KEY)}
    )
    plain = {contig: genome.plain_name(contig) for contig in {key[0] for key in more}}
    levels = membership.levels_of(["-".join((plain[key[0]], *map(str, key[1:]))) for key in more])
    sites = sites.append_column("level", pa.array(np.concatenate([cells.column("level").to_numpy(), levels])))
    new: dict[str, dict[str, np.ndarray]] = {}
    old: dict[str, dict[str, np.ndarray]] = {}
    for name in names:
        new[name], old[name] = {}, {}
        for number in NUMBERS:
            column = f"gvs_{name}_{number}"
            values = np.full((2, len(place)), HIDDEN, np.int64)
            values[0, : len(now)] = cells.column(f"{number}_{name}").to_numpy()
            if column in former.column_names:
                values[1, at_then] = former.column(column).fill_null(HIDDEN).to_numpy()
            new[name][number], old[name][number] = values
    return sites, new, old
