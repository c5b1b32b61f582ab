"""A callset against the truth of the cohort it was called from.

Every genotype of the callset is compared with the genome of its sample. Where they differ, what the made sequencer saw
and called there says why (`truth/calls.parquet`); what that does not explain is counted as unexplained.
Copies are counted as in PGEN: 0, 1 or 2 of the alternate, 2 for the one copy of a haploid, missing -9.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cohelix import storage
from cohelix.errors import InputError
from cohelix.genome import plain_name
from cohelix.genotypes import callset as callsets
from cohelix.genotypes.alleles import kind_of
from cohelix.genotypes.callset import Callset, Shard
from cohelix.simulate.folder import reading

MISSING = -9
DEPTHS = (0, 5, 10, 15, 20, 30, 40)
"""Lower ends of the classes of depth."""
SPANNED = "under a deletion of its own"
HALF = "half call"
POLICY = "no evidence (quality 0)"
SEX, OTHER_SEX = "copies that the reported sex does not allow", 3
UNEXPLAINED = "unexplained"

Key = tuple[str, int, str, str]


@dataclass
class Comparison:
    """cells: genotypes by (kind, true copies, called copies, reason; "" where equal). depths: of true carriers, by
    (kind, depth class, whether right). absent: true alleles without a row, by kind. extra: rows of alleles that nobody
    has. lost: alleles without a row that some sample's gVCF does call."""

    n_samples: int = 0
    cells: Counter[tuple[str, int, int, str]] = field(default_factory=Counter)
    depths: Counter[tuple[str, int, bool]] = field(default_factory=Counter)
    absent: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    extra: Counter[str] = field(default_factory=Counter)

    @property
    def unexplained(self) -> int:
        return self.lost + sum(count for (*_, reason), count in self.cells.items() if reason == UNEXPLAINED)


@dataclass(frozen=True)
class _Truth:
    """row: of the truth's PGEN by (contig, position, ref, alt). person, sample (N,): of each callset sample. other_sex
    (N,): the sex that the callset was told has another number of X or Y than the genome."""

    folder: Path
    row: dict[Key, int]
    person: np.ndarray
    sample: np.ndarray
    n_people: int
    other_sex: np.ndarray


def compare(cohort: Path, root: str) -> Comparison:
    """Compare the callset at `root` with the cohort in a folder. InputError where they do not belong together."""
    callset = callsets.open_callset(root)
    truth = _open_truth(cohort, callset)
    found = Comparison(callset.n_samples)
    seen: set[Key] = set()
    for shard in callset.shards:
        sites = pq.read_table(storage.join(root, shard.sites), columns=["contig", "position", "ref", "alt"])
        keys = [tuple(row.values()) for row in sites.to_pylist()]
        seen.update(keys)
        _compare_shard(found, truth, callset, shard, keys)
    _count_absent(found, truth, seen)
    return found


def _open_truth(cohort: Path, callset: Callset) -> _Truth:
    if not (cohort / "truth" / "calls.parquet").exists():
        raise InputError(
            "expected a cohort of `cohelix simulate cohort` with gVCFs, found no truth/calls.parquet there."
        )
    with reading("truth/samples.parquet"):
        samples = pq.read_table(cohort / "truth" / "samples.parquet", columns=["sample_id", "kind", "sample", "person"])
    known = {row["sample_id"]: row for row in samples.to_pylist() if row["kind"] == "wgs"}
    table = pq.read_table(storage.join(callset.root, callset.commit.meta["samples"]), columns=["sample_id", "sex"])
    names = table.column("sample_id").to_pylist()
    if not set(names) <= set(known):
        n = len(set(names) - set(known))
        raise InputError(f"expected samples of the cohort, found {n} of {len(names)} that it does not have.")
    row: dict[Key, int] = {}
    with reading("truth/genotypes.pvar"), (cohort / "truth" / "genotypes.pvar").open() as lines:
        for number, line in enumerate(line for line in lines if not line.startswith("#")):
            contig, position, ref, alt = line.split("\t")[2].rstrip("\n").rsplit(":", 3)
            row[contig, int(position), ref, alt] = number
    person = np.array([known[name]["person"] for name in names], np.int64)
    with reading("truth/people.parquet"):
        karyotypes = pq.read_table(cohort / "truth" / "people.parquet", columns=["karyotype"]).column(0).to_pylist()
        bodies = [karyotypes[k] for k in person.tolist()]
    told = {"male": (1, 1), "female": (2, 0)}
    other_sex = [
        sex in told and told[sex] != (min(found.count("X"), 2), min(found.count("Y"), 1))
        for sex, found in zip(table.column("sex").to_pylist(), bodies, strict=True)
    ]
    sample = np.array([known[name]["sample"] for name in names], np.int64)
    return _Truth(cohort, row, person, sample, len(karyotypes), np.array(other_sex, bool))


