"""cohelix keeps the variants that `plink2 --indep-pairwise` keeps: real SNPs, and made ones with ties and missing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from cohelix.genotypes import plink
from cohelix.genotypes.callset import Callset, open_callset
from cohelix.genotypes.ld.prune import Window, prune
from cohelix.genotypes.packed.matrix import matrix_of
from cohelix.runtime.local import LocalRuntime
from tests.genotypes.test_ld import callset_of, genotypes, places_of

pytestmark = pytest.mark.external

SETTINGS = [
    (Window(50, 5), "0.2"), (Window(1000, 50), "0.05"), (Window(200, 1), "0.5"), (Window(3, 2), "0.1"),
    (Window(1_000_000, 1, True), "0.1"), (Window(250_000, 1, True), "0.02"), (Window(5_000, 1, True), "0.8"),
]  # fmt: skip


def kept_by_plink2(prefix: Path, window: Window, r2: str) -> list[str]:
    """Ids of .prune.in. Every sample takes part: `--indep-pairwise` looks at founders, and all are."""
    size = [f"{window.size // 1000}kb"] if window.in_bases else [str(window.size), str(window.step)]
    out = prefix.with_name("pruned")
    command = ["plink2", "--threads", "2", "--memory", "2000", "--bfile", prefix, "--bad-ld", "--indep-pairwise",
               *size, r2, "--out", out]  # fmt: skip
    subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
    return Path(f"{out}.prune.in").read_text().split()


def kept_by_us(callset: Callset, window: Window, r2: str) -> list[tuple[str, int]]:
    matrix = matrix_of(callset)
    sites = matrix.sites().filter(prune(matrix, window, float(r2), LocalRuntime(2)))
    return list(zip(sites.column("contig").to_pylist(), sites.column("position").to_pylist(), strict=True))


def places_in(bim: Path) -> dict[str, tuple[str, int]]:
    rows = [line.split() for line in bim.read_text().splitlines()]
    return {row[1]: (row[0], int(row[3])) for row in rows}


@pytest.fixture(scope="module")
def thousand(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Callset]:
    folder = tmp_path_factory.mktemp("kg")
    for suffix, name in ((".bed", "kg23k.bed"), (".bim", "kg23k.grch37.bim")):
        (folder / f"kg{suffix}").symlink_to(data / "kg_phase3" / name)
    people = [line.split() for line in (data / "kg_phase3" / "kg23k.fam").read_text().splitlines()]
    (folder / "kg.fam").write_text("".join(f"{row[1]}\t{row[1]}\t0\t0\t{row[4]}\t-9\n" for row in people))
    plink.import_bed(str(folder / "kg"), str(folder / "kg.callset"), build="GRCh37")
    return folder / "kg", open_callset(str(folder / "kg.callset"))


@pytest.mark.parametrize(("window", "r2"), SETTINGS)
def test_1000_genomes(thousand: tuple[Path, Callset], window: Window, r2: str) -> None:
    prefix, callset = thousand
    places = places_in(prefix.with_suffix(".bim"))
    expected = [places[one] for one in kept_by_plink2(prefix, window, r2)]
    assert 0 < len(expected) < len(places)
    assert kept_by_us(callset, window, r2) == expected


@pytest.mark.parametrize(("n_samples", "missing"), [(60, 0.0), (97, 0.1), (301, 0.02)])
def test_made_genotypes(n_samples: int, missing: float, tmp_path: Path) -> None:
    rng = np.random.default_rng(n_samples)
    block = genotypes(rng, 900, n_samples, missing)
    places = places_of(rng, len(block))
    callset = callset_of(block, places, tmp_path / "made")
    prefix = tmp_path / "made" / "drawn"
    for window, r2 in [*SETTINGS, (Window(1_000, 1, True), "0.1")]:
        by_id = places_in(prefix.with_suffix(".bim"))
        expected = [by_id[one] for one in kept_by_plink2(prefix, window, r2)]
        assert 0 < len(expected) < len(block)
        assert kept_by_us(callset, window, r2) == expected
