"""What is no array VCF, or not the same array, is refused by number and place, without a name of anybody."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pysam
import pytest

from cohelix.errors import CohelixError, ConfigError, InputError, ReferenceMismatch
from cohelix.genotypes.callset import open_callset
from cohelix.qc.arrays.run import qc_arrays
from cohelix.qc.schema import ArrayQcParams
from cohelix.runtime.protocol import open_runtime

LENGTHS = {"GRCh37": 249250621, "GRCh38": 248956422}
SECRET = "PERSON7"


def _vcf(
    ids: tuple[str, ...] = (SECRET, "OTHER"), build: str = "GRCh38", form: str = "GT:BAF:IGC:LRR", rows: int = 40
) -> str:
    head = ["##fileformat=VCFv4.2", f"##contig=<ID=chr1,length={LENGTHS[build]}>"]
    head.append("\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *ids]))
    info = "ALLELE_A=A*;ALLELE_B=G;GC_SCORE=0.8;N_AA=50;N_AB=40;N_BB=10"
    values = {"GT": "0/1", "BAF": "0.5", "IGC": "0.8", "LRR": "0.01", "X": "100"}
    call = ":".join(values[name] for name in form.split(":"))
    return "\n".join(
        head + ["\t".join(["chr1", str(1000 + 10 * k), f"m{k}", "A", "G", ".", ".", info, form, *[call] * len(ids)])
                for k in range(rows)]
    ) + "\n"  # fmt: skip


def _write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    data = text.encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return str(path)


def _run(folder: Path, *paths: str, **options: Any) -> list[dict[str, Any]]:
    qc_arrays(
        paths, str(folder / "qc"), ArrayQcParams(), open_runtime("local", cores=1),
        **({"gates": "aou-v8", "callset": str(folder / "x.callset")} | options),
    )  # fmt: skip
    return list(pq.read_table(folder / "qc" / "array_metrics.parquet").to_pylist())


def _refused(folder: Path, error: type[CohelixError], *paths: str, **options: Any) -> str:
    """The message; nothing is left behind."""
    before = sorted(folder.rglob("*"))
    with pytest.raises(error) as caught:
        _run(folder, *paths, **options)
    assert sorted(folder.rglob("*")) == before
    message = str(caught.value)
    assert SECRET not in message
    assert "secret" not in message
    return message


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace("\tGT:BAF", "\tBAF"), "expected GT first in FORMAT of record 1"),
        (lambda text: text.replace("0/1", "0/x", 1), "something else in sample column 1"),
        (lambda text: text.replace("\n", "").replace("##", ""), "expected a VCF header"),
        (lambda text: text[:-20], "it was cut off"),
        (lambda text: text.replace("chr1\t1010", "chr9\t1010"), "expected a contig of the header in record 2"),
        (lambda text: text.replace("chr1\t1010", "chr1\tfar"), "expected a position in record 2"),
        (lambda text: text.replace("\tOTHER", f"\t{SECRET}"), "sample column 2 of the VCF header a second time"),
        (lambda text: "\n".join(line.rsplit("\t", 3)[0] for line in text.split("\n")), "a VCF of sites only"),
        (lambda text: "", "expected a VCF header"),
    ],
)
def test_a_file_that_is_no_array_vcf(tmp_path: Path, change: Any, says: str) -> None:
    path = _write(tmp_path, "secret.vcf", change(_vcf()))
    message = _refused(tmp_path, InputError, path)
    assert says in message
    assert message.startswith("input 1: ")


@pytest.mark.parametrize("cut", [40, 400])
def test_a_truncated_gzip(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "secret.vcf.gz"
    path.write_bytes(gzip.compress(_vcf(rows=2_000).encode())[:-cut])
    assert "cut off" in _refused(tmp_path, InputError, str(path))
    blocks = tmp_path / "blocks.vcf.gz"
    with pysam.BGZFile(str(blocks), "wb") as handle:
        handle.write(_vcf().encode())
    blocks.write_bytes(blocks.read_bytes()[:-cut])
    assert "cut off" in _refused(tmp_path, InputError, str(blocks))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    good = _write(tmp_path, "good.vcf", _vcf())
    assert "as input 2" in _refused(tmp_path, InputError, good, str(tmp_path / "secret.vcf"))


def test_builds_are_not_mixed(tmp_path: Path) -> None:
    one, other = (_write(tmp_path, f"{b}.vcf", _vcf((b,), build=b)) for b in ("GRCh37", "GRCh38"))
    assert "GRCh37 (input 1) and GRCh38 (input 2)" in _refused(tmp_path, ReferenceMismatch, one, other)


def test_a_sample_is_there_once(tmp_path: Path) -> None:
    one, other = _write(tmp_path, "a.vcf", _vcf()), _write(tmp_path, "b.vcf", _vcf(("FIRST", SECRET)))
    assert "sample 2 of input 2 as sample 1 of input 1" in _refused(tmp_path, InputError, one, other)


def test_a_fasta_of_another_build(tmp_path: Path) -> None:
    fasta = tmp_path / "other.fa"
    fasta.write_text(">chr1\n" + "C" * 2_000 + "\n")
    pysam.faidx(str(fasta))
    message = _refused(tmp_path, ReferenceMismatch, _write(tmp_path, "a.vcf", _vcf()), reference=str(fasta))
    assert "found others at 40 of 40 markers" in message
    fasta.write_text(">other\n" + "C" * 2_000 + "\n")
    pysam.faidx(str(fasta))
    assert "none of the contigs" in _refused(tmp_path, ReferenceMismatch, str(tmp_path / "a.vcf"), reference=str(fasta))
    assert "an index" in _refused(tmp_path, InputError, str(tmp_path / "a.vcf"), reference=str(tmp_path / "a.vcf"))


def test_tables_of_contamination_alone_and_of_other_samples(tmp_path: Path) -> None:
    table = _write(tmp_path, "verify.txt", "ID\t%Mix\tLLK\n---\n0\t0.2\t1\n1\tmuch\t1\n")
    assert "tables only" in _refused(tmp_path, InputError, table)
    arrays = _write(tmp_path, "a.vcf", _vcf(form="GT"))
    assert "expected a number on line 4" in _refused(tmp_path, InputError, arrays, table)
    three = _write(tmp_path, "three.txt", "ID\t%Mix\tLLK\n---\n0\t0.2\t1\n1\t0\t1\n2\t0\t1\n")
    assert "its table has 3 of them, and the arrays 2" in _refused(tmp_path, ConfigError, arrays, three)
    right = _write(tmp_path, "two.txt", "ID\t%Mix\tLLK\n---\n0\t0.2\t1\n1\t0.01\t1\n")
    found = {row["sample_id"]: row["array_contamination"] for row in _run(tmp_path, arrays, right)}
    assert found == {SECRET: 0.2, "OTHER": 0.01}


def test_a_callset_that_is_there_is_kept(tmp_path: Path) -> None:
    arrays = _write(tmp_path, "a.vcf", _vcf())
    _run(tmp_path, arrays)
    (tmp_path / "again").mkdir()
    with pytest.raises(ConfigError, match="holds a callset already"):
        qc_arrays(
            [arrays], str(tmp_path / "again" / "qc"), ArrayQcParams(), open_runtime("local", cores=1),
            callset=str(tmp_path / "x.callset"), gates="aou-v8",
        )  # fmt: skip
    assert open_callset(str(tmp_path / "x.callset")).n_sites == 40


@pytest.mark.parametrize("form", ["GT", "GT:X", "GT:LRR", "GT:IGC"])
def test_fields_that_are_absent_are_not_known(tmp_path: Path, form: str) -> None:
    """No GenCall, no intensities: the rest is measured, and what is not known is null in no hidden way."""
    for row in _run(tmp_path, _write(tmp_path, "a.vcf", _vcf(form=form))):
        assert row["array_call_rate"] == 1.0
        assert row["het_rate"] == 1.0
        assert (row["mean_gencall"] == pytest.approx(0.8)) == (form == "GT:IGC")
        assert (row["lrr_deviation"] == pytest.approx(0.0, abs=1e-6)) == (form == "GT:LRR")
        assert row["contamination_source"] is None
        assert row["sex_inferred"] == "unknown"
        assert row["karyotype"] is None and row["sex_concordant"] is None  # nobody stated one, and nothing shows it


@pytest.mark.parametrize(
    "choice",
    [{"flipped": "turn"}, {"x_lrr": [0.2, -0.2]}, {"x_f": [0.5]}, {"min_hwe_p": 2.0}, {"duplicate_concordance": 0.2}],
)
def test_choices_that_cannot_be_meant(choice: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(choice))):
        ArrayQcParams(**choice)


def test_one_sample_and_a_site_nobody_is_called_at(tmp_path: Path) -> None:
    text = _vcf((SECRET,)).replace("chr1\t1010\tm1\tA\tG\t.\t.", "chr1\t1010\tm1\tA\t.\t.\t.").replace("0/1", "./.", 1)
    (row,) = _run(tmp_path, _write(tmp_path, "a.vcf", text.replace("ALLELE_B=G", "ALLELE_B=.", 2)))
    assert row["n_called"] == 39 - 1
    assert row["het_outlier"] is None


def test_places_that_cannot_hold_what_is_written(tmp_path: Path) -> None:
    one = _write(tmp_path, "one.vcf", _vcf())
    for callset in ("qc", "qc/x.callset"):
        message = _refused(tmp_path, ConfigError, one, callset=str(tmp_path / callset))
        assert "outside of the folder" in message
    (tmp_path / "other" / "_commit").mkdir(parents=True)
    assert "within" in _refused(tmp_path, ConfigError, one, callset=str(tmp_path / "other" / "x.callset"))


def test_what_is_not_known_is_null(tmp_path: Path) -> None:
    _run(tmp_path, _write(tmp_path, "a.vcf", _vcf(form="GT")))
    for name in ("array_metrics.parquet", "marker_metrics.parquet"):
        table = pq.read_table(tmp_path / "qc" / name)
        floats = [table.column(field.name).to_pylist() for field in table.schema if field.type == "double"]
        assert any(None in values for values in floats)
        assert all(value is None or value == value for values in floats for value in values)
