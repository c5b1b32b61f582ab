"""Site columns of the All of Us Variant Annotation Table, one row per variant.

As GVS makes them: filtered sites, variants that nobody carries and positions with 50 alternate alleles or more are left
out; counts are of all calls (raw); `_sc` counts samples that carry the allele; the group of `gvs_max_` is the first
of those with the highest frequency.
"""

from __future__ import annotations

import io
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from isal import isal_zlib

from cohelix import genome
from cohelix.qc.variants.filtering_frequency import largest
from cohelix.qc.variants.filters import PASS
from cohelix.qc.variants.frequencies import ALL, Strata
from cohelix.qc.variants.table import Columns

GROUPS = ("afr", "amr", "eas", "eur", "mid", "oth", "sas")
"""Groups of the table, in its order. Those that a callset lacks have counts of 0."""

_GZIP = 31
"""Window bits that ask zlib for a gzip file: of the largest window, with no name and no time."""

_COUNTS = ("ac", "an", "af", "sc")
COLUMNS = (
    "vid", "contig", "position", "ref_allele", "alt_allele",
    *(f"gvs_all_{name}" for name in _COUNTS),
    *(f"gvs_max_{name}" for name in ("af", "ac", "an", "sc", "subpop")),
    *(f"gvs_{group}_{name}" for group in GROUPS for name in _COUNTS),
)  # fmt: skip


def vat_rows(columns: Columns, strata: Strata, max_alleles: int) -> pa.Table:
    """Rows of the table (`COLUMNS`) from the columns of a block, filters included."""
    passes = pc.equal(columns["filters"], PASS).to_numpy(zero_copy_only=False)
    kept = np.flatnonzero(passes & (columns["ac_all_raw"] > 0) & (columns["n_alleles"] < max_alleles))
    texts = {name: columns[name].take(pa.array(kept)) for name in ("contig", "position", "ref", "alt")}
    plain = genome.plain_name(columns["contig"][0].as_py())  # a block lies on one contig
    made: Columns = {
        "vid": pc.binary_join_element_wise(
            pa.scalar(plain), texts["position"].cast(pa.string()), texts["ref"], texts["alt"], "-"
        ),
        "contig": texts["contig"], "position": texts["position"],
        "ref_allele": texts["ref"], "alt_allele": texts["alt"],
    }  # fmt: skip
    named = {group.lower(): group for group in strata.names}
    counts = {group: _counts_of(columns, kept, named.get(group)) for group in GROUPS}
    counts[ALL] = _counts_of(columns, kept, ALL)
    for group, found in counts.items():
        made |= {f"gvs_{group}_{name}": _written(values) for name, values in found.items()}
    frequencies = np.column_stack([counts[group]["af"] for group in GROUPS])
    best = largest(frequencies, ~np.isnan(frequencies), GROUPS)
    for name in _COUNTS:
        values = best.pick(np.column_stack([counts[group][name] for group in GROUPS]))
        values = np.where(best.places >= 0, values, np.nan) if name == "af" else values.astype(np.int64)
        made[f"gvs_max_{name}"] = _written(values)
    made["gvs_max_subpop"] = pa.array(best.names, pa.string())
    return pa.table({name: made[name] for name in COLUMNS})


def _counts_of(columns: Columns, kept: np.ndarray, group: str | None) -> dict[str, np.ndarray]:
    if group is None:
        nothing = np.zeros(len(kept), np.int64)
        return {"ac": nothing, "an": nothing, "af": np.full(len(kept), np.nan), "sc": nothing}
    found = {name: columns[f"{name}_{group}_raw"][kept] for name in ("ac", "an", "af", "hom", "het", "hemi")}
    return {name: found[name] for name in ("ac", "an", "af")} | {"sc": found["hom"] + found["het"] + found["hemi"]}


def _written(values: np.ndarray) -> pa.Array:
    """An Arrow column in which what is not known is null: an empty field."""
    return pa.array(values, from_pandas=True)


class VatWriter:
    """Writes rows of blocks to a gzip file whose bytes depend on the rows alone."""

    def __init__(self, path: Path) -> None:
        self._handle = path.open("wb")
        self._gzip = isal_zlib.compressobj(level=3, wbits=_GZIP)
        self._write(("\t".join(COLUMNS) + "\n").encode())

    def add(self, rows: pa.Table) -> None:
        sink = io.BytesIO()
        options = pyarrow.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
        pyarrow.csv.write_csv(rows, sink, options)
        self._write(sink.getvalue())

    def _write(self, text: bytes) -> None:
        self._handle.write(self._gzip.compress(text))

    def __enter__(self) -> VatWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._handle.write(self._gzip.flush())
        self._handle.close()
