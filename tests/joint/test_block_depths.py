"""The depth of reference blocks is kept beside the lowest depth within them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix import dataset
from cohelix.joint import kernels, store
from cohelix.joint.ingest import ingest
from cohelix.joint.schema import IngestParams
from cohelix.runtime.local import LocalRuntime
from tests.joint import made

PIECE = st.tuples(st.integers(0, 1), st.integers(0, 30), st.integers(1, 9), st.integers(-1, 50))


@settings(max_examples=150, derandomize=True)
@given(st.lists(PIECE, max_size=12), st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3), st.integers(1, 9))))
def test_mean_depths(pieces: list[tuple[int, int, int, int]], steps: list[tuple[int, int, int]]) -> None:
    """Base by base. Old blocks may overlap; new ones are disjoint."""
    old = sorted(pieces)
    new, at = [], 0
    for contig, gap, length in sorted(steps, key=lambda step: step[0]):
        at = gap if new and new[-1][0] != contig else at + gap
        new.append((contig, at, at + length))
        at += length
    columns = [np.array(column, np.int32) for column in zip(*old, strict=True)] if old else [np.zeros(0, np.int32)] * 4
    places = [np.array(column, np.int32) for column in zip(*new, strict=True)] if new else [np.zeros(0, np.int32)] * 3
    contig, start, length, depth = columns
    found = kernels.mean_depths(contig, start, start + length, depth, *places)
    wanted = []
    for contig_, low, high in new:
        seen = [d for c, s, n, d in old for base in range(s, s + n) if c == contig_ and low <= base < high and d >= 0]
        wanted.append(sum(seen) // len(seen) if seen else -1)
    assert found.tolist() == wanted


def _gvcf() -> made.Gvcf:
    gvcf = made.Gvcf("one")
    for start, end, gq, values in (
        (1, 100, 45, "30:45:21"), (101, 200, 48, "10:48:5"), (201, 300, 12, "40:12:.")
    ):  # fmt: skip
        record = made.block("chr22", start, end)
        record[9] = f"0/0:{values.split(':')[0]}:{gq}:{values.split(':')[2]}"
        gvcf.records.append(record)
    gvcf.records.append(["chr22", "301", ".", "A", "<NON_REF>", ".", ".", "END=350", "GT:GQ:MIN_DP", "0/0:50:7"])
    return gvcf


def _blocks(folder: Path, **params: Any) -> list[tuple[int, ...]]:
    rows = made.write(folder, [_gvcf()])
    root = folder / "x.calls"
    ingest(made.manifest(folder / "m.tsv", rows), str(root), IngestParams(**params), LocalRuntime(1))
    table = pq.ParquetFile(next(root.glob("blocks/*/*.parquet"))).read().to_pylist()
    return [(row["start"], row["end"], row["dp"], row["depth"]) for row in table]


@pytest.mark.parametrize(
    ("bands", "wanted"),
    [
        ("none", [(0, 100, 21, 30), (100, 200, 5, 10), (200, 300, 40, 40), (300, 350, 7, -1)]),
        ("aou", [(0, 200, 5, 20), (200, 300, 40, 40), (300, 350, 7, -1)]),
    ],
)
def test_blocks_keep_dp_and_min_dp(tmp_path: Path, bands: str, wanted: list[tuple[int, ...]]) -> None:
    assert _blocks(tmp_path, bands=bands) == wanted


def test_a_store_without_depths_says_so(tmp_path: Path) -> None:
    _blocks(tmp_path)
    path = next((tmp_path / "x.calls").glob("blocks/*/*.parquet"))
    path.write_bytes(store.to_parquet(pq.ParquetFile(path).read().drop_columns(["depth"])))
    entry = dataset.FileEntry(
        str(path.relative_to(tmp_path)), path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()
    )
    table = store.read_blocks(str(tmp_path), entry, ["dp", "depth"])
    assert (table["dp"].to_pylist(), table["depth"].to_pylist()) == ([21, 5, 40, 7], [-1] * 4)
