"""The joint caller's kernels against their plain definitions (tests/oracles/joint.py).

COHELIX_EXAMPLES sets the number of generated examples: test_uncompiled.py runs this file with fewer, without Numba.
"""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cohelix.joint import batch, kernels, unify
from cohelix.joint.annotation import kernels as annotation
from cohelix.joint.genotype import kernels as g
from cohelix.joint.gvcf import kernels as text_kernels
from cohelix.joint.overlap import kernels as overlap
from cohelix.joint.schema import BANDS, OUTCOMES, REASONS, SAMPLE_COUNTS, SITE_COUNTS
from tests.oracles import joint as plain

EXAMPLES = int(os.environ.get("COHELIX_EXAMPLES", "300"))
small = settings(max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))

# gVCF lines

CONTIGS = ["chr1", "chr2", "chr22", "HLA-A*01:01:01:01"]
BASES = st.text("ACGTNacgt", min_size=1, max_size=4)
LONG = st.integers(1, 300).map(lambda n: ("ACGT" * n)[:n])
SPECIAL = st.sampled_from(["*", "<DEL>", "<DUP:TANDEM>", "A[chr2:17["])
NUMBER = st.one_of(
    st.just("."), st.integers(0, 300).map(str), st.sampled_from(["99.7", "1.3e-05", "-3", "2e1", "99999999999"])
)


@st.composite
def gvcf_line(draw: st.DrawFn) -> str:
    """A line as GATK, DRAGEN, DeepVariant or an old caller writes it."""
    pos = draw(st.integers(1, 250_000_000))
    unnamed = draw(st.sampled_from(["<NON_REF>", "<*>", "<X>"]))
    if draw(st.booleans()):
        alts = [draw(st.sampled_from([unnamed, "."]))]
        ref = draw(st.one_of(st.sampled_from("ACGTN"), BASES))
        info = draw(
            st.sampled_from([".", f"END={pos + 100}", f"DP=3;END={pos}", f"END={pos};X=END=1", "MQ=3;BEND=1;XEND=2"])
        )
    else:
        alts = draw(st.lists(st.one_of(BASES, LONG, SPECIAL), min_size=1, max_size=3)) + draw(
            st.sampled_from([[], [unnamed]])
        )
        ref = draw(st.one_of(BASES, LONG))
        info = draw(st.sampled_from([".", "DP=12;MQ=60.00", f"END={pos + 9}"]))
    top = 0 if alts == ["."] else len(alts)
    allele = st.one_of(st.just("."), st.integers(0, top).map(str))
    gt = draw(st.one_of(allele, st.tuples(allele, st.sampled_from("/|"), allele).map("".join), st.just("./.")))
    extra = draw(st.permutations(["AD", "DP", "GQ", "MIN_DP", "PL", "PS", "SB", "PGT", "SPL", "ICNT", "RGQ"]))
    keys = ["GT", *extra[: draw(st.integers(0, 11))]]
    values = {key: draw(NUMBER) for key in ("DP", "GQ", "MIN_DP", "PS")}
    values |= {"GT": gt, "AD": draw(st.sampled_from(["10,3", "10,3,0", "."])),
               "PL": draw(st.sampled_from(["0,10,100", "."])),
               "SB": "1,2,3,4", "PGT": "0|1", "SPL": "0,3", "ICNT": ".", "RGQ": "1"}  # fmt: skip
    sample = [values[key] for key in keys][: draw(st.sampled_from([1, 2, 99]))]
    fields = [draw(st.sampled_from(CONTIGS)), str(pos), ".", ref, ",".join(alts), "30.6",
              draw(st.sampled_from(["PASS", ".", "q10;LowQual"])), info, ":".join(keys), ":".join(sample)]  # fmt: skip
    return "\t".join(fields)


def tokenise(content: bytes, contigs: list[str] = CONTIGS) -> tuple[np.ndarray, int, int]:
    data = np.frombuffer(content, np.uint8)
    names = [c.encode() for c in contigs]
    at = np.cumsum([0, *map(len, names)], dtype=np.int64)
    lines = np.zeros((int(text_kernels.count_lines(data)) + 1, text_kernels.N_COLUMNS), np.int32)
    n, status, fault = text_kernels.tokenise(data, np.frombuffer(b"".join(names), np.uint8), at, 0, lines)
    return lines[:n], int(status), int(fault)


