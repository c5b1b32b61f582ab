"""Special rows of scoring files added up: interactions and APOE, for everybody, beside the sums over single variants.

They are few: each reads the rows of its own sites, some scores and sites at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix.errors import InputError
from cohelix.genotypes.callset import Callset, open_callset
from cohelix.genotypes.inputs import Frequencies, read_frequencies
from cohelix.prs.schema import ScoreParams
from cohelix.prs.terms import apoe
from cohelix.prs.terms.copies import Copies, People, copies_of, sites_matrix, unpacked
from cohelix.prs.terms.rows import Term, Variant, special_rows
from cohelix.prs.terms.sites import Site, find

FILE = "special.json"
TERMS = pa.schema(
    [
        ("score", pa.int32()),
        ("row", pa.int32()),
        ("kind", pa.string()),
        ("scored", pa.bool_()),
        ("reason", pa.string()),
        ("n_sites", pa.int32()),
    ]
)
"""terms.parquet: each special row of the scores, in their order; reason: a word of `rows.REASONS`, "" where scored."""

_HELD_CELLS = 1 << 26
"""Genotypes of sites that are held at a time."""


@dataclass(frozen=True)
class Added:
    """What terms add to some scores. scores int32 (k,): places among the scores of the match, increasing; sums float64
    and counts int32, all (k, samples), as those of `SCORES`. rows: `TERMS`.
    """

    scores: np.ndarray
    sums: np.ndarray
    n_alleles: np.ndarray
    n_imputed: np.ndarray
    n_hom_ref: np.ndarray
    rows: pa.Table


def add_up(
    match: Path,
    callset_root: str,
    params: ScoreParams,
    *,
    frequencies: str | None = None,
    groups: Sequence[str] | None = None,
    sexes: Sequence[str] | None = None,
) -> Added:
    """Terms of the scores of a folder of matches. sexes: male, female or unknown of each sample; None: the callset's.

    A term counts as one row: its copies of the genome in n_alleles (two, but for X and Y of men and MT), one in
    n_imputed where a genotype of it is missing, one in n_hom_ref where none of its sites shows an alternate.
    """
    callset = open_callset(callset_root)
    path = match / FILE
    special = json.loads(path.read_text()) if path.is_file() else {}
    rows = special_rows(special, callset.build)
    terms = [term for _, term in rows if isinstance(term, Term)]
    summary = json.loads((match / "match.json").read_text()) if terms else {}
    choices = summary.get("params", {})
    places = find(callset, [variant for term in terms for variant in term.variants], choices) if terms else {}
    table, scored = _settled(rows, places)
    sexes = list(callset.samples().column("sex").to_pylist()) if sexes is None else sexes
    people = People(sexes, groups)
    told = read_frequencies(frequencies) if frequencies and params.missing == "reference-af" and scored else None
    return _sums(callset, scored, places, people, params, told, table)


def _settled(
    rows: Sequence[tuple[dict[str, Any], Term | str]], places: dict[Variant, Site | str]
) -> tuple[pa.Table, list[Term]]:
    """`TERMS` of all rows, and the terms whose sites are all there."""
    columns: dict[str, list[Any]] = {name: [] for name in TERMS.names}
    scored = []
    for row, term in rows:
        reason = term if isinstance(term, str) else ""
        if isinstance(term, Term):
            found = [places[variant] for variant in term.variants]
            reason = next((site for site in found if isinstance(site, str)), "")
            if not reason:
                scored.append(term)
        n_sites = len(set(term.variants)) if isinstance(term, Term) else 0
        for name, value in zip(
            TERMS.names, (row["score"], row["row"], row["kind"], not reason, reason, n_sites), strict=True
        ):
            columns[name].append(value)
    return pa.table(columns, TERMS), scored


def _sums(
    callset: Callset, terms: Sequence[Term], places: dict[Variant, Site | str], people: People, params: ScoreParams,
    frequencies: Frequencies | None, table: pa.Table,
) -> Added:  # fmt: skip
    scores = np.unique(np.array([term.score for term in terms], np.int32))
    shape = (len(scores), callset.n_samples)
    n_alleles, n_imputed, n_hom_ref = (np.zeros(shape, np.int32) for _ in range(3))
    added = Added(scores, np.zeros(shape), n_alleles, n_imputed, n_hom_ref, table)
    for block in _blocks(terms, callset.n_samples):
        sites = {v: site for term in block for v in term.variants if isinstance(site := places[v], Site)}
        matrix, row_of = sites_matrix(callset, list(sites.values()))
        genotypes = unpacked(matrix.read(0, matrix.n_sites), callset.n_samples)
        copies = {
            variant: copies_of(site, genotypes[row_of[site.shard, site.row]], people, params.missing, frequencies)
            for variant, site in sites.items()
        }
        for term in block:
            _add(added, int(np.searchsorted(scores, term.score)), term, [copies[v] for v in term.variants], params)
    return added


def _blocks(terms: Sequence[Term], n_samples: int) -> Iterator[list[Term]]:
    """Terms in order, as many as have genotypes within `_HELD_CELLS`."""
    held: list[Term] = []
    sites: set[Variant] = set()
    for term in terms:
        if held and len(sites | set(term.variants)) * n_samples > _HELD_CELLS:
            yield held
            held, sites = [], set()
        held.append(term)
        sites |= set(term.variants)
    if held:
        yield held


def _add(added: Added, at: int, term: Term, copies: Sequence[Copies], params: ScoreParams) -> None:
    """One term of everybody."""
    ploidy = np.max([one.ploidy for one in copies], axis=0)
    ploidy[np.min([one.ploidy for one in copies], axis=0) == 0] = 0  # Y of a woman: neither counted nor missing
    called = [np.where(ploidy > 0, one.called, 0.0) for one in copies]
    missing = np.asarray(np.isnan(called).any(axis=0), bool)
    if params.missing == "error" and missing.any():
        raise InputError(
            f"expected a genotype of everybody, found {int(missing.sum())} of {len(missing)} people without one at a "
            "site of an interaction or of APOE. Choose what stands in with prs.score.missing, or drop."
        )
    if params.missing == "drop" or not missing.any():
        values = _value(term, called)
    else:
        values = _expected(term, called, copies, missing)
    used = (ploidy > 0) & ~(missing & (params.missing == "drop"))
    added.sums[at] += term.weight * np.where(used, values, 0.0)
    added.n_alleles[at] += np.where(used, ploidy, 0).astype(np.int32)
    added.n_imputed[at] += missing
    if params.count_hom_ref:
        added.n_hom_ref[at] += (ploidy > 0) & np.all([one.hom_ref for one in copies], axis=0)


def _value(term: Term, called: Sequence[np.ndarray]) -> np.ndarray:
    if term.apoe:
        return apoe.value(term.apoe, apoe.counts(called[0], called[1]))
    return np.asarray(np.prod(called, axis=0), np.float64)


def _expected(term: Term, called: Sequence[np.ndarray], copies: Sequence[Copies], missing: np.ndarray) -> np.ndarray:
    """The value, and where a genotype is missing what is expected: for an interaction, expected copies multiplied."""
    if any(np.isnan(one.frequency[np.isnan(own)]).any() for own, one in zip(called, copies, strict=True)):
        raise InputError(
            "a genotype is missing at a site of an interaction or of APOE, and no frequency is known to stand in. "
            "Give --frequencies that have the site, or set prs.score.missing to drop."
        )
    if term.apoe:
        values = _value(term, called)
        some = np.flatnonzero(missing)
        values[some] = apoe.expected(
            term.apoe, called[0][some], called[1][some], copies[0].frequency[some], copies[1].frequency[some]
        )
        return values
    filled = [np.where(np.isnan(own), one.frequency * one.ploidy, own) for own, one in zip(called, copies, strict=True)]
    return np.asarray(np.prod(filled, axis=0), np.float64)
