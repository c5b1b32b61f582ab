"""A score relative to those of the most similar group: percentile, and Z."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cohelix.prs.adjust.kernels import rank
from cohelix.prs.adjust.threads import in_threads


@dataclass(frozen=True)
class Distributions:
    """Scores of the training people of each group. names: of the groups; n int64 (groups,) people; usable bool: enough
    of them. ordered: a matrix float64 (scores, n) for each group, each row ascending, NaN last. mean and sd float64
    (scores, groups).
    """

    names: list[str]
    n: np.ndarray
    usable: np.ndarray
    ordered: list[np.ndarray]
    mean: np.ndarray
    sd: np.ndarray

    def of(self, rows: slice) -> Distributions:
        ordered = [matrix[rows] for matrix in self.ordered]
        return Distributions(self.names, self.n, self.usable, ordered, self.mean[rows], self.sd[rows])


def train(names: Sequence[str], codes: np.ndarray, scores: np.ndarray, min_group: int) -> Distributions:
    """codes: int32 (people,), -1 without a group; scores: float64 (scores, people)."""
    n = np.bincount(codes[codes >= 0], minlength=len(names))
    ordered = list(in_threads(lambda code: np.sort(scores[:, codes == code], axis=1), range(len(names))))
    mean, sd = np.full((2, len(scores), len(names)), np.nan)
    for code, values in enumerate(ordered):
        if not n[code]:
            continue
        mean[:, code], sd[:, code] = values.mean(axis=1), values.std(axis=1)
        for row in np.flatnonzero(np.isnan(values[:, -1])):
            have = values[row, np.isfinite(values[row])]
            if len(have):
                mean[row, code], sd[row, code] = have.mean(), have.std()
    return Distributions(list(names), n, n >= min_group, ordered, mean, sd)


def apply(trained: Distributions, codes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Percentile (0 to 100) and Z of each score, float64 (scores, people), among the people of the group `codes`.

    Percentile: the mean of the shares below, and at or below, with a place of its own among equal values (as SciPy's
    percentileofscore, kind rank). NaN where a person has no group, its group too few people, or (Z) equal scores.
    """
    percentile, z = np.full((2, *scores.shape), np.nan)
    for code in np.flatnonzero(trained.usable):
        people = np.flatnonzero(codes == code)
        if len(people):
            rank(trained.ordered[code], trained.mean[:, code], trained.sd[:, code], scores, people, percentile, z)
    return percentile, z


@dataclass(frozen=True)
class Clouds:
    """Where groups lie in components: means float64 (groups, m), and inverses of covariances (groups, m, m); NaN for
    groups with too few people to have one."""

    means: np.ndarray
    precisions: np.ndarray


def clouds_of(n_groups: int, codes: np.ndarray, pcs: np.ndarray) -> Clouds:
    """pcs: float64 (people, m), of the training people. Covariances are of the group itself, over its number."""
    m = pcs.shape[1]
    means, precisions = np.full((n_groups, m), np.nan), np.full((n_groups, m, m), np.nan)
    for code in range(n_groups):
        own = pcs[codes == code]
        if len(own) > m + 1:
            means[code] = own.mean(axis=0)
            away = own - means[code]
            precisions[code] = np.linalg.pinv(away.T @ away / len(own), hermitian=True)
    return Clouds(means, precisions)


def nearest(clouds: Clouds, pcs: np.ndarray) -> np.ndarray:
    """int32 (people,): the group of the least Mahalanobis distance; -1 where somebody has no components."""
    distances = np.full((len(pcs), len(clouds.means)), np.inf)
    for code, (mean, precision) in enumerate(zip(clouds.means, clouds.precisions, strict=True)):
        if np.isfinite(mean).all():
            away = pcs - mean
            distances[:, code] = np.einsum("ni,ij,nj->n", away, precision, away)
    known = np.isfinite(pcs).all(axis=1) & np.isfinite(distances).any(axis=1)
    out = np.full(len(pcs), -1, np.int32)
    out[known] = distances[known].argmin(axis=1)
    return out
