"""Frequencies of the 1000 Genomes Project's people beside those that others published of other people and methods."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from cohelix.jobs.star_alleles import Inputs, call
from cohelix.pgx.outputs.frequencies import frequencies
from cohelix.pgx.outputs.match_json import export_match
from cohelix.pgx.schema import CallParams
from cohelix.runtime.local import LocalRuntime

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
TARGET = DATA / "pgx" / "kg1k" / "kg3202.pgx.phased.vcf.gz"
LABELS = DATA / "kg_phase3" / "labels.tsv"
GENES = ("CYP2C19", "CYP2C9", "CYP3A5", "TPMT", "VKORC1")

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data"),
]


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> str:
    out = str(tmp_path_factory.mktemp("pgx") / "pgx.parquet")
    call(str(TARGET), out, Inputs(), CallParams(genes=GENES), LocalRuntime(cores=1))
    return out


def test_frequencies_agree_with_published_ones(tmp_path: Path, calls: str) -> None:
    frequencies(calls, str(tmp_path / "out"), groups=str(LABELS), column="super_pop", plots=False)
    with (tmp_path / "out" / "published.tsv").open(newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    seen = set()
    for row in rows:
        own, theirs = float(row["frequency"]), float(row["published"])
        if row["published_group"] == "African American":
            continue
        # Tables of exomes and of 1000 Genomes alike: a few hundred people a group, and alleles named since then.
        room = 0.005 if row["relation"] == "below" else 0.045
        assert abs(own - theirs) <= room or (row["relation"] == "below" and own <= theirs), row
        seen.add((row["gene"], row["group"]))
    assert {("CYP2C19", "EUR"), ("CYP2C19", "EAS"), ("CYP3A5", "EUR"), ("CYP2C9", "EUR"), ("VKORC1", "EAS")} <= seen


def test_match_json_of_real_people_says_what_the_table_says(tmp_path: Path, calls: str) -> None:
    import pyarrow.dataset as ds

    (tmp_path / "some.tsv").write_text("sample_id\nHG00097\nNA18526\n")
    assert export_match(calls, str(tmp_path / "out"), samples=str(tmp_path / "some.tsv")) == 2
    table = ds.dataset(calls, format="parquet").to_table()
    rows = {(row["sample_id"], row["gene"]): row for row in table.to_pylist()}
    for number, sample in enumerate(("HG00097", "NA18526"), 1):
        told = json.loads((tmp_path / "out" / f"{number:05}.match.json").read_text())
        assert sorted(one["gene"] for one in told["results"]) == sorted(GENES)
        for one in told["results"]:
            row = rows[sample, one["gene"]]
            assert [d["name"] for d in one["diplotypes"]] == row["diplotypes"]
            assert [d["score"] for d in one["diplotypes"]] == row["scores"][: len(row["diplotypes"])]
            assert len(one["variants"]) == row["n_positions"] - row["n_missing"]
            assert one["phased"] and all("|" in variant["vcfCall"] for variant in one["variants"])