def _compare_shard(found: Comparison, truth: _Truth, callset: Callset, shard: Shard, keys: list[Any]) -> None:
    true = _true_genotypes(truth, keys)
    expected, reason, depth, deleted = _expected(truth, shard, keys)
    called = np.concatenate([block for _, block in callsets.read_blocks(callset, shard)]) if keys else true
    partial = _partial(callset, shard, called)
    partial[(called == MISSING) & deleted & (partial == 0)] = 1
    if plain_name(shard.contig) in ("X", "Y"):
        partial[(called == MISSING) & truth.other_sex[None, :] & (partial == 0)] = OTHER_SEX
    kinds = [kind_of(ref, alt) for _, _, ref, alt in keys]
    for kind in sorted(set(kinds)):
        rows = np.array([one == kind for one in kinds])
        t, c, e, r, d, p = (array[rows] for array in (true, called, expected, reason, depth, partial))
        same = t == c
        why = np.where(same, 0, np.where(p > 0, p + len(_REASONS), np.where(c == e, r, -1)))
        # A call of quality 0 and one without evidence end the same way: no call.
        why = np.where((why == -1) & (c == MISSING) & (e == MISSING), r, why)
        _tally(found, kind, t, c, why)
        carriers = (t > 0) & (d >= 0)
        classes = np.searchsorted(DEPTHS, d[carriers], side="right") - 1
        for right in (False, True):
            tally = np.bincount(classes[same[carriers] == right], minlength=len(DEPTHS))
            found.depths.update({(kind, DEPTHS[k], right): n for k, n in enumerate(tally.tolist()) if n})
        found.extra[kind] += int(((t <= 0).all(axis=1)).sum())


def _tally(found: Comparison, kind: str, true: np.ndarray, called: np.ndarray, why: np.ndarray) -> None:
    names = {0: "", -1: UNEXPLAINED, **{code: name for name, code in _REASONS.items()}}
    names |= {len(_REASONS) + place: name for place, name in enumerate((SPANNED, HALF, SEX), start=1)}
    base = -MISSING + 3  # codes and copies lie above MISSING and below 3 or the number of reasons
    width = len(names) + base
    code = ((true.astype(np.int64) - MISSING) * base + called - MISSING) * width + why + 1
    counts = np.bincount(code.ravel())
    for place in np.flatnonzero(counts).tolist():
        pair, w = divmod(place, width)
        t, c = (copies + MISSING for copies in divmod(pair, base))
        found.cells[kind, t, c, names[w - 1]] += int(counts[place])


def _true_genotypes(truth: _Truth, keys: list[Key]) -> np.ndarray:
    """(V, N) int8."""
    import pgenlib

    out = np.zeros((len(keys), truth.person.size), np.int8)
    line = np.empty(truth.n_people, np.int8)
    with reading("truth/genotypes.pgen"):
        path = str(truth.folder / "truth" / "genotypes.pgen").encode()
        with pgenlib.PgenReader(path, raw_sample_ct=truth.n_people, variant_ct=len(truth.row)) as reader:
            for place, key in enumerate(keys):
                if key in truth.row:
                    reader.read(truth.row[key], line)
                    out[place] = line[truth.person]
    return out


_REASONS: dict[str, int] = {
    name: code
    for code, name in enumerate(
        ("few reads", "stray reads", "contamination", "artefact", "uncalled stretch", "copies", "deleted", POLICY),
        start=1,
    )
}


def _expected(truth: _Truth, shard: Shard, keys: list[Key]) -> tuple[np.ndarray, ...]:
    """(V, N) each: genotype in the sample's own gVCF, code of the reason it differs from the truth, depth (-1: not
    told), and whether the base lies in a deletion that was called."""
    place = {key: k for k, key in enumerate(keys)}
    column = {int(sample): k for k, sample in enumerate(truth.sample.tolist())}
    expected = np.zeros((len(keys), truth.sample.size), np.int8)
    reason, depth = np.zeros_like(expected), np.full(expected.shape, -1, np.int32)
    deleted = np.zeros(expected.shape, bool)
    starts = np.array([key[1] for key in keys])
    ends = starts + np.array([len(key[2]) for key in keys], np.int64)
    for sample, position, end, ref, alt, called, copies, ploidy, seen, quality, kind, cause in _calls(truth, shard):
        where = column.get(sample)
        if where is None:
            continue
        here = place.get((shard.contig, position, ref, alt))
        others = "copies" if copies != ploidy else POLICY
        if kind == "stretch" or quality == 0:
            # No evidence: nor is there any for the reference, in what no row of its own tells of.
            touched = (starts <= end) & (ends > position) & (depth[:, where] < 0)
            expected[touched, where], reason[touched, where] = MISSING, _REASONS[cause or others]
        if kind == "deletion" and called > 0:
            deleted[(starts > position) & (starts <= end), where] = True
        if here is not None:
            missing = called < 0 or quality == 0
            expected[here, where] = MISSING if missing else called * (2 if ploidy == 1 else 1)
            reason[here, where] = _REASONS[cause or others]
            depth[here, where] = seen
    return expected, reason, depth, deleted


_COLUMNS = ("sample", "position", "end", "ref", "alt", "copies_called", "copies", "ploidy", "depth", "quality", "kind",
            "reason")  # fmt: skip