def missing(value: int) -> int | None:
    return None if value == -1 else int(value)


def as_plain(content: bytes, row: np.ndarray) -> dict[str, Any]:
    t = text_kernels

    def cut(at: int, length: int) -> str | None:
        return None if row[at] < 0 else content[row[at] : row[at] + row[length]].decode()

    second = [] if row[t.ALLELE2] == t.ABSENT else [missing(row[t.ALLELE2])]
    return {
        "contig": row[t.CONTIG], "start": row[t.START], "end": row[t.END],
        "alleles": [missing(row[t.ALLELE1]), *second], "phased": bool(row[t.PHASED]),
        "ref": cut(t.REF_AT, t.REF_LEN), "filter": cut(t.FILTER_AT, t.FILTER_LEN),
        "gq": missing(row[t.GQ]), "dp": missing(row[t.DP]), "phase_set": missing(row[t.PHASE_SET]),
        "ad": cut(t.AD_AT, t.AD_LEN), "pl": cut(t.PL_AT, t.PL_LEN), "kind": ("block", "variant")[row[t.KIND]],
        "n_alt": row[t.N_ALT], "alt": cut(t.ALT_AT, t.ALT_LEN),
    }  # fmt: skip


@small
@given(st.lists(gvcf_line(), max_size=25), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_a_line_is_read_as_its_definition_says(written: list[str], newline: str, ends: bool) -> None:
    content = (newline.join(written) + (newline if ends else "")).encode()
    if not content:
        content = b"\n"
    lines, status, _ = tokenise(content)
    assert status == text_kernels.OK
    assert [as_plain(content, row) for row in lines] == [plain.parse_line(line, CONTIGS) for line in written]


GOOD = "chr1\t100\t.\tA\tG,<NON_REF>\t.\t.\t.\tGT:GQ\t0/1:9"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("chr1\t100\t.\tA\tG\t.\t.\t.\tGT", "SHORT_ROW"),
        ("chr1", "SHORT_ROW"),
        ("chr1\t0\t.\tA\tG\t.\t.\t.\tGT\t0/1", "BAD_POSITION"),
        ("chr1\t1e5\t.\tA\tG\t.\t.\t.\tGT\t0/1", "BAD_POSITION"),
        ("chr1\t-5\t.\tA\tG\t.\t.\t.\tGT\t0/1", "BAD_POSITION"),
        ("chr1\t.\t.\tA\tG\t.\t.\t.\tGT\t0/1", "BAD_POSITION"),
        ("chr1\t100\t.\tA\t<*>\t.\t.\tEND=99\tGT\t0/0", "BAD_END"),
        ("chr1\t100\t.\tA\t<*>\t.\t.\tEND=x\tGT\t0/0", "BAD_END"),
        ("chr1\t100\t.\tA\t<*>\t.\t.\tEND=\tGT\t0/0", "BAD_END"),
        ("chr1\t100\t.\tA\tG\t.\t.\t.\tGQ\t30", "NO_GT"),
        ("chr1\t100\t.\tA\tG\t.\t.\t.\tGT\t0/1/1", "PLOIDY_OVER_2"),
        ("chr1\t100\t.\tA\tG\t.\t.\t.\tGT\t0/2", "ALLELE_OUT_OF_RANGE"),
        ("chr1\t100\t.\tA\tG\t.\t.\t.\tGT\t2", "ALLELE_OUT_OF_RANGE"),
        ("chr3\t100\t.\tA\tG\t.\t.\t.\tGT\t0/1", "UNKNOWN_CONTIG"),
        ("chr\t100\t.\tA\tG\t.\t.\t.\tGT\t0/1", "UNKNOWN_CONTIG"),
        ("chr1\t100\t.\t\tG\t.\t.\t.\tGT\t0/1", "EMPTY_ALLELE"),
        ("chr1\t100\t.\tA\t\t.\t.\t.\tGT\t0/1", "EMPTY_ALLELE"),
        ("chr1\t100\t.\tA\tG\t.\t.\t.\tGT:GQ\t0/1:x", "BAD_NUMBER"),
        ("chr1\t100\t.\tA\tG\t.\t.\t.\tGT:DP\t0/1:3,4", "BAD_NUMBER"),
        ("chr1\t100\t.\tA\tG\t.\t.\t.\tGT:DP\t0/1:1e", "BAD_NUMBER"),
        ("chr1\t100\t.\tA\tG\t.\t.\t.\tGT:DP\t0/1:1.2.3", "BAD_NUMBER"),
        ("chr1\t100\t.\tA\tG\t.\t.\t.\tGT:DP\t0/1:-", "BAD_NUMBER"),
        ("chr1\t100\t.\tA\tG\t.\t.\t.\tGT\t0/1\t0/1", "MANY_SAMPLES"),
        ("chr1\t100\t.\tA1\tG\t.\t.\t.\tGT\t0/1", "BAD_BASE"),
        ("chr1\t100\t.\tA\tG\t.\t.\t.\tGT\t0/x", "BAD_GT"),
        ("chr1\t100\t.\tA\tG\t.\t.\t.\tGT\t0.5/1", "BAD_GT"),
        ("chr1\t100\t.\tA\tG\t.\t.\t.\tGT\t", "BAD_GT"),
        ("chr1\t100\t.\tA\tG\t.\t.\t.\tGT\t0/", "BAD_GT"),
    ],
)  # fmt: skip
def test_a_fault_is_found_and_placed(line: str, status: str) -> None:
    lines, found, at = tokenise(f"{GOOD}\n{line}\n{GOOD}\n".encode())
    assert (len(lines), found, at) == (1, getattr(text_kernels, status), len(GOOD) + 1)


