"""Genotypes out of files: VCF, BCF, PLINK filesets and callsets hold the same ones; what is wrong is refused."""

from __future__ import annotations

import errno
import gzip
import os
import pickle
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cohelix.errors import ConfigError, InputError, ReferenceMismatch
from cohelix.genotypes.vcf import import_vcf
from cohelix.pgx.definition import Gene, NamedAllele, Position
from cohelix.pgx.extraction.run import Extracted, extract
from cohelix.pgx.genotype import ABSENT, MISSING, NO_CALL, PHASED, UNPHASED
from cohelix.pgx.schema import CallParams
from cohelix.runtime.local import LocalRuntime
from tests.pgx import pharmcat

HEADER = (
    "##fileformat=VCFv4.2\n##contig=<ID=chr1,length=248956422>\n##contig=<ID=chrX,length=156040895>\n"
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="G">\n'
)
AD = '##FORMAT=<ID=AD,Number=R,Type=Integer,Description="D">\n'


def made(symbol: str, contig: str, ploidy: str, *places: tuple[int, str, str]) -> Gene:
    positions = tuple(Position(contig, at, "", ref, tuple(alts.split(",")), ()) for at, ref, alts in places)
    reference = NamedAllele("*1", "", True, tuple(place.ref for place in positions), len(places), ())
    return Gene(symbol, contig, ploidy, "standard", positions, (reference,), False, "toy", "1")


GENES = {
    "TOY": made("TOY", "chr1", "autosome", (100, "C", "T,A"), (200, "TG", "T"), (300, "G", "A")),
    "XTOY": made("XTOY", "chrX", "X", (70_000_000, "A", "G")),
}


DEFAULT = CallParams()


def vcf(path: Path, records: list[str], n: int = 3, more: str = "", header: str = HEADER) -> Path:
    """A VCF of blank-separated records: contig, position, REF, ALT, FORMAT, columns."""
    lines = []
    for record in records:
        contig, position, ref, alt, form, *columns = record.split()
        lines.append("\t".join([contig, position, ".", ref, alt, ".", ".", ".", form, *columns]))
    ids = "\t".join(f"p{at}" for at in range(n))
    columns_line = f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{ids}\n"
    path.write_text(header + more + columns_line + "".join(line + "\n" for line in lines))
    return path


def run(
    target: object, work: Path, genes: dict[str, Gene] = GENES, params: CallParams = DEFAULT, **more: Any
) -> Extracted:
    return extract(str(target), genes, work, params, LocalRuntime(1), **more)


def texts(extracted: Extracted, symbol: str) -> list[list[str]]:
    """Genotypes of a gene by site and person, as texts such as C|T, C/., G (one copy) and "-" (missing)."""
    found = extracted.genotypes(symbol)
    phase = np.broadcast_to(found.phase, found.codes.shape)
    rows = []
    for site, codes in enumerate(found.codes):
        row = []
        for code, own in zip(codes.tolist(), phase[site].tolist(), strict=True):
            names = [
                "." if one == MISSING else "" if one == ABSENT else found.alleles[site][one]
                for one in (code & 15, code >> 4)
                if one != 13
            ]
            row.append(
                "-"
                if code == NO_CALL
                else names[0]
                if names[1] == ""
                else ("/" if own == UNPHASED else "|").join(names) + (f"@{own}" if own > 1 else "")
            )
        rows.append(row)
    return rows


