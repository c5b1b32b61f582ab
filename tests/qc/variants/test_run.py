"""Site quality control of a whole callset: every count against a plain loop, resuming, refusals, edges."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from cohelix import dataset, genome, storage
from cohelix.dataset import Commit
from cohelix.errors import ConfigError, ContractError, InputError
from cohelix.genotypes.counts import ploidy_of
from cohelix.genotypes.vcf import import_vcf
from cohelix.qc.schema import VariantQcParams
from cohelix.qc.variants import hardy_weinberg, run, vat
from cohelix.qc.variants.frequencies import copies_of, count_shard, strata_of
from cohelix.qc.variants.run import qc_variants
from cohelix.runtime.local import LocalRuntime
from tests.oracles import site_qc
from tests.oracles.hardy_weinberg import exact_test, exact_test_x
from tests.qc.variants.made_callset import PLACES, Made, copies, make

GATES = """
[[gate]]
name = "call_rate"
metric = "call_rate"
at_least = 0.85
source = "made for the test"

[[gate]]
name = "Rare"
metric = "ac"
at_least = 3
when = { kind = ["snp"] }
source = "made for the test"

[[gate]]
name = "Rare_indel"
metric = "ac"
at_least = 30
when = { kind = ["insertion", "deletion"] }
source = "made for the test"

