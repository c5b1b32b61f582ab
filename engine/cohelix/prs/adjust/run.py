"""A folder of adjusted scores: calibrated on a reference panel, on the cohort's own people, or by a saved model."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cohelix.errors import ConfigError, InputError
from cohelix.genotypes.inputs import digests_of
from cohelix.genotypes.outputs import new_folder, write_tsv
from cohelix.provenance import provenance
from cohelix.prs.adjust import most_similar, support, training, z_norm
from cohelix.prs.adjust.inputs import Labels, Scored, in_groups, read_chosen, read_labels, read_scored
from cohelix.prs.adjust.model import Model, of_scores, read_model, write_model
from cohelix.prs.adjust.tables import VALUES, AdjustedBlock, write_adjusted
from cohelix.prs.adjust.threads import in_threads
from cohelix.prs.schema import AdjustParams
from cohelix.prs.tables import FILE

_BLOCK = 1 << 18
"""Scores times samples adjusted at a time, about."""


@dataclass(frozen=True)
class Sources:
    """Where to read what: folders of scores, tables of components, groups and people, a folder of a model."""

    scores: str
    pcs: str
    reference: str | None
    reference_pcs: str | None
    reference_labels: str | None
    ancestry: str | None
    train: str | None
    model: str | None

    @property
    def labels(self) -> str | None:
        """Of the training people: their own table, or the cohort's where they are of the cohort."""
        return self.reference_labels or (None if self.reference else self.ancestry)


def adjust(
    scores: str,
    out: str,
    params: AdjustParams,
    *,
    pcs: str,
    reference: str | None = None,
    reference_pcs: str | None = None,
    reference_labels: str | None = None,
    ancestry: str | None = None,
    train: str | None = None,
    model: str | None = None,
) -> dict[str, Any]:
    """Write adjusted.parquet, report.tsv, groups.tsv, adjust.json and the folder model to `out`. Returns what
    adjust.json holds.

    Trained on `reference` (scores of a panel; with its components and groups), on those people of the cohort who are
    in the table `train` (or of the panel, where there is one), or not at all: with `model`. The most similar group is
    the cohort's of the table `ancestry`, or the nearest. Raises ConfigError where these do not go together, InputError
    where they are of other people, scores or sites.

    Agrees with: pgscatalog-ancestry-adjust (tests/external/test_prs_adjust_pgscatalog.py).
    """
    import threadpoolctl

    sources = Sources(scores, pcs, reference, reference_pcs, reference_labels, ancestry, train, model)
    _check_sources(sources)
    # Products of one score take a fixed shape and one thread, so that their bits are the same in any company.
    with threadpoolctl.threadpool_limits(1, "blas"), ThreadPoolExecutor(1) as pool:
        digests = pool.submit(_digests, sources)  # of files that are read beside it
        cohort, trained = _read(sources, params)
        _check_sites(cohort, trained, params)
        codes = _most_similar(cohort, trained, sources, params)
        with new_folder(out) as folder:
            counts = _write(folder, cohort, trained, codes, params)
            settings = {name: value for name, value in asdict(params).items() if name in _OF_TRAINING}
            known = {} if model is not None else write_model(folder / "model", trained, settings)["files"]
            made = [path for path in sorted(folder.rglob("*")) if path.is_file()]
            seals = in_threads(lambda path: known.get(path.name) or _seal(path), made)
            summary = _summary(cohort, trained, codes, counts) | {
                "most_similar": "table" if ancestry else "none" if trained.clouds is None else "nearest",
                "provenance": provenance("prs adjust", params, digests.result()),
                "files": {str(path.relative_to(folder)): seal for path, seal in zip(made, seals, strict=True)},
            }
            (folder / "adjust.json").write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n")
    return summary


def _seal(path: Path) -> dict[str, Any]:
    """`seal_of` a file that may be large."""
    with path.open("rb") as handle:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(handle, "sha256").hexdigest()}


_OF_TRAINING = ("n_pcs", "n_pcs_similar", "min_group", "neighbours", "outside_rate")


def _check_sources(sources: Sources) -> None:
    """ConfigError where it is not clear what to train on."""
    if sources.model is not None:
        given = [sources.reference, sources.reference_pcs, sources.reference_labels, sources.train]
        if any(one is not None for one in given):
            raise ConfigError(
                "expected a saved model or something to train on, found both. Leave out --model, or the others."
            )
    elif sources.reference is None and sources.train is None:
        raise ConfigError(
            "expected scores of a reference panel (--reference), a table of people of the cohort to train on "
            "(--train, the unrelated ones) or a saved model (--model), found none of them. Give one."
        )
    elif (sources.reference is None) != (sources.reference_pcs is None):
        raise ConfigError(
            "expected scores of a reference panel together with its components, found one of them. Give --reference "
            "and --reference-pcs, or neither."
        )
    elif sources.reference is not None and sources.ancestry is not None and sources.reference_labels is None:
        raise ConfigError(
            "expected the groups of the reference panel with those of the cohort, found the cohort's only. Give "
            "--reference-labels, or leave out --ancestry."
        )


