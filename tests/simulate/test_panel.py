"""Founder haplotypes: sites on the made reference, alleles on the trees, and the same bytes from any process."""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msprime
import numpy as np
import pysam
import pytest

from cohelix.errors import ConfigError
from cohelix.genome import Contig
from cohelix.simulate import regions
from cohelix.simulate.haplotypes import RegionPanel
from cohelix.simulate.panel import columns, founders, naming
from cohelix.simulate.people.person import SOURCES
from cohelix.simulate.population import MARGIN, trim
from cohelix.simulate.regions import Region
from cohelix.simulate.schema import CohortParams
from cohelix.simulate.sequence import make_reference, write_genome

N = 40  # haplotypes of each source
LENGTH = 20_000
PAR1_END = 2_781_479
TRANSITIONS = ({"A", "G"}, {"C", "T"})


def stretch_of(contig: str, count: int) -> list[str]:
    return [f"{contig}:{start + 1}-{start + LENGTH}" for start in range(30_000_000, 30_000_000 + count * 10**6, 10**6)]


@pytest.fixture(scope="module")
def autosomes(tmp_path_factory: pytest.TempPathFactory) -> list[RegionPanel]:
    folder = tmp_path_factory.mktemp("panel")
    return made(folder, regions.parse(stretch_of("chr1", 12) + stretch_of("chr8", 12)))


def made(folder: Path, wanted: list[Region], *, mode: str = "linked", seed: int = 3) -> list[RegionPanel]:
    for region in wanted:
        founders.make_region(folder, region, CohortParams(mode=mode, haplotypes=N), seed)
    return [founders.open_region(folder, region) for region in wanted]


