"""Plain definitions for the joint caller: one line, one allele, one base at a time, from docs/methods/joint.md.

A record here is what a person reads off a gVCF line: `start` (0-based), `ref`, `alts` (list of text), `gt` (alleles: a
number, None for a dot; one entry for a haploid call), `gq`, `dp` (None: not stated), `ad`, `pl` (lists, maybe empty).
A block is `start`, `end`, `gq`, `dp`, `state` (2 reference on two copies, 1 on one, 0 no call).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

UNNAMED_ALTS = (".", "<NON_REF>", "<*>", "<X>")
Key = tuple[int, str, str]


# gVCF lines


def number(text: str) -> int | None:
    """A number of a sample column, rounded down, not below 0; None where it is not stated."""
    if text in ("", "."):
        return None
    return min(max(math.floor(float(text)), 0), 2_000_000_000)


def parse_line(line: str, contigs: list[str]) -> dict[str, Any]:
    """One gVCF line as the reader has it. Fields of no interest are left out."""
    chrom, pos, _, ref, alt, _, filters, info, format_, sample = line.rstrip("\r\n").split("\t")
    values = dict(zip(format_.split(":"), sample.split(":"), strict=False))
    alleles = [None if a == "." else int(a) for a in values["GT"].replace("|", "/").split("/")]
    out: dict[str, Any] = {
        "contig": contigs.index(chrom), "start": int(pos) - 1, "end": int(pos) - 1 + len(ref), "alleles": alleles,
        "phased": "|" in values["GT"], "ref": ref, "filter": filters, "gq": number(values.get("GQ", ".")),
        "dp": number(values.get("DP", ".")), "phase_set": number(values.get("PS", ".")),
        "ad": values.get("AD"), "pl": values.get("PL"),
    }  # fmt: skip
    alts = alt.split(",")
    if alt in UNNAMED_ALTS:
        out["kind"] = "block"
        for item in info.split(";"):
            if item.startswith("END="):
                out["end"] = int(item[4:])
        smallest = number(values.get("MIN_DP", "."))
        out["dp"] = smallest if smallest is not None else out["dp"]
        out["n_alt"] = 0 if alt == "." else 1
    else:
        out["kind"] = "variant"
        out["n_alt"] = len(alts)
        if len(alts) > 1 and alts[-1] in UNNAMED_ALTS:
            alts = alts[:-1]
    out["alt"] = ",".join(alts)
    return out


# Alleles


def trim(start: int, ref: str, alt: str) -> Key:
    """Bases that REF and ALT share are dropped, from the right and then from the left."""
    ref, alt = ref.upper(), alt.upper()
    while ref and alt and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    while ref and alt and ref[0] == alt[0]:
        ref, alt, start = ref[1:], alt[1:], start + 1
    return start, ref, alt


def left_align(key: Key, reference: str) -> Key:
    """The leftmost of all ways to write an insertion or deletion: the one of which no other has a smaller start."""
    start, ref, alt = key
    if bool(ref) == bool(alt):
        return key
    result = reference[:start] + alt + reference[start + len(ref) :]
    for first in range(start + 1):
        if ref and reference[:first] + reference[first + len(ref) :] == result:
            return first, reference[first : first + len(ref)], ""
        if alt and result[:first] + result[first + len(alt) :] == reference:
            return first, "", result[first : first + len(alt)]
    raise AssertionError("an allele is one way to write itself")


def allele_quality(pl: list[int | None], allele: int, n_alleles: int, haploid: bool) -> int | None:
    """Lowest PL of a genotype without the allele, less the lowest of one with it, not below 0.

    None: PL has another length.
    """
    genotypes = (
        [(a,) for a in range(n_alleles)] if haploid else [(a, b) for b in range(n_alleles) for a in range(b + 1)]
    )
    if len(pl) != len(genotypes):
        return None
    stated = [(g, value) for g, value in zip(genotypes, pl, strict=True) if value is not None]
    having = [value for g, value in stated if allele in g]
    lacking = [value for g, value in stated if allele not in g]
    return max(0, min([*lacking, 100_000]) - min([*having, 1 << 30]))


# Reference blocks


def _lowest(values: list[int | None]) -> int | None:
    return min((v for v in values if v is not None), default=None)


def flatten(blocks: list[dict[str, Any]]) -> dict[int, tuple[int | None, int | None, int]]:
    """(GQ, DP, state) of each base that the blocks of one contig cover: the lowest of each."""
    out = {}
    for base in range(max((b["end"] for b in blocks), default=0)):
        here = [b for b in blocks if b["start"] <= base < b["end"]]
        if here:
            out[base] = (
                _lowest([b["gq"] for b in here]),
                _lowest([b["dp"] for b in here]),
                min(b["state"] for b in here),
            )
    return out


def band_of(gq: int | None, bands: tuple[int, ...]) -> int | None:
    return max((b for b in bands if gq is not None and b <= gq), default=None)


def join_bands(blocks: list[dict[str, Any]], bands: tuple[int, ...]) -> list[dict[str, Any]]:
    """Blocks that touch, of one contig, state and band, become one: GQ the band's lower end, DP the lowest."""
    out: list[dict[str, Any]] = []
    for block in blocks:
        new = block | {"gq": band_of(block["gq"], bands)}
        last = out[-1] if out else None
        same = last is not None and all(last[name] == new[name] for name in ("contig", "state", "gq"))
        if last is not None and same and last["end"] == new["start"]:
            last["end"], last["dp"] = new["end"], _lowest([last["dp"], new["dp"]])
        else:
            out.append(new)
    return out


