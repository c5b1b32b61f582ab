"""A small callset with every kind of region, written directly: random calls, random adj, sites with several alleles."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from cohelix import dataset
from cohelix.genome import Contig
from cohelix.genotypes import callset, counts
from cohelix.genotypes.callset import Callset
from tests.oracles.genotypes import copies_of, random_block

CONTIGS = [Contig("chr1", 248956422), Contig("chrX", 156040895), Contig("chrY", 57227415), Contig("chrM", 16569)]
PLACES = {
    "chr1": [5, 5, 5, *range(1000, 1036)],
    "chrX": [10_001, 2_781_479, 2_781_480, 2_781_480, 30_000_000, 155_701_382, 155_701_383, 156_030_895],
    "chrY": list(range(20_000_000, 20_000_006)),
    "chrM": [100, 200],
}
ALTS = ("C", "G", "T", "AC", "AG", "AT")


@dataclass(frozen=True)
class Made:
    """The callset and what is in it. blocks, adj: contig -> (rows, samples)."""

    opened: Callset
    sexes: list[str]
    groups: list[str]
    blocks: dict[str, np.ndarray] = field(default_factory=dict)
    adj: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def root(self) -> str:
        return self.opened.root

    def groups_file(self, folder: Path) -> str:
        ids = self.opened.samples().column("sample_id").to_pylist()
        rows = [f"{sample}\t{group}\n" for sample, group in zip(ids, self.groups, strict=True) if group]
        path = folder / "groups.tsv"
        path.write_text("research_id\tancestry_pred_other\n" + "".join(rows))
        return str(path)


def make(
    folder: Path, *, n_samples: int = 40, seed: int = 1, with_adj: bool = True, sexes: list[str] | None = None
) -> Made:
    """Write it. Rows of chr1 include one that nobody is called at, one of one allele, and one of the other only."""
    random = np.random.default_rng(seed)
    sexes = sexes or random.choice(["male", "female"], n_samples).tolist()
    n_samples = len(sexes)
    groups = random.choice(["afr", "eur", "oth", ""], n_samples, p=[0.4, 0.4, 0.1, 0.1]).tolist()
    groups[:2] = ["afr", "eur"][: min(2, n_samples)]
    ids = [f"s{i:04d}" for i in range(n_samples)]
    root = str(folder / "made.callset")
    writer = dataset.begin(root, callset.KIND, {"seed": seed}, after=0)
    shards, files, blocks, fails_of = [], [], {}, {}
    for number, contig in enumerate(CONTIGS):
        positions = np.array(PLACES[contig.name])
        block = random_block(seed + number, len(positions), n_samples)
        if contig.name == "chr1":
            block[4], block[5], block[6] = -9, np.where(block[5] == -9, -9, 0), np.where(block[6] == -9, -9, 2)
        ploidy = counts.ploidy_of("GRCh38", contig.name, positions, sexes)
        counts.drop_conflicts(block, ploidy)
        fails = ((random.random(block.shape) < 0.2) & (block != -9)).astype(np.int8)
        sites = _sites(contig.name, positions, block, fails if with_adj else None, sexes)
        shard, entries = callset.write_shard(
            writer, name=f"{contig.name}-0", contig=contig.name, start=0, end=contig.length, build="GRCh38",
            sites=sites, blocks=[block], sample_ids=ids, sexes=sexes, adj_blocks=[fails] if with_adj else None,
        )  # fmt: skip
        shards.append(shard)
        files += entries
        blocks[contig.name], fails_of[contig.name] = block, fails
    zeros = pa.array(np.zeros(n_samples, np.int64))
    table = {"sample_id": pa.array(ids), "sex": pa.array(sexes), "n_sites": zeros, "n_called": zeros}
    samples = callset.write_samples(writer, pa.table(table | dict.fromkeys(counts.CALLED, zeros)))
    opened = callset.commit_callset(
        writer, build="GRCh38", contigs=CONTIGS, shards=shards, samples=samples, n_samples=n_samples, files=files,
        alleles="trimmed", params={}, after=0,
    )  # fmt: skip
    return Made(opened, sexes, groups, blocks, fails_of if with_adj else {})


def _sites(
    contig: str, positions: np.ndarray, block: np.ndarray, fails: np.ndarray | None, sexes: list[str]
) -> pa.Table:
    seen: dict[int, int] = {}
    alts = []
    for position in positions.tolist():
        alts.append(ALTS[seen.get(position, 0)])
        seen[position] = seen.get(position, 0) + 1
    columns = {
        "contig": pa.array([contig] * len(alts)),
        "position": pa.array(positions.astype(np.int32)),
        "ref": pa.array(["A"] * len(alts)),
        "alt": pa.array(alts),
        "id": pa.array([f"{contig}:{p}:A:{alt}" for p, alt in zip(positions.tolist(), alts, strict=True)]),
        "kind": pa.array(["snp" if len(alt) == 1 else "insertion" for alt in alts]),
    }
    ploidy = counts.ploidy_of("GRCh38", contig, positions, sexes)
    columns |= counts.site_columns(counts.count_variants(block, ploidy))
    if fails is not None:
        passing = np.where(fails == 1, -9, block)
        made = counts.site_columns(counts.count_variants(passing, ploidy))
        columns |= {"ac_adj": made["ac"], "an_adj": made["an"], "n_hom_alt_adj": made["n_hom_alt"]}
    return pa.table(columns)


def copies(contig: str, position: int, sexes: list[str]) -> list[int]:
    return [copies_of("GRCh38", contig, position, sex) for sex in sexes]
