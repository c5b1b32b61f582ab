"""Each rule of docs/methods/joint.md once, on one sample, with the answer drawn by hand.

The reference is tests.joint.test_kernels.REFERENCE, `ACGTTACCAGATTTACAGCG...`; positions in the drawings are 0-based:

    0         1         2
    0123456789012345678901
    ACGTTACCAGATTTACAGCGAT
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.joint.test_kernels import REFERENCE, genotype
from tests.oracles import joint as plain

Told = tuple[int | None, bool, str, tuple[str, str] | None]


def record(
    start: int, ref: str, alts: str, *gt: int | None, gq: int | None = 50, dp: int | None = 30, **more: Any
) -> dict[str, Any]:
    assert REFERENCE.startswith(ref, start), "the drawing and the reference differ"
    return {
        "start": start,
        "ref": ref,
        "alts": alts.split(","),
        "gt": list(gt),
        "gq": gq,
        "dp": dp,
        "ad": [],
        "pl": [],
    } | more


def block(start: int, end: int, gq: int | None = 40, dp: int | None = 30, state: int = 2) -> dict[str, Any]:
    return {"start": start, "end": end, "gq": gq, "dp": dp, "state": state}


def cells(
    rows: list[plain.Key],
    records: list[dict[str, Any]],
    blocks: list[dict[str, Any]],
    ploidy: int = 2,
    lost: bool = False,
    **choices: Any,
) -> dict[plain.Key, Told]:
    """What the kernel says at each row; the definition must say the same. lost: other alleles have no row."""
    named = {
        c
        for r in records
        for c in plain.copies_of(r, plain.Rules(frozenset(), gq0_is_nocall=False))
        if isinstance(c, tuple)
    }
    all_rows = sorted({*rows} if lost else {*rows, *named})
    rules = plain.Rules(frozenset(all_rows), **choices)
    sample = {"records": records, "blocks": blocks, "sex": 2}
    found, expected, _, spelled = genotype([sample], all_rows, rules, np.full((3, len(all_rows)), ploidy, np.int8))
    keys = [(r.key[0], r.key[1].decode(), r.key[2].decode()) for r in spelled]
    told = [[(c.call, c.call is not None and c.one, c.reason, c.known) for c in some[0]] for some in (found, expected)]
    assert told[0] == told[1]
    return dict(zip(keys, told[0], strict=True))


def cell(row: plain.Key, records: list[dict[str, Any]], blocks: list[dict[str, Any]], **choices: Any) -> Told:
    return cells([row], records, blocks, **choices)[row]


def missing(reason: str, *known: str) -> Told:
    return None, False, reason, (known[0], known[1]) if known else None


HOM_REF, HET, HOM_ALT = ((n, False, "called", None) for n in range(3))
HAPLOID_REF, HAPLOID_ALT = ((n, True, "called", None) for n in range(2))

SNP = (7, "C", "T")
LONG = (8, "AGAT", "")  # a deletion of bases 8 to 11, written at 7 as CAGAT>C: its span is [7, 12)


def test_reference_over_joined_blocks() -> None:
    #        5    7 8  11 12
    #        [block)[block)
    # row           C AGAT
    assert cell(LONG, [], [block(5, 8), block(8, 12)]) == HOM_REF
    assert cell(LONG, [], [block(5, 8), block(9, 12)]) == missing("partial")  # nothing over base 8
    assert cell(LONG, [], [block(5, 8), block(8, 11)]) == missing("partial")  # nor over base 11
    assert cell(LONG, [], [block(8, 12)]) == missing("partial")  # the span begins at POS, base 7
    assert cell(LONG, [], [block(5, 8), block(9, 12)], partial_ok=True) == HOM_REF
    assert cell(LONG, [], [block(0, 7), block(12, 20)], partial_ok=True) == missing("no_data")
    assert cell(LONG, [], []) == missing("no_data")


@pytest.mark.parametrize(
    ("gqs", "dps", "passes"), [((99, 20), (30, 10), True), ((99, 19), (30, 30), False), ((99, 99), (30, 9), False)]
)
def test_the_minimum_over_blocks_counts(gqs: tuple[int, int], dps: tuple[int, int], passes: bool) -> None:
    """adj (GQ >= 20, DP >= 10) sees the lowest of each."""
    blocks = [block(5, 8, gqs[0], dps[0]), block(8, 12, gqs[1], dps[1])]
    assert cell(LONG, [], blocks, adj_filter=True) == (HOM_REF if passes else missing("filtered"))


def test_a_called_record_is_evidence_too() -> None:
    # 5  8      10   12
    # [block)A>G[block)     a SNP at 8 and 9..12 blocks: the deletion of 8..11 is not carried
    snp = record(8, "A", "G", 0, 1)
    assert cell(LONG, [snp], [block(5, 8), block(9, 12)]) == HOM_REF
    assert cell(LONG, [record(8, "A", "G", 0, 1, gq=0)], [block(5, 8), block(9, 12)], gq0_is_nocall=False) == HOM_REF


def test_gq_0() -> None:
    blocks = [block(5, 8), block(8, 12, gq=0)]
    assert cell(LONG, [], blocks) == missing("gq0")
    assert cell(LONG, [], blocks, gq0_is_nocall=False) == HOM_REF
    het = [record(7, "C", "T", 0, 1, gq=0)]
    assert cell(SNP, het, []) == missing("gq0")
    assert cell(SNP, het, [], gq0_is_nocall=False) == HET
    assert cell(SNP, [], [block(0, 20, gq=None)]) == HOM_REF  # not stated is not 0


def test_no_call_anywhere_in_the_span() -> None:
    blocks = [block(5, 10), block(10, 12, state=0)]
    assert cell(LONG, [], blocks) == missing("no_call")
    assert cell(LONG, [], blocks, partial_ok=True) == HOM_REF
    assert cell(SNP, [], blocks) == HOM_REF
    assert cell(SNP, [record(7, "C", "G", None, None)], []) == missing("no_call")


def test_a_deletion_covers_what_it_spans() -> None:
    # het and hom deletion of 8..11; a row at 9 (G>A)
    inside, rest = (9, "G", "A"), [block(0, 7), block(12, 20)]
    assert cell(inside, [record(7, "CAGAT", "C", 0, 1)], rest) == missing("deletion", "0", "*")
    assert cell(inside, [record(7, "CAGAT", "C", 1, 1)], rest) == missing("deletion", "*", "*")
    assert cell(inside, [record(7, "CAGAT", "C", 1)], rest, ploidy=1) == missing("deletion")
    assert cell(inside, [record(7, "CAGAT", "C", 1)], rest, ploidy=2) == missing("deletion", "*", ".")
    assert cell(inside, [record(7, "CAGAT", "C", 1)], rest, ploidy=0) == missing("ploidy")
    # POS itself, base 7, is not deleted: another allele there is reference
    assert cell(SNP, [record(7, "CAGAT", "C", 0, 1)], rest) == HOM_REF


def test_a_star_is_the_same_deletion_not_another() -> None:
    deletion = record(7, "CAGAT", "C", 0, 1)
    inside = record(9, "G", "A,*", 1, 2)
    assert cell((9, "G", "A"), [deletion, inside], []) == missing("deletion", "1", "*")
    assert cell((9, "G", "T"), [deletion, record(9, "G", "*", 0, 1)], []) == missing("deletion", "0", "*")
    # a star at base 9 says nothing of POS 8: the sample has a called record there, and no other evidence is asked for
    assert cell((8, "AG", "TC"), [record(9, "G", "*", 0, 1)], [block(0, 9)]) == HOM_REF


def test_a_snp_on_the_other_chromosome_of_a_deletion() -> None:
    # 0/1 deletes 8..11, 0/1 at 9: two copies over base 9, no contradiction. GATK writes the SNP as 0/1 or 1/*
    records = [record(7, "CAGAT", "C", 0, 1), record(9, "G", "A", 0, 1)]
    assert cells([], records, []) == {LONG: HET, (9, "G", "A"): HET}


def test_half_calls() -> None:
    assert cell(SNP, [record(7, "C", "T", None, 1)], []) == missing("half_call", ".", "1")
    assert cell(SNP, [record(7, "C", "T", 1, None)], []) == missing("half_call", "1", ".")
    assert cell((7, "C", "G"), [record(7, "C", "T", None, 1)], []) == missing("half_call", "0", ".")


def test_half_calls_that_complete_each_other() -> None:
    # ./1 deletes 8..11 and ./1 at 9: each dot is the copy that the other states
    records = [record(7, "CAGAT", "C", None, 1), record(9, "G", "A", None, 1)]
    assert cells([], records, []) == {LONG: HET, (9, "G", "A"): HET}
    # alone, neither is complete
    assert cell(LONG, records[:1], []) == missing("half_call", ".", "1")


def test_records_that_contradict_each_other() -> None:
    # 1/1 deletes 8..11, yet 0/1 at 9: three copies
    records = [record(7, "CAGAT", "C", 1, 1), record(9, "G", "A", 0, 1)]
    assert cells([], records, []) == {LONG: missing("overlap"), (9, "G", "A"): missing("overlap")}
    # a SNP that ends before the contradiction does not hide it: 0/1 at 8, 1/1 at 10, under a het deletion
    records = [record(7, "CAGAT", "C", 0, 1), record(8, "A", "G", 0, 1), record(10, "A", "G", 1, 1)]
    told = cells([], records, [])
    assert told[LONG] == told[10, "A", "G"] == missing("overlap")
    assert told[8, "A", "G"] == HET
    # an insertion has no bases that could be claimed twice: C>CG at 7 beside C>T at 7
    records = [record(7, "C", "CG", 1, 1), record(7, "C", "T", 1, 1)]
    assert cells([], records, []) == {(8, "", "G"): HOM_ALT, SNP: HOM_ALT}


def test_two_records_of_one_allele() -> None:
    # C>T at 7, and again as CAGAT>TAGAT
    records = [record(7, "C", "T", 0, 1), record(7, "CAGAT", "TAGAT", 0, 1)]
    assert cell(SNP, records, []) == missing("overlap")


def test_overlap_best() -> None:
    # three het SNPs over base 7 cannot be: the one of quality 10 gives way and is reference
    records = [record(7, "C", "T", 0, 1, gq=30), record(7, "C", "G", 0, 1, gq=10), record(7, "C", "A", 0, 1, gq=20)]
    rows = [(7, "C", alt) for alt in "TGA"]
    assert set(cells(rows, records, []).values()) == {missing("overlap")}
    assert cells(rows, records, [], best=True) == {rows[0]: HET, rows[1]: HOM_REF, rows[2]: HET}
    # a hom call does not compete
    records = [record(7, "C", "T", 1, 1, gq=30), record(7, "C", "G", 0, 1, gq=10)]
    assert set(cells([], records, [], best=True).values()) == {missing("overlap")}


def test_haploid_records_have_one_chromosome() -> None:
    # a haploid deletion of 8..11 and a haploid SNP at 9: two copies on one chromosome
    records = [record(7, "CAGAT", "C", 1, gq=20), record(9, "G", "A", 1, gq=30)]
    told = cells([], records, [], ploidy=1)
    assert told == {LONG: missing("overlap"), (9, "G", "A"): missing("overlap")}
    # the weaker one gives way; its record still covers 7..11
    assert cells([], records, [], ploidy=1, best=True) == {LONG: HAPLOID_REF, (9, "G", "A"): HAPLOID_ALT}


def test_alleles_without_a_row() -> None:
    both = record(7, "C", "T,G", 1, 2)
    assert cells([SNP], [both], [], lost=True)[SNP] == missing("lost_allele", "1", ".")
    assert cells([SNP], [record(7, "C", "G", 0, 1)], [], lost=True)[SNP] == missing("lost_allele", "0", ".")
    assert cells([SNP], [record(7, "C", "G", 1, 1)], [], lost=True)[SNP] == missing("lost_allele")
    assert cell(SNP, [record(7, "C", "<DEL>", 0, 1)], []) == missing("lost_allele", "0", ".")
    assert cell(SNP, [record(7, "C", "T", 1, 2)], []) == missing("lost_allele", "1", ".")  # 2: <NON_REF>
    assert cell((9, "G", "A"), [record(9, "G", "A,T", 1, 2)], []) == HET  # with a row for T, A is het


def test_ploidy() -> None:
    hap, dip, ref = record(7, "C", "T", 1), record(7, "C", "T", 0, 1), [block(0, 20)]
    assert cell(SNP, [hap], [], ploidy=1) == HAPLOID_ALT
    assert cell(SNP, [record(7, "C", "T", 1, 1)], [], ploidy=1) == HAPLOID_ALT
    assert cell(SNP, [dip], [], ploidy=1) == missing("ploidy")
    assert cell(SNP, [], ref, ploidy=1) == HAPLOID_REF
    for sample in ([hap], [dip]):  # a woman's Y
        assert cell(SNP, sample, [], ploidy=0) == missing("ploidy")
    assert cell(SNP, [], ref, ploidy=0) == missing("ploidy")
    assert cell(SNP, [], [], ploidy=0) == missing("no_data")
    assert (cell(SNP, [hap], [], ploidy=-1), cell(SNP, [dip], [], ploidy=-1)) == (HAPLOID_ALT, HET)
    assert cell(SNP, [], [block(0, 20, state=1)], ploidy=-1) == HAPLOID_REF
    assert cell(SNP, [], ref, ploidy=-1) == HOM_REF


def test_haploid_calls_where_two_copies_are_expected() -> None:
    assert cell(SNP, [], [block(0, 20, state=1)], ploidy=2) == HOM_REF
    assert cell(SNP, [record(7, "C", "T", 1)], [], ploidy=2) == missing("ploidy", "1", ".")
    records = [record(7, "CAGAT", "C", 0, 1), record(9, "G", "A", 1)]  # the other copy is the deletion's
    assert cell((9, "G", "A"), records, [], ploidy=2) == missing("deletion", "1", "*")


def test_min_allele_depth() -> None:
    # AD counts REF and each ALT; DP stands in where there is no AD
    assert cell(SNP, [record(7, "C", "T", 0, 1, ad=[9, 5])], [], min_depth=5) == HET
    assert cell(SNP, [record(7, "C", "T", 0, 1, ad=[9, 4])], [], min_depth=5) == missing("low_depth", "0", ".")
    assert cell(SNP, [record(7, "C", "T", 0, 1, ad=[4, 9])], [], min_depth=5) == missing("low_depth", ".", "1")
    assert cell(SNP, [record(7, "C", "T", 1, 1, ad=[0, 9])], [], min_depth=5) == HOM_ALT
    assert cell(SNP, [record(7, "C", "T", 0, 1, dp=4)], [], min_depth=5) == missing("low_depth")
    assert cell(SNP, [record(7, "C", "T", 0, 1, dp=None)], [], min_depth=5) == HET
    assert cell(SNP, [], [block(0, 20, dp=4)], min_depth=5) == missing("low_depth")
    assert cell(SNP, [], [block(0, 20, dp=5)], min_depth=5) == HOM_REF


@pytest.mark.parametrize(
    ("gt", "ploidy", "gq", "dp", "ad", "passes"),
    [
        ((0, 1), 2, 20, 10, [8, 2], True),  # GQ 20, DP 10, 2 of 10 reads: each just enough
        ((0, 1), 2, 19, 10, [8, 2], False),
        ((0, 1), 2, 20, 9, [5, 4], False),
        ((0, 1), 2, 20, 11, [9, 2], False),  # 2 of 11 is less than a fifth
        ((0, 1), 2, 20, None, [8, 2], True),  # without DP the reads are summed
        ((0, 1), 2, 20, None, [9, 2], False),
        ((0, 1), 2, 20, 10, [], True),  # what is not stated cannot fail ...
        ((0, 1), 2, None, 10, [8, 2], False),  # ... but GQ
        ((1, 1), 2, 20, 10, [9, 1], True),  # the share is asked of a het only
        ((1,), 1, 20, 5, [0, 5], True),  # one chromosome, half the depth
        ((1,), 1, 20, 4, [0, 4], False),
    ],
)  # fmt: skip
def test_adj(gt: tuple[int, ...], ploidy: int, gq: int | None, dp: int | None, ad: list[int], passes: bool) -> None:
    records = [record(7, "C", "T", *gt, gq=gq, dp=dp, ad=ad)]
    unfiltered = {(0, 1): HET, (1, 1): HOM_ALT, (1,): HAPLOID_ALT}[gt]
    assert cell(SNP, records, [], ploidy=ploidy) == unfiltered
    assert cell(SNP, records, [], ploidy=ploidy, adj_filter=True) == (unfiltered if passes else missing("filtered"))
