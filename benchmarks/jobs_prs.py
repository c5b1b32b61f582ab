"""Jobs of polygenic scoring, on made people and score sets (score_sets.py), each engine from its own best input.

`prs-dense`: every score has every site (plink2: --score, one table for all). `prs-catalogue`: thousands of scores of
the PGS Catalog's sizes (ours: its files as they are downloaded; plink2: one table of the union; gnomon: its own tables,
one a score). `prs-one`: one score of every site. `prs-hail`: what Hail can do (a MatrixTable, scores by expression).
Sums of some people and scores are compared with those added up from the bytes of the BED before a line is recorded;
gnomon counts a missing genotype as nothing, the others as twice the frequency.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import programs, score_sets
from benchmarks.programs import CORES, cohelix, size_of
from benchmarks.registry import HERE, Engine, Job, chosen, register
from benchmarks.score_sets import Scores
from benchmarks.turns import Bench, take_turns

Steps = list[tuple[str, list[str]]]
PEERS = HERE.parent / ".peers" / "bin"
DENSE, CATALOGUE, ONE, HAIL = "prs-dense", "prs-catalogue", "prs-one", "prs-hail"


@dataclass(frozen=True)
class Size:
    """entries: weights of all scores together; None: every score has every site. engines: None for all of the job."""

    people: int
    sites: int
    scores: int
    entries: int | None = None
    engines: str | None = None


# The whole catalogue is too much for engines that take weights as a full table: they take turns with ours at a share of
# the sites, with as many scores and as many weights a site.
PLAN = {
    DENSE: (Size(20_000, 20_000, 1_000),),
    CATALOGUE: (
        Size(10_000, 1_000_000, 3_000, 30_000_000, "ours"), Size(10_000, 40_000, 3_000, 1_200_000),
    ),
    ONE: (Size(10_000, 1_000_000, 1),),
    HAIL: (Size(2_000, 20_000, 100),),
}  # fmt: skip
QUICK = {
    DENSE: (Size(1_000, 5_000, 100),), CATALOGUE: (Size(1_000, 10_000, 300, 60_000),), ONE: (Size(1_000, 50_000, 1),),
    HAIL: (Size(300, 2_000, 5),),
}  # fmt: skip
PROBED_PEOPLE, PROBED_SCORES = 7, 5
CLOSE = 5e-6  # of what is added up: plink2 writes six digits of a sum


@dataclass(frozen=True)
class Work:
    """`prefix`.bed/.bim/.fam and the scores. truth: sums of the probed scores and people, by how a missing genotype
    counts. constants: by which sums of the wide table are short. made: what an engine starts from."""

    job: str
    prefix: Path
    n_samples: int
    n_records: int
    n_scores: int
    n_entries: int
    truth: dict[str, np.ndarray]
    constants: np.ndarray
    made: dict[str, Path] = field(default_factory=dict)

    @property
    def bases(self) -> int:
        return self.n_records * score_sets.SPACING

    @property
    def settings(self) -> tuple[str, ...]:
        return f"sites={self.n_records}", f"scores={self.n_scores}", f"weights={self.n_entries}"

    @property
    def inputs(self) -> list[Path]:
        return [path for path in self.made.values() if path.exists()]

    @property
    def sizes(self) -> dict[str, int]:
        return {"input": size_of(self.made["callset"])} if "callset" in self.made else {}

    def check(self, engine: Engine, counts: dict[str, Any]) -> None:
        """Raises AssertionError where sums are not those of the genotypes that were drawn."""
        sums = np.array(counts.pop("sums"))  # too long for a line
        expected = {"samples": self.n_samples, "scores": self.n_scores}
        assert counts == expected, f"{engine.name}: {counts}, not {expected}"
        right = self.truth["mean"]
        if engine.name == "gnomon":  # averages over the rows that have a genotype
            right = self.truth["drop"] / self.truth["used"]
        if engine.name in ("plink2", "hail"):
            sums = sums + self.constants[:, None]
        # a table in which half of the weights are turned round has sums far from 0, of which six digits are written
        scale = np.abs(right).max(axis=1, keepdims=True) + np.abs(self.constants[:, None])
        far = float((np.abs(sums - right) / scale).max())
        assert far < CLOSE, f"{engine.name}: sums differ by {far:.1e} of their size"


def probed(count: int, wanted: int) -> list[int]:
    """Places that are looked at, spread over all."""
    return sorted({place * count // wanted for place in range(wanted)})


def _made(job: str, size: Size, folder: Path) -> tuple[Work, Scores]:
    folder.mkdir()
    prefix = folder / "people"
    score_sets.draw_people(prefix, size.people, size.sites)
    if size.entries is None:
        scores = score_sets.dense_scores(size.scores, size.sites)
    else:
        scores = score_sets.draw_scores(score_sets.sizes(size.scores, size.entries, size.sites), size.sites)
    of = probed(size.scores, PROBED_SCORES)
    truth = score_sets.true_sums(prefix, size.people, scores, probed(size.people, PROBED_PEOPLE), of)
    shared = (truth, score_sets.constants(scores, of))
    return Work(job, prefix, size.people, size.sites, size.scores, len(scores.site), *shared), scores


def _take_in(work: Work, scores: Scores, engines: list[Engine]) -> None:
    """What each engine starts from, which is not timed: ours a callset, plink2 a PGEN of its own, gnomon the BED."""
    names, folder, n_sites = (
        {engine.name for engine in engines if not engine.missing()},
        work.prefix.parent,
        work.n_records,
    )
    bed = work.prefix.with_suffix(".bed")
    if "ours" in names:
        work.made["callset"] = folder / "people.callset"
        _run(cohelix("genotypes", "import", bed, "-o", work.made["callset"], "--build", "GRCh38"))
        if work.job not in (DENSE, HAIL):
            work.made["catalogue"] = folder / "catalogue"
            score_sets.write_catalogue(work.made["catalogue"], scores, n_sites)
    if "plink2" in names:
        work.made["pgen"] = work.prefix.with_suffix(".pgen")
        _run(["plink2", "--threads", str(CORES), "--bfile", str(work.prefix), "--make-pgen", "--out", str(work.prefix)])
    if "hail" in names:
        work.made["matrix_table"] = folder / "people.mt"
        _run([sys.executable, str(HERE / "peers" / "hail_prs.py"), "import", "--prefix", str(work.prefix),
              "--table", str(work.made["matrix_table"]), "--out", str(folder)])  # fmt: skip
    if names & {"plink2", "hail"} or work.job == DENSE:
        work.made["wide"] = folder / "wide.tsv"
        score_sets.write_wide(work.made["wide"], scores, n_sites)
    if "gnomon" in names:
        work.made["native"], work.made["bed"] = folder / "native", bed
        score_sets.write_native(work.made["native"], scores, n_sites)
    else:
        bed.unlink()


def _run(argv: list[str]) -> None:
    subprocess.run(argv, check=True, capture_output=True)


def _ours(work: Work, folder: Path) -> Steps:
    files = work.made.get("catalogue", work.made.get("wide"))
    return [("score", cohelix("prs", "score", work.made["callset"], "--scores", files, "-o", folder / "prs"))]


def _ours_counts(folder: Path) -> dict[str, Any]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    path = folder / "prs" / "scores.parquet"
    with pq.ParquetFile(path) as file:
        n_samples = len(pc.unique(file.read_row_group(0, ["sample_id"])["sample_id"]))
        n_scores = file.metadata.num_rows // n_samples
    people = [_person(at) for at in probed(n_samples, PROBED_PEOPLE)]
    names = [f"PGS{at + 1:06d}" for at in probed(n_scores, PROBED_SCORES)]
    rows = pq.read_table(path, filters=[("score", "in", names), ("sample_id", "in", people)])
    found = {(row["score"], row["sample_id"]): row["sum"] for row in rows.to_pylist()}
    return {"samples": n_samples, "scores": n_scores, "sums": [[found[name, one] for one in people] for name in names]}


def _person(place: int) -> str:
    return f"S{place:07d}"


def _plink2(work: Work, folder: Path) -> Steps:
    columns = ("--score-col-nums", f"3-{2 + work.n_scores}") if work.n_scores > 1 else ()
    words = ["--score", work.made["wide"], "1", "2", *(() if columns else ("3",)), "header-read",
             "cols=+scoresums,-scoreavgs,-dosagesum,-nallele", *columns, "--out", folder / "p"]  # fmt: skip
    return [("score", ["plink2", "--threads", str(CORES), "--pfile", str(work.prefix), *map(str, words)])]


def _gnomon(work: Work, folder: Path) -> Steps:
    """It writes beside its input, which is therefore linked to."""
    for suffix in (".bed", ".bim", ".fam"):
        (folder / "people").with_suffix(suffix).symlink_to(work.prefix.with_suffix(suffix))
    program = "import sys, gnomon; gnomon.score(*sys.argv[1:])"
    return [("score", [str(PEERS / "python"), "-c", program, str(work.made["native"]), str(folder / "people")])]


def _hail(work: Work, folder: Path) -> Steps:
    words = ["score", "--table", work.made["matrix_table"], "--scores", work.made["wide"], "--out", folder]
    return [("score", [sys.executable, str(HERE / "peers" / "hail_prs.py"), *map(str, words)])]


def _from_table(pattern: str, ending: str) -> Callable[[Path], dict[str, Any]]:
    """Reads a table with a line a person and a column a score, whose name ends so."""

    def counts(folder: Path) -> dict[str, Any]:
        csv.field_size_limit(1 << 30)
        with next(folder.glob(pattern)).open() as lines:
            head = next(line for line in lines if line.startswith("#IID")).rstrip("\n").split("\t")
            rows = {line.split("\t", 1)[0]: line for line in lines}
        at = [place for place, name in enumerate(head) if place and name.endswith(ending)]
        wanted = [at[place] for place in probed(len(at), PROBED_SCORES)]
        people = [rows[_person(place)].rstrip("\n").split("\t") for place in probed(len(rows), PROBED_PEOPLE)]
        sums = [[float(person[column]) for person in people] for column in wanted]
        return {"samples": len(rows), "scores": len(at), "sums": sums}

    return counts


def lacks_peer(name: str) -> Callable[[], str]:
    """Of a package that `make peers` installs."""

    def missing() -> str:
        python = PEERS / "python"
        if not python.exists():
            return "not installed (make peers)"
        found = subprocess.run([python, "-c", f"import {name}"], capture_output=True, check=False)
        return "" if found.returncode == 0 else "not installed (make peers)"

    return missing


def peer_version(name: str) -> Callable[[], str]:
    program = f"from importlib.metadata import version; print(version({name!r}))"
    return lambda: subprocess.run(
        [PEERS / "python", "-c", program], capture_output=True, text=True, check=True
    ).stdout.strip()


def _nothing(folder: Path) -> dict[str, int]:
    return {}


_OURS = Engine(
    "ours", programs.cohelix_version, _ours, _ours_counts, _nothing, lambda: programs.cohelix_lacks("prs", "score")
)
_PLINK2 = Engine(
    "plink2",
    programs.plink2_version,
    _plink2,
    _from_table("*.sscore", "_SUM"),
    _nothing,
    programs.lacks_program("plink2"),
)
_GNOMON = Engine(
    "gnomon", peer_version("gnomon-pgs"), _gnomon, _from_table("*.sscore", "_AVG"), _nothing, lacks_peer("gnomon")
)
_HAIL = Engine("hail", programs.hail_version, _hail, _from_table("scores.tsv", ""), _nothing, programs.lacks_hail)
ENGINES = {
    DENSE: {"ours": _OURS, "plink2": _PLINK2},
    CATALOGUE: {"ours": _OURS, "plink2": _PLINK2, "gnomon": _GNOMON},
    ONE: {"ours": _OURS, "plink2": _PLINK2, "gnomon": _GNOMON},
    HAIL: {"ours": _OURS, "hail": _HAIL},
}


def _scoring(job: str) -> Callable[[argparse.Namespace, Bench], None]:
    def run(wish: argparse.Namespace, bench: Bench) -> None:
        for size in (QUICK if wish.quick else PLAN)[job]:
            if size.engines and wish.engines and not set(size.engines.split(",")) & set(wish.engines.split(",")):
                continue
            engines = chosen(ENGINES[job], wish.engines or size.engines)
            work, scores = _made(job, size, bench.scratch / "prs")
            _take_in(work, scores, engines)
            del scores
            print(f"# made {size.people} x {size.sites} genotypes, {work.n_entries} weights of {size.scores} scores",
                  file=sys.stderr)  # fmt: skip
            take_turns(work, engines, bench)
            shutil.rmtree(bench.scratch / "prs")

    return run


def _all(wish: argparse.Namespace, bench: Bench) -> None:
    for job in ENGINES:
        _scoring(job)(argparse.Namespace(**{**vars(wish), "engines": None}), bench)


_COUNTED = ("scores", "scores")
register(Job("prs", _all))
register(Job(DENSE, _scoring(DENSE), "Scores that have every site", _COUNTED))
register(Job(CATALOGUE, _scoring(CATALOGUE), "Scores of the PGS Catalog's sizes", _COUNTED))
register(Job(ONE, _scoring(ONE), "One score of a million sites", _COUNTED))
register(Job(HAIL, _scoring(HAIL), "Scores at a size Hail can do", _COUNTED))
