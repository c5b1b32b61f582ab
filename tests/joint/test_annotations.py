"""Site annotations: read from gVCF lines as their plain definition reads them, and summed over carriers."""

from __future__ import annotations

import hashlib
import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix import dataset
from cohelix.genotypes import callset
from cohelix.joint import annotations, store
from cohelix.joint.annotation import kernels as a
from cohelix.joint.call import call
from cohelix.joint.gvcf.reader import GvcfReader
from cohelix.joint.ingest import ingest
from cohelix.joint.schema import CallParams, IngestParams
from cohelix.joint.unify import trimmed
from cohelix.runtime.local import LocalRuntime
from tests.joint import made
from tests.oracles import annotations as plain

LOCAL = LocalRuntime(2)

# --- lines ---------------------------------------------------------------------------------------------------------

NUMBER = st.sampled_from(
    [".", "60.00", "59.87", "0", "-1.735", "0.952", "1e-3", "2.5E1", "NaN", "x", "", "-0.0", "3,4"]
)
RANKS = st.sampled_from(["|-1.8,1|NaN", "|NaN|NaN", "||", "|0.3,1|-1.1,1|NaN", "|2.0,1|-2.0,1|0.1,1", "|", "-1"])
INFO = st.fixed_dictionaries(
    {},
    optional={
        "MQ": NUMBER, "DP": st.sampled_from(["17", "0", ".", "2000"]), "MQRankSum": NUMBER, "ReadPosRankSum": NUMBER,
        "RAW_MQandDP": st.sampled_from(["18138,17", "5600,3", "1", ".,.", "72000000000,20000000"]),
        "AS_RAW_MQRankSum": RANKS, "AS_RAW_ReadPosRankSum": RANKS, "XMQ": NUMBER, "MQX": NUMBER, "RAW_MQ": NUMBER,
        "AS_RAW_MQ": NUMBER, "DB": st.just(""),
    },
)  # fmt: skip


@st.composite
def a_line(draw: st.DrawFn, at: int) -> str:
    info = draw(st.permutations(list(draw(INFO).items())))
    keys = ["GT", *draw(st.permutations(["DP", "GQ", "SB", "XSB", "SBX", "AD"]))[: draw(st.integers(0, 6))]]
    values = {
        "GT": draw(st.sampled_from(["0/1", "1/1", "1/2", "2|0", "1", "./1", "0/0", "./."])),
        "DP": draw(st.sampled_from(["12", ".", "0"])), "GQ": "50", "XSB": "9,9,9,9", "SBX": "8,8,8,8", "AD": "3,4,5",
        "SB": draw(st.sampled_from(["1,2,3,4", ".", "0,0,10,12", "1,2,3", "1,2,x,4", "12345,0,0,7"])),
    }  # fmt: skip
    text = ";".join(f"{key}={value}" if value else key for key, value in info) or "."
    qual = draw(st.sampled_from([".", "26.60", "0", "381.00", "1e3", "12.345678"]))
    cut = draw(st.sampled_from([1, 2, 99]))
    return "\t".join(["chr22", str(at), ".", "A", "C,G,<NON_REF>", qual, draw(st.sampled_from([".", "PASS"])), text,
                      ":".join(keys), ":".join([values[key] for key in keys][:cut])])  # fmt: skip


def _as_plain(annotation: np.ndarray, squares: int, quality: float) -> dict[str, Any]:
    ranks = [None if v == a.NO_RANK else int(v) for v in annotation[a.MQ_RANK :]]
    return {
        "qual": None if quality < 0 else float(quality),
        "sb": annotation[: a.MQ_DEPTH].tolist() if annotation[0] >= 0 else [],
        "mq": [int(squares), int(annotation[a.MQ_DEPTH])] if annotation[a.MQ_DEPTH] >= 0 else [],
        "ranks": ranks,
    }


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.data(), st.sampled_from([60, 1 << 20]))
def test_a_line_is_read_as_its_definition_says(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, chunk: int
) -> None:
    """Through the reader, which calls `read_annotations` on each chunk."""
    lines = [data.draw(a_line(100 + i)) for i in range(data.draw(st.integers(1, 5)))]
    path = tmp_path_factory.getbasetemp() / "one.g.vcf"
    header = made.Gvcf("one").text().decode()
    path.write_text(header + "\n".join(lines) + "\n")
    found = []
    for _, variants in GvcfReader(str(path), chunk_bytes=chunk).records():
        found += map(_as_plain, variants.annotations, variants.mq_squared, variants.quality)
    wanted = [plain.of_line(line) for line in lines]
    for line in wanted:
        line["qual"] = None if line["qual"] is None else float(np.float32(line["qual"]))
    assert found == wanted


