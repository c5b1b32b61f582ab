"""Jobs of star-allele calling, on made people with planted alleles (star_allele_sets.py).

`pgx-call`: all genes, extraction from PGEN apart from the rest (matching, phenotypes, writing); distinct patterns are
what is counted, so that their growth shows. `pgx-peer`: one gene of few people, beside pypgx, which takes them one by
one. Calls of probed people whose genotypes are as planted hold the planted diplotype, or no line is recorded.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from benchmarks import programs, star_allele_sets
from benchmarks.jobs_prs import PEERS, lacks_peer, peer_version
from benchmarks.programs import size_of
from benchmarks.registry import Engine, Job, chosen, register
from benchmarks.star_allele_sets import Drawn, name_of
from benchmarks.turns import Bench, take_turns

Steps = list[tuple[str, list[str]]]
CALL, PEER = "pgx-call", "pgx-peer"
FEW, MANY = star_allele_sets.FEW_MISSING, star_allele_sets.MANY_MISSING
PLAN = {CALL: ((10_000, FEW), (100_000, FEW), (400_000, FEW), (1_000_000, FEW), (400_000, MANY)), PEER: ((100, FEW),)}
QUICK = {CALL: ((1_000, FEW),), PEER: ((20, FEW),)}
GENES = {CALL: (), PEER: ("CYP2C19",)}
PROBED = 500


@dataclass(frozen=True)
class Work:
    """`prefix`.pgen/.pvar/.psam, and what was planted in it."""

    job: str
    prefix: Path
    n_samples: int
    n_records: int
    drawn: Drawn
    genes: tuple[str, ...]
    missing: float
    made: dict[str, Path] = field(default_factory=dict)

    @property
    def bases(self) -> int:
        return 0

    @property
    def settings(self) -> tuple[str, ...]:
        return f"genes={len(self.drawn.genes)}", f"missing={self.missing}"

    @property
    def inputs(self) -> list[Path]:
        return [self.prefix.with_suffix(".pgen"), *self.made.values()]

    @property
    def sizes(self) -> dict[str, int]:
        return {"input": size_of(self.prefix.with_suffix(".pgen"))}

    def check(self, engine: Engine, counts: dict[str, Any]) -> None:
        """Raises AssertionError where a probed person's call has not what was planted."""
        called = counts.pop("called")
        assert counts["people"] == self.n_samples, f"{engine.name}: {counts['people']} people, not {self.n_samples}"
        compared = wrong = 0
        for person in probed(self.n_samples):
            for place, gene in enumerate(self.drawn.genes):
                if self.drawn.touched[person, place] or gene in ("DPYD", "RYR1") or (person, gene) not in called:
                    continue
                pair = [self.drawn.names[place][number] for number in self.drawn.planted[person, place]]
                compared += 1
                wrong += not {"/".join(pair), "/".join(reversed(pair))} & set(called[person, gene])
        assert compared > 0 and wrong == 0, f"{engine.name}: {wrong} of {compared} calls are not what was planted"


def probed(n: int) -> list[int]:
    return sorted({place * n // PROBED for place in range(PROBED)})


def ours(work: Work, folder: Path) -> Steps:
    words = ["--prefix", str(work.prefix), "--folder", str(folder)]
    words += ["--genes", ",".join(work.genes)] if work.genes else []
    program = [sys.executable, "-m", "benchmarks.pgx_steps"]
    return [("extract", [*program, "extract", *words]), ("call", [*program, "call", *words])]


def ours_counts(folder: Path) -> dict[str, Any]:
    import pyarrow.parquet as pq

    calls = folder / "pgx.parquet"
    n_people = sum(pq.read_metadata(part).num_rows for part in calls.glob("part-*")) or 0
    patterns = pq.read_metadata(calls / "_pgx" / "patterns.parquet").num_rows
    of = pq.read_table(calls / "_pgx" / "patterns.parquet", columns=["gene"])["gene"].unique()
    people = n_people // max(1, len(of))
    ids = {name_of(person): person for person in probed(people)}
    wanted = ["sample_id", "gene", "diplotypes"]
    rows = pq.read_table(str(calls), columns=wanted, filters=[("sample_id", "in", list(ids))]).to_pylist()
    called = {(ids[row["sample_id"]], row["gene"]): row["diplotypes"] for row in rows}
    return {"people": people, "patterns": patterns, "called": called}


def _pypgx(work: Work, folder: Path) -> Steps:
    words = ["run-chip-pipeline", work.genes[0], str(folder / "out"), str(work.made["vcf"]), "--assembly", "GRCh38"]
    return [("call", [str(PEERS / "pypgx"), *words])]


def _pypgx_counts(folder: Path) -> dict[str, Any]:
    """Of results.zip: a table with a line a person, and its diplotype in the column Genotype."""
    with ZipFile(folder / "out" / "results.zip") as parts:
        name = next(name for name in parts.namelist() if name.endswith("data.tsv"))
        lines = [line.split("\t") for line in parts.read(name).decode().splitlines()]
    at = lines[0].index("Genotype")
    called = {(int(line[0][1:]), "CYP2C19"): [line[at]] for line in lines[1:]}
    return {"people": len(called), "patterns": 0, "called": called}


def _output(folder: Path) -> dict[str, int]:
    return {"calls": size_of(folder / "pgx.parquet")}


def _nothing(folder: Path) -> dict[str, int]:
    return {}


_OURS = Engine(
    "ours", programs.cohelix_version, ours, ours_counts, _output, lambda: programs.cohelix_lacks("pgx", "call")
)
_PYPGX = Engine("pypgx", peer_version("pypgx"), _pypgx, _pypgx_counts, _nothing, lacks_peer("pypgx"))
ENGINES = {CALL: {"ours": _OURS}, PEER: {"ours": _OURS, "pypgx": _PYPGX}}


def made(job: str, n: int, missing: float, folder: Path) -> Work:
    folder.mkdir()
    prefix = folder / "people"
    drawn = star_allele_sets.draw_people(prefix, n, GENES[job], missing)
    work = Work(job, prefix, n, drawn.n_sites, drawn, GENES[job], missing)
    if job == PEER:  # pypgx reads an indexed VCF
        out = folder / "people"
        subprocess.run(
            ["plink2", "--pfile", str(prefix), "--export", "vcf", "bgz", "--output-chr", "chrM", "--out", str(out)],
            check=True, capture_output=True,
        )  # fmt: skip
        work.made["vcf"] = folder / "people.vcf.gz"
        subprocess.run(["tabix", "-f", "-p", "vcf", str(work.made["vcf"])], check=True)
    return work


def _calling(job: str) -> Callable[[argparse.Namespace, Bench], None]:
    def run(wish: argparse.Namespace, bench: Bench) -> None:
        for n, missing in (QUICK if wish.quick else PLAN)[job]:
            work = made(job, n, missing, bench.scratch / "pgx")
            print(f"# made {n} people x {work.n_records} positions", file=sys.stderr)
            take_turns(work, chosen(ENGINES[job], wish.engines), bench)
            shutil.rmtree(bench.scratch / "pgx")

    return run


def _all(wish: argparse.Namespace, bench: Bench) -> None:
    for job in ENGINES:
        _calling(job)(argparse.Namespace(**{**vars(wish), "engines": None}), bench)


_SIZES = {"input": "PGEN", "calls": "calls"}
register(Job("pgx", _all))
register(Job(CALL, _calling(CALL), "Star alleles of all genes", ("patterns", "patterns"), _SIZES))
register(Job(PEER, _calling(PEER), "Star alleles of one gene", ("people", "people")))