def make_one(folder: str, region: Region) -> None:
    founders.make_region(Path(folder), region, CohortParams(haplotypes=N), 3)


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def biallelic_snps(panel: RegionPanel) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (V,), and alleles (V, sources, N)."""
    sites = panel.sites
    chosen = [
        row
        for row in range(sites.offset.size)
        if len(sites.alts[row]) == 1 and len(sites.ref[row] + sites.alts[row][0]) == 2
    ]
    return sites.offset[chosen], np.asarray(panel.alleles[:, chosen]).T.reshape(len(chosen), len(SOURCES), N)


def differences(panels: list[RegionPanel]) -> np.ndarray:
    """(6, 6) SNPs per base at which two haplotypes of two sources differ, counted over pairs."""
    total, bases = np.zeros((6, 6)), 0
    for panel in panels:
        _, alleles = biallelic_snps(panel)
        derived = alleles.sum(axis=2, dtype=np.int64)
        bases += panel.reference.end - panel.reference.start - 2 * MARGIN
        for i, j in itertools.product(range(6), repeat=2):
            apart = derived[:, i] * (N - derived[:, j]) + derived[:, j] * (N - derived[:, i])
            total[i, j] += (apart / (N * N if i != j else N * (N - 1))).sum()
    return total / bases


def test_bytes_do_not_depend_on_the_process_nor_on_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = regions.parse(["chr2:5,000,001-5,010,000", "chrX:2,776,480-2,786,479"])
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(founders, "BLOCK_BYTES", 7 * N * len(SOURCES))  # seven columns at a time
        for region in reversed(wanted):
            make_one(str(here), region)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for future in [pool.submit(make_one, str(there), region) for region in wanted]:
            future.result()
    assert digests(here) == digests(there)
    assert len(digests(here)) == 6
    founders.make_region(here, wanted[0], CohortParams(haplotypes=N), 4)
    assert digests(here)["0.alleles.npy"] != digests(there)["0.alleles.npy"]


def test_ref_is_what_the_fasta_has(tmp_path: Path) -> None:
    """Two regions on one line of FASTA, one at the end of its contig, one on another contig."""
    wanted = regions.parse(
        ["chr21:46,700,001-46,701,010", "chr21:46,701,021-46,709,983", "chr22:1-2,000", "chrM:1-16,569"]
    )
    panels = made(tmp_path, wanted)
    write_genome([panel.reference for panel in panels], tmp_path / "genome.fa.gz")
    with pysam.FastaFile(str(tmp_path / "genome.fa.gz")) as fasta:
        assert list(fasta.references) == ["chr21", "chr22", "chrM"]
        assert list(fasta.lengths) == [46_709_983, 50_818_468, 16_569]
        assert fasta.fetch("chr21", 46_701_010, 46_701_020) == "N" * 10
        assert set(fasta.fetch("chr22", 2_000, 3_000)) == {"N"}
        for region, panel in zip(wanted, panels, strict=True):
            name = region.contig.name
            assert fasta.fetch(name, region.start, region.end) == panel.reference.bases
            for offset, ref in zip(panel.sites.offset.tolist(), panel.sites.ref, strict=True):
                assert fasta.fetch(name, region.start + offset, region.start + offset + len(ref)) == ref


@pytest.mark.parametrize("lengths", [(10_007,), (6_000, 60), (70_000, 1_201, 200_000)])
def test_indexes_are_those_of_htslib(tmp_path: Path, lengths: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    references = [make_reference(Contig(f"c{n}", n), n // 3, n // 2, rng) for n in lengths]
    path = tmp_path / "genome.fa.gz"
    write_genome(references, path)
    ours = [path.with_name(path.name + suffix).read_bytes() for suffix in (".fai", ".gzi")]
    pysam.faidx(str(path))
    assert ours == [path.with_name(path.name + suffix).read_bytes() for suffix in (".fai", ".gzi")]


def test_alleles_sites_and_frequencies_agree(autosomes: list[RegionPanel]) -> None:
    for panel in autosomes:
        alleles, sites = np.asarray(panel.alleles), panel.sites
        assert alleles.shape == (6 * N, sites.offset.size)
        assert (np.diff(sites.offset) > 0).all()
        two = np.array([len(alts) == 2 for alts in sites.alts])
        assert np.array_equal((alleles == 2).any(axis=0), two)
        assert (alleles == 1).any(axis=0).all()
        assert np.allclose(sites.frequency, (alleles > 0).reshape(6, N, -1).mean(axis=1).T)
        for row, alts in enumerate(sites.alts):
            assert len({sites.ref[row], *alts}) == 1 + len(alts)


def test_indels_are_left_aligned(autosomes: list[RegionPanel]) -> None:
    seen = 0
    for panel in autosomes:
        for ref, alts in zip(panel.sites.ref, panel.sites.alts, strict=True):
            for alt in alts:
                short, (other,) = trim(ref, [alt])
                if len(short) != len(other):
                    longer = max(short, other, key=len)
                    assert short[0] == other[0] and min(len(short), len(other)) == 1
                    assert longer[-1] != longer[0]  # otherwise the same change could be written one base further left
                    seen += 1
    assert seen > 300


def test_kinds_of_variants_are_in_proportion(autosomes: list[RegionPanel]) -> None:
    n_sites = sum(panel.sites.offset.size for panel in autosomes)
    changes = [
        (ref, alt)
        for panel in autosomes
        for ref, alts in zip(panel.sites.ref, panel.sites.alts, strict=True)
        for alt in alts
    ]
    snps = [{ref, alt} for ref, alt in changes if len(ref) == len(alt) == 1]
    transitions = sum(pair in TRANSITIONS for pair in snps)
    assert 1.8 < transitions / (len(snps) - transitions) < 2.4
    assert 0.08 < sum(len(ref) != len(alt) for ref, alt in changes) / len(changes) < 0.15
    assert 0.003 < sum(len(alts) == 2 for panel in autosomes for alts in panel.sites.alts) / n_sites < 0.03


def test_diversity_and_distances_are_as_published(autosomes: list[RegionPanel]) -> None:
    """Wider than the ranges of test_demography.py, since half a million bases are few."""
    apart = differences(autosomes)
    per_kb = dict(zip(SOURCES, np.diag(apart) * 1_000, strict=True))
    assert 0.75 < per_kb["afr"] < 1.25
    assert 0.55 < per_kb["eur"] < 1.0
    assert per_kb["nat"] < per_kb["eur"] < per_kb["afr"]
    f_st = 1 - (np.diag(apart)[:, None] + np.diag(apart)) / 2 / apart
    where = {name: k for k, name in enumerate(SOURCES)}
    for a, b, low, high in (
        ("afr", "eur", 0.09, 0.22), ("afr", "eas", 0.10, 0.25), ("eas", "eur", 0.06, 0.17),
        ("nat", "eas", 0.04, 0.18), ("eur", "sas", 0.01, 0.08), ("eur", "mid", 0.0, 0.05),
    ):  # fmt: skip
        assert low < f_st[where[a], where[b]] < high, (a, b)


def squared_correlation(panel: RegionPanel, source: int) -> tuple[np.ndarray, np.ndarray]:
    """Distance and r2 of pairs of common SNPs."""
    offsets, alleles = biallelic_snps(panel)
    here = alleles[:, source].astype(np.float64)
    common = (here.mean(axis=1) >= 0.1) & (here.mean(axis=1) <= 0.9)
    r2 = np.atleast_2d(np.corrcoef(here[common])) ** 2
    i, j = np.triu_indices(int(common.sum()), 1)
    return offsets[common][j] - offsets[common][i], r2[i, j]


def test_linkage_falls_with_distance(autosomes: list[RegionPanel]) -> None:
    for source in ("afr", "eur"):
        parts = [squared_correlation(panel, SOURCES.index(source)) for panel in autosomes]
        distance, r2 = (np.concatenate(values) for values in zip(*parts, strict=True))
        near, far = r2[distance < 1_000].mean(), r2[distance > 10_000].mean()
        assert near > 0.2
        assert far < 0.7 * near


def test_x_is_less_diverse(autosomes: list[RegionPanel], tmp_path: Path) -> None:
    on_x = differences(made(tmp_path, regions.parse(stretch_of("chrX", 16))))
    assert 0.35 < np.trace(on_x) / np.trace(differences(autosomes)) < 0.85


def test_no_site_spans_where_ploidy_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "ELSEWHERE_SHARE", 0.9)
    (region,) = regions.parse([f"chrX:{PAR1_END - 1_000}-{PAR1_END + 1_000}"])
    crowded = 0
    for seed in range(6):
        (panel,) = made(tmp_path, [region], seed=seed)
        edge = PAR1_END - region.start
        end = panel.sites.offset + np.array([len(ref) for ref in panel.sites.ref])
        assert not ((panel.sites.offset < edge) & (end > edge)).any()
        crowded += int((np.abs(panel.sites.offset - edge) < 200).sum())
    assert crowded > 10


def test_placed_alleles_have_their_bases_to_themselves(tmp_path: Path) -> None:
    (region,) = regions.parse(["chr10:94,760,001-94,770,000"])
    placed = [(offset, "ACGTACGTAC" * 3) for offset in range(200, 9_000, 60)]
    founders.make_region(tmp_path, region, CohortParams(haplotypes=N), 3, placed=placed)
    panel = founders.open_region(tmp_path, region)
    end = panel.sites.offset + np.array([len(ref) for ref in panel.sites.ref])
    for offset, ref in placed:
        assert panel.reference.bases[offset : offset + len(ref)] == ref
        assert not ((panel.sites.offset < offset + len(ref)) & (end > offset)).any()
    assert panel.sites.offset.size > 40


@pytest.mark.parametrize("placed", [(-1, "A"), (9_999, "AC"), (500, "AN"), (500, "")])
def test_a_placed_allele_beyond_the_region_is_refused(tmp_path: Path, placed: tuple[int, str]) -> None:
    (region,) = regions.parse(["chr10:94,760,001-94,770,000"])
    with pytest.raises(ConfigError, match="placed allele"):
        founders.make_region(tmp_path, region, CohortParams(haplotypes=N), 3, placed=[placed])
    assert not list(tmp_path.iterdir())


def test_sites_mode_has_the_frequencies_but_no_linkage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns.demography, "require_msprime", lambda: pytest.fail("msprime is not needed here"))
    panels = made(tmp_path, regions.parse(stretch_of("chr1", 8)), mode="sites")
    apart = differences(panels)
    assert 0.6 < apart[SOURCES.index("afr"), SOURCES.index("afr")] * 1_000 < 1.4
    f_st = 1 - (np.diag(apart)[:, None] + np.diag(apart)) / 2 / apart
    assert 0.08 < f_st[SOURCES.index("afr"), SOURCES.index("eur")] < 0.23
    r2 = np.concatenate([squared_correlation(panel, SOURCES.index("eur"))[1] for panel in panels])
    assert r2.mean() == pytest.approx(1 / N, rel=0.2)


def test_hot_spots_leave_the_mean_rate_as_it_is() -> None:
    rng = np.random.default_rng(1)
    maps = [columns._recombination_map(msprime, 30_000, 1e-8, rng) for _ in range(4_000)]
    means = np.array([found.mean_rate for found in maps])
    assert abs(means.mean() - 1e-8) < 4 * means.std() / np.sqrt(means.size)
    assert means.min() == pytest.approx(0.4 / 0.94 * 1e-8)  # a stretch without a hot spot
    assert columns._recombination_map(msprime, 30_000, 0.0, rng).mean_rate == 0.0


@pytest.mark.parametrize(
    ("counts", "reference", "code", "n_alts"),
    [
        ([5, 3, 0], 0, [0, 1, 0], 1),
        ([5, 3, 0], 1, [1, 0, 0], 1),  # the reference has the derived base
        ([5, 3, 4], 0, [0, 2, 1], 2),
        ([5, 3, 4], 2, [1, 2, 0], 2),
        ([8, 0, 0], 1, [1, 0, 0], 1),  # nobody but the reference
    ],
)
def test_states_become_alleles_of_the_reference(
    counts: list[int], reference: int, code: list[int], n_alts: int
) -> None:
    found = naming.coding(np.array(counts), reference)
    assert found is not None
    assert found.code.tolist() == code
    assert found.n_alts == n_alts


def test_a_site_where_all_are_as_the_reference_is_none() -> None:
    assert naming.coding(np.array([0, 8, 0]), 1) is None