@pytest.mark.parametrize("text", ["0", "-1.735", "60.00", "1e-3", "2.5E+1", "123456.789", ".5", "7."])
def test_decimals_are_what_python_reads(text: str) -> None:
    data = np.frombuffer(text.encode() + b";", np.uint8)
    assert a.decimal(data, 0, len(text)) == float(text)


@pytest.mark.parametrize("text", [".", "", "x", "1.2.3", "1e", "--1", "NaN", "inf", "1e9999"])
def test_what_is_no_decimal(text: str) -> None:
    assert math.isnan(a.decimal(np.frombuffer(text.encode() + b";", np.uint8), 0, len(text)))


@settings(max_examples=200, derandomize=True)
@given(st.floats(-50, 50))
def test_tenths(value: float) -> None:
    assert a.tenths(value) == plain.tenths(value)
    assert a.tenths(math.nan) == a.NO_RANK


def test_tenths_of_real_rank_sums_are_those_that_gatk_wrote() -> None:
    """MQRankSum and AS_RAW_MQRankSum of one record, as HaplotypeCaller wrote them."""
    pairs = [(0.952, 0.9), (-1.735, -1.8), (1.135, 1.1), (-0.578, -0.6), (-1.682, -1.7), (0.0, 0.0), (-0.674, -0.7)]
    assert [a.tenths(whole) for whole, _ in pairs] == [round(10 * tenth) for _, tenth in pairs]


@settings(max_examples=60, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-300, 300)), max_size=60), st.integers(1, 9))
def test_medians_do_not_depend_on_how_values_come(values: list[tuple[int, int]], step: int) -> None:
    tally = annotations.Tally()
    for low in range(0, len(values), step):
        part = values[low : low + step]
        tally.add(np.array([(row << 16) | (tenth + 32768) for row, tenth in part], np.int64))
        if low % 2:
            tally.compact()
    for row, median in enumerate(tally.medians(5)):
        mine = [tenth for at, tenth in values if at == row]
        wanted = plain.of_row([_carrier(ranks=[tenth, None]) for tenth in mine])["mq_rank_sum"]
        assert (None if math.isnan(median) else median) == wanted


def _carrier(**more: Any) -> dict[str, Any]:
    return {"sb": [], "mq": [], "ranks": [None, None], "pl": [], "ad": [], "dp": None, "gq": None, "reads": None,
            "het": True} | more  # fmt: skip


LISTS = st.lists(st.lists(st.integers(-1, 900), max_size=4), max_size=6)