def _read(sources: Sources, params: AdjustParams) -> tuple[Scored, Model]:
    """The cohort with the components that are asked for, and the model with a row for each of its scores."""
    nearest = sources.ancestry is None
    if sources.model is not None:
        known = read_model(sources.model)
        nearest = nearest and bool(known.distributions.names)
        if nearest and known.clouds is None:
            raise ConfigError(
                "expected a table of the cohort's ancestry, found none, and the model was trained with one: it does "
                "not know where groups lie. Give --ancestry."
            )
        m = known.clouds.means.shape[1] if nearest and known.clouds is not None else 0
        cohort = read_scored(sources.scores, sources.pcs, max(known.n_pcs, m), "cohort")
        return cohort, _checked(cohort, known, params)
    nearest = nearest and sources.labels is not None
    n_pcs = max(params.n_pcs, params.n_pcs_similar) if nearest else params.n_pcs
    cohort = people = read_scored(sources.scores, sources.pcs, n_pcs, "cohort")
    if sources.reference is not None and sources.reference_pcs is not None:
        people = _of_cohorts_scores(read_scored(sources.reference, sources.reference_pcs, n_pcs, "reference"), cohort)
    chosen = np.ones(len(people.sample_ids), bool)
    if sources.train is not None:
        chosen = read_chosen(sources.train, people.sample_ids)
    labels = None
    if sources.labels is not None:
        column = params.label_column if sources.reference_labels is not None else params.ancestry_column
        labels = read_labels(sources.labels, people.sample_ids, column)
    return cohort, _checked(cohort, training.train(people, chosen, labels, params, clouds=nearest), params)


def _of_cohorts_scores(people: Scored, cohort: Scored) -> Scored:
    """The reference's people with those scores that the cohort has."""
    wanted = set(cohort.score_ids)
    rows = [row for row, name in enumerate(people.score_ids) if name in wanted]
    ids = [people.score_ids[row] for row in rows]
    return replace(people, score_ids=ids, scores=people.scores[rows], most_alleles=people.most_alleles[rows])


def _checked(cohort: Scored, model: Model, params: AdjustParams) -> Model:
    """The model with a row for each of the cohort's scores. InputError where it lacks one that it must have."""
    lacking = sorted(set(cohort.score_ids) - set(model.score_ids))
    if lacking and (params.absent_scores == "refuse" or len(lacking) == len(cohort.score_ids)):
        raise InputError(
            f"expected all {len(cohort.score_ids)} scores among those trained on, found {len(lacking)} that are not: "
            f"{', '.join(lacking[:3])}{', ...' if len(lacking) > 3 else ''}. Score the training people with the same "
            "files, or set prs.adjust.absent_scores to empty."
        )
    return of_scores(model, cohort.score_ids)


def _check_sites(cohort: Scored, model: Model, params: AdjustParams) -> None:
    """InputError where a score adds up more or fewer alleles here than in training."""
    trained = model.norms.status != z_norm.NOT_TRAINED
    apart = np.abs(cohort.most_alleles - model.most_alleles) > params.site_tolerance * model.most_alleles
    other = np.flatnonzero(trained & apart)
    if len(other):
        first = other[0]
        raise InputError(
            f"expected scores of the same sites here and in training, found another number of alleles in {len(other)} "
            f"of {int(trained.sum())}: {model.score_ids[first]} has {cohort.most_alleles[first]} here, "
            f"{model.most_alleles[first]} there. Score both at sites that both have, or raise "
            "prs.adjust.site_tolerance."
        )


def _most_similar(cohort: Scored, model: Model, sources: Sources, params: AdjustParams) -> np.ndarray:
    """int32 (samples,): the training group that each person is most like, -1 where there is none."""
    names = model.distributions.names
    if sources.ancestry is not None:
        labels: Labels = read_labels(sources.ancestry, cohort.sample_ids, params.ancestry_column)
        codes = in_groups(labels, names)
        if names and not (codes >= 0).any():
            raise InputError(
                f"expected the cohort's groups by the names of the {len(names)} training groups, found none of them "
                f"among {len(labels.names)}. Give groups of the same panel, or name their column "
                "(prs.adjust.ancestry_column)."
            )
        return codes
    if model.clouds is None:
        return np.full(len(cohort.sample_ids), -1, np.int32)
    return most_similar.nearest(model.clouds, cohort.pcs[:, : model.clouds.means.shape[1]])


