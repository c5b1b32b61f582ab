"""Why a call is not what the person carries: the same call again, without one source of reads after the other."""

from __future__ import annotations

import numpy as np

from cohelix.simulate.sequencing.calling import COLUMNS, OTHER, STAR, call
from cohelix.simulate.sequencing.candidates import Candidates
from cohelix.simulate.sequencing.reads import Reads, shares

ENOUGH = 3_000  # reads that leave nothing to chance


def causes(
    sites: Candidates,
    reads: Reads,
    rows: np.ndarray,
    ploidy: np.ndarray,
    star: np.ndarray,
    lost: np.ndarray,
    error: float,
    reference_share: float,
) -> list[str]:
    """The reason of each of the wrongly called `rows` (w,), ascending; ploidy, star, lost (w,) are those of the rows.

    "copies", "deleted": even endless reads, each right, would give the wrong number of copies, because the caller
    takes another number of chromosomes for granted. Otherwise reads are left out in turn, those of the contaminant
    first, then the false ones, then errors: the reason is what has just been left out when the call becomes right.
    "few reads" is what then is left: the sample's own reads do not show what it carries.
    """
    truth = sites.own[rows]
    endless = np.zeros((rows.size, COLUMNS), np.int64)
    endless[:, :OTHER] = np.rint(shares(truth, reference_share) * ENOUGH)
    truly_spanned = truth[:, STAR] > 0
    found = np.full(rows.size, "", object)
    by_number = ~_right(endless, ploidy, truly_spanned, truth, error)
    found[by_number] = np.where(lost[by_number], "deleted", "copies")
    own = reads.own[rows]
    stages = (
        ("", own + reads.artefact[rows] + reads.contaminant[rows]),
        ("contamination", own + reads.artefact[rows]),
        ("artefact", own),
        ("stray reads", reads.clean[rows]),
    )
    for spanned, first in ((star, 1), (truly_spanned, 0)):
        for reason, counts in stages[first:]:
            solved = (found == "") & _right(counts, ploidy, spanned, truth, error)
            found[solved] = reason or "deletion"
    found[found == ""] = "few reads"
    return _inherited(sites, rows, found.tolist())


def _right(counts: np.ndarray, ploidy: np.ndarray, star: np.ndarray, truth: np.ndarray, error: float) -> np.ndarray:
    called = call(counts, ploidy, star, error).copies
    return np.asarray((called[:, 1:STAR] == truth[:, 1:STAR]).all(axis=1))


def _inherited(sites: Candidates, rows: np.ndarray, reasons: list[str]) -> list[str]:
    """ "deletion": the call would be right, were the deletion over it called right; its reason is the deletion's."""
    reach, cause = 0, "few reads"
    for number, row in enumerate(rows.tolist()):
        place = int(sites.place[row])
        if reasons[number] == "deletion":
            reasons[number] = cause if place < reach else "few reads"
        behind = place + int(sites.spans[row].max())
        if behind > reach:
            reach, cause = behind, reasons[number]
    return reasons
