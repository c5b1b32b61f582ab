"""Made gVCFs with every kind of evidence at sites of scores, their genome, and the scoring files."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pysam

from cohelix.joint.ingest import ingest
from cohelix.joint.schema import IngestParams
from cohelix.runtime.local import LocalRuntime
from tests.joint import made
from tests.joint.made import block, variant

CONTIGS = {"chr21": 46709983, "chr22": 50818468, "chrX": 156040895}
PLACED = {
    "chr21": {1000: "A", 2000: "C", 3000: "G", 4000: "A", 5000: "C", 6000: "A", 6001: "T", 7000: "T", 8000: "G"},
    "chr22": {1000: "G"},
    "chrX": {2_800_000: "A"},
}
"""Bases of the genome at the sites of the scores; the rest is drawn."""

SEXES = {"P1": "female", "P2": "female", "P3": "female", "P4": "female", "P5": "female", "P6": "male", "P7": "male"}


def fasta(folder: Path) -> str:
    draw = random.Random(7)
    lengths = {"chr21": 10_000, "chr22": 5_000, "chrX": 2_801_000}
    path = folder / "genome.fa"
    with path.open("w") as handle:
        for name, length in lengths.items():
            bases = draw.choices("ACGT", k=1_000) * (length // 1_000 + 1)
            bases = bases[:length]
            for position, base in PLACED[name].items():
                bases[position - 1] = base
            handle.write(f">{name}\n" + "".join(bases) + "\n")
    pysam.faidx(str(path))
    return str(path)


def people() -> dict[str, list[list[str]]]:
    """Records by sample.

    P1 is reference wherever it matters; P2 is het at 1000; P3 hom-alt at 1000. P4: a no-call block over 1000, GQ 0
    over 2000, nothing at all over 3000. P5: a half call at 1000, another alternate at 4000. P6 and P7, men: X.
    """
    rest = block("chr21", 1001, 9000)
    return {
        "P1": [block("chr21", 900, 9000), block("chr22", 900, 2000), block("chrX", 2_799_900, 2_800_100)],
        "P2": [block("chr21", 900, 999), variant("chr21", 1000, "A", "G", "0/1"), rest, block("chr22", 900, 2000),
               block("chrX", 2_799_900, 2_799_999), variant("chrX", 2_800_000, "A", "C", "0/1")],
        "P3": [block("chr21", 900, 999), variant("chr21", 1000, "A", "G", "1/1"), block("chr21", 1001, 6999),
               variant("chr21", 7000, "T", "C", "0/1"), block("chr21", 7001, 9000)],
        "P4": [block("chr21", 900, 1100, gt="./.", gq=0), block("chr21", 1101, 1999),
               block("chr21", 2000, 2100, gq=0), block("chr21", 2101, 2900), block("chr21", 3100, 9000)],
        "P5": [block("chr21", 900, 999), variant("chr21", 1000, "A", "G", "./1"), block("chr21", 1001, 3999),
               variant("chr21", 4000, "A", "C", "0/1"), block("chr21", 4001, 9000)],
        "P6": [block("chr21", 900, 9000), block("chrX", 2_799_900, 2_799_999),
               variant("chrX", 2_800_000, "A", "C", "1", pl="500,0,500")],
        "P7": [block("chr21", 900, 9000), block("chrX", 2_799_900, 2_800_100, gt="0")],
    }  # fmt: skip


def call_store(folder: Path) -> str:
    gvcfs = [made.Gvcf(name, dict(CONTIGS), records=records) for name, records in people().items()]
    lines = [f"{name}\t{path}\t{SEXES[name]}" for name, path in made.write(folder / "gvcfs", gvcfs)]
    manifest = folder / "manifest.tsv"
    manifest.write_text("\n".join(["sample_id\tpath\tsex", *lines]) + "\n")
    ingest(str(manifest), str(folder / "made.calls"), IngestParams(), LocalRuntime(1))
    return str(folder / "made.calls")


def score_file(
    path: Path, rows: Sequence[tuple[object, ...]], *, build: str = "GRCh38", score: str = "MADE000001",
    columns: Sequence[str] = ("chr_name", "chr_position", "effect_allele", "other_allele", "effect_weight"),
) -> str:  # fmt: skip
    lines = [f"#pgs_id={score}", "#trait_reported=made", f"#genome_build={build}", "\t".join(columns)]
    path.write_text("\n".join([*lines, *("\t".join(map(str, row)) for row in rows)]) + "\n")
    return str(path)
