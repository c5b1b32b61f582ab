"""Quality control of 1000 Genomes people, side by side with Hail: counts exactly, floats to 1e-6.

Every twentieth of the 23,770 sites, all 2,504 people, their 26 populations and sexes. Where Hail counts something else,
the two are compared through the relation that holds, and what differs has a class with a count in the tables "Beside
Hail" of docs/methods/qc-samples.md and docs/methods/qc-variants.md.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cohelix import storage
from cohelix.genotypes import plink
from cohelix.genotypes.callset import Callset
from cohelix.qc.samples.imported import count_imported
from cohelix.qc.samples.metrics import AUTOSOMES, NANO, SampleCounts
from cohelix.qc.samples.run import qc_samples
from cohelix.qc.schema import SampleQcParams, VariantQcParams
from cohelix.qc.variants.run import qc_variants
from cohelix.runtime.local import LocalRuntime
from tests.parity.hail_tables import documented_counts, near

pytestmark = [pytest.mark.jvm, pytest.mark.real]
EVERY = 20
SEXES = ("male", "female")


@dataclass(frozen=True)
class Sides:
    """Both sides of the same rows and people, in one order.

    samples, sites: our tables. counts: what the sample metrics were made from. theirs: people by id, rows by id.
    """

    populations: list[str]
    samples: pa.Table
    sites: pa.Table
    counts: SampleCounts
    their_samples: list[Any]
    their_sites: list[Any]

    def sample(self, name: str) -> np.ndarray:
        return np.asarray(self.samples.column(name).to_numpy(zero_copy_only=False))

    def site(self, name: str) -> np.ndarray:
        return np.asarray(self.sites.column(name).to_numpy(zero_copy_only=False))

    def over(self, *path: str) -> np.ndarray:
        """float64 (samples,): a number of Hail's, by the names that lead to it."""
        return column(self.their_samples, *path)

    def at(self, *path: str) -> np.ndarray:
        """float64 (sites,)"""
        return column(self.their_sites, *path)


def column(rows: list[Any], *path: str) -> np.ndarray:
    def value(row: Any) -> float:
        for name in path:
            row = row[name]
        return float("nan") if row is None else row

    return np.array([value(row) for row in rows], np.float64)


