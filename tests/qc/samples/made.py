"""Small callsets for the tests of sample quality control: imported from a VCF, or with the tables of a joint call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix import dataset
from cohelix.genome import REGIONS
from cohelix.genotypes import callset, vcf
from cohelix.genotypes.callset import Callset
from cohelix.qc.samples.metrics import REGION_COUNTS
from tests.oracles.genotypes import random_block

LENGTHS = {"chr1": 248956422, "chr20": 64444167, "chrX": 156040895, "chrY": 57227415, "chrM": 16569}
PLACES = {
    "chr1": list(range(1000, 1060)),
    "chr20": list(range(5000, 5020)),
    "chrX": [20_000, 2_781_479, *range(30_000_000, 30_000_040), 155_701_383],
    "chrY": [20_000, *range(20_000_000, 20_000_012)],
    "chrM": list(range(100, 106)),
}
ALLELES = [("A", "G"), ("C", "A"), ("T", "C"), ("A", "AT"), ("AT", "A"), ("AC", "GT"), ("G", "T"), ("C", "CAA")]
TEXT = {0: "0/0", 1: "0/1", 2: "1/1", -9: "./."}


def ids(count: int) -> list[str]:
    return [f"s{i:03d}" for i in range(count)]


def write_vcf(
    folder: Path, n_samples: int, *, contigs: Sequence[str] = tuple(PLACES), y_par: bool = True, seed: int = 3
) -> Path:
    """Random diploid calls on autosomes, X, Y and MT, with every kind of allele and some singletons."""
    path = folder / "made.vcf"
    lines = ['##fileformat=VCFv4.2\n##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines += [f"##contig=<ID={name},length={LENGTHS[name]}>" for name in contigs]
    lines.append("\t".join("#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT".split() + ids(n_samples)))
    for number, contig in enumerate(contigs):
        block = random_block(seed + number, len(PLACES[contig]), n_samples)
        block[::5] = 0
        block[::5, number % n_samples] = 1
        for at, (position, row) in enumerate(zip(PLACES[contig], block.tolist(), strict=True)):
            if contig == "chrY" and position < 100_000 and not y_par:
                continue
            ref, alt = ALLELES[at % len(ALLELES)]
            calls = [TEXT[genotype] for genotype in row]
            lines.append("\t".join([contig, str(position), ".", ref, alt, ".", ".", ".", "GT", *calls]))
    path.write_text("\n".join(lines) + "\n")
    return path


def imported(folder: Path, sexes: Sequence[str], **how: Any) -> Callset:
    path = write_vcf(folder, len(sexes), **how)
    table = dict(zip(ids(len(sexes)), sexes, strict=True))
    return vcf.import_vcf(str(path), str(folder / "made.callset"), sexes=table)


def genotypes_of(opened: Callset) -> tuple[list[dict[str, Any]], list[list[int]], set[tuple[int, int]]]:
    """Sites, genotypes and masked hets of a callset, all shards in one."""
    sites: list[dict[str, Any]] = []
    rows: list[list[int]] = []
    conflicts = set()
    for shard in opened.shards:
        partial = opened.partial(shard)
        for half in partial.to_pylist() if partial is not None else []:
            if half["reason"] == "ploidy":
                conflicts.add((len(rows) + half["row"], half["sample"]))
        sites += opened.sites(shard).to_pylist()
        rows += callset.read_genotypes(opened, shard, 0, shard.n_sites).tolist()
    return sites, rows, conflicts


def region_rows(sample: int, **regions: dict[str, int]) -> list[dict[str, Any]]:
    """Rows of a `regions` table; counts that are not named are 0."""
    order = sorted(regions, key=REGIONS.index)
    return [{"sample": sample, "region": name} | dict.fromkeys(REGION_COUNTS, 0) | regions[name] for name in order]


def called(
    folder: Path, samples: dict[str, list[Any]], regions: list[dict[str, Any]],
    contamination: list[dict[str, Any]] | None = None, grid: Sequence[float] = (),
) -> Callset:  # fmt: skip
    """A callset of one site with the tables of a joint call, which are handed in."""
    n = len(samples["sex"])
    root = str(folder / "called.callset")
    work = {"made": "for a test"}
    writer = dataset.begin(root, callset.KIND, work, after=0)
    site = {
        "contig": ["chr1"],
        "position": [1000],
        "ref": ["A"],
        "alt": ["G"],
        "id": ["chr1:1000:A:G"],
        "kind": ["snp"],
    }
    zero = ("n_hom_ref", "n_het", "n_hom_alt", "n_haploid_ref", "n_haploid_alt", "ac", "an")
    counts = {"n_called": pa.array([0])} | {name: pa.array([0]) for name in zero}
    sites = pa.table(
        {name: pa.array(v, pa.int32() if name == "position" else None) for name, v in site.items()} | counts
    )
    shard, files = callset.write_shard(
        writer, name="chr1-00000000000", contig="chr1", start=0, end=1_000_000, build="GRCh38", sites=sites,
        blocks=[np.full((1, n), -9, np.int8)], sample_ids=ids(n), sexes=samples["sex"],
    )  # fmt: skip
    table = pa.table({"sample_id": ids(n)} | {name: pa.array(values) for name, values in samples.items()})
    entries = {"regions": pa.Table.from_pylist(regions)}
    if contamination is not None:
        entries["contamination"] = pa.Table.from_pylist(contamination)
    meta = {
        "build": "GRCh38", "contigs": [{"name": "chr1", "length": LENGTHS["chr1"]}], "n_samples": n, "n_sites": 1,
        "alleles": "trimmed", "params": {}, "shards": [shard.to_meta()], "contamination_grid": list(grid), "tables": {},
    }  # fmt: skip
    files = [*files, callset.write_samples(writer, table)]
    meta["samples"] = files[-1].path
    for name, entry in entries.items():
        files.append(writer.put(name, ".parquet", callset.parquet_bytes(entry)))
        meta["tables"][name] = files[-1].path
    writer.commit(files, meta, {}, after=0)
    return callset.open_callset(root)