def test_more_formats_than_are_remembered() -> None:
    lines = [f"chr1\t{i + 1}\t.\tA\tG\t.\t.\t.\tGT:X{i % 40}:GQ\t0/1:7:{i}" for i in range(200)]
    found, status, _ = tokenise("\n".join(lines).encode())
    assert status == text_kernels.OK and found[:, text_kernels.GQ].tolist() == list(range(200))


@small
@given(st.lists(st.lists(NUMBER, max_size=6), max_size=6), st.integers(0, 7))
def test_lists_of_numbers(lists: list[list[str]], limit: int) -> None:
    cells = [",".join(values) for values in lists]
    at = np.cumsum([0, *map(len, cells)])[:-1].astype(np.int32)
    data = np.frombuffer("".join(cells).encode() or b"x", np.uint8)
    length = np.array([len(c) for c in cells], np.int32)
    offsets, content = text_kernels.gather(data, at, length)
    assert [bytes(content[a:b]).decode() for a, b in pairwise(offsets)] == cells
    offsets, values, fault = text_kernels.number_lists(data, at, length, np.full(len(cells), limit, np.int32))
    assert fault == -1
    expected = [[plain.number(v) for v in c.split(",")][:limit] if c not in ("", ".") else [] for c in cells]
    assert [[missing(v) for v in values[a:b]] for a, b in pairwise(offsets)] == expected


def test_a_list_with_a_word_in_it_is_found() -> None:
    data = np.frombuffer(b"1,2,3,x", np.uint8)
    lists = np.array([0, 4], np.int32), np.array([3, 3], np.int32), np.array([9, 9], np.int32)
    assert text_kernels.number_lists(data, *lists)[2] == 1


@small
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4)), max_size=5), st.integers(-1, 1), st.integers(-1, 4))
def test_the_first_record_out_of_order(places: list[tuple[int, int]], contig: int, start: int) -> None:
    chain = [(contig, start), *places]
    expected = [i for i, (a, b) in enumerate(pairwise(chain)) if a[0] == b[0] and b[1] < a[1]]
    columns = np.array(places, np.int32).reshape(-1, 2)
    assert text_kernels.first_disorder(columns[:, 0].copy(), columns[:, 1].copy(), contig, start) == [*expected, -1][0]


# Alleles

