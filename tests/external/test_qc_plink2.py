"""plink2 and cohelix count the same, test the same: real SNPs by group and sex, and a made callset on X, Y and MT."""

from __future__ import annotations

import csv
import math
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from cohelix import storage
from cohelix.dataset import Commit
from cohelix.genotypes import plink, plink_out
from cohelix.genotypes.selection import select
from cohelix.qc.schema import VariantQcParams
from cohelix.qc.variants.run import qc_variants
from cohelix.runtime.local import LocalRuntime
from tests.oracles.hardy_weinberg import outcomes_x
from tests.qc.variants.made_callset import Made, make

pytestmark = pytest.mark.external

PRINTED = 5.1e-6
"""plink2 prints six digits: a relative error of at most five in the seventh."""


def plink2(*arguments: object) -> None:
    command = ["plink2", "--threads", "2", "--memory", "2000", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, text=True)


def table(path: Path) -> dict[str, dict[str, str]]:
    """Rows by variant id."""
    with path.open() as handle:
        return {row["ID"]: row for row in csv.DictReader(handle, delimiter="\t")}


def rows_of(commit: Commit, root: str, columns: list[str] | None = None) -> list[dict[str, Any]]:
    paths = [storage.join(root, shard["sites"]) for shard in commit.meta["shards"]]
    return [row for path in paths for row in pq.ParquetFile(path).read(columns).to_pylist()]


def same(printed: str, ours: float) -> bool:
    return math.isclose(float(printed), ours, rel_tol=PRINTED, abs_tol=1e-300)


@pytest.fixture(scope="module")
def real(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], Path, list[str]]:
    """Site rows of 23,770 SNPs of 2,504 people, by the five groups of 1000 Genomes; the prefix of the BED; groups."""
    folder = tmp_path_factory.mktemp("kg")
    for suffix, name in ((".bed", "kg23k.bed"), (".fam", "kg23k.fam"), (".bim", "kg23k.grch37.bim")):
        (folder / f"kg{suffix}").symlink_to(data / "kg_phase3" / name)
    labels = data / "kg_phase3" / "labels.tsv"
    root, out = str(folder / "kg.callset"), str(folder / "qc")
    plink.import_bed(str(folder / "kg"), root, build="GRCh37")
    renamed = folder / "groups.tsv"
    with labels.open() as handle:
        people = list(csv.DictReader(handle, delimiter="\t"))
    renamed.write_text("IID\tpopulation\n" + "".join(f"{one['IID']}\t{one['super_pop']}\n" for one in people))
    sexes = folder / "sexes.tsv"
    sexes.write_text("IID\tsex\n" + "".join(f"{one['IID']}\t{one['sex']}\n" for one in people))
    commit = qc_variants(
        root, out, VariantQcParams(), LocalRuntime(2), gates="gnomad-v4", ancestry=str(renamed), sexes=str(sexes)
    )
    groups = [group for group in commit.meta["groups"] if group != "all"]
    for group in groups:
        for sex in ("male", "female"):
            kept = [one["IID"] for one in people if one["super_pop"] == group and one["sex"] == sex]
            (folder / f"{group}-{sex}.keep").write_text("".join(f"{sample}\n" for sample in kept))
    return rows_of(commit, out), folder / "kg", groups


@pytest.mark.real
def test_real_snps_by_group(real: tuple[list[dict[str, Any]], Path, list[str]], tmp_path: Path) -> None:
    rows, prefix, groups = real
    assert len(rows) == 23_770 and len(groups) == 5
    for group in ("all", *groups):
        keep = (
            ["--keep", *(f"{prefix.parent}/{group}-{sex}.keep" for sex in ("male", "female"))] if group != "all" else []
        )
        out = tmp_path / group
        plink2("--bfile", prefix, *keep, "--hardy", "--freq", "counts", "--missing", "variant-only", "--out", out)
        plink2("--bfile", prefix, *keep, "--hardy", "midp", "--out", f"{out}-midp")
        counted, missing = table(Path(f"{out}.acount")), table(Path(f"{out}.vmiss"))
        exact, midp = table(Path(f"{out}.hardy")), table(Path(f"{out}-midp.hardy"))
        for row in rows:
            key = row["id"]
            assert [row[f"ac_{group}_raw"], row[f"an_{group}_raw"]] == [
                int(counted[key]["ALT_CTS"]), int(counted[key]["OBS_CT"])
            ]  # fmt: skip
            hets, homs = row[f"het_{group}_raw"], row[f"hom_{group}_raw"]
            tested = exact[key]
            seen = [int(tested[name]) for name in ("HOM_A1_CT", "HET_A1_CT", "TWO_AX_CT")]
            hom_ref = row[f"an_{group}_raw"] // 2 - hets - homs
            # A1 of --hardy is the reference allele
            assert sorted([seen[0], seen[2]]) == sorted([hom_ref, homs]) and seen[1] == hets
            assert same(tested["P"], row[f"hwe_p_{group}"])
            assert same(midp[key]["MIDP"], row[f"hwe_midp_{group}"])
            if group == "all":
                assert math.isclose(1 - float(missing[key]["F_MISS"]), row["call_rate"], abs_tol=1e-6)


