"""Quality control of a made cohort with X, its pseudo-autosomal region, Y and MT, side by side with Hail.

Hail combines the same gVCFs, splits and makes dense; its genotypes are those of the callset, but for the hets that a
stated man cannot have. Then whatever both measure is equal: counts exactly, floats to 1e-6. What Hail counts
otherwise has a class with a count in the tables "Beside Hail" of docs/methods/qc-samples.md and qc-variants.md.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cohelix import storage
from cohelix.genome import REGIONS
from cohelix.genotypes.callset import Callset
from cohelix.genotypes.packed.reader import open_packed
from cohelix.jobs.cohort_sizes import load_wishes
from cohelix.jobs.made_cohort import make_cohort
from cohelix.joint import on_hail
from cohelix.joint.call import call
from cohelix.joint.ingest import ingest
from cohelix.joint.schema import CallParams, IngestParams
from cohelix.qc.samples.metrics import SampleCounts, counts_of
from cohelix.qc.samples.run import qc_samples
from cohelix.qc.schema import SampleQcParams, VariantQcParams
from cohelix.qc.variants.run import qc_variants
from cohelix.runtime.local import LocalRuntime
from cohelix.simulate.cohort.plan import make_plan
from tests.parity.hail_tables import documented_counts, genotypes, hail_rows, near

pytestmark = pytest.mark.jvm

# Few places of every kind; many aneuploidies, foreign reads and shallow genomes.
MADE = [
    'simulate.regions=["chr1:1,000,001-1,020,000", "chr20:30,000,001-30,020,000", "chrX:2,000,001-2,004,000", '
    '"chrX:70,000,001-70,010,000", "chrY:12,000,001-12,004,000", "chrM:1-3,000"]',
    'simulate.star_alleles=""', "simulate.haplotypes=40", "simulate.arrays.share=0", "simulate.traits.training=0",
    "simulate.traits.causal=5", "simulate.mislabelled_sex=0", "simulate.aneuploidies=60",
    "simulate.sequencing.contaminated=0.5", "simulate.sequencing.contamination=[0.05, 0.1]",
    "simulate.sequencing.low_coverage=0.3", "simulate.sequencing.low_coverage_depth=14",
]  # fmt: skip
COVERED = {"chr20": (30_000_001, 30_020_000), "chrX": (70_000_001, 70_010_000), "chrY": (12_000_001, 12_004_000)}
REGION = {"chr20": REGIONS.index("chr20"), "chrX": REGIONS.index("x"), "chrY": REGIONS.index("y")}
STRATA = [f"{group}_{sex}" for group in ("one", "two") for sex in ("male", "female")]
MEASURES = ("ac", "an", "hom", "het", "hemi")
DEPTHS = ("n_bases", "n_bases_1x", "n_bases_10x", "n_bases_20x", "n_bases_30x")


@dataclass(frozen=True)
class Record:
    """A variant record of a gVCF: bases are those of its reference allele."""

    contig: str
    position: int
    bases: int
    depth: int


@dataclass(frozen=True)
class Cohort:
    """gVCFs, what we make of them, and what Hail does. dense: genotypes with adj; by_key: places in our site table."""

    callset: Callset
    samples: pa.Table
    sites: pa.Table
    counts: SampleCounts
    ids: list[str]
    sexes: list[str]
    records: list[list[Record]]
    vds: Any
    dense: Any
    their_genotypes: dict[Any, np.ndarray]

    @property
    def men(self) -> np.ndarray:
        return np.array(self.sexes) == "male"

    def sample(self, name: str) -> np.ndarray:
        return np.asarray(self.samples.column(name).to_numpy(zero_copy_only=False))

    def site(self, name: str) -> np.ndarray:
        return np.asarray(self.sites.column(name).to_numpy(zero_copy_only=False))

    @property
    def keys(self) -> list[str]:
        columns = (self.sites.column(name).to_pylist() for name in ("contig", "position", "ref", "alt"))
        return [":".join(map(str, key)) for key in zip(*columns, strict=True)]

    def groups(self) -> list[str]:
        return ["one" if place % 2 else "two" for place in range(len(self.ids))]

    def ordered(self, table: Any) -> list[Any]:
        """Rows of a Hail table by sample, in our order."""
        found = {row.s: row for row in table.collect()}
        return [found[one] for one in self.ids]


def key_of(hail: Any, table: Any) -> Any:
    site = hail.min_rep(table.locus, table.alleles)
    return hail.delimit([site.locus.contig, hail.str(site.locus.position), site.alleles[0], site.alleles[1]], ":")


def variant_records(path: Path) -> list[Record]:
    """Of a gVCF, all records that are not blocks."""
    found = []
    with gzip.open(path, "rt") as lines:
        for line in (line for line in lines if not line.startswith("#")):
            contig, position, _, ref, alt, *_, names, values = line.rstrip("\n").split("\t")
            if alt not in ("<NON_REF>", "."):
                stated = dict(zip(names.split(":"), values.split(":"), strict=False))
                found.append(Record(contig, int(position), len(ref), int(stated["DP"])))
    return found


def our_side(folder: Path, manifest: Path, vds_ids: list[str]) -> tuple[Callset, pa.Table, pa.Table]:
    runtime = LocalRuntime(2)
    ingest(str(manifest), str(folder / "x.calls"), IngestParams(), runtime)
    callset = call(str(folder / "x.calls"), str(folder / "x.callset"), CallParams(gq0="homref"), runtime)
    assert callset.samples().column("sample_id").to_pylist() == vds_ids
    groups = folder / "groups.tsv"
    lines = [f"{one}\t{'one' if place % 2 else 'two'}" for place, one in enumerate(vds_ids)]
    groups.write_text("\n".join(["s\tpopulation", *lines]) + "\n")
    qc_samples(callset.root, str(folder / "samples"), SampleQcParams(), runtime, gates="gnomad-v4")
    made = qc_variants(
        callset.root, str(folder / "sites"), VariantQcParams(), runtime, gates="gnomad-v4", ancestry=str(groups)
    )
    paths = [storage.join(str(folder / "sites"), shard["sites"]) for shard in made.meta["shards"]]
    sites = pa.concat_tables([pq.ParquetFile(path).read() for path in paths])
    return callset, pq.read_table(folder / "samples" / "sample_metrics.parquet"), sites


def their_side(hail: Any, folder: Path, manifest: Path) -> tuple[Any, Any]:
    """The VDS, and its split dense matrix with GT, GQ, AD, DP and MIN_DP, rows of `*` left out."""
    on_hail.combine(str(manifest), str(folder / "x.vds"))
    vds = on_hail.read_vds(str(folder / "x.vds"))
    dense = hail.vds.to_dense_mt(hail.vds.split_multi(vds))
    dense = dense.filter_rows(dense.alleles[1] != "*").select_entries("GT", "GQ", "AD", "DP", "MIN_DP")
    dense.write(str(folder / "x.mt"))
    return vds, hail.read_matrix_table(str(folder / "x.mt"))


@pytest.fixture(scope="module")
def cohort(hail: Any, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("reads")
    make_cohort(folder / "cohort", make_plan(load_wishes(None, None, MADE), persons=20, seed=5), cores=2)
    with (folder / "cohort" / "wgs" / "manifest.tsv").open() as handle:
        people = sorted(csv.DictReader(handle, delimiter="\t"), key=lambda one: one["sample_id"])
    paths = [folder / "cohort" / "wgs" / one["path"] for one in people]
    manifest = folder / "manifest.tsv"
    lines = [f"{one['sample_id']}\t{path}\t{one['sex']}" for one, path in zip(people, paths, strict=True)]
    manifest.write_text("\n".join(["sample_id\tpath\tsex", *lines]) + "\n")
    ids, sexes = ([one[name] for one in people] for name in ("sample_id", "sex"))
    callset, samples, sites = our_side(folder, manifest, ids)
    vds, dense = their_side(hail, folder, manifest)
    counts = counts_of(callset)
    assert counts is not None
    return Cohort(
        callset, samples, sites, counts, ids, sexes, [variant_records(path) for path in paths], vds, dense,
        hail_rows(hail, dense)[0],
    )  # fmt: skip


def kept(hail: Any, cohort: Cohort) -> Any:
    """Hail's matrix of our rows, with `key`, `sex` and `stratum`; `GT` as Hail has it."""
    people = {
        one: (sex, f"{group}_{sex}") for one, sex, group in zip(cohort.ids, cohort.sexes, cohort.groups(), strict=True)
    }
    matrix = cohort.dense.annotate_rows(key=key_of(hail, cohort.dense))
    matrix = matrix.filter_rows(hail.literal(set(cohort.keys)).contains(matrix.key))
    person = hail.literal(people)[matrix.s]
    return matrix.annotate_cols(sex=person[0], stratum=person[1])