DNA = st.text("ACGTacgt", min_size=1, max_size=6)


def as_bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode() or b"\0", np.uint8)


@small
@given(DNA, DNA, st.integers(0, 50))
def test_trim(ref: str, alt: str, start: int) -> None:
    a, b, c, d = kernels.trim(as_bytes(ref), 0, len(ref), as_bytes(alt), 0, len(alt))
    assert (start + a, ref[a:b].upper(), alt[c:d].upper()) == plain.trim(start, ref, alt)
    assert unify.trimmed(start, ref, alt) == (start + a, ref[a:b].upper().encode(), alt[c:d].upper().encode())


@small
@given(st.text("AC", min_size=8, max_size=20), st.data())
def test_left_align(reference: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(1, len(reference)))
    bases = data.draw(st.text("AC", min_size=1, max_size=4))
    key = (start, bases.encode(), b"") if reference.startswith(bases, start) else (start, b"", bases.encode())
    expected = plain.left_align((start, key[1].decode(), key[2].decode()), reference)
    found = unify.left_align(key, lambda low, high: reference[low:high].encode())
    assert (found[0], found[1].decode(), found[2].decode()) == expected


@small
@given(st.integers(2, 4), st.booleans(), st.data())
def test_allele_quality(n_alleles: int, haploid: bool, data: st.DataObject) -> None:
    right = n_alleles if haploid else n_alleles * (n_alleles + 1) // 2
    size = data.draw(st.sampled_from([right, right, right, 0, right + 1]))
    pl = data.draw(st.lists(st.one_of(st.none(), st.integers(0, 500)), min_size=size, max_size=size))
    allele = data.draw(st.integers(1, n_alleles - 1))
    array = np.array([-7, *(-1 if v is None else v for v in pl), -7], np.int32)
    expected = plain.allele_quality(pl, allele, n_alleles, haploid)
    found = kernels.allele_quality(array, 1, 1 + size, allele, n_alleles, haploid)
    assert found == (-1 if expected is None else expected)


# Reference blocks

UNKNOWN_OR = st.one_of(st.none(), st.integers(0, 60))


@st.composite
def some_blocks(draw: st.DrawFn, overlapping: bool) -> list[dict[str, Any]]:
    blocks = []
    for contig in range(draw(st.integers(1, 2))):
        at = 0
        for _ in range(draw(st.integers(0, 6))):
            start = draw(st.integers(0, 20)) if overlapping else at + draw(st.sampled_from([0, 0, 1, 3]))
            at = start + draw(st.integers(1, 8))
            blocks.append({"contig": contig, "start": start, "end": at, "gq": draw(UNKNOWN_OR), "dp": draw(UNKNOWN_OR),
                           "state": draw(st.sampled_from([2, 2, 1, 0]))})  # fmt: skip
    return sorted(blocks, key=lambda b: (b["contig"], b["start"]))


def block_arrays(blocks: list[dict[str, Any]]) -> list[np.ndarray]:
    columns = [
        [-1 if b.get(name) is None else b[name] for b in blocks] for name in ("contig", "start", "end", "gq", "dp")
    ]
    return [*(np.array(c, np.int32) for c in columns), np.array([b["state"] for b in blocks], np.int8)]


def block_dicts(arrays: Any) -> list[dict[str, Any]]:
    names = ("contig", "start", "end", "gq", "dp", "state")
    return [
        {n: missing(v) if n in ("gq", "dp") else int(v) for n, v in zip(names, row, strict=True)}
        for row in zip(*arrays, strict=True)
    ]


@small
@given(some_blocks(overlapping=True))
def test_flatten_blocks(blocks: list[dict[str, Any]]) -> None:
    flat = block_dicts(kernels.flatten_blocks(*block_arrays(blocks)))
    for contig in (0, 1):
        mine = [b for b in flat if b["contig"] == contig]
        found = {base: (b["gq"], b["dp"], b["state"]) for b in mine for base in range(b["start"], b["end"])}
        assert found == plain.flatten([b for b in blocks if b["contig"] == contig])
    ends = [(b["contig"], edge) for b in flat for edge in (b["start"], b["end"])]
    assert ends == sorted(ends)


