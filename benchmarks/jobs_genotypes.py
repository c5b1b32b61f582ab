"""Jobs of callsets: a PLINK fileset counted and taken in, and written out again.

`genotypes-counts`: BED in, PGEN out, with the counts of every variant and every sample (ours: `cohelix genotypes
import`, which always counts; plink2: --make-pgen with --geno-counts, --missing and --sample-counts; Hail: variant_qc
and sample_qc, and a MatrixTable). `genotypes-export`: a callset back into BED (plink2: --make-bed from its own PGEN).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import programs
from benchmarks.programs import CORES, cohelix, size_of, sizes_of
from benchmarks.registry import HERE, Engine, Job, chosen, register
from benchmarks.turns import Bench, take_turns

CHR22_BASES = 50_818_468  # GRCh38
MISSING_SHARE = 0.01
SEED = 1
SAMPLES, VARIANTS = 1_000, 200_000
QUICK_SAMPLES, QUICK_VARIANTS = 200, 20_000
SIZES = {
    "bed": "BED (input)",
    "callset": "callset (ours)",
    "pgen": "PGEN (plink2)",
    "matrix_table": "MatrixTable (Hail)",
}


@dataclass(frozen=True)
class Fileset:
    """`prefix`.bed/.bim/.fam. ac: alternate alleles, n_missing: genotypes that are missing, both over all variants.

    made: what an engine's own earlier step left for the job, by engine.
    """

    job: str
    prefix: Path
    n_samples: int
    n_records: int
    ac: int
    n_missing: int
    made: dict[str, Path]

    @property
    def bases(self) -> int:
        return CHR22_BASES

    @property
    def inputs(self) -> list[Path]:
        return [*(self.prefix.with_suffix(suffix) for suffix in (".bed", ".bim", ".fam")), *self.made.values()]

    @property
    def sizes(self) -> dict[str, int]:
        return {"bed": self.prefix.with_suffix(".bed").stat().st_size}

    def check(self, engine: Engine, counts: dict[str, Any]) -> None:
        """Raises AssertionError where the counts are not those of the genotypes that were drawn."""
        truth = {"rows": self.n_records, "ac": self.ac, "n_missing": self.n_missing}
        if "bed_sha256" in counts:
            truth = {"rows": self.n_records, "bed_sha256": _digest(self.prefix.with_suffix(".bed"))}
        found = {name: counts[name] for name in truth}
        assert found == truth, f"{engine.name}: {found}, not {truth}"


def make_fileset(job: str, folder: Path, n_samples: int, n_variants: int) -> Fileset:
    """Genotypes at neutral frequencies, drawn from a fixed seed."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    prefix, ac, n_missing = folder / job, 0, 0
    codes = np.array([0, 2, 3, 1], np.uint8)  # of 0, 1, 2 copies of A2 and of a missing genotype; A1 is the alternate
    with prefix.with_suffix(".bed").open("wb") as out:
        out.write(b"\x6c\x1b\x01")
        for low in range(0, n_variants, 4096):
            rows = min(4096, n_variants - low)
            copies = rng.binomial(2, 0.5 * 1000 ** -rng.random((rows, 1)), (rows, n_samples)).astype(np.uint8)
            absent = rng.random((rows, n_samples)) < MISSING_SHARE
            ac, n_missing = ac + int(copies[~absent].sum()), n_missing + int(absent.sum())
            code = np.zeros((rows, -(-n_samples // 4) * 4), np.uint8)
            code[:, :n_samples] = np.where(absent, 1, codes[2 - copies])
            out.write((code[:, 0::4] | code[:, 1::4] << 2 | code[:, 2::4] << 4 | code[:, 3::4] << 6).tobytes())
    position = 1 + np.arange(n_variants) * (CHR22_BASES // n_variants)
    lines = (f"22\tv{i}\t0\t{at}\t{'ACGT'[i % 4]}\t{'CGTA'[i % 4]}\n" for i, at in enumerate(position.tolist()))
    prefix.with_suffix(".bim").write_text("".join(lines))
    people = (f"0\tS{i:07d}\t0\t0\t{1 + i % 2}\t-9\n" for i in range(n_samples))
    prefix.with_suffix(".fam").write_text("".join(people))
    return Fileset(job, prefix, n_samples, n_variants, ac, n_missing, {})


def _ours_import(work: Fileset, folder: Path) -> list[tuple[str, list[str]]]:
    bed = work.prefix.with_suffix(".bed")
    return [("import", cohelix("genotypes", "import", bed, "-o", folder / "y.callset", "--build", "GRCh38"))]


def _ours_counts(folder: Path) -> dict[str, Any]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    callset = folder / "y.callset"
    meta = json.loads(max((callset / "_commit").glob("*.json")).read_text())["meta"]
    sites = [pq.read_table(callset / shard["sites"], columns=["ac", "n_called"]) for shard in meta["shards"]]
    rows = sum(table.num_rows for table in sites)
    called = sum(pc.sum(table["n_called"]).as_py() for table in sites)
    ac = sum(pc.sum(table["ac"]).as_py() for table in sites)
    return {"rows": rows, "ac": ac, "n_missing": rows * meta["n_samples"] - called}


def _plink2_counts_steps(work: Fileset, folder: Path) -> list[tuple[str, list[str]]]:
    words = ["--make-pgen", "--geno-counts", "--missing", "--sample-counts"]
    return [("make-pgen and count", _plink2("--bfile", work.prefix, *words, "--out", folder / "p"))]


def _plink2(*words: str | Path) -> list[str]:
    return ["plink2", "--threads", str(CORES), *map(str, words)]


def _plink2_counts(folder: Path) -> dict[str, Any]:
    rows = ac = absent = 0
    with (folder / "p.gcount").open() as lines:
        names = next(lines).lstrip("#").split()
        het, hom, missing = (names.index(name) for name in ("HET_REF_ALT_CTS", "TWO_ALT_GENO_CTS", "MISSING_CT"))
        for line in lines:
            fields = line.split()
            rows += 1
            ac += int(fields[het]) + 2 * int(fields[hom])
            absent += int(fields[missing])
    return {"rows": rows, "ac": ac, "n_missing": absent}


def _hail_steps(work: Fileset, folder: Path) -> list[tuple[str, list[str]]]:
    script = str(HERE / "peers" / "hail_counts.py")
    return [("import and count", [sys.executable, script, "--prefix", str(work.prefix), "--out", str(folder)])]


def _hail_counts(folder: Path) -> dict[str, Any]:
    counts: dict[str, Any] = json.loads((folder / "counts.json").read_text())
    return counts


def _ours_export(work: Fileset, folder: Path) -> list[tuple[str, list[str]]]:
    return [("export", cohelix("genotypes", "export", work.made["ours"], "-o", folder / "x.bed"))]


def _plink2_export(work: Fileset, folder: Path) -> list[tuple[str, list[str]]]:
    return [("make-bed", _plink2("--pfile", work.made["plink2"] / "p", "--make-bed", "--out", folder / "x"))]


def _exported(folder: Path) -> dict[str, Any]:
    rows = (folder / "x.bim").read_bytes().count(b"\n")
    return {"rows": rows, "bed_sha256": _digest(folder / "x.bed")}


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


_lacks_plink2 = programs.lacks_program("plink2")
COUNTERS = {
    "ours": Engine("ours", programs.cohelix_version, _ours_import, _ours_counts, sizes_of(callset="y.callset")),
    "plink2": Engine(
        "plink2", programs.plink2_version, _plink2_counts_steps, _plink2_counts, sizes_of(pgen="p.pgen"),
        missing=_lacks_plink2,
    ),
    "hail": Engine(
        "hail", programs.hail_version, _hail_steps, _hail_counts, sizes_of(matrix_table="cohort.mt"),
        missing=programs.lacks_hail,
    ),
}  # fmt: skip
EXPORTERS = {
    "ours": Engine("ours", programs.cohelix_version, _ours_export, _exported, sizes_of()),
    "plink2": Engine(
        "plink2", programs.plink2_version, _plink2_export, _exported, sizes_of(), missing=_lacks_plink2
    ),
}  # fmt: skip


def _fileset(job: str, wish: argparse.Namespace, bench: Bench) -> Fileset:
    n_samples, n_variants = (QUICK_SAMPLES, QUICK_VARIANTS) if wish.quick else (SAMPLES, VARIANTS)
    work = make_fileset(job, bench.scratch, n_samples, n_variants)
    print(
        f"# made {n_samples} x {n_variants} genotypes, {size_of(work.prefix.with_suffix('.bed')) >> 20} MiB",
        file=sys.stderr,
    )
    return work


def _counts(wish: argparse.Namespace, bench: Bench) -> None:
    take_turns(_fileset("genotypes-counts", wish, bench), chosen(COUNTERS, wish.engines), bench)


def _export(wish: argparse.Namespace, bench: Bench) -> None:
    """Each engine first takes the BED into its own format, which is not timed."""
    work, engines = _fileset("genotypes-export", wish, bench), chosen(EXPORTERS, wish.engines)
    for engine in engines:
        if not engine.missing():
            folder = bench.scratch / f"taken-in-{engine.name}"
            folder.mkdir()
            for _, argv in COUNTERS[engine.name].steps(work, folder):
                subprocess.run(argv, check=True, capture_output=True)
            work.made[engine.name] = folder / "y.callset" if engine.name == "ours" else folder
    take_turns(work, engines, bench)


def _all(wish: argparse.Namespace, bench: Bench) -> None:
    _counts(wish, bench)
    _export(argparse.Namespace(**{**vars(wish), "engines": None}), bench)


register(Job("genotypes", _all))
register(
    Job(
        "genotypes-counts", _counts, "A PLINK fileset taken in, every variant and sample counted",
        counted=("rows", "variants"), sizes=SIZES,
    )
)  # fmt: skip
register(Job("genotypes-export", _export, "A callset written as BED", counted=("rows", "variants")))
