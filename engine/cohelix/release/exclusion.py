"""Concepts whose rows are not in a tier: identifiers, accidents that newspapers report, results of genomes."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

from cohelix.omop.source import Cdm
from cohelix.release.policy import Policy
from cohelix.tier import Tier


def excluded_concepts(cdm: Cdm, policy: Policy, tier: Tier) -> np.ndarray:
    """int64, ascending: what the rules of the tier table name, by the CONCEPT and CONCEPT_ANCESTOR of the records.

    Without CONCEPT, rules by codes find nothing; what they are for is then in no vocabulary either.
    """
    rules = policy.concepts.get(tier, ())
    found = {rule.concept for rule in rules if rule.concept}
    below = {rule.concept for rule in rules if rule.concept and rule.descendants}
    by_code = [(rule.vocabulary, re.compile(rule.pattern), rule.descendants) for rule in rules if rule.pattern]
    if "concept" in cdm.tables():
        for batch in cdm.batches("concept", ("concept_id", "concept_code", "vocabulary_id")):
            for vocabulary, pattern, descendants in by_code:
                matching = _matching(batch, vocabulary, pattern)
                found |= matching
                below |= matching if descendants else set()
    if below and "concept_ancestor" in cdm.tables():
        ancestors = np.array(sorted(below), np.int64)
        for batch in cdm.batches("concept_ancestor", ("ancestor_concept_id", "descendant_concept_id")):
            is_below = is_among(_int64(batch.column("ancestor_concept_id")), ancestors)
            found.update(_int64(batch.column("descendant_concept_id"))[is_below].tolist())
    return np.array(sorted(found - {0}), np.int64)


def is_among(values: np.ndarray, ascending: np.ndarray) -> np.ndarray:
    """bool (n,)."""
    if not len(ascending):
        return np.zeros(len(values), bool)
    place = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    among: np.ndarray = ascending[place] == values
    return among


def _matching(batch: pa.RecordBatch, vocabulary: str, pattern: re.Pattern[str]) -> set[int]:
    import pyarrow.compute as pc

    rows = batch.filter(pc.fill_null(pc.equal(batch.column("vocabulary_id"), vocabulary), False))
    codes = zip(rows.column("concept_id").to_pylist(), rows.column("concept_code").to_pylist(), strict=True)
    return {concept for concept, code in codes if code is not None and pattern.search(code)}


def _int64(values: pa.Array) -> np.ndarray:
    return np.asarray(values.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
