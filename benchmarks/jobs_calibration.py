"""Scores made comparable across ancestries: `prs-adjust`, beside pgscatalog-ancestry-adjust.

A panel and a cohort of five groups; mean and variance of each score depend on four components, in a way that is drawn.
Ours is asked about thousands of scores; the calculator's program, which fits one score after another, about a few.
Both train on the panel and write percentiles, Z_norm1 and Z_norm2 of the cohort (theirs of the panel as well).
Z_norm1 of some people is compared with least squares, and Z_norm2 with the noise that was drawn.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import programs
from benchmarks.jobs_prs import PEERS, lacks_peer, peer_version, probed
from benchmarks.programs import cohelix, size_of
from benchmarks.registry import Engine, Job, chosen, register
from benchmarks.turns import Bench, take_turns

ADJUST = "prs-adjust"
GROUPS = ("afr", "amr", "eas", "eur", "sas")
COMPONENTS, USED = 5, 4
SEED, ALLELES, CLOSE, ALIKE = 9, 2_000, 1e-6, 0.99
PROBED = 5
# (people of the panel, of the cohort, scores, engines)
PLAN = ((2_500, 4_000, 5_000, "ours"), (2_500, 4_000, 5, None))
QUICK = ((500, 300, 5, None),)


@dataclass(frozen=True)
class Work:
    """Two cohorts in both programs' formats in `folder`. z: least squares' Z_norm1, and noise: what Z_norm2 should be
    but for sampling, both float64 (probed scores, probed people)."""

    job: str
    folder: Path
    n_panel: int
    n_samples: int
    n_scores: int
    z: np.ndarray
    noise: np.ndarray

    @property
    def n_records(self) -> int:
        return 0

    @property
    def bases(self) -> int:
        return 0

    @property
    def settings(self) -> tuple[str, ...]:
        return f"panel={self.n_panel}", f"scores={self.n_scores}"

    @property
    def inputs(self) -> list[Path]:
        return [self.folder]

    @property
    def sizes(self) -> dict[str, int]:
        return {"input": size_of(self.folder / "cohort")}

    def check(self, engine: Engine, counts: dict[str, Any]) -> None:
        z, likely = np.array(counts.pop("z_norm1")), np.array(counts.pop("z_norm2"))
        expected = {"samples": self.n_samples, "scores": self.n_scores}
        assert counts == expected, f"{engine.name}: {counts}, not {expected}"
        far = float(np.abs(z - self.z).max())
        assert far < CLOSE, f"{engine.name}: Z_norm1 differs by {far:.1e} from least squares"
        alike = float(np.corrcoef(likely.reshape(-1), self.noise.reshape(-1))[0, 1])
        assert alike > ALIKE, f"{engine.name}: Z_norm2 correlates with {alike:.3f} with what was drawn"


def _made(folder: Path, n_panel: int, n_cohort: int, n_scores: int) -> Work:
    rng = np.random.default_rng(SEED)
    centres = rng.normal(0, 2, (len(GROUPS), COMPONENTS))
    mean, log_variance = rng.normal(0, 0.5, (n_scores, 1 + USED)), rng.normal(0, 0.05, (n_scores, 1 + USED))
    drawn = {}
    for name, n in (("panel", n_panel), ("cohort", n_cohort)):
        group = np.arange(n) % len(GROUPS)
        pcs = centres[group] + rng.normal(0, 0.3, (n, COMPONENTS))
        design = np.column_stack([np.ones(n), pcs[:, :USED]])
        noise = rng.standard_normal((n_scores, n))
        sums = mean @ design.T + noise * np.exp(0.5 * log_variance @ design.T)
        drawn[name] = (pcs, design, noise, sums)
        _write(folder / name, name, group, pcs, sums)
    _write_theirs(folder, drawn["panel"], drawn["cohort"])
    at, people = probed(n_scores, PROBED), probed(n_cohort, 200)
    training, sums = drawn["panel"][1], drawn["panel"][3][at].T
    fitted = np.linalg.lstsq(training, sums, rcond=None)[0]
    spread = (sums - training @ fitted).std(axis=0)
    of_cohort = (drawn["cohort"][3][at].T - drawn["cohort"][1] @ fitted) / spread
    noise = drawn["cohort"][2][np.ix_(at, people)]
    return Work(ADJUST, folder, n_panel, n_cohort, n_scores, of_cohort.T[:, people], noise)


def _names(what: str, n: int) -> list[str]:
    return [f"{what[0]}{place:06d}" for place in range(n)]


def _write(folder: Path, what: str, group: np.ndarray, pcs: np.ndarray, sums: np.ndarray) -> None:
    """A folder of `cohelix prs score` with tables of components and groups."""
    from cohelix.prs.tables import ScoreBlock, write_scores

    folder.mkdir(parents=True)
    ids = _names(what, len(group))
    counts, none = np.full(sums.shape, ALLELES, np.int32), np.zeros(sums.shape, np.int32)
    scores = [_score(place) for place in range(len(sums))]
    block = ScoreBlock(range(len(sums)), sums, counts, none, none)
    write_scores(folder / "scores.parquet", scores, ids, [block])
    head = "\t".join(["sample_id", *(f"PC{place + 1}" for place in range(COMPONENTS))])
    lines = ("\t".join([one, *map(repr, row)]) for one, row in zip(ids, pcs.tolist(), strict=True))
    (folder / "pcs.tsv").write_text("\n".join([head, *lines]) + "\n")
    named = (f"{one}\t{GROUPS[code]}" for one, code in zip(ids, group.tolist(), strict=True))
    (folder / "groups.tsv").write_text("\n".join(["sample_id\tgroup", *named]) + "\n")


def _score(place: int) -> str:
    return f"PGS{place + 1:06d}"


def _write_theirs(folder: Path, panel: tuple[np.ndarray, ...], cohort: tuple[np.ndarray, ...]) -> None:
    """Components, groups and scores as pgscatalog-ancestry-adjust reads them; the scores of few only."""
    head = "\t".join(["FID", "IID", *(f"PC{place + 1}" for place in range(COMPONENTS))])
    listed = [
        ("reference", _names("panel", len(panel[0])), panel),
        ("target", _names("cohort", len(cohort[0])), cohort),
    ]
    for name, ids, (pcs, *_) in listed:
        rows = ("\t".join([one, one, *map(repr, row)]) for one, row in zip(ids, pcs.tolist(), strict=True))
        (folder / f"{name}.pcs").write_text("\n".join([head, *rows]) + "\n")
    rows = (f"{one}\t0\t{GROUPS[place % len(GROUPS)]}" for place, one in enumerate(listed[0][1]))
    (folder / "panel.psam").write_text("\n".join(["#IID\tSEX\tSuperPop", *rows]) + "\n")
    (folder / "related.id").write_text("")
    if len(panel[3]) > 100:
        return
    with gzip.open(folder / "aggregated_scores.txt.gz", "wt", compresslevel=1) as out:
        out.write("sampleset\tFID\tIID\tPGS\tSUM\tDENOM\n")
        for name, ids, (_, _, _, sums) in listed:
            for place, values in enumerate(sums.tolist()):
                for one, value in zip(ids, values, strict=True):
                    out.write(f"{name}\t{one}\t{one}\t{_score(place)}\t{value!r}\t{ALLELES}\n")


def _ours(work: Work, folder: Path) -> list[tuple[str, list[str]]]:
    panel, cohort = work.folder / "panel", work.folder / "cohort"
    words = ["--pcs", cohort / "pcs.tsv", "--reference", panel, "--reference-pcs", panel / "pcs.tsv"]
    labels = ["--reference-labels", panel / "groups.tsv", "-o", folder / "adjusted"]
    return [("adjust", cohelix("prs", "adjust", cohort, *words, *labels))]


def _ours_counts(folder: Path) -> dict[str, Any]:
    from cohelix.prs.adjust.tables import read_adjusted

    found = {name: read_adjusted(folder / "adjusted", name).sums for name in ("z_norm1", "z_norm2")}
    n_scores, n_samples = found["z_norm1"].shape
    at = np.ix_(probed(n_scores, PROBED), probed(n_samples, 200))
    return {"samples": n_samples, "scores": n_scores} | {name: values[at].tolist() for name, values in found.items()}


def _theirs(work: Work, folder: Path) -> list[tuple[str, list[str]]]:
    at = work.folder
    words = [
        "-d", "target", "-r", "reference", "--ref_pcs", at / "reference.pcs", "--target_pcs", at / "target.pcs",
        "--psam", at / "panel.psam", "-x", at / "related.id", "-s", at / "aggregated_scores.txt.gz",
        "-a", "Mahalanobis", "--outdir", folder,
    ]  # fmt: skip
    return [("adjust", [str(PEERS / "pgscatalog-ancestry-adjust"), *map(str, words)])]


def _theirs_counts(folder: Path) -> dict[str, Any]:
    with gzip.open(folder / "target_pgs.txt.gz", "rt") as lines:
        head = next(lines).rstrip("\n").split("\t")
        rows = sorted((line.rstrip("\n").split("\t") for line in lines), key=lambda row: (row[3], row[2]))
    rows = [row for row in rows if row[0] == "target"]
    n_scores = len({row[3] for row in rows})
    counts: dict[str, Any] = {"samples": len(rows) // n_scores, "scores": n_scores}
    at = np.ix_(probed(n_scores, PROBED), probed(counts["samples"], 200))
    for name, column in (("z_norm1", head.index("Z_norm1")), ("z_norm2", head.index("Z_norm2"))):
        counts[name] = np.array([float(row[column]) for row in rows]).reshape(n_scores, -1)[at].tolist()
    return counts


def _nothing(folder: Path) -> dict[str, int]:
    return {}


ENGINES = {
    "ours": Engine(
        "ours", programs.cohelix_version, _ours, _ours_counts, _nothing, lambda: programs.cohelix_lacks("prs", "adjust")
    ),
    "pgscatalog": Engine(
        "pgscatalog", peer_version("pgscatalog-calc"), _theirs, _theirs_counts, _nothing, lacks_peer("pgscatalog.calc")
    ),
}


def _adjust(wish: argparse.Namespace, bench: Bench) -> None:
    for n_panel, n_cohort, n_scores, names in QUICK if wish.quick else PLAN:
        if names and wish.engines and not set(names.split(",")) & set(wish.engines.split(",")):
            continue
        work = _made(bench.scratch / "adjust", n_panel, n_cohort, n_scores)
        print(f"# made {n_scores} scores of {n_panel} + {n_cohort} people", file=sys.stderr)
        take_turns(work, chosen(ENGINES, wish.engines or names), bench)
        shutil.rmtree(work.folder)


register(Job("calibration", lambda wish, bench: _adjust(argparse.Namespace(**{**vars(wish), "engines": None}), bench)))
register(Job(ADJUST, _adjust, "Scores adjusted for ancestry", ("scores", "scores")))
