"""Shards: what is written is what is read, byte for byte the same every time."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cohelix import dataset, storage
from cohelix.dataset import Writer
from cohelix.errors import ContractError, InputError
from cohelix.genome import Contig
from cohelix.genotypes import callset, schema
from tests.oracles.genotypes import random_block

SAMPLES = [f"s{i}" for i in range(9)]
SEXES = ["male", "female", "unknown"] * 3


def sites_of(positions: list[int], contig: str = "chrX") -> pa.Table:
    zeros = {c.name: np.zeros(len(positions), np.int64) for c in schema.SITES if c.type == pa.int64()}
    return pa.table(
        {
            "contig": [contig] * len(positions),
            "position": pa.array(positions, pa.int32()),
            "ref": ["A"] * len(positions),
            "alt": ["C"] * len(positions),
            "id": [f"{contig}:{position}:A:C" for position in positions],
            "kind": ["snp"] * len(positions),
        }
        | {name: pa.array(values) for name, values in zeros.items()}
    )


def samples_table() -> pa.Table:
    zeros = {c.name: pa.array(np.zeros(len(SAMPLES), np.int64)) for c in schema.SAMPLES if c.type == pa.int64()}
    return pa.table({"sample_id": SAMPLES, "sex": SEXES} | zeros)


def write(root: str, block: np.ndarray, positions: list[int], cuts: list[int], **more: Any) -> callset.Callset:
    writer = Writer(root, callset.KIND, "run")
    shard, files = callset.write_shard(
        writer, name="chrX-0", contig="chrX", start=0, end=200_000_000, build="GRCh38", sites=sites_of(positions),
        blocks=np.split(block, cuts), sample_ids=SAMPLES, sexes=SEXES, **more,
    )  # fmt: skip
    return callset.commit_callset(
        writer, build="GRCh38", contigs=[Contig("chrX", 156040895)], shards=[shard],
        samples=callset.write_samples(writer, samples_table()), n_samples=len(SAMPLES), files=files,
        alleles="trimmed", params={}, after=0,
    )  # fmt: skip


@pytest.fixture(params=["local", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "x.callset") if request.param == "local" else f"memory://{uuid.uuid4().hex}/x.callset"


def test_what_is_written_is_read(place: str) -> None:
    block = random_block(1, 40, 9)
    write(place, block, list(range(10, 50)), [7])
    opened = callset.open_callset(place)
    (shard,) = opened.shards
    assert np.array_equal(callset.read_genotypes(opened, shard, 0, 40), block)
    assert np.array_equal(callset.read_genotypes(opened, shard, 3, 9), block[3:9])
    assert callset.read_genotypes(opened, shard, 5, 5).shape == (0, 9)
    blocks = dict(callset.read_blocks(opened, shard, block_rows=16))
    assert list(blocks) == [0, 16, 32]
    assert np.array_equal(np.concatenate(list(blocks.values())), block)
    assert opened.samples().column("sample_id").to_pylist() == SAMPLES
    assert opened.sites(shard).column("position").to_pylist() == list(range(10, 50))
    assert opened.partial(shard) is None
    assert (opened.n_sites, opened.n_samples) == (40, 9)
    dataset.verify(place, opened.commit)


@pytest.mark.parametrize("cuts", [[], [1], [13, 20, 39], list(range(1, 40))])
def test_bytes_do_not_depend_on_how_blocks_are_cut(tmp_path: Path, cuts: list[int]) -> None:
    block, positions = random_block(2, 40, 9), list(range(10, 50))
    whole = write(str(tmp_path / "whole"), block, positions, [])
    other = write(str(tmp_path / "other"), block, positions, cuts)
    assert whole.commit.files == other.commit.files
    assert len({entry.path for entry in whole.commit.files}) == 5


def test_tables_in_pieces_give_the_same_bytes() -> None:
    table = sites_of(list(range(1, 1001)))
    pieces = pa.concat_tables([table.slice(0, 10), table.slice(10, 500), table.slice(510)])
    assert callset.parquet_bytes(table) == callset.parquet_bytes(pieces)


def test_pseudo_autosomal_rows_change_their_name_in_pvar_only(tmp_path: Path) -> None:
    positions = [10_000, 10_001, 2_781_479, 2_781_480, 155_701_382, 155_701_383, 156_030_895]
    opened = write(str(tmp_path / "x"), random_block(3, 7, 9), positions, [])
    (shard,) = opened.shards
    lines = (tmp_path / "x" / shard.pvar).read_text().splitlines()
    assert lines[0] == "#CHROM\tPOS\tID\tREF\tALT"
    assert [line.split("\t")[0] for line in lines[1:]] == ["PAR1"] * 3 + ["chrX"] * 2 + ["PAR2"] * 2
    assert lines[1].split("\t")[1:] == ["10000", "chrX:10000:A:C", "A", "C"]
    assert set(opened.sites(shard).column("contig").to_pylist()) == {"chrX"}


def test_psam_says_sex_as_plink_does() -> None:
    assert callset.psam_bytes(["a", "b", "c"], ["male", "female", "unknown"]) == b"#IID\tSEX\na\t1\nb\t2\nc\tNA\n"


def test_partial_table_is_kept(tmp_path: Path) -> None:
    partial = pa.table(
        [pa.array([0, 3], pa.int32()), pa.array([1, 2], pa.int32()), ["0", "*"], [".", "1"], ["half_call", "deletion"]],
        schema=schema.arrow_schema(schema.PARTIAL),
    )
    opened = write(str(tmp_path / "x"), random_block(4, 5, 9), list(range(1, 6)), [], partial=partial)
    kept = opened.partial(opened.shards[0])
    assert kept is not None and kept.equals(partial)


@pytest.mark.parametrize("samples", [["a", "a"], ["a b", "c"], ["", "a"], ["0", "a"], []])
def test_ids_that_no_fileset_can_hold_are_refused_without_naming_them(samples: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        callset.check_sample_ids(samples)
    assert "a b" not in str(caught.value)


def test_unsorted_ids_are_a_defect() -> None:
    callset.check_sample_ids(["B", "a"])  # bytes, not letters
    with pytest.raises(ContractError):
        callset.check_sample_ids(["a", "B"])


@pytest.mark.parametrize(
    ("block", "positions"),
    [
        (random_block(5, 4, 9), [1, 2, 3]),
        (random_block(5, 2, 9), [1, 2, 3]),
        (random_block(5, 3, 8), [1, 2, 3]),
        (random_block(5, 3, 9).astype(np.int16), [1, 2, 3]),
        (random_block(5, 0, 9), []),
    ],
)
def test_blocks_that_do_not_fit_their_sites_are_a_defect(
    tmp_path: Path, block: np.ndarray, positions: list[int]
) -> None:
    with pytest.raises(ContractError):
        write(str(tmp_path / "x"), block, positions, [])
    assert dataset.find(str(tmp_path / "x")) is None


def test_sites_table_must_have_its_columns_and_types(tmp_path: Path) -> None:
    table = sites_of([1, 2])
    with pytest.raises(ContractError, match="position"):
        schema.conform(table.drop_columns(["position"]), schema.SITES, "sites")
    with pytest.raises(ContractError, match="int64"):
        wrong = table.set_column(1, "position", pa.array([1, 2], pa.int64()))
        schema.conform(wrong, schema.SITES, "sites")
    with pytest.raises(ContractError, match="nulls"):
        schema.conform(table.set_column(2, "ref", pa.array(["A", None])), schema.SITES, "sites")
    more = schema.conform(table.append_column("missing_x", pa.array([1, 2])), schema.SITES, "sites")
    assert more.column_names[-1] == "missing_x"


def test_damage_is_seen(tmp_path: Path) -> None:
    root = str(tmp_path / "x")
    opened = write(root, random_block(6, 5, 9), [1, 2, 3, 4, 5], [])
    pgen = storage.join(root, opened.shards[0].pgen)
    Path(pgen).write_bytes(storage.read(pgen)[:-1])
    with pytest.raises(InputError, match="bytes"):
        callset.read_genotypes(opened, opened.shards[0], 0, 1)
    Path(pgen).unlink()
    with pytest.raises(InputError, match="lacks"):
        callset.read_genotypes(opened, opened.shards[0], 0, 1)
    with pytest.raises(InputError, match="no commit"):
        callset.open_callset(str(tmp_path / "nothing"))
