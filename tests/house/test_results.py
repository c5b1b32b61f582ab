"""RESULTS.md is what the raw lines say."""

from __future__ import annotations

import json
import re
from pathlib import Path

from benchmarks import report
from benchmarks.registry import discover

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

MEASURED = {"version", "step", "wall_s", "user_s", "sys_s", "peak_rss_mib", "repeat"}
"""What a line has only where something ran."""


def line(engine: str, step: str, repeat: int, wall: float, **more: object) -> dict[str, object]:
    return {
        "commit": "c1", "date": "2026-01-01", "host": "2 cores, 8 GiB", "job": "joint-real", "engine": engine,
        "version": "1",
        "step": step, "n_samples": 50, "n_records": 1000, "bases": 9, "wall_s": wall, "user_s": 1.0, "sys_s": 0.5,
        "peak_rss_mib": 100.0, "timed_out": False, "repeat": repeat, "counts": {"alleles": 7}, **more,
    }  # fmt: skip


def row_of(text: str, name: str) -> list[str]:
    (found,) = [row for row in text.splitlines() if row.startswith(f"| {name} |")]
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_results_are_current() -> None:
    assert (BENCHMARKS / "RESULTS.md").read_text() == report.render(report.load(BENCHMARKS / "results"))


def test_raw_lines_name_no_machine_and_are_whole() -> None:
    asked = {"commit", "date", "host", "job", "engine", "version", "step", "n_samples", "n_records", "wall_s", "user_s",
             "sys_s", "peak_rss_mib", "repeat"}  # fmt: skip
    jobs = discover()
    for raw in report.load(BENCHMARKS / "results"):
        assert "/" not in json.dumps(raw)
        assert jobs[raw["job"]].title
        if "missing" in raw:
            assert raw["missing"] and asked - set(raw) == MEASURED
            continue
        assert asked <= set(raw)
        assert raw.get("cache", "warm") in ("warm", "cold")
        assert raw["timed_out"] or (raw["counts"] and raw["counts"].get(jobs[raw["job"]].counted[0], 1) > 0)


def test_steps_add_up_and_ratios_are_of_medians() -> None:
    lines = [line("ours", "ingest", r, 1.0) for r in range(3)] + [
        line("ours", "call", r, wall) for r, wall in enumerate([1, 1, 9])
    ]
    lines += [line("peer", "merge", r, wall) for r, wall in enumerate([5.0, 1.0, 30.0])]
    text = report.render(lines)
    ours, peer = row_of(text, "**cohelix 1**"), row_of(text, "**peer 1**")
    assert ours[2:5] == ["warm", "3", "2.0 (2.0 to 10.0)"]
    assert peer[2:5] == ["warm", "3", "5.0 (1.0 to 30.0)"]
    # of the medians, 5 to 2; and turn by turn 5 to 2, 1 to 2, 30 to 10
    assert (ours[-1], peer[-1]) == ("1.00", "2.50 (0.50 to 3.00)")
    assert ours[5:10] == ["3.0", "100", "", "", ""]


def test_only_the_commit_measured_last_counts() -> None:
    lines = [line("ours", "call", 0, 100.0), line("ours", "call", 0, 4.0, commit="c2"), line("peer", "merge", 0, 8.0)]
    text = report.render(lines)
    assert row_of(text, "**cohelix 1**")[4] == "4.0 (4.0 to 4.0)"
    assert row_of(text, "**peer 1**")[-1] == "2.00"


def test_a_run_that_was_stopped_says_so() -> None:
    stopped = line("peer", "merge", 0, 1200.0, timed_out=True, note="stopped at the limit of 1200 s")
    text = report.render([line("ours", "call", 0, 100.0), stopped])
    assert row_of(text, "**peer 1**")[4].startswith("> 1,200.0")
    assert row_of(text, "**peer 1**")[-1] == "> 12.00"
    assert "peer 1: stopped at the limit of 1200 s." in text


def test_runs_that_did_not_take_turns_have_no_spread() -> None:
    ours = [line("ours", "call", repeat, 2.0, commit="c2") for repeat in range(3)]
    peer = [line("peer", "merge", repeat, wall) for repeat, wall in enumerate([4.0, 6.0, 8.0])]
    assert row_of(report.render([*ours, *peer]), "**peer 1**")[-1] == "3.00"


def test_bytes_are_those_of_all_steps_and_cold_stands_beside_warm() -> None:
    io = {"rchar": 3 << 20, "wchar": 1 << 20, "read_bytes": 0, "write_bytes": 5}
    lines = [line("ours", step, 0, 1.0, io=io) for step in ("ingest", "call")]
    lines += [line("ours", step, 0, 4.0, io=io | {"read_bytes": 2 << 20}, cache="cold") for step in ("ingest", "call")]
    lines += [line("peer", "merge", 0, 4.0, cache="cold")]
    text = report.render(lines)
    warm, cold = [row for row in text.splitlines() if row.startswith("| **cohelix 1** |")]
    assert [cell.strip() for cell in warm.split("|")][3:11] == ["warm", "1", "2.0 (2.0 to 2.0)", "3.0", "100", "6.0",
                                                                "0.0", "2.0"]  # fmt: skip
    assert [cell.strip() for cell in cold.split("|")][3:11] == ["cold", "1", "8.0 (8.0 to 8.0)", "3.0", "100", "6.0",
                                                                "4.0", "2.0"]  # fmt: skip
    assert row_of(text, "**peer 1**")[-1] == "0.50"  # of the cold runs


def absent(engine: str) -> dict[str, object]:
    whole = line(engine, "", 0, 0.0, missing="not installed")
    return {key: value for key, value in whole.items() if key not in MEASURED | {"timed_out", "counts"}}


def test_a_peer_that_is_missing_is_reported_as_missing() -> None:
    lines = [line("ours", "call", 0, 2.0, cache="warm"), absent("plink2")]
    assert row_of(report.render(lines), "plink2")[4] == "not installed"
    header, row = report.side_by_side(lines).splitlines()
    assert header.split() == ["job", "samples", "cache", "cohelix", "plink2"]
    assert row.split("  ")[-1] == "not installed"
    alone = report.side_by_side([absent("plink2")]).splitlines()
    assert alone[1].endswith("not installed")


def test_a_peer_that_was_missing_once_and_measured_later_is_measured() -> None:
    text = report.render([absent("peer"), line("ours", "call", 0, 2.0), line("peer", "merge", 0, 8.0)])
    assert "not installed" not in text
    assert row_of(text, "**peer 1**")[-1] == "4.00"


def test_one_table_has_the_engines_side_by_side() -> None:
    lines = [line("peer", "merge", 0, 8.0, cache="warm"), *(line("ours", s, 0, 1.0, cache="warm") for s in "ab")]
    lines.append(line("ours", "a", 0, 3.0, cache="cold"))
    text = report.side_by_side(lines).splitlines()
    assert [row.split()[:3] for row in text] == [
        ["job", "samples", "cache"], ["joint-real", "50", "warm"], ["joint-real", "50", "cold"]
    ]  # fmt: skip
    assert re.split(r" {2,}", text[1])[3:] == ["2.0 s, 100 MiB", "8.0 s (x 4.00), 100 MiB"]
