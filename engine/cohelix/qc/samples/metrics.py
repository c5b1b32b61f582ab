"""Metrics of samples from counts that were made before: no genotype is read here.

A metric that a callset cannot state is absent, and one that a sample cannot state is NaN; neither is ever zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cohelix import genome
from cohelix.genome import REGIONS
from cohelix.genotypes.callset import Callset
from cohelix.genotypes.schema import MISSING_PREFIX

REGION_COUNTS = (
    "n_sites", "n_called", "n_hom_ref", "n_het", "n_hom_alt", "n_haploid_ref", "n_haploid_alt", "n_ploidy_conflict",
    "n_bases", "depth_sum", "n_bases_10x", "n_bases_20x", "n_bases_30x",
    "n_f_called", "n_f_hom", "f_expected_nano", "f_expected_small_nano",
)  # fmt: skip
"""Counts of each sample and region: columns of the callset's `regions` table."""

COVERED = "n_bases_1x"
"""Bases of depth 1 and more: a further column of callsets that state it."""

NANO = 1e9
AUTOSOMES = (REGIONS.index("autosome"), REGIONS.index("chr20"))


@dataclass(frozen=True)
class SampleCounts:
    """Counts of a callset by sample: `samples[name]` int64 (samples,), `regions[name]` int64 (samples, regions).

    `regions` are those of `genome.REGIONS`. n_y_sites: sites on Y, of which women have none.
    """

    samples: dict[str, np.ndarray]
    regions: dict[str, np.ndarray]
    n_y_sites: int

    def over(self, name: str, regions: Sequence[int]) -> np.ndarray:
        """int64 (samples,): a count of `regions` together."""
        return np.asarray(self.regions[name][:, list(regions)].sum(axis=1))

    @property
    def has_depth(self) -> bool:
        return "depth_sum" in self.regions


def counts_of(callset: Callset) -> SampleCounts | None:
    """The counts that the joint call made, None where the callset was imported and has none."""
    path = (callset.commit.meta.get("tables") or {}).get("regions")
    if path is None:
        return None
    table = callset.table(path)
    names = {name: index for index, name in enumerate(REGIONS)}
    region = np.array([names[name] for name in table.column("region").to_pylist()], np.int64)
    sample = table.column("sample").to_numpy().astype(np.int64)
    regions = {}
    for name in (*REGION_COUNTS, *({COVERED} & set(table.column_names))):
        grid = np.zeros((callset.n_samples, len(REGIONS)), np.int64)
        grid[sample, region] = table.column(name).to_numpy()
        regions[name] = grid
    return SampleCounts(sample_columns(callset.samples()), regions, y_sites(callset))


def sample_columns(table: pa.Table) -> dict[str, np.ndarray]:
    """The int64 columns of a samples table."""
    return {
        name: table.column(name).to_numpy() for name in table.column_names if table.schema.field(name).type == "int64"
    }


def y_sites(callset: Callset) -> int:
    return sum(shard.n_sites for shard in callset.shards if genome.plain_name(shard.contig) == "Y")


