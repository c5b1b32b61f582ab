"""PLINK filesets into a draft: PGEN with its phase and alleles beyond two, and BED.

A file keeps phase with heterozygous genotypes; a homozygous one is phased where all heterozygous ones of the person's
gene are. A file without any phase is unphased throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cohelix import genome
from cohelix.errors import InputError, ReferenceMismatch
from cohelix.genome import Contig
from cohelix.genotypes import inputs, plink
from cohelix.pgx.extraction import kernels
from cohelix.pgx.extraction.draft import Draft
from cohelix.pgx.extraction.loci import AUTOSOME, HAPLOID, Loci

COPIES_OF_X = {"male": 1, "female": 2}
"""Who is in neither has a number of copies that is not known."""


@dataclass(frozen=True)
class Variant:
    """A row near a locus. index: in the file. contig: its plain name."""

    index: int
    contig: str
    position: int
    ref: str
    alts: tuple[str, ...]


def read(
    target: str, loci: Loci, folder: Path, sexes: str | None
) -> tuple[Sequence[str], dict[str, Any], dict[str, Any]]:
    """(sample ids, what `Draft.finish` says, further report) of the fileset at `target`, a prefix or one of its files.

    sexes: a table, before what the fileset says. InputError where its files are damaged or do not belong together.
    """
    prefix = target.removesuffix(".pgen").removesuffix(".bed")
    binary = target.endswith(".bed") or not Path(f"{prefix}.pgen").is_file()
    fileset, variants = _opened(prefix, loci, binary)
    stated = fileset.sexes if sexes is None else inputs.read_sexes(sexes, fileset.sample_ids)
    n = len(fileset.sample_ids)
    copies_x = np.array([COPIES_OF_X.get(sex, 0) for sex in stated], np.uint8)
    copies = {AUTOSOME: np.full(n, 2, np.uint8), HAPLOID: np.ones(n, np.uint8)}
    draft = Draft(folder, loci, n)
    pairs, phased = np.empty(2 * n, np.int32), np.empty(n, np.uint8)
    codes, any_phase = np.empty(n, np.uint8), False
    with plink._open(fileset) as reader:
        for variant in variants:
            places = draft.places(variant.contig, variant.position, variant.ref, variant.alts)
            if not places:
                continue
            try:
                reader.read_alleles_and_phasepresent(variant.index, pairs, phased)
            except RuntimeError as error:
                raise plink._damaged() from error
            phased &= pairs[::2] != pairs[1::2]  # pgenlib says phased of homozygous genotypes, whatever the file
            any_phase = any_phase or bool(phased.any())
            for place in places:
                kernels.place_pairs(
                    pairs.reshape(n, 2), place.codes_of, copies.get(place.locus.ploidy, copies_x), codes,
                    draft.counts[place.locus.gene],
                )  # fmt: skip
                phase = np.where(codes >> 4 == kernels.ABSENT, np.uint8(kernels.PHASED), phased)
                draft.put(place, codes, phase)
    found = draft.finish(phase_of_heterozygous_only=any_phase)
    return fileset.sample_ids, found, {"n_records": len(variants), "phased": any_phase}


def _opened(prefix: str, loci: Loci, binary: bool) -> tuple[plink.Fileset, list[Variant]]:
    """The fileset and its rows near loci, checked against one another."""
    if binary:
        genotypes, people, sites = (plink._member(prefix, suffix) for suffix in (".bed", ".fam", ".bim"))
        sample_ids, sexes = plink.read_fam(people)
    else:
        genotypes, people = plink._member(prefix, ".pgen"), plink._member(prefix, ".psam", ".fam")
        sites = plink._member(prefix, ".pvar", ".pvar.zst", ".bim")
        sample_ids, sexes = plink.read_psam(people)
    variants, offsets = read_sites(sites, loci)
    fileset = plink.Fileset(genotypes, [], offsets, sample_ids, sexes)
    if binary:
        plink.check_bed(genotypes, n_samples=len(sample_ids), n_variants=fileset.n_variants)
    else:
        plink._check_pgen(fileset)
    return fileset, variants


def read_sites(path: Path, loci: Loci) -> tuple[list[Variant], np.ndarray]:
    """(rows near loci, offsets of the alleles of all rows) of a .pvar, .pvar.zst or .bim file."""
    contigs: list[Contig] = []
    with plink._open_text(path) as handle:
        for raw in handle:
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if line.startswith("##"):
                contig = plink._header_contig(line)
                contigs += [contig] if contig else []
                continue
            if line.startswith("#CHROM\t"):
                _check_build(contigs)
                return _table(handle, line.split("\t"), loci)
            break
    rows, offsets = plink.read_bim(path, build=genome.UNKNOWN_BUILD)
    variants = [
        Variant(row.variant, genome.plain_name(row.contig), row.site.position, row.site.ref, (row.site.alt,))
        for row in rows
        if loci.near(genome.plain_name(row.contig), row.site.position, row.site.ref)
    ]
    return variants, offsets


def _table(handle: Any, names: list[str], loci: Loci) -> tuple[list[Variant], np.ndarray]:
    """What follows the #CHROM line of a .pvar, in batches: Python sees the rows near loci only."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv

    wanted = ["#CHROM", "POS", "REF", "ALT"]
    if not set(wanted) <= set(names):
        raise InputError("expected columns #CHROM POS ID REF ALT in the .pvar. Check the file.")
    bases = np.unique(np.array([base for by_base in loci.by_base.values() for base in by_base], np.int64))
    variants: list[Variant] = []
    counts: list[np.ndarray] = []
    types = {"#CHROM": pa.string(), "POS": pa.int64(), "REF": pa.string(), "ALT": pa.string()}
    try:
        batches = pyarrow.csv.open_csv(
            handle,
            pyarrow.csv.ReadOptions(column_names=names, block_size=1 << 24),
            pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False),
            pyarrow.csv.ConvertOptions(include_columns=wanted, column_types=types, strings_can_be_null=False),
        )
        first = 0
        for batch in batches:
            position = batch.column("POS").to_numpy(zero_copy_only=False)
            counts.append(pc.count_substring(batch.column("ALT"), ",").to_numpy(zero_copy_only=False) + 2)
            last_base = position + pc.binary_length(batch.column("REF")).to_numpy(zero_copy_only=False) - 1
            following = np.append(bases, np.iinfo(np.int64).max)[np.searchsorted(bases, position)]
            near = np.flatnonzero(following <= last_base)
            for row, line in zip(near, batch.take(pa.array(near)).to_pylist(), strict=True):
                contig = genome.plain_name(line["#CHROM"])
                if loci.near(contig, line["POS"], line["REF"]):
                    alts = tuple(line["ALT"].split(","))
                    variants.append(Variant(first + int(row), contig, line["POS"], line["REF"], alts))
            first += batch.num_rows
    except pa.ArrowInvalid as error:
        if "Empty CSV" not in str(error):
            raise InputError(
                f"expected {len(names)} tab-separated columns, with a position in POS, on every line of the .pvar, "
                "found another. Check the file."
            ) from None
    alleles = np.concatenate(counts) if counts else np.empty(0, np.int64)
    return variants, np.concatenate([[0], np.cumsum(alleles)]).astype(np.uintp)


def _check_build(contigs: Sequence[Contig]) -> None:
    build = genome.build_of(contigs)
    if build not in ("GRCh38", genome.UNKNOWN_BUILD):
        raise ReferenceMismatch(
            f"expected genotypes of GRCh38, as the definitions, found contig lengths of {build} in the .pvar. "
            "Lift the genotypes over, or call them on GRCh38."
        )
