"""Made callsets with every kind of ploidy, and folders of matched scores written by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix import dataset
from cohelix.genome import Contig
from cohelix.genotypes import callset, counts
from cohelix.genotypes.callset import Callset
from cohelix.genotypes.outputs import seal_of
from tests.oracles.prs_scoring import Entry

LENGTHS = {"chr1": 248956422, "chr2": 242193529, "chrX": 156040895, "chrY": 57227415, "chrM": 16569}


@dataclass(frozen=True)
class Cohort:
    """genotypes int8 (sites, samples) of 0, 1, 2 and -9; regions and (shard, row) of each site."""

    opened: Callset
    genotypes: np.ndarray
    regions: list[str]
    places: list[tuple[int, int]]
    sexes: list[str]

    @property
    def root(self) -> str:
        return self.opened.root


def places_of(n: dict[str, int]) -> list[tuple[str, int, str]]:
    """contig, position and region of sites: n by region."""
    out = [("chr1", 1000 + 10 * i, "autosome") for i in range(n.get("autosome", 0))]
    out += [("chrX", 100_000 + 10 * i, "PAR") for i in range(n.get("PAR", 0) // 2)]
    out += [("chrX", 5_000_000 + 10 * i, "X") for i in range(n.get("X", 0))]
    out += [("chrX", 155_800_000 + 10 * i, "PAR") for i in range(n.get("PAR", 0) - n.get("PAR", 0) // 2)]
    out += [("chrY", 3_000_000 + 10 * i, "Y") for i in range(n.get("Y", 0))]
    return out + [("chrM", 100 + 10 * i, "MT") for i in range(n.get("MT", 0))]


def make(
    folder: Path,
    n: dict[str, int],
    sexes: Sequence[str],
    *,
    missing: float = 0.1,
    conflicts: bool = True,
    seed: int = 1,
) -> Cohort:
    """Genotypes at random; with `conflicts`, hets of men on X, and of anybody on MT, and genotypes of women on Y.

    The first site is missing in everybody, the second in nobody.
    """
    rng = np.random.default_rng(seed)
    listed = places_of(n)
    p = rng.uniform(0.05, 0.95, len(listed))
    genotypes = rng.binomial(2, p[:, None], (len(listed), len(sexes))).astype(np.int8)
    genotypes[rng.random(genotypes.shape) < missing] = -9
    if missing and len(listed) > 2:
        genotypes[0], genotypes[1] = -9, np.abs(genotypes[1]) % 3
    ids = [f"P{i:06d}" for i in range(len(sexes))]
    root = str(folder / "made.callset")
    writer = dataset.begin(root, callset.KIND, {"seed": seed}, after=0)
    shards, files, places = [], [], []
    contigs = [Contig(name, length) for name, length in LENGTHS.items()]
    for contig in contigs:
        rows = [row for row, place in enumerate(listed) if place[0] == contig.name]
        half = len(rows) // 2 if contig.name == "chr1" else 0
        for part in (rows[:half], rows[half:]):
            if part:
                if not conflicts:
                    block = genotypes[part]
                    positions = np.array([listed[row][1] for row in part])
                    counts.drop_conflicts(block, counts.ploidy_of("GRCh38", contig.name, positions, list(sexes)))
                    genotypes[part] = block
                shard, more = _shard(writer, contig, [listed[row] for row in part], genotypes[part], ids, list(sexes))
                places += [(len(shards), row) for row in range(len(part))]
                shards.append(shard)
                files += more
    zeros = pa.array(np.zeros(len(ids), np.int64))
    table = {"sample_id": pa.array(ids), "sex": pa.array(sexes), "n_sites": zeros, "n_called": zeros}
    samples = callset.write_samples(writer, pa.table(table | dict.fromkeys(counts.CALLED, zeros)))
    opened = callset.commit_callset(
        writer, build="GRCh38", contigs=contigs, shards=shards, samples=samples, n_samples=len(ids), files=files,
        alleles="trimmed", params={}, after=0,
    )  # fmt: skip
    return Cohort(opened, genotypes, [place[2] for place in listed], places, list(sexes))


def _shard(
    writer: dataset.Writer, contig: Contig, listed: list[tuple[str, int, str]], block: np.ndarray, ids: list[str],
    sexes: list[str],
) -> tuple[callset.Shard, list[dataset.FileEntry]]:  # fmt: skip
    positions = np.array([place[1] for place in listed], np.int32)
    columns = {
        "contig": pa.array([contig.name] * len(listed)),
        "position": pa.array(positions),
        "ref": pa.array(["A"] * len(listed)),
        "alt": pa.array(["C"] * len(listed)),
        "id": pa.array([f"{contig.name}:{position}:A:C" for position in positions.tolist()]),
        "kind": pa.array(["snp"] * len(listed)),
    }
    ploidy = counts.ploidy_of("GRCh38", contig.name, positions, sexes)
    kept = block.copy()
    counts.drop_conflicts(kept, ploidy)
    sites = pa.table(columns | counts.site_columns(counts.count_variants(kept, ploidy)))
    return callset.write_shard(
        writer, name=f"{contig.name}-{positions[0]}", contig=contig.name, start=int(positions[0]) - 1,
        end=int(positions[-1]), build="GRCh38", sites=sites, blocks=[block], sample_ids=ids, sexes=sexes,
    )  # fmt: skip


def write_match(
    folder: Path, cohort: Cohort, entries: Sequence[Entry], n_scores: int, *, n_files: int = 2,
    not_passed: Sequence[int] = (), frequency: Sequence[float | None] | None = None, row_group: int = 50,
) -> Path:  # fmt: skip
    """A folder of matched scores: all sites of the cohort, in order; scores dealt to files in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    sites = pa.concat_tables([cohort.opened.sites(shard) for shard in cohort.opened.shards])
    columns = {
        "site": pa.array(np.arange(len(cohort.places), dtype=np.int32)),
        "shard": pa.array([shard for shard, _ in cohort.places], pa.int32()),
        "row": pa.array([row for _, row in cohort.places], pa.int32()),
        "region": pa.array(cohort.regions),
    } | {name: sites.column(name) for name in ("contig", "position", "ref", "alt")}
    if frequency is not None:
        columns["frequency"] = pa.array(frequency, pa.float64())
    pq.write_table(pa.table(columns), folder / "sites.parquet")
    rows = [sum(not e.same_row for e in entries if e.score == score) for score in range(n_scores)]
    scores = {
        "score": pa.array(range(n_scores), pa.int32()),
        "id": pa.array([f"PGS{score:06d}" for score in range(n_scores)]),
        "name": pa.array([f"../{score}" for score in range(n_scores)]),
        "n_rows": pa.array(rows, pa.int64()),
        "n_matched": pa.array(rows, pa.int64()),
        "share_matched": pa.array([1.0] * n_scores),
        "passed": pa.array([score not in not_passed for score in range(n_scores)]),
        "reason": pa.array(["overlap" if score in not_passed else "" for score in range(n_scores)]),
    }
    pq.write_table(pa.table(scores), folder / "scores.parquet")
    for number in range(n_files):
        own = [e for e in entries if e.score % n_files == number and e.score not in not_passed]
        own.sort(key=lambda e: (e.site, e.score))
        weights = {
            "site": pa.array([e.site for e in own], pa.int32()),
            "score": pa.array([e.score for e in own], pa.int32()),
            "form": pa.array([e.form | (8 if e.same_row else 0) for e in own], pa.int8()),
            "weight": pa.array([e.weight for e in own], pa.float64()),
        }
        pq.write_table(pa.table(weights), folder / f"weights-{number:05d}.parquet", row_group_size=row_group)
    digest = dataset.digest_of([asdict(entry) for entry in cohort.opened.commit.files])
    record = {"inputs": [{"role": "callset", "sha256": digest}], "digest": dataset.digest_of(repr(entries))}
    summary = {"kind": "prs_match", "n_scores": n_scores, "n_sites": len(cohort.places), "n_batches": n_files}
    (folder / "special.json").write_text(json.dumps({"rows": [], "headers": {}}))
    seals = {path.name: seal_of(path.read_bytes()) for path in folder.iterdir()}
    (folder / "match.json").write_text(json.dumps(summary | {"provenance": record, "files": seals}))
    return folder


def random_entries(
    rng: np.random.Generator, n_sites: int, n_scores: int, share: float, forms: Sequence[int] = (0, 1, 2, 3, 4)
) -> list[Entry]:
    """Rows of one to three entries; now and then a score has two rows at a site."""
    out = []
    for score in range(n_scores):
        chosen = np.flatnonzero(rng.random(n_sites) < share)
        for site in sorted([*chosen.tolist(), *chosen[:2].tolist()]):
            for place in range(int(rng.integers(1, 4))):
                out.append(Entry(site, score, int(rng.choice(forms)), float(rng.normal()), place > 0))
    return out
