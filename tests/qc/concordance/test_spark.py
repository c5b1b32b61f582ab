"""Concordance on `local` and on `spark`: the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cohelix.qc.concordance import partners
from cohelix.qc.concordance.run import qc_concordance
from cohelix.qc.schema import ConcordanceParams
from cohelix.runtime.local import LocalRuntime
from tests.qc.concordance.made import People, snps, write_callset, write_links

pytestmark = pytest.mark.jvm


def test_spark_writes_the_bytes_that_threads_write(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partners, "CANDIDATE_BLOCK", 16)  # several tasks
    rng = np.random.default_rng(8)
    people = People(rng.uniform(0.2, 0.5, 90), rng)
    true = people.genotypes([people.stranger() for _ in range(50)])
    sites, ids = snps(90, contigs=3), [f"s{i:02}" for i in range(50)]
    write_callset(tmp_path / "a.callset", sites, true, ids)
    write_callset(tmp_path / "w.callset", sites, true, ids)
    links = write_links(tmp_path / "l.tsv", [("s00", "s01"), ("s01", "s00"), *((i, i) for i in ids[2:])])
    for name, runtime in (("local", LocalRuntime(2)), ("spark", spark)):
        callsets = str(tmp_path / "a.callset"), str(tmp_path / "w.callset")
        summary = qc_concordance(*callsets, links, str(tmp_path / name), ConcordanceParams(), runtime)
        assert summary["links"]["partners"] == {"array": {"swap": 2}, "wgs": {"swap": 2}}
    for file in ("concordance.parquet", "partners.parquet", "qc.json"):
        assert (tmp_path / "local" / file).read_bytes() == (tmp_path / "spark" / file).read_bytes()