@small
@given(some_blocks(overlapping=True))
def test_overlapping_block(blocks: list[dict[str, Any]]) -> None:
    def clashes(i: int) -> bool:
        return any(b["contig"] == blocks[i]["contig"] and b["end"] > blocks[i]["start"] for b in blocks[:i])

    expected = [i for i in range(len(blocks)) if clashes(i)]
    assert kernels.overlapping_block(*block_arrays(blocks)[:3]) == [*expected, -1][0]


@small
@given(some_blocks(overlapping=False))
def test_join_bands(blocks: list[dict[str, Any]]) -> None:
    joined = kernels.join_bands(*block_arrays(blocks), np.array(BANDS, np.int32))
    assert block_dicts(joined) == plain.join_bands(blocks, BANDS)


@pytest.mark.parametrize(("a", "b", "lower"), [(3, 5, 3), (5, 3, 3), (-1, 5, 5), (5, -1, 5), (-1, -1, -1), (0, -1, 0)])
def test_the_lower_of_two_of_which_one_may_be_unknown(a: int, b: int, lower: int) -> None:
    assert kernels.lower_known(a, b) == lower


# Samples

REFERENCE = "ACGTTACCAGATTTACAGCGATACGATCTTGACATTAGCA"
PLOIDIES = (2, 1, 0, -1)
OTHER = {"A": "G", "C": "T", "G": "A", "T": "C"}


@st.composite
def a_record(draw: st.DrawFn) -> dict[str, Any]:
    """A record over a short reference: SNPs, deletions, insertions, `*`, symbolic; any call."""
    start = draw(st.integers(0, 28))
    ref = REFERENCE[start : start + draw(st.sampled_from([1, 1, 1, 2, 3, 5, 9]))]
    snp, other = (
        OTHER[ref[0]],
        OTHER[OTHER[ref[0]]] if len(ref) > 1 else ("T" if ref[0] != "T" and OTHER[ref[0]] != "T" else "G"),
    )
    choices = [
        snp + ref[1:],
        ref[0] + "T" + ref[1:],
        ref + "GG",
        "*",
        "<DEL>",
        other + ref[1:] if other != ref[0] else ref + "C",
    ]
    choices += [ref[0], ref[:-1], snp] if len(ref) > 1 else []
    alts = draw(st.lists(st.sampled_from([c for c in choices if c != ref]), min_size=1, max_size=2, unique=True))
    allele = st.sampled_from([0, 0, 0, 1, 1, 1, 1, len(alts), len(alts), None, len(alts) + 1])
    gt = draw(st.one_of(st.tuples(allele, allele), st.tuples(allele, allele), st.tuples(allele), st.just((0, 1))))
    n = len(alts) + 1
    pl_size = n if len(gt) == 1 else n * (n + 1) // 2
    return {
        "start": start, "ref": ref, "alts": alts, "gt": list(gt),
        "gq": draw(st.sampled_from([0, 10, 20, 50, 99, None])), "dp": draw(st.sampled_from([None, 0, 4, 5, 9, 10, 30])),
        "ad": draw(st.one_of(st.just([]), st.lists(st.sampled_from([0, 2, 5, 10, 20]), min_size=n, max_size=n))),
        "pl": draw(st.one_of(st.just([]), st.lists(st.integers(0, 90), min_size=pl_size, max_size=pl_size))),
    }  # fmt: skip


@st.composite
def a_sample(draw: st.DrawFn) -> dict[str, Any]:
    records = sorted(draw(st.lists(a_record(), max_size=5)), key=lambda r: r["start"])
    blocks, at = [], 0
    for _ in range(draw(st.integers(0, 4))):
        start = at + draw(st.sampled_from([0, 0, 0, 1, 4]))
        at = start + draw(st.sampled_from([1, 3, 8, 20]))
        blocks.append({"start": start, "end": at, "gq": draw(st.sampled_from([0, 15, 20, 60, None])),
                       "dp": draw(st.sampled_from([None, 0, 5, 10, 30])),
                       "state": draw(st.sampled_from([2, 2, 2, 2, 1, 0]))})  # fmt: skip
    return {"records": records, "blocks": blocks, "sex": draw(st.integers(0, 2))}