@settings(max_examples=60, derandomize=True)
@given(LISTS, st.data())
def test_reference_evidence(pl: list[list[int]], data: st.DataObject) -> None:
    """PL of the reference genotype and the reads of AD; -1 in a list is a dot."""
    ad = [data.draw(st.lists(st.integers(-1, 60), max_size=4)) for _ in pl]

    def lists(of: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
        return np.cumsum([0, *map(len, of)]).astype(np.int32), np.array([v for one in of for v in one] or [0], np.int32)

    wanted = [[max([*p, 0][0], 0), sum(max(v, 0) for v in d)] for p, d in zip(pl, ad, strict=True)]
    assert a.reference_evidence(*lists(pl), *lists(ad)).tolist() == wanted


# --- cohorts -------------------------------------------------------------------------------------------------------


def _annotated(number: int) -> made.Gvcf:
    """A person's gVCF with annotations on most records, 1/2 calls and haploid calls among them."""
    gvcf, draw = made.gvcf(number, n=30), random.Random(number + 1000)
    for record in gvcf.records:
        if record[4] == "<NON_REF>" or draw.random() < 0.1:
            continue
        reads = [draw.randint(0, 15) for _ in range(4)]
        ref, alt = sum(reads[:2]), sum(reads[2:])
        record[5] = f"{draw.uniform(0, 500):.2f}"
        info = [f"DP={ref + alt}", f"MQ={draw.uniform(30, 60):.2f}"]
        if draw.random() < 0.5:
            info = [f"RAW_MQandDP={draw.randint(0, 90000)},{ref + alt}", f"MQRankSum={draw.uniform(-3, 3):.3f}"]
        if draw.random() < 0.5:
            info.append(f"AS_RAW_ReadPosRankSum=|{draw.uniform(-3, 3):.1f},1|NaN")
        record[7] = ";".join(info)
        record[8], gq = "GT:AD:DP:GQ:PL:SB", draw.choice([10, 19, 20, 60])
        gt = record[9].split(":")[0]
        dp = draw.choice([str(ref + alt), "9", "10", "."])
        record[9] = f"{gt}:{ref},{alt},0:{dp}:{gq}:{draw.randint(0, 900)},0,400,530,436,966:{','.join(map(str, reads))}"
    return gvcf


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> list[made.Gvcf]:
    return [_annotated(i) for i in range(9)]


def _rows_of(gvcfs: list[made.Gvcf], folder: Path) -> list[tuple[str, Path]]:
    return made.write(folder, gvcfs)


def _store(folder: Path, rows: list[tuple[str, Path]], **params: Any) -> str:
    ingest(made.manifest(folder / "m.tsv", rows), str(folder / "x.calls"), IngestParams(**params), LOCAL)
    return str(folder / "x.calls")


def _sites(calls: str, out: Path, params: CallParams | None = None) -> dict[str, dict[str, Any]]:
    opened = call(calls, str(out), params or CallParams(), LOCAL)
    rows = [row for shard in opened.shards for row in pq.ParquetFile(out / shard.sites).read().to_pylist()]
    return {row["id"]: {k: None if v != v else v for k, v in row.items()} for row in rows}


def _carriers(gvcfs: list[made.Gvcf], out: Path) -> dict[str, list[dict[str, Any]]]:
    """Of each row: what the record of each carrier says, found by a search through all lines of the carrier."""
    opened = callset.open_callset(str(out))
    people = sorted(gvcfs, key=lambda gvcf: gvcf.sample)
    found: dict[str, list[dict[str, Any]]] = {}
    for shard in opened.shards:
        sites = pq.ParquetFile(out / shard.sites).read().to_pylist()
        cells = callset.read_genotypes(opened, shard, 0, shard.n_sites)
        for site, row in zip(sites, cells, strict=True):
            key = trimmed(site["position"] - 1, site["ref"], site["alt"])
            here = found.setdefault(site["id"], [])
            for gvcf, cell in zip(people, row.tolist(), strict=True):
                here += [_carrier_of(record, key, cell) for record in gvcf.records if _has(record, key)][: cell > 0]
    return found


def _has(record: list[str], key: Any) -> bool:
    called = [int(x) for x in record[9].split(":")[0].replace("|", "/").split("/") if x.isdigit() and x != "0"]
    alts = record[4].split(",")
    return any(trimmed(int(record[1]) - 1, record[3], alts[x - 1]) == key for x in called)


def _carrier_of(record: list[str], key: Any, cell: int) -> dict[str, Any]:
    sample = dict(zip(record[8].split(":"), record[9].split(":"), strict=True))
    alts = record[4].split(",")
    allele = next(i for i, alt in enumerate(alts, 1) if trimmed(int(record[1]) - 1, record[3], alt) == key)
    ad = [int(v) for v in sample["AD"].split(",")]
    dp = sample.get("DP", ".")
    return plain.of_line("\t".join(record)) | {
        "pl": [int(v) for v in sample["PL"].split(",")], "ad": ad[: len(alts)], "reads": ad[allele],
        "dp": None if dp == "." else int(dp), "gq": int(sample["GQ"]), "het": cell == 1,
    }  # fmt: skip


@pytest.mark.parametrize("overlap", ["nocall", "best"])
def test_site_columns_are_plain_sums_over_carriers(cohort: list[made.Gvcf], tmp_path: Path, overlap: str) -> None:
    """`sum_carriers` over three batches."""
    calls = _store(tmp_path, _rows_of(cohort, tmp_path), batch_samples=4)
    sites = _sites(calls, tmp_path / "x.callset", CallParams(overlap=overlap))
    carriers = _carriers(cohort, tmp_path / "x.callset")
    assert len(sites) > 50 and max(map(len, carriers.values())) >= 3
    for name, site in sites.items():
        wanted = plain.of_row(carriers[name])
        assert {column: site[column] for column in wanted} == wanted, name
    assert sum(site["sb_alt_forward"] > 0 for site in sites.values()) > 30
    assert {site["n_high_quality"] == 0 for site in sites.values()} == {True, False}
    at = [int(name.split(":")[1]) for name in sites]
    assert [site["n_alleles"] for site in sites.values()] == [at.count(position) for position in at]


def test_annotations_do_not_depend_on_batches_or_bins(cohort: list[made.Gvcf], tmp_path: Path) -> None:
    found = []
    for number, params in enumerate([{}, {"batch_samples": 1}, {"batch_samples": 2, "bin_bp": 10_000}]):
        folder = tmp_path / str(number)
        rows = _rows_of(cohort if number % 2 else cohort[::-1], folder)
        found.append(_sites(_store(folder, rows, **params), folder / "x.callset"))
    assert found[0] == found[1] == found[2]


def test_a_record_that_gave_way_is_no_carrier(tmp_path: Path) -> None:
    """Three records state three copies; with "best" the weakest counts as reference, and so does its evidence."""
    gvcf = made.Gvcf("made0")
    strong, weak = "500,0,400,530,436,966", "30,0,400,530,436,966"
    gvcf.records = [made.variant("chr22", 5000, "A", alt, "0/1", pl=pl)
                    for alt, pl in (("C", strong), ("C", weak), ("G", strong))]  # fmt: skip
    calls = _store(tmp_path, _rows_of([gvcf], tmp_path))
    best = _sites(calls, tmp_path / "best.callset", CallParams(overlap="best"))
    assert [(site["ac"], site["qual_approx"], site["variant_depth"]) for site in best.values()] == [(1, 500, 22)] * 2
    strict = _sites(calls, tmp_path / "strict.callset")
    assert [(site["ac"], site["qual_approx"], site["variant_depth"]) for site in strict.values()] == [(0, 0, 0)] * 2


def test_alleles_are_counted_before_the_cut(tmp_path: Path) -> None:
    gvcfs = []
    for number, alt in enumerate(["C", "G", "T", "ATT", "AG"]):
        gvcf = made.Gvcf(f"made{number}")
        gvcf.records = [made.variant("chr22", 5000, "A", alt, "0/1"), made.variant("chr22", 5002, "A", "C", "0/1")]
        gvcfs.append(gvcf)
    calls = _store(tmp_path, _rows_of(gvcfs, tmp_path))
    sites = _sites(calls, tmp_path / "x.callset", CallParams(max_alleles=2))
    assert [(int(n.split(":")[1]), s["n_alleles"]) for n, s in sites.items()] == [(5000, 5), (5000, 5), (5002, 1)]


# --- the store -----------------------------------------------------------------------------------------------------


def test_the_store_keeps_annotations_and_withdrawal_leaves_them(cohort: list[made.Gvcf], tmp_path: Path) -> None:
    root = Path(_store(tmp_path, _rows_of(cohort, tmp_path)))
    table = pq.ParquetFile(next(root.glob("variants/*/*.parquet"))).read().to_pylist()
    lines = [record for gvcf in cohort for record in gvcf.records if record[4] != "<NON_REF>"]
    assert len(table) == len(lines)
    for row, line in zip(table, lines, strict=True):
        wanted = plain.of_line("\t".join(line))
        ranks = [] if wanted["ranks"] == [None, None] else [a.NO_RANK if r is None else r for r in wanted["ranks"]]
        assert (row["sb"], row["mq"], row["rank_sums"]) == (wanted["sb"], wanted["mq"], ranks)
        assert row["qual"] == pytest.approx(wanted["qual"])


def _as_of_old(root: Path) -> None:
    """The store as the former version wrote it: no annotations in its variant records."""
    path = root / "_commit" / "000001.json"
    commit = json.loads(path.read_text())
    for entry in commit["files"]:
        if entry["path"].startswith("variants/"):
            table = pq.ParquetFile(root / entry["path"]).read().drop_columns(list(store.ANNOTATIONS))
            data = store.to_parquet(table)
            (root / entry["path"]).write_bytes(data)
            entry |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    path.write_bytes(dataset.canonical_json(commit))


def test_a_store_without_annotations_is_read_added_to_and_withdrawn_from(
    cohort: list[made.Gvcf], tmp_path: Path
) -> None:
    rows = _rows_of(cohort, tmp_path)
    root = Path(_store(tmp_path, rows[:6], batch_samples=6))
    full = _sites(str(root), tmp_path / "full.callset")
    _as_of_old(root)
    old = _sites(str(root), tmp_path / "old.callset")
    silent = [*annotations.SITE_SUMS[:6], *annotations.RANK_SUMS]
    assert old.keys() == full.keys()
    for name, site in old.items():
        assert site == full[name] | dict.fromkeys(silent[:6], 0) | dict.fromkeys(silent[6:])
    ingest(made.manifest(tmp_path / "rest.tsv", rows[6:]), str(root), IngestParams(), LOCAL)
    both = _sites(str(root), tmp_path / "both.callset")
    carriers = _carriers(cohort, tmp_path / "both.callset")
    late = _carriers(cohort[6:], _late(root.parent, rows[6:]))
    for name, site in both.items():
        new, everybody = plain.of_row(late.get(name, [])), plain.of_row(carriers[name])
        assert {k: site[k] for k in silent} == {k: new[k] for k in silent}
        assert {k: site[k] for k in everybody if k not in silent} == {
            k: v for k, v in everybody.items() if k not in silent
        }


def _late(folder: Path, rows: list[tuple[str, Path]]) -> Path:
    """A callset of the late samples alone: their genotypes do not depend on the others."""
    _store(folder / "late", rows)
    _sites(str(folder / "late" / "x.calls"), folder / "late.callset")
    return folder / "late.callset"
