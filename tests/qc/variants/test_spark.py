"""Site quality control on `local` and on `spark`: the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cohelix.qc.schema import VariantQcParams
from cohelix.qc.variants.run import qc_variants
from cohelix.runtime.local import LocalRuntime
from tests.qc.variants.made_callset import make
from tests.qc.variants.test_isolation_forest import annotated, known_file

pytestmark = pytest.mark.jvm


def test_spark_writes_the_bytes_that_threads_write(spark: Any, tmp_path: Path) -> None:
    made = make(tmp_path)
    groups = made.groups_file(tmp_path)
    commits = [
        qc_variants(
            made.root, str(tmp_path / runtime.name), VariantQcParams(), runtime, gates="aou-v8", ancestry=groups
        )
        for runtime in (LocalRuntime(2), spark)
    ]
    assert commits[0].files == commits[1].files and len(commits[0].files) == 3 * 4
    assert commits[0].meta == commits[1].meta


def test_a_forest_is_the_same_on_spark(spark: Any, tmp_path: Path) -> None:
    root, _ = annotated(tmp_path)
    known = known_file(tmp_path, "known.tsv", [row for row in range(300) if row % 20 != 19])
    files = {"training": known, "calibration": known}
    commits = [
        qc_variants(root, str(tmp_path / runtime.name), VariantQcParams(), runtime, gates="aou-v8", **files)
        for runtime in (LocalRuntime(2), spark)
    ]
    assert commits[0].files == commits[1].files and commits[0].meta == commits[1].meta
