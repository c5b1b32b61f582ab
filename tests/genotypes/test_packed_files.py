"""Packed blocks from files of pgenlib and plink2, from callsets and from 1000 Genomes: equal to the int8 route."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pgenlib
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cohelix.errors import ContractError, InputError
from cohelix.genotypes import plink
from cohelix.genotypes.callset import Callset
from cohelix.genotypes.packed import counting, reader
from cohelix.genotypes.packed.reader import PackedReader
from tests.oracles import packed as plain

SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)


def write(path: Path, rows: np.ndarray) -> Path:
    """A PGEN of int8 rows by pgenlib."""
    writer = pgenlib.PgenWriter(str(path).encode(), rows.shape[1], rows.shape[0], nonref_flags=False)
    writer.append_biallelic_batch(np.ascontiguousarray(rows, np.int8))
    writer.close()
    return path


def decoded(path: Path, n_samples: int, n_variants: int) -> np.ndarray:
    """Genotypes 0 to 3 by pgenlib."""
    with pgenlib.PgenReader(str(path).encode(), raw_sample_ct=n_samples, variant_ct=n_variants) as read:
        out = np.empty((n_variants, n_samples), np.int8)
        read.read_range(0, n_variants, out)
    return out & 3


@contextmanager
def opened(path: Path, n_samples: int, n_variants: int) -> Iterator[PackedReader]:
    with reader.open_pgen_file(path, "the file", n_samples=n_samples, n_variants=n_variants) as read:
        yield read


def lookalikes(rng: np.random.Generator, n_variants: int, n_samples: int) -> np.ndarray:
    """int8 rows of all frequencies, many like the row before or like it turned round."""
    rows = rng.binomial(2, rng.beta(0.2, 0.5, (n_variants, 1)), (n_variants, n_samples)).astype(np.int8)
    rows[rng.random(rows.shape) < 0.01] = -9
    for row in range(1, n_variants):
        turn = rng.random()
        if turn < 0.5:
            base = rows[row - 1]
            rows[row] = base if turn < 0.35 else np.where(base < 0, base, 2 - base)
            rows[row, rng.integers(0, n_samples, 3)] = rng.integers(0, 3, 3)
    return rows


def check(path: Path, expected: np.ndarray, seed: int = 0) -> None:
    """Blocks, counts and tallies, whole and in parts, equal `expected` genotypes 0 to 3."""
    rng, (n_variants, n_samples) = np.random.default_rng(seed), expected.shape
    groups, classes = rng.integers(-1, 3, n_samples), rng.integers(-1, 2, n_variants)
    masks = np.concatenate([counting.masks_of(groups, 3), counting.masks_of(np.zeros(n_samples, int), 1)])
    with opened(path, n_samples, n_variants) as read:
        for low, high in [(0, n_variants), *np.sort(rng.integers(0, n_variants + 1, (4, 2)), axis=1).tolist()]:
            block = read.read(low, high)
            places = np.arange(n_samples)
            shifts = (2 * (places % 32)).astype(np.uint64)
            assert ((block[:, places // 32] >> shifts & np.uint64(3)) == expected[low:high]).all()
            counted = counting.count_rows(read, counting.members_of(masks, n_samples), low, high)
            for value in range(4):
                found = expected[low:high] == value
                for group in range(3):
                    assert (counted[:, group, value] == found[:, groups == group].sum(axis=1)).all()
                assert (counted[:, 3, value] == found.sum(axis=1)).all()
        tally = counting.tally_rows(read, classes, 2)
    for value in range(4):
        assert (tally[0, :, value] == (expected[classes == 0] == value).sum(axis=0)).all()
        assert (tally[1, :, value] == (expected[classes == 1] == value).sum(axis=0)).all()


@SAME_FOLDER
@given(st.one_of(st.integers(1, 80), st.sampled_from([255, 256, 257, 600])), st.integers(1, 60), st.integers(0, 2**32))
def test_files_of_pgenlib(tmp_path: Path, n_samples: int, n_variants: int, seed: int) -> None:
    path = tmp_path / f"{seed}.pgen"
    rows = lookalikes(np.random.default_rng(seed), n_variants, n_samples)
    check(write(path, rows), rows & 3, seed)
    path.unlink()


def test_rows_behind_many_that_differ_from_one(tmp_path: Path) -> None:
    """More rows than one span of the header; each reads alone, however far above lies what it differs from."""
    rng, n_variants = np.random.default_rng(5), (1 << 16) + 300
    rows = np.repeat(rng.integers(0, 3, (1, 64), np.int8), n_variants, axis=0)
    rows[np.arange(n_variants), rng.integers(0, 64, n_variants)] = 1
    with opened(write(tmp_path / "x.pgen", rows), 64, n_variants) as read:
        assert read.index.references[60_000] < 100 and read.index.references[n_variants - 1] == 1 << 16
        for row in (5, 60_000, (1 << 16) - 1, 1 << 16, n_variants - 1):
            assert plain.unpack(read.read(row, row + 1), 64) == rows[row : row + 1].tolist()
        everybody = counting.masks_of(np.zeros(64, int), 1)
        counted = counting.count_rows(read, counting.members_of(everybody, 64), 1000, n_variants)
    assert (counted[:, 0, 1] == (rows[1000:] == 1).sum(axis=1)).all()


@pytest.mark.external
@pytest.mark.parametrize("what", ["alternates", "dosages", "bed"])
@pytest.mark.parametrize("n_samples", [3, 64, 301])
def test_files_of_plink2_with_phase_dosages_and_several_alternates(tmp_path: Path, n_samples: int, what: str) -> None:
    rng, n_variants = np.random.default_rng(n_samples), 150
    names, expected = [f"s{sample}" for sample in range(n_samples)], []
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=1,length=1000000>"]
    for name, number, kind in (("GT", "1", "String"), ("DS", "A", "Float")):
        lines.append(f'##FORMAT=<ID={name},Number={number},Type={kind},Description="{name}">')
    lines.append("\t".join("#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT".split() + names))
    for row in range(n_variants):
        n_alt = 1 + (what == "alternates" and row % 3 == 0)
        pairs = (rng.random((n_samples, 2)) < rng.beta(0.3, 1)) * rng.integers(1, n_alt + 1, (n_samples, 2))
        calls, genotypes = [], (pairs > 0).sum(axis=1)
        genotypes[rng.random(n_samples) < 0.02] = 3
        expected.append(genotypes)
        for (first, second), genotype in zip(pairs.tolist(), genotypes.tolist(), strict=True):
            gt = "./." if genotype == 3 else f"{first}{'|' if rng.random() < 0.7 else '/'}{second}"
            near = min(2, max(0, genotype + rng.uniform(-0.09, 0.09)))
            dosed = genotype < 3 and row % 3 == 0 and rng.random() < 0.5
            calls.append(f"{gt}:{near:.3f}" if dosed else f"{gt}:.")
        lines.append("\t".join(["1", str(row + 1), f"v{row}", "A", ",".join("CG"[:n_alt]), *"...", "GT:DS", *calls]))
    (tmp_path / "in.vcf").write_text("\n".join(lines) + "\n")
    how = {"alternates": ["--make-pgen"], "dosages": ["dosage=DS", "--make-pgen"], "bed": ["--make-bed"]}[what]
    subprocess.run(["plink2", "--vcf", "in.vcf", *how, "--out", "out"], cwd=tmp_path, check=True, capture_output=True)
    path = tmp_path / ("out.bed" if what == "bed" else "out.pgen")
    if what != "bed":
        kinds = {"alternates": 0x18, "dosages": 0x70}[what]
        assert any(kind & kinds for kind in path.read_bytes()[20 : 20 + n_variants])
    check(path, np.array(expected))


@pytest.mark.parametrize("mode", [2, 3, 4])
def test_records_of_equal_size(tmp_path: Path, mode: int) -> None:
    """Storage modes 2, 3 and 4: hard calls, and behind them dosages of two bytes, and their phases."""
    rng = np.random.default_rng(mode)
    rows = rng.integers(0, 4, (9, 37))
    tail = bytes(rng.integers(0, 256, 2 * 37 * (mode - 2), np.uint8))
    head = bytes([0x6C, 0x1B, mode]) + (9).to_bytes(4, "little") + (37).to_bytes(4, "little") + bytes([0x40])
    (tmp_path / "x.pgen").write_bytes(head + b"".join(plain.plain_bytes(row) + tail for row in rows.tolist()))
    with opened(tmp_path / "x.pgen", 37, 9) as read:
        assert plain.unpack(read.read(0, 9), 37) == rows.tolist()


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    rows = lookalikes(np.random.default_rng(1), 50, 40)
    whole = write(tmp_path / "whole.pgen", rows).read_bytes()
    path = tmp_path / "broken.pgen"

    def reads(content: bytes, n_samples: int = 40, n_variants: int = 50) -> None:
        path.write_bytes(content)
        with opened(path, n_samples, n_variants) as read:
            read.read(0, n_variants)

    reads(whole)
    for size in range(len(whole)):
        with pytest.raises(InputError, match="the file"):
            reads(whole[:size])
    for at, byte, message in [
        (0, 0, "does not begin"), (2, 0x11, "storage mode 17"), (2, 0, "storage mode 0"), (11, 0x4F, "form 15"),
        (12, 0xFF, "shorter than"), (19, 0xFF, "beyond its end"),
    ]:  # fmt: skip
        with pytest.raises(InputError, match=message):
            reads(whole[:at] + bytes([byte]) + whole[at + 1 :])
    with pytest.raises(InputError, match="expected 50 variants of 41 samples in the file, found 50 of 40"):
        reads(whole, n_samples=41)
    assert whole[20] & 15 != 2
    with pytest.raises(InputError, match="before the first"):
        reads(whole[:20] + bytes([whole[20] & 0xF0 | 2]) + whole[21:])
    for at in range(12, len(whole)):
        try:
            reads(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        except InputError as error:
            assert "the file" in str(error)


def test_a_file_that_shrinks_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.pgen", lookalikes(np.random.default_rng(1), 3000, 400))
    with opened(path, 400, 3000) as read:
        with path.open("r+b") as handle:
            handle.truncate(path.stat().st_size - 100)
        with pytest.raises(InputError, match="became shorter"):
            read.read(0, 3000)


@pytest.fixture(scope="module")
def thousand(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callset:
    """Chromosome 22 of 1000 Genomes, imported; plink2's PGEN of it lies beside."""
    folder, source = tmp_path_factory.mktemp("kg"), data / "kg_phase3" / "kg23k"
    inputs = ["--bed", f"{source}.bed", "--bim", f"{source}.grch38.bim", "--fam", f"{source}.fam"]
    for make in ("--make-bed", "--make-pgen"):
        subprocess.run(
            ["plink2", *inputs, "--chr", "22", make, "--out", "kg"], cwd=folder, check=True, capture_output=True
        )
    return plink.import_bed(str(folder / "kg"), str(folder / "kg.callset"), build="GRCh38")


