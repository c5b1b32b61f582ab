"""A simulated cohort carries its truth: the callset must say the same, genotype by genotype."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cohelix.cli.__main__ import run
from cohelix.genotypes import callset


@pytest.mark.parametrize("dialect", ["gatk", "dragen", "deepvariant"])
def test_every_allele_and_every_copy_of_the_truth_is_called(tmp_path: Path, dialect: str) -> None:
    cohort, calls, out = (str(tmp_path / name) for name in ("cohort", "x.calls", "y.callset"))
    region = ["--samples", "12", "--region", "chr22:20,000,000-20,100,000", "--seed", "11", "--dialect", dialect]
    assert run(["simulate", "gvcfs", "-o", cohort, *region, "--no-index", "--cores", "1"]) == 0
    assert run(["joint", "run", f"{cohort}/manifest.tsv", "--calls", calls, "-o", out]) == 0
    truth = {
        (row["position"], row["ref"], row["alt"], row["sample"]): row["copies"]
        for row in pq.ParquetFile(f"{cohort}/truth.parquet").read().to_pylist()
        if row["called"]
    }
    opened = callset.open_callset(out)
    found: dict[tuple[int, str, str, int], int] = {}
    differ: Counter[str] = Counter()
    for shard in opened.shards:
        cells = callset.read_genotypes(opened, shard, 0, shard.n_sites)
        table = opened.partial(shard)
        partial = {(p["row"], p["sample"]): p for p in (table.to_pylist() if table is not None else [])}
        for i, site in enumerate(opened.sites(shard).to_pylist()):
            for sample in range(opened.n_samples):
                key = (site["position"], site["ref"], site["alt"], sample)
                half = partial.get((i, sample))
                copies = [half["first"], half["second"]].count("1") if half else max(int(cells[i, sample]), 0)
                if copies:
                    found[key] = copies
                if copies != truth.get(key, 0):
                    differ[f"{truth.get(key, 0)} as {copies}"] += 1
    assert len(truth) > 500
    assert not differ
    assert found == {key: copies for key, copies in truth.items() if copies}
