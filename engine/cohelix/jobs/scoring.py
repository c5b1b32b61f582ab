"""`cohelix prs score`: target, match and scores in one go, resumed where an earlier run was stopped."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from cohelix import storage
from cohelix.ancestry.schema import ProjectParams
from cohelix.errors import CohelixError, ConfigError
from cohelix.genotypes.outputs import check_outside
from cohelix.jobs.scoring_pcs import place_beside, project_people
from cohelix.jobs.scoring_target import callset_of
from cohelix.prs.matching.run import match
from cohelix.prs.schema import MatchParams, ScoreParams
from cohelix.prs.scoring.run import score as score_matched
from cohelix.runtime.protocol import Runtime


@dataclass(frozen=True)
class Inputs:
    """Paths: scoring files or a folder of matches; tables and a model where they are given. How people are placed."""

    scores: tuple[str, ...] = ()
    match: str | None = None
    frequencies: str | None = None
    groups: str | None = None
    sexes: str | None = None
    fasta: str | None = None
    pcs_model: str | None = None
    project: ProjectParams = field(default_factory=ProjectParams)


def score(
    target: str, out: str, inputs: Inputs, match_params: MatchParams, params: ScoreParams, runtime: Runtime
) -> dict[str, Any]:
    """Write the folder `out`. What is underway lies in `<out>.work` beside it: kept if the process is killed.

    Raises ConfigError unless either scoring files or a folder of matches is given.
    """
    if bool(inputs.scores) == bool(inputs.match):
        raise ConfigError("expected either scoring files (--scores) or a folder of matches (--match).")
    work = work_folder(out)
    lock = _taken(work)
    try:
        root = callset_of(
            target, work, runtime,
            scores=inputs.scores, fasta=inputs.fasta, sexes=inputs.sexes, pcs_model=inputs.pcs_model,
        )  # fmt: skip
        pcs = project_people(inputs.pcs_model, root, work, inputs.project, runtime) if inputs.pcs_model else None
        matched = inputs.match
        if matched is None:
            matched = str(work / "match")
            match(
                inputs.scores, root, matched, replace(match_params, log=match_params.log or "exceptions"), runtime,
                frequencies=inputs.frequencies, work=work / "matching",
            )  # fmt: skip
        summary = score_matched(
            root, out, params, runtime, match=matched, work=work / "scoring", frequencies=inputs.frequencies,
            groups=inputs.groups, sexes=inputs.sexes, keep_match=inputs.match is None,
        )  # fmt: skip
        if pcs is not None:
            place_beside(pcs, storage.local_path(out))
    except CohelixError:
        shutil.rmtree(work, ignore_errors=True)
        raise
    else:
        shutil.rmtree(work, ignore_errors=True)
    finally:
        lock.close()
    return summary


_LOCK = ".cohelix-prs-score"
"""File in a folder of work: says whose folder it is, and is locked while a process works there."""


def _taken(work: Path) -> IO[bytes]:
    """The lock of `work`, held until it is closed. ConfigError where another process holds it, or the folder has files
    that are not of `cohelix prs score`: it is removed at the end, and they would be lost.
    """
    import fcntl

    mark = work / _LOCK
    if not mark.exists() and any(work.iterdir()):
        raise ConfigError(
            f"expected {work} to be free for what is underway, found other files there. Move them, or choose another "
            "folder to write."
        )
    lock = mark.open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise ConfigError(
            "another process is writing this folder at this moment. Wait for it, or choose another folder."
        ) from None
    return lock


def work_folder(out: str) -> Path:
    """Where parts of `out` are kept until it is there. ConfigError where `out` cannot be made."""
    if not storage.is_local(out):
        raise ConfigError("expected a folder on a disk, found an object store. Write to a disk, and copy it.")
    check_outside(out)
    folder = storage.local_path(out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"expected a new or empty folder, found files in {folder}. Choose another.")
    work = folder.with_name(folder.name + ".work")
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the folder {work} cannot be made ({error.strerror or type(error).__name__}). Choose another."
        ) from None
    return work