def test_genotypes_of_a_vcf(tmp_path: Path) -> None:
    file = vcf(
        tmp_path / "a.vcf",
        ["chr1 50 G A GT 1/1 1/1 1/1", "chr1 100 C T,G GT:PS 0|1:5 2/0:. ./.:.", "chr1 200 T C GT 0/1 0/1 0/1",
         "chr1 200 TGA TA GT 0/1 0|0 1|1",
         "chr1 300 G A GT:PS 0|1:9 .|1 0/.", "chrX 70000000 A G GT 0 1 0/1"],
    )  # fmt: skip
    found = run(file, tmp_path)
    assert texts(found, "TOY") == [["C|T@2", "G/C", "-"], ["TG/T", "TG|TG", "T|T"], ["G|A@3", ".|A", "-"]]
    assert texts(found, "XTOY") == [["A", "G", "A/G"]]
    assert found.genotypes("TOY").alleles[0] == ("C", "T", "A", "G")
    assert found.samples().to_pylist() == ["p0", "p1", "p2"]
    report = found.report["genes"]["TOY"]
    assert report["rejected"] == {"half_call_of_reference": 1}
    assert report["other_event"] == [200]
    assert report["no_record"] == report["ref_mismatch"] == []


def test_a_task_can_take_it_along_and_read_some_people(tmp_path: Path) -> None:
    file = vcf(tmp_path / "a.vcf", ["chr1 100 C T GT 0|1 0/0 1/1", "chr1 200 TG T GT 0|1 0|0 1|0"])
    found = run(file, tmp_path)
    again = pickle.loads(pickle.dumps(found))  # noqa: S301  # our own
    whole, part = found.genotypes("TOY"), again.genotypes("TOY", 1, 3)
    assert np.array_equal(whole.people(1, 3).codes, part.codes)
    assert np.array_equal(whole.people(1, 3).phase, part.phase)
    assert (whole.codes[2] == NO_CALL).all()
    assert len(pickle.dumps(found)) < 20_000


def test_without_chr_and_in_another_order_of_columns(tmp_path: Path) -> None:
    with_chr = vcf(tmp_path / "a.vcf", ["chr1 100 C T GT:AD 0/1:3,4 0/0:9,0 1/1:0,9"], more=AD)
    without = vcf(
        tmp_path / "b.vcf",
        ["1 100 C T AD:GT 3,4:0/1 9,0:0/0 0,9:1/1", "1 100 C T GT 0/1 0/0 1/1"],
        header=HEADER.replace("chr", ""),
    )
    assert texts(run(with_chr, tmp_path / "a"), "TOY") == texts(run(without, tmp_path / "b"), "TOY")


def test_depths_of_one_allele_only(tmp_path: Path) -> None:
    records = ["chr1 100 C T GT:AD 0/1:9,0 0/1:9,. 0/1:9,1"]
    said = vcf(tmp_path / "a.vcf", records, more=AD)
    assert texts(run(said, tmp_path / "a"), "TOY")[0] == ["-", "C/T", "C/T"]
    assert run(said, tmp_path / "a").report["genes"]["TOY"]["rejected"] == {"depth_of_one_allele": 1}
    assert texts(run(said, tmp_path / "b", params=CallParams(check_depths=False)), "TOY")[0] == ["C/T"] * 3
    listed = vcf(tmp_path / "b.vcf", records, more=AD.replace("Number=R", "Number=."))
    assert texts(run(listed, tmp_path / "c"), "TOY")[0] == ["C/T"] * 3


def test_rows_of_one_locus_are_merged_and_of_a_position_twice_the_first_is_read(tmp_path: Path) -> None:
    split = vcf(tmp_path / "a.vcf", ["chr1 100 C T GT 0|1 1|0 1/.", "chr1 100 C A GT 1|0 0|0 ./1"])
    assert texts(run(split, tmp_path / "a"), "TOY")[0] == ["A|T", "T|C", "T/A"]
    halves = vcf(tmp_path / "d.vcf", ["chr1 100 C T GT ./0 0/. 1/.", "chr1 100 C A GT ./1 0/. ./."])
    assert texts(run(halves, tmp_path / "d"), "TOY")[0] == ["A/.", "-", "-"]
    exclusive = vcf(tmp_path / "c.vcf", ["chr1 100 C T GT 0|1 1/1 0/0", "chr1 100 C A GT 0|1 0/1 ./."])
    found = run(exclusive, tmp_path / "c")
    assert texts(found, "TOY")[0] == ["-", "-", "-"]
    assert found.report["genes"]["TOY"]["rejected"] == {"rows_in_conflict": 2}
    twice = vcf(tmp_path / "b.vcf", ["chr1 100 C T,A GT 0/1 ./. 0/0", "chr1 100 C T GT 1/1 1/1 ./."])
    found = run(twice, tmp_path / "b")
    assert texts(found, "TOY")[0] == ["C/T", "T/T", "C/C"]
    assert found.report["genes"]["TOY"]["position_twice"] == [100]
    assert found.report["genes"]["TOY"]["rejected"] == {"position_twice": 1}


