"""`cohelix prs score`: target, match and scores in one go, resumed where an earlier run was stopped."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from cohelix import storage
from cohelix.ancestry.schema import ProjectParams
from cohelix.errors import ConfigError
from cohelix.jobs.scoring_pcs import place_beside, project_people
from cohelix.jobs.scoring_target import callset_of
from cohelix.jobs.work_folder import working
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
    with working(out, "prs score") as work:
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
    return summary