[[gate]]
name = "LowQual"
metric = "qual_approx"
at_least = 60
source = "not in this callset"
"""


def sites_of(commit: Commit, root: str, contig: str, what: str = "sites") -> list[dict[str, Any]]:
    shard = next(shard for shard in commit.meta["shards"] if shard["contig"] == contig)
    rows: list[dict[str, Any]] = pq.ParquetFile(storage.join(root, shard[what])).read().to_pylist()
    return rows


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def done(made: Made, tmp_path_factory: pytest.TempPathFactory) -> tuple[Commit, str]:
    folder = tmp_path_factory.mktemp("qc")
    (folder / "gates.toml").write_text(GATES)
    out = str(folder / "sites.qc")
    groups = made.groups_file(folder)
    params, gates = VariantQcParams(left_out=["oth"]), str(folder / "gates.toml")
    commit = qc_variants(made.root, out, params, LocalRuntime(2), gates=gates, ancestry=groups)
    return commit, out


@pytest.mark.parametrize("contig", list(PLACES))
def test_every_count_is_that_of_a_plain_loop(made: Made, done: tuple[Commit, str], contig: str) -> None:
    commit, out = done
    rows = sites_of(commit, out, contig)
    assert [row["position"] for row in rows] == PLACES[contig]
    for number, row in enumerate(rows):
        genotypes = made.blocks[contig][number].tolist()
        for group in ("all", "afr", "eur", "oth"):
            for sex in ("", "_male", "_female"):
                chosen = [
                    (group in ("all", own)) and (not sex or sex[1:] == stated)
                    for own, stated in zip(made.groups, made.sexes, strict=True)
                ]
                for track, fails in (("raw", None), ("adj", made.adj[contig][number].tolist())):
                    expected = site_qc.stratum_counts(
                        genotypes, fails, chosen, made.sexes, "GRCh38", contig, row["position"]
                    )
                    found = {name: row[f"{name}_{group}{sex}_{track}"] for name in expected}
                    assert found == expected
                    af = row[f"af_{group}{sex}_{track}"]
                    assert np.isnan(af) if not expected["an"] else af == expected["ac"] / expected["an"]


@pytest.mark.parametrize("contig", ["chr1", "chrX", "chrY", "chrM", "HLA-1"])
@pytest.mark.parametrize("build", ["GRCh38", "unknown"])
def test_copies_are_those_of_every_sex_at_every_position(contig: str, build: str) -> None:
    positions = np.array([1, 10_000, 10_001, 2_781_479, 2_781_480, 30_000_000, 155_701_382, 155_701_383, 156_040_895])
    ploidy = ploidy_of(build, contig, positions, genome.SEXES)
    assert copies_of(build, contig, positions).tolist() == ploidy.table[ploidy.classes].tolist()
    assert copies_of(build, contig, positions[:0]).shape == (0, 3)


@pytest.mark.parametrize("contig", ["chr1", "chrX", "chrY", "chrM"])
def test_equilibrium_is_tested_among_calls_of_two_copies(made: Made, done: tuple[Commit, str], contig: str) -> None:
    for number, row in enumerate(sites_of(*done, contig)):
        genotypes, held = made.blocks[contig][number].tolist(), copies(contig, row["position"], made.sexes)
        for group in ("all", "afr"):
            mine = [group in ("all", own) for own in made.groups]
            calls = list(zip(genotypes, held, mine, strict=True))
            two = [sum(g == value and c == 2 and m for g, c, m in calls) for value in (0, 1, 2)]
            if sum(two):
                p, midp, excess = exact_test(*two)
                assert row[f"hwe_p_{group}"] == pytest.approx(float(p), rel=1e-9)
                assert row[f"hwe_midp_{group}"] == pytest.approx(float(midp), rel=1e-9)
                if group == "all":
                    assert row["excess_het"] == pytest.approx(-10 * np.log10(float(excess)), rel=1e-9, abs=1e-9)
            else:
                assert np.isnan(row[f"hwe_p_{group}"])
            men = [sum(g == value and c == 1 and m for g, c, m in calls) for value in (0, 2)]
            outside = contig == "chrX" and 2_781_479 < row["position"] < 155_701_383
            if outside and sum(two) + sum(men):
                p, midp = exact_test_x((two[0], two[1], two[2]), (men[0], men[1]))
                assert row[f"hwe_x_p_{group}"] == pytest.approx(float(p), rel=1e-9)
                assert row[f"hwe_x_midp_{group}"] == pytest.approx(float(midp), rel=1e-9)
            else:
                assert np.isnan(row[f"hwe_x_p_{group}"])
        groups = [row[f"hwe_midp_{group}"] for group in ("afr", "eur", "oth")]
        assert np.isnan(row["hwe_midp"]) if np.isnan(groups).all() else row["hwe_midp"] == np.nanmin(groups)


def test_call_rate_is_of_those_who_have_the_chromosome(made: Made, done: tuple[Commit, str]) -> None:
    for contig in PLACES:
        for number, row in enumerate(sites_of(*done, contig)):
            held = copies(contig, row["position"], made.sexes)
            called = sum(g != -9 for g in made.blocks[contig][number].tolist())
            assert row["n_called"] == called
            assert row["call_rate"] == called / sum(copy > 0 for copy in held)


def test_filters_and_flags_say_the_same(made: Made, done: tuple[Commit, str]) -> None:
    commit, out = done
    n_flags = 0
    for contig in PLACES:
        rows, flags = sites_of(commit, out, contig), sites_of(commit, out, contig, "flags")
        expected = []
        for row in rows:
            names = []
            if row["call_rate"] < 0.85:
                names.append("call_rate")
            if row["ac_all_raw"] < (3 if row["kind"] == "snp" else 30):
                names.append("Rare")
            expected.append(";".join(sorted(names, key=str)) or "PASS")
        assert [row["filters"] for row in rows] == expected
        n_flags += len(flags)
        for flag in flags:
            row = rows[flag["row"]]
            assert [flag[name] for name in ("contig", "position", "ref", "alt")] == [
                row[name] for name in ("contig", "position", "ref", "alt")
            ]
            metric = {"ac": "ac_all_raw"}.get(flag["metric"], flag["metric"])
            assert flag["value"] == row[metric] < flag["cutoff"] and flag["direction"] == "at_least"
    rules = {rule["gate"]: rule for rule in commit.meta["gates"]["rules"]}
    assert sum(rule["failed"] for rule in rules.values()) == n_flags > 0
    assert rules["Rare_indel"]["filter"] == "Rare"
    # a metric that the callset lacks is said, for every row
    assert rules["LowQual"]["not_evaluated"] == commit.meta["n_sites"] and rules["LowQual"]["failed"] == 0


def test_grpmax_and_faf_leave_groups_out_and_use_adj(done: tuple[Commit, str]) -> None:
    commit, _ = done
    assert commit.meta["frequency_track"] == "adj"
    seen = set()
    for contig in PLACES:
        for row in sites_of(*done, contig):
            assert "faf95_oth" not in row
            best = max(
                ("afr", "eur"), key=lambda group: (np.nan_to_num(row[f"af_{group}_adj"], nan=-1), group == "afr")
            )
            if row[f"ac_{best}_adj"] == 0:
                assert row["grpmax"] is None and np.isnan(row["grpmax_af"]) and row["grpmax_ac"] == 0
                continue
            seen.add(best)
            assert row["grpmax"] == best
            names = ("ac", "an", "af", "hom")
            assert [row[f"grpmax_{name}"] for name in names] == [row[f"{name}_{best}_adj"] for name in names]
            assert row["faf95_max"] == max(row["faf95_afr"], row["faf95_eur"])
    assert seen == {"afr", "eur"}


def test_annotation_table_has_the_columns_of_the_programme(done: tuple[Commit, str]) -> None:
    commit, out = done
    shard = next(shard for shard in commit.meta["shards"] if shard["contig"] == "chrX")
    data = storage.read(storage.join(out, shard["vat"]))
    header, *lines = gzip.decompress(data).decode().splitlines()
    names = header.split("\t")
    assert names[:9] == ["vid", "contig", "position", "ref_allele", "alt_allele",
                         "gvs_all_ac", "gvs_all_an", "gvs_all_af", "gvs_all_sc"]  # fmt: skip
    assert names[9:14] == ["gvs_max_af", "gvs_max_ac", "gvs_max_an", "gvs_max_sc", "gvs_max_subpop"]
    assert names == list(vat.COLUMNS) and len(names) == 14 + 4 * 7
    rows = [row for row in sites_of(commit, out, "chrX") if row["filters"] == "PASS" and row["ac_all_raw"] > 0]
    assert len(lines) == len(rows) > 0
    for line, row in zip(lines, rows, strict=True):
        found = dict(zip(names, line.split("\t"), strict=True))
        assert found["vid"] == f"X-{row['position']}-A-{row['alt']}" and found["contig"] == "chrX"
        carriers = row["hom_eur_raw"] + row["het_eur_raw"] + row["hemi_eur_raw"]
        assert [found["gvs_eur_ac"], found["gvs_eur_sc"]] == [str(row["ac_eur_raw"]), str(carriers)]
        # a group that the callset lacks
        assert [found[f"gvs_sas_{name}"] for name in ("ac", "an", "af", "sc")] == ["0", "0", "", "0"]
        best = max(("afr", "eur", "oth"), key=lambda group: np.nan_to_num(row[f"af_{group}_raw"], nan=-1))
        assert found["gvs_max_subpop"] == best and float(found["gvs_max_af"]) == row[f"af_{best}_raw"]


def test_the_filter_of_a_vcf_stands_beside_ours(tmp_path: Path) -> None:
    """What the input said of a site is told, and changes no filter that is asked here."""
    head = '##fileformat=VCFv4.3\n##contig=<ID=chr22,length=50818468>\n##FILTER=<ID=Low,Description="low">\n'
    head += '##FORMAT=<ID=GT,Number=1,Type=String,Description="GT">\n'
    rows = ["#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT a b", "chr22 20000001 . A C . Low . GT 0/1 0/0"]
    rows += ["chr22 20000002 . A C . PASS . GT 0/1 0/0"]
    (tmp_path / "x.vcf").write_text(head + "".join(row.replace(" ", "\t") + "\n" for row in rows))
    import_vcf(str(tmp_path / "x.vcf"), str(tmp_path / "callset"))
    out = str(tmp_path / "out")
    commit = qc_variants(str(tmp_path / "callset"), out, VariantQcParams(), LocalRuntime(1), gates="aou-v8")
    assert [row["stated_filter"] for row in sites_of(commit, out, "chr22")] == ["Low", "PASS"]


def test_blocks_do_not_show(
    made: Made, done: tuple[Commit, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Blocks of two rows give the bytes that one block gives; so does one thread."""
    commit, out = done
    monkeypatch.setattr(run, "_BLOCK_ROWS", 2)
    again = qc_variants(
        made.root, str(tmp_path / "again"), VariantQcParams(left_out=["oth"]), LocalRuntime(1),
        gates=str(Path(out).parent / "gates.toml"), ancestry=made.groups_file(tmp_path),
    )  # fmt: skip
    assert again.files == commit.files and again.meta == commit.meta


