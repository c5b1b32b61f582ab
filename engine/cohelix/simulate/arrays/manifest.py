"""The manifest of a made array, as Illumina writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cohelix.simulate.arrays.design import BUILD, NAME, SOURCE, ArrayDesign
from cohelix.simulate.arrays.strands import around

COLUMNS = (
    "IlmnID,Name,IlmnStrand,SNP,AddressA_ID,AlleleA_ProbeSeq,AddressB_ID,AlleleB_ProbeSeq,GenomeBuild,Chr,MapInfo,Ploidy,"
    "Species,Source,SourceVersion,SourceStrand,SourceSeq,TopGenomicSeq,BeadSetID,Exp_Clusters,RefStrand"
)
BEAD_SETS = (1040, 1058, 1065, 1080, 1147, 1165)
_OTHER = {("TOP", False): "BOT", ("BOT", False): "TOP"}  # strand of the reference, where the probe is on the other
_CONTROLS = (
    ("0027630314", "Staining", "Red", "DNP (High)"),
    ("0029619375", "Staining", "Purple", "DNP (Bgnd)"),
    ("0041666334", "Staining", "Green", "Biotin (High)"),
    ("0034648333", "Staining", "Blue", "Biotin (Bgnd)"),
    ("0017616306", "Extension", "Red", "Extension (A)"),
    ("0014607337", "Extension", "Purple", "Extension (T)"),
    ("0012613307", "Extension", "Green", "Extension (C)"),
    ("0011603365", "Extension", "Blue", "Extension (G)"),
)


def bead_sets(design: ArrayDesign) -> list[int]:
    """Of each marker: which are normalised together."""
    return [BEAD_SETS[number % len(BEAD_SETS)] for number in design.markers.number.tolist()]


def write_manifest(design: ArrayDesign, path: Path) -> None:
    """CSV with [Heading], [Assay] and [Controls]. RefStrand is wrong for the flipped markers, everything else is true.

    The strand columns follow Illumina's rules (`strands`); SourceStrand is that of the reference, and SourceSeq the
    sequence on it.
    """
    lines = ["Illumina, Inc.", "[Heading]", f"Descriptor File Name,{NAME}.bpm", "Assay Format,Infinium HTS",
             "Date Manufactured,1/1/2024", f"Loci Count ,{design.size}", "[Assay]", COLUMNS]  # fmt: skip
    lines += _rows(design)
    lines += ["[Controls]", *(",".join(row) for row in _CONTROLS)]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def _rows(design: ArrayDesign) -> list[str]:
    m, rows = design.markers, []
    address = np.arange(design.size) * 2 + 10_000_000
    for k, (found, name, sets) in enumerate(zip(design.assays, design.names, bead_sets(design), strict=True)):
        indel = found.strand in ("PLUS", "MINUS")
        on_reference = "PLUS" if indel else _OTHER.get((found.strand, found.on_plus), found.strand)
        source = around(found, same_strand=found.on_plus)
        top = source if indel else around(found, same_strand=found.strand == "TOP")
        letter, forward = found.strand[0], "F" if found.on_plus else "R"
        strand = "+" if found.on_plus != bool(m.flipped[k]) else "-"
        second = f"{address[k] + 1:010d}" if found.probe_b else ""
        rows.append(
            f"{name}_{letter}_{forward}_{m.number[k]},{name},{found.strand},{found.alleles},"
            f"{address[k]:010d},{found.probe_a},{second},{found.probe_b},{BUILD},{design.chromosomes[k]},"
            f"{design.map_positions[k]},diploid,Homo sapiens,{SOURCE},0,{on_reference},{source},{top},{sets},3,{strand}"
        )
    return rows
