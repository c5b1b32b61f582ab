"""Descriptions of a cohort against other implementations, on genotypes that are written here."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import allel
import numpy as np
import pgenlib
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cohelix.errors import ConfigError, InputError
from cohelix.simulate import regions
from cohelix.simulate.describe import measures, truth_genotypes
from cohelix.simulate.describe.report import describe_cohort, statistics
from cohelix.simulate.describe.truth_genotypes import open_genotypes
from cohelix.simulate.panel import founders
from cohelix.simulate.people.person import GROUPS, SOURCES
from cohelix.simulate.schema import CohortParams

PER_SOURCE = 80
CHILDREN = 6
SHOWN = ("afr", "eas", "eur")


def family_of(person: int, n_founders: int) -> int:
    """Children follow the founders: child k is of founders 2k and 2k + 1, who are one family with it."""
    child = person - n_founders
    return child if child >= 0 else (person // 2 if person < 2 * CHILDREN else person)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 founders of three groups, whose haplotypes are the panel's, and children of the first of them."""
    folder = tmp_path_factory.mktemp("described") / "cohort"
    truth = folder / "truth"
    truth.mkdir(parents=True)
    places = [f"chr{c}:{start}-{start + 24_999}" for c in range(1, 9) for start in (10_000_001, 90_000_001)]
    wanted = regions.parse([*places, "chrX:70,000,001-70,010,000"])
    n_founders = PER_SOURCE * len(SHOWN) // 2
    rows, columns, rng = [], [], np.random.default_rng(2)
    for region in wanted:
        founders.make_region(truth, region, CohortParams(haplotypes=PER_SOURCE), 12)
        panel = founders.open_region(truth, region)
        chosen = np.concatenate([SOURCES.index(s) * PER_SOURCE + np.arange(PER_SOURCE) for s in SHOWN])
        carried = np.array(panel.alleles)[chosen].T
        passed = [4 * child + 2 * parent + rng.integers(0, 2) for child in range(CHILDREN) for parent in (0, 1)]
        carried = np.concatenate([carried, carried[:, passed]], axis=1)
        for k, alts in enumerate(panel.sites.alts):
            for a, alt in enumerate(alts, start=1):
                rows.append(
                    (region.contig.name, region.start + int(panel.sites.offset[k]) + 1, panel.sites.ref[k], alt)
                )
                columns.append((carried[k] == a).astype(np.int32))
    for path in truth.iterdir():
        path.unlink()
    n_people = n_founders + CHILDREN
    with pgenlib.PgenWriter(
        str(truth / "genotypes.pgen").encode(), n_people, len(rows), nonref_flags=False, hardcall_phase_present=True
    ) as writer:
        writer.append_alleles_batch(np.array(columns), all_phased=True)
    lines = [f"{c}\t{p}\t{c}:{p}:{ref}:{alt}\t{ref}\t{alt}\n" for c, p, ref, alt in rows]
    (truth / "genotypes.pvar").write_text("#CHROM\tPOS\tID\tREF\tALT\n" + "".join(lines))
    (truth / "genotypes.psam").write_text("#IID\tSEX\n" + "".join(f"SECRET{k}\t2\n" for k in range(n_people)))
    group = [*np.repeat(SHOWN, PER_SOURCE // 2), *["afr"] * CHILDREN]
    family = [family_of(person, n_founders) for person in range(n_people)]
    pq.write_table(pa.table({"group": group, "family": family}), truth / "people.parquet")
    pairs = [(2 * k + parent, n_founders + k) for k in range(CHILDREN) for parent in (0, 1)]
    pq.write_table(
        pa.table(
            {
                "person1": pa.array([a for a, _ in pairs], pa.int32()),
                "person2": pa.array([b for _, b in pairs], pa.int32()),
                "relationship": ["parent-child"] * len(pairs),
                "kinship_made": [0.25] * len(pairs),
            }
        ),
        truth / "kinship.parquet",
    )
    (folder / "cohort.json").write_text(json.dumps({"regions": [region.name for region in wanted]}))
    return folder


@pytest.fixture(scope="module")
def sums(cohort: Path) -> measures.Sums:
    return measures.measure(open_genotypes(cohort))


@pytest.fixture(scope="module")
def copies(cohort: Path) -> np.ndarray:
    """(S, N) of chromosomes 1 to 22, read in one go."""
    found = open_genotypes(cohort)
    return np.concatenate([block for _, block in found.blocks()])


def test_only_autosomes_and_unrelated_people_count(cohort: Path) -> None:
    found = open_genotypes(cohort)
    assert found.bases == 16 * 25_000
    assert set(found.contig.tolist()) == set(range(1, 9))
    assert found.n_variants > found.row.size
    n_founders = PER_SOURCE * len(SHOWN) // 2
    expected = [person for person in range(n_founders) if person >= 2 * CHILDREN or person % 2 == 0]
    assert np.flatnonzero(found.unrelated).tolist() == expected


def test_f_st_is_that_of_scikit_allel(sums: measures.Sums, copies: np.ndarray) -> None:
    snps = copies[sums.genotypes.snp]
    for a, b in (("afr", "eur"), ("eas", "eur")):
        counts = []
        for name in (a, b):
            members = sums.members[GROUPS.index(name)]
            alternate = snps[:, members].sum(axis=1, dtype=np.int64)
            counts.append(np.stack([2 * members.size - alternate, alternate], axis=1))
        above, below = allel.hudson_fst(*counts)
        assert measures.f_st(sums)[GROUPS.index(a), GROUPS.index(b)] == pytest.approx(above.sum() / below.sum())


def test_heterozygosity_is_counted(sums: measures.Sums, copies: np.ndarray) -> None:
    members = sums.members[GROUPS.index("eur")]
    expected = (copies[sums.genotypes.snp][:, members] == 1).sum(axis=0) / 400
    assert np.allclose(measures.heterozygosity(sums)[GROUPS.index("eur")], expected)


def test_linkage_is_that_of_numpy(sums: measures.Sums, copies: np.ndarray) -> None:
    """All pairs of the group at once, without blocks."""
    found, group = sums.genotypes, GROUPS.index("eas")
    here = copies[:, sums.members[group]].astype(np.float64)
    p = here.mean(axis=1) / 2
    rows = np.flatnonzero(found.snp & (np.minimum(p, 1 - p) >= measures.COMMON) & (here.std(axis=1) > 0))
    r2 = np.corrcoef(here[rows]) ** 2 - 1 / here.shape[1]
    i, j = np.triu_indices(rows.size, 1)
    distance = np.abs(found.position[rows][i] - found.position[rows][j])
    near = (found.contig[rows][i] == found.contig[rows][j]) & (distance >= 1_000) & (distance < 2_000)
    measured = sums.ld[group][1] / sums.ld_pairs[group][1]
    assert measured == pytest.approx(r2[i, j][near].mean(), abs=0.02)  # pairs across the edges of 400 SNPs are left out
    assert sums.ld_pairs[group][1] > 0.8 * near.sum()


def test_blocks_do_not_matter(cohort: Path, sums: measures.Sums, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(truth_genotypes, "BLOCK_VALUES", 500_000)
    again = measures.measure(open_genotypes(cohort))
    assert np.allclose(measures.f_st(again), measures.f_st(sums), equal_nan=True)
    assert np.array_equal(again.king, sums.king)
    assert np.array_equal(again.het, sums.het)
    assert np.array_equal(np.array(again.pca_rows), np.array(sums.pca_rows))
    assert all(np.array_equal(again.spectrum[group], sums.spectrum[group]) for group in sums.groups)


def test_kinship_of_parents_and_children_is_a_quarter(sums: measures.Sums) -> None:
    assert measures.king(sums).mean() == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, 1, 0, 2], [1, 1, 0, 2], 0.5),  # one body
        ([1, 1, 0, 2], [1, 1, 2, 0], -0.5),  # two shared heterozygotes, two opposite homozygotes: (2 - 4) / 4
        ([1, 1, 1, 1], [1, 1, 0, 0], 1 / 3),  # two shared heterozygotes of four and two
    ],
)
def test_king_by_hand(sums: measures.Sums, first: list[int], second: list[int], expected: float) -> None:
    alone = measures.Sums(sums.genotypes)
    pair = sums.genotypes.pairs[0]
    block = np.zeros((4, sums.genotypes.group.size), np.int8)
    block[:, pair[0]], block[:, pair[1]] = first, second
    alone._add_kinship(block)
    assert measures.king(alone)[0] == pytest.approx(expected)


