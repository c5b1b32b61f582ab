"""The real gVCFs on `local` and on `spark`: the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cohelix.joint.schema import CallParams, IngestParams
from tests.joint_cohorts import joint_call, real_gvcfs

pytestmark = [pytest.mark.jvm, pytest.mark.real]


def _tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_spark_writes_the_bytes_that_threads_write(spark: Any, data: Path, tmp_path: Path) -> None:
    # Several batches and bins, so that tasks really run apart.
    params = IngestParams(batch_samples=20, bin_bp=100_000)
    trees = []
    for name, runtime in (("local", None), ("spark", spark)):
        folder = tmp_path / name
        folder.mkdir()
        joint_call(folder, real_gvcfs(data), CallParams(), runtime, params)
        trees.append({kind: _tree(folder / kind) for kind in ("x.calls", "y.callset")})
    assert len(trees[0]["x.calls"]) > 20
    assert trees[0] == trees[1]
