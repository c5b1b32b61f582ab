"""Flags of relatives tell of nobody who is not in the release."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.release.matrix.tables import Aside, flagged, write_aside
from cohelix.release.schema import Inputs


def test_a_flag_without_a_relative_in_the_release_is_left_out(tmp_path: Path) -> None:
    pairs = {"sample_id_1": ["a", "c", "e"], "sample_id_2": ["b", "gone", "f"]}
    pq.write_table(pa.table(pairs), tmp_path / "pairs.parquet")
    new_ids = {"a": 30, "b": 10, "c": 20, "e": 50, "f": 40}
    among = flagged(Inputs("", relatedness=str(tmp_path)), new_ids)
    assert among == {"a": 30, "b": 10, "e": 50, "f": 40}
    (tmp_path / "relatedness_flagged_samples.tsv").write_text("sample_id\nc\nf\na\ngone\n")
    (tmp_path / "out").mkdir()
    path = tmp_path / "relatedness_flagged_samples.tsv"
    made = write_aside(Aside("x/y.tsv", "relatedness_flagged_samples", path, ("sample_id",)), among, tmp_path / "out")
    assert made.path.read_text().splitlines() == ["sample_id", "30", "40"]
    assert flagged(Inputs(""), new_ids) == new_ids
