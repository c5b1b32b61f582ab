"""The harness: a noun registers its jobs, an engine that is not here is a line, and a wrong count ends a run."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import programs, registry, turns
from benchmarks.registry import Engine, Job
from benchmarks.turns import Bench


@dataclass(frozen=True)
class Made:
    """A work without input."""

    job: str = "made"
    n_samples: int = 3
    n_records: int = 5
    bases: int = 7
    inputs: list[Path] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)

    def check(self, engine: Engine, counts: dict[str, Any]) -> None:
        assert counts["written"] == 4, f"{engine.name}: {counts['written']}, not 4"


def engine(name: str, text: str = "four", missing: str = "") -> Engine:
    """Writes `text` to a file; `missing`: why it cannot."""

    def steps(work: Made, folder: Path) -> list[tuple[str, list[str]]]:
        note = "import os; print(os.environ.get('NUMBA_CACHE_DIR', ''))"
        return [
            ("write", [sys.executable, "-c", f"open({str(folder / 'out')!r}, 'w').write({text!r}); {note}"]),
            ("end", [sys.executable, "-c", note]),
        ]

    return Engine(
        name, lambda: "1", steps, lambda folder: {"written": len((folder / "out").read_text())},
        lambda folder: {"out": programs.size_of(folder / "out")}, missing=lambda: missing,
    )  # fmt: skip


def bench(folder: Path, **more: Any) -> Bench:
    return Bench(folder, folder / "results", 2, False, 30.0, "", **more)


def test_every_noun_registers_its_jobs_with_a_title_and_a_plan() -> None:
    jobs = registry.discover()
    assert {"joint", "joint-real", "joint-made", "joint-n-plus-1", "genotypes-counts", "simulate"} <= set(jobs)
    nouns = {path.stem.removeprefix("jobs_") for path in registry.HERE.glob("jobs_*.py")}
    assert {name for name, job in jobs.items() if not job.title} == nouns
    assert all(name.split("-")[0] in nouns for name in jobs)


def test_two_jobs_cannot_share_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "JOBS", {})
    job = Job("one", lambda wish, bench: None)
    registry.register(job)
    with pytest.raises(ValueError, match="two jobs are named one"):
        registry.register(job)


def test_engines_are_chosen_by_name() -> None:
    engines = {name: engine(name) for name in ("ours", "peer")}
    assert [e.name for e in registry.chosen(engines, None)] == ["ours", "peer"]
    assert [e.name for e in registry.chosen(engines, "peer")] == ["peer"]
    with pytest.raises(SystemExit, match="no engine plonk"):
        registry.chosen(engines, "plonk")


def test_engines_take_turns_warm_and_cold_and_a_missing_one_is_a_line(tmp_path: Path) -> None:
    made = bench(tmp_path, cold=True)
    turns.take_turns(Made(), [engine("ours"), engine("gone", missing="not installed"), engine("peer")], made)
    raw = [json.loads(line) for line in (tmp_path / "results" / "made.jsonl").read_text().splitlines()]
    assert raw == made.lines
    assert raw[0]["engine"] == "gone" and raw[0]["missing"] == "not installed" and "wall_s" not in raw[0]
    order = [(line["repeat"], line["engine"], line["cache"]) for line in raw[1:] if line["step"] == "write"]
    assert order == [(r, e, c) for r in (0, 1) for e in ("ours", "peer") for c in ("warm", "cold")]
    assert all(line["counts"] == {"written": 4} and line["bytes"] == {"out": 4} for line in raw[1:])
    assert {line["io"]["wchar"] >= 4 for line in raw[1:] if line["step"] == "write"} == {True}


def test_a_warm_turn_after_a_cold_one_finds_its_input_in_memory(tmp_path: Path) -> None:
    held = tmp_path / "held"
    held.write_bytes(os.urandom(8_000_000))

    def steps(work: Made, folder: Path) -> list[tuple[str, list[str]]]:
        reads = f"open({str(held)!r}, 'rb').read(); open({str(folder / 'out')!r}, 'w').write('four')"
        return [("read", [sys.executable, "-c", reads]), ("end", [sys.executable, "-c", ""])]

    made = bench(tmp_path, cold=True)
    turns.take_turns(Made(inputs=[held]), [replace(engine("ours"), steps=steps)], made)
    read = [(line["cache"], line["io"]["read_bytes"]) for line in made.lines if line["step"] == "read"]
    if read[1][1] == 0:
        pytest.skip("temporary files lie in memory here, and cannot be dropped")
    assert [cache for cache, _ in read] == ["warm", "cold", "warm", "cold"]
    assert max(read[0][1], read[2][1]) < 8_000_000 <= min(read[1][1], read[3][1])


def test_a_cold_turn_has_an_empty_cache_of_machine_code(tmp_path: Path) -> None:
    made, asks = bench(tmp_path), "import os; print(os.environ.get('NUMBA_CACHE_DIR'))"
    turns.timed([sys.executable, "-c", asks], made, cold=[])
    folder = Path((tmp_path / "log.txt").read_text().strip())
    assert folder.parent == tmp_path and not folder.exists()
    turns.timed([sys.executable, "-c", asks], made)
    assert (tmp_path / "log.txt").read_text().strip() != str(folder)


def test_a_wrong_count_ends_the_run_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="peer: 5, not 4"):
        turns.take_turns(Made(), [engine("ours"), engine("peer", "wrong")], bench(tmp_path))
    assert not (tmp_path / "peer").exists()


@pytest.mark.external
def test_the_blas_of_plink2_is_told() -> None:
    assert programs.plink2_version().split(", ")[1] in ("OpenBLAS", "MKL", "ATLAS", "reference BLAS")
    assert programs.blas_of(sys.executable) == "BLAS not known"


def test_what_is_not_here_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert programs.lacks_package("no_such_package_of_python")() == "not installed"
    assert programs.cohelix_lacks("simulate", "gvcfs") == ""
    assert programs.cohelix_lacks("simulate", "nothing") == "not in this version"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert programs.lacks_program("bcftools")() == "not installed"


def test_the_plans_run_on_little_data_and_name_their_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    module = sys.modules["benchmarks.jobs_genotypes"] if registry.discover() else None
    monkeypatch.setattr(module, "take_turns", lambda work, engines, bench: seen.append((work, engines)))
    monkeypatch.setattr(module, "chosen", lambda engines, names: [engines["ours"]])
    wish = argparse.Namespace(quick=True, engines=None)
    made = bench(tmp_path)
    registry.JOBS["genotypes-counts"].run(wish, made)
    ((work, engines),) = seen
    assert (work.n_samples, work.n_records, [e.name for e in engines]) == (200, 20_000, ["ours"])
    # ours, on a fileset whose truth is known
    turns.take_turns(work, engines, Bench(tmp_path, None, 1, False, 60.0, ""))
    with pytest.raises(AssertionError, match="n_missing"):
        work.check(engines[0], {"rows": 20_000, "ac": work.ac, "n_missing": work.n_missing + 1})