def adjusted(hail: Any, matrix: Any) -> Any:
    """As gnomad_methods adjusted_sex_ploidy_expr: a man's X and Y have one copy, and no het."""
    single = (matrix.sex == "male") & (matrix.locus.in_x_nonpar() | matrix.locus.in_y_nonpar())
    one = hail.or_missing(~matrix.GT.is_het(), hail.call(matrix.GT[0]))
    return matrix.annotate_entries(GT=hail.if_else(single, one, matrix.GT))


def passes_adj(hail: Any, matrix: Any, depth: Any) -> Any:
    """gnomad_methods get_adj_expr, of rows that are split."""
    enough = depth >= hail.if_else(matrix.GT.is_haploid(), 5, 10)
    balanced = ~matrix.GT.is_het() | (matrix.AD[1] / depth >= 0.2)
    return hail.coalesce((matrix.GQ >= 20) & enough & balanced, False)


def hets_of_men(cohort: Cohort) -> np.ndarray:
    """int64 (samples,): genotypes that Hail has as hets and the callset has not, for one copy exists."""
    found = np.zeros(len(cohort.ids), np.int64)
    for key, row in genotypes(cohort.callset).items():
        differs = cohort.their_genotypes[key] != row
        assert (row[differs] == -9).all() and (cohort.their_genotypes[key][differs] == 1).all()
        assert not differs.any() or (key[0] == "chrX" and key[1] > 70_000_000 and cohort.men[differs].all())
        found += differs
    return found


