"""A folder of scores: everybody's sums, what each rests on, and what was done about missing genotypes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix.dataset import digest_of
from cohelix.errors import InputError
from cohelix.genotypes.callset import Callset, open_callset
from cohelix.genotypes.inputs import Groups, digests_of, read_frequencies, read_groups
from cohelix.genotypes.outputs import new_folder
from cohelix.genotypes.packed.matrix import matrix_at
from cohelix.provenance import provenance
from cohelix.prs.matching.match_folder import MatchFolder, open_match
from cohelix.prs.schema import ScoreParams
from cohelix.prs.scoring import partial_sums, report
from cohelix.prs.scoring.frequencies import reference_of
from cohelix.prs.scoring.plan import Plan, plan_of
from cohelix.prs.scoring.ploidy import CLASS_OF, CLASSES, Ploidy, cells_of, ploidy_of, reading_of
from cohelix.prs.scoring.task import ClassOfSites, Span, Task, Work, lay_tiles, run_task
from cohelix.prs.tables import ScoreBlock
from cohelix.runtime.protocol import Runtime


@dataclass(frozen=True)
class Scored:
    """Sums that lie in parts in `folder`. passed int32: numbers of the scores among those of the match, in order."""

    folder: Path
    match: MatchFolder
    callset: Callset
    params: ScoreParams
    plan: Plan
    ploidy: Ploidy
    groups: Groups | None
    passed: np.ndarray
    sites: pa.Table
    classes: tuple[np.ndarray, ...]

    def blocks(self) -> Iterator[ScoreBlock]:
        """All scores of everybody, some at a time; numbers are places among `passed`."""
        drop = self.params.missing == "drop"
        return partial_sums.add_up(self.folder, self.plan, self.ploidy.copies, len(self.passed), drop)


def score_weights(
    match: Path,
    callset_root: str,
    work: Path,
    params: ScoreParams,
    runtime: Runtime,
    *,
    frequencies: str | None = None,
    groups: str | None = None,
    sexes: str | None = None,
) -> Scored:
    """Add up the weights of a folder of matched scores; the parts lie in `work`, a local folder, and are gone on with.

    frequencies: table for missing genotypes, for policy reference-af; groups: table of groups, for ancestry-af; sexes:
    table of sexes, where the callset's are not to be taken. Raises InputError where the match is of another callset,
    or what the policy asks for is not there.
    """
    opened, callset = open_match(match), open_callset(callset_root)
    _check_callset(opened, callset)
    opened.check()
    sites, scores = opened.sites(), opened.scores()
    passed = np.flatnonzero(scores.column("passed").to_numpy(zero_copy_only=False)).astype(np.int32)
    if not len(passed):
        raise InputError(
            f"expected scores that matched, found none among {scores.num_rows}: see scores.parquet of the match for "
            "the reasons, or lower prs.match.min_overlap."
        )
    kind = np.array([CLASS_OF[region] for region in sites.column("region").to_pylist()], np.int8)
    classes = tuple(np.flatnonzero(kind == number) for number in range(len(CLASSES)))
    ploidy = ploidy_of(callset, sexes)
    of_samples = _groups_of(callset, params, groups)
    sizes = [len(one) for one in classes]
    plan = plan_of(sizes, callset.n_samples, len(passed), _n_entries(scores), params)
    digest = digest_of([asdict(plan), _record(opened, callset, params, frequencies, groups, sexes)["digest"]])
    partial_sums.begin(work, digest)
    reference = _reference(sites, params, frequencies)
    codes = np.full(callset.n_samples, -1, np.int32) if of_samples is None else of_samples.codes
    shared = Work(
        match,
        work,
        tuple(
            ClassOfSites(
                matrix_at(callset, _rows(sites, one)),
                one,
                None if reference is None else reference[one],
                cells_of(ploidy.copies[number], codes),
                reading_of(ploidy, number),
            )
            for number, one in enumerate(classes)
        ),
        plan,
        sites.num_rows,
        _places(passed, scores.num_rows),
        params,
    )
    _run(shared, runtime)
    return Scored(work, opened, callset, params, plan, ploidy, of_samples, passed, sites, classes)


def _run(work: Work, runtime: Runtime) -> None:
    handle = runtime.share(work)
    for _ in runtime.map(lay_tiles, _spans(work, handle), label="weights"):
        pass
    blocks = range(len(work.plan.blocks))
    tasks = [Task(handle, own, block) for own in range(len(work.plan.ranges)) for block in blocks]
    missing = sites_missing = unknown = 0
    with one_blas_thread():  # threads of one process share BLAS's setting: it is set before they start
        for task, found in zip(tasks, runtime.map(run_task, tasks, label="scores"), strict=True):
            if task.block == 0:  # each block of people counts everybody
                missing, sites_missing = missing + found.n_missing, sites_missing + found.n_sites_missing
                unknown += found.n_unknown
    if work.params.missing == "error" and missing:
        raise InputError(
            f"expected no missing genotype, as prs.score.missing = 'error' asks, found {missing} at {sites_missing} of "
            f"{work.n_sites} matched sites. Choose cohort-af, reference-af, ancestry-af or drop."
        )
    if unknown:
        raise InputError(
            f"expected a frequency for each site with missing genotypes, found none for {unknown} of {sites_missing} "
            "such sites, in the table or the scoring files. Complete the table of frequencies, or choose another "
            "prs.score.missing."
        )


_SPANS = 16
"""Weights are laid down in about so many tasks."""


def _spans(work: Work, handle: Callable[[], Work]) -> list[Span]:
    n_tiles = [-(-(own.end - own.start) // work.plan.tile) for own in work.plan.ranges]
    size = -(-sum(n_tiles) // _SPANS)
    return [
        Span(handle, own, range(first, min(first + size, count)))
        for own, count in enumerate(n_tiles)
        for first in range(0, count, size)
    ]


def score(
    callset_root: str,
    out: str,
    params: ScoreParams,
    runtime: Runtime,
    *,
    match: str,
    work: Path | None = None,
    frequencies: str | None = None,
    groups: str | None = None,
    sexes: str | None = None,
    keep_match: bool = False,
) -> dict[str, Any]:
    """Write scores.parquet, report.parquet, report.tsv, sites.parquet and prs.json to the folder `out`; with terms,
    terms.parquet; with keep_match, the folder match. Returns what prs.json holds.

    match: a folder of `cohelix prs match`. work: where parts of the sums lie meanwhile; the same command goes on with
    what a stopped one left there. None: a temporary folder. Others: as `score_weights`.
    """
    with new_folder(out) as folder, _working(work) as place:
        scored = score_weights(
            Path(match), callset_root, place, params, runtime, frequencies=frequencies, groups=groups, sexes=sexes
        )
        record = _record(scored.match, scored.callset, params, frequencies, groups, sexes)
        summary = report.write(folder, scored, frequencies, record)
        if keep_match:
            shutil.copytree(match, folder / "match")
    return summary


def one_blas_thread() -> Any:
    """A context in which BLAS takes one thread."""
    import threadpoolctl

    return threadpoolctl.threadpool_limits(1, "blas")


@contextmanager
def _working(work: Path | None) -> Iterator[Path]:
    if work is not None:
        yield work
        return
    with tempfile.TemporaryDirectory(prefix="cohelix-") as folder:
        yield Path(folder)


def _record(
    match: MatchFolder, callset: Callset, params: ScoreParams, frequencies: str | None, groups: str | None,
    sexes: str | None,
) -> dict[str, Any]:  # fmt: skip
    inputs = [("callset", _digest(callset)), ("match", match.summary["provenance"]["digest"])]
    inputs += digests_of(frequencies=frequencies, groups=groups, sexes=sexes)
    return provenance("prs score", params, inputs)


def _digest(callset: Callset) -> str:
    return digest_of([asdict(entry) for entry in callset.commit.files])


def _check_callset(match: MatchFolder, callset: Callset) -> None:
    made_of = [one["sha256"] for one in match.summary["provenance"]["inputs"] if one["role"] == "callset"]
    if made_of != [_digest(callset)]:
        raise InputError(
            "expected the callset that the scores were matched to, found another, or another version of it. Match the "
            "scores to this one."
        )


def _groups_of(callset: Callset, params: ScoreParams, groups: str | None) -> Groups | None:
    if params.missing != "ancestry-af":
        return None
    if groups is None:
        raise InputError(
            "expected a table of groups, as prs.score.missing = 'ancestry-af' asks, found none. Give --groups, or "
            "choose another policy."
        )
    return read_groups(groups, callset.samples().column("sample_id").to_pylist())


def _reference(sites: pa.Table, params: ScoreParams, frequencies: str | None) -> np.ndarray | None:
    """float64 (sites,), NaN where not known; None where the policy asks for none."""
    if params.missing != "reference-af":
        return None
    stated = np.full(sites.num_rows, np.nan)
    if "frequency" in sites.column_names:
        stated = sites.column("frequency").fill_null(np.nan).to_numpy()
    contigs, refs, alts = (np.array(sites.column(name).to_pylist(), object) for name in ("contig", "ref", "alt"))
    table = None if frequencies is None else read_frequencies(frequencies)
    return reference_of(contigs, sites.column("position").to_numpy(), refs, alts, stated, table)


def _n_entries(scores: pa.Table) -> int:
    return sum(one or 0 for one in scores.column("n_matched").to_pylist())


def _places(passed: np.ndarray, n_scores: int) -> np.ndarray:
    """int32 (n_scores,): place of each among those that passed, -1 for others."""
    places = np.full(n_scores, -1, np.int32)
    places[passed] = np.arange(len(passed), dtype=np.int32)
    return places


def _rows(sites: pa.Table, chosen: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """(shard, rows) of matched sites, which are in the order of the callset."""
    shard, row = sites.column("shard").to_numpy()[chosen], sites.column("row").to_numpy()[chosen]
    cuts = np.flatnonzero(np.diff(shard)) + 1
    if not len(chosen):
        return []
    return [(int(shard[part[0]]), row[part]) for part in np.split(np.arange(len(chosen)), cuts)]
