"""The joint call as a whole, on gVCFs of a few records with the answer worked out by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pysam
import pytest

from cohelix import dataset
from cohelix.errors import InputError, ReferenceMismatch
from cohelix.genotypes import callset
from cohelix.joint.call import call
from cohelix.joint.explain import explain
from cohelix.joint.ingest import ingest
from cohelix.joint.schema import CallParams, IngestParams
from cohelix.runtime.local import LocalRuntime
from tests.joint import made
from tests.joint.made import block, variant

RUNTIME = LocalRuntime(1)
Rows = dict[str, dict[str, str]]


class Cohort:
    """gVCFs by sample id, ingested into `folder`; `call` gives genotypes as text, by row id and sample id."""

    def __init__(
        self, folder: Path, people: dict[str, list[list[str]]], sexes: dict[str, str] | None = None, **contigs: int
    ) -> None:
        self.folder = folder
        self.store = str(folder / "x.calls")
        gvcfs = [made.Gvcf(name, contigs or dict(made.GRCH38), records=records) for name, records in people.items()]
        lines = [f"{name}\t{path}\t{(sexes or {}).get(name, '')}" for name, path in made.write(folder / "gvcfs", gvcfs)]
        manifest = folder / "manifest.tsv"
        manifest.write_text("\n".join(["sample_id\tpath\tsex", *lines]) + "\n")
        ingest(str(manifest), self.store, IngestParams(), RUNTIME)

    def call(self, params: CallParams | None = None, **options: Any) -> tuple[callset.Callset, Rows]:
        opened = call(self.store, str(self.folder / "y.callset"), params or CallParams(), RUNTIME, **options)
        return opened, genotypes(opened)


def genotypes(opened: callset.Callset) -> Rows:
    said = {0: "0/0", 1: "0/1", 2: "1/1", callset.MISSING: "./."}
    names = opened.samples()["sample_id"].to_pylist()
    rows: Rows = {}
    for shard in opened.shards:
        cells = callset.read_genotypes(opened, shard, 0, shard.n_sites)
        table = opened.partial(shard)
        partial = table.to_pylist() if table is not None else []
        for i, site in enumerate(opened.sites(shard).to_pylist()):
            row = {name: said[int(cell)] for name, cell in zip(names, cells[i], strict=True)}
            row |= {names[p["sample"]]: f"{p['first']}/{p['second']} {p['reason']}" for p in partial if p["row"] == i}
            rows[site["id"]] = row
    return rows


def _sites(path: Path, lines: Sequence[str]) -> str:
    path.write_text("\n".join(["contig\tposition\tref\talt", *lines]) + "\n")
    return str(path)


@pytest.fixture
def pair(tmp_path: Path) -> Cohort:
    """A has a SNP at 200 and covers 100-400; B covers 100-299 only, with GQ 0 from 150 to 179."""
    return Cohort(
        tmp_path,
        {
            "A": [block("chr22", 100, 199), variant("chr22", 200, "C", "T", "0/1"), block("chr22", 201, 400)],
            "B": [block("chr22", 100, 149), block("chr22", 150, 179, gq=0), block("chr22", 180, 299)],
        },
    )


def test_forced_sites_are_reference_with_evidence_or_missing_with_a_reason(pair: Cohort, tmp_path: Path) -> None:
    sites = _sites(tmp_path / "s.tsv", ["chr22\t160\tG\tA", "22\t350\tG\tGA", "chr22\t200\tC\tT", "chr21\t5\tA\tC"])
    opened, rows = pair.call(sites=sites)
    assert rows == {
        "chr21:5:A:C": {"A": "./.", "B": "./."},
        "chr22:160:G:A": {"A": "0/0", "B": "./."},
        "chr22:200:C:T": {"A": "0/1", "B": "0/0"},
        "chr22:350:G:GA": {"A": "0/0", "B": "./."},
    }
    reasons = {s["id"]: s for shard in opened.shards for s in opened.sites(shard).to_pylist()}
    assert reasons["chr22:160:G:A"]["missing_gq0"] == 1 and reasons["chr22:160:G:A"]["forced"]
    assert reasons["chr21:5:A:C"]["missing_no_data"] == 2


def test_only_sites_keeps_no_other_row(pair: Cohort, tmp_path: Path) -> None:
    _, rows = pair.call(sites=_sites(tmp_path / "s.tsv", ["chr22\t160\tG\tA"]), only_sites=True)
    assert list(rows) == ["chr22:160:G:A"]
    with pytest.raises(InputError, match="no --sites was given"):
        pair.call(only_sites=True)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chrQ\t5\tA\tC", "contig 'chrQ' is not in the call store"),
        ("chr22\tx\tA\tC", "expected a position"),
        ("chr22\t5\tA\t<DEL>", "spelled in bases"),
        ("chr22\t5\tA", "expected 4 fields"),
    ],
)
def test_a_bad_line_of_sites_is_named(pair: Cohort, tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"line 2 of the sites: .*{message}"):
        pair.call(sites=_sites(tmp_path / "s.tsv", [line]))
    assert not (tmp_path / "y.callset").exists()


def test_a_region_holds_rows_by_position(pair: Cohort) -> None:
    assert list(pair.call(region="chr22:200-200")[1]) == ["chr22:200:C:T"]
    assert pair.call(region="chr22:201-400")[1] == {}


def test_a_callset_gets_a_new_version_and_keeps_the_old(pair: Cohort) -> None:
    first, _ = pair.call()
    second, _ = pair.call(CallParams(gq0="homref"))
    assert (first.commit.version, second.commit.version) == (1, 2)
    dataset.verify(first.root, dataset.open_existing(first.root, callset.KIND, version=1))


def test_beyond_the_cap_the_rarest_alleles_are_cut_and_listed(tmp_path: Path) -> None:
    alts = {"A": ("T", "1/1"), "B": ("T", "0/1"), "C": ("G", "0/1"), "D": ("A", "0/1")}
    people = {
        name: [block("chr22", 100, 199), variant("chr22", 200, "C", alt, gt), block("chr22", 201, 300)]
        for name, (alt, gt) in alts.items()
    }
    opened, rows = Cohort(tmp_path, people).call(CallParams(max_alleles=1))
    # only T stays; who carries a cut allele is not called reference there
    assert rows == {"chr22:200:C:T": {"A": "1/1", "B": "0/1", "C": "0/. lost_allele", "D": "0/. lost_allele"}}
    (entry,) = [entry for entry in opened.commit.files if entry.path.startswith("cut-")]
    assert pq.read_table(Path(opened.root) / entry.path).to_pylist() == [
        {"contig": "chr22", "position": 200, "n_alleles": 3, "n_kept": 1}
    ]


def _fasta(folder: Path, sequence: str) -> str:
    path = folder / "reference.fa"
    path.write_text(f">chr22\n{sequence}\n")
    pysam.faidx(str(path))
    return str(path)


def test_with_a_fasta_equal_indels_are_one_row(tmp_path: Path) -> None:
    #          1         11        21
    sequence = "GATTACACACACAGGCTTTTTCGA"
    people = {
        # one AC of positions 5-12 deleted, spelled at its end and at its start
        "A": [block("chr22", 1, 10), variant("chr22", 11, "ACA", "A", "0/1"), block("chr22", 14, 24)],
        "B": [block("chr22", 1, 3), variant("chr22", 4, "TAC", "T", "1/1"), block("chr22", 7, 24)],
    }
    cohort = Cohort(tmp_path, people, chr22=24)
    assert len(cohort.call()[1]) == 2
    opened, rows = cohort.call(fasta=_fasta(tmp_path, sequence))
    assert rows == {"chr22:4:TAC:T": {"A": "0/1", "B": "1/1"}}
    assert opened.commit.meta["alleles"] == "left-aligned"


def test_a_fasta_that_contradicts_the_gvcfs_is_refused(tmp_path: Path) -> None:
    people = {"A": [block("chr22", 1, 9), variant("chr22", 10, "C", "T", "0/1"), block("chr22", 11, 24)]}
    cohort = Cohort(tmp_path, people, chr22=24)
    with pytest.raises(ReferenceMismatch, match="REF at chr22:10 is not what the FASTA has there"):
        cohort.call(fasta=_fasta(tmp_path, "G" * 24))
    assert not (tmp_path / "y.callset").exists()


def test_a_fasta_that_is_not_there_is_said_so(pair: Cohort, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a FASTA .* Correct --fasta"):
        pair.call(fasta=str(tmp_path / "nowhere.fa"))
    assert not (tmp_path / "y.callset").exists()


def test_ploidy_by_region_and_sex(tmp_path: Path) -> None:
    def person(gt: str, ref_gt: str) -> list[list[str]]:
        records = []
        for contig, position in (
            ("chrX", 1_000_000),
            ("chrX", 5_000_000),
            ("chrY", 5_000_000),
        ):  # the first lies in PAR1
            records += [
                block(contig, position - 50, position - 1, gt=ref_gt),
                variant(contig, position, "C", "T", gt),
                block(contig, position + 1, position + 50, gt=ref_gt),
            ]
        return records

    people = {"F": person("0/1", "0/0"), "M": person("0/1", "0/0"), "N": person("1/1", "0/0"), "U": person("1", "0")}
    contigs = {"chrX": 156_040_895, "chrY": 57_227_415}
    opened, rows = Cohort(tmp_path, people, {"F": "F", "M": "M", "N": "XY"}, **contigs).call()
    assert opened.build == "GRCh38"
    assert rows == {
        "chrX:1000000:C:T": {"F": "0/1", "M": "0/1", "N": "1/1", "U": "1/1"},
        "chrX:5000000:C:T": {"F": "0/1", "M": "./.", "N": "1/1", "U": "1/1"},
        "chrY:5000000:C:T": {"F": "./.", "M": "./.", "N": "1/1", "U": "1/1"},
    }
    sites = {s["id"]: s for shard in opened.shards for s in opened.sites(shard).to_pylist()}
    assert (sites["chrX:5000000:C:T"]["ac"], sites["chrX:5000000:C:T"]["an"]) == (3, 4)
    assert sites["chrX:5000000:C:T"]["missing_ploidy"] == 1
    assert sites["chrY:5000000:C:T"]["missing_ploidy"] == 2


def test_a_table_of_sexes_replaces_those_of_the_store(tmp_path: Path) -> None:
    records = [variant("chrX", 5_000_000, "C", "T", "0/1"), block("chrX", 5_000_001, 5_000_050)]
    people = dict.fromkeys("ABC", records)
    cohort = Cohort(tmp_path, people, {"A": "M", "B": "F", "C": "M"}, chrX=156_040_895)
    opened, rows = cohort.call()
    assert rows == {"chrX:5000000:C:T": {"A": "./.", "B": "0/1", "C": "./."}}
    assert opened.stated_sexes() == opened.samples()["sex"].to_pylist() == ["male", "female", "male"]
    table = tmp_path / "sexes.tsv"
    table.write_text("sample_id\tsex\tkaryotype\nA\tfemale\tXX\nB\tunknown\tX0\nelsewhere\tmale\tXY\n")
    opened, rows = cohort.call(sexes=str(table))
    assert rows == {"chrX:5000000:C:T": {"A": "0/1", "B": "0/1", "C": "./."}}
    assert opened.samples()["sex"].to_pylist() == ["female", "unknown", "male"]
    assert opened.stated_sexes() == ["male", "female", "male"]
    psam = (Path(opened.root) / opened.shards[0].psam).read_text()
    assert psam == "#IID\tSEX\nA\t2\nB\tNA\nC\t1\n"
    digest = hashlib.sha256(table.read_bytes()).hexdigest()
    assert digest in str(opened.commit.provenance) and opened.commit.meta["params"]["sexes"] == digest
    table.write_text(table.read_text().replace("A\tfemale", "A\tmale"))
    assert cohort.call(sexes=str(table))[0].commit.version == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sample_id\tkaryotype\nA\tXX\n", "line 1 of the sexes: expected the tab-separated columns"),
        ("", "line 1 of the sexes"),
        ("sample_id\tsex\nA\tF\nB\tboth\n", "line 3 of the sexes: expected male, female or unknown"),
        ("sample_id\tsex\nA\tF\nA\tF\n", "line 3 of the sexes: its sample_id was there before"),
        ("sample_id\tsex\nA\n", "line 2 of the sexes: expected 2 fields, found 1"),
        ("sample_id\tsex\nnobody-42\tF\n", "none of the 1 samples in the table of sexes is among the 2"),
        ("sample_id\tsex\n", "none of the 0 samples"),
        (None, "found none at that path"),
    ],
)
def test_a_bad_table_of_sexes_is_refused(pair: Cohort, tmp_path: Path, text: str | None, message: str) -> None:
    table = tmp_path / "sexes.tsv"
    if text is not None:
        table.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        pair.call(sexes=str(table))
    assert "nobody-42" not in str(caught.value)
    assert not (tmp_path / "y.callset").exists()


def test_the_genotype_filter_removes_what_adj_counts_leave_out(tmp_path: Path) -> None:
    people = {
        "A": [variant("chr22", 200, "C", "T", "0/1", gq=50, ad="10,12,0")],
        "B": [variant("chr22", 200, "C", "T", "0/1", gq=19, ad="10,12,0")],
        "C": [variant("chr22", 200, "C", "T", "0/1", gq=50, ad="20,2,0")],
        "D": [block("chr22", 150, 250, gq=20, dp=9)],
        "E": [block("chr22", 150, 250, gq=20, dp=10)],
    }
    cohort = Cohort(tmp_path, people)
    opened, rows = cohort.call()
    (site,) = opened.sites(opened.shards[0]).to_pylist()
    assert (site["ac"], site["an"], site["ac_adj"], site["an_adj"]) == (3, 10, 1, 4)
    (shard,) = opened.shards
    assert shard.adj in shard.paths
    fails = callset.read_genotypes(opened, replace(shard, pgen=shard.adj), 0, 1)
    assert fails.tolist() == [[0, 1, 1, 1, 0]]  # GQ; allele balance; depth
    older = {name: value for name, value in shard.to_meta().items() if name != "adj"}
    assert callset.Shard.from_meta(older) == replace(shard, adj=None)
    _, filtered = cohort.call(CallParams(genotype_filter="adj"))
    assert rows["chr22:200:C:T"] == {"A": "0/1", "B": "0/1", "C": "0/1", "D": "0/0", "E": "0/0"}
    assert filtered["chr22:200:C:T"] == {"A": "0/1", "B": "./.", "C": "./.", "D": "./.", "E": "0/0"}


def test_explain_prints_the_records_and_the_rule(pair: Cohort) -> None:
    text = explain(pair.store, "B", "chr22:140-200", CallParams())
    assert "chr22:150-179  reference 0/0  GQ 0  DP 20" in text
    assert "chr22:200:C:T  0/0  called from the sample's records" in text
    assert "chr22:200  C>T  GT 0/1  GQ 50  DP 22  AD 10,12  PL 500,0,400" in explain(
        pair.store, "A", "chr22:200", CallParams()
    )
    with pytest.raises(InputError, match="not in the call store") as caught:
        explain(pair.store, "nobody-42", "chr22:200", CallParams())
    assert "nobody-42" not in str(caught.value)


@pytest.mark.real
def test_haploid_calls_half_calls_and_deletions(data: Path, tmp_path: Path) -> None:
    folder = data / "joint_cases" / "haploid_and_deletions"
    manifest = tmp_path / "m.tsv"
    manifest.write_text(
        "sample_id\tpath\tsex\n" + "".join(f"{s}\t{folder}/h_{s}.vcf\t{s.replace('G', 'F')}\n" for s in "FGM")
    )
    ingest(str(manifest), str(tmp_path / "x.calls"), IngestParams(), RUNTIME)
    opened = call(str(tmp_path / "x.calls"), str(tmp_path / "y.callset"), CallParams(), RUNTIME)
    assert genotypes(opened) == {
        "chrX:10000100:A:G": {"F": "./1 half_call", "G": "0/0", "M": "1/1"},
        "chrX:10000101:CAT:C": {"F": "0/1", "G": "0/0", "M": "0/0"},
        "chrX:10000102:A:T": {"F": "0/* deletion", "G": "0/1", "M": "0/0"},
        "chrX:10000300:C:T": {"F": "./.", "G": "0/1", "M": "0/0"},
    }
    sites = {s["position"]: s for s in opened.sites(opened.shards[0]).to_pylist()}
    assert sites[10000100]["n_haploid_alt"] == 1 and sites[10000300]["missing_no_call"] == 1
