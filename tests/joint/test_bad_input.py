"""Inputs that are damaged, hostile or just wrong: each is refused with a message that helps and names nobody; nothing
is left behind.

Every fault is put into a small made gVCF and into a real one of the 1000 Genomes Project.
"""

from __future__ import annotations

import gzip
import os
import random
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pysam
import pytest

from cohelix import dataset
from cohelix.cli.__main__ import run
from cohelix.errors import CohelixError, ConfigError, InputError, ReferenceMismatch
from cohelix.joint import store
from cohelix.joint.gvcf import bgzf, index
from cohelix.joint.gvcf.reader import GvcfReader
from cohelix.joint.ingest import ingest
from cohelix.joint.lint import lint
from cohelix.joint.schema import IngestParams
from cohelix.runtime.local import LocalRuntime
from tests.joint import made
from tests.joint.made import Gvcf

SECRET = "SECRET"  # part of every sample id and file name that a message could leak
PARAMS = IngestParams(batch_samples=2)
LOCAL = LocalRuntime(2)


@dataclass(frozen=True)
class Fault:
    """What is done to the gVCF (edit its records, or its bytes), and what cohelix must say."""

    name: str
    says: str
    edit: Callable[[Gvcf], None] | None = None
    pack: Callable[[bytes], bytes] = made.bgzf
    error: type[CohelixError] = InputError


def _cell(column: int, value: str, *, block: bool = False) -> Callable[[Gvcf], None]:
    def edit(gvcf: Gvcf) -> None:
        (gvcf.block() if block else gvcf.variant())[column] = value

    return edit


def _value(key: str, value: str, *, block: bool = False) -> Callable[[Gvcf], None]:
    def edit(gvcf: Gvcf) -> None:
        gvcf.set_value(gvcf.block() if block else gvcf.variant(), key, value)

    return edit


def _drop_gt(gvcf: Gvcf) -> None:
    record = gvcf.variant()
    record[8], record[9] = (record[i].split(":", 1)[1] for i in (8, 9))


def _shorten(gvcf: Gvcf) -> None:
    del gvcf.variant()[9]


def _lengthen(gvcf: Gvcf) -> None:
    gvcf.variant().append("0/0")


def _second_sample(gvcf: Gvcf) -> None:
    gvcf.columns.append(f"{SECRET}2")
    for record in gvcf.records:
        record.append(record[9])


def _unsort(gvcf: Gvcf) -> None:
    gvcf.records[3], gvcf.records[8] = gvcf.records[8], gvcf.records[3]


def _contig_comes_back(gvcf: Gvcf) -> None:
    last = gvcf.records[-1]
    gvcf.records += [made.block("chr21", 20_000_000, 20_000_100), made.block(last[0], 50_000_000, 50_000_001)]


def _foreign_contig(gvcf: Gvcf) -> None:
    gvcf.records[-1][0] = "chrUnheard"


def _beyond(position: str) -> Callable[[Gvcf], None]:
    def edit(gvcf: Gvcf) -> None:
        gvcf.records.append(made.block(gvcf.records[-1][0], 1, 1))
        gvcf.records[-1][1], gvcf.records[-1][7] = position, "."

    return edit


def _end_beyond(gvcf: Gvcf) -> None:
    gvcf.records[-1] = made.block(gvcf.records[-1][0], int(gvcf.records[-1][1]), 50_818_469)


def _end_before(gvcf: Gvcf) -> None:
    gvcf.block()[7] = f"END={int(gvcf.block()[1]) - 1}"


def _overlap(gvcf: Gvcf) -> None:
    block = gvcf.block()
    gvcf.records.insert(gvcf.records.index(block) + 1, made.block(block[0], int(block[1]) + 1, int(block[1]) + 2))


def _plain_vcf(gvcf: Gvcf) -> None:
    gvcf.records = [record for record in gvcf.records if record[4] != "<NON_REF>"]
    for record in gvcf.records:
        record[4] = record[4].removesuffix(",<NON_REF>")


def _clear(gvcf: Gvcf) -> None:
    gvcf.records.clear()


def _name_contig_twice(gvcf: Gvcf) -> None:
    gvcf.meta.append("##contig=<ID=chr22,length=50818468>")


def _giant_contig(gvcf: Gvcf) -> None:
    gvcf.contigs["chrZ"] = 10**30


def _two_builds_in_one(gvcf: Gvcf) -> None:
    gvcf.contigs["chr20"] = 63_025_520  # GRCh37


def _other_columns(gvcf: Gvcf) -> None:
    gvcf.columns[3] = "REFERENCE"


