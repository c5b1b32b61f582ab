"""Allele numbers of the real gVCFs on `local` and on `spark`: the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cohelix.joint.allele_numbers import allele_numbers
from cohelix.joint.ingest import ingest
from cohelix.joint.schema import CallParams, IngestParams
from cohelix.runtime.local import LocalRuntime
from tests.joint.made import tree
from tests.joint_cohorts import real_gvcfs, write_manifest

pytestmark = [pytest.mark.jvm, pytest.mark.real]


def test_spark_writes_the_bytes_that_threads_write(spark: Any, data: Path, tmp_path: Path) -> None:
    gvcfs = real_gvcfs(data)[:8]
    manifest = write_manifest(tmp_path / "manifest.tsv", gvcfs)
    groups = tmp_path / "groups.tsv"
    lines = [f"{gvcf.name.split('.')[0]}\t{'ab'[i % 2]}\n" for i, gvcf in enumerate(gvcfs)]
    groups.write_text("sample_id\tgroup\n" + "".join(lines))
    calls = str(tmp_path / "x.calls")
    ingest(str(manifest), calls, IngestParams(batch_samples=3, bin_bp=100_000), LocalRuntime(2))
    for name, runtime in (("local", LocalRuntime(2)), ("spark", spark)):
        allele_numbers(calls, str(tmp_path / f"{name}.an"), CallParams(), runtime, groups=str(groups))
    written = tree(tmp_path / "local.an")
    assert len(written) > 3
    assert tree(tmp_path / "spark.an") == written
