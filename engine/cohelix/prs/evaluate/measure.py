"""All metrics of the scores of one trait, stratum by stratum."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from cohelix.prs.evaluate import binary, calibration, quantitative
from cohelix.prs.evaluate.calibration import Bin
from cohelix.prs.evaluate.estimates import Estimates, Resamples, basis_of, blocks, varies
from cohelix.prs.evaluate.phenotypes import Trait
from cohelix.prs.evaluate.strata import Partition, Stratum, strata_of
from cohelix.prs.schema import EvaluateParams

CONSTANT = "the score has one value in these people"
COLLINEAR = "the covariates make the score up in these people"
FEW = "fewer people than the covariates need"
ONE_KIND = "cases alone, or controls alone"
FLAT = "the trait has one value in these people"


@dataclass(frozen=True)
class Row:
    """A line of the metrics. score: its place. estimate NaN: withheld, or for the reason in `note`."""

    score: int
    trait: str
    stratum: Stratum
    metric: str
    estimate: float
    low: float
    high: float
    note: str = ""


@dataclass(frozen=True)
class Calibrated:
    """Tenths of a stratum by what a score foretold."""

    score: int
    trait: str
    stratum: Stratum
    bins: list[Bin]


@dataclass
class Measured:
    """What was found. n_separated: odds ratios that are Firth's."""

    rows: list[Row] = field(default_factory=list)
    calibrated: list[Calibrated] = field(default_factory=list)
    n_separated: int = 0


def metric_names(trait: Trait, with_covariates: bool, prevalence: float | None) -> list[str]:
    """The metrics of a trait, in the order of the table."""
    if not trait.binary:
        beyond = quantitative.BEYOND if with_covariates else ()
        return [*quantitative.METRICS, *beyond, *calibration.METRICS]
    names = [*binary.METRICS, *(binary.LIABILITY if prevalence is not None else ())]
    if with_covariates:
        names += [*binary.BEYOND, *(binary.LIABILITY_BEYOND if prevalence is not None else ())]
    return [*names, *calibration.METRICS, *calibration.BRIER]


def measure(
    trait: Trait,
    places: Sequence[int],
    scores: np.ndarray,
    covariates: np.ndarray,
    eligible: np.ndarray,
    partitions: Sequence[Partition],
    params: EvaluateParams,
) -> Measured:
    """The metrics of the scores at `places` of scores (scores, samples) for a trait.

    Of the people that are eligible (bool (samples,)) and of whom trait, covariates (samples, any) and score are known.
    """
    found = Measured()
    complete = eligible & np.isfinite(trait.values) & np.isfinite(covariates).all(axis=1)
    for people, held in _by_people(scores, places, complete):
        values, known = trait.values[people], covariates[people]
        basis = basis_of(known) if len(people) else np.ones((0, 1))
        cases = values == 1 if trait.binary else None
        strata = [
            (stratum, partition.kind)
            for partition in partitions
            for stratum in strata_of(partition, people, cases, params.min_stratum)
        ]
        for block in blocks(len(held), len(people)):
            chosen = np.array(held[block])
            matrix = scores[chosen][:, people]
            predicted = _foretold(trait, values, basis, matrix, params)
            for stratum, kind in strata:
                part = _of_stratum(trait, values, known, matrix, predicted, stratum, params, found)
                _keep(found, trait, chosen, stratum, part, covariates.shape[1] > 0, params)
                if not stratum.suppressed and kind != "distance":
                    _keep_bins(found, trait, chosen, stratum, values, predicted, params)
    return found


def _by_people(
    scores: np.ndarray, places: Sequence[int], complete: np.ndarray
) -> Iterator[tuple[np.ndarray, list[int]]]:
    """Scores that are known of the same people: places of the people, and of the scores."""
    groups: dict[bytes, list[int]] = {}
    for place in places:
        groups.setdefault(np.packbits(complete & np.isfinite(scores[place])).tobytes(), []).append(place)
    for held in groups.values():
        yield np.flatnonzero(complete & np.isfinite(scores[held[0]])), held


def _foretold(
    trait: Trait, values: np.ndarray, basis: np.ndarray, matrix: np.ndarray, params: EvaluateParams
) -> np.ndarray:
    """As `calibration.foretold`; NaN for scores that say nothing beyond the covariates, or where people are too few."""
    out = np.full(matrix.shape, np.nan)
    if len(values) < max(2 * params.folds, params.min_stratum) or len(np.unique(values)) < 2:
        return out
    usable = np.flatnonzero(_tells(matrix, basis)[0])
    held = matrix[usable]
    scaled = (held - held.mean(axis=1, keepdims=True)) / held.std(axis=1, keepdims=True)
    folds = calibration.folds_of(values, trait.binary, params.folds, params.seed, trait.name)
    out[usable] = calibration.foretold(values, basis, scaled, folds, trait.binary)
    return out