def _at_block(data: bytes) -> bytes:
    packed = made.bgzf(data)
    starts = made.block_starts(packed)
    return packed[: starts[len(starts) // 2]]


def _in_block(data: bytes) -> bytes:
    packed = made.bgzf(data)
    starts = made.block_starts(packed)
    return packed[: starts[len(starts) // 2] + 100]


def _flip(data: bytes) -> bytes:
    packed = bytearray(made.bgzf(data))
    packed[made.block_starts(bytes(packed))[1] + 60] ^= 0x10
    return bytes(packed)


def _say_empty(data: bytes) -> bytes:
    """A block whose length was changed to 0: it must not pass for an empty one."""
    packed = bytearray(made.bgzf(data))
    end = made.block_starts(bytes(packed))[2]
    packed[end - 4 : end] = bytes(4)
    return bytes(packed)


def _say_huge(data: bytes) -> bytes:
    packed = bytearray(made.bgzf(data))
    end = made.block_starts(bytes(packed))[2]
    packed[end - 4 : end] = struct.pack("<I", 0xFFFFFFF0)
    return bytes(packed)


def _headless(data: bytes) -> bytes:
    return made.bgzf(data[data.index(b"\n", data.index(b"\n#CHROM") + 1) + 1 :])


FAULTS = [
    # the file
    Fault("cut at a block boundary", "lacks the empty block.*cut short between two blocks.*Copy it again", pack=_at_block),  # noqa: E501
    Fault("end block missing", "lacks the empty block", pack=lambda data: made.bgzf(data, ended=False)),
    Fault("cut in mid block", "ends inside a block.*cut short.*Copy it again", pack=_in_block),
    Fault("flipped byte", "does not inflate to what its checksum says.*restore", pack=_flip),
    Fault("block length zeroed", "does not inflate to what its checksum says", pack=_say_empty),
    Fault("block length huge", "does not inflate to what its checksum says", pack=_say_huge),
    Fault("bytes behind the end", "expected a BGZF block, found other bytes", pack=lambda data: made.bgzf(data) + b"x" * 40),  # noqa: E501
    Fault("gzip cut short", "gzip file is cut short or damaged", pack=lambda data: gzip.compress(data)[:-1000]),
    Fault("gzip trailer cut", "gzip file is cut short or damaged", pack=lambda data: gzip.compress(data)[:-4]),
    Fault("empty file", "expected a gVCF, found an empty file", pack=lambda data: b""),
    Fault("no header", "expected a VCF header", pack=_headless),
    Fault("header cut", "expected a #CHROM line", pack=lambda data: made.bgzf(data[: data.index(b"\n#CHROM")])),
    Fault("byte-order mark", "byte-order mark", pack=lambda data: made.bgzf(b"\xef\xbb\xbf" + data)),
    Fault("UTF-16", "byte-order mark", pack=lambda data: data.decode().encode("utf-16")),
    Fault("UTF-16 without mark", "expected a #CHROM line", pack=lambda data: data.decode().encode("utf-16-le")),
    Fault("a picture", "expected a VCF header", pack=lambda data: b"\x89PNG\r\n\x1a\n" + bytes(5000)),
    # the header
    Fault("no records", "expected records behind the header, found none", _clear),
    Fault("two samples", "expected a gVCF of one sample, found 2", _second_sample),
    Fault("other columns", "expected the columns #CHROM POS ID REF", _other_columns),
    Fault("contig named twice", "names contig chr22 twice", _name_contig_twice),
    Fault("contig too long", "more than 1999999999 bases", _giant_contig),
    Fault("two builds in one header", "lengths of both GRCh37 and GRCh38", _two_builds_in_one, error=ReferenceMismatch),
    # the order
    Fault("not sorted", r"records are not sorted: chr22:\d+ .*bcftools sort", _unsort),
    Fault("contig comes back", "records of contig chr22 stand in two places", _contig_comes_back),
    Fault("contig unknown", r"record chrUnheard:\d+ lies on a contig that the header does not name", _foreign_contig,
          error=ReferenceMismatch),
    Fault("POS beyond the contig", "chr22:50818469 ends beyond the contig's 50818468 bases", _beyond("50818469"),
          error=ReferenceMismatch),
    Fault("END beyond the contig", "ends beyond the contig's 50818468 bases", _end_beyond, error=ReferenceMismatch),
    Fault("POS of twenty digits", "ends beyond the contig's", _beyond("9" * 20), error=ReferenceMismatch),
    Fault("blocks overlap", r"reference blocks overlap at chr22:\d+.*overlapping_blocks=minimum", _overlap),
    # columns of a record
    Fault("row too short", r"record chr22:\d+: expected ten tab-separated columns, found fewer", _shorten),
    Fault("row too long", r"record chr22:\d+: found more columns than the header names", _lengthen),
    Fault("POS 0", "record chr22:0: expected POS to be a whole number from 1 on", _cell(1, "0")),
    Fault("POS negative", "expected POS to be a whole number", _cell(1, "-5")),
    Fault("POS not whole", "expected POS to be a whole number", _cell(1, "1e7")),
    Fault("POS with NUL", "expected POS to be a whole number", _cell(1, "10510\x00001")),
    Fault("REF empty", "REF or ALT is empty", _cell(3, "")),
    Fault("REF not bases", "REF holds characters that are not bases", _cell(3, "A7")),
    Fault("REF hostile", "REF holds characters that are not bases", _cell(3, "<script>")),
    Fault("ALT not ASCII", r"record chr22:\d+: ALT holds", _cell(4, "Ä,<NON_REF>")),
    Fault("ALT with NUL", r"record chr22:\d+: ALT holds", _cell(4, "A\x00,<NON_REF>")),
    Fault("FILTER not ASCII", r"record chr22:\d+: FILTER holds", _cell(6, "naïve")),
    Fault("END before POS", "INFO/END lies before POS, or is not a number", _end_before),
    Fault("END not a number", "INFO/END lies before POS, or is not a number", _cell(7, "END=soon", block=True)),
    # the sample's values
    Fault("no GT", "expected GT in FORMAT", _drop_gt),
    Fault("allele 7 of 2", r"record chr22:\d+: .*allele index out of range", _value("GT", "0/7")),
    Fault("allele of 20 digits", "allele index out of range", _value("GT", "0/" + "9" * 20)),
    Fault("allele negative", "GT is not made of allele numbers", _value("GT", "0/-1")),
    Fault("allele not whole", "GT is not made of allele numbers", _value("GT", "0/0.9")),
    Fault("GT letters", "GT is not made of allele numbers", _value("GT", "A/B")),
    Fault("GT open", "GT is not made of allele numbers", _value("GT", "0/")),
    Fault("GT empty", "GT is not made of allele numbers", _value("GT", "")),
    Fault("three copies", "call of three or more alleles", _value("GT", "0/1/1")),
    Fault("DP a word", "a DP, GQ, PS or MIN_DP is not a number", _value("DP", "ten")),
    Fault("GQ not a number", "a DP, GQ, PS or MIN_DP is not a number", _value("GQ", "NaN")),
    Fault("MIN_DP hex", "a DP, GQ, PS or MIN_DP is not a number", _value("MIN_DP", "0x10", block=True)),
    Fault("PL letters", r"record chr22:\d+: AD or PL holds something that is not a number", _value("PL", "a,b,c,d,e,f")),  # noqa: E501
    Fault("AD letters", r"record chr22:\d+: AD or PL holds something that is not a number", _value("AD", "x,y,z")),
    Fault("plain VCF", "expected a gVCF, with reference blocks.*found variant records only.*plain_vcf=allow", _plain_vcf),  # noqa: E501
]  # fmt: skip

# What only ingest decides: lint reports it as a finding of its own, in other words.
LINT_SAYS = {"no records": "expected reference blocks, found no records", "plain VCF": "a plain VCF, not a gVCF",
             "blocks overlap": "reference blocks overlap at"}  # fmt: skip


def _source(kind: str, data: Path) -> list[Gvcf]:
    if kind == "made":
        return [made.gvcf(i) for i in range(3)]
    paths = sorted(data.glob("gvcf_1kg_chr22/*.g.vcf.gz"))[:3]
    found = [made.read(path) for path in paths]
    for gvcf in found:
        gvcf.contigs = {name: length for name, length in gvcf.contigs.items() if name in ("chr21", "chr22")}
        gvcf.meta = [line for line in gvcf.meta if not line.startswith("##GVCFBlock")]
    return found


@dataclass(frozen=True)
class Bench:
    """A folder with two good gVCFs, one that is to be spoiled, and a store that holds one of the good ones."""

    folder: Path
    good: list[tuple[str, Path]]
    spoiled: Gvcf
    store: Path
    before: dict[str, str]

    def manifest(self, third: Path | str | None = None, *, sample: str = f"{SECRET}3") -> str:
        place = self.folder / f"{SECRET}3.g.vcf.gz" if third is None else third
        return made.manifest(self.folder / "manifest.tsv", [self.good[1], (sample, place)])


@pytest.fixture(scope="module", params=["made", pytest.param("real", marks=pytest.mark.real)])
def template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Gvcf]]:
    folder = tmp_path_factory.mktemp("bench")
    gvcfs = _source(request.param, Path(__file__).resolve().parents[3] / "shared" / "data")
    for number, gvcf in enumerate(gvcfs):
        gvcf.sample = f"{SECRET}{number + 1}"
    made.write(folder, gvcfs[:2])
    one = made.manifest(folder / "one.tsv", [(gvcfs[0].sample, f"{gvcfs[0].sample}.g.vcf.gz")])
    ingest(one, str(folder / "there.calls"), PARAMS, LOCAL)
    return folder, gvcfs


@pytest.fixture
def bench(template: tuple[Path, list[Gvcf]], tmp_path: Path) -> Iterator[Bench]:
    folder, gvcfs = template
    third = Gvcf(
        gvcfs[2].sample,
        dict(gvcfs[2].contigs),
        list(gvcfs[2].meta),
        list(gvcfs[2].columns),
        [r[:] for r in gvcfs[2].records],
    )
    good = [(g.sample, folder / f"{g.sample}.g.vcf.gz") for g in gvcfs[:2]]
    before = made.tree(folder / "there.calls")
    yield Bench(tmp_path, good, third, folder / "there.calls", before)
    assert made.tree(folder / "there.calls") == before


def _discreet(message: str) -> str:
    assert SECRET.lower() not in message.lower(), message
    assert ".g.vcf" not in message, message
    return message


def _refused(bench: Bench, manifest: str, error: type[CohelixError], says: str, params: IngestParams = PARAMS) -> str:
    """Ingest refuses, for a new store and for one that is there;

    nothing is left, nothing is changed. Returns the message.
    """
    fresh = bench.folder / "fresh.calls"
    messages = []
    for out in (fresh, bench.store):
        with pytest.raises(CohelixError) as caught:
            ingest(manifest, str(out), params, LOCAL)
        assert type(caught.value) is error, caught.value
        messages.append(_discreet(str(caught.value)))
        assert re.search(says, messages[-1], re.DOTALL), messages[-1]
    assert not fresh.exists()
    assert made.tree(bench.store) == bench.before
    return messages[0]


def _findings(manifest: str) -> list[tuple[int, str, str]]:
    found = [(finding.row, finding.severity, _discreet(finding.message)) for finding in lint(manifest, LOCAL)]
    return found


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_in_a_gvcf_is_refused(bench: Bench, fault: Fault) -> None:
    if fault.edit:
        fault.edit(bench.spoiled)
    (bench.folder / f"{SECRET}3.g.vcf.gz").write_bytes(fault.pack(bench.spoiled.text()))
    manifest = bench.manifest()
    message = _refused(bench, manifest, fault.error, fault.says)
    if fault.name != "two builds in one header":  # which is found when all are compared
        assert message.startswith("gVCF of manifest row 3: "), message
    errors = [finding for finding in _findings(manifest) if finding[1] == "error"]
    assert [row for row, _, _ in errors] == [3], errors
    assert re.search(LINT_SAYS.get(fault.name, fault.says), errors[0][2], re.DOTALL), errors


def test_lint_lists_every_row_in_one_go(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    faults = [
        f
        for f in FAULTS
        if f.name in ("cut at a block boundary", "empty file", "not sorted", "allele 7 of 2", "END before POS")
    ]
    rows = [bench.good[0]]
    for number, fault in enumerate(faults):
        gvcf = Gvcf(f"{SECRET}x{number}", bench.spoiled.contigs, bench.spoiled.meta, bench.spoiled.columns,
                    [r[:] for r in bench.spoiled.records])  # fmt: skip
        if fault.edit:
            fault.edit(gvcf)
        path = bench.folder / f"{gvcf.sample}.g.vcf.gz"
        path.write_bytes(fault.pack(gvcf.text()))
        rows.append((gvcf.sample, path))
    rows.append((f"{SECRET}none", bench.folder / "nothing.g.vcf.gz"))
    manifest = made.manifest(bench.folder / "many.tsv", rows)
    assert run(["joint", "lint", manifest]) == 2
    out = _discreet(capfd.readouterr().out).splitlines()
    assert [line.split("\t")[:2] for line in out] == [["error", f"row {row}"] for row in range(3, 9)]
    for line, says in zip(out, [*(fault.says for fault in faults), "expected a file, found none"], strict=True):
        assert re.search(says, line), line
    assert run(["joint", "lint", made.manifest(bench.folder / "good.tsv", bench.good)]) == 0


@pytest.mark.parametrize(
    ("name", "code"),
    [("cut at a block boundary", 2), ("POS beyond the contig", 4), ("two samples", 2), ("plain VCF", 2)],
)
def test_exit_codes(bench: Bench, name: str, code: int, capfd: pytest.CaptureFixture[str]) -> None:
    fault = next(f for f in FAULTS if f.name == name)
    if fault.edit:
        fault.edit(bench.spoiled)
    (bench.folder / f"{SECRET}3.g.vcf.gz").write_bytes(fault.pack(bench.spoiled.text()))
    out = bench.folder / "new.calls"
    assert run(["joint", "ingest", bench.manifest(), "--out", str(out)]) == code
    printed = _discreet(capfd.readouterr().err)
    assert printed.startswith("cohelix: ")
    assert printed.count("\n") == 1
    assert re.search(fault.says, printed)
    assert not out.exists()


# --- accepted ------------------------------------------------------------------------------------------------------


def _content(root: Path) -> dict[str, Any]:
    """What a store says, without what depends on the bytes of the inputs (their sha256)."""
    opened = store.open_store(str(root))
    samples = opened.samples().drop_columns(["gvcf_sha256"]).to_pylist()
    parts = [(p.contig, p.start, p.batch, p.variants, p.blocks) for parts in opened.parts().values() for p in parts]
    return {"samples": samples, "parts": parts, "build": opened.build}


@pytest.mark.parametrize(
    "pack",
    [
        pytest.param(lambda data: data, id="plain"),
        pytest.param(gzip.compress, id="gzip"),
        pytest.param(lambda data: gzip.compress(data[:5000]) + gzip.compress(data[5000:]), id="gzip in two members"),
        pytest.param(lambda data: made.bgzf(data, size=65280), id="BGZF of full blocks"),
        pytest.param(
            lambda data: made.bgzf(data[:5000]) + made.bgzf(data[5000:]), id="BGZF with an empty block inside"
        ),
        pytest.param(lambda data: made.bgzf(data.replace(b"\n", b"\r\n")), id="CRLF"),
        pytest.param(lambda data: made.bgzf(data.removesuffix(b"\n")), id="no newline at the end"),
    ],
)
def test_accepted_as_well(bench: Bench, pack: Callable[[bytes], bytes]) -> None:
    contents = []
    for name, packed in (("a", made.bgzf(bench.spoiled.text())), ("b", pack(bench.spoiled.text()))):
        path = bench.folder / f"{name}.g.vcf.gz"
        path.write_bytes(packed)
        out = bench.folder / f"{name}.calls"
        ingest(made.manifest(bench.folder / f"{name}.tsv", [("x", path)]), str(out), PARAMS, LOCAL)
        contents.append(_content(out))
    assert contents[0] == contents[1]


def _variant_row(bench: Bench, record: list[str]) -> dict[str, Any]:
    path = bench.folder / "x.g.vcf.gz"
    path.write_bytes(made.bgzf(bench.spoiled.text()))
    out = bench.folder / "x.calls"
    ingest(made.manifest(bench.folder / "x.tsv", [("x", path)]), str(out), PARAMS, LOCAL)
    rows = [
        r
        for file in out.glob("variants/*/*.parquet")
        for r in pq.ParquetFile(file).read().to_pylist()
        if not r["margin"]
    ]
    return next(row for row in rows if row["start"] == int(record[1]) - 1)


@pytest.mark.parametrize(
    ("key", "value", "name", "stored"),
    [
        ("GQ", "-3", "gq", 0),
        ("GQ", "9" * 30, "gq", 2_000_000_000),
        ("GQ", ".", "gq", -1),
        ("GQ", "12.7", "gq", 12),
        ("DP", "2147483648", "dp", 2_000_000_000),
        ("PL", ".", "pl", []),
        ("GT", "1", "allele2", -2),
        ("GT", ".", "allele1", -1),
        ("GT", "./1", "allele1", -1),
        ("GT", "0|1", "phased", 1),
    ],
)
def test_odd_values_that_are_read(bench: Bench, key: str, value: str, name: str, stored: Any) -> None:
    record = bench.spoiled.variant()
    bench.spoiled.set_value(record, key, value)
    assert _variant_row(bench, record)[name] == stored


def test_plain_vcf_where_it_is_allowed(bench: Bench) -> None:
    _plain_vcf(bench.spoiled)
    (bench.folder / f"{SECRET}3.g.vcf.gz").write_bytes(made.bgzf(bench.spoiled.text()))
    out = bench.folder / "plain.calls"
    commit = ingest(bench.manifest(), str(out), IngestParams(plain_vcf="allow"), LOCAL)
    dataset.verify(str(out), commit)
    assert len(store.open_store(str(out)).samples()) == 2


def test_overlapping_blocks_where_the_minimum_is_chosen(bench: Bench) -> None:
    block = bench.spoiled.block()
    start = int(block[1])
    bench.spoiled.set_value(block, "GQ", "50")
    bench.spoiled.records.insert(
        bench.spoiled.records.index(block) + 1, made.block(block[0], start + 1, start + 2, gq=7, dp=0)
    )
    (bench.folder / f"{SECRET}3.g.vcf.gz").write_bytes(made.bgzf(bench.spoiled.text()))
    out = bench.folder / "minimum.calls"
    ingest(bench.manifest(), str(out), IngestParams(overlapping_blocks="minimum"), LOCAL)
    rows = [
        r
        for f in out.glob("blocks/*/*.parquet")
        for r in pq.ParquetFile(f).read().to_pylist()
        if r["sample"] == 1 and not r["margin"]
    ]
    gq = {base: row["gq"] for row in rows for base in range(max(row["start"], start - 1), min(row["end"], start + 3))}
    assert [gq[base] for base in range(start - 1, start + 3)] == [50, 7, 7, 50]


# --- bytes ---------------------------------------------------------------------------------------------------------


def _records_of(path: Path) -> list[Any]:
    reader = GvcfReader(str(path))
    return [[getattr(part, name) for part in pair for name in vars(part)] for pair in reader.records()]


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
    return bool((a == b).all()) if a.shape == b.shape else False


@pytest.mark.parametrize("pack", [made.bgzf, gzip.compress], ids=["BGZF", "gzip"])
def test_any_flipped_byte__refused_or_without_effect(bench: Bench, pack: Callable[[bytes], bytes]) -> None:
    """Bytes that say nothing (a time stamp, a system's name) may change; every other change is seen."""
    del bench.spoiled.records[40:]
    bench.spoiled.meta = bench.spoiled.meta[:1]
    packed = pack(bench.spoiled.text())
    path = bench.folder / "x.g.vcf.gz"
    path.write_bytes(packed)
    whole = _records_of(path)
    draw = random.Random(20)
    refused = 0
    places = sorted({*range(40), *range(len(packed) - 40, len(packed)), *draw.sample(range(len(packed)), 250)})
    for at in places:
        for change in (0xFF, 1 << draw.randrange(8)):
            spoiled = bytearray(packed)
            spoiled[at] ^= change
            path.write_bytes(spoiled)
            try:
                assert _equal(_records_of(path), whole), f"byte {at} ^ {change}"
            except CohelixError as error:
                refused += 1
                _discreet(str(error))
    assert refused > 1.6 * len(places) - 60


def test_any_cut__refused(bench: Bench) -> None:
    del bench.spoiled.records[40:]
    bench.spoiled.meta = bench.spoiled.meta[:1]
    packed = made.bgzf(bench.spoiled.text(), size=500)
    path = bench.folder / "x.g.vcf.gz"
    cuts = {*made.block_starts(packed)[:-1], *random.Random(3).sample(range(len(packed)), 200)}
    for cut in sorted(cuts):
        path.write_bytes(packed[:cut])
        with pytest.raises(InputError):
            _records_of(path)


def test_a_line_without_end_is_not_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bgzf, "_LONGEST_LINE", 1 << 20)
    monkeypatch.setattr("cohelix.joint.gvcf.reader._LARGEST_HEADER", 1 << 20)
    head = made.gvcf(1).text()
    bomb = gzip.compress(b"A" * (64 << 20), 1)
    path = tmp_path / "bomb.g.vcf.gz"
    path.write_bytes(gzip.compress(head) + bomb)
    with pytest.raises(InputError, match="longer one"):
        list(GvcfReader(str(path), chunk_bytes=1 << 20).records())
    path.write_bytes(gzip.compress(b"##fileformat=VCFv4.2\n") + gzip.compress(b"##x=y\n" * (8 << 20), 1))
    with pytest.raises(InputError, match="header of up to 1 MiB"):
        GvcfReader(str(path), chunk_bytes=1 << 20)


# --- files ---------------------------------------------------------------------------------------------------------


def test_no_such_file(bench: Bench) -> None:
    _refused(bench, bench.manifest(), InputError, "row 3: expected a file, found none at that path.*Correct the path")


def test_a_folder(bench: Bench) -> None:
    (bench.folder / f"{SECRET}3.g.vcf.gz").mkdir()
    _refused(bench, bench.manifest(), InputError, "row 3: expected a file, found a folder")


def test_below_a_file_and_too_long(bench: Bench) -> None:
    below = bench.manifest(f"{bench.good[0][1]}/{SECRET}")
    _refused(bench, below, InputError, r"row 3: the file cannot be opened \(Not a directory\)")
    _refused(
        bench, bench.manifest(SECRET * 100), InputError, r"row 3: the file cannot be opened \(File name too long\)"
    )


def test_no_permission(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bench.folder / f"{SECRET}3.g.vcf.gz"
    path.write_bytes(made.bgzf(bench.spoiled.text()))
    plain_open = Path.open

    def guarded(self: Path, *arguments: Any, **options: Any) -> Any:
        if self.name == path.name:
            raise PermissionError(13, "Permission denied", str(self))
        return plain_open(self, *arguments, **options)

    path.chmod(0)
    if os.geteuid() == 0:  # whom chmod does not bind
        monkeypatch.setattr(Path, "open", guarded)
    _refused(bench, bench.manifest(), InputError, "row 3: expected a readable file.*Change its permissions")


def test_two_names_for_one_content(bench: Bench) -> None:
    path = bench.folder / f"{SECRET}3.g.vcf.gz"
    path.write_bytes(bench.good[1][1].read_bytes())
    message = _refused(bench, bench.manifest(), InputError, "row 3 has the same content as another sample's")
    assert "Correct the path" in message
    assert [f[:2] for f in _findings(bench.manifest()) if f[1] == "error" and "same content as row 2" in f[2]] == [
        (3, "error")
    ]


def test_a_content_that_the_store_has_under_another_sample(bench: Bench) -> None:
    manifest = made.manifest(bench.folder / "again.tsv", [("other", bench.good[0][1])])
    with pytest.raises(InputError, match="row 2 has the same content as another sample's"):
        ingest(manifest, str(bench.store), PARAMS, LOCAL)


def test_a_sample_that_is_there(bench: Bench) -> None:
    manifest = made.manifest(bench.folder / "again.tsv", [bench.good[1], bench.good[0]])
    with pytest.raises(
        InputError, match=r"1 of 2 samples are in the store already \(first: manifest row 3\)"
    ) as caught:
        ingest(manifest, str(bench.store), PARAMS, LOCAL)
    _discreet(str(caught.value))


def test_files_that_were_swapped__lint(bench: Bench) -> None:
    swapped = [(bench.good[0][0], bench.good[1][1]), (bench.good[1][0], bench.good[0][1])]
    found = _findings(made.manifest(bench.folder / "swapped.tsv", swapped))
    assert [(row, severity) for row, severity, _ in found] == [(2, "error"), (3, "error")]
    assert all("were two files swapped" in message for *_, message in found)


@pytest.mark.parametrize(
    ("contigs", "says", "lint_says"),
    [
        (made.GRCH37, "contig chr2[12] has .* in another: the inputs are of different builds", "mixed builds"),
        (
            {"21": 46709983, "22": 50818468},
            "a chromosome is called chr2[12] in one gVCF and 2[12] in another",
            "mixed references",
        ),
        ({"chr21": 46709983, "chr22": 50818460}, "contig chr22 has .* different builds", "mixed builds"),
    ],
    ids=["GRCh37 and 38", "chr22 and 22", "one contig, two lengths"],
)
def test_mixed_builds(bench: Bench, contigs: dict[str, int], says: str, lint_says: str) -> None:
    bench.spoiled.contigs = contigs
    for record in bench.spoiled.records:
        record[0] = "22" if "22" in contigs else "chr22"
    (bench.folder / f"{SECRET}3.g.vcf.gz").write_bytes(made.bgzf(bench.spoiled.text()))
    _refused(bench, bench.manifest(), ReferenceMismatch, says)
    errors = [(row, message) for row, severity, message in _findings(bench.manifest()) if severity == "error"]
    assert [row for row, _ in errors] == [3], errors
    assert lint_says in errors[0][1]


# --- where it is written -------------------------------------------------------------------------------------------


def test_a_folder_of_other_files_is_left_alone(bench: Bench) -> None:
    out = bench.folder / "thesis"
    out.mkdir()
    (out / "chapter-0123456789abcdef.txt").write_text("years of work")
    for manifest in (bench.manifest(), made.manifest(bench.folder / "good.tsv", bench.good)):
        with pytest.raises(InputError, match=r"found a folder of other files. Choose another folder"):
            ingest(manifest, str(out), PARAMS, LOCAL)
    assert made.tree(out).keys() == {"chapter-0123456789abcdef.txt"}


def test_another_kind_of_data_set_is_left_alone(bench: Bench) -> None:
    from cohelix.joint.call import call
    from cohelix.joint.schema import CallParams

    with pytest.raises(InputError, match=r"found a calls data set. Choose another folder"):
        call(str(bench.store), str(bench.store), CallParams(), LOCAL)
    assert made.tree(bench.store) == bench.before


def test_bins_of_another_size_are_refused(bench: Bench) -> None:
    manifest = made.manifest(bench.folder / "second.tsv", [bench.good[1]])
    with pytest.raises(ConfigError, match=r"made with ingest.bin_bp = 1000000, and 20000 was asked for"):
        ingest(manifest, str(bench.store), IngestParams(bin_bp=20_000), LOCAL)


# --- the manifest --------------------------------------------------------------------------------------------------

ODD_IDS = {
    "path": "../../etc/passwd",
    "blank": " ",
    "right to left": f"{SECRET}\u202egpj",
    "NUL": f"{SECRET}\x00",
    "vertical tab": f"{SECRET}\x0b",
    "line separator": f"{SECRET}\u2028x",
    "formula": f"=cmd|'/c calc'!{SECRET}",
    "option": f"-{SECRET}",
    "dot": ".hidden",
    "comma": f"{SECRET},2",
    "space": f"{SECRET} 2",
    "not ASCII": "Ä" + SECRET,
    "256 letters": "A" * 256,
    "slash": f"{SECRET}/x",
}


@pytest.mark.parametrize("sample_id", ODD_IDS.values(), ids=ODD_IDS.keys())
def test_odd_ids(bench: Bench, sample_id: str) -> None:
    path = bench.folder / f"{SECRET}3.g.vcf.gz"
    path.write_bytes(made.bgzf(bench.spoiled.text()))
    manifest = bench.manifest(path, sample=sample_id)
    message = _refused(
        bench, manifest, InputError, "manifest row 3: sample_id cannot be used in VCF, PLINK and file systems alike"
    )
    assert sample_id.strip() == "" or sample_id not in message
    assert [row for row, severity, _ in _findings(manifest) if severity == "error"] == [3]


MANIFESTS = {
    "empty": (b"", "manifest is empty"),
    "blank": (b"\n \n", "manifest is empty"),
    "header only": (b"sample_id\tpath\n", "names no sample"),
    "no header": (f"{SECRET}1\t{SECRET}1.g.vcf.gz\n".encode(), "expected the tab-separated columns sample_id, path.*found none of them"),  # noqa: E501
    "no path": (b"sample_id\tsex\nx\tF\n", "expected the tab-separated columns"),
    "unknown column": (f"sample_id\tpath\t{SECRET}\nx\ty\tz\n".encode(), "something else in column 3"),
    "column twice": (b"sample_id\tpath\tpath\nx\ty\tz\n", "expected the tab-separated columns"),
    "commas": (b"sample_id,path\nx,y\n", "expected the tab-separated columns"),
    "too few fields": (b"sample_id\tpath\n\nx\n", "manifest row 3: expected 2 fields, found 1"),
    "too many fields": (f"sample_id\tpath\nx\ty\t{SECRET}\n".encode(), "manifest row 2: expected 2 fields, found 3"),
    "sex": (f"sample_id\tpath\tsex\nx\ty\t{SECRET}\n".encode(), "manifest row 2: expected a sex of male/female/unknown"),  # noqa: E501
    "id empty": (b"sample_id\tpath\n\ty\n", "manifest row 2: sample_id is empty"),
    "id with a newline": (f"sample_id\tpath\n{SECRET}\nx\ty\n".encode(), "manifest row 2: expected 2 fields, found 1"),
    "path empty": (b"sample_id\tpath\nx\t\n", "manifest row 2: path is empty"),
    "path with NUL": (f"sample_id\tpath\nx\t{SECRET}\x00\n".encode(), "manifest row 2: path is empty, or holds characters"),  # noqa: E501
    "same id": (f"sample_id\tpath\n{SECRET}\ta\nx\tb\n{SECRET}\tc\n".encode(), "manifest rows 2 and 4 have the same sample_id"),  # noqa: E501
    "same file": (f"sample_id\tpath\nx\t{SECRET}\ny\t{SECRET}\n".encode(), "manifest rows 2 and 3 name the same file"),
    "latin-1": ("sample_id\tpath\nx\tMünchen\n".encode("latin-1"), "expected the manifest in UTF-8"),
    "UTF-16": ("sample_id\tpath\nx\ty\n".encode("utf-16"), "expected the manifest in UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "says"), MANIFESTS.values(), ids=MANIFESTS.keys())
def test_a_manifest_that_is_refused(tmp_path: Path, text: bytes, says: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"{SECRET}.tsv"
    path.write_bytes(text)
    with pytest.raises(InputError, match=says) as caught:
        ingest(str(path), str(tmp_path / "x.calls"), PARAMS, LOCAL)
    _discreet(str(caught.value))
    assert not (tmp_path / "x.calls").exists()
    assert run(["joint", "lint", str(path)]) == 2
    printed = capfd.readouterr()
    _discreet(printed.out + printed.err)
    assert re.search(says, printed.out + printed.err)


def test_no_manifest_and_a_folder(tmp_path: Path) -> None:
    for path, says in ((tmp_path / SECRET, "found no file"), (tmp_path, "found a folder")):
        with pytest.raises(InputError, match=says) as caught:
            ingest(str(path), str(tmp_path / "x.calls"), PARAMS, LOCAL)
        _discreet(str(caught.value))


def test_several_problems_of_a_manifest__ingest_counts_them_and_lint_lists_them(tmp_path: Path) -> None:
    path = tmp_path / "m.tsv"
    path.write_text("sample_id\tpath\tsex\n-x\ta\tF\nb\tb\tpurple\nc\n")
    with pytest.raises(InputError, match=r"row 2: .* \(2 more: cohelix joint lint\)"):
        ingest(str(path), str(tmp_path / "x.calls"), PARAMS, LOCAL)
    assert {finding.row for finding in lint(str(path), LOCAL)} == {2, 3, 4}


def test_manifest__byte_order_mark_crlf_blank_lines_and_sexes_are_read(tmp_path: Path) -> None:
    from cohelix.joint import manifest

    path = tmp_path / "m.tsv"
    path.write_bytes(b"\xef\xbb\xbfpath\tsample_id\tsex\tbatch\r\na.gz\tx\tXX\tplate 1\r\n\r\n/abs/b.gz\ty\t1\t\r\n")
    rows = manifest.read(str(path))
    assert [(r.number, r.sample_id, r.path, r.sex, r.batch) for r in rows] == [
        (2, "x", f"{tmp_path}/a.gz", "female", "plate 1"),
        (4, "y", "/abs/b.gz", "male", ""),
    ]


# --- indices -------------------------------------------------------------------------------------------------------


def _small_stretches(mebibytes: float, **choices: Any) -> IngestParams:
    params = IngestParams(**choices)
    object.__setattr__(params, "stretch_mib", mebibytes)  # below what a user may ask for: the inputs here are small
    return params


def _indexed(folder: Path, gvcf: Gvcf) -> Path:
    path = folder / f"{gvcf.sample}.g.vcf.gz"
    path.write_bytes(made.bgzf(gvcf.text()))
    pysam.tabix_index(str(path), preset="vcf", force=True)
    return path


def _long(number: int) -> Gvcf:
    """Over 300 windows of an index, and of its own contig length, so that it falls into stretches."""
    gvcf = made.gvcf(number, sample=f"{SECRET}{number}", n=500, contig="chr22", first=1, step=3_000)
    gvcf.contigs = {"chr21": 1_000, "chr22": 1_600_000}
    return gvcf


@pytest.mark.parametrize("harm", ["stale", "another's", "shifted", "cut", "not an index", "empty", "contig missing"])
def test_a_wrong_index_is_refused(tmp_path: Path, harm: str) -> None:
    gvcf = _long(1)
    path = _indexed(tmp_path, gvcf)
    beside = Path(f"{path}.tbi")
    says = "index does not fit the file|index leads past"
    if harm == "stale":
        gvcf.records = gvcf.records[300:]
        path.write_bytes(made.bgzf(gvcf.text()))
    elif harm == "another's":
        other = _indexed(tmp_path, _long(2))
        beside.write_bytes(Path(f"{other}.tbi").read_bytes())
    elif harm == "shifted":  # of the same file, but for records further on: what it says is there is there
        beside.write_bytes(_drop_early_windows(beside.read_bytes()))
        says = "index leads past"
    elif harm == "contig missing":
        later = [made.block("chr22", 1_590_000, 1_590_010)]
        gvcf.records = [made.block("chr21", 1, 900), *gvcf.records]
        path.write_bytes(made.bgzf(gvcf.text()))
        gvcf.records, kept = later, gvcf.records
        assert len(kept) > 300
    else:
        whole = beside.read_bytes()
        beside.write_bytes({"cut": whole[:-200], "not an index": b"hello world", "empty": b""}[harm])
        says = {"cut": "index is cut short", "not an index": "expected a tabix or CSI index", "empty": "tabix"}[harm]
    manifest = made.manifest(tmp_path / "m.tsv", [(f"{SECRET}1", path)])
    params = _small_stretches(path.stat().st_size / (1 << 20) / 6, bin_bp=20_000)
    with pytest.raises(InputError, match=says) as caught:
        ingest(manifest, str(tmp_path / "x.calls"), params, LOCAL)
    assert "row 2" in _discreet(str(caught.value))
    assert not (tmp_path / "x.calls").exists()
    if harm != "shifted":
        found = [(row, severity) for row, severity, message in _findings(manifest) if "index" in message]
        assert found == [(2, "error")]


def _drop_early_windows(packed: bytes) -> bytes:
    """A tabix index whose windows each point to where a window 20 further on begins."""
    data = bytearray(gzip.decompress(packed))
    parsed = index._tabix(bytes(data))
    offsets = [offset for _, offset in parsed.chunks[-1]][1:]
    at = data.rindex(struct.pack("<Q", offsets[-1])) - 8 * (len(offsets) - 1)
    moved = offsets[20:] + offsets[-1:] * 20
    data[at : at + 8 * len(moved)] = struct.pack(f"<{len(moved)}Q", *moved)
    return made.bgzf(bytes(data), size=60_000)


def test_index_beside_a_file_that_is_not_bgzf(tmp_path: Path) -> None:
    gvcf = made.gvcf(1, sample=f"{SECRET}1")
    path = _indexed(tmp_path, gvcf)
    path.write_bytes(gzip.compress(gvcf.text()))
    found = _findings(made.manifest(tmp_path / "m.tsv", [(gvcf.sample, path)]))
    assert [(row, severity) for row, severity, _ in found] == [(2, "warning")]


# --- withdrawal ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ids", "says"),
    [
        (b"", "file of sample ids is empty"),
        (b"sample_id\n", "file of sample ids is empty"),
        (f"{SECRET}1\nnobody\nno one\n".encode(), "2 of 3 sample ids are not in the store"),
        (f"{SECRET}1\n".encode(), "would leave the store without samples"),
        (b"\xff\xfe", "expected the sample ids in UTF-8"),
        (None, "found none at that path"),
    ],
)
def test_withdraw_refuses(bench: Bench, ids: bytes | None, says: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = bench.folder / "ids.txt"
    if ids is not None:
        path.write_bytes(ids)
    assert run(["joint", "withdraw", str(bench.store), "--samples", str(path)]) == 2
    assert re.search(says, _discreet(capfd.readouterr().err))
    assert made.tree(bench.store) == bench.before


def test_messages_of_a_crash_name_nobody(bench: Bench) -> None:
    """A fault that cohelix did not foresee is reported by its place in the code alone."""
    code = (
        "import sys\nfrom cohelix.joint.gvcf import bgzf\n"
        f"def broken(path, **_):\n    raise RuntimeError('in {SECRET}: ' + path)\n"
        "bgzf.text_chunks = broken\nfrom cohelix.cli.__main__ import run\nsys.exit(run(sys.argv[1:]))"
    )
    words = ["joint", "ingest", bench.manifest(), "--out", str(bench.folder / "x.calls")]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 5
    assert "defect of cohelix (RuntimeError" in _discreet(done.stdout + done.stderr)