def digest(samples: list[dict[str, Any]], gq0_is_nocall: bool) -> batch.Records:
    """The records of some samples as the caller digests them."""
    records = [r for s in samples for r in s["records"]]

    def offsets(lengths: list[int]) -> np.ndarray:
        return np.cumsum([0, *lengths], dtype=np.int32)

    def column(name: str) -> np.ndarray:
        return np.array([-1 if r[name] is None else r[name] for r in records], np.int32)

    alts = [",".join(r["alts"]) for r in records]
    allele = np.array([[-1 if a is None else a for a in (*r["gt"], -2)[:2]] for r in records], np.int16).reshape(-1, 2)
    ad = np.array([v for r in records for v in r["ad"]] or [0], np.int32)
    pl = np.array([v for r in records for v in r["pl"]] or [0], np.int32)
    ref = as_bytes("".join(r["ref"] for r in records))
    alt_text = as_bytes("".join(alts))
    codes, found, lead, quality = kernels.collect_alleles(
        column("start"), column("gq"), allele, offsets([len(r["ref"]) for r in records]), ref,
        offsets([len(a) for a in alts]), alt_text, offsets([len(r["pl"]) for r in records]), pl, gq0_is_nocall,
    )  # fmt: skip
    end = np.array([r["start"] + len(r["ref"]) for r in records], np.int32)
    depths = kernels.called_depths(allele, offsets([len(r["ad"]) for r in records]), ad)
    table = np.column_stack(
        [column("start"), end, column("start") + lead, end, column("gq"), column("dp"), codes, depths, quality]
    ).astype(np.int32)
    at = np.cumsum([0, *(len(s["records"]) for s in samples)], dtype=np.int64)
    silent = (np.zeros((len(table), n), np.int32) for n in (annotation.E_COLUMNS, annotation.COLUMNS))
    keys = unify.keys_of(found, ref, alt_text)
    return batch.Records(np.ascontiguousarray(table), at, keys, found, *silent, np.zeros(len(table), np.int64))


@small
@given(st.lists(a_sample(), min_size=1, max_size=3), st.booleans())
def test_collect_alleles(samples: list[dict[str, Any]], gq0_is_nocall: bool) -> None:
    digested = digest(samples, gq0_is_nocall)
    rules = plain.Rules(frozenset(), gq0_is_nocall=gq0_is_nocall)
    records = [r for s in samples for r in s["records"]]
    keys = [(k[0], k[1].decode(), k[2].decode()) for k in digested.keys]
    assert len(set(keys)) == len(keys)
    codes = {kernels.REF: "ref", kernels.UNCALLED: "dot", kernels.STAR: "star", kernels.UNNAMED: "unnamed"}
    best: dict[Any, list[int]] = {key: [] for key in keys}
    for row, record in zip(digested.records, records, strict=True):
        copies = plain.copies_of(record, rules)
        found = [int(c) for c in row[[overlap.R_CODE1, overlap.R_CODE2]] if c != kernels.ABSENT]
        assert [codes.get(c) or keys[c] for c in found] == copies
        bases = plain.body(record, copies)
        assert (row[overlap.R_BODY_START], row[overlap.R_BODY_END]) == (bases.start, bases.stop)
        assert row[overlap.R_QUALITY] == plain.quality(record, copies)
        for key in {c for c in copies if isinstance(c, tuple)}:
            only = record | {"gt": [a for a, c in zip(record["gt"], copies, strict=True) if c == key]}
            q = plain.allele_quality(record["pl"], only["gt"][0], len(record["alts"]) + 1, len(record["gt"]) == 1)
            q = record["gq"] if q is None else q
            best[key].append(-1 if q is None else q)
    copies_of_all = [c for r in records for c in plain.copies_of(r, rules)]
    for key, row in zip(keys, digested.found, strict=True):
        top = [*sorted(best[key], reverse=True), -1, -1]
        assert (row[kernels.A_BEST], row[kernels.A_SECOND]) == (top[0], top[1])
        assert row[kernels.A_COPIES] == copies_of_all.count(key)
        left, right = row[kernels.A_LEFT], row[kernels.A_RIGHT]
        assert left == 0 or chr(left) == REFERENCE[key[0] - 1]
        assert right == 0 or chr(right) == REFERENCE[key[0] + len(key[1])]