def test_alleles_that_cannot_be_used_matter_to_those_who_have_them(tmp_path: Path) -> None:
    file = vcf(tmp_path / "a.vcf", ["chr1 100 C T,*,<DEL> GT 0/1 1/2 0/3", "chr1 300 G A,N GT 0/0/1 0/2 1/1"])
    found = run(file, tmp_path)
    assert texts(found, "TOY")[0] == ["C/T", "-", "-"]
    assert texts(found, "TOY")[2] == ["G/G", "-", "A/A"]
    assert found.report["genes"]["TOY"]["rejected"] == {"symbolic_allele": 3, "more_than_two_alleles": 1}


def test_more_alleles_than_there_are_codes(tmp_path: Path) -> None:
    alts = [f"T{'A' * length}" for length in range(1, 16)]
    file = vcf(tmp_path / "a.vcf", [f"chr1 200 TG {','.join(alts)} GT 1/15 0/9 10/10"])
    found = run(file, tmp_path).genotypes("TOY")
    assert len(found.alleles[1]) == 12
    assert [(code & 15, code >> 4) for code in found.codes[1].tolist()] == [(2, 12), (0, 10), (11, 11)]


def test_sexes_say_how_many_copies_of_x_there_are(tmp_path: Path) -> None:
    file = vcf(tmp_path / "a.vcf", ["chrX 70000000 A G GT 1/1 0/1 0/1"])
    table = tmp_path / "sexes.tsv"
    table.write_text("sample_id\tsex\np0\tmale\np1\tmale\np2\tfemale\n")
    assert texts(run(file, tmp_path / "a"), "XTOY") == [["G/G", "A/G", "A/G"]]
    found = run(file, tmp_path / "b", sexes=str(table))
    assert texts(found, "XTOY") == [["G", "-", "A/G"]]
    assert found.report["genes"]["XTOY"]["rejected"] == {"heterozygous_one_copy": 1}


def test_half_a_genotype_on_x_is_half_of_two_copies(tmp_path: Path) -> None:
    """It stops the call of the gene, REF seen or not, but of a man, whose one copy it is."""
    file = vcf(tmp_path / "a.vcf", ["chrX 70000000 A G GT 1/. .|0 ./1"])
    table = tmp_path / "sexes.tsv"
    table.write_text("sample_id\tsex\np0\tmale\np1\tmale\np2\tfemale\n")
    assert texts(run(file, tmp_path / "a"), "XTOY") == [["G/.", ".|A", "./G"]]
    assert texts(run(file, tmp_path / "b", sexes=str(table)), "XTOY") == [["G", "A", "./G"]]


def test_a_second_run_takes_what_the_first_made_and_another_file_is_read_anew(tmp_path: Path) -> None:
    file = vcf(tmp_path / "a.vcf", ["chr1 100 C T GT 0/1 0/0 1/1"])
    run(file, tmp_path)
    codes = tmp_path / "genotypes" / "codes-000.npy"
    made_at = codes.stat().st_mtime_ns
    assert run(file, tmp_path) == run(file, tmp_path)
    assert codes.stat().st_mtime_ns == made_at
    vcf(file, ["chr1 100 C T GT 1/1 0/0 1/1"])
    assert texts(run(file, tmp_path), "TOY")[0] == ["T/T", "C/C", "T/T"]


