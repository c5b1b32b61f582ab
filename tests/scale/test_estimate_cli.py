"""`cohelix estimate`: what it prints, what it reads, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cohelix.cli.__main__ import run
from cohelix.scale import inputs, page
from tests.house.test_documents import _commands

PRICES = """
currency = "EUR"
date = "2030-01"
source = "a contract"
core_hour = 1.0
storage_gib_month = 0.5
"""


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "cohort"
    assert run(f"simulate gvcfs -o {folder} --samples 3 --region chr22:20,000,001-20,100,000 --seed 1".split()) == 0
    return folder


def estimate(words: str, capsys: pytest.CaptureFixture[str]) -> Any:
    assert run(["estimate", *words.split(), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_table_has_a_column_for_each_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("estimate joint --samples 1000,1_000_000 --cores 96".split()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.split(r" {2,}", lines[0])[-2:] == ["1,000 samples", "1,000,000 samples"]
    names = [line.split("  ")[0] for line in lines]
    for name in ("input", "sites of the callset", "ingest: core-hours", "ingest: memory of a task", "call: bytes read",
                 "call: shuffled", "call: callset kept", "all: time on 96 cores"):  # fmt: skip
        assert name in names
    assert any("extrapolated" in line for line in lines)


def test_ten_times_the_people_cost_ten_times_the_ingest(capsys: pytest.CaptureFixture[str]) -> None:
    found = estimate("joint --samples 10000,100000", capsys)
    (small, large) = found["sizes"]
    assert large["stages"][0]["core_hours"] == pytest.approx(10 * small["stages"][0]["core_hours"], rel=1e-3)
    assert large["stages"][0]["task_mib"] == small["stages"][0]["task_mib"]
    assert small["sites"] < large["sites"] < 10 * small["sites"]
    assert [stage["stage"] for stage in small["stages"]] == ["ingest", "call"]


def test_a_made_cohort_has_a_column_for_each_number_of_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("estimate cohort --persons 1000,10000 --size bench-10k".split()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.split(r" {2,}", lines[0])[-2:] == ["1,000 samples", "10,000 samples"]
    names = [line.split("  ")[0] for line in lines]
    for stage in ("panel", "training", "people", "genotypes"):
        assert f"{stage}: core-hours" in names
    assert "people: memory of a task" in names and "panel: memory of a task" not in names
    assert any(line.startswith("75 regions of 384,330 bases in all, 2,000 haplotypes") for line in lines)


def test_a_callset_is_cheaper_than_gvcfs(capsys: pytest.CaptureFixture[str]) -> None:
    words = "cohort --persons 100000 --size bench-1k"
    (gvcfs,), (callset,) = (estimate(f"{words}{more}", capsys)["sizes"] for more in ("", " --callset"))
    (_, _, people, _), (_, _, without, _) = gvcfs["stages"], callset["stages"]
    assert without["core_hours"] < people["core_hours"] and without["kept_bytes"] < people["kept_bytes"]
    assert gvcfs["sites"] == callset["sites"]
    assert gvcfs["stages"][:2] == callset["stages"][:2]


def test_regions_bases_and_haplotypes_of_a_cohort_are_the_users(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = "--regions 10 --bases 20000 --haplotypes 40 --callset"
    (_, *said), sizes = (found := estimate(f"cohort --persons 500 {chosen}", capsys))["remarks"], found["sizes"]
    assert found["remarks"][0] == "10 regions of 20,000 bases in all, 40 haplotypes of each source, a callset" and said
    assert [stage["tasks"] for stage in sizes[0]["stages"]] == [10, 2, 6, 1]
    (small,), (large,) = (
        estimate(f"cohort --persons 500 --regions 10 --bases {n} --callset", capsys)["sizes"] for n in (10_000, 20_000)
    )
    assert large["sites"] == pytest.approx(2 * small["sites"])
    without = estimate("cohort --persons 500 --set simulate.traits.training=0", capsys)["sizes"][0]["stages"][1]
    assert without["tasks"] == 1 and without["core_hours"] == 0


def test_prices_are_the_operators_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(PRICES)
    found = estimate(f"joint --samples 1000 --cores 10 --prices {tmp_path / 'prices.toml'}", capsys)
    (at,) = found["sizes"]
    assert at["compute_cost"] == pytest.approx(at["wall_s"] / 3600 * 10)
    assert at["storage_month_cost"] == pytest.approx(sum(s["kept_bytes"] for s in at["stages"]) / 2**30 * 0.5)
    assert found["prices"]["currency"] == "EUR"
    assert run(["estimate", "joint", "--prices", str(tmp_path / "prices.toml")]) == 0
    said = capsys.readouterr().out
    assert "prices: a contract, 2030-01\n" in said and "all: cost of those cores, EUR" in said
    assert run(["estimate", "joint"]) == 0
    assert "examples, to be replaced with --prices" in capsys.readouterr().out


def test_a_manifest_is_sized_and_its_indexes_are_read(cohort: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = estimate(f"joint --samples 30 --manifest {cohort / 'manifest.tsv'} --sites made", capsys)
    files = sorted((cohort / "gvcfs").glob("*.gz"))
    assert found["sizes"][0]["input_bytes"] == pytest.approx(10 * sum(file.stat().st_size for file in files))
    assert "manifest: 3 files sized, 3 indexes read, no bodies" in found["remarks"]


def test_bodies_are_not_read(cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(cohort, copy)
    whole = estimate(f"joint --samples 30 --manifest {copy / 'manifest.tsv'}", capsys)
    for file in (copy / "gvcfs").glob("*.gz"):
        file.write_bytes(b"\0" * file.stat().st_size)
    assert estimate(f"joint --samples 30 --manifest {copy / 'manifest.tsv'}", capsys) == whole


@pytest.mark.external
def test_records_are_those_that_bcftools_finds_in_the_index(cohort: Path, tmp_path: Path) -> None:
    file = sorted((cohort / "gvcfs").glob("*.gz"))[0]
    said = int(subprocess.run(["bcftools", "index", "-n", file], capture_output=True, text=True, check=True).stdout)
    counted = inputs.read_index(str(file))
    assert counted is not None and counted.records == said > 100
    assert abs(counted.bases - 100_000) < 2 * inputs.TABIX_WINDOW
    other = tmp_path / "other.g.vcf.gz"
    shutil.copy(file, other)
    subprocess.run(["bcftools", "index", "--csi", other], check=True)
    csi = inputs.read_index(str(other))
    assert csi is not None and (csi.records, csi.bases) == (said, 0)


@pytest.mark.real
def test_records_of_real_gvcfs_are_those_of_their_indexes(data: Path) -> None:
    files = [str(path) for path in sorted((data / "gvcf_1kg_chr22").glob("*.g.vcf.gz"))]
    found = inputs.look(files)
    assert (found.samples, found.records) == (50, 1000)


def test_without_an_index_records_come_from_the_size(cohort: Path, tmp_path: Path) -> None:
    shutil.copytree(cohort, tmp_path / "copy", ignore=shutil.ignore_patterns("*.tbi"))
    found = inputs.look([str(path) for path in sorted((tmp_path / "copy" / "gvcfs").glob("*.gz"))])
    assert (found.samples, found.records, found.bases, found.indexes) == (3, None, None, 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("joint --samples many", "expected numbers of samples"),
        ("joint --samples 0", "expected numbers of samples"),
        ("joint --samples 10,,20", "expected numbers of samples"),
        ("joint --bytes-per-sample -1", "expected bytes a sample above zero"),
        ("joint --records-per-sample nan", "expected records a sample above zero"),
        ("joint --records-per-sample 1e308", "above zero and up to"),
        ("joint --bin-bp 0", "ingest.bin_bp"),
        ("cohort --regions 100 --bases 50", "at least a base for each"),
        ("joint --sites guess", "expected a law of sites"),
        ("joint --bin-bp 1", "ingest.bin_bp"),
        ("joint --prices nowhere.toml", "found no file"),
        ("simulate --samples -5", "expected numbers of samples"),
        ("cohort --persons 0", "expected numbers of samples"),
        ("cohort --size huge", "size 'huge' is not known"),
        ("cohort --set joint.x=1", "expected a setting of simulate"),
        ("qc --samples 0 --sites 10", "expected numbers of samples"),
        ("qc --samples 10", "Missing option '--sites'"),
        ("ancestry --samples 10 --sites 0", "--sites"),
        ("release --persons 10 --sites 1 --tier secret", "secret"),
    ],
)
def test_what_cannot_be_estimated_is_refused(words: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["estimate", *words.split()]) == 3
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("core_hour = ", "expected TOML"),
        (PRICES.replace("core_hour = 1.0", ""), "found no core_hour"),
        (PRICES.replace("1.0", "-1.0"), "zero or more for core_hour"),
        (PRICES.replace("1.0", '"much"'), "zero or more for core_hour"),
    ],
)
def test_a_wrong_price_table_is_refused(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "prices.toml").write_text(text)
    assert run(["estimate", "joint", "--prices", str(tmp_path / "prices.toml")]) == 3
    assert message in capsys.readouterr().err


def test_a_missing_gvcf_and_a_damaged_index_are_named_by_their_place(
    cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(cohort, copy)
    second = sorted((copy / "gvcfs").glob("*.gz"))[1]
    index = second.with_name(second.name + ".tbi")
    index.write_bytes(index.read_bytes()[:40])
    assert run(["estimate", "joint", "--manifest", str(copy / "manifest.tsv")]) == 2
    said = capsys.readouterr().err
    assert "sample 2 of the manifest: the index is damaged" in said and second.name not in said
    second.unlink()
    assert run(["estimate", "joint", "--manifest", str(copy / "manifest.tsv")]) == 2
    said = capsys.readouterr().err
    assert "sample 2 of the manifest: expected a gVCF, found no file" in said and second.name not in said


def test_numbers_are_written_for_people() -> None:
    assert [page.size(n) for n in (0, 999, 1023, 1536, 5 << 30, 3 << 60)] == [
        "0 B", "999 B", "0.999 KiB", "1.50 KiB", "5.00 GiB", "3.00 EiB"
    ]  # fmt: skip
    assert [page.amount(x) for x in (0.01234, 1.5, 123.4, 12_345.0)] == ["0.0123", "1.50", "123", "12,300"]
    assert [page.duration(s) for s in (5, 600, 86_400, 864_000)] == ["5.00 s", "10.0 min", "24.0 h", "10.0 days"]


def test_the_commands_of_the_document_succeed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = _commands(root / "docs" / "scale.md")
    assert len(commands) >= 4
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prices.toml").write_text(PRICES)
    for words in commands:
        assert run(words) == 0, f"cohelix {' '.join(words)}\n{capsys.readouterr().err}"


NOUNS = {
    "qc": "--sites 1000000", "relatedness": "--sites 150000", "ancestry": "--sites 150000",
    "prs": "--sites 1000000 --scores 100 --weights 10000000", "pgx": "", "release": "--sites 1000000",
}  # fmt: skip


@pytest.mark.parametrize("noun", NOUNS)
def test_every_noun_that_runs_on_people_says_what_more_of_them_take(
    noun: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = "--persons" if noun == "release" else "--samples"
    found = estimate(f"{noun} {sizes} 1000,100000,1000000 {NOUNS[noun]} --cores 4", capsys)
    small, large, largest = found["sizes"]
    assert all(stage["core_hours"] > 0 and stage["task_mib"] > 100 for stage in small["stages"])
    assert small["wall_s"] < large["wall_s"] < largest["wall_s"]
    for of_large, of_largest in zip(large["stages"], largest["stages"], strict=True):
        assert of_large["core_hours"] <= of_largest["core_hours"]  # a panel stays as it is
        assert of_large["kept_bytes"] <= of_largest["kept_bytes"]
        most = 110 if noun == "relatedness" else 11  # pairs grow with the square
        assert of_largest["core_hours"] < most * of_large["core_hours"]
    assert run(["estimate", noun, *NOUNS[noun].split()]) == 0
    said = capsys.readouterr().out
    assert "memory: of the whole process" in said and "extrapolated" in said


def test_all_pairs_take_more_than_screened_ones(capsys: pytest.CaptureFixture[str]) -> None:
    words = "relatedness --samples 100000 --sites 150000"
    (screened,), (every,) = (estimate(words + more, capsys)["sizes"] for more in ("", " --all-pairs"))
    assert every["stages"][0]["core_hours"] > 3 * screened["stages"][0]["core_hours"]
    assert [one["stages"][0]["stage"] for one in (screened, every)] == ["screened", "all-pairs"]


def test_groups_tiers_and_passes_are_the_users(capsys: pytest.CaptureFixture[str]) -> None:
    (plain,), (grouped,) = (
        estimate(f"qc --samples 50000 --sites 500000{more}", capsys)["sizes"] for more in ("", " --groups")
    )
    assert grouped["stages"][0]["core_hours"] > plain["stages"][0]["core_hours"]
    assert grouped["stages"][1] == plain["stages"][1]
    (one,) = estimate("release --persons 5000 --sites 1000 --tier registered --rows 400", capsys)["sizes"]
    assert [stage["stage"] for stage in one["stages"]] == ["registered"]
    (few,), (many,) = (
        estimate(f"ancestry --samples 50000 --sites 100000 --passes {n}", capsys)["sizes"] for n in (5, 50)
    )
    assert many["stages"][1]["core_hours"] > 3 * few["stages"][1]["core_hours"]
