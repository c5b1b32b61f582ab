"""A callset of drawn genotypes, the same PGEN for plink2, a MatrixTable for Hail, and what is true of them.

The truth is read from the bytes of the BED, by plain definitions: none of the engines takes part in it.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.jobs_genotypes import CHR22_BASES, make_fileset
from benchmarks.programs import CORES, cohelix, size_of
from benchmarks.registry import HERE, Engine

GROUPS = 8
PROBED = 4  # rows, or samples, whose numbers are looked at one by one
DRAWN_SAMPLES = 10_000  # of a larger cohort, each further block of people has the same genotypes in another order
TURN = 37  # bytes of four people that a block is turned by
VALUES = np.array([2, 3, 1, 0])  # copies of the alternate by BED code; 3: missing
CLOSE = 1e-4  # of p-values, which plink2 writes with six digits


@dataclass(frozen=True)
class Drawn:
    """`prefix`.bed/.bim/.fam, and what was made of it. truth: counts that an engine must find, by job. groups: table of
    sample, group and stratum (group and sex). made: `callset`, `pgen` (prefix), `matrix_table`."""

    job: str
    prefix: Path
    n_samples: int
    n_records: int
    truth: dict[str, dict[str, Any]]
    groups: Path
    made: dict[str, Path] = field(default_factory=dict)

    @property
    def bases(self) -> int:
        return CHR22_BASES

    @property
    def inputs(self) -> list[Path]:
        pgen = self.made.get("pgen")
        files = [pgen.with_name(pgen.name + suffix) for suffix in (".pgen", ".pvar", ".psam")] if pgen else []
        return [self.groups, *files, *(path for name, path in self.made.items() if name != "pgen")]

    @property
    def sizes(self) -> dict[str, int]:
        return {"input": size_of(self.made["callset"])} if "callset" in self.made else {}

    def check(self, engine: Engine, counts: dict[str, Any]) -> None:
        """Raises AssertionError where counts are not those of the genotypes that were drawn. What was looked at one by
        one (`probed`) is taken out of `counts`: it is too long for a line."""
        truth, probed = self.truth[self.job], counts.pop("probed")
        expected = {name: truth[name] for name in counts}
        assert counts == expected, f"{engine.name}: {counts}, not {expected}"
        midp = engine.name == "hail" and "probed_midp" in truth  # Hail's p-value is the mid-p
        right = truth["probed_midp" if midp else "probed"]
        np.testing.assert_allclose(probed, right, rtol=CLOSE, err_msg=engine.name)


def draw(folder: Path, n_samples: int, n_variants: int) -> Drawn:
    """Genotypes at neutral frequencies, 1 % of them missing, as a PLINK fileset."""
    drawn = make_fileset("drawn", folder, min(n_samples, DRAWN_SAMPLES), n_variants)
    if n_samples > DRAWN_SAMPLES:
        _widen(drawn.prefix, n_samples)
    groups = folder / "groups.tsv"
    rows = (f"{sample}\tg{group}\tg{group}_{sex}\n" for sample, group, sex in _people(n_samples))
    groups.write_text("#IID\tgroup\tstratum\n" + "".join(rows))
    work = Drawn("", drawn.prefix, n_samples, n_variants, {}, groups)
    return replace(work, truth=_truth(work))


def take_in(work: Drawn, engines: list[Engine], folder: Path) -> None:
    """Make what each engine starts from: a callset, the same PGEN for plink2, a MatrixTable for Hail."""
    names = {engine.name for engine in engines if not engine.missing()}
    callset = folder / "cohort.callset"
    bed = work.prefix.with_suffix(".bed")
    _run(cohelix("genotypes", "import", bed, "-o", callset, "--build", "GRCh38"))
    work.made["callset"] = callset
    if "plink2" in names:
        work.made["pgen"] = _one_pgen(callset, folder)
    if "hail" in names:
        script, table = str(HERE / "peers" / "hail_qc.py"), folder / "cohort.mt"
        _run([sys.executable, script, "import", "--prefix", str(work.prefix), "--table", str(table),
              "--out", str(folder)])  # fmt: skip
        work.made["matrix_table"] = table
    bed.unlink()


def strata() -> list[str]:
    """Names of group and sex, as in the table."""
    return [f"g{group}_{sex}" for group in range(GROUPS) for sex in ("male", "female")]


def probed_places(count: int) -> list[int]:
    """Rows (or samples) that are looked at one by one, spread over all."""
    return [place * count // PROBED for place in range(PROBED)]


def exact_p(hom_ref: int, het: int, hom_alt: int, *, midp: bool = False) -> float:
    """Two-sided exact test of Hardy-Weinberg equilibrium: the outcomes that are no more probable, by factorials.

    midp: those that are as probable as the observed one count half.
    """
    people, alternate = hom_ref + het + hom_alt, 2 * hom_alt + het
    rare = min(alternate, 2 * people - alternate)

    def log_weight(hets: int) -> float:
        homs = (rare - hets) // 2
        return hets * math.log(2) - sum(math.lgamma(n + 1) for n in (hets, homs, people - hets - homs))

    logs = np.array([log_weight(hets) for hets in range(rare & 1, rare + 1, 2)])
    weights, observed = np.exp(logs - logs.max()), log_weight(het)
    tied = np.abs(logs - observed) <= 1e-9
    return float((weights[logs < observed - 1e-9].sum() + weights[tied].sum() * (0.5 if midp else 1.0)) / weights.sum())


def _people(n_samples: int) -> list[tuple[str, int, str]]:
    """Id, group and sex: sexes alternate, so that pairs share a group."""
    return [(f"S{i:07d}", i // 2 % GROUPS, ("male", "female")[i % 2]) for i in range(n_samples)]


def _widen(prefix: Path, n_samples: int) -> None:
    """More people: blocks of the same genotypes, turned by some bytes each."""
    bed, blocks = prefix.with_suffix(".bed"), n_samples // DRAWN_SAMPLES
    if n_samples % DRAWN_SAMPLES:
        raise ValueError(f"more than {DRAWN_SAMPLES} samples come in whole multiples of them, not {n_samples}")
    rows = _bytes_of(prefix, DRAWN_SAMPLES)
    wide = prefix.with_suffix(".wide")
    with wide.open("wb") as out:
        out.write(b"\x6c\x1b\x01")
        for low in range(0, len(rows), 1024):
            part = np.array(rows[low : low + 1024])
            out.write(
                np.concatenate([np.roll(part, TURN * block, axis=1) for block in range(blocks)], axis=1).tobytes()
            )
    del rows
    wide.rename(bed)
    people = (f"0\tS{i:07d}\t0\t0\t{1 + i % 2}\t-9\n" for i in range(n_samples))
    prefix.with_suffix(".fam").write_text("".join(people))


def _bytes_of(prefix: Path, n_samples: int) -> np.ndarray:
    """uint8 (variants, bytes of a row): the body of a BED."""
    held = np.memmap(prefix.with_suffix(".bed"), np.uint8, "r", offset=3)
    return held.reshape(-1, -(-n_samples // 4))


def _truth(work: Drawn) -> dict[str, dict[str, Any]]:
    rows = _bytes_of(work.prefix, work.n_samples)
    counts = _count_rows(rows, work.n_samples)
    ac, n_missing = counts[:, 1] + 2 * counts[:, 2], int(counts[:, 3].sum())
    people = [_genotypes(rows[:, sample // 4])[:, sample % 4] for sample in probed_places(work.n_samples)]
    of_samples = {
        "samples": work.n_samples, "carried": int(counts[:, 1:3].sum()), "n_missing": n_missing,
        "n_singleton": int((ac == 1).sum()),
        "probed": [[int(((one == 1) | (one == 2)).sum()), int((one == 3).sum())] for one in people],
    }  # fmt: skip
    of_all = {"rows": work.n_records, "ac": int(ac.sum()), "n_missing": n_missing}
    places = probed_places(work.n_records)
    probed = [(counts[row, :3], _genotypes(rows[row]).reshape(-1)[: work.n_samples]) for row in places]
    by_name: dict[str, list[list[Any]]] = {"probed": [], "probed_midp": []}
    for name, midp in (("probed", False), ("probed_midp", True)):
        by_name[name] = [[exact_p(*of_row.tolist(), midp=midp), _by_group(one, midp)] for of_row, one in probed]
    return {
        "qc-samples": of_samples,
        "qc-variants": of_all | {name: [row[0] for row in found] for name, found in by_name.items()},
        "qc-variants-groups": of_all | {name: [row[1] for row in found] for name, found in by_name.items()},
    }


def _by_group(values: np.ndarray, midp: bool) -> list[float]:
    """Alternate alleles of each stratum, then the p-value of each group, of one row."""
    sample = np.arange(len(values))
    group, sex = sample // 2 % GROUPS, sample % 2
    copies = np.where(values == 3, 0, values)
    ac = [float(copies[(group == one) & (sex == which)].sum()) for one in range(GROUPS) for which in (0, 1)]
    tallies = [np.bincount(values[group == one], minlength=4)[:3].tolist() for one in range(GROUPS)]
    return ac + [exact_p(*tally, midp=midp) for tally in tallies]


def _genotypes(codes: np.ndarray) -> np.ndarray:
    """(bytes, 4) copies of the alternate, 3 missing."""
    return np.asarray(VALUES[codes[:, None] >> (2 * np.arange(4)) & 3])


def _count_rows(rows: np.ndarray, n_samples: int) -> np.ndarray:
    """int64 (variants, 4): 0, 1, 2 copies and missing, by a table of what is in a byte."""
    each = np.arange(256)[:, None] >> (2 * np.arange(4)) & 3
    table = np.array([[(VALUES[byte] == value).sum() for value in range(4)] for byte in each], np.uint8)
    out = np.empty((len(rows), 4), np.int64)
    for low in range(0, len(rows), 1024):
        part = np.array(rows[low : low + 1024])
        for value in range(4):
            out[low : low + len(part), value] = table[:, value][part].sum(axis=1, dtype=np.int64)
    out[:, 2] -= -n_samples % 4  # padding reads as two copies
    return out


def _one_pgen(callset: Path, folder: Path) -> Path:
    """Prefix of a PGEN for plink2: the callset's own where it has one shard, else its shards put together by plink2."""
    shards = json.loads(max((callset / "_commit").glob("*.json")).read_text())["meta"]["shards"]
    prefixes = [callset / shard["pgen"].removesuffix(".pgen") for shard in shards]
    if len(prefixes) == 1:
        return prefixes[0]
    listing, out = folder / "shards.txt", folder / "cohort"
    listing.write_text("".join(f"{prefix}\n" for prefix in prefixes))
    _run(["plink2", "--threads", str(CORES), "--pmerge-list", str(listing), "pfile", "--out", str(out)])
    return out


def _run(argv: list[str]) -> None:
    subprocess.run(argv, check=True, capture_output=True)
