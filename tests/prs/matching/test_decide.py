"""Decisions, weights and variances of drawn rows against their plain definitions."""

from __future__ import annotations

import dataclasses
import itertools
import random

import numpy as np
import pytest

from cohelix.prs.matching import codes
from cohelix.prs.matching.decide import Decisions, Rows, decide, entries, variances
from cohelix.prs.matching.target import Target
from cohelix.prs.matching.variants import Variants, distinct, in_order, keys_of
from cohelix.prs.schema import ADDITIVE, DOMINANT, DOSAGE, HET, HOM_ALT, HOM_REF, RECESSIVE, REF, SAME_ROW, MatchParams
from tests.oracles import prs_matching as plain

POLICIES = list(
    itertools.product(
        ("match", "exclude", "never"),
        ("exclude", "keep", "frequency"),
        ("exclude", "keep"),
        ("exclude", "first", "keep"),
    )
)


def drawn(seed: int, n_sites: int = 60, n_rows: int = 240) -> tuple[list[plain.Row], list[plain.Site], list[int]]:
    """Rows of three scores, sites, and the effect type of each row."""
    rng = random.Random(seed)
    sites = []
    for _ in range(n_sites):
        ref = rng.choice(["A", "C", "G", "T", "A", "C", "CA", "GTT"])
        alt = rng.choice([other for other in ("A", "C", "G", "T", "CAA", "GT", ".", "<DEL>", "*") if other != ref])
        where = rng.choice([(1, 10), (1, 11), (1, 20), (2, 10), (23, 5), (1, rng.randint(30, 60))])
        sites.append(plain.Site(*where, ref, alt, rng.choice([None, 0.0, 0.05, 0.3, 0.45, 0.5, 0.7, 0.95])))
    sites = sorted(set(sites), key=lambda site: (site.chromosome, site.position, site.ref, site.alt))
    rows, types = [], []
    for place in range(n_rows):
        site = rng.choice(sites)
        alt = rng.choice(["A", "C", "G", "T"]) if not site.alt.isalpha() else site.alt
        effect, other = rng.sample([site.ref, alt], 2)
        if effect == other:
            continue
        position, chromosome = site.position, site.chromosome
        if len(effect) == len(other) == 1 and rng.random() < 0.3:
            effect, other = plain.PAIRS[effect], plain.PAIRS[other]
        elif rng.random() < 0.3:  # padded by a base at an end
            effect, other, position = rng.choice(
                [(effect + "G", other + "G", position), ("T" + effect, "T" + other, position - 1)]
            )
        kind = rng.choice([ADDITIVE, ADDITIVE, DOMINANT, RECESSIVE, DOSAGE])
        w = rng.gauss(0, 1)
        weights = {
            ADDITIVE: (0.0, w, 2 * w), DOMINANT: (0.0, w, w), RECESSIVE: (0.0, 0.0, w),
            DOSAGE: (rng.gauss(0, 1), w, rng.gauss(0, 1)),
        }[kind]  # fmt: skip
        if rng.random() < 0.05:
            position = 0
        given = other if rng.random() < 0.8 else None
        frequency = rng.choice([None, 0.04, 0.28, 0.44, 0.69, 0.96])
        rows.append(plain.Row(place * 3 // n_rows, place, chromosome, position, effect, given, weights, frequency))
        types.append(kind)
    return rows, sites, types


def as_arrays(rows: list[plain.Row], types: list[int]) -> tuple[Rows, Variants]:
    alleles = tuple(dict.fromkeys(allele for row in rows for allele in (row.effect, row.other) if allele))
    code = {allele: place for place, allele in enumerate(alleles)}
    key = keys_of(np.array([r.chromosome for r in rows], np.int8), np.array([r.position for r in rows], np.int32))
    effect = np.array([code[row.effect] for row in rows], np.int32)
    other = np.array([-1 if row.other is None else code[row.other] for row in rows], np.int32)
    variants, of_row = distinct(key, effect, other, alleles, trimmed=True)
    kinds = np.array(types, np.int8)
    dosed = np.flatnonzero(kinds == DOSAGE)
    last = {ADDITIVE: 1, DOMINANT: 1, RECESSIVE: 2}
    weight = [np.nan if kind == DOSAGE else row.weights[last[kind]] for row, kind in zip(rows, types, strict=True)]
    return Rows(
        np.array([row.score for row in rows], np.int32),
        np.array([row.row for row in rows], np.int32),
        of_row,
        np.array(weight),
        kinds,
        np.array([np.nan if row.frequency is None else row.frequency for row in rows]),
        dosed,
        np.array([rows[place].weights for place in dosed]).reshape(-1, 3),
    ), variants


def target_of(sites: list[plain.Site], min_af: float) -> Target:
    alleles = tuple(dict.fromkeys(allele for site in sites for allele in (site.ref, site.alt)))
    places = [(site.chromosome, site.position) for site in sites]
    seen = [site.af is None or site.af > min_af for site in sites]
    further = [
        any(seen[n] for n, place in enumerate(places) if place == places[own] and n != own) for own in range(len(sites))
    ]
    n = len(sites)
    return Target(
        np.zeros(n, np.int32),
        np.arange(n, dtype=np.int32),
        keys_of(np.array([c for c, _ in places], np.int8), np.array([p for _, p in places], np.int32)),
        np.array([alleles.index(site.ref) for site in sites], np.int32),
        np.array([alleles.index(site.alt) for site in sites], np.int32),
        alleles,
        np.array([np.nan if site.af is None else site.af for site in sites]),
        np.array(further, bool),
        np.zeros(n, np.int8),
    )


def said_by(found: Decisions) -> list[plain.Said]:
    return [
        plain.Said(
            int(found.target[row]) if found.target[row] >= 0 else None,
            plain.KINDS[found.kind[row]] if found.kind[row] < codes.NO_MATCH else None,
            codes.STATUSES[found.status[row]],
            codes.REASONS[found.reason[row]],
            bool(found.ambiguous[row]),
            bool(found.multiallelic[row]),
            bool(found.several[row]),
            bool(found.duplicate[row]),
        )
        for row in range(len(found.target))
    ]


@pytest.mark.parametrize("policy", POLICIES, ids="-".join)
def test_decisions(policy: tuple[str, str, str, str]) -> None:
    flips, palindromic, multiallelic, duplicates = policy
    seen: set[tuple[str, str]] = set()
    for seed, min_af in ((1, 0.0), (9, 0.1)):
        rows, sites, types = drawn(seed)
        arrays, variants = as_arrays(rows, types)
        params = MatchParams(
            strand_flips=flips, palindromic=palindromic, multiallelic=multiallelic, duplicates=duplicates,
            multiallelic_min_af=min_af,
        )  # fmt: skip
        found = said_by(decide(arrays, variants, target_of(sites, min_af), params))
        expected = plain.decide(rows, sites, plain.Choices(*policy, min_af=min_af))
        assert found == expected
        seen |= {(one.status, one.reason) for one in found}
    assert {("matched", ""), ("unmatched", "absent"), ("unmatched", "other_alleles")} <= seen
    assert ("not_scorable", "no_position") in seen
    assert (("excluded", "duplicate") in seen) is (duplicates != "keep")


def test_every_branch_is_drawn() -> None:
    """What the grid above rests on: each kind of match and each reason occurs."""
    kinds, reasons = set(), set()
    for policy in POLICIES:
        for seed in (1, 9):
            rows, sites, _ = drawn(seed)
            said = plain.decide(rows, sites, plain.Choices(*policy))
            kinds |= {one.kind for one in said}
            reasons |= {one.reason for one in said}
            assert any(one.several for one in said)
    assert kinds == {None, *plain.KINDS}
    assert reasons == set(codes.REASONS)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_weights_add_what_each_copy_adds(seed: int) -> None:
    rows, sites, types = drawn(seed)
    arrays, variants = as_arrays(rows, types)
    params = MatchParams(palindromic="keep", multiallelic="keep", duplicates="keep")
    found = decide(arrays, variants, target_of(sites, 0.0), params)
    used = found.status == codes.MATCHED
    made = entries(arrays, found, used)
    order = sorted(np.flatnonzero(used).tolist(), key=lambda row: (found.target[row], rows[row].score, row))
    starts = np.flatnonzero(made.form < SAME_ROW)
    assert len(starts) == len(order) > 50
    for row, group in zip(order, np.split(np.arange(len(made.form)), starts[1:]), strict=True):
        assert (made.target[group] == found.target[row]).all()
        assert (made.score[group] == rows[row].score).all()
        for copies in (0, 1, 2):
            total = sum(float(made.weight[n]) * _times(int(made.form[n]) % SAME_ROW, copies) for n in group)
            assert total == pytest.approx(plain.added(rows[row], plain.KINDS[found.kind[row]], copies), abs=1e-15)


def _times(form: int, alt_copies: int) -> int:
    if form in (HOM_REF, HET, HOM_ALT):
        return int(alt_copies == (HOM_REF, HET, HOM_ALT).index(form))
    return 2 - alt_copies if form == REF else alt_copies


def test_variances() -> None:
    rows, sites, types = drawn(4)
    arrays, variants = as_arrays(rows, types)
    found = decide(arrays, variants, target_of(sites, 0.0), MatchParams())
    expected = []
    for row, said in zip(
        rows, plain.decide(rows, sites, plain.Choices("match", "exclude", "exclude", "exclude")), strict=True
    ):
        p = row.frequency
        if p is None:
            known = said.site is not None and sites[said.site].af is not None
            p = plain.frequency_at(said, sites[said.site]) if known and said.site is not None else 0.5
        expected.append(plain.variance(row, p))
    np.testing.assert_allclose(variances(arrays, found.p), expected, rtol=1e-12, atol=1e-15)


def test_nothing_to_match() -> None:
    rows, sites, types = drawn(1)
    arrays, variants = as_arrays(rows, types)
    found = decide(arrays, variants, target_of([], 0.0), MatchParams())
    assert (found.target == -1).all() and not found.duplicate.any()
    made = entries(arrays, found, found.status == codes.MATCHED)
    assert [len(getattr(made, field.name)) for field in dataclasses.fields(made)] == [0, 0, 0, 0]
    none, no_variants = as_arrays([], [])
    assert len(decide(none, no_variants, target_of(sites, 0.0), MatchParams()).target) == 0


def test_in_order_is_sorted_and_distinct() -> None:
    values = np.array([5, -2, 5, 9, -2, 0], np.int64)
    assert in_order(values).tolist() == [-2, 0, 5, 9]
    assert in_order(values[:0]).tolist() == []
