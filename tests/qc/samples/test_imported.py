"""Counts of imported callsets are those of the plain definitions; metrics are their ratios, absent where unknown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cohelix.genome import REGIONS
from cohelix.genotypes.inputs import Frequencies, read_frequencies
from cohelix.qc.samples import imported, metrics, novel
from cohelix.runtime.local import LocalRuntime
from tests.oracles import samples as oracle
from tests.qc.samples import made

SEXES = ["male", "female", "unknown", "male", "female"] * 7


@pytest.mark.parametrize("sexes", [SEXES, ["female"], ["male"] * 3], ids=["mixed", "one woman", "men"])
def test_counts_are_those_of_the_plain_definitions(tmp_path: Path, sexes: list[str]) -> None:
    opened = made.imported(tmp_path, sexes)
    found = imported.count_imported(opened, LocalRuntime(2))
    sites, rows, conflicts = made.genotypes_of(opened)
    assert conflicts or "male" not in sexes
    by_sample, by_region = oracle.count("GRCh38", sites, rows, sexes, conflicts)
    for name, values in found.regions.items():
        for sample, own in enumerate(by_region):
            for place, region in enumerate(REGIONS):
                expected = own.get(region, {}).get(name, 0)
                scale = 1e9 if name.endswith("nano") else 1
                rounding = len(rows) if name.endswith("nano") else 0
                assert abs(values[sample, place] - expected * scale) <= rounding, (name, region)
    carried = imported._carried(np.zeros((*imported._SHAPE, 1, 4), np.int64), np.zeros((imported._SHAPE[0], 1), bool))
    for name in carried:
        assert found.samples[name].tolist() == [own.get(name, 0) for own in by_sample], name
    for name in ("n_called", "n_het", "n_haploid_alt"):
        assert found.samples[name].tolist() == found.regions[name].sum(axis=1).tolist()
    assert found.n_y_sites == len(made.PLACES["chrY"])


def test_the_runtime_and_the_cut_into_shards_do_not_matter(tmp_path: Path) -> None:
    opened = made.imported(tmp_path, SEXES)
    one, two = (imported.count_imported(opened, LocalRuntime(cores)) for cores in (1, 2))
    for name in one.regions:
        assert np.array_equal(one.regions[name], two.regions[name])


def test_metrics_are_ratios_of_counts_and_absent_where_reads_are_needed(tmp_path: Path) -> None:
    opened = made.imported(tmp_path, SEXES)
    counts = imported.count_imported(opened, LocalRuntime(1))
    found = metrics.metrics_of(counts, SEXES)
    sites, rows, conflicts = made.genotypes_of(opened)
    by_sample, by_region = oracle.count("GRCh38", sites, rows, SEXES, conflicts)
    on_y = sum(site["contig"] == "chrY" for site in sites)
    for sample, (own, regions) in enumerate(zip(by_sample, by_region, strict=True)):
        expected = len(sites) - (on_y if SEXES[sample] == "female" else 0)
        called = sum(row[sample] >= 0 for row in rows)
        assert found["call_rate"][sample] == called / expected
        assert found["n_missing"][sample] == expected - called
        indels = own.get("n_insertion", 0) + own.get("n_deletion", 0)
        for name, above, below in (
            ("ti_tv", own["n_transition"], own["n_transversion"]),
            ("ins_del", own.get("n_insertion", 0), own.get("n_deletion", 0)),
            ("snp_indel", own["n_snp"], indels),
            ("ti_tv_copies", *(own[f"n_{c}"] + own.get(f"n_hom_alt_{c}", 0) for c in ("transition", "transversion"))),
            (
                "ins_del_copies",
                *(own.get(f"n_{c}", 0) + own.get(f"n_hom_alt_{c}", 0) for c in ("insertion", "deletion")),
            ),
            ("het_hom_snp", own["n_het_snp"], own.get("n_hom_alt_snp", 0)),
            ("singleton_ti_tv", own.get("n_singleton_transition", 0), own.get("n_singleton_transversion", 0)),
        ):
            assert np.array_equal(found[name][sample], above / below if below else np.nan, equal_nan=True), name
        for name, column in (("f_inbreeding", "f_expected_nano"), ("f_inbreeding_small", "f_expected_small_nano")):
            o, n, e = (regions["autosome"][c] + regions["chr20"][c] for c in ("n_f_hom", "n_f_called", column))
            assert found[name][sample] == pytest.approx((o - e) / (n - e), rel=1e-6)
    assert not {"mean_depth", "mean_coverage", "coverage_20x", "mean_gq", "share_gq20", "charr"} & set(found)


def test_a_ratio_with_nothing_below_is_unknown_not_zero(tmp_path: Path) -> None:
    opened = made.imported(tmp_path, ["female"], contigs=["chrM"])
    found = metrics.metrics_of(imported.count_imported(opened, LocalRuntime(1)), ["female"])
    assert np.isnan(found["f_inbreeding"]).all()  # no autosome
    assert np.isnan(found["het_hom"]).all()  # no diploid call


@pytest.mark.parametrize("step", [1, 2, 7])
def test_novel_alleles_are_those_that_the_table_lacks(tmp_path: Path, step: int) -> None:
    opened = made.imported(tmp_path, SEXES)
    sites, rows, _ = made.genotypes_of(opened)
    listed = sites[::step]
    lines = [f"{s['contig'].removeprefix('chr')}\t{s['position']}\t{s['ref']}\t{s['alt']}\t0.5\n" for s in listed]
    (tmp_path / "f.tsv").write_text("contig\tposition\tref\talt\taf\n" + "".join(lines))
    known = {(s["contig"], s["position"], s["ref"], s["alt"]) for s in listed}
    absent = [(s["contig"], s["position"], s["ref"], s["alt"]) not in known for s in sites]
    expected = [
        sum(row[i] in (1, 2) for row, lacks in zip(rows, absent, strict=True) if lacks) for i in range(len(SEXES))
    ]
    found = novel.count_novel(opened, read_frequencies(str(tmp_path / "f.tsv")), LocalRuntime(2))
    assert found.tolist() == expected
    assert step > 1 or sum(expected) == 0
    everything = novel.count_novel(opened, Frequencies({}), LocalRuntime(1))
    assert everything.tolist() == [sum(row[i] in (1, 2) for row in rows) for i in range(len(SEXES))]