# Genotypes


@dataclass(frozen=True)
class Rules:
    """The choices of a joint call, and which alleles have rows. owned: the [start, end) of the bin."""

    rows: frozenset[Key]
    owned: tuple[int, int] = (0, 1 << 30)
    gq0_is_nocall: bool = True
    partial_ok: bool = False
    min_depth: int = 0
    best: bool = False
    adj_filter: bool = False
    adj_gq: int = 20
    adj_dp: int = 10
    adj_dp_haploid: int = 5
    adj_ab: float = 0.2


@dataclass
class Cell:
    """call: copies of the row's allele, or None with a reason. one: on one chromosome. known: what each copy is."""

    call: int | None
    one: bool = False
    reason: str = "called"
    known: tuple[str, str] | None = None
    gq: int | None = None
    dp: int | None = None
    ref_reads: int | None = None
    reads: int | None = None
    adj: bool = field(default=False)


def copies_of(record: dict[str, Any], rules: Rules) -> list[Any]:
    """What each called copy is: "ref", "dot", "star", "unnamed", or the key of a named allele."""
    out: list[Any] = []
    for a in record["gt"]:
        if a is None or (rules.gq0_is_nocall and record["gq"] == 0):
            out.append("dot")
        elif a == 0:
            out.append("ref")
        elif a > len(record["alts"]) or not record["alts"][a - 1].isalpha():
            out.append("star" if a <= len(record["alts"]) and record["alts"][a - 1] == "*" else "unnamed")
        else:
            key = trim(record["start"], record["ref"], record["alts"][a - 1])
            out.append(key if key[1] or key[2] else "ref")
    return out


def is_uncalled(copies: list[Any]) -> bool:
    return all(copy == "dot" for copy in copies)


def stated(copies: list[Any]) -> int:
    """Alternate copies that a record states over its body."""
    return sum(copy == "unnamed" or isinstance(copy, tuple) for copy in copies)


def body(record: dict[str, Any], copies: list[Any]) -> range:
    """Bases that a record speaks of: REF, without its first base where the called named alternates keep that."""
    spelled = [record["alts"][a - 1] for a, copy in zip(record["gt"], copies, strict=True)
               if a and (isinstance(copy, tuple) or copy == "ref")]  # fmt: skip
    keeps = all(alt[0].upper() == record["ref"][0].upper() for alt in spelled)
    return range(record["start"] + keeps, record["start"] + len(record["ref"]))


def quality(record: dict[str, Any], copies: list[Any]) -> int:
    """The best quality of a record's called named alleles: from PL, else its GQ. -1 unknown."""
    best = -1
    for a, copy in zip(record["gt"], copies, strict=True):
        if isinstance(copy, tuple):
            q = allele_quality(record["pl"], a, len(record["alts"]) + 1, len(record["gt"]) == 1)
            q = record["gq"] if q is None else q
            best = max(best, -1 if q is None else q)
    return best


def chromosomes(copies: list[list[Any]], here: list[int]) -> int:
    """Two, or one where only haploid calls state alternate copies."""
    return 1 if all(len(copies[i]) == 1 for i in here if stated(copies[i])) else 2