def test_genotypes_are_the_same_but_for_hets_of_men(cohort: Cohort) -> None:
    found = hets_of_men(cohort)
    assert found.sum() == cohort.counts.regions["n_ploidy_conflict"].sum()
    assert np.flatnonzero(found).tolist() == [i for i, one in enumerate(cohort.sample("karyotype")) if one == "XXY"]


def test_counts_of_samples(hail: Any, cohort: Cohort) -> None:
    """A haploid alternate is a homozygote to Hail, and copies are counted."""
    table = hail.sample_qc(adjusted(hail, kept(hail, cohort)).select_entries("GT"))
    found = [row.sample_qc for row in cohort.ordered(table.cols())]
    own = cohort.counts.samples
    ours = {
        "n_called": own["n_called"],
        "n_hom_ref": own["n_hom_ref"] + own["n_haploid_ref"],
        "n_het": own["n_het"],
        "n_hom_var": own["n_hom_alt"] + own["n_haploid_alt"],
        "n_non_ref": own["n_non_ref"],
        "n_singleton": own["n_singleton"],
        "n_snp": own["n_snp"] + own["n_hom_alt_snp"],
    }
    for name, values in ours.items():
        assert [row[name] for row in found] == values.tolist(), name
    indels = own["n_insertion"] + own["n_deletion"] + own["n_hom_alt_indel"]
    assert [row.n_insertion + row.n_deletion for row in found] == indels.tolist()
    assert near(np.array([row.call_rate for row in found]), own["n_called"] / own["n_sites"])
    y_rows = int((cohort.site("contig") == "chrY").sum())
    assert near(own["n_called"] / (own["n_sites"] - np.where(cohort.men, 0, y_rows)), cohort.sample("call_rate"))
    assert own["n_haploid_alt"].min() > 0 < own["n_singleton"].sum()


