"""The release check finds every sample that fails a gate, whatever quality control has written of it."""

from __future__ import annotations

import ast
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cohelix.errors import CohelixError, ConfigError, InputError
from cohelix.genotypes.callset import Callset
from cohelix.joint.schema import CONTAMINATION_GRID, REASONS, SAMPLE_COUNTS
from cohelix.qc import check, derive
from cohelix.qc.check import check_release
from cohelix.qc.gates import METRICS, TEXT_METRICS
from cohelix.qc.samples.run import qc_samples
from cohelix.qc.schema import SampleQcParams
from cohelix.runtime.local import LocalRuntime
from tests.qc.samples import made

SEXES = ["male", "female"] * 30
KARYOTYPE = {"male": (1, 1), "female": (2, 0)}
FROM_READS = ["aligned_q30_bases", "hdr_coverage_20x"]
FROM_ARRAYS = ["fingerprint", "array_call_rate", "array_contamination"]
ALLOWED = FROM_READS + FROM_ARRAYS
LOW, BROAD, FOREIGN, EXTRA, SWAPPED = 4, 9, 12, 17, 22
"""Samples with a planted failure: of mean coverage, of breadth, contaminated, XXX, and of another sex than stated."""


def cohort(folder: Path) -> Callset:
    """60 people as a joint call counts them; five of them fail a gate each."""
    draw = np.random.default_rng(11)
    n = len(SEXES)
    samples: dict[str, list[Any]] = {"sex": SEXES} | {
        name: draw.integers(900, 1100, n).tolist() for name in SAMPLE_COUNTS
    }
    samples |= {"n_sites": [2000] * n, "charr_sum_nano": draw.integers(0, 10**9, n).tolist(), "n_charr": [100] * n}
    samples |= {f"missing_{reason}": draw.integers(0, 9, n).tolist() for reason in REASONS[1:]}
    samples |= {f"n_gq_{decade}0": draw.integers(1, 50, n).tolist() for decade in range(10)}
    regions, contamination = [], []
    for row, sex in enumerate(SEXES):
        x, y = (2, 0) if row == SWAPPED else (3, 0) if row == EXTRA else KARYOTYPE[sex]
        depth = 29.99 if row == LOW else 36 + draw.normal(0, 1)
        share = 0.06 if row == FOREIGN else abs(draw.normal(0, 0.003))
        breadth = 899 if row == BROAD else int(draw.integers(901, 999))
        counts = {
            name: {"n_bases": 1000, "depth_sum": round(1000 * depth * copies / 2), "n_bases_10x": 1000,
                   "n_bases_20x": breadth, "n_bases_30x": int(draw.integers(500, 900)), "n_f_called": 100,
                   "n_f_hom": int(draw.integers(60, 80)), "f_expected_nano": 70 * 10**9,
                   "f_expected_small_nano": 70 * 10**9}
            for name, copies in (("autosome", 2), ("chr20", 2), ("x", x), ("y", y))
        }  # fmt: skip
        regions += made.region_rows(row, **counts)
        grid = [round(-1e6 * 20_000 * (a**0.5 - share**0.5) ** 2) for a in CONTAMINATION_GRID]
        contamination.append({"sample": row, "n_sites": 500, "grid": grid})
    return made.called(folder, samples, regions, contamination, CONTAMINATION_GRID)


def released(folder: Path, rows: list[int], *more: str) -> str:
    path = folder / "released.txt"
    path.write_text("\n".join([*(made.ids(60)[row] for row in rows), *more]) + "\n")
    return str(path)


def checked(
    callset: Callset, path: str, out: Path | None = None, **how: Any
) -> tuple[list[str], CohelixError | None, list[tuple[str, str, str]]]:
    """Lines, the error that ends them, and (sample, gate, why) of the table of failures."""
    lines: list[str] = []
    error: CohelixError | None = None
    how = {"allow_missing": ALLOWED} | how
    try:
        lines.extend(check_release(callset.root, path, "aou-v8", out=None if out is None else str(out), **how))
    except CohelixError as caught:
        error = caught
    rows: list[tuple[str, str, str]] = []
    if out is not None and out.exists():
        table = pq.read_table(out / "failures.parquet").to_pylist()
        rows = [(row["sample_id"], row["gate"], row["why"]) for row in table]
    return lines, error, rows