def settle(records: list[dict[str, Any]], rules: Rules, shared: bool = True) -> list[str]:
    """What becomes of each record of a sample beside its others: plain, conflict, completed or demoted.

    Bases are taken from left to right.

    shared: records that carry one and the same allele are in conflict, too.
    """
    copies = [copies_of(r, rules) for r in records]
    bodies = [body(r, c) for r, c in zip(records, copies, strict=True)]
    flags = ["plain"] * len(records)
    for base in sorted({b for bases in bodies for b in bases}):
        here = [i for i in range(len(records)) if base in bodies[i] and flags[i] != "demoted"]
        competing = rules.best and all(stated(copies[i]) <= 1 and flags[i] != "conflict" for i in here)
        while competing and sum(stated(copies[i]) for i in here) > chromosomes(copies, here):
            weakest = min((i for i in here if stated(copies[i])), key=lambda i: (quality(records[i], copies[i]), i))
            flags[weakest] = "demoted"
            here.remove(weakest)
        total = sum(stated(copies[i]) for i in here)
        for i in here:
            if total > chromosomes(copies, here):
                flags[i] = "conflict"
            elif total == 2 and flags[i] == "plain":
                flags[i] = "completed"
    if not shared:
        return flags
    for i, mine in enumerate(copies):
        for j, others in enumerate(copies):
            both = {c for c in mine if isinstance(c, tuple)} & {c for c in others if isinstance(c, tuple)}
            if i != j and both and "demoted" not in (flags[i], flags[j]):
                flags[i] = "conflict"
    return flags


def deleted_bases(key: Key) -> range:
    start, ref, alt = key
    return range(start + len(alt), start + len(ref))


def is_lost(copy: Any, rules: Rules) -> bool:
    if copy == "unnamed":
        return True
    return isinstance(copy, tuple) and copy not in rules.rows and rules.owned[0] <= copy[0] < rules.owned[1]


def genotype(
    records: list[dict[str, Any]], blocks: list[dict[str, Any]], row: tuple[Key, int, int], ploidy: int, rules: Rules
) -> Cell:
    """The genotype of one sample at one row. row: the allele's key, POS (0-based), end of the span that needs evidence.

    ploidy: copies that region and sex allow, -1 as the call states.
    """
    flags = settle(records, rules)
    copies = [copies_of(r, rules) for r in records]
    carriers = [i for i in range(len(records)) if flags[i] != "demoted" and row[0] in copies[i]]
    if carriers:
        cell = _carried(records, copies, flags, carriers[0], row, ploidy, rules)
    else:
        cell = _not_carried(records, copies, flags, blocks, row, ploidy, rules)
    if cell.call is not None:
        cell.adj = passes_adj(cell, rules)
        if rules.adj_filter and not cell.adj:
            cell.call, cell.reason = None, "filtered"
    return cell


def _carried(
    records: list[dict[str, Any]], copies: list[list[Any]], flags: list[str], i: int,
    row: tuple[Key, int, int], ploidy: int, rules: Rules,
) -> Cell:  # fmt: skip
    if flags[i] == "conflict":
        return Cell(None, reason="overlap")
    if ploidy == 0:
        return Cell(None, reason="ploidy")
    record = records[i]
    said = []
    for a, copy in zip(record["gt"], copies[i], strict=True):
        if copy == "star":
            said.append(("*", "deletion"))
        elif copy == "dot":
            said.append(("0", "called") if flags[i] == "completed" else (".", "half_call"))
        elif is_lost(copy, rules):
            said.append((".", "lost_allele"))
        else:
            reads = record["ad"][a] if a < len(record["ad"]) else None
            reads = record["dp"] if reads is None else reads
            if reads is not None and reads < rules.min_depth:
                said.append((".", "low_depth"))
            else:
                said.append(("1" if copy == row[0] else "0", "called"))
    wrong = [why for _, why in said if why != "called"]
    own = record["gt"][copies[i].index(row[0])]
    facts = {
        "gq": record["gq"], "dp": record["dp"], "ref_reads": (record["ad"] or [None])[0],
        "reads": record["ad"][own] if own < len(record["ad"]) else None,
    }  # fmt: skip
    if len(said) == 1:
        if wrong:
            return Cell(None, reason=wrong[0])
        if ploidy != 2:
            return Cell(1, one=True, **facts)
        others = [j for j in range(len(records)) if j != i and flags[j] != "demoted"]
        gone = [j for j in others for c in copies[j] if isinstance(c, tuple) and row[1] in deleted_bases(c)]
        if len(gone) == 1 and len(copies[gone[0]]) == 2:
            return Cell(None, reason="deletion", known=("1", "*"))
        return Cell(None, reason="ploidy", known=("1", "."))
    known = (said[0][0], said[1][0])
    if wrong:
        return Cell(None, reason=wrong[0], known=None if known == (".", ".") else known)
    ones = known.count("1")
    if ploidy == 1:
        return Cell(1, one=True, **facts) if ones == 2 else Cell(None, reason="ploidy")
    return Cell(ones, **facts)