def thinned(source: Path, prefix: Path) -> None:
    """A fileset with every `EVERY`th variant of `source`."""
    fam = (source / "kg23k.fam").read_text()
    n_bytes = -(-len(fam.splitlines()) // 4)
    bed = np.fromfile(source / "kg23k.bed", np.uint8)
    prefix.with_suffix(".bed").write_bytes(bed[:3].tobytes() + bed[3:].reshape(-1, n_bytes)[::EVERY].tobytes())
    lines = (source / "kg23k.grch37.bim").read_text().splitlines()[::EVERY]
    prefix.with_suffix(".bim").write_text("\n".join(lines) + "\n")
    prefix.with_suffix(".fam").write_text(fam)


def ours_of(prefix: Path, labels: Path, folder: Path) -> tuple[Callset, pa.Table, pa.Table]:
    """The callset, and the tables of `qc samples` and `qc variants`."""
    runtime = LocalRuntime(2)
    callset = plink.import_bed(str(prefix), str(folder / "kg.callset"), build="GRCh37")
    handed = {"gates": "gnomad-v4", "ancestry": str(labels), "sexes": str(labels)}
    qc_samples(callset.root, str(folder / "samples"), SampleQcParams(), runtime, **handed)
    made = qc_variants(callset.root, str(folder / "variants"), VariantQcParams(), runtime, **handed)
    paths = [storage.join(str(folder / "variants"), shard["sites"]) for shard in made.meta["shards"]]
    return callset, pq.read_table(folder / "samples" / "sample_metrics.parquet"), pa.concat_tables(
        [pq.ParquetFile(path).read() for path in paths]
    )  # fmt: skip


def matrix_of(hail: Any, prefix: Path, labels: list[dict[str, str]]) -> Any:
    """The same fileset in Hail, with `pop` and `sex` of each person and the frequency of each row."""
    matrix = hail.import_plink(
        *(f"{prefix}.{suffix}" for suffix in ("bed", "bim", "fam")), reference_genome="GRCh37", min_partitions=2
    )
    person = hail.literal({one["IID"]: (one["pop"], one["sex"]) for one in labels})[matrix.s]
    matrix = matrix.select_cols(pop=person[0], sex=person[1]).select_rows()
    return matrix.annotate_rows(stats=hail.agg.call_stats(matrix.GT, matrix.alleles))


def hail_samples(hail: Any, matrix: Any) -> list[Any]:
    carries, alleles = matrix.GT.is_non_ref(), matrix.alleles
    matrix = matrix.annotate_cols(
        f=hail.agg.inbreeding(matrix.GT, matrix.stats.AF[1]),
        ti=hail.agg.count_where(carries & hail.is_transition(alleles[0], alleles[1])),
        tv=hail.agg.count_where(carries & hail.is_transversion(alleles[0], alleles[1])),
    )
    return list(hail.sample_qc(matrix).cols().collect())


def hail_sites(hail: Any, matrix: Any, populations: list[str]) -> list[Any]:
    agg, call = hail.agg, matrix.GT
    stats = agg.call_stats(call, matrix.alleles)
    matrix = matrix.annotate_rows(
        one_sided=agg.hardy_weinberg_test(call, one_sided=True).p_value,
        groups=agg.group_by(matrix.pop, hail.struct(stats=stats, p=agg.hardy_weinberg_test(call).p_value)),
        strata=agg.group_by(matrix.pop + "_" + matrix.sex, stats),
    )
    table = hail.variant_qc(matrix).rows()
    groups, strata = table.groups, table.strata
    names = [f"{pop}_{sex}" for pop in populations for sex in SEXES]
    return list(
        table.select(
            "one_sided",
            "variant_qc",
            p=hail.literal(populations).map(lambda pop: groups[pop].p),
            strata=hail.literal(names).map(
                lambda name: [
                    hail.int32(n) for n in (strata[name].AC[1], strata[name].AN, strata[name].homozygote_count[1])
                ]
            ),
        ).collect()
    )


@pytest.fixture(scope="module")
def sides(hail: Any, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Sides:
    folder = tmp_path_factory.mktemp("kg")
    labels = data / "kg_phase3" / "labels.tsv"
    with labels.open() as handle:
        people = list(csv.DictReader(handle, delimiter="\t"))
    thinned(data / "kg_phase3", folder / "kg")
    callset, samples, sites = ours_of(folder / "kg", labels, folder)
    populations = sorted({one["pop"] for one in people})
    matrix = matrix_of(hail, folder / "kg", people)
    theirs = {one.s: one for one in hail_samples(hail, matrix)}
    rows = {(row.locus.contig, row.locus.position, *row.alleles): row for row in hail_sites(hail, matrix, populations)}
    keys = list(zip(*(sites.column(name).to_pylist() for name in ("contig", "position", "ref", "alt")), strict=True))
    ids = samples.column("sample_id").to_pylist()
    assert theirs.keys() == set(ids) and rows.keys() == set(keys)
    assert (len(ids), len(keys), len(populations)) == (2504, 1189, 26)
    counts = count_imported(callset, LocalRuntime(2))
    return Sides(populations, samples, sites, counts, [theirs[one] for one in ids], [rows[key] for key in keys])


def test_counts_of_samples(sides: Sides) -> None:
    own, regions = sides.counts.samples, sides.counts.regions
    ours = {
        "n_called": sides.sample("n_called"),
        "n_not_called": sides.sample("n_missing"),
        "n_hom_ref": regions["n_hom_ref"].sum(axis=1),
        "n_het": own["n_het"],
        "n_hom_var": own["n_hom_alt"],
        "n_non_ref": own["n_non_ref"],
        "n_singleton": sides.sample("n_singleton"),
        "n_insertion": sides.sample("n_insertion"),
        "n_deletion": sides.sample("n_deletion"),
        "n_snp": sides.sample("n_snp") + own["n_hom_alt_snp"],  # copies: a homozygous allele counts twice
    }
    for name, values in ours.items():
        assert np.array_equal(sides.over("sample_qc", name), values), name
    assert sides.sample("n_singleton").sum() == 0 < sides.sample("n_snp").min()
    assert np.array_equal(sides.over("ti"), sides.sample("n_transition"))
    assert np.array_equal(sides.over("tv"), sides.sample("n_transversion"))


def test_rates_of_samples(sides: Sides) -> None:
    assert near(sides.over("sample_qc", "call_rate"), sides.sample("call_rate"))
    assert near(sides.over("sample_qc", "r_het_hom_var"), sides.sample("het_hom"))
    assert near(sides.over("ti") / sides.over("tv"), sides.sample("ti_tv"))
    assert near(sides.over("sample_qc", "r_ti_tv"), sides.sample("ti_tv_copies"))


def test_inbreeding_of_samples(sides: Sides) -> None:
    """Hail counts rows of one allele too: homozygous, and expected to be."""
    called, hom = (sides.counts.over(name, AUTOSOMES) for name in ("n_f_called", "n_f_hom"))
    their_called = sides.over("f", "n_called")
    assert near(sides.over("f", "f_stat"), sides.sample("f_inbreeding"))
    assert np.array_equal(their_called - sides.over("f", "observed_homs"), called - hom)
    expected = called - sides.counts.over("f_expected_nano", AUTOSOMES) / NANO
    assert near(their_called - sides.over("f", "expected_homs"), expected)


def test_counts_and_frequencies_of_sites(sides: Sides) -> None:
    qc = sides.their_sites
    assert sides.site("ac_all_raw").tolist() == [row.variant_qc.AC[1] for row in qc]
    assert sides.site("an_all_raw").tolist() == [row.variant_qc.AN for row in qc]
    assert sides.site("hom_all_raw").tolist() == [row.variant_qc.homozygote_count[1] for row in qc]
    assert near(sides.site("af_all_raw"), np.array([row.variant_qc.AF[1] for row in qc]))
    assert np.array_equal(sides.site("n_called"), sides.at("variant_qc", "n_called"))
    assert np.array_equal(sides.site("het_all_raw"), sides.at("variant_qc", "n_het"))
    assert near(sides.site("call_rate"), sides.at("variant_qc", "call_rate"))


def test_counts_by_population_and_sex(sides: Sides) -> None:
    theirs = np.array([row.strata for row in sides.their_sites])
    assert theirs.shape == (1189, 52, 3)
    for place, (pop, sex) in enumerate((pop, sex) for pop in sides.populations for sex in SEXES):
        for number, name in enumerate(("ac", "an", "hom")):
            assert np.array_equal(sides.site(f"{name}_{pop}_{sex}_raw"), theirs[:, place, number]), (pop, sex, name)
    for place, pop in enumerate(sides.populations):
        both = theirs[:, 2 * place : 2 * place + 2].sum(axis=1)
        for number, name in enumerate(("ac", "an", "hom")):
            assert np.array_equal(sides.site(f"{name}_{pop}_raw"), both[:, number]), (pop, name)


def test_equilibrium(sides: Sides) -> None:
    """Hail's p is the mid-p; its one-sided one is what `excess_het` is the phred of."""
    assert near(sides.site("hwe_midp_all"), sides.at("variant_qc", "p_value_hwe"), floor=0)
    phred = sides.site("excess_het")
    assert near(10 ** (phred / -10), sides.at("one_sided"), floor=0)
    assert near(10 ** (phred / -10), sides.at("variant_qc", "p_value_excess_het"), floor=0)
    theirs = np.array([row.p for row in sides.their_sites], np.float64)
    ours = np.column_stack([sides.site(f"hwe_midp_{pop}") for pop in sides.populations])
    assert near(ours, theirs, floor=0)
    assert near(sides.site("hwe_midp"), theirs.min(axis=1))
    copies, share = sides.site("an_all_raw"), sides.site("af_all_raw")
    expected = 2 * share * (1 - share)  # Hail's is of a sample without replacement
    assert near(expected * copies / (copies - 1), sides.at("variant_qc", "het_freq_hwe"))
    observed = sides.at("variant_qc", "n_het") / sides.at("variant_qc", "n_called")
    seen = expected > 0
    assert near(sides.site("inbreeding_coefficient")[seen], 1 - observed[seen] / expected[seen])
    assert np.isnan(sides.site("inbreeding_coefficient")[~seen]).all()


def test_filtering_frequencies(hail: Any, sides: Sides) -> None:
    """A few rows: Hail's takes milliseconds each."""
    groups = [group for group in ("all", *sides.populations) if group != "FIN"]  # bottlenecked: gnomAD states none
    counts = [np.column_stack([sides.site(f"{name}_{group}_raw") for group in groups])[::50] for name in ("ac", "an")]
    pairs = hail.literal(
        list(zip(*(values.ravel().tolist() for values in counts), strict=True)), "array<tuple(int32, int32)>"
    )
    for level in (95, 99):
        theirs = hail.eval(
            pairs.map(lambda one, p=level / 100: hail.experimental.filtering_allele_frequency(one[0], one[1], p))
        )
        ours = np.column_stack([sides.site(f"faf{level}_{group}") for group in groups])[::50]
        assert ours.max() > 0.5 and near(ours.ravel(), np.array(theirs))


def test_what_differs_is_documented(root: Path, sides: Sides) -> None:
    ti_tv = np.abs(sides.over("sample_qc", "r_ti_tv") - sides.sample("ti_tv"))
    assert 0 < ti_tv.max() < 0.7
    assert documented_counts(root, "qc-samples", "1000 Genomes") == {
        "second copies": int(sides.counts.samples["n_hom_alt"].sum()),
        "`ti_tv`": int((ti_tv > 1e-6).sum()),
        "rows of one allele": int((sides.over("f", "n_called") - sides.counts.over("n_f_called", AUTOSOMES)).sum()),
    }
    inner = np.abs(
        sides.at("variant_qc", "het_freq_hwe") - 2 * sides.site("af_all_raw") * (1 - sides.site("af_all_raw"))
    )
    assert documented_counts(root, "qc-variants", "1000 Genomes") == {"`het_freq_hwe`": int((inner > 1e-6).sum())}
