"""Summary statistics of association studies as files: GWAS-SSF 1.0 of the GWAS Catalog, with the metadata beside."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

import cohelix
from cohelix.simulate.bgzf import END_OF_FILE, compress
from cohelix.simulate.haplotypes import RegionPanel
from cohelix.simulate.regions import BUILD, Region
from cohelix.simulate.traits.architecture import Architecture
from cohelix.simulate.traits.association import Found
from cohelix.simulate.traits.catalogue import traits

COLUMNS = (
    "chromosome", "base_pair_location", "effect_allele", "other_allele", "beta", "standard_error",
    "effect_allele_frequency", "p_value", "variant_id", "ref_allele", "n",
)  # fmt: skip
ANCESTRIES = {
    "afr": "African American or Afro-Caribbean",
    "amr": "Hispanic or Latin American",
    "eas": "East Asian",
    "eur": "European",
    "mid": "Greater Middle Eastern (Middle Eastern, North African or Persian)",
    "sas": "South Asian",
}
"""The GWAS Catalog's categories (Morales 2018)."""
_SMALLEST = 2.3e-308  # a p-value of 0 would have no rank


def write_gwas(
    folder: Path,
    architecture: Architecture,
    group: str,
    found: Iterable[Found],
    panels: Sequence[RegionPanel],
    regions: Sequence[Region],
    day: str,
) -> Iterator[Found]:
    """`<trait>-<group>.tsv.gz` of each trait and its `-meta.yaml`, written while what is found passes through.

    The effect allele is the alternate. day: of the study, as 2024-12-31. The files are whole once the iterator is at
    its end.
    """
    files = [SummaryFile(folder / f"{trait}-{group}.tsv.gz") for trait in architecture.traits.tolist()]
    n, cases = 0, np.zeros(len(files), np.int64)
    try:
        for one in found:
            n, cases = one.n, one.cases
            texts = texts_of(one, panels[one.region], regions[one.region])
            for row, file in enumerate(files):
                file.append(one, row, texts)
            yield one
        for row, (trait, file) in enumerate(zip(architecture.traits.tolist(), files, strict=True)):
            file.finish()
            text = metadata(file, trait, group, n, int(cases[row]), day)
            file.path.with_name(f"{file.path.name}-meta.yaml").write_text(text, encoding="utf-8")
    finally:
        for file in files:
            file.close()


class SummaryFile:
    """One table of summary statistics, compressed in BGZF blocks (any gzip reader reads them)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = path.open("wb")
        self._digest = hashlib.md5(usedforsecurity=False)
        self._write(compress(("\t".join(COLUMNS) + "\n").encode()))

    @property
    def md5(self) -> str:
        return self._digest.hexdigest()

    def append(self, found: Found, row: int, texts: list[tuple[str, str, str]]) -> None:
        """The tests of one region, those that gave no number left out. Regions come in genomic order."""
        there = np.flatnonzero(np.isfinite(found.p[row]))
        numbers = (values[row, there].tolist() for values in (found.beta, found.error, np.maximum(found.p, _SMALLEST)))
        lines = [
            f"{texts[place][0]}{digits(beta)}\t{digits(error)}{texts[place][1]}{p:.6g}{texts[place][2]}"
            for place, beta, error, p in zip(there.tolist(), *numbers, strict=True)
        ]
        if lines:
            self._write(compress("".join(lines).encode()))

    def finish(self) -> None:
        self._write(END_OF_FILE)
        self._handle.close()

    def close(self) -> None:
        self._handle.close()

    def _write(self, data: bytes) -> None:
        self._handle.write(data)
        self._digest.update(data)


def texts_of(found: Found, panel: RegionPanel, region: Region) -> list[tuple[str, str, str]]:
    """What the lines of all traits share for each variant: before the estimates, before the p-value, and behind it."""
    chromosome, sites = region.chromosome, panel.sites
    out = []
    for site, frequency in zip(found.site.tolist(), found.frequency.tolist(), strict=True):
        position, ref, alt = region.start + int(sites.offset[site]) + 1, sites.ref[site], sites.alts[site][0]
        name = f"{chromosome}_{position}_{ref}_{alt}"
        out.append((f"{chromosome}\t{position}\t{alt}\t{ref}\t", f"\t{frequency:.6g}\t", f"\t{name}\tOA\t{found.n}\n"))
    return out


def digits(value: float) -> str:
    """An estimate to 8 significant digits. A score made from estimates has the same text for its weights."""
    return f"{value:.8g}"


def metadata(file: SummaryFile, trait: str, group: str, n: int, cases: int, day: str) -> str:
    """What GWAS-SSF 1.0 wants to know beside the table, as YAML."""
    known = traits()[trait]
    lines = [
        "# Made data: people of a simulated training set",
        f"trait_description:\n  - {known.reported}",
        f"ontology_mapping:\n  - {known.ontology}",
        f"genome_assembly: {BUILD}",
        "coordinate_system: 1-based",
        "genotyping_technology:\n  - Genome-wide sequencing",
        f"samples:\n  - sample_ancestry_category:\n      - {ANCESTRIES[group]}",
        f"    sample_size: {n}",
        f"    case_control_study: {'true' if known.kind == 'binary' else 'false'}",
    ]
    if known.kind == "binary":
        lines += [f"    case_count: {cases}", f"    control_count: {n - cases}"]
    lines += [
        "sex: combined",
        f"data_file_name: {file.path.name}",
        "file_type: GWAS-SSF v1.0",
        f"data_file_md5sum: {file.md5}",
        f"analysis_software: cohelix {cohelix.__version__}",
        "adjusted_covariates:\n  - ancestry shares",
        "is_harmonised: false",
        "is_sorted: true",
        f"date_metadata_last_modified: {day}",
    ]
    return "\n".join(lines) + "\n"
