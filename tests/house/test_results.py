"""RESULTS.md is what the raw lines say."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import report

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


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
    for raw in report.load(BENCHMARKS / "results"):
        assert asked <= set(raw)
        assert raw["timed_out"] or raw["counts"]["alleles"] > 0
        assert "/" not in json.dumps(raw)


def test_steps_add_up_and_ratios_are_of_medians() -> None:
    lines = [line("ours", "ingest", r, 1.0) for r in range(3)] + [
        line("ours", "call", r, wall) for r, wall in enumerate([1, 1, 9])
    ]
    lines += [line("peer", "merge", r, wall) for r, wall in enumerate([5.0, 1.0, 30.0])]
    text = report.render(lines)
    ours, peer = row_of(text, "**cohelix 1**"), row_of(text, "**peer 1**")
    assert ours[2:4] == ["3", "2.0 (2.0 to 10.0)"]
    assert peer[2:4] == ["3", "5.0 (1.0 to 30.0)"]
    assert (ours[-1], peer[-1]) == ("1.00", "2.50")
    assert ours[4:6] == ["3.0", "100"]


def test_only_the_commit_measured_last_counts() -> None:
    lines = [line("ours", "call", 0, 100.0), line("ours", "call", 0, 4.0, commit="c2"), line("peer", "merge", 0, 8.0)]
    text = report.render(lines)
    assert row_of(text, "**cohelix 1**")[3] == "4.0 (4.0 to 4.0)"
    assert row_of(text, "**peer 1**")[-1] == "2.00"


def test_a_run_that_was_stopped_says_so() -> None:
    stopped = line("peer", "merge", 0, 1200.0, timed_out=True, note="stopped at the limit of 1200 s")
    text = report.render([line("ours", "call", 0, 100.0), stopped])
    assert row_of(text, "**peer 1**")[3].startswith("> 1,200.0")
    assert row_of(text, "**peer 1**")[-1] == "> 12.00"
    assert "peer 1: stopped at the limit of 1200 s." in text