def _not_carried(
    records: list[dict[str, Any]], copies: list[list[Any]], flags: list[str], blocks: list[dict[str, Any]],
    row: tuple[Key, int, int], ploidy: int, rules: Rules,
) -> Cell:  # fmt: skip
    _, position, end = row
    span = range(position, end)
    over = [i for i, r in enumerate(records) if any(r["start"] <= base < r["start"] + len(r["ref"]) for base in span)]
    called = [i for i in over if not is_uncalled(copies[i])]
    blocks = [b for b in blocks if any(b["start"] <= base < b["end"] for base in span)]
    haploid = any(b["state"] == 1 for b in blocks) or any(len(copies[i]) == 1 for i in called if flags[i] != "conflict")
    one = ploidy == 1 or (ploidy < 0 and haploid)

    deleting = [
        i
        for i in over
        if flags[i] != "demoted"
        for c in copies[i]
        if isinstance(c, tuple) and position in deleted_bases(c)
    ]
    starring = [i for i in over if flags[i] != "demoted" and "star" in copies[i]
                and records[i]["start"] <= position < records[i]["start"] + len(records[i]["ref"])]  # fmt: skip
    stars = max([len(deleting), *(copies[i].count("star") for i in starring)])  # `*` speaks of the same deletions
    if stars:
        if ploidy == 0:
            return Cell(None, reason="ploidy")
        alone = any(len(copies[i]) == 1 for i in [*deleting, *starring])
        known = ("*", "*") if stars >= 2 else ("*", ".") if alone else ("0", "*")
        return Cell(None, reason="deletion", known=None if one else known)
    if any(flags[i] == "conflict" for i in over):
        return Cell(None, reason="overlap")
    half = sum(copies[i].count("dot") for i in called if flags[i] == "plain")
    lost = sum(is_lost(c, rules) for i in called if flags[i] != "demoted" for c in copies[i])
    if half or lost:
        if ploidy == 0:
            return Cell(None, reason="ploidy")
        known = None if half + lost >= 2 or haploid else ("0", ".")
        return Cell(None, reason="half_call" if half else "lost_allele", known=known)

    zero = any(rules.gq0_is_nocall and records[i]["gq"] == 0 for i in over if is_uncalled(copies[i]))
    no_call = any(b["state"] == 0 for b in blocks) or any(
        not (rules.gq0_is_nocall and records[i]["gq"] == 0) for i in over if is_uncalled(copies[i])
    )
    evidence = [b | {"bases": range(b["start"], b["end"])} for b in blocks if b["state"] != 0]
    evidence += [
        records[i] | {"bases": range(records[i]["start"], records[i]["start"] + len(records[i]["ref"]))} for i in called
    ]
    covered = sum(any(base in e["bases"] for e in evidence) for base in span)
    gq, dp = _lowest([e["gq"] for e in evidence]), _lowest([e["dp"] for e in evidence])
    zero = rules.gq0_is_nocall and (zero or gq == 0)
    if no_call and (covered == 0 or not rules.partial_ok):
        return Cell(None, reason="no_call")
    if zero:
        return Cell(None, reason="gq0")
    if covered == 0:
        return Cell(None, reason="no_data")
    if covered < len(span) and not rules.partial_ok:
        return Cell(None, reason="partial")
    if dp is not None and dp < rules.min_depth:
        return Cell(None, reason="low_depth")
    if ploidy == 0:
        return Cell(None, reason="ploidy")
    return Cell(0, one=one, gq=gq, dp=dp)


def passes_adj(cell: Cell, rules: Rules) -> bool:
    """gnomAD's adj. What is not stated cannot fail, GQ excepted."""
    if cell.gq is None or cell.gq < rules.adj_gq:
        return False
    if cell.dp is not None and cell.dp < (rules.adj_dp_haploid if cell.one else rules.adj_dp):
        return False
    if cell.call == 1 and not cell.one and cell.reads is not None:
        total = cell.dp if cell.dp else (cell.ref_reads or 0) + cell.reads
        return 1000 * cell.reads >= round(1000 * rules.adj_ab) * total
    return True


# Counts