PLANTED = [
    ("s004", "mean_coverage", "fails"),
    ("s009", "coverage_20x", "fails"),
    ("s012", "contamination", "fails"),
    ("s022", "sex_concordance", "fails"),
]


def test_planted_failures_are_found_and_nothing_else(tmp_path: Path) -> None:
    callset = cohort(tmp_path)
    lines, error, rows = checked(callset, released(tmp_path, list(range(60))), tmp_path / "out")
    assert rows == PLANTED
    assert isinstance(error, InputError)
    assert error.exit_code == 2
    assert "4 of 60 released samples" in str(error)
    assert any(line.startswith("mean_coverage") and "1 fail" in line for line in lines)
    told = "\n".join(lines) + str(error)
    assert not any(sample in told for sample in made.ids(60))


def test_a_sound_release_passes(tmp_path: Path) -> None:
    callset = cohort(tmp_path)
    sound = [row for row in range(60) if row not in (LOW, BROAD, FOREIGN, SWAPPED)]
    lines, error, rows = checked(callset, released(tmp_path, sound), tmp_path / "out")
    assert (error, rows) == (None, [])
    assert lines[0].startswith("56 samples are released; gates aou-v8")
    assert sum("0 fail" in line for line in lines) == 9


def test_gnomad_wants_a_karyotype_of_two(tmp_path: Path) -> None:
    callset = cohort(tmp_path)
    gates = tmp_path / "own.toml"
    gates.write_text('[[gate]]\nname = "k"\nmetric = "karyotype"\nis_one_of = ["XX", "XY"]\nsource = "here"\n')
    with pytest.raises(InputError, match="1 of 60"):
        list(check_release(callset.root, released(tmp_path, list(range(60))), str(gates), out=str(tmp_path / "o")))
    rows = pq.read_table(tmp_path / "o" / "failures.parquet").to_pylist()
    assert [(row["sample_id"], row["text"], row["passes"]) for row in rows] == [("s017", "XXX", "XX or XY")]


def _qc(callset: Callset, folder: Path) -> Path:
    qc_samples(callset.root, str(folder), SampleQcParams(), LocalRuntime(1), gates="aou-v8")
    return folder


def _rewrite(path: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    table = pq.read_table(path)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)


def test_flags_that_were_tampered_with_change_nothing(tmp_path: Path) -> None:
    callset = cohort(tmp_path)
    qc = _qc(callset, tmp_path / "qc")
    flags = qc / "sample_flags.parquet"
    assert pq.read_table(flags).num_rows >= len(PLANTED)
    _rewrite(flags, lambda rows: rows.clear())
    (qc / "qc.json").write_text(json.dumps({"kind": "samples"}))
    _, _, rows = checked(callset, released(tmp_path, list(range(60))), tmp_path / "out", qc=str(qc))
    assert rows == PLANTED


def test_metrics_that_were_tampered_with_are_found(tmp_path: Path) -> None:
    callset = cohort(tmp_path)
    qc = _qc(callset, tmp_path / "qc")

    def better(rows: list[dict[str, Any]]) -> None:
        rows[LOW]["mean_coverage"] = 40.0
        rows[SWAPPED] |= {"sex_concordant": "yes", "karyotype": "XY", "sex_inferred": "male"}
        rows[30]["mean_coverage"] = 31.0  # passes, and is not what the callset says
        rows[31]["coverage_20x"] = 0.5

    _rewrite(qc / "sample_metrics.parquet", better)
    _, _, rows = checked(callset, released(tmp_path, list(range(60))), tmp_path / "out", qc=str(qc))
    assert rows == sorted(
        [*PLANTED, ("s030", "mean_coverage", "differs"), ("s031", "coverage_20x", "fails")], key=lambda row: row[0]
    )


