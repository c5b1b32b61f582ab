"""What is checked of gVCFs before Hail's combiner sees them."""

from __future__ import annotations

from pathlib import Path

import pysam
import pytest

from cohelix.errors import InputError, ReferenceMismatch
from cohelix.joint import combine, manifest
from cohelix.joint.gvcf import bgzf

FORMATS = {"GT": ("1", "String"), "GQ": ("1", "Integer"), "DP": ("1", "Integer"), "MIN_DP": ("1", "Integer")}
LENGTHS = {"chr21": 46709983, "chr22": 50818468}


def gvcf(
    path: Path,
    *,
    lengths: dict[str, int] = LENGTHS,
    formats: dict[str, tuple[str, str]] = FORMATS,
    n: int = 3,
    step: int = 100,
) -> Path:
    """A BGZF gVCF of `n` reference blocks on the last contig, with its index."""
    lines = ["##fileformat=VCFv4.2", '##INFO=<ID=END,Number=1,Type=Integer,Description="x">']
    lines += [f'##FORMAT=<ID={k},Number={a},Type={b},Description="x">' for k, (a, b) in formats.items()]
    lines += [f"##contig=<ID={name},length={length}>" for name, length in lengths.items()]
    lines.append("\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", "S"]))
    contig = list(lengths)[-1]
    for i in range(n):
        start = 1 + i * step
        lines.append(f"{contig}\t{start}\t.\tA\t<NON_REF>\t.\t.\tEND={start + step - 1}\tGT:GQ:DP:MIN_DP\t0/0:30:10:9")
    plain = path.with_suffix("")
    plain.write_text("\n".join(lines) + "\n")
    pysam.tabix_compress(str(plain), str(path), force=True)
    pysam.tabix_index(str(path), preset="vcf", force=True)
    return path


def rows(*paths: Path) -> list[manifest.Row]:
    return [manifest.Row(number, f"s{number}", str(path), "unknown", "") for number, path in enumerate(paths, start=2)]


def test_pieces_cover_each_contig_that_has_records_and_no_other(tmp_path: Path) -> None:
    found = combine.examine(rows(gvcf(tmp_path / "a.g.vcf.gz"), gvcf(tmp_path / "b.g.vcf.gz")))
    assert found.pieces == [("chr22", 0, 50818468)]
    assert (found.build, found.reference_fields) == ("GRCh38", ("GT", "GQ", "DP", "MIN_DP"))


def test_large_inputs_are_cut_into_pieces_that_join(tmp_path: Path) -> None:
    path = gvcf(tmp_path / "a.g.vcf.gz", n=200_000, step=200)
    size = path.stat().st_size
    pieces = combine.examine(rows(path), partition_bytes=size // 10).pieces
    assert 5 <= len(pieces) <= 12
    assert [low for _, low, _ in pieces] == [0, *(high for _, _, high in pieces[:-1])]
    assert pieces[-1][2] == LENGTHS["chr22"]


def test_a_file_cut_at_a_block_is_refused_by_its_row(tmp_path: Path) -> None:
    good, cut = gvcf(tmp_path / "a.g.vcf.gz"), gvcf(tmp_path / "secret_name.g.vcf.gz")
    cut.write_bytes(cut.read_bytes()[: -len(bgzf.EOF_BLOCK)])
    with pytest.raises(InputError, match=r"manifest row 3: .*cut short") as failure:
        combine.examine(rows(good, cut))
    assert "secret_name" not in str(failure.value)


def test_an_input_without_its_index_or_not_bgzf_is_refused(tmp_path: Path) -> None:
    path = gvcf(tmp_path / "a.g.vcf.gz")
    Path(f"{path}.tbi").unlink()
    with pytest.raises(InputError, match=r"manifest row 2: .*\.tbi"):
        combine.examine(rows(path))
    with pytest.raises(InputError, match=r"manifest row 2: .*bgzip"):
        combine.examine(rows(path.with_suffix("")))
    with pytest.raises(InputError, match=r"manifest row 2: .*found none"):
        combine.examine(rows(tmp_path / "absent.g.vcf.gz"))


def test_builds_and_lengths_must_agree(tmp_path: Path) -> None:
    one = gvcf(tmp_path / "a.g.vcf.gz")
    other = gvcf(tmp_path / "b.g.vcf.gz", lengths={"22": 51304566})
    with pytest.raises(ReferenceMismatch, match="rows 2 and 3 are of different builds"):
        combine.examine(rows(one, other))
    longer = gvcf(tmp_path / "c.g.vcf.gz", lengths={"chrM": 16571, **LENGTHS})
    shorter = gvcf(tmp_path / "d.g.vcf.gz", lengths={"chrM": 16569, **LENGTHS})
    with pytest.raises(ReferenceMismatch, match="rows 2 and 3 give contig chrM different lengths"):
        combine.examine(rows(longer, shorter))
    with pytest.raises(ReferenceMismatch, match="neither"):
        combine.examine(rows(gvcf(tmp_path / "e.g.vcf.gz", lengths={"scaffold1": 1000})))


def test_headers_are_merged_and_contradictions_refused(tmp_path: Path) -> None:
    one = gvcf(tmp_path / "a.g.vcf.gz")
    more = gvcf(tmp_path / "b.g.vcf.gz", formats=FORMATS | {"PS": ("1", "Integer")})
    found = combine.examine(rows(one, more))
    assert "##FORMAT=<ID=PS,Number=1,Type=Integer" in found.header
    assert found.header.count("##FORMAT=<ID=GQ,") == 1
    (tmp_path / "h.vcf").write_text(found.header)
    assert list(pysam.VariantFile(str(tmp_path / "h.vcf")).header.formats) == ["GT", "GQ", "DP", "MIN_DP", "PS"]
    other = gvcf(tmp_path / "c.g.vcf.gz", formats=FORMATS | {"GQ": ("1", "Float")})
    with pytest.raises(InputError, match="rows 2 and 3 define FORMAT GQ"):
        combine.examine(rows(one, other))


def test_the_digest_follows_the_inputs(tmp_path: Path) -> None:
    one, two = gvcf(tmp_path / "a.g.vcf.gz"), gvcf(tmp_path / "b.g.vcf.gz")
    first = combine.examine(rows(one, two)).digest
    assert combine.examine(rows(one, two)).digest == first
    assert combine.examine(rows(two, one)).digest != first
    gvcf(two, n=500)
    assert combine.examine(rows(one, two)).digest != first
