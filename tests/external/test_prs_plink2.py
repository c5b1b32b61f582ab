"""plink2 --score and cohelix give the same sums: real people, every missing policy that plink2 has, X, Y and MT."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from cohelix.genotypes import plink, plink_out
from cohelix.genotypes.callset import Callset
from cohelix.genotypes.selection import select
from cohelix.prs.schema import ScoreParams
from cohelix.prs.scoring.run import score
from cohelix.prs.tables import read_scores
from cohelix.runtime.local import LocalRuntime
from tests.oracles.prs_scoring import ALT, HET, HOM_ALT, HOM_REF, REF, Entry
from tests.prs.scoring.made_scores import Cohort, make, write_match

pytestmark = pytest.mark.external

PRINTED = 5.1e-6
"""plink2 prints six digits: a relative error of at most five in the seventh."""


def plink2(*arguments: object) -> None:
    command = ["plink2", "--threads", "2", "--memory", "2000", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, text=True)


@dataclass(frozen=True)
class Weights:
    """One effect allele a site: of ALT where `of_alt` bool (sites,); weights float64 (sites, scores), 0 for none."""

    ids: Sequence[str]
    of_alt: np.ndarray
    weights: np.ndarray
    ref: Sequence[str]
    alt: Sequence[str]

    def write(self, path: Path) -> Path:
        names = "\t".join(f"S{place}" for place in range(self.weights.shape[1]))
        lines = [f"ID\tA1\t{names}\n"]
        for site, row in enumerate(self.weights.tolist()):
            allele = (self.alt if self.of_alt[site] else self.ref)[site]
            lines.append("\t".join([self.ids[site], allele, *map(repr, row)]) + "\n")
        path.write_text("".join(lines))
        return path

    def entries(self, model: str) -> list[Entry]:
        forms = {
            "": ((ALT,), (REF,)),
            "dominant": ((HET, HOM_ALT), (HET, HOM_REF)),
            "recessive": ((HOM_ALT,), (HOM_REF,)),
        }[model]
        return [
            Entry(int(site), int(place), form, float(self.weights[site, place]), more > 0)
            for site, place in zip(*np.nonzero(self.weights), strict=True)
            for more, form in enumerate(forms[0 if self.of_alt[site] else 1])
        ]


def theirs(prefix: Path, folder: Path, weights: Weights, *modifiers: str, options: Sequence[object] = ()) -> np.ndarray:
    """(samples, scores) of sums; and, last, the alleles in the denominator, which plink2 gives once for all scores."""
    file = weights.write(folder / "weights.tsv")
    n = weights.weights.shape[1]
    score_of = ("--score", file, "1", "2", "header-read", *modifiers, "cols=+scoresums,+denom")
    columns = "3" if n == 1 else f"3-{2 + n}"
    score_of = (*score_of, "--score-col-nums", columns)
    plink2("--pfile", prefix, "--xchr-model", "1", *options, *score_of, "--out", folder / "theirs")
    with (folder / "theirs.sscore").open() as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    return np.array([[float(row[f"S{place}_SUM"]) for place in range(n)] + [float(row["DENOM"])] for row in rows])


def ours(
    cohort: Cohort, folder: Path, entries: list[Entry], n_scores: int, params: ScoreParams, **tables: str
) -> np.ndarray:
    """float64 (scores, samples)."""
    match = write_match(folder / "match", cohort, entries, n_scores, row_group=1 << 16)
    score(cohort.root, str(folder / "ours"), params, LocalRuntime(2), match=str(match), **tables)
    return read_scores(folder / "ours").sums


def drawn(opened: Callset, n_scores: int, seed: int) -> Weights:
    """Sparse and dense scores, of either allele."""
    sites = [row for shard in opened.shards for row in opened.sites(shard).to_pylist()]
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(len(sites), n_scores)) * 0.01
    weights[rng.random(weights.shape) > np.linspace(1.0, 0.05, n_scores)] = 0.0
    columns = [[row[name] for row in sites] for name in ("id", "ref", "alt")]
    return Weights(columns[0], rng.random(len(sites)) < 0.5, weights, columns[1], columns[2])


def same(theirs: np.ndarray, ours: np.ndarray) -> None:
    """To six printed digits of each sum; near 0, of what a score amounts to."""
    scale = np.maximum(np.abs(ours), 1e-3 * np.abs(ours).max(axis=1, keepdims=True))
    assert (np.abs(theirs[:, :-1].T - ours) <= PRINTED * scale).all()


@pytest.fixture(scope="module")
def real(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Cohort, Path]:
    """2,504 people at 3,000 SNPs, a twentieth of the genotypes missing; and the prefix of its PGEN for plink2."""
    folder = tmp_path_factory.mktemp("kg")
    for suffix, name in ((".bed", "kg23k.bed"), (".fam", "kg23k.fam"), (".bim", "kg23k.grch37.bim")):
        (folder / f"kg{suffix}").symlink_to(data / "kg_phase3" / name)
    plink2("--bfile", folder / "kg", "--thin-count", "3000", "--seed", "1", "--make-bed", "--out", folder / "few")
    content = np.frombuffer((folder / "few.bed").read_bytes(), np.uint8)
    rng = np.random.default_rng(4)
    gone = rng.random((len(content) - 3, 4), np.float32) < 0.05
    codes = np.where(gone, 1, (content[3:, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3)
    packed = (codes << np.array([0, 2, 4, 6])).sum(axis=1).astype(np.uint8)
    (folder / "few.bed").write_bytes(content[:3].tobytes() + packed.tobytes())
    opened = plink.import_bed(str(folder / "few"), str(folder / "few.callset"), build="GRCh37")
    plink_out.export_pgen(opened, str(folder / "out"), select(opened))
    places = [(number, row) for number, shard in enumerate(opened.shards) for row in range(shard.n_sites)]
    nothing = np.empty((0, 0), np.int8)
    return Cohort(opened, nothing, ["autosome"] * len(places), places, []), folder / "out"


@pytest.mark.real
@pytest.mark.parametrize("missing", ["cohort-af", "drop", "reference-af"])
def test_sums_of_real_people(real: tuple[Cohort, Path], tmp_path: Path, missing: str) -> None:
    cohort, prefix = real
    weights = drawn(cohort.opened, 20, 1)
    options: list[object] = []
    tables: dict[str, str] = {}
    if missing == "reference-af":  # those of the first thousand people
        people = cohort.opened.samples().column("sample_id").to_pylist()[:1000]
        (tmp_path / "keep").write_text("".join(f"{sample}\n" for sample in people))
        plink2("--pfile", prefix, "--keep", tmp_path / "keep", "--freq", "--out", tmp_path / "first")
        options += ["--read-freq", tmp_path / "first.afreq"]
        lines = [line.split("\t") for line in (tmp_path / "first.afreq").read_text().splitlines()]
        place, af = lines[0].index("ID"), lines[0].index("ALT_FREQS")
        rows = ["\t".join([*line[place].split(":"), line[af]]) for line in lines[1:]]
        (tmp_path / "af.tsv").write_text("contig\tposition\tref\talt\taf\n" + "\n".join(rows) + "\n")
        tables["frequencies"] = str(tmp_path / "af.tsv")
    modifiers = ["no-mean-imputation"] if missing == "drop" else []
    mine = ours(cohort, tmp_path, weights.entries(""), 20, ScoreParams(missing=missing), **tables)
    same(theirs(prefix, tmp_path, weights, *modifiers, options=options), mine)


@pytest.mark.real
@pytest.mark.parametrize("model", ["dominant", "recessive"])
def test_dominant_and_recessive(real: tuple[Cohort, Path], tmp_path: Path, model: str) -> None:
    """Where nothing is imputed. For what is missing, plink2 does not take the expected value of the model: see
    docs/methods/prs-scoring.md."""
    cohort, prefix = real
    weights = drawn(cohort.opened, 3, 2)
    mine = ours(cohort, tmp_path, weights.entries(model), 3, ScoreParams(missing="drop"))
    same(theirs(prefix, tmp_path, weights, model, "no-mean-imputation"), mine)


@pytest.mark.parametrize("missing", ["cohort-af", "drop"])
def test_x_y_and_mt(tmp_path: Path, missing: str) -> None:
    """Sums, and the alleles they rest on: of all regions at once, and of each alone."""
    n = {"autosome": 30, "PAR": 6, "X": 15, "Y": 8, "MT": 6}
    cohort = make(tmp_path, n, ["male", "female"] * 40, conflicts=False)
    plink_out.export_pgen(cohort.opened, str(tmp_path / "out"), select(cohort.opened))
    every = drawn(cohort.opened, 1, 3)
    regions = np.array(cohort.regions)
    modifiers = ["no-mean-imputation"] if missing == "drop" else []
    for region in ("", *n):
        weights = np.where(((regions == region) | (region == ""))[:, None], every.weights, 0.0)
        listed = np.flatnonzero(weights[:, 0])
        some = Weights(
            [every.ids[i] for i in listed], every.of_alt[listed], weights[listed],
            [every.ref[i] for i in listed], [every.alt[i] for i in listed],
        )  # fmt: skip
        folder = tmp_path / (region or "all")
        folder.mkdir()
        entries = Weights(every.ids, every.of_alt, weights, every.ref, every.alt).entries("")
        found = theirs(tmp_path / "out", folder, some, *modifiers, options=["--bad-freqs"])
        mine = ours(cohort, folder, entries, 1, ScoreParams(missing=missing))
        same(found, mine)
        n_alleles = pq.read_table(folder / "ours" / "scores.parquet").column("n_alleles").to_numpy()
        assert (n_alleles == found[:, -1]).all()
