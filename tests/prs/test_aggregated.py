"""aggregated_scores.txt.gz: as `pgscatalog-aggregate` writes it, but that each score has a denominator of its own."""

from __future__ import annotations

import csv
import gzip
import subprocess
from pathlib import Path

import numpy as np
import pytest

from cohelix.errors import ConfigError, InputError
from cohelix.prs.aggregated import write_aggregated
from cohelix.prs.tables import FILE, ScoreBlock, write_scores

PEOPLE = ["p1", "p2", "p3"]
SUMS = {"PGS000001": [0.5, -1.25, 1e-7], "PGS000002": [3.0, float("nan"), 0.1 + 0.2]}
ALLELES = {"PGS000001": [4, 4, 3], "PGS000002": [0, 6, 6]}


def scores(folder: Path, sums: dict[str, list[float]] = SUMS, alleles: dict[str, list[int]] = ALLELES) -> str:
    folder.mkdir()
    counts = np.array(list(alleles.values()), np.int32)
    block = ScoreBlock(range(len(sums)), np.array(list(sums.values())), counts, np.zeros_like(counts), counts)
    write_scores(folder / FILE, list(sums), PEOPLE, [block])
    return str(folder)


def rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def test_a_row_a_score_and_sample_with_the_score_s_own_denominator(tmp_path: Path) -> None:
    out = tmp_path / "aggregated_scores.txt.gz"
    write_aggregated(scores(tmp_path / "prs"), str(out), sampleset="made-1")
    found = rows(out)
    assert list(found[0]) == ["sampleset", "FID", "IID", "PGS", "SUM", "DENOM", "AVG"]
    assert [(row["PGS"], row["IID"]) for row in found] == [(score, person) for score in SUMS for person in PEOPLE]
    assert all(row["sampleset"] == "made-1" and row["FID"] == row["IID"] for row in found)
    for row in found:
        at = PEOPLE.index(row["IID"])
        value, used = SUMS[row["PGS"]][at], ALLELES[row["PGS"]][at]
        assert row["SUM"] == "" if value != value else float(row["SUM"]) == value
        assert int(row["DENOM"]) == used
        assert row["AVG"] == "" if value != value or not used else float(row["AVG"]) == value / used


def test_as_the_calculator_s_own_program_writes_them(tmp_path: Path, root: Path) -> None:
    """Two scores of the same variants: there, too, the denominator of the run is that of each score."""
    program = root / ".peers/bin/pgscatalog-aggregate"
    if not program.exists():
        pytest.skip("no .peers/bin/pgscatalog-aggregate (`make peers`)")
    sums = {"PGS000001": [0.5, -1.25, 1e-7], "PGS000002": [3.0, 0.75, 0.1 + 0.2]}
    lines = ["#IID\tALLELE_CT\tDENOM\tNAMED_ALLELE_DOSAGE_SUM\tPGS000001_SUM\tPGS000002_SUM"]
    lines += [f"{one}\t8\t8\t3\t{sums['PGS000001'][k]!r}\t{sums['PGS000002'][k]!r}" for k, one in enumerate(PEOPLE)]
    (tmp_path / "made_ALL_additive_0.sscore").write_text("\n".join(lines) + "\n")
    line = [program, "-s", tmp_path / "made_ALL_additive_0.sscore", "-o", tmp_path, "--no-split"]
    subprocess.run(line, check=True, capture_output=True, timeout=120)
    ours = tmp_path / "ours.txt.gz"
    write_aggregated(scores(tmp_path / "prs", sums, {name: [8, 8, 8] for name in sums}), str(ours), sampleset="made")
    theirs = rows(tmp_path / "aggregated_scores.txt.gz")
    assert [list(row) for row in theirs] == [list(row) for row in rows(ours)]
    for their, our in zip(theirs, rows(ours), strict=True):
        for column, text in their.items():
            number = column in ("SUM", "DENOM", "AVG")
            close = number and float(our[column]) == pytest.approx(float(text), rel=1e-14)  # pandas reads to 15 digits
            assert close or our[column] == text


def test_equal_scores_give_equal_bytes(tmp_path: Path) -> None:
    folder = scores(tmp_path / "prs")
    for name in ("one.gz", "two.gz"):
        write_aggregated(folder, str(tmp_path / name))
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()


def test_an_id_that_is_a_path_stays_a_word(tmp_path: Path) -> None:
    name = "../../etc/passwd"
    folder = scores(tmp_path / "prs", {name: [1.0, 2.0, 3.0]}, {name: [2, 2, 2]})
    write_aggregated(folder, str(tmp_path / "out" / "a.gz"))
    assert {row["PGS"] for row in rows(tmp_path / "out" / "a.gz")} == {name}
    assert sorted(path.name for path in tmp_path.rglob("*.gz")) == ["a.gz"]


def test_what_the_calculator_could_not_read_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    folder = scores(tmp_path / "prs", {"a\tb": [1.0, 2.0, 3.0]}, {"a\tb": [2, 2, 2]})
    with pytest.raises(InputError, match="without tabs"):
        write_aggregated(folder, str(tmp_path / "a.gz"))
    with pytest.raises(ConfigError, match="letters, digits"):
        write_aggregated(folder, str(tmp_path / "a.gz"), sampleset="my_cohort")
    (tmp_path / "adjusted").mkdir()
    (tmp_path / "adjusted" / "adjusted.parquet").write_bytes(b"")
    with pytest.raises(InputError, match="prs adjust"):
        write_aggregated(str(tmp_path / "adjusted"), str(tmp_path / "a.gz"))
    (tmp_path / "prs" / FILE).write_bytes(b"PAR1")
    with pytest.raises(InputError, match="damaged"):
        write_aggregated(folder, str(tmp_path / "a.gz"))
    with pytest.raises(InputError, match="neither"):
        write_aggregated(str(tmp_path), str(tmp_path / "a.gz"))
    with pytest.raises(ConfigError, match="folder there"):
        write_aggregated(scores(tmp_path / "again"), str(tmp_path / "again"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adjusted", "again", "prs"]
