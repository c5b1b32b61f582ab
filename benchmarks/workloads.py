"""The gVCFs that the engines of the joint call are given, and what is true of it, found without any of them."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.registry import Engine

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "gvcf_1kg_chr22"
CHR22_BASES = 50_818_468  # GRCh38


@dataclass(frozen=True)
class Workload:
    """gVCFs of a cohort over `contig`:`start`-`end` (1-based, both in).

    `parts`: intervals, for an engine that asks for them. `alleles`: distinct (position, ref, alt), trimmed.
    `alt_copies`: alternate alleles carried and called; None where the truth is not known.
    """

    job: str
    manifest: Path
    paths: list[Path]
    contig: str
    start: int
    end: int
    parts: int
    n_records: int
    alleles: int
    alt_copies: int | None

    @property
    def n_samples(self) -> int:
        return len(self.paths)

    @property
    def bases(self) -> int:
        return self.end - self.start + 1

    @property
    def inputs(self) -> list[Path]:
        return [*self.paths, self.manifest]

    @property
    def sizes(self) -> dict[str, int]:
        return {"gvcf": sum(path.stat().st_size for path in self.paths)}

    def check(self, engine: Engine, counts: dict[str, Any]) -> None:
        """Raises AssertionError where the counts of an engine's output are not those of the input."""
        assert counts["samples"] == self.n_samples, f"{engine.name}: {counts['samples']} samples, not {self.n_samples}"
        # Real files hold alternates that no sample is called with: whether they are alleles is a matter of policy.
        allowed = max(engine.tolerance, 0.02 if self.alt_copies is None else 0.0) * self.alleles
        assert abs(counts["alleles"] - self.alleles) <= allowed, (
            f"{engine.name}: {counts['alleles']} alleles, not {self.alleles}"
        )
        if self.alt_copies is not None and "alt_copies" in counts:
            assert counts["alt_copies"] == self.alt_copies, (
                f"{engine.name}: {counts['alt_copies']} copies, not {self.alt_copies}"
            )


@dataclass(frozen=True)
class Forced(Workload):
    """A call of the samples in `store`, with a row for each allele of `wanted`, which nobody carries."""

    store: Path
    wanted: Path

    @property
    def inputs(self) -> list[Path]:
        return [self.store, self.wanted]


def forced(work: Workload, cohort: Path, store: Path, n_forced: int, folder: Path) -> Forced:
    """`n_forced` SNPs spread over the region, where no person of the cohort has anything."""
    import pyarrow.parquet as pq

    taken = set(pq.read_table(cohort / "truth.parquet", columns=["position"])["position"].to_pylist())
    step = (work.end - work.start) // (n_forced + 1)
    free = (next(p for p in range(at, work.end) if p not in taken) for at in range(work.start, work.end, step))
    positions = sorted(set(free))[:n_forced]
    wanted = folder / "wanted.tsv"
    rows = (f"{work.contig}\t{position}\tA\tC\n" for position in positions)
    wanted.write_text("contig\tposition\tref\talt\n" + "".join(rows))
    facts = {**vars(work), "job": "joint-sites", "alleles": work.alleles + len(positions)}
    return Forced(**facts, store=store, wanted=wanted)


def real(folder: Path) -> Workload:
    """50 gVCFs of 1000 Genomes people, the start of chr22."""
    paths = sorted(REAL.glob("*.g.vcf.gz"))
    rows = [("sample_id", "path"), *((path.name.split(".")[0], str(path)) for path in paths)]
    manifest = _write_manifest(folder / "real.tsv", rows)
    n_records, alleles = 0, set()
    for path in paths:
        with gzip.open(path, "rt") as lines:
            for line in lines:
                if line.startswith("#"):
                    continue
                n_records += 1
                position, _, ref, alts = line.split("\t", 5)[1:5]
                alleles |= {(int(position), *_trimmed(ref, alt)) for alt in alts.split(",") if alt[0] not in "<*"}
    return Workload("joint-real", manifest, paths, "chr22", 1, CHR22_BASES, 1, n_records, len(alleles), None)


def made(cohort: Path, folder: Path, region: str, first: int, last: int) -> Workload:
    """People `first` to `last` (from 0, end not in) of the cohort that `cohelix simulate gvcfs` wrote."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with (cohort / "manifest.tsv").open() as lines:
        people = list(csv.DictReader(lines, delimiter="\t"))[first:last]
    paths = [(cohort / row["path"]).resolve() for row in people]
    rows = [("sample_id", "path"), *((row["sample_id"], str(path)) for row, path in zip(people, paths, strict=True))]
    manifest = _write_manifest(folder / f"made-{first}-{last}.tsv", rows)
    truth = pq.read_table(
        cohort / "truth.parquet", filters=[("sample", ">=", first), ("sample", "<", last), ("called", "==", True)]
    )
    distinct = truth.group_by(["position", "ref", "alt"]).aggregate([]).num_rows
    contig, _, span = region.partition(":")
    start, end = (int(text.replace(",", "")) for text in span.split("-"))
    n_records = sum(_count_records(path) for path in paths)
    parts = max(2, (end - start) // 250_000)
    return Workload(
        "joint-made", manifest, paths, contig, start, end, parts, n_records, distinct, pc.sum(truth["copies"]).as_py()
    )


def _write_manifest(path: Path, rows: list[tuple[str, str]]) -> Path:
    path.write_text("".join("\t".join(row) + "\n" for row in rows))
    path.with_suffix(".list").write_text("".join(f"{row[1]}\n" for row in rows[1:]))
    return path


def _count_records(path: Path) -> int:
    text = gzip.decompress(path.read_bytes())
    return text.count(b"\n") - text.count(b"\n#") - 1


def _trimmed(ref: str, alt: str) -> tuple[str, str]:
    while len(ref) > 1 and len(alt) > 1 and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    return ref, alt
