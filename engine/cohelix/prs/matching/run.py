"""A folder of matched scores: weights by site, what became of every scoring row, and what each score lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cohelix import genome
from cohelix.dataset import digest_of
from cohelix.errors import InputError, ReferenceMismatch
from cohelix.genotypes.callset import Callset, open_callset
from cohelix.genotypes.inputs import digests_of, read_frequencies
from cohelix.genotypes.outputs import new_folder
from cohelix.provenance import provenance
from cohelix.prs.matching import report
from cohelix.prs.matching.counts import Counts
from cohelix.prs.matching.decided import DecideTask, WriteTask, decide_batch, stated_frequencies, used_of, write_batch
from cohelix.prs.matching.match_folder import SUMMARY
from cohelix.prs.matching.prepared import Task, headers_of, places_of, prepare, seals_of
from cohelix.prs.matching.target import Target, gather
from cohelix.prs.matching.variants import in_order
from cohelix.prs.schema import MatchParams
from cohelix.prs.scoring_file.batch import check_ids
from cohelix.prs.scoring_file.records import ScoreHeader
from cohelix.prs.scoring_file.sources import batches, sources
from cohelix.runtime.protocol import Runtime


def match(
    paths: Sequence[str],
    callset_root: str,
    out: str,
    params: MatchParams,
    runtime: Runtime,
    *,
    frequencies: str | None = None,
    work: Path | None = None,
) -> dict[str, Any]:
    """Write the folder `out`: match.json, scores, sites, weights, log, reasons and special rows, as
    docs/methods/prs-matching.md has them. Returns what match.json holds.

    paths: scoring files, folders or lists of them. frequencies: a table of allele frequencies that goes before the
    callset's own. work: a folder in which what is done is kept, so that a run that was ended goes on.

    Raises ReferenceMismatch where a score's build is not the callset's; InputError where no row finds a site, or no
    score as many as it must. Agrees with: pgscatalog-match (tests/external/test_prs_pgscatalog_match.py).
    """
    callset, groups = open_callset(callset_root), batches(sources(list(paths)))
    seals = list(runtime.map(seals_of, groups, label="scoring files"))
    record = _record(callset, [seal for found in seals for seal in found], params, frequencies)
    done = _done(out, record)
    if done is not None:
        return done
    with ExitStack() as stack:
        folder = stack.enter_context(new_folder(out))
        place = work if work is not None else folder / ".work"
        place.mkdir(parents=True, exist_ok=True)
        trimmed = params.indels == "trim"
        tasks = [
            Task(group, sealed, trimmed, place / f"batch-{number:05d}.arrays")
            for number, (group, sealed) in enumerate(zip(groups, seals, strict=True))
        ]
        for _ in runtime.map(prepare, tasks, label="scoring files"):
            pass
        summary = _matched(callset, [task.path for task in tasks], folder, place, params, runtime, frequencies, record)
        if work is None:
            _remove(place)
        summary["files"] = report.seals(folder)
        (folder / SUMMARY).write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n")
    return summary


def _record(callset: Callset, seals: list[str], params: MatchParams, frequencies: str | None) -> dict[str, Any]:
    inputs = [("scores", digest_of(seals)), ("callset", digest_of([asdict(entry) for entry in callset.commit.files]))]
    return provenance("prs match", params, inputs + digests_of(frequencies=frequencies))


def _done(out: str, record: dict[str, Any]) -> dict[str, Any] | None:
    """What match.json of `out` holds, where it was made of the same files and choices."""
    try:
        found: dict[str, Any] = json.loads((Path(out) / SUMMARY).read_text())
        return found if found["provenance"]["digest"] == record["digest"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _matched(
    callset: Callset,
    prepared: list[Path],
    folder: Path,
    place: Path,
    params: MatchParams,
    runtime: Runtime,
    frequencies: str | None,
    record: dict[str, Any],
) -> dict[str, Any]:
    headers = [headers_of(path) for path in prepared]
    firsts = np.cumsum([0, *(len(found) for found in headers)]).tolist()
    scores = [header for found in headers for header in found]
    _check_scores(scores, callset.build)
    wanted = np.empty(0, np.int64)
    for path in prepared:
        wanted = in_order(np.concatenate([wanted, places_of(path)]))
    table = read_frequencies(frequencies) if frequencies is not None else None
    target = gather(callset, wanted, params.multiallelic_min_af, table, place, runtime)
    shared = runtime.share(target)
    paths = [place / f"decided-{number:05d}.arrays" for number in range(len(prepared))]
    tasks = [
        DecideTask(path, shared, params, digest_of([record["digest"], number]), paths[number])
        for number, path in enumerate(prepared)
    ]
    counts = list(runtime.map(decide_batch, tasks, label="rows"))
    _check_found(callset, scores, counts, wanted, params)
    site, used = _sites(target, paths)
    numbers = runtime.share(site)
    writes = [
        WriteTask(path, paths[number], firsts[number], numbers, folder / f"weights-{number:05d}.parquet",
                  folder / f"log-{number:05d}.parquet", params.log == "exceptions")
        for number, path in enumerate(prepared)
    ]  # fmt: skip
    n_weights = sum(runtime.map(write_batch, writes, label="files"))
    report.write_sites(folder, callset, target, used, stated_frequencies(paths, len(target.key)))
    report.write_scores(folder, scores, counts, params)
    report.write_special(folder, prepared, counts)
    sizes = {"n_sites": len(used), "n_weights": n_weights, "n_batches": len(prepared), "n_places": len(wanted)}
    return report.summary(callset, scores, counts, params, record, sizes)


def _sites(target: Target, paths: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """int32 (target rows,): number of the site, -1 where no passed score uses it; and the rows that are used."""
    uses = np.zeros(len(target.key), bool)
    for path in paths:
        uses[used_of(path)] = True
    return np.where(uses, np.cumsum(uses) - 1, -1).astype(np.int32), np.flatnonzero(uses)


def _check_scores(scores: list[ScoreHeader], build: str) -> None:
    """Raises where two scores have one id, or a score's build is not that of the callset."""
    check_ids(scores)
    unknown = genome.UNKNOWN_BUILD
    other = [score for score in scores if unknown not in (score.build, build) and score.build != build]
    if other:
        raise ReferenceMismatch(
            f"the positions of {len(other)} of {len(scores)} scores are of another build than the callset's, {build}: "
            f"scoring file {other[0].file} is of {other[0].build}. Take the files harmonised to {build} "
            f"(PGS Catalog: _hmPOS_{build}.txt.gz), or a callset of their build."
        )


def _check_found(
    callset: Callset, scores: list[ScoreHeader], counts: list[Counts], wanted: np.ndarray, params: MatchParams
) -> None:
    """InputError where nothing was found at all, or in no score enough."""
    columns = report.joined(counts)
    found = columns["n_matched"].any() or columns["n_excluded"].any()
    ordinary = columns["n_rows"] > columns["n_special"]
    if params.when_none_pass == "report" or (columns["passed"] & (found | ~ordinary)).any():
        return
    tally = report.tally(counts)
    told = report.told(tally)
    n_rows = int(columns["n_rows"].sum())
    why = report.likely_reason(callset, scores, wanted, tally)
    if not found:
        raise InputError(f"none of {n_rows} rows of {len(scores)} scores has a site in the callset: {told}. {why}")
    best = float(np.nan_to_num(columns["share_matched"]).max())
    raise InputError(
        f"expected at least {params.min_overlap:.0%} of the rows of a score to be matched, found {best:.1%} in the "
        f"best of {len(scores)}; of {n_rows} rows: {told}. {why} Or lower prs.match.min_overlap."
    )


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder)