def test_what_only_quality_control_knows_is_taken_from_its_folder(tmp_path: Path) -> None:
    callset = cohort(tmp_path)
    qc = _qc(callset, tmp_path / "qc")

    def arrays(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row |= {"fingerprint_llr": 40.0, "array_call_rate": 0.99, "array_contamination": 0.01}
        rows[1]["fingerprint_llr"] = -3.0
        rows[2]["array_call_rate"] = 0.98
        rows[3]["array_contamination"] = None

    _rewrite(qc / "sample_metrics.parquet", arrays)
    path = released(tmp_path, [0, 1, 2, 3])
    _, _, rows = checked(callset, path, tmp_path / "out", qc=str(qc), allow_missing=FROM_READS)
    assert rows == [
        ("s001", "fingerprint", "fails"),
        ("s002", "array_call_rate", "fails"),
        ("s003", "array_contamination", "not evaluated"),
    ]


def test_what_others_measured_counts_before_what_the_callset_says(tmp_path: Path) -> None:
    callset = cohort(tmp_path)
    table = tmp_path / "genomic_metrics.tsv"
    lines = ["research_id\tmean_coverage\taligned_q30_bases\taou_hdr_coverage"]
    lines += [f"{sample}\t{30.5 if row == LOW else ''}\t9e10\t0.97" for row, sample in enumerate(made.ids(60))]
    lines[2] = "s001\t29\t9e10\t0.97"
    lines[3] = "s002\t\t7e10\t0.97"
    table.write_text("\n".join(lines) + "\n")
    qc = tmp_path / "qc"
    qc_samples(callset.root, str(qc), SampleQcParams(), LocalRuntime(1), gates="aou-v8", measured=str(table))
    path = released(tmp_path, [LOW, 1, 2, 3])
    how = {"qc": str(qc), "allow_missing": FROM_ARRAYS}
    _, _, rows = checked(callset, path, tmp_path / "out", measured=str(table), **how)
    assert rows == [("s001", "mean_coverage", "fails"), ("s002", "aligned_q30_bases", "fails")]
    assert isinstance(checked(callset, path, **how)[1], ConfigError)

    def better(rows: list[dict[str, Any]]) -> None:
        rows[3]["aligned_q30_bases"] = 8.5e10

    _rewrite(qc / "sample_metrics.parquet", better)
    _, _, rows = checked(callset, path, tmp_path / "again", measured=str(table), **how)
    assert ("s003", "aligned_q30_bases", "differs") in rows


def test_what_cannot_be_evaluated_fails_unless_it_is_allowed(tmp_path: Path) -> None:
    callset = cohort(tmp_path)
    path = released(tmp_path, [0, 1])
    lines, error, rows = checked(callset, path, tmp_path / "one", allow_missing=FROM_READS)
    assert error is not None
    assert sorted(rows) == sorted((s, g, "not evaluated") for s in ("s000", "s001") for g in FROM_ARRAYS)
    assert any(line.startswith("fingerprint ") and "2 not evaluated" in line for line in lines)
    lines, error, _ = checked(callset, path, tmp_path / "two")
    assert error is None
    assert any(line.startswith("fingerprint ") and "2 not evaluated (allowed)" in line for line in lines)
    with pytest.raises(ConfigError, match="there is no such gate"):
        list(check_release(callset.root, path, "aou-v8", allow_missing=["fingerprints"]))


def test_samples_that_the_callset_lacks_fail(tmp_path: Path) -> None:
    callset = cohort(tmp_path)
    path = released(tmp_path, [0, 0], "nobody-1", "nobody-2")
    lines, error, rows = checked(callset, path, tmp_path / "out")
    assert rows == [("nobody-1", "", "not in the callset"), ("nobody-2", "", "not in the callset")]
    assert "not in the callset: 2" in lines
    assert "1 of their ids are listed more than once" in lines
    assert error is not None
    assert "nobody" not in str(error)


def test_a_list_may_be_a_table(tmp_path: Path) -> None:
    callset = cohort(tmp_path)
    (tmp_path / "list.tsv").write_text("research_id\tnote\ns004\tx\ns005\ty\n")
    _, _, rows = checked(callset, str(tmp_path / "list.tsv"), tmp_path / "a")
    assert rows == PLANTED[:1]
    (tmp_path / "one.tsv").write_text("sample_id\ns004\n")
    assert checked(callset, str(tmp_path / "one.tsv"), tmp_path / "b")[2] == PLANTED[:1]
    for content, says in (("", "empty file"), ("a\tb\n1\t2\n", "no column of ids")):
        (tmp_path / "bad.tsv").write_text(content)
        assert says in str(checked(callset, str(tmp_path / "bad.tsv"))[1])
    assert "found none that can be read" in str(checked(callset, str(tmp_path / "absent"))[1])


def test_a_folder_of_other_samples_is_refused(tmp_path: Path) -> None:
    callset = cohort(tmp_path)
    qc = _qc(callset, tmp_path / "qc")

    def renamed(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["sample_id"] = f"x{row['sample_id']}"

    _rewrite(qc / "sample_metrics.parquet", renamed)
    _, error, _ = checked(callset, released(tmp_path, [0]), qc=str(qc))
    assert "of other samples" in str(error)
    _, error, _ = checked(callset, released(tmp_path, [0]), qc=str(tmp_path))
    assert "no sound sample_metrics.parquet" in str(error)


def test_both_ways_to_a_metric_agree(tmp_path: Path) -> None:
    """Written twice, from the same definitions: every metric that both know is the same number."""
    callset = cohort(tmp_path)
    recorded = pq.read_table(_qc(callset, tmp_path / "qc") / "sample_metrics.parquet")
    own = derive.derive(callset, derive.stated_sexes(callset))
    shared = [name for name in METRICS["samples"] if name in own and recorded.schema.names.count(name)]
    assert len(shared) > 40
    for name in shared:
        column = recorded.column(name)
        if name in TEXT_METRICS:
            assert [value or None for value in own[name].tolist()] == [
                None if value in ("unknown", "") else value for value in column.to_pylist()
            ]
        else:
            numbers = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
            np.testing.assert_allclose(own[name], numbers, rtol=1e-9, atol=1e-12, err_msg=name)


def test_the_check_shares_no_code_with_what_it_checks() -> None:
    for module in (check, derive):
        tree = ast.parse(Path(str(module.__file__)).read_text())
        named = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        assert not any(name.startswith("cohelix.qc.samples") for name in named)
        taken = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "cohelix.qc.gates"
            for alias in node.names
        }
        assert "evaluate" not in taken


@pytest.mark.parametrize(
    "form",
    [
        lambda ids: b"\xef\xbb\xbf" + "\r\n".join(ids).encode(),
        lambda ids: b"\xef\xbb\xbfsample_id\r\n" + "\r\n".join(ids).encode(),
        lambda ids: gzip.compress("\n".join(ids).encode()),
        lambda ids: gzip.compress(("s\n" + "\n".join(ids)).encode()),
        lambda ids: ("research_id\tage\n" + "".join(f" {one} \t7\n" for one in ids)).encode(),
        lambda ids: ('"IID","age"\n' + "".join(f'"{one}","7"\n' for one in ids)).encode(),
    ],
)
def test_lists_as_people_write_them(tmp_path: Path, form: Callable[[list[str]], bytes]) -> None:
    callset = cohort(tmp_path)
    path = tmp_path / "list"
    path.write_bytes(form([made.ids(60)[row] for row in (0, 1, 2, LOW)]))
    lines, _, rows = checked(callset, str(path), tmp_path / "out")
    assert lines[0].startswith("4 samples are released")
    assert rows == [PLANTED[0]]


def test_a_folder_that_is_not_of_this_callset_is_said_or_refused(tmp_path: Path) -> None:
    callset = cohort(tmp_path)
    qc = _qc(callset, tmp_path / "qc")
    told, _, _ = checked(callset, released(tmp_path, [0]), qc=str(qc))
    assert not any("another callset" in line for line in told)
    record = json.loads((qc / "qc.json").read_text())
    record["provenance"]["inputs"][0]["sha256"] = "0" * 64
    (qc / "qc.json").write_text(json.dumps(record))
    told, _, _ = checked(callset, released(tmp_path, [0]), qc=str(qc))
    assert sum("another callset" in line for line in told) == 1
    for damaged in ("[]", "{", '{"provenance": 3}', '{"provenance": {"inputs": [4]}}'):
        (qc / "qc.json").write_text(damaged)
        assert checked(callset, released(tmp_path, [0]), qc=str(qc))[1] is None
    pq.write_table(pa.table({"nobody": [1]}), qc / "sample_metrics.parquet")
    _, error, _ = checked(callset, released(tmp_path, [0]), qc=str(qc))
    assert isinstance(error, InputError) and "no sound sample_metrics" in str(error)


def test_a_check_without_a_gate_is_refused(tmp_path: Path) -> None:
    gates = tmp_path / "own.toml"
    gates.write_text('[[outlier]]\nmetric = "n_snp"\nmads = 8\nside = "both"\nsource = "here"\n')
    with pytest.raises(ConfigError, match="needs a"):
        list(check_release(cohort(tmp_path).root, released(tmp_path, [0]), str(gates)))
