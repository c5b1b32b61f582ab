"""Hail's combiner reads made gVCFs of both dialects, and what it makes of them is what the joint call makes.

Genotypes fall into classes (what Hail says, what cohelix says); the two differ only where nobody carries the allele.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cohelix.genotypes.callset import Callset
from cohelix.jobs.cohort_sizes import load_wishes
from cohelix.jobs.made_cohort import make_cohort
from cohelix.joint import on_hail
from cohelix.joint.call import call
from cohelix.joint.ingest import ingest
from cohelix.joint.schema import CallParams, IngestParams
from cohelix.runtime.local import LocalRuntime
from cohelix.simulate.cohort.plan import make_plan
from tests.parity.hail_tables import Key, genotypes, hail_rows
from tests.parity.test_hail_joint import classes

pytestmark = pytest.mark.jvm

# Few places, for Hail's time goes by them: an autosome, and X, where men have one copy.
SMALL = [
    'simulate.regions=["chr1:1,000,001-1,020,000", "chr22:30,000,001-30,020,000", "chrX:70,000,001-70,010,000"]',
    'simulate.star_alleles=""', "simulate.haplotypes=40", "simulate.arrays.share=0", "simulate.traits.training=0",
    "simulate.traits.causal=5", "simulate.mislabelled_sex=0",
]  # fmt: skip


@dataclass(frozen=True)
class Both:
    """theirs: row to copies (samples,), by Hail. said: what Hail logged meanwhile."""

    ours: Callset
    theirs: dict[Key, Any]
    said: str


def sheet(cohort: Path, n: int) -> list[str]:
    """Lines of a manifest of the first `n` gVCFs of a cohort, without sexes: Hail asks for none."""
    with (cohort / "wgs" / "manifest.tsv").open() as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))[:n]
    return [f"{row['sample_id']}\t{cohort / 'wgs' / row['path']}" for row in rows]


def listen(hail: Any, path: Path) -> Callable[[], None]:
    """Copies what the JVM logs from now on to `path`, until the returned function is called."""
    jvm = hail.spark_context()._jvm
    log4j = jvm.org.apache.logging.log4j
    layout = log4j.core.layout.PatternLayout.newBuilder().withPattern("%p %c %m%n").build()
    appender = log4j.core.appender.FileAppender.newBuilder()
    appender.setName("listener")
    appender.setLayout(layout)
    appender = appender.withFileName(str(path)).build()
    appender.start()
    root = log4j.LogManager.getRootLogger()
    root.addAppender(appender)

    def stop() -> None:
        root.removeAppender(appender)
        appender.stop()

    return stop


@pytest.fixture(scope="module", params=["gatk", "dragen"])
def both(request: pytest.FixtureRequest, hail: Any, tmp_path_factory: pytest.TempPathFactory) -> Both:
    folder = tmp_path_factory.mktemp("made")
    wishes = load_wishes(None, None, [*SMALL, f"simulate.sequencing.dialect={request.param}"])
    make_cohort(folder / "cohort", make_plan(wishes, persons=7, seed=3), cores=2)
    manifest = folder / "manifest.tsv"
    manifest.write_text("\n".join(["sample_id\tpath", *sheet(folder / "cohort", 6)]) + "\n")
    log = folder / "jvm.log"
    stop = listen(hail, log)
    made = on_hail.combine(str(manifest), str(folder / "x.vds"))
    assert (made.n_samples, made.build) == (6, "GRCh38")
    on_hail.dense_split(str(folder / "x.vds"), str(folder / "x.mt"))
    matrix = hail.read_matrix_table(str(folder / "x.mt"))
    theirs = hail_rows(hail, matrix.filter_rows(matrix.alleles[1] != "*"))[0]
    stop()
    said = log.read_text()
    runtime = LocalRuntime(2)
    ingest(str(manifest), str(folder / "x.calls"), IngestParams(), runtime)
    ours = call(str(folder / "x.calls"), str(folder / "x.callset"), CallParams(gq0="homref"), runtime)
    return Both(ours, theirs, said)


def test_hail_reads_the_files_without_a_complaint(both: Both) -> None:
    """Spark talks of its own blocks; of records nobody has anything to say."""
    told = [line for line in both.said.splitlines() if re.match(r"(WARN|ERROR|FATAL) ", line)]
    assert [line for line in told if not line.split()[1].startswith("org.apache.spark.")] == []
    assert [line for line in told if line.startswith(("ERROR", "FATAL"))] == []


def test_genotypes_are_equal_but_for_rows_of_alleles_that_nobody_carries(both: Both) -> None:
    """Hail keeps alleles that a record considers and does not call; the joint call has no row for them."""
    mine = genotypes(both.ours)
    assert len(mine) > 100 and mine.keys() <= both.theirs.keys()
    for key, theirs in both.theirs.items():
        assert np.array_equal(mine[key], theirs) if key in mine else not (theirs > 0).any(), key
    found = classes(both.ours, both.theirs)
    assert {pair for pair in found if pair[0] != pair[1]} <= {("0/0", "no row"), ("./.", "no row")}
    assert min(found[text, text] for text in ("0/0", "0/1", "1/1")) > 50
    assert {key[0] for key in mine} == {"chr1", "chr22", "chrX"}