def _class_of(cell: Cell) -> str:
    assert cell.call is not None
    return ("n_haploid_ref", "n_haploid_alt")[cell.call] if cell.one else ("n_hom_ref", "n_het", "n_hom_alt")[cell.call]


def counts(cells: list[Cell]) -> dict[str, int]:
    """Counts over the called ones of some cells: of one row over samples, or of one sample over rows."""
    called = [c for c in cells if c.call is not None]
    out = {"n_called": len(called), "n_called_adj": sum(c.adj for c in called)}
    for name in ("n_hom_ref", "n_het", "n_hom_alt", "n_haploid_ref", "n_haploid_alt"):
        out[name] = sum(_class_of(c) == name for c in called)
    for suffix, some in (("", called), ("_adj", [c for c in called if c.adj])):
        out["ac" + suffix] = sum(c.call or 0 for c in some)
        out["an" + suffix] = sum(1 if c.one else 2 for c in some)
    out["n_hom_alt_adj"] = sum(_class_of(c) == "n_hom_alt" for c in called if c.adj)
    for name, pick in (("depth", "dp"), ("gq", "gq")):
        values = [getattr(c, pick) for c in called if getattr(c, pick) is not None]
        out[f"{name}_sum"], out[f"n_with_{name}"] = sum(values), len(values)
    for name in ("het", "hom_alt"):
        both = [c for c in called if _class_of(c) == f"n_{name}" and c.reads is not None and c.ref_reads is not None]
        out[f"{name}_ref_reads"] = sum(c.ref_reads or 0 for c in both)
        out[f"{name}_alt_reads"] = sum(c.reads or 0 for c in both)
    return out


def sample_counts(cells: list[Cell], alleles: list[tuple[str, str]]) -> dict[str, int]:
    """Counts of one sample over rows; `alleles` spells (REF, ALT) of each row. n_singleton is not among them."""
    out = {k: v for k, v in counts(cells).items() if k not in ("ac", "an", "ac_adj", "an_adj", "n_hom_alt_adj")}
    out["n_sites"] = len(cells)
    carried = [(c, *allele) for c, allele in zip(cells, alleles, strict=True) if c.call]
    out["n_non_ref"] = len(carried)
    snp = [(c, r, a) for c, r, a in carried if len(r) == len(a) == 1]
    insertion = [c for c, r, a in carried if len(r) == 1 < len(a) and (a.startswith(r) or a.endswith(r))]
    deletion = [c for c, r, a in carried if len(a) == 1 < len(r) and (r.startswith(a) or r.endswith(a))]
    out["n_snp"], out["n_insertion"], out["n_deletion"] = len(snp), len(insertion), len(deletion)
    swaps = [{r, a} for _, r, a in snp]
    out["n_transition"] = sum(s in ({"A", "G"}, {"C", "T"}) for s in swaps)
    out["n_transversion"] = len(swaps) - out["n_transition"]
    for kind, some in (("snp", [c for c, _, _ in snp]), ("indel", insertion + deletion)):
        for name in ("het", "hom_alt"):
            out[f"n_{name}_{kind}"] = sum(_class_of(c) == f"n_{name}" for c in some)
    twice = [{r, a} for c, r, a in snp if _class_of(c) == "n_hom_alt"]
    out["n_hom_alt_transition"] = sum(s in ({"A", "G"}, {"C", "T"}) for s in twice)
    out["n_hom_alt_transversion"] = len(twice) - out["n_hom_alt_transition"]
    for name, some in (("insertion", insertion), ("deletion", deletion)):
        out[f"n_hom_alt_{name}"] = sum(_class_of(c) == "n_hom_alt" for c in some)
    for reason in REASONS:
        out[f"missing_{reason}"] = sum(c.call is None and c.reason == reason for c in cells)
    for low in range(0, 100, 10):
        stated = [c.gq for c in cells if c.call is not None and c.gq is not None]
        out[f"n_gq_{low:02d}"] = sum(low <= gq and (gq < low + 10 or low == 90) for gq in stated)
    return out


REASONS = (
    "no_data", "partial", "no_call", "gq0", "low_depth", "deletion", "half_call", "ploidy", "overlap", "lost_allele",
    "filtered",
)  # fmt: skip


def outcomes(cells: list[Cell]) -> list[int]:
    """How many cells of one sample are missing for each reason, from the last, then called in each way."""
    classes = ("n_hom_ref", "n_het", "n_hom_alt", "n_haploid_ref", "n_haploid_alt")
    missing = [sum(c.call is None and c.reason == reason for c in cells) for reason in reversed(REASONS)]
    return missing + [sum(c.call is not None and _class_of(c) == name for c in cells) for name in classes]