def test_a_killed_run_goes_on(made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    out, real = str(tmp_path / "qc"), run.run
    finished = []

    def dies(task: run.Task) -> dict[str, Any]:
        if task.shard.contig == "chrY":
            raise KeyboardInterrupt
        finished.append(task.shard.contig)
        return real(task)

    monkeypatch.setattr(run, "run", dies)
    with pytest.raises(KeyboardInterrupt):
        qc_variants(made.root, out, VariantQcParams(), LocalRuntime(1), gates="aou-v8")
    assert finished == ["chr1", "chrX"] and dataset.find(out) is None
    counted = []
    monkeypatch.setattr(run, "run", real)
    monkeypatch.setattr(run, "count_shard", lambda *args: counted.append(args[1].contig) or count_shard(*args))
    commit = qc_variants(made.root, out, VariantQcParams(), LocalRuntime(1), gates="aou-v8")
    assert counted == ["chrY", "chrM"]
    whole = qc_variants(made.root, str(tmp_path / "whole"), VariantQcParams(), LocalRuntime(1), gates="aou-v8")
    assert commit.files == whole.files and commit.meta == whole.meta


def test_without_adj_and_groups(tmp_path: Path) -> None:
    made = make(tmp_path, with_adj=False, seed=5)
    out = str(tmp_path / "qc")
    commit = qc_variants(made.root, out, VariantQcParams(), LocalRuntime(2), gates="gnomad-v4")
    assert commit.meta["tracks"] == ["raw"] and commit.meta["frequency_track"] == "raw"
    assert commit.meta["groups"] == {"all": 40}
    rows = sites_of(commit, out, "chr1")
    assert "ac_all_adj" not in rows[0] and all(row["grpmax"] is None for row in rows)
    rules = {rule["gate"]: rule for rule in commit.meta["gates"]["rules"]}
    assert rules["AC0"]["not_evaluated"] == commit.meta["n_sites"]  # adj is not known here, and that is said
    nobody, only_ref, only_alt = rows[4], rows[5], rows[6]
    assert nobody["an_all_raw"] == 0 and nobody["call_rate"] == 0 and np.isnan(nobody["hwe_p_all"])
    assert only_ref["ac_all_raw"] == 0 and only_ref["hwe_p_all"] == pytest.approx(1)
    assert only_alt["ac_all_raw"] == only_alt["an_all_raw"] > 0 and only_alt["hwe_midp_all"] == pytest.approx(0.5)
    assert np.isnan(only_alt["inbreeding_coefficient"])


@pytest.mark.parametrize("sex", ["male", "female", "unknown"])
def test_one_sample(tmp_path: Path, sex: str) -> None:
    made = make(tmp_path, sexes=[sex], seed=3)
    out = str(tmp_path / "qc")
    commit = qc_variants(
        made.root, out, VariantQcParams(), LocalRuntime(1), gates="aou-v8", ancestry=made.groups_file(tmp_path)
    )
    assert commit.meta["groups"] == {"all": 1, "afr": 1}
    rows = sites_of(commit, out, "chrX")
    outside = next(row for row in rows if row["position"] == 30_000_000)
    assert outside["an_all_raw"] <= (1 if sex == "male" else 2)
    assert outside["an_all_male_raw"] == (outside["an_all_raw"] if sex == "male" else 0)


def test_sexes_of_a_table_change_ploidy(made: Made, tmp_path: Path) -> None:
    ids = made.opened.samples().column("sample_id").to_pylist()
    table = tmp_path / "sexes.tsv"
    table.write_text("sample_id\tsex\n" + "".join(f"{sample}\tfemale\n" for sample in ids))
    out = str(tmp_path / "qc")
    commit = qc_variants(made.root, out, VariantQcParams(), LocalRuntime(1), gates="aou-v8", sexes=str(table))
    row = next(row for row in sites_of(commit, out, "chrX") if row["position"] == 30_000_000)
    assert row["an_all_raw"] == 2 * row["n_called"] and row["an_all_male_raw"] == 0
    assert all(row["an_all_raw"] == 0 and row["n_conflict"] > 0 for row in sites_of(commit, out, "chrY"))


def test_counts_that_differ_from_the_sites_table_are_our_defect(made: Made) -> None:
    shard = made.opened.shards[0]
    sites = made.opened.sites(shard)
    strata = strata_of([], np.full(len(made.sexes), -1), made.sexes)
    (counted,) = count_shard(made.opened, shard, strata, np.array([0, shard.n_sites]))
    run.check_counts(sites, counted, strata, by_sex=True)
    raw = counted.raw.copy()
    raw[7, 0, 0] += 1
    with pytest.raises(ContractError, match=r"n_called.* in row 7 .* 1 rows of a block differ"):
        run.check_counts(sites, replace(counted, raw=raw), strata, by_sex=False)
    swapped = counted.raw.copy()
    swapped[9, 0, 0], swapped[9, 0, 1] = raw[9, 0, 0] - 1, raw[9, 0, 1] + 1
    with pytest.raises(ContractError, match="n_hom_ref"):
        run.check_counts(sites, replace(counted, raw=swapped), strata, by_sex=True)
    assert counted.adj is not None
    with pytest.raises(ContractError, match="ac_adj"):
        run.check_counts(sites, replace(counted, adj=counted.raw), strata, by_sex=True)


def test_refusals_leave_nothing(made: Made, tmp_path: Path) -> None:
    out = tmp_path / "qc"
    with pytest.raises(ConfigError, match="go together"):
        qc_variants(made.root, str(out), VariantQcParams(), LocalRuntime(1), gates="aou-v8", training="x.vcf")
    with pytest.raises(ConfigError, match="aou-v8"):
        qc_variants(made.root, str(out), VariantQcParams(), LocalRuntime(1), gates="aou-v9")
    with pytest.raises(InputError, match="--ancestry"):
        qc_variants(made.root, str(out), VariantQcParams(), LocalRuntime(1), gates="aou-v8", ancestry="none.tsv")
    for names in (["all"], ["max"], ["afr", "AFR"], ["secret_name"]):
        table = replace(made, groups=(names * len(made.groups))[: len(made.groups)]).groups_file(tmp_path)
        with pytest.raises(InputError, match="'all' or 'max'") as caught:
            qc_variants(made.root, str(out), VariantQcParams(), LocalRuntime(1), gates="aou-v8", ancestry=table)
        assert "secret" not in str(caught.value)
    assert not out.exists()
    with pytest.raises(ConfigError, match="acaf_rule"):
        VariantQcParams(acaf_rule="text")


def test_inbreeding_and_tests_agree_with_scikit_allel(made: Made, done: tuple[Commit, str]) -> None:
    allel = pytest.importorskip("allel")
    block = made.blocks["chr1"]
    pairs = {0: (0, 0), 1: (0, 1), 2: (1, 1), -9: (-1, -1)}
    calls = allel.GenotypeArray([[pairs[value] for value in row] for row in block.tolist()])
    rows = sites_of(*done, "chr1")
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = allel.inbreeding_coefficient(calls, fill=np.nan)
    np.testing.assert_allclose([row["inbreeding_coefficient"] for row in rows], expected, atol=1e-12)
    het = [row["het_all_raw"] / row["n_called"] if row["n_called"] else np.nan for row in rows]
    np.testing.assert_allclose(het, allel.heterozygosity_observed(calls, fill=np.nan), atol=1e-12)
    counted = np.array([[row[f"{name}_all_raw"] for name in ("het", "hom")] for row in rows])
    called = np.array([row["n_called"] for row in rows])
    two = np.column_stack([called - counted.sum(axis=1), counted])
    np.testing.assert_allclose(hardy_weinberg.inbreeding_coefficient(two), expected, atol=1e-12)