def _tells(matrix: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """bool (scores,) each: whether a score varies beyond what the covariates make up, and whether it varies at all."""
    varying = varies(matrix)
    centred = matrix - matrix.mean(axis=1, keepdims=True)
    beyond = centred - (centred @ basis / len(basis)) @ basis.T
    return varying & ((beyond**2).sum(axis=1) > 1e-18 * (centred**2).sum(axis=1)), varying


@dataclass(frozen=True)
class _Part:
    """Metrics of a stratum; `note` where there are none, notes (scores,) where a score has none or a remark."""

    metrics: dict[str, Estimates]
    note: str
    notes: list[str]


def _of_stratum(
    trait: Trait,
    values: np.ndarray,
    covariates: np.ndarray,
    matrix: np.ndarray,
    predicted: np.ndarray,
    stratum: Stratum,
    params: EvaluateParams,
    found: Measured,
) -> _Part:
    empty = [""] * len(matrix)
    if stratum.suppressed or stratum.n == 0:
        return _Part({}, "" if stratum.suppressed else "nobody", empty)
    rows = stratum.rows
    y, basis, held = values[rows], basis_of(covariates[rows]), matrix[:, rows]
    if len(np.unique(y)) < 2:
        return _Part({}, ONE_KIND if trait.binary else FLAT, empty)
    if stratum.n < basis.shape[1] + 4:
        return _Part({}, FEW, empty)
    tells, varying = _tells(held, basis)
    notes = ["" if able else COLLINEAR if some else CONSTANT for able, some in zip(tells, varying, strict=True)]
    places = np.flatnonzero(tells)
    if len(places) == 0:
        return _Part({}, "", notes)
    resamples = Resamples(params.seed, (trait.name, stratum.kind, stratum.name), params.bootstrap, stratum.n)
    if trait.binary:
        prevalence = params.prevalence.get(trait.name)
        made, separated = binary.binary_metrics(y, basis, held[places], resamples, params.confidence, prevalence)
        found.n_separated += int(separated.sum())
        for place in places[separated].tolist():
            notes[place] = binary.FIRTH
    else:
        made = quantitative.quantitative_metrics(y, basis, held[places], resamples, params.confidence)
    metrics = {name: one.at(places, len(matrix)) for name, one in made.items()}
    metrics |= calibration.calibration_metrics(
        y, predicted[:, rows], trait.binary, float(values.mean()), params.confidence
    )
    return _Part(metrics, "", notes)


def _keep(
    found: Measured,
    trait: Trait,
    chosen: np.ndarray,
    stratum: Stratum,
    part: _Part,
    with_covariates: bool,
    params: EvaluateParams,
) -> None:
    names = metric_names(trait, with_covariates, params.prevalence.get(trait.name))
    nothing = float("nan")
    for place, score in enumerate(chosen.tolist()):
        for name in names:
            one = part.metrics.get(name)
            found_here = (nothing, nothing, nothing)
            if one is not None:
                found_here = (float(one.value[place]), float(one.low[place]), float(one.high[place]))
            remark = part.note or part.notes[place]
            if remark == binary.FIRTH and name != "or_per_sd":
                remark = ""
            found.rows.append(Row(score, trait.name, stratum, name, *found_here, remark))


def _keep_bins(
    found: Measured,
    trait: Trait,
    chosen: np.ndarray,
    stratum: Stratum,
    values: np.ndarray,
    predicted: np.ndarray,
    params: EvaluateParams,
) -> None:
    rows = stratum.rows
    if stratum.n == 0:
        return
    for place, score in enumerate(chosen.tolist()):
        bins = calibration.bins_of(
            values[rows], predicted[place, rows], trait.binary, params.min_stratum, params.confidence
        )
        if bins:
            found.calibrated.append(Calibrated(score, trait.name, stratum, bins))


def ordered(rows: Iterable[Row], traits: Sequence[str]) -> list[Row]:
    """By trait (in their order), score; strata and metrics stay in theirs."""
    place = {name: row for row, name in enumerate(traits)}
    return sorted(rows, key=lambda row: (place[row.trait], row.score))
