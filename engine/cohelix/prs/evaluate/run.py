"""`cohelix prs evaluate`: how well scores foretell traits, in all, by group and by genetic distance."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cohelix import storage
from cohelix.errors import ConfigError, InputError
from cohelix.genotypes.inputs import Groups, digests_of, read_groups
from cohelix.genotypes.outputs import new_folder, seal_of
from cohelix.provenance import provenance
from cohelix.prs import tables as score_tables
from cohelix.prs.adjust import tables as adjusted_tables
from cohelix.prs.evaluate import plots
from cohelix.prs.evaluate.agreement import agreements, standardised
from cohelix.prs.evaluate.estimates import Resamples, varies
from cohelix.prs.evaluate.measure import Measured, measure, ordered
from cohelix.prs.evaluate.omop_conditions import read_conditions, tables_of
from cohelix.prs.evaluate.page import write_page
from cohelix.prs.evaluate.people import Persons, read_components, read_covariates, read_persons
from cohelix.prs.evaluate.phenotypes import Trait, read_pairs, read_traits
from cohelix.prs.evaluate.strata import (
    Partition,
    centre_of,
    distances,
    everybody,
    mean_distances,
    of_distance,
    of_groups,
)
from cohelix.prs.evaluate.tables import Compared, write_agreement, write_calibration, write_metrics
from cohelix.prs.schema import EvaluateParams
from cohelix.prs.tables import ScoreMatrix

KIND = "prs_evaluation"
COVARIATE_PCS, DISTANCE_PCS = 10, 20
OMOP_TABLES = ("condition_occurrence", "observation_period", "concept_ancestor")


@dataclass(frozen=True)
class Inputs:
    """What is evaluated. scores: of `column`; raw: their sums, where `column` is another. covariates: float64 (samples,
    any), with their names. centre: where the centre of the distances is from.
    """

    scores: ScoreMatrix
    raw: ScoreMatrix | None
    column: str
    persons: Persons | None
    traits: list[Trait]
    places: list[list[int]]
    names: list[str]
    covariates: np.ndarray
    partitions: list[Partition]
    centre: str | None
    bins: dict[str, float]

    @property
    def eligible(self) -> np.ndarray:
        return np.ones(len(self.scores.sample_ids), bool) if self.persons is None else self.persons.first


def evaluate(
    scores: str,
    out: str,
    params: EvaluateParams,
    *,
    phenotypes: str | None = None,
    omop: str | None = None,
    links: str | None = None,
    pairs: str | None = None,
    covariates: str | None = None,
    pcs: str | None = None,
    ancestry: str | None = None,
    reference_pcs: str | None = None,
) -> dict[str, Any]:
    """Write metrics, calibration, agreement, plots, index.html and evaluation.json to `out`; what the last holds.

    scores: a folder of `cohelix prs score` or `cohelix prs adjust`. phenotypes: a table of sample_id (or person_id,
    with `links`) and a column for each trait. omop: a folder of OMOP CDM tables, with `params.concepts` and `links`.
    covariates, pcs: what is known without the score. ancestry: groups. reference_pcs: components of the training
    population, whose centre is distance 0.
    Raises InputError where a table is damaged, of other people, or holds no trait; ConfigError where a choice does not
    fit what there is, or matplotlib is lacking and `params.plots` asks for it.
    """
    if phenotypes is None and omop is None:
        raise ConfigError("expected traits to evaluate scores with. Give --phenotypes, or --omop with --links.")
    if omop is not None and links is None:
        raise ConfigError("expected --links (sample_id, person_id) beside --omop. Give it.")
    if params.plots:
        plots.check_installed()
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"), new_folder(out) as folder:  # other numbers of threads have other bits
        given = _read(scores, params, phenotypes, omop, links, pairs, covariates, pcs, ancestry, reference_pcs)
        measured, compared = _measure(given, params)
        write_metrics(folder, measured.rows, given.scores.score_ids)
        write_calibration(folder, measured.calibrated, given.scores.score_ids)
        write_agreement(folder, compared, given.scores.score_ids)
        figures = _draw(given, measured, compared, params) if params.plots else []
        pictured = list(zip(figures, plots.write(folder, figures), strict=True))
        write_page(folder / "index.html", measured.rows, given.scores.score_ids, pictured, params.min_stratum)
        files = digests_of(
            phenotypes=phenotypes, links=links, pairs=pairs, covariates=covariates, pcs=pcs, ancestry=ancestry,
            reference_pcs=reference_pcs,
        )  # fmt: skip
        summary = _summary(given, measured, compared, params)
        summary["provenance"] = provenance(
            "prs evaluate", params, [*_digests_of_folders(scores, omop), *files], params.seed
        )
        summary["files"] = {
            path.relative_to(folder).as_posix(): seal_of(path.read_bytes())
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        (folder / "evaluation.json").write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n")
    return summary


def _read(
    scores: str,
    params: EvaluateParams,
    phenotypes: str | None,
    omop: str | None,
    links: str | None,
    pairs: str | None,
    covariates: str | None,
    pcs: str | None,
    ancestry: str | None,
    reference_pcs: str | None,
) -> Inputs:
    matrix, raw, column = _read_matrix(scores, params.column)
    ids = matrix.sample_ids
    persons = read_persons(links, ids) if links is not None else None
    traits = read_traits(phenotypes, ids, persons, params) if phenotypes is not None else []
    if omop is not None and persons is not None:
        traits += read_conditions(omop, persons, params)
    _check_traits(traits, params)
    names, known = read_covariates(covariates, ids, persons, params.covariates) if covariates else ([], None)
    groups = read_groups(ancestry, ids, params.group_column) if ancestry is not None else None
    at_most = max(_or(params.n_pcs, COVARIATE_PCS), _or(params.n_distance_pcs, DISTANCE_PCS))
    components = read_components(pcs, ids, at_most) if pcs is not None and at_most > 0 else None
    columns = [] if known is None else [known]
    if components is not None:
        taken = components[:, : _or(params.n_pcs, COVARIATE_PCS)]
        _enough_components(components, params)
        names += [f"PC{place + 1}" for place in range(taken.shape[1])]
        columns.append(taken)
    partitions = [everybody(len(ids)), *([of_groups(groups)] if groups is not None else [])]
    partition, centre, bins = _by_distance(components, groups, reference_pcs, params)
    return Inputs(
        matrix, raw, column, persons, traits, read_pairs(pairs, matrix.score_ids, traits, params.max_pairs), names,
        np.hstack(columns) if columns else np.zeros((len(ids), 0)), partitions + partition, centre, bins,
    )  # fmt: skip


def _or(value: int | None, other: int) -> int:
    return other if value is None else value


def _enough_components(components: np.ndarray, params: EvaluateParams) -> None:
    for name in ("n_pcs", "n_distance_pcs"):
        wanted = getattr(params, name)
        if wanted is not None and wanted > components.shape[1]:
            raise ConfigError(
                f"prs.evaluate.{name} is {wanted}, and the table of components has {components.shape[1]}. Ask for "
                "fewer."
            )


def _read_matrix(folder: str, column: str | None) -> tuple[ScoreMatrix, ScoreMatrix | None, str]:
    """Scores that are evaluated, their sums where they are adjusted, and the column."""
    if (Path(folder) / adjusted_tables.FILE).is_file():
        column = column or "z_norm2"
        if column not in adjusted_tables.VALUES:
            raise ConfigError(f"prs.evaluate.column is {column!r}. Choose of {', '.join(adjusted_tables.VALUES)}.")
        raw = adjusted_tables.read_adjusted(folder, "sum") if column != "sum" else None
        matrix = adjusted_tables.read_adjusted(folder, column)
    else:
        if column not in (None, "sum"):
            raise ConfigError(
                f"prs.evaluate.column is {column!r}, which scores that were not adjusted do not have. Adjust them."
            )
        matrix, raw, column = score_tables.read_scores(folder), None, "sum"
    if not matrix.score_ids or not matrix.sample_ids:
        raise InputError("expected at least one score of one person to evaluate, found none. Score people first.")
    return matrix, raw, column


def _check_traits(traits: Sequence[Trait], params: EvaluateParams) -> None:
    names = [trait.name for trait in traits]
    for name, count in Counter(names).items():
        if count > 1:
            raise ConfigError(f"trait {name!r} is both a column of the phenotypes and a concept. Rename one of them.")
    for name in params.prevalence:
        if name not in {trait.name for trait in traits if trait.binary}:
            raise ConfigError(f"prs.evaluate.prevalence names {name!r}, which is no trait of cases and controls here.")


def _by_distance(
    components: np.ndarray | None, groups: Groups | None, reference_pcs: str | None, params: EvaluateParams
) -> tuple[list[Partition], str | None, dict[str, float]]:
    """Bins of distance, where their centre is from, and the mean distance of each; nothing where no centre is known."""
    asked = reference_pcs is not None or params.centre or params.centre_group
    if components is None:
        if asked:
            raise ConfigError("expected --pcs of the people, to measure their distance from the centre. Give it.")
        return [], None, {}
    used = components[:, : _or(params.n_distance_pcs, DISTANCE_PCS)]
    if used.shape[1] == 0:
        return [], None, {}
    if params.n_distance_pcs is None and params.centre:
        used = used[:, : len(params.centre)]
    reference = read_components(reference_pcs, None, used.shape[1]) if reference_pcs is not None else None
    if reference is not None and params.n_distance_pcs is None:
        used = used[:, : reference.shape[1]]
    found = centre_of(used, reference=reference, groups=groups, group=params.centre_group, given=params.centre)
    if found is None:
        return [], None, {}
    distance = distances(used, found[0])
    partition = of_distance(distance, params.distance_bins)
    return [partition], found[1], mean_distances(partition, distance, params.min_stratum)


def _measure(given: Inputs, params: EvaluateParams) -> tuple[Measured, list[Compared]]:
    total, compared = Measured(), []
    sums = given.scores.sums
    for trait, places in zip(given.traits, given.places, strict=True):
        if not places:
            continue
        found = measure(trait, places, sums, given.covariates, given.eligible, given.partitions, params)
        total.rows += found.rows
        total.calibrated += found.calibrated
        total.n_separated += found.n_separated
        compared += _compare(given, trait, places, params)
    total.rows = ordered(total.rows, [trait.name for trait in given.traits])
    return total, compared


def _compare(given: Inputs, trait: Trait, places: Sequence[int], params: EvaluateParams) -> list[Compared]:
    """Agreement of the scores of a trait, in the people of whom all are known; none where there are few of either."""
    held = given.scores.sums[list(places)]
    known = np.isfinite(held).mean(axis=1) > 0.5  # a score of few people does not leave the others out
    chosen = [place for place, keep in zip(places, known, strict=True) if keep]
    if not 2 <= len(chosen) <= params.max_agreement:
        return []
    held = given.scores.sums[chosen]
    people = np.flatnonzero(given.eligible & np.isfinite(trait.values) & np.isfinite(held).all(axis=0))
    held, values = held[:, people], trait.values[people]
    counts = [len(people)] + ([int(values.sum()), int((1 - values).sum())] if trait.binary else [])
    if min(counts) < max(params.min_stratum, 4) or len(np.unique(values)) < 2:
        return []
    varying = varies(held)
    if varying.sum() < 2:
        return []
    chosen = [place for place, keep in zip(chosen, varying, strict=True) if keep]
    ratings = standardised(held[varying]) if given.column == "sum" else held[varying]
    found = agreements(
        ratings, values, trait.binary, tail=params.tail, least=params.min_stratum, confidence=params.confidence,
        resamples=Resamples(params.seed, (trait.name, "agreement"), params.bootstrap, len(people)),
    )  # fmt: skip
    return [Compared(trait.name, chosen, len(people), found)]


def _draw(
    given: Inputs, measured: Measured, compared: Sequence[Compared], params: EvaluateParams
) -> list[plots.Figure]:
    groups = next((one for one in given.partitions if one.kind == "group"), given.partitions[0])
    drawn = plots.Drawn(given.scores.score_ids, given.covariates.shape[1] > 0, given.bins, params.min_stratum)
    kinds = [(given.column, given.scores.sums)]
    if given.raw is not None:
        kinds.insert(0, ("sum", given.raw.sums))
    return [
        *plots.of_traits(drawn, measured, compared, given.traits),
        *plots.of_scores(drawn, kinds, groups, given.eligible, sorted({p for places in given.places for p in places})),
    ]


def _summary(given: Inputs, measured: Measured, compared: Sequence[Compared], params: EvaluateParams) -> dict[str, Any]:
    withheld = {
        (row.trait, row.score, row.stratum.kind, row.stratum.name) for row in measured.rows if row.stratum.suppressed
    }
    strata = {(row.trait, row.score, row.stratum.kind, row.stratum.name) for row in measured.rows}
    return {
        "kind": KIND,
        "column": given.column,
        "n_scores": len({row.score for row in measured.rows}),
        "n_pairs": sum(map(len, given.places)),
        "traits": [
            {"name": trait.name, "kind": "binary" if trait.binary else "quantitative", "coding": trait.coding,
             "prevalence": params.prevalence.get(trait.name), "n_scores": len(places)}
            for trait, places in zip(given.traits, given.places, strict=True)
        ],
        "covariates": given.names,
        "distance": {"centre": given.centre, "mean_distance": given.bins} if given.centre else None,
        "strata": {"n": len(strata), "n_suppressed": len(withheld)},
        "n_separated": measured.n_separated,
        "agreement": [
            {"trait": one.trait, "n_scores": len(one.places)} for one in compared
        ],
    }  # fmt: skip


def _digests_of_folders(scores: str, omop: str | None) -> list[tuple[str, str]]:
    name = adjusted_tables.FILE if (Path(scores) / adjusted_tables.FILE).is_file() else score_tables.FILE
    found = digests_of(scores=storage.join(scores, name))
    for table in OMOP_TABLES if omop is not None else ():
        for path in tables_of(str(omop), table):
            found += digests_of(**{table: str(path)})
    return found