def test_counts_of_the_variant_dataset(hail: Any, cohort: Cohort) -> None:
    """`vds.sample_qc`, of all but those who have hets of men; and bases by depth, of all."""
    found = cohort.ordered(hail.vds.sample_qc(cohort.vds))
    own, lost = cohort.counts.samples, hets_of_men(cohort)
    assert [row.n_het for row in found] == (own["n_het"] + lost).tolist()
    assert [row.n_hom_var for row in found] == (own["n_hom_alt"] + own["n_haploid_alt"]).tolist()
    for place in np.flatnonzero(lost == 0).tolist():
        row = found[place]
        assert row.n_singleton == own["n_singleton"][place]
        assert row.n_singleton_ti == own["n_singleton_transition"][place]
        assert row.n_singleton_tv == own["n_singleton_transversion"][place]
        assert row.n_snp == own["n_snp"][place] + own["n_hom_alt_snp"][place]
        indels = own["n_insertion"][place] + own["n_deletion"][place] + own["n_hom_alt_indel"][place]
        assert row.n_insertion + row.n_deletion == indels
    for place, row in enumerate(found):
        ours = [cohort.counts.regions[name][place].sum() for name in DEPTHS]
        # Hail counts one base of a record, whatever its reference allele
        further = [sum(r.bases - 1 for r in cohort.records[place] if r.depth >= least) for least in (0, 1, 10, 20, 30)]
        assert [a - b for a, b in zip(ours, further, strict=True)] == list(row.bases_over_dp_threshold)


def test_inbreeding_and_sex(hail: Any, cohort: Cohort) -> None:
    """Hail's F on X takes diploid calls only: a haploid one is handed in twice. On autosomes nothing is changed."""
    shares = hail.literal(dict(zip(cohort.keys, cohort.site("af_all_raw").tolist(), strict=True)))
    matrix = kept(hail, cohort)
    matrix = matrix.annotate_rows(share=shares[matrix.key])
    twice = matrix.annotate_entries(
        GT=hail.call(matrix.GT[0], hail.if_else(matrix.GT.is_haploid(), matrix.GT[0], matrix.GT[1]))
    )
    found = cohort.ordered(hail.impute_sex(twice.GT, aaf="share"))
    f, exact = np.array([row.f_stat for row in found]), hets_of_men(cohort) == 0
    assert near(f[exact], cohort.sample("x_f")[exact])
    assert (np.abs(f - cohort.sample("x_f"))[~exact] < 0.15).all() and (f[~exact] < 0.2).all()
    x = REGION["chrX"]
    women = np.flatnonzero(~cohort.men).tolist()
    for theirs, ours in (("n_called", "n_f_called"), ("observed_homs", "n_f_hom")):
        assert [found[i][theirs] for i in women] == cohort.counts.regions[ours][women, x].tolist()
    autosomes = matrix.filter_rows(matrix.locus.in_autosome() & (matrix.share > 0) & (matrix.share < 1))
    found = cohort.ordered(autosomes.select_cols(f=hail.agg.inbreeding(autosomes.GT, autosomes.share)).cols())
    assert near(np.array([row.f.f_stat for row in found]), cohort.sample("f_inbreeding"))
    assert [row.f.observed_homs for row in found] == cohort.counts.regions["n_f_hom"][:, :2].sum(axis=1).tolist()


def test_charr(hail: Any, cohort: Cohort) -> None:
    """With the callset's own frequencies. Sums are rounded to 1e-9."""
    shares = hail.literal(dict(zip(cohort.keys, cohort.site("af_all_raw").tolist(), strict=True)))
    share = shares.get(key_of(hail, cohort.vds.variant_data))
    theirs = np.array([row.charr for row in cohort.ordered(hail.compute_charr(cohort.vds, ref_AF=1 - share))])
    assert near(theirs, cohort.sample("charr"))
    assert np.isnan(theirs).any() and (theirs > 0.01).any() and cohort.counts.samples["n_charr"].sum() > 100


