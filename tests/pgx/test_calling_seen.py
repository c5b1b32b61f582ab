"""Genotypes of patterns in words and in counts, against a reading of each genotype by itself."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from cohelix.pgx.calling.listing import PATTERNS, merged
from cohelix.pgx.calling.seen import COUNTS, counts_at_positions, texts
from cohelix.pgx.definition import Gene, NamedAllele, Position
from cohelix.pgx.genotype import ABSENT, MISSING, OTHER
from cohelix.pgx.patterns import Patterns

LISTED = (("A", "G", "T"), ("C", "CT", "G"), ("G", "A"))
GENE = Gene(
    "TOY", "chr1", "autosome", "standard",
    (Position("chr1", 100, "rs1", "A", ("G",), ("g.100A>G",)), Position("chr1", 200, "rs2", "C", ("CT",), ("ins",))),
    (NamedAllele("*1", "1", True, ("A", "C"), 2, ()), NamedAllele("*2", "2", False, ("G", None), 1, ())),
    False, "made", "1", extra=(Position("chr1", 300, "rs3", "G", ("A",), ("g.300G>A",)),),
)  # fmt: skip
"""A gene of two positions and an extra one; T and G are seen at them and in no definition."""

ALLELE = st.sampled_from([0, 1, 2, OTHER, MISSING])
GENOTYPE = st.tuples(ALLELE, ALLELE | st.just(ABSENT), st.sampled_from([0, 1, 2, 3]))
PATTERN = st.tuples(GENOTYPE, GENOTYPE, GENOTYPE, st.integers(1, 50))


def made(drawn: list[tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int], int]]) -> Patterns:
    codes = np.array([[first | second << 4 for first, second, _ in one[:3]] for one in drawn], np.uint8).T
    phase = np.array([[phase for _, _, phase in one[:3]] for one in drawn], np.uint8).T
    m = len(drawn)
    return Patterns(
        "TOY", codes, phase, np.zeros(m, bool), np.zeros(m, bool), 2 * np.arange(m, dtype=np.uint64),
        np.array([one[3] for one in drawn]), np.zeros(0, np.int32), LISTED,
    )  # fmt: skip


def in_words(site: int, first: int, second: int, phase: int) -> str | None:
    names = [
        "." if one == MISSING else LISTED[site][one] if one < len(LISTED[site]) else "other"
        for one in (first, second)
        if one != ABSENT
    ]
    if set(names) in ({"."}, {LISTED[site][0]}):
        return None
    where = (*GENE.positions, *GENE.extra)[site].position
    return f"{where}:{('|' if phase else '/').join(names)}" + (f"@{phase}" if phase > 1 else "")


@given(st.lists(PATTERN, min_size=1, max_size=8))
def test_words_and_counts(drawn: list[tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int], int]]):
    patterns = made(drawn)
    told = texts(GENE, patterns)
    wanted = [" ".join(word for site in range(3) if (word := in_words(site, *one[site]))) for one in drawn]
    assert told.genotype.to_pylist() == wanted
    gone = [sum({first, second} <= {MISSING, ABSENT} for first, second, _ in one[:2]) for one in drawn]
    assert told.n_missing.tolist() == gone
    counts = counts_at_positions(GENE, patterns)
    for site in range(3):
        tally: Counter[str] = Counter()
        for one in drawn:
            first, second, _ = one[site]
            alleles = [allele for allele in (first, second) if allele != ABSENT]
            n_missing = alleles.count(MISSING)
            tally["n_missing" if n_missing == len(alleles) else "n_half" if n_missing else "n_called"] += one[3]
            tally["n_undocumented"] += one[3] * any(2 <= allele <= OTHER for allele in alleles)
        assert counts[site].tolist() == [tally[name] for name in COUNTS]


def listed(*rows: tuple[int, int, str, int]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {"gene": "TOY", "pattern": key, "n_people": n, "genotype": text, "n_missing": gone,
             "status": "called", "diplotypes": ["*1/*1"]}
            for key, n, text, gone in rows
        ],
        schema=PATTERNS,
    )  # fmt: skip


def test_patterns_of_blocks_are_added_up() -> None:
    first = listed((7, 2, "100:A/G", 0), (3, 9, "", 1), (5, 1, "200:C/CT", 0))
    second = listed((3, 1, "", 1), (7, 30, "100:A/G", 0), ((1 << 63) - 1, 2, "100:G/G", 0))
    found = merged(pa.concat_tables([first, second])).to_pylist()
    assert [(one["pattern"], one["n_people"], one["genotype"]) for one in found] == [
        (7, 32, "100:A/G"),
        (3, 10, ""),
        ((1 << 63) - 1, 2, "100:G/G"),
        (5, 1, "200:C/CT"),
    ]


def test_genotypes_that_share_a_key_stay_apart() -> None:
    found = merged(listed((3, 1, "100:A/G", 0), (3, 5, "100:G/G", 0), (3, 2, "100:A/G", 0))).to_pylist()
    assert sorted((one["n_people"], one["genotype"]) for one in found) == [(3, "100:A/G"), (5, "100:G/G")]
