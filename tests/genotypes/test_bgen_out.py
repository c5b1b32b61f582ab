"""Callsets as BGEN: read byte by byte as the format says, and by plink2."""

from __future__ import annotations

import sqlite3
import subprocess
from pathlib import Path

import pytest

from cohelix.cli.__main__ import run
from cohelix.errors import ConfigError
from cohelix.genotypes import callset as store
from cohelix.genotypes import plink
from cohelix.genotypes.bgen_out import export_bgen
from cohelix.genotypes.callset import Callset
from cohelix.genotypes.plink_out import export_pgen
from cohelix.genotypes.selection import select
from tests.oracles import bgen
from tests.oracles.genotypes import bed_bytes, copies_of, random_block

N = 23
PAIR = {0: (255, 0), 1: (0, 255), 2: (0, 0), -9: (0, 0)}
SINGLE = {0: (255,), 2: (0,), -9: (0,)}


def made(folder: Path, longest: int = 70_000) -> Callset:
    """Sites of an autosome, X with its pseudo-autosomal region, Y and MT, and one with a long allele."""
    chroms = [("1", 10), ("23", 1_000_000), ("23", 50_000_000), ("24", 20_000_000), ("26", 10)] * 30
    lines = [f"{chrom} v{row} 0 {start + row} C A\n" for row, (chrom, start) in enumerate(chroms)]
    lines[0] = f"1 v0 0 1 {'T' * longest} A\n"
    fam = "".join(f"0 s{row} 0 0 {row % 3} -9\n" for row in range(N))
    (folder / "in.fam").write_text(fam)
    (folder / "in.bim").write_text("".join(lines))
    rows = random_block(3, len(lines), N).tolist()
    (folder / "in.bed").write_bytes(b"\x6c\x1b\x01" + b"".join(map(bed_bytes, rows)))
    return plink.import_bed(str(folder / "in"), str(folder / "x"), build="GRCh38")


def test_every_genotype_is_what_the_callset_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = made(tmp_path)
    monkeypatch.setattr(store, "BLOCK_VALUES", 7 * N)  # blocks and the pieces of threads end at odd rows
    export_bgen(opened, str(tmp_path / "out"), select(opened))
    samples, variants = bgen.read((tmp_path / "out.bgen").read_bytes())
    table = opened.samples()
    assert samples == table.column("sample_id").to_pylist()
    found = iter(variants)
    n_single = 0
    for shard in opened.shards:
        genotypes = store.read_genotypes(opened, shard, 0, shard.n_sites).tolist()
        for site, row in zip(opened.sites(shard).to_pylist(), genotypes, strict=True):
            variant = next(found)
            assert (variant.contig, variant.position) == (site["contig"], site["position"])
            assert variant.alleles == [site["ref"], site["alt"]]
            assert variant.name == (site["id"] if len(site["id"]) < 65_536 else ".")
            for genotype, sex, (ploidy, missing, values) in zip(
                row, table.column("sex").to_pylist(), variant.calls, strict=True
            ):
                copies = copies_of("GRCh38", site["contig"], site["position"], sex)
                assert ploidy == max(copies, 1)
                assert missing == (genotype == -9)
                assert values == (PAIR if ploidy == 2 else SINGLE)[genotype]
                n_single += ploidy == 1
    assert next(found, None) is None and n_single


def test_the_index_leads_to_each_variant(tmp_path: Path) -> None:
    opened = made(tmp_path)
    paths = export_bgen(opened, str(tmp_path / "out"), select(opened))
    _, variants = bgen.read(Path(paths[0]).read_bytes())
    index = sqlite3.connect(paths[1])
    rows = index.execute(
        "SELECT chromosome, position, rsid, number_of_alleles, allele1, allele2, file_start_position, size_in_bytes "
        "FROM Variant ORDER BY file_start_position"
    ).fetchall()
    index.close()
    assert rows == [(one.contig, one.position, one.name, 2, *one.alleles, *one.at) for one in variants]


def test_equal_callsets_give_equal_bytes_and_nothing_is_replaced(tmp_path: Path) -> None:
    opened = made(tmp_path)
    first = [Path(path).read_bytes() for path in export_bgen(opened, str(tmp_path / "one"), select(opened))]
    again = [Path(path).read_bytes() for path in export_bgen(opened, str(tmp_path / "two"), select(opened))]
    assert first == again
    with pytest.raises(ConfigError):
        export_bgen(opened, str(tmp_path / "one"), select(opened))
    assert sorted(path.name for path in tmp_path.glob("one*")) == ["one.bgen", "one.bgen.bgi", "one.sample"]


def test_a_part_is_written_alone(tmp_path: Path) -> None:
    opened = made(tmp_path)
    kept = opened.samples().column("sample_id").to_pylist()[3:9]
    export_bgen(opened, str(tmp_path / "part"), select(opened, region="X", sample_ids=kept))
    samples, variants = bgen.read((tmp_path / "part.bgen").read_bytes())
    assert samples == kept
    assert {one.contig for one in variants} == {"X"} and len(variants) == 60


def test_the_command_goes_by_the_name(tmp_path: Path) -> None:
    made(tmp_path)
    words = ["genotypes", "export", str(tmp_path / "x"), "--region", "MT", "-o", str(tmp_path / "mt.bgen")]
    assert run(words) == 0
    assert len(bgen.read((tmp_path / "mt.bgen").read_bytes())[1]) == 30
    assert (tmp_path / "mt.sample").read_text().count("\n") == N + 2
    assert run(words) == 3
    assert run(["genotypes", "import", str(tmp_path / "mt.bgen"), "-o", str(tmp_path / "y")]) == 3


@pytest.mark.external
def test_plink2_reads_the_same_genotypes(tmp_path: Path) -> None:
    opened = made(tmp_path, 50)
    chosen = select(opened)
    export_bgen(opened, str(tmp_path / "b"), chosen)
    export_pgen(opened, str(tmp_path / "p"), chosen)
    bgen_in = ["--bgen", "b.bgen", "ref-first", "--sample", "b.sample", "--split-par", "hg38"]
    _plink2(tmp_path, [*bgen_in, "--make-pgen", "--out", "z"])
    for name in ("z", "p"):
        _plink2(tmp_path, ["--pfile", name, "--freq", "counts", "--missing", "--geno-counts", "--out", name])
    for kind in ("acount", "vmiss", "gcount"):
        ours, theirs = ((tmp_path / f"{name}.{kind}").read_text() for name in ("z", "p"))
        assert ours == theirs and len(ours.splitlines()) == 151


def _plink2(folder: Path, arguments: list[str]) -> None:
    subprocess.run(
        ["plink2", "--threads", "1", "--memory", "1000", *arguments], cwd=folder, check=True, capture_output=True
    )