def _write(folder: Path, cohort: Scored, model: Model, codes: np.ndarray, params: AdjustParams) -> dict[str, Any]:
    """The tables; and counts of what is in them."""
    standardised = model.frame.standardised(cohort.pcs)
    outside = support.outside(model.support, standardised)
    n_outside = np.zeros(len(cohort.score_ids), np.int64)

    def block_of(rows: slice) -> AdjustedBlock:
        sums, norms = cohort.scores[rows], model.norms.of(rows)
        percentile, z = most_similar.apply(model.distributions.of(rows), codes, sums)
        z_norm1, z_norm2, beyond = z_norm.apply(norms, standardised, sums, params.edge)
        for values in (percentile, z):
            values[norms.status == z_norm.CONSTANT] = np.nan
        flagged = outside | beyond
        n_outside[rows] = flagged.sum(axis=1)
        columns = dict(zip(VALUES, (sums, percentile, z, z_norm1, z_norm2), strict=True))
        return AdjustedBlock(np.arange(rows.start, rows.stop), columns, flagged, cohort.placed)

    n_scores, size = len(cohort.score_ids), max(1, _BLOCK // len(cohort.sample_ids))
    blocks = in_threads(block_of, [slice(at, min(at + size, n_scores)) for at in range(0, n_scores, size)])
    sampleset = params.sampleset if params.pgs_txt else None
    write_adjusted(folder, cohort.score_ids, cohort.sample_ids, blocks, sampleset)
    _write_report(folder / "report.tsv", cohort, model, n_outside)
    by_group = np.bincount(codes[codes >= 0], minlength=len(model.distributions.names))
    known = model.distributions
    groups = zip(known.names, known.n.tolist(), known.usable.tolist(), by_group.tolist(), strict=True)
    write_tsv(folder / "groups.tsv", ("group", "n_train", "usable", "n_most_similar"), list(groups))
    return {
        "n_outside": int(outside.sum()),
        "n_outside_by_variance": int(n_outside.sum() - outside.sum() * len(n_outside)),
    }


def _write_report(path: Path, cohort: Scored, model: Model, n_outside: np.ndarray) -> None:
    """A row a score: what became of it, and how its mean and variance depend on components."""
    norms = model.norms
    share = 1.0 - norms.sd1 * norms.sd1
    columns = {
        "score": cohort.score_ids,
        "status": [z_norm.STATUS[code] for code in norms.status.tolist()],
        "n_train": norms.n.tolist(),
        "n_adjusted": (np.isfinite(cohort.scores) & cohort.placed).sum(axis=1).tolist(),
        "n_outside": n_outside.tolist(),
        "variance_explained": share.tolist(),
        "least_sd": np.exp(0.5 * norms.low).tolist(),
        "greatest_sd": np.exp(0.5 * norms.high).tolist(),
        "steps": norms.steps.tolist(),
    }
    write_tsv(path, tuple(columns), list(zip(*columns.values(), strict=True)))


def _digests(sources: Sources) -> list[tuple[str, str]]:
    """Of every file that is read."""
    named = {name: value for name, value in asdict(sources).items() if name not in ("scores", "reference", "model")}
    folders = {"scores": sources.scores, "reference": sources.reference}
    tables = {name: None if folder is None else str(Path(folder) / FILE) for name, folder in folders.items()}
    if sources.model is not None:
        inner = Path(sources.model) / "model"
        tables["model"] = str((inner if inner.is_dir() else Path(sources.model)) / "model.json")
    return digests_of(**tables, **named)


def _summary(cohort: Scored, model: Model, codes: np.ndarray, counts: dict[str, Any]) -> dict[str, Any]:
    """Counts alone: no row of a person."""
    usable = np.append(model.distributions.usable, False)
    return {
        "kind": "prs_adjusted",
        "n_samples": len(cohort.sample_ids),
        "n_scores": len(cohort.score_ids),
        "n_pcs": model.n_pcs,
        "scores_by_status": dict(sorted(Counter(z_norm.STATUS[code] for code in model.norms.status.tolist()).items())),
        "samples": {
            "n_without_components": int((~cohort.placed).sum()),
            "n_without_group": int((codes < 0).sum()),
            "n_of_small_groups": int(((codes >= 0) & ~usable[codes]).sum()),
            "n_outside": counts["n_outside"],
        },
        "n_values_missing": int(np.isnan(cohort.scores).sum()),
        "n_outside_by_variance": counts["n_outside_by_variance"],
        "support": {"neighbours": model.support.neighbours, "cutoff": model.support.cutoff},
    }