@small
@given(st.lists(a_record(), max_size=7), st.booleans(), st.booleans())
def test_settle_overlaps(records: list[dict[str, Any]], best: bool, gq0_is_nocall: bool) -> None:
    records = sorted(records, key=lambda r: r["start"])
    digested = digest([{"records": records}], gq0_is_nocall)
    flags = np.full(max(len(records), 1), 9, np.int8)
    overlap.settle_overlaps(digested.records, 0, len(records), best, flags)
    expected = plain.settle(records, plain.Rules(frozenset(), gq0_is_nocall=gq0_is_nocall, best=best), shared=False)
    names = {
        overlap.PLAIN: "plain",
        overlap.CONFLICT: "conflict",
        overlap.COMPLETED: "completed",
        overlap.DEMOTED: "demoted",
    }
    assert [names[int(f)] for f in flags[: len(records)]] == expected


COPY = "01*."


def genotype(
    samples: list[dict[str, Any]], rows: list[plain.Key], rules: plain.Rules, ploidy: np.ndarray, max_span: int = 1000
) -> tuple[list[list[plain.Cell]], list[list[plain.Cell]], dict[str, np.ndarray], list[unify.Row]]:
    """(cells by the kernel, cells by the definition, the kernel's counts, rows) of each sample at each row."""
    digested = digest(samples, rules.gq0_is_nocall)
    spelled = sorted(
        unify.spell((k[0], k[1].encode(), k[2].encode()),
                    unify.Allele(left=REFERENCE[k[0] - 1 : k[0]].encode(), right=REFERENCE[k[0] + len(k[1])].encode()))
        for k in rows
    )  # fmt: skip
    keys = [(r.key[0], r.key[1].decode(), r.key[2].decode()) for r in spelled]
    table = np.array(
        [(r.position, min(r.end, r.position + max_span),
          unify.kind_of(r.ref, r.alt), unify.substitution_of(r.ref, r.alt), i % 2,
          len(r.ref) == len(r.alt) == 1) for i, r in enumerate(spelled)],
        np.int32,
    ).reshape(-1, g.W_COLUMNS)  # fmt: skip
    alleles = batch.allele_table(digested, {r.key: i for i, r in enumerate(spelled)}, {}, rules.owned)
    blocks = block_arrays([b for s in samples for b in s["blocks"]])[1:]
    block_at = np.cumsum([0, *(len(s["blocks"]) for s in samples)], dtype=np.int64)
    chosen = np.array(
        [rules.gq0_is_nocall, rules.partial_ok, rules.min_depth, rules.best, rules.adj_filter, rules.adj_gq,
         rules.adj_dp, rules.adj_dp_haploid, round(1000 * rules.adj_ab)], np.int64,
    )  # fmt: skip
    shape = (len(samples), len(spelled))
    out = {
        "cells": np.zeros(shape, np.int8), "known": np.zeros(shape, np.int8),
        "reasons": np.zeros((shape[1], len(REASONS)), np.int64),
        "sites": np.zeros((shape[1], len(SITE_COUNTS)), np.int64),
        "samples": np.zeros((shape[0], len(SAMPLE_COUNTS)), np.int64),
        "outcomes": np.zeros((shape[0], 2, OUTCOMES), np.int64),
        "noted": np.full(2 * len(digested.records), -9, np.int64), "noted_at": np.full(shape[0] + 1, -9, np.int64),
    }  # fmt: skip
    sex = np.array([s["sex"] for s in samples], np.int8)
    g.genotype_samples(
        table, ploidy, sex, alleles, digested.records, digested.at, *blocks, block_at, chosen, *out.values()
    )
    found = [
        [_cell(int(c), int(k)) for c, k in zip(*pair, strict=True)]
        for pair in zip(out["cells"], out["known"], strict=True)
    ]
    expected = [
        [plain.genotype(s["records"], s["blocks"], (key, int(row[0]), int(row[1])), int(ploidy[s["sex"], w]), rules)
         for w, (key, row) in enumerate(zip(keys, table, strict=True))]
        for s in samples
    ]  # fmt: skip
    return found, expected, out, spelled