def test_coverage_and_ploidy(hail: Any, cohort: Cohort) -> None:
    """Hail's coverage is that of reference blocks, over all bases: ours less what variant records cover."""
    intervals = [
        hail.Struct(
            interval=hail.Interval(hail.Locus(contig, low, "GRCh38"), hail.Locus(contig, high, "GRCh38"), True, True)
        )
        for contig, (low, high) in COVERED.items()
    ]
    kind = hail.tstruct(interval=hail.tinterval(hail.tlocus("GRCh38")))
    table = hail.Table.parallelize(intervals, schema=kind, key="interval")
    found = cohort.ordered(
        hail.vds.impute_sex_chr_ploidy_from_interval_coverage(hail.vds.interval_coverage(cohort.vds, table), "chr20")
    )
    for contig, (low, high) in COVERED.items():
        inside = [
            [r for r in records if r.contig == contig and low <= r.position <= high] for records in cohort.records
        ]
        read = np.array([sum(r.bases * r.depth for r in records) for records in inside])
        blocks = (cohort.counts.regions["depth_sum"][:, REGION[contig]] - read) / (high - low + 1)
        name = {"chr20": "autosomal_mean_dp", "chrX": "x_mean_dp", "chrY": "y_mean_dp"}[contig]
        assert near(np.array([row[name] for row in found]), blocks)
    for name in ("x_ploidy", "y_ploidy"):
        assert np.abs(np.array([row[name] for row in found]) - cohort.sample(name)).max() < 0.1


def sites_of_hail(hail: Any, cohort: Cohort) -> dict[str, Any]:
    """Rows by key: `raw` and `adj` numbers of each stratum, variant_qc of what is raw."""
    matrix = adjusted(hail, kept(hail, cohort))
    lowest = hail.or_else(matrix.MIN_DP, matrix.DP)
    matrix = matrix.annotate_entries(
        passing=hail.or_missing(passes_adj(hail, matrix, lowest), matrix.GT),
        by_depth=hail.or_missing(passes_adj(hail, matrix, matrix.DP), matrix.GT),
    )

    def numbers(call: Any) -> Any:
        stats, agg = hail.agg.call_stats(call, 2), hail.agg
        het, hemi = agg.count_where(call.is_het()), agg.count_where(call.is_haploid() & call.is_non_ref())
        of = hail.struct(ac=stats.AC[1], an=stats.AN, hom=stats.homozygote_count[1], het=het, hemi=hemi)
        return agg.group_by(matrix.stratum, of)

    ids = hail.literal(cohort.ids)
    passing = hail.is_defined(matrix.passing)
    table = hail.variant_qc(
        matrix.annotate_rows(
            hwe=hail.agg.hardy_weinberg_test(matrix.GT).p_value,
            raw=numbers(matrix.GT),
            adj=numbers(matrix.passing),
            failing=hail.agg.filter(hail.is_defined(matrix.GT) & ~passing, hail.agg.collect(ids.index(matrix.s))),
            depth_matters=hail.agg.count_where(passing != hail.is_defined(matrix.by_depth)),
        )
    ).rows()
    return {row.key: row for row in table.collect()}


@pytest.fixture(scope="module")
def their_sites(hail: Any, cohort: Cohort) -> list[Any]:
    found = sites_of_hail(hail, cohort)
    assert found.keys() == set(cohort.keys)
    return [found[key] for key in cohort.keys]


