"""A small callset for tests of terms, and folders of matches with special rows alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cohelix.genotypes.vcf import import_vcf

LENGTHS = {"chr1": 248956422, "chr6": 170805979, "chr19": 58617616, "chrX": 156040895}

SITES = [
    ("chr1", 1000, "A", "G"),
    ("chr1", 2000, "C", "T"),
    ("chr1", 3000, "A", "T"),
    ("chr1", 4000, "G", "A"),
    ("chr1", 4000, "G", "C"),
    ("chr1", 5000, "CA", "C"),
    ("chr6", 500, "G", "C"),
    ("chr19", 44908684, "T", "C"),
    ("chr19", 44908822, "C", "T"),
    ("chrX", 1_000_000, "A", "C"),
    ("chrX", 5_000_000, "A", "C"),
]


def callset(folder: Path, genotypes: Mapping[tuple[str, int, str], Sequence[str]], sexes: Sequence[str]) -> str:
    """genotypes: GT fields of each person by (contig, position, ALT); "0/0" of everybody where a site is not named."""
    people = [f"P{number:03d}" for number in range(len(sexes))]
    lines = ["##fileformat=VCFv4.2", '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines += [f"##contig=<ID={name},length={length}>" for name, length in LENGTHS.items()]
    lines.append("\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *people]))
    for contig, position, ref, alt in SITES:
        called = genotypes.get((contig, position, alt), ["0/0"] * len(people))
        lines.append("\t".join([contig, str(position), ".", ref, alt, ".", ".", ".", "GT", *called]))
    path = folder / "made.vcf"
    path.write_text("\n".join(lines) + "\n")
    root = str(folder / "made.callset")
    import_vcf(str(path), root, sexes=dict(zip(people, sexes, strict=True)))
    return root


def interaction(score: int, row: int, weight: float, *variants: tuple[str, int, str, str]) -> dict[str, Any]:
    """A row as the PGS Catalog writes it: entries joined by `_x_`."""
    names = ("chr_name", "chr_position", "effect_allele", "other_allele")
    columns = zip(*variants, strict=True)
    fields = {name: "_x_".join(map(str, values)) for name, values in zip(names, columns, strict=True)}
    return {
        "score": score, "row": row, "kind": "interaction", "weight": weight,
        "fields": {key: text for key, text in fields.items() if text.strip("_x")} | {"is_interaction": "TRUE"},
    }  # fmt: skip


def special(score: int, row: int, kind: str, weight: float | None, **fields: str) -> dict[str, Any]:
    return {"score": score, "row": row, "kind": kind, "weight": weight, "fields": fields}


def match_folder(
    folder: Path, rows: Sequence[Mapping[str, Any]], header: Mapping[str, str] | None = None, **params: Any
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    said = dict(header or {"genome_build": "GRCh38"})
    scores = sorted({row["score"] for row in rows})
    (folder / "special.json").write_text(
        json.dumps({"rows": list(rows), "headers": {str(score): said for score in scores}})
    )
    (folder / "match.json").write_text(json.dumps({"params": params}))
    return folder