def _calls(truth: _Truth, shard: Shard) -> Iterator[tuple[Any, ...]]:
    """_COLUMNS of `calls.parquet`, of what touches a shard."""
    for table in _calls_of(truth.folder, shard.contig):
        here = pc.and_(pc.less_equal(table.column("position"), shard.end), pc.greater(table.column("end"), shard.start))
        found = table.filter(here)
        yield from zip(*(found.column(name).to_pylist() for name in _COLUMNS), strict=True)


@lru_cache(maxsize=1)
def _calls_of(folder: Path, contig: str) -> list[pa.Table]:
    """Rows of one contig: shards come contig by contig."""
    parts = []
    with reading("truth/calls.parquet"):
        file = pq.ParquetFile(folder / "truth" / "calls.parquet")
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=["contig", *_COLUMNS])
            here = pc.equal(table.column("contig").cast(pa.string()), contig)
            parts.append(table.filter(here).drop_columns(["contig"]))
    return parts


def _partial(callset: Callset, shard: Shard, called: np.ndarray) -> np.ndarray:
    """(V, N) int8: 1 where the genotype lies under a deletion of its own, 2 half call, 3 of another ploidy;

    0 elsewhere.
    """
    out = np.zeros(called.shape, np.int8)
    if shard.partial is not None:
        table = pq.read_table(storage.join(callset.root, shard.partial))
        for row in table.to_pylist():
            code = OTHER_SEX if row["reason"] == "ploidy" else 1 if "*" in (row["first"], row["second"]) else 2
            out[row["row"], row["sample"]] = code
    return out


def _count_absent(found: Comparison, truth: _Truth, seen: set[Key]) -> None:
    """Alleles that a sample of the callset truly has, and no row."""
    missing = [key for key in truth.row if key not in seen]
    for start in range(0, len(missing), 4096):
        keys = missing[start : start + 4096]
        for place in np.flatnonzero((_true_genotypes(truth, keys) > 0).any(axis=1)).tolist():
            found.absent[kind_of(*keys[place][2:])] += 1
    found.lost = len(_called_somewhere(truth, set(missing)))


def _called_somewhere(truth: _Truth, keys: set[Key]) -> set[Key]:
    """Which of `keys` a sample of the callset has in its gVCF, with some quality."""
    found: set[Key] = set()
    samples = pa.array(truth.sample, pa.int32())
    file = pq.ParquetFile(truth.folder / "truth" / "calls.parquet")
    names = ["contig", "position", "ref", "alt"]
    for group in range(file.num_row_groups):
        table = file.read_row_group(group, columns=["sample", *names, "copies_called", "quality"])
        called = pc.and_(pc.greater(table.column("copies_called"), 0), pc.greater(table.column("quality"), 0))
        table = table.filter(pc.and_(called, pc.is_in(table.column("sample"), samples)))
        found.update(keys.intersection(zip(*(table.column(name).to_pylist() for name in names), strict=True)))
    return found


def as_text(found: Comparison) -> str:
    """The comparison as a page of text."""
    lines = [f"{found.n_samples:,} samples", "", "genotypes of true carriers, by kind"]
    kinds = sorted({kind for kind, *_ in found.cells})
    lines.append(
        f"{'kind':<12}{'carriers':>12}{'called right':>14}{'missing':>10}{'wrong':>8}{'concordance of calls':>22}"
    )
    for kind in kinds:
        cells = [(t, c, n) for (k, t, c, _), n in found.cells.items() if k == kind and t > 0]
        total, right = sum(n for *_, n in cells), sum(n for t, c, n in cells if t == c)
        missing = sum(n for _, c, n in cells if c == MISSING)
        called = total - missing
        share = f"{right / called:.5f}" if called else ""
        lines.append(f"{kind:<12}{total:>12,}{right:>14,}{missing:>10,}{called - right:>8,}{share:>22}")
    lines += ["", "genotypes of true carriers, by depth"]
    uppers = [*(f"to {depth - 1}" for depth in DEPTHS[1:]), "and more"]
    for lower, upper in zip(DEPTHS, uppers, strict=True):
        right, wrong = (
            sum(n for (_, d, r), n in found.depths.items() if d == lower and r is ok) for ok in (True, False)
        )
        if right + wrong:
            lines.append(f"{f'{lower} {upper}':<12}{right + wrong:>12,}{right / (right + wrong):>12.5f}")
    lines += [
        "",
        "genotypes that are not the truth, by reason",
        f"{'kind':<12}{'true':>6}{'called':>8}{'genotypes':>12}  reason",
    ]
    shown = {MISSING: "none"}
    for (kind, t, c, reason), n in sorted(found.cells.items()):
        if reason:
            lines.append(f"{kind:<12}{shown.get(t, t):>6}{shown.get(c, c):>8}{n:>12,}  {reason}")
    absent, extra = sum(found.absent.values()), sum(found.extra.values())
    lines += [
        "",
        f"alleles that someone has and no row shows: {absent:,}",
        f"rows of alleles that nobody has: {extra:,}",
    ]
    lines.append(f"genotypes without an explanation: {found.unexplained:,}")
    return "\n".join(lines) + "\n"