@pytest.mark.real
def test_real_snps_by_group_and_sex(real: tuple[list[dict[str, Any]], Path, list[str]], tmp_path: Path) -> None:
    rows, prefix, groups = real
    for group in groups[:2]:
        for sex in ("male", "female"):
            out = tmp_path / f"{group}-{sex}"
            plink2("--bfile", prefix, "--keep", f"{prefix.parent}/{group}-{sex}.keep", "--freq", "counts", "--out", out)
            counted = list(table(Path(f"{out}.acount")).values())
            stated = [(int(one["ALT_CTS"]), int(one["OBS_CT"])) for one in counted]
            assert stated == [(row[f"ac_{group}_{sex}_raw"], row[f"an_{group}_{sex}_raw"]) for row in rows]


@pytest.fixture(scope="module", params=[5, 300])
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Made, list[dict[str, Any]], Path]:
    """A made callset with X, its pseudo-autosomal regions, Y and MT; its site rows; the prefix of its PGEN."""
    folder = tmp_path_factory.mktemp("made")
    held = make(folder, n_samples=request.param, seed=request.param)
    out = str(folder / "qc")
    commit = qc_variants(held.root, out, VariantQcParams(), LocalRuntime(2), gates="aou-v8")
    plink_out.export_pgen(held.opened, str(folder / "merged"), select(held.opened))
    return held, rows_of(commit, out), folder / "merged"


def test_sex_chromosomes(made: tuple[Made, list[dict[str, Any]], Path], tmp_path: Path) -> None:
    held, rows, prefix = made
    out = tmp_path / "o"
    plink2("--pfile", prefix, "--hardy", "--freq", "counts", "--missing", "variant-only", "--out", out)
    plink2("--pfile", prefix, "--hardy", "midp", "--out", f"{out}-midp")
    counted, missing = table(Path(f"{out}.acount")), table(Path(f"{out}.vmiss"))
    exact, midp = table(Path(f"{out}.hardy")), table(Path(f"{out}-midp.hardy"))
    on_x, on_x_midp = table(Path(f"{out}.hardy.x")), table(Path(f"{out}-midp.hardy.x"))
    n_x = n_midp = 0
    for row in rows:
        key = row["id"]
        assert [row["ac_all_raw"], row["an_all_raw"]] == [int(counted[key]["ALT_CTS"]), int(counted[key]["OBS_CT"])]
        if row["an_all_raw"] == 0:
            assert math.isnan(row["hwe_p_all"]) and row["call_rate"] == 0
            continue
        assert math.isclose(1 - float(missing[key]["F_MISS"]), row["call_rate"], abs_tol=1e-6)
        if key in on_x:
            n_x += 1
            one, het, other = ("FEMALE_HOM_A1_CT", "FEMALE_HET_A1_CT", "FEMALE_TWO_AX_CT")
            women = int(on_x[key][one]), int(on_x[key][het]), int(on_x[key][other])
            men = int(on_x[key]["MALE_A1_CT"]), int(on_x[key]["MALE_AX_CT"])
            assert women[1] == row["het_all_female_raw"] and sum(women) + sum(men) == row["n_called"]
            assert same(on_x[key]["P"], row["hwe_x_p_all"])
            # plink2 of 2022 counts half of the observed outcome, and forgets others that are exactly as probable
            if len(held.sexes) > 20 or ties_x(women, men) == 1:
                n_midp += 1
                assert same(on_x_midp[key]["MIDP"], row["hwe_x_midp_all"])
        elif key in exact:
            assert math.isnan(row["hwe_x_p_all"])
            assert same(exact[key]["P"], row["hwe_p_all"]) and same(midp[key]["MIDP"], row["hwe_midp_all"])
        else:
            assert row["contig"] in ("chrY", "chrM") and np.isnan(row["hwe_p_all"])
    assert n_x == 4 and n_midp >= 2


def ties_x(women: tuple[int, int, int], men: tuple[int, int]) -> int:
    """Outcomes that are exactly as probable as this one."""
    chances = outcomes_x(women, men)
    return sum(chance == chances[men[0], women[1]] for chance in chances.values())


def test_women_alone_on_x(made: tuple[Made, list[dict[str, Any]], Path], tmp_path: Path) -> None:
    """plink2 given the women only is our test of women, which is also Hail's."""
    held, rows, prefix = made
    if "female" not in held.sexes:
        pytest.skip("no woman among the few")
    out = tmp_path / "o"
    plink2("--pfile", prefix, "--keep-females", "--chr", "X", "--hardy", "midp", "--out", out)
    found = table(Path(f"{out}.hardy.x"))
    assert len(found) == 4
    for row in rows:
        if row["id"] in found and row["an_all_female_raw"]:
            assert same(found[row["id"]]["MIDP"], row["hwe_midp_all"])