WRONG = {
    "genotype": (["chr1 100 C T GT 0/1 0/x 0/0"], InputError, "sample column 2"),
    "allele": (["chr1 100 C T GT 0/1 0/2 0/0"], InputError, "sample column 2"),
    "fewer": (["chr1 100 C T GT 0/1 0/0"], InputError, "sample column 3"),
    "more": (["chr1 100 C T GT 0/1 0/0 0/0 0/0"], InputError, "sample column 4"),
    "columns": (["chr1 100 C T GT"], InputError, "found fewer"),
    "position": (["chr1 x C T GT 0/0 0/0 0/0"], InputError, "position"),
}


@pytest.mark.parametrize("wrong", sorted(WRONG))
def test_damaged_records_are_refused_without_a_name(tmp_path: Path, wrong: str) -> None:
    records, kind, words = WRONG[wrong]
    with pytest.raises(kind, match=words) as raised:
        run(vcf(tmp_path / "NA12878.vcf", records), tmp_path / "work")
    assert "NA12878" not in str(raised.value)
    assert "p1" not in str(raised.value)
    assert not (tmp_path / "work" / "genotypes").exists()


def test_files_that_are_no_genotypes_are_refused(tmp_path: Path) -> None:
    whole = vcf(tmp_path / "a.vcf", ["chr1 100 C T GT 0/1 0/0 1/1"])
    for content in (b"", b"nothing\n", whole.read_bytes().split(b"#CHROM")[0], whole.read_bytes()[:-5]):
        (tmp_path / "b.vcf").write_bytes(content)
        with pytest.raises(InputError):
            run(tmp_path / "b.vcf", tmp_path)
    (tmp_path / "c.vcf.gz").write_bytes(gzip.compress(whole.read_bytes())[:-20])
    with pytest.raises(InputError, match=r"cut off|damaged"):
        run(tmp_path / "c.vcf.gz", tmp_path)
    twice = tmp_path / "d.vcf"
    twice.write_text(whole.read_text().replace("\tp1\t", "\tp0\t"))
    with pytest.raises(InputError, match="sample column 2"):
        run(twice, tmp_path)
    with pytest.raises(InputError, match="callset"):
        run(tmp_path / "nowhere", tmp_path)


def test_a_full_disk_is_said_before_anything_is_written_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(ConfigError, match=r"found none \(No space left on device\)"):
        run(vcf(tmp_path / "a.vcf", ["chr1 300 G A GT 0/1 0/0 1/1"]), tmp_path / "work")
    assert not list((tmp_path / "work").glob("**/*.npy"))


def test_genotypes_of_another_build_are_refused(tmp_path: Path) -> None:
    older = HEADER.replace("248956422", "249250621").replace("156040895", "155270560")
    with pytest.raises(ReferenceMismatch, match="GRCh37"):
        run(vcf(tmp_path / "a.vcf", ["chr1 100 C T GT 0/1 0/0 1/1"], header=older), tmp_path)
    many = {"TOY": made("TOY", "chr1", "autosome", *((100 + at, "C", "T") for at in range(20)))}
    others = [f"chr1 {100 + at} {'G' if at < 12 else 'C'} A GT 0/1 0/0 1/1" for at in range(20)]
    with pytest.raises(ReferenceMismatch, match="12 of 20"):
        run(vcf(tmp_path / "b.vcf", others), tmp_path, many)
    with pytest.raises(ReferenceMismatch, match="1 of 1"):
        run(vcf(tmp_path / "d.vcf", others[:1]), tmp_path, many)
    with pytest.raises(InputError, match="found none at any"):
        run(vcf(tmp_path / "e.vcf", ["chr1 7 C T GT 0/1 0/0 1/1"]), tmp_path, many)
    few = run(vcf(tmp_path / "c.vcf", others[8:]), tmp_path, many)
    assert few.report["genes"]["TOY"]["ref_mismatch"] == [108, 109, 110, 111]
    assert [row[0] for row in texts(few, "TOY")[8:13]] == ["-"] * 4 + ["C/A"]


