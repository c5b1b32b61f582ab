"""PLINK filesets: alleles beyond two, phase, copies of X, and files that do not belong together."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cohelix.errors import InputError, ReferenceMismatch
from tests.pgx.test_extraction import HEADER, run, texts, vcf

pytestmark = pytest.mark.external

RECORDS = [
    "chr1 100 C T,A GT 0|1 2|1 0|0 ./.",
    "chr1 200 TG T GT 1|0 0/1 1|1 0/0",
    "chr1 300 G A GT 1|1 0|1 0/0 0/1",
    "chrX 70000000 A G GT 1 0/1 1/1 0/0",
]


@pytest.fixture
def fileset(tmp_path: Path) -> Path:
    """A PGEN of four people, the first a man, the last of unknown sex."""
    vcf(tmp_path / "a.vcf", RECORDS, n=4)
    (tmp_path / "s.tsv").write_text("#IID\tSEX\np0\t1\np1\t2\np2\t2\np3\tNA\n")
    _plink2(tmp_path, "--vcf a.vcf --update-sex s.tsv --split-par hg38 --make-pgen --out p")
    return tmp_path / "p"


def _plink2(folder: Path, arguments: str) -> None:
    subprocess.run(["plink2", *arguments.split()], cwd=folder, check=True, capture_output=True)


def test_alleles_and_phase_of_a_pgen(fileset: Path, tmp_path: Path) -> None:
    found = run(fileset, tmp_path / "w")
    assert texts(found, "TOY") == [
        ["C|T", "A|T", "C|C", "-"],
        ["T|TG", "TG/T", "T|T", "TG/TG"],
        ["A|A", "G|A", "G|G", "G/A"],
    ]
    assert texts(found, "XTOY") == [["G", "A/G", "G|G", "-"]]
    assert found.report["genes"]["XTOY"]["rejected"] == {"sex_unknown": 1}


def test_a_pgen_without_phase_is_unphased_throughout(fileset: Path, tmp_path: Path) -> None:
    _plink2(tmp_path, "--pfile p --make-pgen erase-phase --out q")
    found = run(tmp_path / "q.pgen", tmp_path / "w")
    assert texts(found, "TOY")[1] == ["TG/T", "TG/T", "T/T", "TG/TG"]
    assert (found.genotypes("TOY").phase == 0).all()


def test_files_that_do_not_belong_together_are_refused(fileset: Path, tmp_path: Path) -> None:
    pvar, psam = (fileset.with_suffix(suffix) for suffix in (".pvar", ".psam"))
    rows, people = pvar.read_text(), psam.read_text()
    for changed in (
        rows.rsplit("\n", 2)[0] + "\n",
        rows.replace("\tREF\t", "\tBASES\t"),
        rows.replace("\t300\t", "\tx\t"),
    ):
        pvar.write_text(changed)
        with pytest.raises(InputError):
            run(fileset, tmp_path / "w")
    pvar.write_text(rows)
    psam.write_text(people.rsplit("\n", 2)[0] + "\n")
    with pytest.raises(InputError, match="do not belong together"):
        run(fileset, tmp_path / "w")
    psam.unlink()
    with pytest.raises(InputError, match="psam"):
        run(fileset, tmp_path / "w")
    assert not (tmp_path / "w" / "genotypes").exists()


def test_a_fileset_of_another_build_is_refused(tmp_path: Path) -> None:
    vcf(
        tmp_path / "a.vcf",
        RECORDS[:3],
        n=4,
        header=HEADER.replace("248956422", "249250621").replace("156040895", "155270560"),
    )
    _plink2(tmp_path, "--vcf a.vcf --make-pgen --out p")
    with pytest.raises(ReferenceMismatch, match="GRCh37"):
        run(tmp_path / "p", tmp_path / "w")