def failing(cohort: Cohort) -> list[set[int]]:
    """Of each row, who is called and fails adj."""
    found = []
    for shard in cohort.callset.shards:
        with open_packed(cohort.callset, shard, "adj") as reader:
            for words in reader.read(0, shard.n_sites).tolist():
                found.append({i for i in range(len(cohort.ids)) if words[i // 32] >> 2 * (i % 32) & 3 == 1})
    return found


def differing(cohort: Cohort, their_sites: list[Any]) -> dict[int, set[int]]:
    """Row to samples whose adj differs."""
    pairs = enumerate(zip(failing(cohort), their_sites, strict=True))
    found = {row: ours ^ set(theirs.failing) for row, (ours, theirs) in pairs}
    return {row: samples for row, samples in found.items() if samples}


def test_counts_by_group_sex_and_adj(cohort: Cohort, their_sites: list[Any]) -> None:
    """Where adj differs for nobody, all numbers of a row are equal; where it does, all raw ones."""
    apart, compared = differing(cohort, their_sites), 0
    for track in ("raw", "adj"):
        for stratum in STRATA:
            columns = np.column_stack([cohort.site(f"{name}_{stratum}_{track}") for name in MEASURES])
            for row, (ours, theirs) in enumerate(zip(columns.tolist(), their_sites, strict=True)):
                found = theirs[track].get(stratum)  # no group where nobody in it has an entry: women on Y
                said = [0] * len(MEASURES) if found is None else [found[name] for name in MEASURES]
                if track == "raw" or row not in apart:
                    assert ours == said, (cohort.keys[row], stratum, track)
                    compared += any(said)
    assert compared > 1_000 and len(apart) < 5
    assert min(cohort.site(f"hemi_{one}_male_adj").max() for one in ("one", "two")) > 0


def test_equilibrium_of_two_copies(cohort: Cohort, their_sites: list[Any]) -> None:
    """Hail's aggregator leaves haploid calls out too; where no call is diploid it says a half, and we nothing."""
    theirs = np.array([row.hwe for row in their_sites], np.float64)
    nobody = np.isin(cohort.site("contig"), ["chrY", "chrM"])
    assert near(cohort.site("hwe_midp_all")[~nobody], theirs[~nobody])
    assert np.isnan(cohort.site("hwe_midp_all")[nobody]).all() and (theirs[nobody] == 0.5).all()


def test_call_rates_and_hets_of_sites(cohort: Cohort, their_sites: list[Any]) -> None:
    """Women have no call on Y to miss. Hail's `n_het` is what is called and no diploid homozygote."""
    rates = np.array([row.variant_qc.call_rate for row in their_sites])
    on_y = cohort.site("contig") == "chrY"
    assert near(cohort.site("call_rate")[~on_y], rates[~on_y])
    assert near(cohort.site("call_rate")[on_y], rates[on_y] * len(cohort.ids) / cohort.men.sum())
    hets = np.array([row.variant_qc.n_het for row in their_sites])
    assert np.array_equal(hets - haploid_calls(cohort), cohort.site("het_all_raw"))


def haploid_calls(cohort: Cohort) -> np.ndarray:
    """int64 (rows,): called genotypes less diploid ones, each of which has two of the alleles called."""
    return np.asarray(2 * cohort.site("n_called") - cohort.site("an_all_raw"))


def test_what_differs_is_documented(root: Path, hail: Any, cohort: Cohort, their_sites: list[Any]) -> None:
    own, regions = cohort.counts.samples, cohort.counts.regions
    theirs = own["n_het"] / (own["n_hom_alt"] + own["n_haploid_alt"])
    rates = own["n_called"] / own["n_sites"]
    assert documented_counts(root, "qc-samples", "made cohort") == {
        "hets of stated men": int(hets_of_men(cohort).sum()),
        "haploid alternates": int(own["n_haploid_alt"].sum()),
        "`call_rate` of women": int((np.abs(rates - cohort.sample("call_rate")) > 1e-6).sum()),
        "`het_hom`": int((np.abs(theirs - cohort.sample("het_hom")) > 1e-6).sum()),
        "`x_f` of stated men with hets": int((hets_of_men(cohort) > 0).sum()),
        "haploid calls on X": int((regions["n_haploid_ref"] + regions["n_haploid_alt"])[:, REGION["chrX"]].sum()),
        "bases of deletions": sum(r.bases - 1 for records in cohort.records for r in records),
        "bases of variant records": sum(
            r.bases for records in cohort.records for r in records
            if r.contig in COVERED and COVERED[r.contig][0] <= r.position <= COVERED[r.contig][1]
        ),
    }  # fmt: skip
    apart = differing(cohort, their_sites)
    kinds = cohort.site("kind")
    assert documented_counts(root, "qc-variants", "made cohort") == {
        "alleles that nobody carries": len(cohort.their_genotypes) - len(cohort.keys),
        "rows without diploid calls": int(np.isin(cohort.site("contig"), ["chrY", "chrM"]).sum()),
        "haploid calls in `n_het`": int(haploid_calls(cohort).sum()),
        "`call_rate` on Y": int((cohort.site("contig") == "chrY").sum()),
        "depth of blocks in adj": sum(row.depth_matters for row in their_sites),
        "GQ after a split": sum(len(samples) for row, samples in apart.items() if kinds[row] == "snp"),
        "first base of deletions": sum(len(samples) for row, samples in apart.items() if kinds[row] == "deletion"),
    }
