"""`cohelix genotypes`, as it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cohelix.cli.__main__ import run
from tests.genotypes.conftest import WriteVcf

ROWS = ["chr1 100 A C 0/1 1/1 ./.", "chrX 30000000 A G 1 0/1 0/0"]


def test_in_and_out_by_the_names_of_files(
    tmp_path: Path, write_vcf: WriteVcf, capsys: pytest.CaptureFixture[str]
) -> None:
    source, made = write_vcf(ROWS, name="in.vcf.gz"), str(tmp_path / "x.callset")
    sexes = tmp_path / "sexes"
    sexes.write_text("s1 male\ns2 female\ns3 F\n")
    assert run(["genotypes", "import", str(source), "-o", made, "--sex-table", str(sexes)]) == 0
    for name in ("out.vcf.gz", "out.bcf", "out.bed", "out.pgen"):
        assert run(["genotypes", "export", made, "-o", str(tmp_path / name)]) == 0
        again = str(tmp_path / f"{name}.callset")
        assert run(["genotypes", "import", str(tmp_path / name), "-o", again, "--build", "GRCh38"]) == 0
        assert (tmp_path / name).stat().st_size
    assert capsys.readouterr().out == ""
    assert run(["genotypes", "describe", made]) == 0
    assert "male 1, female 2" in capsys.readouterr().out
    only = tmp_path / "only"
    only.write_text("s3\n")
    arguments = ["genotypes", "export", made, "-o", str(tmp_path / "part.vcf"), "--samples-file", str(only)]
    assert run([*arguments, "--region", "chr1:1-200"]) == 0
    lines = [line for line in (tmp_path / "part.vcf").read_text().splitlines() if not line.startswith("##")]
    assert lines == [
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts3", "chr1\t100\t.\tA\tC\t.\t.\t.\tGT\t./.",
    ]  # fmt: skip
    assert run([*arguments, "--force"]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["export", "{made}", "-o", "{old}"], 3, "exists"),
        (["export", "{made}", "-o", "{tmp}/out.txt"], 3, "--format"),
        (["export", "{made}", "-o", "{tmp}/o.vcf", "--region", "chr7"], 2, "contig"),
        (["export", "{made}", "-o", "{tmp}/o.vcf", "--samples-file", "{tmp}/none"], 2, "sample ids"),
        (["export", "{tmp}/none", "-o", "{tmp}/o.vcf"], 2, "no commit"),
        (["describe", "{tmp}/none"], 2, "no commit"),
        (["import", "{source}", "-o", "{made}"], 3, "already"),
        (["import", "{tmp}/none", "-o", "{tmp}/y"], 3, "--format"),
        (["import", "{source}", "-o", "{tmp}/y", "--format", "tped"], 3, "tped"),
        (["import", "{source}", "-o", "{tmp}/y", "--build", "GRCh37"], 4, "GRCh38"),
    ],
)
def test_refusals_are_one_line_and_an_exit_code(
    tmp_path: Path,
    write_vcf: WriteVcf,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    source, made, old = write_vcf(ROWS), tmp_path / "x.callset", tmp_path / "old.vcf"
    old.write_text("kept")
    assert run(["genotypes", "import", str(source), "-o", str(made)]) == 0
    names = {"made": made, "old": old, "tmp": tmp_path, "source": source}
    assert run(["genotypes", *(argument.format(**names) for argument in arguments)]) == code
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1
    assert old.read_text() == "kept" and not (tmp_path / "y").exists() and not (tmp_path / "o.vcf").exists()
