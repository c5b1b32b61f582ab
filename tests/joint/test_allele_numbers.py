"""Allele numbers at every base against their plain definition: each base of each sample, genotyped by itself."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix import dataset
from cohelix.cli.joint import allele_numbers as command
from cohelix.errors import InputError
from cohelix.genotypes import callset
from cohelix.joint import allele_numbers as an
from cohelix.joint import batch, unify
from cohelix.joint.call import call
from cohelix.joint.everywhere import kernels as e
from cohelix.joint.ingest import ingest
from cohelix.joint.schema import CallParams, IngestParams
from cohelix.runtime.local import LocalRuntime
from tests.joint import made
from tests.joint.test_kernels import PLOIDIES, REFERENCE, RULES, a_sample, block_arrays, digest, small
from tests.oracles import joint as plain

LOCAL = LocalRuntime(2)

# --- the kernel ----------------------------------------------------------------------------------------------------


def _plain_copies(sample: dict[str, Any], base: int, snps: list[plain.Key], ploidy: int, rules: plain.Rules) -> Any:
    """(raw, adj) copies of one sample at one base: its own SNP there if it has a row, else as any other row sees it."""
    flags = plain.settle(sample["records"], rules)
    carried = [c for r, f in zip(sample["records"], flags, strict=True) if f != "demoted"
               for c in plain.copies_of(r, rules)]  # fmt: skip
    own = next((key for key in snps if key[0] == base and key in carried), (base, "no", "such"))
    cell = plain.genotype(sample["records"], sample["blocks"], (own, base, base + 1), ploidy, rules)
    copies = 0 if cell.call is None else 1 if cell.one else 2
    return copies, copies * cell.adj


@small
@given(st.lists(a_sample(), min_size=1, max_size=3), RULES, st.data())
def test_sum_copies(samples: list[dict[str, Any]], choices: dict[str, Any], data: st.DataObject) -> None:
    """Also what it shares with the joint call: `claim_rows` and `call_at`."""
    low, high = choices["owned"]
    digested = digest(samples, choices["gq0_is_nocall"])
    carried = sorted((k[0], k[1].decode(), k[2].decode()) for k in digested.keys if low <= k[0] < high)
    keys = data.draw(st.lists(st.sampled_from(carried), unique=True)) if carried else []
    spelled = sorted(unify.spell((k[0], k[1].encode(), k[2].encode()), unify.Allele(
        left=REFERENCE[k[0] - 1 : k[0]].encode(), right=REFERENCE[k[0] + len(k[1])].encode())) for k in keys
    )  # fmt: skip
    rules = plain.Rules(frozenset(keys), **choices)
    snps = [r.position if len(r.ref) == len(r.alt) == 1 else -1 for r in spelled]
    snp_keys = [
        (r.key[0], r.key[1].decode(), r.key[2].decode()) for r, at in zip(spelled, snps, strict=True) if at >= 0
    ]
    cut = data.draw(st.integers(1, 30))
    ploidy = np.array([[data.draw(st.sampled_from(PLOIDIES)) for _ in range(2)] for _ in range(3)], np.int8)
    stratum = np.array([data.draw(st.integers(0, 1)) for _ in samples], np.int32)
    settings = [rules.gq0_is_nocall, rules.partial_ok, rules.min_depth, rules.best, rules.adj_filter, rules.adj_gq,
                rules.adj_dp, rules.adj_dp_haploid, round(1000 * rules.adj_ab)]  # fmt: skip
    start, end = data.draw(st.sampled_from([(0, 45), (7, 31)]))
    steps = np.zeros((2, e.LEVELS, end - start + 1), np.int32)
    blocks = block_arrays([b for s in samples for b in s["blocks"]])[1:]
    e.sum_copies(
        np.array(snps, np.int32), np.array([0, cut]), ploidy, np.array([s["sex"] for s in samples], np.int8), stratum,
        batch.allele_table(digested, {r.key: i for i, r in enumerate(spelled)}, {}, rules.owned),
        digested.records, digested.at, *blocks, np.cumsum([0, *(len(s["blocks"]) for s in samples)]),
        np.array(settings, np.int64), start, end, steps,
    )  # fmt: skip
    wanted = np.zeros((2, e.LEVELS, end - start), int)
    for s, sample in enumerate(samples):
        for base in range(start, end):
            copies = int(ploidy[sample["sex"], int(base >= cut)])
            wanted[stratum[s], :, base - start] += _plain_copies(sample, base, snp_keys, copies, rules)
    assert np.cumsum(steps, axis=2)[:, :, :-1].tolist() == wanted.tolist()
    assert not steps.sum(axis=2).any()


# --- cohorts -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """x.calls of people with sexes over bins of 22, X and Y; x.callset; groups.tsv, which lacks one of them."""
    folder = tmp_path_factory.mktemp("an")
    gvcfs, sexes = [], ["male", "female", "unknown"]
    for i in range(9):
        gvcf = made.gvcf(i, n=12)
        draw = random.Random(i)
        gvcf.contigs = {"chr22": 50_818_468, "chrX": 156_040_895, "chrY": 57_227_415}
        for contig, first in (("chrX", 2_770_000), ("chrY", 20_000_000)):
            more = made.gvcf(i + 20, n=12, contig=contig, first=first).records
            if sexes[i % 3] == "male" and draw.random() < 0.8:
                for record in more:
                    record[9] = record[9].replace("0/0", "0", 1) if record[4] == "<NON_REF>" else record[9]
            gvcf.records += more if contig == "chrX" or sexes[i % 3] == "male" else []
        gvcfs.append(gvcf)
    rows = made.write(folder, gvcfs)
    (folder / "m.tsv").write_text(
        "sample_id\tpath\tsex\n" + "".join(f"{s}\t{path}\t{sexes[i % 3]}\n" for i, (s, path) in enumerate(rows))
    )
    (folder / "groups.tsv").write_text(
        "sample_id\tgroup\n" + "".join(f"{s}\tg{i % 2}\n" for i, (s, _) in enumerate(rows[1:]))
    )
    ingest(str(folder / "m.tsv"), str(folder / "x.calls"), IngestParams(bin_bp=20_000, batch_samples=4), LOCAL)
    call(str(folder / "x.calls"), str(folder / "x.callset"), CallParams(), LOCAL)
    return folder


def _bases(root: Path) -> dict[tuple[str, int], dict[str, int]]:
    """What the runs say of each base; runs are checked to be sorted, apart and different from their neighbours."""
    commit = dataset.open_existing(str(root), an.KIND)
    dataset.verify(str(root), commit)
    out = {}
    for part in commit.meta["bins"]:
        rows = pq.ParquetFile(root / part["path"]).read().to_pylist()
        assert len(rows) == part["n_runs"] and all(row["start"] < row["end"] for row in rows)
        numbers = [{k: v for k, v in row.items() if k.startswith("an_")} for row in rows]
        for i in range(1, len(rows)):
            assert rows[i - 1]["end"] < rows[i]["start"] or numbers[i - 1] != numbers[i]
            assert rows[i - 1]["end"] <= rows[i]["start"]
        for row, values in zip(rows, numbers, strict=True):
            out |= {(part["contig"], base): values for base in range(row["start"], row["end"])}
    return out


def test_numbers_at_snps_are_those_of_the_callset(folder: Path, tmp_path: Path) -> None:
    an.allele_numbers(str(folder / "x.calls"), str(tmp_path / "x.an"), CallParams(), LOCAL)
    bases = _bases(tmp_path / "x.an")
    opened = callset.open_callset(str(folder / "x.callset"))
    sites = [row for shard in opened.shards for row in opened.sites(shard).to_pylist() if row["kind"] == "snp"]
    alone = [s for s in sites if sum((s["contig"], s["position"]) == (o["contig"], o["position"]) for o in sites) == 1]
    for site in alone:
        here = bases.get((site["contig"], site["position"] - 1), {"an_raw": 0, "an_adj": 0})
        assert (here["an_raw"], here["an_adj"]) == (site["an"], site["an_adj"]), site["id"]
    assert {site["contig"] for site in alone} == {"chr22", "chrX", "chrY"} and len(alone) > 10


def test_groups_and_sexes_make_up_the_whole(folder: Path, tmp_path: Path) -> None:
    calls, groups = str(folder / "x.calls"), str(folder / "groups.tsv")
    commit = an.allele_numbers(calls, str(tmp_path / "x.an"), CallParams(), LOCAL, groups=groups)
    whole = an.allele_numbers(calls, str(tmp_path / "all.an"), CallParams(), LOCAL)
    assert [(s["group"], s["sex"]) for s in commit.meta["strata"]] == [
        (group, sex) for group in ("g0", "g1") for sex in ("male", "female", "unknown")
    ]
    assert sum(s["n_samples"] for s in commit.meta["strata"]) == 8
    assert [s["n_samples"] for s in whole.meta["strata"]] == [3, 3, 3]
    split, bases = _bases(tmp_path / "x.an"), _bases(tmp_path / "all.an")
    assert split.keys() == bases.keys() and len(bases) > 50_000
    first = _alone(folder, tmp_path)
    for place, values in split.items():
        for level in ("raw", "adj"):
            parts = sum(v for k, v in values.items() if k.startswith(f"an_{level}_"))
            assert (
                values[f"an_{level}"]
                == bases[place][f"an_{level}"]
                == parts + first.get(place, {}).get(f"an_{level}", 0)
            )
    on_y = [values for (contig, _), values in bases.items() if contig == "chrY"]
    assert max(v["an_raw_all_male"] for v in on_y) == 3 and max(v["an_raw_all_female"] for v in on_y) == 0


def _alone(folder: Path, tmp_path: Path) -> dict[tuple[str, int], dict[str, int]]:
    """The one sample that the table of groups lacks, by itself."""
    lines = (folder / "m.tsv").read_text().splitlines()
    (tmp_path / "one.tsv").write_text("\n".join(lines[:2]) + "\n")
    ingest(str(tmp_path / "one.tsv"), str(tmp_path / "one.calls"), IngestParams(), LOCAL)
    an.allele_numbers(str(tmp_path / "one.calls"), str(tmp_path / "one.an"), CallParams(), LOCAL)
    return _bases(tmp_path / "one.an")


def test_batches_windows_and_cores_change_no_byte(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(str(folder / "m.tsv"), str(tmp_path / "y.calls"), IngestParams(bin_bp=20_000, batch_samples=1), LOCAL)
    an.allele_numbers(str(folder / "x.calls"), str(tmp_path / "a.an"), CallParams(), LOCAL)
    monkeypatch.setattr(an, "_STEPS", 8 * 1_337)
    an.allele_numbers(str(tmp_path / "y.calls"), str(tmp_path / "b.an"), CallParams(), LocalRuntime(1))
    assert made.tree(tmp_path / "a.an") == made.tree(tmp_path / "b.an")


def test_a_region_is_those_bases(folder: Path, tmp_path: Path) -> None:
    calls = str(folder / "x.calls")
    an.allele_numbers(calls, str(tmp_path / "a.an"), CallParams(), LOCAL)
    command(calls, str(tmp_path / "b.an"), region="chr22:10,515,001-10,541,000")
    wanted = {p: v for p, v in _bases(tmp_path / "a.an").items() if p[0] == "chr22" and 10_515_000 <= p[1] < 10_541_000}
    assert _bases(tmp_path / "b.an") == wanted and len(wanted) > 20_000


class _Stopping(LocalRuntime):
    """Ends like a killed process once two tasks are done."""

    def map(self, function: Any, tasks: Any, *, label: str) -> Any:
        for task in list(tasks)[:2]:
            function(task)
        raise MemoryError


def test_what_was_stopped_goes_on(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = str(folder / "x.calls")
    an.allele_numbers(calls, str(tmp_path / "a.an"), CallParams(), LOCAL)
    with pytest.raises(MemoryError):
        an.allele_numbers(calls, str(tmp_path / "b.an"), CallParams(), _Stopping(1))
    assert dataset.find(str(tmp_path / "b.an")) is None
    counted = []
    real = an.runs_of
    monkeypatch.setattr(an, "runs_of", lambda task: counted.append(task) or real(task))
    commit = an.allele_numbers(calls, str(tmp_path / "b.an"), CallParams(), LOCAL)
    assert len(counted) == len(commit.meta["bins"]) - 2
    assert made.tree(tmp_path / "a.an") == made.tree(tmp_path / "b.an")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("sample_id\tpop\nx\ty\n", "line 1 of the groups: expected the tab-separated columns"),
        ("", "line 1 of the groups"),
        ("sample_id\tgroup\nmade000\n", "line 2 of the groups: expected 2 fields, found 1"),
        ("sample_id\tgroup\nmade000\tx\nmade000\ty\n", "line 3 of the groups: its sample_id was there before"),
        ("sample_id\tgroup\nmade000\ta b\n", "line 2 of the groups: expected a name of letters"),
        ("sample_id\tgroup\nnobody\teur\n", "none of the 1 samples in the table of groups"),
    ],
)
def test_tables_of_groups_that_are_refused(folder: Path, tmp_path: Path, table: str, message: str) -> None:
    (tmp_path / "g.tsv").write_text(table)
    with pytest.raises(InputError, match=message) as error:
        an.allele_numbers(
            str(folder / "x.calls"), str(tmp_path / "x.an"), CallParams(), LOCAL, groups=str(tmp_path / "g.tsv")
        )
    assert "made000" not in str(error.value) and not (tmp_path / "x.an").exists()


def test_a_region_without_calls_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no base of the region is called"):
        an.allele_numbers(str(folder / "x.calls"), str(tmp_path / "x.an"), CallParams(), LOCAL, region="chr22:1-100")
    assert not (tmp_path / "x.an").exists()
