"""What an imported callset keeps of QUAL and INFO, against pysam's reading of the same file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pysam
import pytest

from cohelix.genotypes import site_annotations as s
from cohelix.genotypes import vcf

NAMES = ("QD", "FS", "SOR", "MQ", "MQRankSum", "ReadPosRankSum")
META = {
    "QD": "Number=1,Type=Float", "AS_QD": "Number=A,Type=Float", "FS": "Number=1,Type=Float",
    "SOR": "Number=1,Type=Float", "MQ": "Number=1,Type=Float", "DP": "Number=1,Type=Integer",
    "AS_MQRankSum": "Number=A,Type=Float", "MQRankSum": "Number=1,Type=Float", "AS_FS": "Number=R,Type=Float",
    "DB": "Number=0,Type=Flag", "AS_SB_TABLE": "Number=1,Type=String", "ReadPosRankSum": "Number=1,Type=Integer",
}  # fmt: skip
RECORDS = [
    "chr1 100 A C 381.5 PASS DB;QD=12.34;FS=0;SOR=0.693;MQ=60;DP=30;ReadPosRankSum=-3",
    "chr1 200 A C,G 26.6 LowQual QD=5;AS_QD=1.5,2.5;AS_MQRankSum=-0.25,.;FS=1.5;AS_FS=9,8,7;ReadPosRankSum=200000",
    "chr1 300 AC A,T . . MQRankSum=0.5;AS_MQRankSum=.,0.75;AS_SB_TABLE=1,2|3,4;XQD=7",
    "chr1 400 A C,*,T 0 PASS AS_QD=1,2,3;MQ=59.75",
    "chr1 500 A C 10 PASS QD=.;FS=.;SOR=.;ReadPosRankSum=.",
    "chr1 600 A C 1e3 PASS .",
]


def _text(meta: dict[str, str]) -> str:
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=chr1,length=248956422>", '##FILTER=<ID=LowQual,Description="x">']
    lines += [f'##INFO=<ID={name},{kind},Description="x">' for name, kind in meta.items()]
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="x">']
    lines.append("\t".join("#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT s1 s2".split()))
    for record in RECORDS:
        contig, position, ref, alt, qual, filters, info = record.split()
        info = ";".join(i for i in info.split(";") if i.split("=")[0] in meta) or "."
        lines.append("\t".join([contig, position, ".", ref, alt, qual, filters, info, "GT", "0/1", "1/1"]))
    return "\n".join(lines) + "\n"


@pytest.fixture(params=["vcf", "vcf.gz", "bcf"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    plain = tmp_path / "in.vcf"
    plain.write_text(_text(META))
    if request.param == "vcf":
        return plain
    out = tmp_path / f"in.{request.param}"
    with pysam.VariantFile(str(plain)) as source:
        with pysam.VariantFile(str(out), "wb" if request.param == "bcf" else "wz", header=source.header) as sink:
            for record in source:
                sink.write(record)
    return out


def _by_pysam(path: Path) -> list[dict[str, Any]]:
    """One row per base-spelled alternate; the value by allele where the header has AS_x with Number=A."""
    rows = []
    with pysam.VariantFile(str(path)) as source:
        by_allele = {
            n for n in NAMES if f"AS_{n}" in source.header.info and source.header.info[f"AS_{n}"].number == "A"
        }
        for record in source:
            for number, alt in enumerate(record.alts or ()):
                if alt == "*":
                    continue
                row: dict[str, Any] = {"qual": record.qual, "filter": ";".join(record.filter.keys()) or "."}
                for name in NAMES:
                    values = record.info.get(f"AS_{name}") if name in by_allele else None
                    row[f"info_{name}"] = values[number] if values else record.info.get(name)
                rows.append(row)
    return rows


def _columns(path: Path, out: Path) -> list[dict[str, Any]]:
    made = vcf.import_vcf(str(path), str(out))
    return [row for shard in made.shards for row in made.sites(shard).to_pylist()]


def test_kept_values_are_those_that_pysam_reads(path: Path, tmp_path: Path) -> None:
    found, wanted = _columns(path, tmp_path / "x.callset"), _by_pysam(path)
    assert len(found) == len(wanted) == 9
    for row, expected in zip(found, wanted, strict=True):
        for name, value in expected.items():
            if isinstance(value, str):
                assert row[name] == value
            elif value is None:
                assert math.isnan(row[name]), name
            else:
                assert row[name] == pytest.approx(value, rel=1e-6), name
    assert sum(not math.isnan(row["info_QD"]) for row in found) == 5


def test_a_by_allele_form_that_is_not_of_number_a_is_not_taken(path: Path, tmp_path: Path) -> None:
    """AS_FS is declared with a value for REF as well: FS of the record is what each row gets."""
    rows = _columns(path, tmp_path / "x.callset")
    assert [row["info_FS"] for row in rows if row["position"] == 200] == [1.5, 1.5]


def test_what_the_header_does_not_declare_makes_no_column(tmp_path: Path) -> None:
    (tmp_path / "in.vcf").write_text(_text({"FS": META["FS"], "AS_QD": META["AS_QD"]}))
    made = vcf.import_vcf(str(tmp_path / "in.vcf"), str(tmp_path / "x.callset"))
    names = made.sites(made.shards[0]).column_names
    assert [name for name in names if name.startswith("info_") or name == "qual"] == ["qual", "info_QD", "info_FS"]


@pytest.mark.parametrize(("text", "value"), [("1e3", 1000.0), ("-0.5", -0.5), (".", None), ("x", None), ("", None)])
def test_numbers(text: str, value: float | None) -> None:
    assert math.isnan(s.number(text)) if value is None else s.number(text) == value