def coverage(
    records: list[dict[str, Any]], blocks: list[dict[str, Any]], regions: dict[int, str]
) -> dict[str, list[int]]:
    """By region: bases of stated depth, the sum of the depths, bases of 1, 10, 20, 30. regions: base -> its region."""
    depths: dict[str, list[int]] = {region: [] for region in regions.values()}
    for base, region in regions.items():
        said = [r["dp"] for r in records if r["start"] <= base < r["start"] + len(r["ref"])]
        said += [b.get("depth", b["dp"]) for b in blocks if b["start"] <= base < b["end"]]
        said = [dp for dp in said if dp is not None]
        depths[region] += said[:1]
    return {
        region: [len(of), sum(of), *(sum(dp >= least for dp in of) for least in (1, 10, 20, 30))]
        for region, of in depths.items()
    }


def noted(cell: Cell) -> tuple[int, int, bool] | None:
    """(reads of the reference, of the alternate, whether CHARR takes it) of a carrier of a lone SNP, if of any use."""
    if cell.one or cell.call not in (1, 2) or cell.reads is None or cell.ref_reads is None:
        return None
    charr = is_charr(cell)
    if charr or 10 <= cell.ref_reads + cell.reads <= 100:
        return cell.ref_reads, cell.reads, charr
    return None


def is_charr(cell: Cell) -> bool:
    """Hail's compute_charr: a hom-alt call of GQ 20 and DP 10 to 100 whose AD is stated and not 0 throughout."""
    if cell.call != 2 or cell.one or cell.gq is None or cell.gq < 20 or cell.dp is None or not 10 <= cell.dp <= 100:
        return False
    return bool((cell.ref_reads or 0) + (cell.reads or 0))


def charr(ref_reads: int, reads: int, ac: int, an: int) -> float:
    """What a genotype adds to CHARR."""
    return ref_reads / (ref_reads + reads) / (1 - ac / an)


def mixed_reads(
    k: int, n: int, q: float, alpha: float, error: float, least: float, rho: float = 0.0, het: float = 0.5
) -> float:
    """Log of the probability of k reference reads of n, a share alpha of them another's, given that the share of
    alternate reads is at least `least`. The sample's genotype is drawn at the frequency q of the alternate, the other's
    at q and `rho` of the way from there to the sample's own; `het`: reads of the reference at a heterozygote.
    """

    def probability(i: int) -> float:
        total = 0.0
        for mine in (0, 1, 2):
            a = min(max(q + rho * (mine / 2 - q), 0.01), 0.99)
            for other in (0, 1, 2):
                prior = math.comb(2, mine) * q**mine * (1 - q) ** (2 - mine)
                prior *= math.comb(2, other) * a**other * (1 - a) ** (2 - other)
                shown = [(1 - error, het, error)[g] for g in (mine, other)]
                p = (1 - alpha) * shown[0] + alpha * shown[1]
                total += prior * math.comb(n, i) * p**i * (1 - p) ** (n - i)
        return total

    return math.log(probability(k) / sum(probability(i) for i in range(n + 1) if n - i >= least * n))


def parabola(at: list[float], heights: list[float]) -> tuple[float, float]:
    """(height, place) of the top of the parabola through the highest point and its neighbours (the nearest three at an
    end), not beyond these; of the highest point where that parabola has no top.
    """
    best = max(range(len(at)), key=lambda i: (heights[i], -i))
    low = min(max(best - 1, 0), len(at) - 3)
    x, y = at[low : low + 3], heights[low : low + 3]

    def through(place: float) -> float:  # Lagrange
        others = [[x[j] for j in range(3) if j != i] for i in range(3)]
        return sum(y[i] * (place - a) * (place - b) / ((x[i] - a) * (x[i] - b)) for i, (a, b) in enumerate(others))

    bend = through(x[1] + 1) + through(x[1] - 1) - 2 * through(x[1])
    if bend >= 0:
        return heights[best], at[best]
    place = x[1] - (through(x[1] + 1) - through(x[1] - 1)) / (2 * bend)
    place = min(max(place, x[0]), x[2])
    return through(place), place


def expected_homozygotes(ac: int, an: int) -> tuple[Fraction, Fraction]:
    """The share of homozygotes to expect at a row, as it stands and corrected for a sample of `an` alleles."""
    p = Fraction(ac, an)
    het = 2 * p * (1 - p)
    return 1 - het, 1 - het * Fraction(an, an - 1)