def _cell(cell: int, known: int) -> plain.Cell:
    pair = None if known < 0 else (COPY[known >> 2], COPY[known & 3])
    if cell < 0:
        return plain.Cell(None, reason=REASONS[-cell], known=pair)
    fails, cell = divmod(cell, g.FAILS_ADJ)
    return plain.Cell(cell - 3 if cell >= 3 else cell, one=cell >= 3, known=pair, adj=not fails)


def _told(cell: plain.Cell) -> tuple[Any, ...]:
    return cell.call, cell.call is not None and (cell.one, cell.adj), cell.reason, cell.known


RULES = st.fixed_dictionaries({
    "gq0_is_nocall": st.booleans(), "partial_ok": st.booleans(), "best": st.booleans(),
    "min_depth": st.sampled_from([0, 0, 5]),
    "adj_filter": st.sampled_from([False, False, True]), "owned": st.sampled_from([(0, 40), (0, 40), (6, 20)]),
})  # fmt: skip


WITH_THE_ROW = {"n_singleton", "n_singleton_transition", "n_singleton_transversion", "charr_sum_nano", "n_charr"}
"""Counts that need the totals of a row."""


@small
@given(st.lists(a_sample(), min_size=1, max_size=3), RULES, st.data())
def test_genotypes_and_counts(samples: list[dict[str, Any]], choices: dict[str, Any], data: st.DataObject) -> None:
    low, high = choices["owned"]
    carried = {
        (k[0], k[1].decode(), k[2].decode())
        for k in digest(samples, choices["gq0_is_nocall"]).keys
        if low <= k[0] < high
    }
    forced = {(7, REFERENCE[7], "G" if REFERENCE[7] != "G" else "C"), (10, REFERENCE[10:14], ""), (15, "", "TT")}
    some = data.draw(st.sets(st.sampled_from(sorted(carried | forced)), min_size=1))
    rows = sorted(some) if data.draw(st.booleans()) else sorted(carried | forced)
    rules = plain.Rules(frozenset(rows), **choices)
    ploidy = np.array(data.draw(st.lists(st.sampled_from(PLOIDIES), min_size=3, max_size=3)), np.int8)
    table = np.repeat(ploidy[:, None], len(rows), axis=1)
    found, expected, out, spelled = genotype(samples, rows, rules, table, data.draw(st.sampled_from([1000, 2])))
    assert [[_told(c) for c in cells] for cells in found] == [[_told(c) for c in cells] for cells in expected]
    for w in range(len(rows)):
        column = [cells[w] for cells in expected]
        counts = plain.counts(column)
        assert dict(zip(SITE_COUNTS, out["sites"][w].tolist(), strict=True)) == {
            name: counts[name] for name in SITE_COUNTS
        }
        assert out["reasons"][w].tolist() == [
            0,
            *(sum(c.call is None and c.reason == r for c in column) for r in REASONS[1:]),
        ]
    for s, cells in enumerate(expected):
        counts = plain.sample_counts(cells, [(row.ref, row.alt) for row in spelled])
        assert dict(zip(SAMPLE_COUNTS, out["samples"][s].tolist(), strict=True)) == {
            name: 0 if name in WITH_THE_ROW else counts[name] for name in SAMPLE_COUNTS
        }
        assert out["outcomes"][s].tolist() == [plain.outcomes(cells[0::2]), plain.outcomes(cells[1::2])]
        noted = out["noted"][out["noted_at"][s] : out["noted_at"][s + 1]].tolist()
        lone = [w for w, row in enumerate(spelled) if len(row.ref) == len(row.alt) == 1]
        assert [(v >> 17, v >> 9 & 255, v >> 1 & 255, bool(v & 1)) for v in noted] == [
            (w, *said) for w in lone if (said := plain.noted(cells[w]))
        ]
