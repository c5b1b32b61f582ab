"""plink2 --make-king and cohelix count the same and say the same kinship of every pair of 2,504 people."""

from __future__ import annotations

import subprocess
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from pyarrow import csv

from cohelix.genotypes import plink
from cohelix.genotypes.callset import open_callset
from cohelix.genotypes.packed.matrix import block_edges, matrix_of
from cohelix.relatedness.king import kernels
from cohelix.relatedness.king.scan import count_chosen, count_square, kinship_of, sites_of
from cohelix.relatedness.planes import Planes, make_planes
from cohelix.relatedness.run import find_pairs
from cohelix.relatedness.schema import RelatednessParams
from cohelix.runtime.local import LocalRuntime

pytestmark = [pytest.mark.external, pytest.mark.real]


def plink2(*arguments: object) -> None:
    command = ["plink2", "--threads", "2", "--memory", "2000", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, text=True)


def with_gaps(bed: Path, out: Path, n_samples: int) -> None:
    """A copy in which a twentieth of the genotypes are missing, unequally many in each sample."""
    content = np.frombuffer(bed.read_bytes(), np.uint8)
    random = np.random.default_rng(1)
    width = -(-n_samples // 4)
    rows = content[3:].reshape(-1, width)
    codes = (rows[:, :, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3
    rate = random.uniform(0, 0.1, 4 * width).astype(np.float32).reshape(width, 4)
    codes[random.random(codes.shape, np.float32) < rate] = 1
    packed = (codes << np.array([0, 2, 4, 6], np.uint8)).sum(axis=2, dtype=np.uint8)
    out.write_bytes(content[:3].tobytes() + packed.tobytes())


@pytest.fixture(scope="module", params=["complete", "gaps"])
def real(request: pytest.FixtureRequest, data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Planes]:
    """The folder of kg.bed, its callset and plink2's kinship; the planes of its samples, in the order of plink2's."""
    folder = tmp_path_factory.mktemp("king")
    fam = [line.split() for line in (data / "kg_phase3/kg23k.fam").read_text().splitlines()]
    order = sorted(range(len(fam)), key=lambda row: fam[row][1])
    source = data / "kg_phase3/kg23k.bed"
    if request.param == "complete":
        (folder / "raw.bed").symlink_to(source)
    else:
        with_gaps(source, folder / "raw.bed", len(fam))
    (folder / "raw.fam").symlink_to(data / "kg_phase3/kg23k.fam")
    (folder / "raw.bim").symlink_to(data / "kg_phase3/kg23k.grch37.bim")
    (folder / "order.txt").write_text("".join(f"{fam[row][0]}\t{fam[row][1]}\n" for row in order))
    sort = ("--indiv-sort", "f", folder / "order.txt")
    plink2("--bfile", folder / "raw", *sort, "--make-bed", "--out", folder / "kg")
    plink2("--bfile", folder / "kg", "--make-king", "triangle", "bin", "--out", folder / "triangle")
    plink.import_bed(str(folder / "kg"), str(folder / "kg.callset"), build="GRCh37")
    matrix = matrix_of(open_callset(str(folder / "kg.callset")))
    return folder, make_planes(matrix, folder / "planes", LocalRuntime(2), label="planes")


def test_every_pair_has_plink2s_kinship(real: tuple[Path, Planes]) -> None:
    folder, planes = real
    theirs = np.fromfile(folder / "triangle.king.bin", np.float64)
    n = planes.n_samples
    ours = np.full((n, n), np.nan)
    stretches = planes.stretches()
    blocks = block_edges(n, kernels.LANES)
    for block, columns in product(blocks, blocks):
        for rows, tile in count_square(planes, stretches, block, columns):
            ours[slice(*rows), slice(*columns)] = kinship_of(tile.reshape(-1, 4)).reshape(tile.shape[:2])
    low = np.tril_indices(n, -1)
    assert theirs.shape == low[0].shape == (n * (n - 1) // 2,)
    np.testing.assert_allclose(ours[low], theirs, rtol=0, atol=1e-6)
    assert np.abs(ours[low] - theirs).max() < 1e-12


def test_counts_are_plink2s(real: tuple[Path, Planes]) -> None:
    folder, planes = real
    columns = "cols=id,nsnp,hethet,ibs0,ibs1,kinship"
    plink2("--bfile", folder / "kg", "--make-king-table", "counts", columns, "--out", folder / "counts")
    options = csv.ParseOptions(delimiter="\t")
    table = csv.read_csv(folder / "counts.kin0", parse_options=options)
    n = planes.n_samples
    second, first = np.tril_indices(n, -1)  # plink2's first of a pair is the later sample
    step = 37  # of three million pairs, enough
    pairs = np.column_stack([second, first])[::step]
    counts = count_chosen(planes.stretches(), pairs)
    some = {name: table.column(name).to_numpy()[::step] for name in table.column_names if "ID" not in name}
    assert np.array_equal(sites_of(counts), some["NSNP"])
    assert np.array_equal(counts[:, kernels.HET_HET], some["HETHET"])
    assert np.array_equal(counts[:, kernels.IBS0], some["IBS0"])
    np.testing.assert_allclose(kinship_of(counts), some["KINSHIP"], rtol=1e-5, atol=1e-6)
    # 2.00a3.5 writes the heterozygotes of the other sample of the pair in these two, as its --sample-counts shows
    either = [(kernels.HET_HOM, kernels.HOM_HET), (kernels.HOM_HET, kernels.HET_HOM)]
    theirs = np.column_stack([some["HET1_HOM2"], some["HET2_HOM1"]])
    assert any(np.array_equal(counts[:, order], theirs) for order in either)


def test_pairs_kept_are_those_of_plink2(real: tuple[Path, Planes], tmp_path: Path) -> None:
    folder, planes = real
    theirs = np.fromfile(folder / "triangle.king.bin", np.float64)
    second, first = np.tril_indices(planes.n_samples, -1)
    related = theirs >= 2.0**-4.5
    expected = sorted(zip(first[related].tolist(), second[related].tolist(), strict=True))
    assert len(expected) > 40
    matrix = matrix_of(open_callset(str(folder / "kg.callset")))
    for params in (RelatednessParams(screen=False), RelatednessParams(screen_sites=8000)):
        found, _ = find_pairs(matrix, tmp_path / "planes", params, LocalRuntime(2))
        assert list(map(tuple, found.pairs.tolist())) == expected