def test_projected_spectrum_of_a_neutral_population_is_neutral() -> None:
    """theta / i at i of 200 chromosomes; a random draw of 60 has theta / i again."""
    counts = np.zeros(201)
    counts[1:200] = 1e6 / np.arange(1, 200)
    assert np.allclose(measures.minor_spectrum(counts.astype(np.int64)), measures.neutral_spectrum(), atol=1e-4)
    assert measures.minor_spectrum(np.ones(41, np.int64)).size == 0  # fewer chromosomes than it takes


def test_groups_are_apart_on_the_first_axes(sums: measures.Sums) -> None:
    coordinates, shares = measures.principal_axes(sums)
    between = measures.between_groups(coordinates, sums.genotypes.group[sums.pca_people])
    assert (between[:2] > 0.5).all()
    assert (np.diff(shares) <= 0).all()
    centred = np.array(sums.pca_rows, np.float64)
    p = centred.mean(axis=1, keepdims=True) / 2
    scaled = ((centred - 2 * p) / np.sqrt(2 * p * (1 - p))).T
    left, values, _ = np.linalg.svd(scaled, full_matrices=False)
    assert np.allclose(np.abs(coordinates), np.abs(left[:, :4] * values[:4]), atol=1e-6)


def test_the_report_is_whole_and_names_nobody(cohort: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        describe_cohort(cohort, tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == [
        "f-st.png", "frequency-spectrum.png", "heterozygosity.png", "kinship.png", "ld-decay.png",
        "principal-components.png", "statistics.tsv",
    ]  # fmt: skip
    for name in files:
        content = (tmp_path / "one" / name).read_bytes()
        assert content == (tmp_path / "two" / name).read_bytes()
        assert b"SECRET" not in content
        assert name.endswith(".tsv") or content.startswith(b"\x89PNG")
    with (tmp_path / "one" / "statistics.tsv").open() as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    assert {row["verdict"] for row in rows} <= {"within", "outside", "no range"}
    for row in rows:
        if row["low"]:
            within = float(row["low"]) <= float(row["value"]) <= float(row["high"])
            assert row["verdict"] == ("within" if within else "outside")
            assert row["source"]
    assert {"f_st", "heterozygosity_per_kb", "kinship_difference", "ti_tv"} <= {row["statistic"] for row in rows}


def test_few_people_get_fewer_statistics(sums: measures.Sums) -> None:
    names = {statistic.name for statistic in statistics(sums)}
    assert "rare_share" not in names  # 114 unrelated people: one copy is more than 0.4 %
    assert "singleton_share" in names


@pytest.mark.parametrize("missing", ["cohort.json", "truth/genotypes.pgen", "truth/people.parquet"])
def test_a_folder_that_is_no_whole_cohort_is_refused(cohort: Path, tmp_path: Path, missing: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(cohort, copy)
    (copy / missing).unlink()
    with pytest.raises(InputError, match=missing):
        describe_cohort(copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name", ["cohort.json", "truth/people.parquet", "truth/kinship.parquet", "truth/genotypes.pvar",
             "truth/genotypes.pgen"]
)  # fmt: skip
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_damaged_file_is_named(cohort: Path, tmp_path: Path, name: str, share: float) -> None:
    shutil.copytree(cohort, tmp_path / "damaged")
    content = (cohort / name).read_bytes()
    (tmp_path / "damaged" / name).write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"truth/genotypes\.p" if "genotypes" in name else name):
        describe_cohort(tmp_path / "damaged", tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_a_folder_with_files_is_not_overwritten(cohort: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(ConfigError, match="new or empty"):
        describe_cohort(cohort, tmp_path)
