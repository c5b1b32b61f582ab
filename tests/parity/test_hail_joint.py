"""`cohelix joint call` against Hail on 50 real gVCFs, genotype by genotype.

Every genotype falls into a class (what Hail says, what cohelix says). The classes and their counts are those that
docs/methods/joint.md lists between its marks `hail-classes`; any other class, or another count, fails.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cohelix.genotypes import callset
from cohelix.genotypes.callset import Callset
from cohelix.joint import on_hail
from cohelix.joint.call import call
from cohelix.joint.ingest import ingest
from cohelix.joint.schema import CallParams, IngestParams
from cohelix.runtime.local import LocalRuntime
from tests.parity.hail_tables import Key, genotypes, hail_rows

pytestmark = [pytest.mark.jvm, pytest.mark.real]
TEXT = {-9: "./.", 0: "0/0", 1: "0/1", 2: "1/1"}


def documented(root: Path) -> dict[tuple[str, str], int]:
    """(Hail, cohelix) to the number of genotypes, as the page states it."""
    page = (root / "docs" / "methods" / "joint.md").read_text()
    marked = re.search(r"<!-- hail-classes -->(.*?)<!-- end hail-classes -->", page, re.DOTALL)
    assert marked, "docs/methods/joint.md has no table between the marks hail-classes"
    rows = [[cell.strip().strip("`") for cell in line.split("|")[1:-1]] for line in marked[1].strip().splitlines()]
    assert rows[0][:3] == ["Hail", "cohelix", "genotypes"]
    found = {(theirs, ours): int(number.replace(",", "")) for theirs, ours, number, *_ in rows[2:]}
    assert len(found) == len(rows) - 2
    return found


def partial(opened: Callset) -> dict[tuple[Key, int], str]:
    """(row, sample) to "first/second" of half calls and spanning deletions."""
    found = {}
    for shard in opened.shards:
        table = opened.partial(shard)
        sites = opened.sites(shard).to_pylist()
        for half in table.to_pylist() if table is not None else []:
            site = sites[half["row"]]
            key = (site["contig"], site["position"], site["ref"], site["alt"])
            found[key, half["sample"]] = f"{half['first']}/{half['second']}"
    return found


def classes(ours: Callset, theirs: dict[Key, Any]) -> Counter[tuple[str, str]]:
    """Genotypes by (Hail, cohelix); `no row` where only one of them has the site."""
    mine, halves = genotypes(ours), partial(ours)
    found: Counter[tuple[str, str]] = Counter()
    for key in mine.keys() | theirs.keys():
        for sample in range(ours.n_samples):
            hail_says = TEXT[int(theirs[key][sample])] if key in theirs else "no row"
            text = TEXT[int(mine[key][sample])] if key in mine else "no row"
            found[hail_says, halves.get((key, sample), text)] += 1
    return found


@pytest.fixture(scope="module")
def called(gvcf_manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Callset:
    folder = tmp_path_factory.mktemp("joint")
    runtime = LocalRuntime(2)
    ingest(str(gvcf_manifest), str(folder / "x.calls"), IngestParams(), runtime)
    return call(str(folder / "x.calls"), str(folder / "x.callset"), CallParams(gq0="homref"), runtime)


@pytest.fixture(scope="module")
def dense(hail: Any, combined_vds: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Key, Any]:
    """What Hail alone makes of the same files: combined, split, dense; rows of `*` left out."""
    out = tmp_path_factory.mktemp("dense") / "x.mt"
    on_hail.dense_split(str(combined_vds), str(out))
    matrix = hail.read_matrix_table(str(out))
    return hail_rows(hail, matrix.filter_rows(matrix.alleles[1] != "*"))[0]


def test_every_genotype_is_in_a_documented_class(root: Path, called: Callset, dense: dict[Key, Any]) -> None:
    assert dict(classes(called, dense)) == documented(root)


def test_rows_that_only_hail_has_are_alleles_nobody_carries(called: Callset, dense: dict[Key, Any]) -> None:
    mine = genotypes(called)
    assert mine.keys() <= dense.keys()
    assert all(not (dense[key] > 0).any() for key in dense.keys() - mine.keys())


def test_samples_are_in_one_order(called: Callset, combined_vds: Path, hail: Any) -> None:
    ids = [sample["sample_id"] for sample in called.samples().to_pylist()]
    assert ids == sorted(hail.vds.read_vds(str(combined_vds)).variant_data.s.collect())
    assert called.commit.meta["build"] == "GRCh38" == callset.open_callset(called.root).build