@pytest.mark.real
def test_cases_are_read_as_a_plain_reader_reads_them(tmp_path: Path, data: Path) -> None:
    genes = {
        symbol: pharmcat.gene(data / "pgx" / "definitions" / f"{symbol}_translation.json") for symbol in pharmcat.GENES
    }
    files = sorted((data / "pgx" / "cases" / "vcf").glob("*.vcf"))
    assert len(files) == 142
    for file in files:
        contigs = {line.split("\t", 1)[0] for line in file.read_text().splitlines() if line[:1] != "#"}
        here = {symbol: gene for symbol, gene in genes.items() if gene.contig in contigs}
        if all((pharmcat.genotypes(file, gene).codes == NO_CALL).all() for gene in here.values()):
            with pytest.raises(InputError, match="found none at any"):  # of a case with a definition of its own
                run(file, tmp_path / file.stem, here)
            continue
        found = run(file, tmp_path / file.stem, here)
        for symbol, gene in here.items():
            ours, plain = found.genotypes(symbol), pharmcat.genotypes(file, gene)
            called = plain.codes != NO_CALL
            assert [_pair(ours, site) for site in range(len(called))] == [
                _pair(plain, site) for site in range(len(called))
            ], (file.name, symbol)
            phase = np.broadcast_to(ours.phase, ours.codes.shape)
            assert phase[called].tolist() == plain.phase[called].tolist(), (file.name, symbol)
        shutil.rmtree(tmp_path / file.stem)


def _pair(found: Any, site: int) -> tuple[str, str]:
    names = [*found.alleles[site], *[f"#{at}" for at in range(len(found.alleles[site]), 16)]]
    code = int(found.codes[site, 0])
    return names[code & 15] if code & 15 < 12 else f"#{code & 15}", names[
        code >> 4
    ] if code >> 4 < 12 else f"#{code >> 4}"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory, data: Path) -> tuple[Path, dict[str, Gene]]:
    """The first 300 people of 1000 Genomes at the positions of the definitions, phased, as `k.vcf.gz`."""
    folder = tmp_path_factory.mktemp("cohort")
    sexes = ["#IID\tSEX"]
    with gzip.open(data / "pgx" / "kg1k" / "kg3202.pgx.phased.vcf.gz", "rt") as source:
        lines = [
            line if line.startswith("##") else "\t".join(line.rstrip("\n").split("\t")[:309]) + "\n" for line in source
        ]
    header = next(line for line in lines if line.startswith("#CHROM")).split()
    on_x = next(line for line in lines if line.startswith("chrX")).split()
    sexes += [f"{name}\t{1 if len(call) == 1 else 2}" for name, call in zip(header[9:], on_x[9:], strict=True)]
    (folder / "sexes.tsv").write_text("\n".join(sexes) + "\n")
    (folder / "plain.vcf").write_text("".join(lines))
    genes = {
        symbol: pharmcat.gene(data / "pgx" / "definitions" / f"{symbol}_translation.json") for symbol in pharmcat.GENES
    }
    return folder, genes


def _shell(folder: Path, command: str) -> None:
    subprocess.run(command, shell=True, cwd=folder, check=True, capture_output=True)


def _unordered(codes: np.ndarray) -> np.ndarray:
    low, high = codes & 15, codes >> 4
    return np.where(high == ABSENT, codes, np.minimum(low, high) | np.maximum(low, high) << 4)