@pytest.mark.real
@pytest.mark.external
def test_1000_genomes_in_a_callset(thousand: Callset) -> None:
    rng, n_samples = np.random.default_rng(22), thousand.n_samples
    assert n_samples > 2000 and thousand.n_sites > 300
    for name in ("kg.pgen", "kg.bed"):
        path = Path(thousand.root).parent / name
        check(path, decoded(path, n_samples, thousand.n_sites))
    (shard,) = thousand.shards
    groups = rng.integers(0, 16, n_samples)
    masks = counting.masks_of(groups, 16)
    counted = counting.count_shard(thousand, shard, masks)
    sites = thousand.sites(shard)
    for value, name in enumerate(("n_hom_ref", "n_het", "n_hom_alt")):
        assert (counted[:, :, value].sum(axis=1) == sites.column(name).to_numpy()).all()
    assert (counting.count_shard(thousand, shard, masks, 100, 200) == counted[100:200]).all()
    for first, block in reader.packed_blocks(thousand, shard, 77):
        assert (counting.count_groups(block, masks) == counted[first : first + 77]).all()
    tally = counting.tally_shard(thousand, shard, np.zeros(shard.n_sites, int), 1)[0]
    for value, name in enumerate(("n_hom_ref", "n_het", "n_hom_alt")):
        assert (tally[:, value] == thousand.samples().column(name).to_numpy()).all()
    with pytest.raises(InputError, match="which calls fail adj"), reader.open_packed(thousand, shard, "adj"):
        pass
    with pytest.raises(ContractError, match="classes for"):
        counting.tally_shard(thousand, shard, np.zeros(3, int), 1)
    with pytest.raises(ContractError, match="do not fit"):
        counting.count_shard(thousand, shard, masks[:, 1:])
