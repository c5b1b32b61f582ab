"""Sums and counts of each range and block: kept in files, so that work goes on where it stopped, and added in order."""

from __future__ import annotations

import json
import os
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cohelix.arrays import mapped
from cohelix.prs.scoring.plan import Plan
from cohelix.prs.tables import ScoreBlock

_BLOCK_VALUES = 1 << 21
"""Scores times samples that are added up at a time."""


@dataclass(frozen=True)
class Found:
    """Of everybody at the sites of a range: missing genotypes, sites with one, and such sites without a frequency."""

    n_missing: int
    n_sites_missing: int
    n_unknown: int


@dataclass(frozen=True)
class RangeScores:
    """Scores that have weights in a range: scores int32, their places, increasing; n_rows, constant and distinct as in
    `entries.Head`; dense bool: multiplied as a matrix.
    """

    scores: np.ndarray
    n_rows: np.ndarray
    constant: np.ndarray
    dense: np.ndarray
    distinct: np.ndarray

    def packed(self) -> np.ndarray:
        """float64 (5, scores): exact, as all counts are small."""
        return np.stack(
            [
                np.asarray(part, np.float64)
                for part in (self.scores, self.n_rows, self.constant, self.dense, self.distinct)
            ]
        )

    @staticmethod
    def unpacked(packed: np.ndarray) -> RangeScores:
        scores, n_rows, constant, dense, distinct = packed
        return RangeScores(
            scores.astype(np.int32), n_rows.astype(np.int64), constant, dense.astype(bool), distinct.astype(bool)
        )


def record(folder: Path, own: int, block: int, found: Found, arrays: dict[str, np.ndarray]) -> Found:
    """Put the arrays into files, and then the note that they are there."""
    checks = {}
    for name, array in arrays.items():
        path = _file(folder, name, own, block)
        passing = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        np.save(passing.with_suffix(".npy"), array)
        os.replace(passing.with_suffix(".npy"), path)
        checks[name] = zlib.crc32(np.ascontiguousarray(array).data)
    note = json.dumps({"found": asdict(found), "checks": checks})
    passing = folder / f".done-{uuid.uuid4().hex}"
    passing.write_text(note)
    os.replace(passing, _note(folder, own, block))
    return found


def recall(folder: Path, own: int, block: int) -> Found | None:
    """What a finished task found, None where it did not finish, or its files are not what it wrote."""
    try:
        note = json.loads(_note(folder, own, block).read_text())
        for name, check in note["checks"].items():
            if zlib.crc32(mapped(_file(folder, name, own, block)).data) != check:
                return None
        return Found(**note["found"])
    except (OSError, ValueError, KeyError):
        return None


def begin(folder: Path, digest: str) -> None:
    """Make the folder ready for the work that `digest` stands for: parts of other work are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = folder / "plan.json"
    try:
        same = json.loads(plan.read_text())["digest"] == digest
    except (OSError, ValueError, KeyError):
        same = False
    for path in folder.iterdir():
        if path.name.startswith(".") or (not same and path.suffix in (".npy", ".npz", ".json")):
            path.unlink()
    if not same:
        passing = folder / ".plan.json"
        passing.write_text(json.dumps({"digest": digest}))
        os.replace(passing, plan)


def load(folder: Path, name: str, own: int, block: int) -> np.ndarray:
    return mapped(_file(folder, name, own, block))


def add_up(folder: Path, plan: Plan, copies: np.ndarray, n_scores: int, drop: bool) -> Iterator[ScoreBlock]:
    """Blocks of all scores, in order. copies int8 (classes, samples); drop: a missing genotype has no alleles."""
    n_samples = copies.shape[1]
    size = max(1, _BLOCK_VALUES // n_samples)
    ranges = [RangeScores.unpacked(load(folder, "scores", own, 0)) for own in range(len(plan.ranges))]
    for low in range(0, n_scores, size):
        high = min(low + size, n_scores)
        sums = np.zeros((high - low, n_samples))
        counts = np.zeros((3, high - low, n_samples), np.int32)
        for own, of_range in enumerate(ranges):
            here = copies[plan.ranges[own].kind]
            first, end = np.searchsorted(of_range.scores, [low, high]).tolist()
            if first < end:
                for block in range(len(plan.blocks)):
                    _add_part(folder, plan, (own, block), of_range, (first, end), low, here, drop, sums, counts)
        yield ScoreBlock(range(low, high), sums, *counts)


def _add_part(
    folder: Path, plan: Plan, part: tuple[int, int], of_range: RangeScores, span: tuple[int, int], low: int,
    copies: np.ndarray, drop: bool, sums: np.ndarray, counts: np.ndarray,
) -> None:  # fmt: skip
    """Add scores span[0] to span[1] of a range, for one block of samples."""
    start, end = plan.blocks[part[1]]
    chosen, count = slice(*span), end - start
    rows = of_range.scores[chosen] - low
    own = copies[start:end].astype(np.float64)
    found = load(folder, "counts", *part)[:, chosen, :count]
    n_rows = np.broadcast_to(of_range.n_rows[chosen, None], (len(rows), count))
    used = n_rows - found[0] if drop else n_rows
    counts[0, rows, start:end] += (used * copies[start:end].astype(np.int64)).astype(np.int32)
    counts[1, rows, start:end] += found[0]
    counts[2, rows, start:end] += found[1]
    dense = of_range.dense[chosen]
    before = int(of_range.dense[: span[0]].sum())
    partial = np.empty((len(rows), count))
    if dense.any():
        partial[dense] = load(folder, "dense", *part)[before : before + int(dense.sum()), :count]
    if not dense.all():
        first = span[0] - before
        words = load(folder, "sparse", *part)[:, first : first + int((~dense).sum())]
        partial[~dense] = words.transpose(1, 0, 2).reshape(words.shape[1], -1)[:, :count]
    sums[rows, start:end] += partial + of_range.constant[chosen, None] * own


def _file(folder: Path, name: str, own: int, block: int) -> Path:
    return folder / f"{name}-{own:05d}-{block:05d}.npy"


def _note(folder: Path, own: int, block: int) -> Path:
    return folder / f"done-{own:05d}-{block:05d}.json"