def expected_homozygosity(sites: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """bool (sites,) of rows at which both alleles are seen; int64 (2, sites) expected homozygosity there, in 1e-9.

    First 1 - 2pq, then 1 - 2pq n/(n-1) with n allele copies.
    """
    ac, an = (sites.column(name).to_numpy().astype(np.float64) for name in ("ac", "an"))
    seen = (ac > 0) & (ac < an)
    copies = np.where(seen, an, 2.0)
    het = 2 * (ac / copies) * (1 - ac / copies)
    weights = np.stack([1 - het, 1 - het * copies / (copies - 1)])
    return seen, np.where(seen, np.rint(weights * NANO), 0).astype(np.int64)


def x_homozygosity(callset: Callset) -> float:
    """Mean expected homozygosity of a genotype on X outside its pseudo-autosomal regions; NaN where X has no site."""
    total, rows = 0, 0
    for shard in callset.shards:
        if genome.plain_name(shard.contig) != "X":
            continue
        sites = callset.sites(shard)
        region = genome.region_of(callset.build, shard.contig, sites.column("position").to_numpy())
        seen, weights = expected_homozygosity(sites)
        chosen = seen & (region == REGIONS.index("x"))
        total, rows = total + int(weights[0, chosen].sum()), rows + int(chosen.sum())
    return total / NANO / rows if rows else float("nan")


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """float64; NaN where nothing is divided by."""
    out = np.full(np.shape(denominator), np.nan)
    np.divide(numerator, denominator, out=out, where=np.asarray(denominator) != 0)
    return out


CHANGES = ("transition", "transversion", "insertion", "deletion")
"""What is counted by copies as well."""


def metrics_of(counts: SampleCounts, stated: Sequence[str]) -> dict[str, np.ndarray]:
    """Metrics (samples,) by name: int64 where they are counts, float64 where they are shares and ratios.

    stated: the sex that the callset was made with; women have no site on Y to be missing at.
    """
    out: dict[str, np.ndarray] = {}
    own = counts.samples
    expected = own["n_sites"] - np.where(np.array(stated) == "female", counts.n_y_sites, 0)
    out["n_called"], out["n_missing"] = own["n_called"], expected - own["n_called"]
    out["call_rate"] = ratio(own["n_called"], expected)
    out |= {name: values for name, values in own.items() if name.startswith(MISSING_PREFIX)}
    out |= _alleles(own)
    out |= _reads(own)
    if counts.has_depth:
        out |= _coverage(counts)
    observed, small = (counts.over(name, AUTOSOMES) for name in ("n_f_hom", "n_f_called"))
    for name, column in (("f_inbreeding", "f_expected_nano"), ("f_inbreeding_small", "f_expected_small_nano")):
        out[name] = inbreeding(observed, small, counts.over(column, AUTOSOMES) / NANO)
    return out


def inbreeding(observed: np.ndarray, called: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """F = (O - E) / (N - E): O of N genotypes are homozygous, and E would be under Hardy-Weinberg."""
    return ratio(observed - expected, called - expected)


def _alleles(own: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Alternate alleles carried (rows, not copies), and their ratios; `*_copies` of copies, as gnomAD."""
    plain = ("n_snp", "n_insertion", "n_deletion", "n_transition", "n_transversion", "n_singleton")
    out = {name: own[name] for name in plain}
    out["snp_indel"] = ratio(own["n_snp"], own["n_insertion"] + own["n_deletion"])
    out["ti_tv"] = ratio(own["n_transition"], own["n_transversion"])
    out["ins_del"] = ratio(own["n_insertion"], own["n_deletion"])
    if "n_hom_alt_transition" in own:
        copies = {name: own[f"n_{name}"] + own[f"n_hom_alt_{name}"] for name in CHANGES}
        out["ti_tv_copies"] = ratio(copies["transition"], copies["transversion"])
        out["ins_del_copies"] = ratio(copies["insertion"], copies["deletion"])
    out["het_hom"] = ratio(own["n_het"], own["n_hom_alt"])
    out["het_hom_snp"] = ratio(own["n_het_snp"], own["n_hom_alt_snp"])
    out["het_hom_indel"] = ratio(own["n_het_indel"], own["n_hom_alt_indel"])
    if "n_singleton_transition" in own:
        out["singleton_ti_tv"] = ratio(own["n_singleton_transition"], own["n_singleton_transversion"])
    return out


def _reads(own: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Depth and genotype quality over called genotypes that state them."""
    out = {}
    if "depth_sum" in own:
        out["mean_depth"] = ratio(own["depth_sum"], own["n_with_depth"])
    if "gq_sum" in own:
        out["mean_gq"] = ratio(own["gq_sum"], own["n_with_gq"])
    decades = sorted(name for name in own if name.startswith("n_gq_"))
    if decades:
        good = sum(own[name] for name in decades if int(name[5:]) >= 20)
        out["share_gq20"] = ratio(np.asarray(good), np.asarray(sum(own[name] for name in decades)))
    return out


def _coverage(counts: SampleCounts) -> dict[str, np.ndarray]:
    """Mean depth and shares of bases, over the autosomes: those that both sexes have two of.

    Over all regions but MT where a callset has no autosome.
    """
    everywhere = [index for index, name in enumerate(REGIONS) if name != "mt"]
    chosen = list(AUTOSOMES) if counts.over("n_bases", AUTOSOMES).any() else everywhere
    bases = counts.over("n_bases", chosen)
    out = {"mean_coverage": ratio(counts.over("depth_sum", chosen), bases)}
    for depth in (10, 20, 30):
        out[f"coverage_{depth}x"] = ratio(counts.over(f"n_bases_{depth}x", chosen), bases)
    for name in {COVERED, "n_bases_20x"} & set(counts.regions):
        out[name] = counts.over(name, everywhere)
    return out
