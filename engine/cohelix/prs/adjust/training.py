"""A model from people whose scores, components and, where there are, groups are known."""

from __future__ import annotations

import numpy as np

from cohelix.errors import InputError
from cohelix.prs.adjust import most_similar, support, z_norm
from cohelix.prs.adjust.inputs import Labels, Scored
from cohelix.prs.adjust.model import Model
from cohelix.prs.schema import AdjustParams


def train(people: Scored, chosen: np.ndarray, labels: Labels | None, params: AdjustParams, *, clouds: bool) -> Model:
    """chosen: bool (samples,), whom to train on, of those who have components. clouds: the nearest group will be
    asked for.

    Raises InputError where there are too few of them, in all or in every group, or components do not vary.
    """
    rows = np.flatnonzero(chosen & people.placed)
    least = 2 * (params.n_pcs + 1)
    if len(rows) <= least:
        raise InputError(
            f"expected more training people with components than the {least} parameters of a score, found {len(rows)}. "
            "Train on more people, or ask for fewer components (prs.adjust.n_pcs)."
        )
    pcs, scores = people.pcs[rows], np.ascontiguousarray(people.scores[:, rows])
    frame = z_norm.frame_of(pcs[:, : params.n_pcs])
    standardised = frame.standardised(pcs)
    names, codes = ([], np.full(len(rows), -1, np.int32)) if labels is None else (labels.names, labels.codes[rows])
    known = most_similar.train(names, codes, scores, params.min_group)
    if labels is not None and not known.usable.any():
        raise InputError(
            f"expected a group with at least {params.min_group} training people (prs.adjust.min_group), found at most "
            f"{int(known.n.max(initial=0))} in one of {len(names)}. Train on more people, or leave out their groups."
        )
    return Model(
        people.score_ids,
        people.most_alleles,
        frame,
        z_norm.train(z_norm.design_of(standardised), scores),
        known,
        most_similar.clouds_of(len(names), codes, pcs[:, : params.n_pcs_similar]) if clouds else None,
        support.support_of(standardised, params.neighbours, params.outside_rate),
    )