@pytest.mark.real
@pytest.mark.external
def test_every_format_holds_the_same_genotypes(tmp_path: Path, cohort: tuple[Path, dict[str, Gene]]) -> None:
    folder, genes = cohort
    _shell(folder, "bcftools view -Oz -o i.vcf.gz plain.vcf && bcftools index -t i.vcf.gz")
    _shell(
        folder, "bcftools view -Ob -o n.bcf plain.vcf && bcftools view -Ob -o i.bcf plain.vcf && bcftools index i.bcf"
    )
    _shell(folder, "bcftools norm -m -any -Ov -o split.vcf plain.vcf")
    _shell(folder, "plink2 --vcf plain.vcf --update-sex sexes.tsv --split-par hg38 --make-pgen --out p")
    _shell(folder, "plink2 --pfile p --make-pgen vzs --out z")
    wanted = run(folder / "plain.vcf", tmp_path / "plain", genes)
    for name in ("i.vcf.gz", "n.bcf", "i.bcf", "split.vcf", "p", "p.pgen", "z"):
        found = run(folder / name, tmp_path / f"{name}.work", genes)
        assert found.samples() == wanted.samples()
        assert found.digests == wanted.digests
        for symbol in genes:
            ours, theirs = found.genotypes(symbol), wanted.genotypes(symbol)
            assert np.array_equal(ours.codes, theirs.codes), (name, symbol)
            assert ours.alleles == theirs.alleles
            called = ours.codes != NO_CALL
            phases = [np.broadcast_to(one.phase, one.codes.shape)[called] for one in (ours, theirs)]
            assert np.array_equal(*phases), (name, symbol)
            assert (phases[0] == PHASED).all()


@pytest.mark.real
@pytest.mark.external
def test_bed_and_an_imported_callset_hold_them_without_phase(
    tmp_path: Path, cohort: tuple[Path, dict[str, Gene]]
) -> None:
    folder, genes = cohort
    _shell(folder, "bcftools norm -m -any -Ov -o s.vcf plain.vcf")
    _shell(folder, "plink2 --vcf s.vcf --update-sex sexes.tsv --split-par hg38 --make-bed --out b")
    sexes = dict(line.split("\t") for line in (folder / "sexes.tsv").read_text().splitlines()[1:])
    import_vcf(
        str(folder / "s.vcf"),
        str(folder / "set"),
        build="GRCh38",
        sexes={name: {"1": "male", "2": "female"}[sex] for name, sex in sexes.items()},
    )
    wanted = run(folder / "plain.vcf", tmp_path / "plain", genes)
    for name in ("b", "b.bed", "set"):
        found = run(folder / name, tmp_path / f"{name}.work", genes)
        order = [wanted.samples().to_pylist().index(one) for one in found.samples().to_pylist()]
        for symbol in genes:
            ours, theirs = found.genotypes(symbol), wanted.genotypes(symbol)
            assert np.array_equal(_unordered(ours.codes), _unordered(theirs.codes[:, order])), (name, symbol)
            two = (ours.codes != NO_CALL) & (ours.codes >> 4 != ABSENT)
            assert (np.broadcast_to(ours.phase, ours.codes.shape)[two] == UNPHASED).all()


@pytest.mark.real
@pytest.mark.external
def test_without_a_sex_nothing_is_said_about_x(tmp_path: Path, cohort: tuple[Path, dict[str, Gene]]) -> None:
    folder, genes = cohort
    _shell(folder, "plink2 --vcf plain.vcf --update-sex sexes.tsv --split-par hg38 --make-pgen --out u")
    psam = (folder / "u.psam").read_text().splitlines()
    hidden = [
        line.rsplit("\t", 1)[0] + ("\tNA" if at % 3 == 0 else "\t" + line.rsplit("\t", 1)[1])
        for at, line in enumerate(psam[1:])
    ]
    (folder / "u.psam").write_text("\n".join([psam[0], *hidden]) + "\n")
    one = {"G6PD": genes["G6PD"]}
    found, wanted = run(folder / "u", tmp_path / "u", one), run(folder / "plain.vcf", tmp_path / "plain", one)
    ours, theirs = found.genotypes("G6PD"), wanted.genotypes("G6PD").codes
    assert (ours.codes[:, ::3] == NO_CALL).all()
    assert np.array_equal(np.delete(ours.codes, np.s_[::3], 1), np.delete(theirs, np.s_[::3], 1))
    assert ours.rejected == {"sex_unknown": 100 * len(theirs)}
