"""Jobs of releases: what they cost to make, and what the gate costs those who read.

`release-build`: a release of each tier from drawn people, the process whole. `release-read`: a file of a Controlled
release through the gate (`ours`), and the same plain file (`plain`). `release-command`: a command of cohelix on a
workspace, with its grant, and on the same files in an unmarked folder. `release-audit`: a thousand readers at once, and
one who writes as many lines. `release-frequencies`: beside plink2 --freq. `release-seal`: containers, beside crypt4gh.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks import programs, release_sets, score_sets
from benchmarks.programs import CORES, cohelix, size_of
from benchmarks.registry import Engine, Job, chosen, register
from benchmarks.release_sets import Cohort, Gate
from benchmarks.turns import Bench, take_turns

Steps = list[tuple[str, list[str]]]
BUILD, READ, COMMAND, AUDIT, FREQUENCIES, SEAL = (
    "release-build", "release-read", "release-command", "release-audit", "release-frequencies", "release-seal"
)  # fmt: skip
TIERS = ("public", "registered", "controlled")
SITES = 5_000
"""Of `release-build`, the same for all numbers of people."""
PLAN: dict[str, Any] = {
    BUILD: (1_000, 10_000, 100_000), READ: (10_000, 100_000), COMMAND: (10_000, 100_000), AUDIT: 1_000,
    FREQUENCIES: (10_000, 100_000), SEAL: 1 << 30,
}  # fmt: skip
QUICK: dict[str, Any] = {
    BUILD: (1_000,), READ: (1_000, 2_000), COMMAND: (1_000, 2_000), AUDIT: 100, FREQUENCIES: (1_000, 5_000),
    SEAL: 1 << 26,
}  # fmt: skip
READS = ("stream", "whole", "table", "genotypes", "checkout")
COMMANDS = ("genotypes describe", "qc variants", "prs score")
SHARED = "readers are forked from one process, and the memory that they share counts for each"
SCORES, ENTRIES = 20, 20_000
MATRIX = "wgs/short_read/snpindel/callset"
TABLE = "omop/measurement.parquet"


@dataclass(frozen=True)
class Work:
    """expected: counts that every engine must find. at: where things lie, by name."""

    job: str
    n_samples: int
    n_records: int
    settings: tuple[str, ...]
    at: dict[str, Any]
    expected: dict[str, Any]
    inputs: list[Path] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)

    @property
    def bases(self) -> int:
        return 0

    def check(self, engine: Engine, counts: dict[str, Any]) -> None:
        """Raises AssertionError where an engine did not find what there is."""
        found = {name: counts.get(name) for name in self.expected}
        assert found == self.expected, f"{engine.name}: {found}, not {self.expected}"


def step(name: str, folder: Path, /, **at: Any) -> list[str]:
    words = [
        "--at",
        json.dumps({key: value if isinstance(value, list | int) else str(value) for key, value in at.items()}),
    ]
    return [sys.executable, "-m", "benchmarks.release_steps", name, *words, "--out", str(folder / "counts.json")]


def _counts(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "counts.json").read_text())
    return found


def _nothing(folder: Path) -> dict[str, int]:
    return {}


def _engine(
    name: str, steps: Callable[[Any, Path], Steps], counts: Callable[[Path], dict[str, Any]] = _counts,
    version: Callable[[], str] = programs.cohelix_version, **more: Any,
) -> Engine:  # fmt: skip
    return Engine(name, version, steps, counts, more.pop("sizes", _nothing), **more)


def _build(work: Work, folder: Path) -> Steps:
    cohort, tier = work.at["cohort"], work.at["tier"]
    inputs = cohort.inputs(folder / "inputs.toml")
    return [("build", release_sets.build_words(inputs, tier, folder / "root", work.at["keys"]))]


def _built(folder: Path) -> dict[str, Any]:
    files = json.loads((folder / "root" / "R1" / "manifest.json").read_bytes())["files"]
    rows = {line["table"]: line["rows"] for line in files if line.get("table")}
    persons = rows.get("omop.person")
    told = rows.get("variant_frequencies", 0)
    return {"files": len(files), "told": told > 0} | ({} if persons is None else {"persons": persons})


def _released(folder: Path) -> dict[str, int]:
    return {"release": size_of(folder / "root" / "R1")}


def _reading(is_plain: bool) -> Callable[[Work, Path], Steps]:
    def steps(work: Work, folder: Path) -> Steps:
        what, gate, plain = work.at["what"], work.at["gate"], work.at["plain"]
        shown = {"passport": gate.passport, "trust": gate.trust}
        if what == "checkout":
            words = ["--passport", gate.passport, "--trust", gate.trust]
            ours = cohelix("release", "open", work.at["release"], "-o", folder / "copy", *words)
            return [(what, ["cp", "-r", str(plain), str(folder / "copy")] if is_plain else ours)]
        place = {"plain": plain} if is_plain else {"release": work.at["release"], **shown}
        return [(what, step(what, folder, **place, **work.at["asks"]))]

    return steps


def _read_counts(folder: Path) -> dict[str, Any]:
    if not (folder / "copy").is_dir():
        return _counts(folder)
    files = [path for path in (folder / "copy").rglob("*") if path.is_file() and path.name != "_TIER"]
    return {"files": len(files), "bytes": sum(path.stat().st_size for path in files)}


def _command(is_plain: bool) -> Callable[[Work, Path], Steps]:
    def steps(work: Work, folder: Path) -> Steps:
        callset = work.at["plain" if is_plain else "workspace"] / MATRIX
        more = {
            "genotypes describe": [],
            "qc variants": ["-o", folder / "out"],
            "prs score": ["-o", folder / "out", "--scores", work.at["scores"]],
        }[work.at["what"]]
        words = cohelix(*work.at["what"].split(), callset, *more)
        shown = [] if is_plain else [f"{name}={value}" for name, value in work.at["gate"].shown.items()]
        return [(work.at["what"], ["env", "-u", "COHELIX_PASSPORT", "-u", "COHELIX_TRUST", *shown, *words])]

    return steps


def _commanded(folder: Path) -> dict[str, Any]:
    return {"ended": 1} | ({"outputs": 1} if (folder / "out").is_dir() else {})


def _audit(by: str) -> Callable[[Work, Path], Steps]:
    def steps(work: Work, folder: Path) -> Steps:
        readers = work.expected["lines"]
        if work.at["what"] == "line":
            return [("write", step("audit", folder, folder=folder / "audit", readers=readers, by=by))]
        gate = work.at["gate"]
        at = {"release": work.at["release"], "passport": gate.passport, "trust": gate.trust}
        return [("read", step("admit", folder, **at, readers=readers, by=by))]

    return steps


def _frequencies(work: Work, folder: Path) -> Steps:
    at = {"callset": work.at["cohort"].callset, "ancestry": work.at["ancestry"], "folder": folder / "made"}
    return [("frequencies", step("frequencies", folder, **at))]


def _frequencies_found(folder: Path) -> dict[str, Any]:
    """The rows that were told, and their alternate alleles by place."""
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "made" / "aggregates" / "variants" / "frequencies.parquet")
    places = zip(*(table[name].to_pylist() for name in ("contig", "position", "gvs_all_ac")), strict=True)
    return _counts(folder) | {"found": {(contig.removeprefix("chr"), at): ac for contig, at, ac in places}}


def _plink2(work: Work, folder: Path) -> Steps:
    return [("freq", ["plink2", "--threads", str(CORES), "--pfile", str(work.at["pgen"]), "--freq", "counts",
                      "--out", str(folder / "x")])]  # fmt: skip


def _plink2_found(folder: Path) -> dict[str, Any]:
    found = {}
    with (folder / "x.acount").open() as lines:
        names = next(lines).lstrip("#").split()
        for line in lines:
            row = dict(zip(names, line.split(), strict=True))
            contig, at, *_ = row["ID"].split(":")
            found[contig.removeprefix("chr"), int(at)] = int(row["ALT_CTS"])
    return {"rows": len(found), "found": found}


@dataclass(frozen=True)
class Told(Work):
    """What is told of sites must be what the BED holds: the same number where everybody is told of, else no more."""

    def check(self, engine: Engine, counts: dict[str, Any]) -> None:
        truth, found, groups = self.at["truth"], counts.pop("found"), self.at["groups"]
        assert 0 < len(found) == counts["rows"] <= self.n_records, f"{engine.name}: {len(found)} rows"
        whole = groups == 1 or engine.name != "ours"
        wrong = [1 for place, ac in found.items() if not (ac == truth[place] if whole else 0 < ac <= truth[place])]
        assert not wrong, f"{engine.name}: {len(wrong)} of {len(found)} numbers are not those of the genotypes"


def _sealing(prefix: str) -> Callable[[Work, Path], Steps]:
    def steps(work: Work, folder: Path) -> Steps:
        what = work.at["what"]
        if what == "verify":
            ours = step("verify", folder, sealed=work.at["sealed"])
            return [(what, ours if not prefix else ["sh", "-c", f"sha256sum {work.at['sealed']} > {folder / 'sum'}"])]
        if what == "stream":
            return [(what, step(f"{prefix}stream-sealed", folder, sealed=work.at["sealed"]))]
        at = {"plain": work.at["plain"], "sealed": folder / "x.c4gh"}
        if what == "unseal":
            at = {"plain": folder / "x", "sealed": work.at["sealed"]}
        return [(what, step(prefix + what, folder, **at))]

    return steps


def _sealed(folder: Path) -> dict[str, Any]:
    return _counts(folder) if (folder / "counts.json").exists() else {"summed": (folder / "sum").stat().st_size > 64}


_plink2_lacks, _lacks = programs.lacks_program("plink2"), lambda: programs.cohelix_lacks("release", "build")
ENGINES: dict[str, dict[str, Engine]] = {
    BUILD: {"ours": _engine("ours", _build, _built, sizes=_released, missing=_lacks)},
    READ: {
        "ours": _engine("ours", _reading(False), _read_counts),
        "plain": _engine("plain", _reading(True), _read_counts),
    },
    COMMAND: {
        "ours": _engine("ours", _command(False), _commanded),
        "plain": _engine("plain", _command(True), _commanded),
    },
    AUDIT: {
        "ours": _engine("ours", _audit("processes")), "threads": _engine("threads", _audit("threads")),
        "one writer": _engine("one writer", _audit("one")),
    },
    FREQUENCIES: {
        "ours": _engine("ours", _frequencies, _frequencies_found),
        "plink2": _engine("plink2", _plink2, _plink2_found, programs.plink2_version, missing=_plink2_lacks),
    },
    SEAL: {
        "ours": _engine("ours", _sealing(""), _sealed),
        "crypt4gh": _engine("crypt4gh", _sealing("peer-"), _sealed, missing=programs.lacks_package("crypt4gh")),
    },
}  # fmt: skip


def _sizes(wish: argparse.Namespace, job: str) -> Any:
    return (QUICK if wish.quick else PLAN)[job]


def _run_build(wish: argparse.Namespace, bench: Bench) -> None:
    for n in _sizes(wish, BUILD):
        cohort, gate = release_sets.draw(bench.scratch / "cohort", n, SITES), _gate(bench)
        print(f"# made {n} people, {sum(cohort.n_bytes.values()) >> 20} MiB", file=sys.stderr)
        for tier in TIERS:
            expected = {"told": True} | ({} if tier == "public" else {"persons": n})
            at = {"cohort": cohort, "tier": tier, "keys": gate.keys}
            inputs = [cohort.folder / "omop", cohort.callset]
            work = Work(BUILD, n, SITES, (f"tier={tier}",), at, expected, inputs, cohort.n_bytes)
            take_turns(work, chosen(ENGINES[BUILD], wish.engines), bench)
        _gone(bench, "cohort", "gate")


def _gate(bench: Bench) -> Gate:
    return release_sets.make_gate(bench.scratch / "gate")


def _gone(bench: Bench, *names: str) -> None:
    for name in names:
        shutil.rmtree(bench.scratch / name)


@dataclass(frozen=True)
class Read:
    """A Controlled release, what its reader checked out, and the same files in an unmarked folder."""

    cohort: Cohort
    gate: Gate
    release: Path
    workspace: Path
    plain: Path

    @property
    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.plain)) for path in self.plain.rglob("*") if path.is_file())


def _released_to(bench: Bench, n: int, n_sites: int) -> Read:
    """Made, and not timed."""
    gate, cohort = _gate(bench), release_sets.draw(bench.scratch / "cohort", n, n_sites)
    inputs, root = cohort.inputs(cohort.folder / "inputs.toml"), bench.scratch / "cohort" / "controlled"
    release_sets.run(release_sets.build_words(inputs, "controlled", root, gate.keys))
    work, plain = bench.scratch / "cohort" / "workspace", bench.scratch / "cohort" / "plain"
    shown = ["--passport", gate.passport, "--trust", gate.trust]
    release_sets.run(cohelix("release", "open", root / "R1", "-o", work, *shown))
    shutil.copytree(work, plain, ignore=shutil.ignore_patterns("_TIER"))
    return Read(cohort, gate, root / "R1", work, plain)


def _run_read(wish: argparse.Namespace, bench: Bench) -> None:
    n, n_sites = _sizes(wish, READ)
    made = _released_to(bench, n, n_sites)
    pgens = [name for name in made.files if name.startswith(MATRIX) and name.endswith(".pgen")]
    n_bytes = sum(size_of(made.plain / name) for name in pgens)
    ac = int(release_sets.alternate_alleles(made.cohort).sum())
    rows = release_sets.ROWS["measurement"] * n
    asks: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
        "stream": ({"names": pgens}, {"bytes": n_bytes}, n_bytes),
        "whole": ({"names": pgens}, {"bytes": n_bytes}, n_bytes),
        "table": ({"name": TABLE}, {"rows": rows}, size_of(made.plain / TABLE)),
        "genotypes": ({"names": pgens, "n_people": n}, {"ac": ac, "rows": n_sites},
                      sum(size_of(made.plain / name) for name in pgens)),
        "checkout": ({}, {"files": len(made.files), "bytes": size_of(made.plain)}, size_of(made.plain)),
    }  # fmt: skip
    for what in READS:
        words, expected, size = asks[what]
        at = {"what": what, "asks": words, "gate": made.gate, "release": made.release, "plain": made.plain}
        work = Work(READ, n, n_sites, (f"read={what}",), at, expected, [made.release, made.plain], {"plain": size})
        take_turns(work, chosen(ENGINES[READ], wish.engines), bench)
    _gone(bench, "cohort", "gate")


def _run_command(wish: argparse.Namespace, bench: Bench) -> None:
    n, n_sites = _sizes(wish, COMMAND)
    made = _released_to(bench, n, n_sites)
    scores = made.cohort.folder / "scores"
    rows = score_sets.sizes(SCORES, ENTRIES, n_sites)
    score_sets.write_catalogue(scores, score_sets.draw_scores(rows, n_sites), n_sites)
    for what in COMMANDS:
        at = {"what": what, "gate": made.gate, "workspace": made.workspace, "plain": made.plain, "scores": scores}
        expected = {"ended": 1, "outputs": None if what == "genotypes describe" else 1}
        work = Work(
            COMMAND, n, n_sites, (f"command={what.replace(' ', '-')}",), at, expected, [made.workspace, made.plain]
        )
        take_turns(work, chosen(ENGINES[COMMAND], wish.engines), bench)
    _gone(bench, "cohort", "gate")


def _run_audit(wish: argparse.Namespace, bench: Bench) -> None:
    readers = _sizes(wish, AUDIT)
    made = _released_to(bench, 1_000, 1_000)
    for what in ("line", "read"):
        at = {"what": what, "gate": made.gate, "release": made.release}
        work = Work(AUDIT, readers, 0, (f"each={what}",), at, {"lines": readers}, [made.release])
        take_turns(work, chosen(ENGINES[AUDIT], wish.engines), replace(bench, note=SHARED))
    _gone(bench, "cohort", "gate")


def _run_frequencies(wish: argparse.Namespace, bench: Bench) -> None:
    n, n_sites = _sizes(wish, FREQUENCIES)
    cohort = release_sets.draw(bench.scratch / "cohort", n, n_sites)
    alleles = release_sets.alternate_alleles(cohort).tolist()
    sites = score_sets.sites(n_sites)
    truth = {(str(number), at): ac for (_, number, at, _, _), ac in zip(sites, alleles, strict=True)}
    pgen = cohort.folder / "whole"
    release_sets.run(["plink2", "--bfile", str(cohort.prefix), "--make-pgen", "--out", str(pgen)])
    for groups in (1, len(release_sets.GROUPS)):
        ancestry = cohort.folder / "ancestry.tsv" if groups > 1 else ""
        at = {"cohort": cohort, "ancestry": ancestry, "pgen": pgen, "truth": truth, "groups": groups}
        size = {"input": size_of(pgen.with_suffix(".pgen"))}
        work = Told(FREQUENCIES, n, n_sites, (f"groups={groups}",), at, {}, [cohort.callset], size)
        take_turns(work, chosen(ENGINES[FREQUENCIES], wish.engines), bench)
    _gone(bench, "cohort")


def _run_seal(wish: argparse.Namespace, bench: Bench) -> None:
    import numpy as np

    n_bytes, folder = _sizes(wish, SEAL), bench.scratch / "sealing"
    folder.mkdir()
    plain, sealed = folder / "plain", folder / "sealed.c4gh"
    rng = np.random.default_rng(release_sets.SEED)
    with plain.open("wb") as out:
        for _ in range(n_bytes >> 20):
            out.write(rng.bytes(1 << 20))
    release_sets.run(step("seal", folder, plain=plain, sealed=sealed))
    for what in ("seal", "unseal", "stream", "verify"):
        at, expected = (
            {"what": what, "plain": plain, "sealed": sealed},
            {"bytes": n_bytes} if what.endswith("seal") else {},
        )
        work = Work(
            SEAL, 1, 0, (f"step={what}", f"mib={n_bytes >> 20}"), at, expected, [plain, sealed], {"plain": n_bytes}
        )
        take_turns(work, chosen(ENGINES[SEAL], wish.engines), bench)
    _gone(bench, "sealing")


RUNS = {BUILD: _run_build, READ: _run_read, COMMAND: _run_command, AUDIT: _run_audit, FREQUENCIES: _run_frequencies,
        SEAL: _run_seal}  # fmt: skip


def _all(wish: argparse.Namespace, bench: Bench) -> None:
    for run in RUNS.values():
        run(argparse.Namespace(**{**vars(wish), "engines": None}), bench)


_SHOWN = ("s", "seconds within")
register(Job("release", _all))
register(
    Job(
        BUILD, _run_build, "A release built", ("files", "files"),
        {"records": "health records", "genotypes": "callset", "release": "release"},
    )
)  # fmt: skip
register(Job(READ, _run_read, "Read through the gate, and plain files", _SHOWN))
register(Job(COMMAND, _run_command, "Commands on a workspace, and on plain files", ("outputs", "outputs")))
register(Job(AUDIT, _run_audit, "The audit log under readers who come at once", ("ms_a_line", "ms a line")))
register(Job(FREQUENCIES, _run_frequencies, "Variant frequencies that may be published", ("rows", "sites told")))
register(Job(SEAL, _run_seal, "Containers sealed, opened and compared with their digest", _SHOWN))
