"""PLINK 1 filesets (BED, BIM, FAM) and PLINK 2 filesets (PGEN, PVAR, PSAM) into a callset.

As in plink2, A1 of a .bim file is the alternate allele and A2 the reference, unless `a1="ref"`.
Hard calls only: phase and dosages of a PGEN file are not kept. A multi-allelic row becomes one row per alternate
allele; a copy of another alternate allele counts as not this one.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pgenlib

from cohelix import genome
from cohelix.errors import ConfigError, InputError
from cohelix.genome import Contig
from cohelix.genotypes import alleles, assembly
from cohelix.genotypes.assembly import Builder, Site
from cohelix.genotypes.callset import BLOCK_VALUES, Callset, order_of

BED_MAGIC = b"\x6c\x1b\x01"
BED_SAMPLE_MAJOR = b"\x6c\x1b\x00"
_NUMBERED = {"23": "X", "24": "Y", "25": "XY", "26": "MT"}
_PAR = ("XY", "PAR1", "PAR2")


@dataclass(frozen=True)
class Row:
    """One alternate allele of one line: where it goes, and where its genotypes come from."""

    contig: str
    site: Site
    variant: int
    allele: int


@dataclass(frozen=True)
class Fileset:
    """A fileset that was opened and checked: its rows in file order, its samples in file order."""

    genotypes: Path
    rows: list[Row]
    allele_offsets: np.ndarray
    sample_ids: list[str]
    sexes: list[str]

    @property
    def n_variants(self) -> int:
        return len(self.allele_offsets) - 1


def import_bed(
    prefix: str,
    root: str,
    *,
    build: str = "unknown",
    a1: str = "alt",
    duplicates: str = "error",
    overwrite: bool = False,
) -> Callset:
    """The callset at `root` made from `<prefix>.bed/.bim/.fam`. `a1` is what A1 means: "alt" or "ref".

    InputError where the files are damaged or do not belong together; nothing is left behind then.
    """
    if a1 not in ("alt", "ref"):
        raise ConfigError(f"expected a1 to be 'alt' or 'ref', found {a1!r}.")
    build = assembly.check_build("unknown" if build == "auto" else build, [])
    base = _base(prefix, ".bed")
    sample_ids, sexes = read_fam(_member(base, ".fam"))
    rows, offsets = read_bim(_member(base, ".bim"), build=build, a1=a1)
    check_bed(_member(base, ".bed"), n_samples=len(sample_ids), n_variants=len(offsets) - 1)
    files = [_member(base, suffix) for suffix in (".bed", ".bim", ".fam")]
    fileset = Fileset(files[0], rows, offsets, sample_ids, sexes)
    params = {"source": "bed", "a1": a1, "duplicates": duplicates}
    return _import(fileset, root, build=build, swap=a1 == "ref", params=params, inputs=files, overwrite=overwrite)


def import_pgen(
    prefix: str, root: str, *, build: str = "auto", duplicates: str = "error", overwrite: bool = False
) -> Callset:
    """The callset at `root` made from `<prefix>.pgen/.pvar/.psam` (.pvar.zst and .bim/.fam are read as well)."""
    base = _base(prefix, ".pgen")
    files = [_member(base, ".pgen"), _member(base, ".pvar", ".pvar.zst", ".bim"), _member(base, ".psam", ".fam")]
    sample_ids, sexes = read_psam(files[2])
    rows, offsets, contigs, build = read_pvar(files[1], build=build)
    fileset = Fileset(files[0], rows, offsets, sample_ids, sexes)
    _check_pgen(fileset)
    params = {"source": "pgen", "duplicates": duplicates}
    return _import(
        fileset, root, build=build, swap=False, params=params, inputs=files, contigs=contigs, overwrite=overwrite
    )


def check_bed(path: Path, *, n_samples: int, n_variants: int) -> None:
    """InputError unless the .bed file is variant-major and has exactly the size that its neighbours ask for."""
    expected = 3 + (n_samples + 3) // 4 * n_variants
    with path.open("rb") as handle:
        magic = handle.read(3)
    if magic == BED_SAMPLE_MAJOR:
        raise InputError(
            "expected a variant-major .bed file, found a sample-major one (third byte 0). "
            "Convert it with plink --bfile X --make-bed."
        )
    if magic != BED_MAGIC:
        seen = magic.hex(" ") or "nothing"
        raise InputError(f"expected a .bed file to begin with bytes 6c 1b 01, found {seen}. Check the file.")
    if path.stat().st_size != expected:
        raise InputError(
            f"expected {expected} bytes in the .bed file ({n_variants} variants in .bim, {n_samples} samples in .fam), "
            f"found {path.stat().st_size}. The copy is incomplete, or the three files do not belong together."
        )


def read_fam(path: Path) -> tuple[list[str], list[str]]:
    """(sample ids, sexes) of a .fam file, in its order. The family id is not kept."""
    ids, sexes = [], []
    for number, fields in _lines(path):
        if len(fields) < 5:
            raise _columns("at least 5", ".fam", fields, number)
        ids.append(fields[1])
        sexes.append(_sex(fields[4]))
    return ids, sexes


def read_psam(path: Path) -> tuple[list[str], list[str]]:
    """(sample ids, sexes) of a .psam file, in its order; without a header line it is read as a .fam file."""
    names: list[str] | None = None
    ids, sexes = [], []
    for number, fields in _lines(path):
        if fields[0] in ("#FID", "#IID"):
            names = [fields[0][1:], *fields[1:]]
            continue
        if fields[0].startswith("##"):
            continue
        if names is None:
            return read_fam(path)
        if len(fields) < len(names):
            raise _columns(f"{len(names)}", ".psam", fields, number)
        ids.append(fields[names.index("IID")])
        sexes.append(_sex(fields[names.index("SEX")]) if "SEX" in names else "unknown")
    return ids, sexes


def read_bim(path: Path, *, build: str, a1: str = "alt") -> tuple[list[Row], np.ndarray]:
    """(rows, allele offsets) of a .bim file. Allele 0 stands for an allele that nobody has."""
    rows: list[Row] = []
    for number, fields in _lines(path):
        if len(fields) not in (5, 6):
            raise _columns("6", ".bim", fields, number)
        alt, ref = fields[-2:] if a1 == "alt" else fields[:-3:-1]
        where = f"line {number} of .bim"
        rows.append(_row(fields[0], fields[-3], fields[1], ref, alt, ".", len(rows), 1, build, where))
    return _one_name_for_x(rows), np.arange(0, 2 * len(rows) + 1, 2, dtype=np.uintp)


def read_pvar(path: Path, *, build: str) -> tuple[list[Row], np.ndarray, list[Contig], str]:
    """(rows, allele offsets, contigs of the header, build) of a .pvar file; without a header it is read as a .bim."""
    rows: list[Row] = []
    offsets, contigs = [0], []
    names: list[str] | None = None
    for number, fields in _lines(path):
        if fields[0].startswith("##"):
            contigs += [contig] if (contig := _header_contig(" ".join(fields))) else []
            continue
        if fields[0] == "#CHROM":
            names = ["CHROM", *fields[1:]]
            if not {"POS", "ID", "REF", "ALT"} <= set(names):
                raise InputError(f"expected columns #CHROM POS ID REF ALT on line {number} of .pvar. Check the file.")
            continue
        if names is None:
            rows, flat = read_bim(path, build=build)
            return rows, flat, [], assembly.check_build(build, [])
        if len(fields) < min(len(names), 5):
            raise _columns(f"{len(names)}", ".pvar", fields, number)
        line = dict(zip(names, fields, strict=False))
        if build == "auto":
            build = assembly.check_build(build, contigs)
        variant = len(offsets) - 1
        alts = line["ALT"].split(",")
        offsets.append(offsets[-1] + 1 + len(alts))
        for allele, alt in enumerate(alts, start=1):
            if alt != "*":
                where = f"line {number} of .pvar"
                rows.append(
                    _row(line["CHROM"], line["POS"], line["ID"], line["REF"], alt, line.get("FILTER", "."),
                         variant, allele, build, where)
                )  # fmt: skip
    return _one_name_for_x(rows), np.array(offsets, np.uintp), contigs, assembly.check_build(build, contigs)


def _import(
    fileset: Fileset,
    root: str,
    *,
    build: str,
    swap: bool,
    params: dict[str, Any],
    inputs: Sequence[Path],
    overwrite: bool,
    contigs: Sequence[Contig] = (),
) -> Callset:
    assembly.check_duplicates(params["duplicates"])
    order = order_of(fileset.sample_ids)
    with assembly.destination(root, params, inputs, overwrite=overwrite) as (writer, after, record):
        present = _contigs(fileset.rows, contigs)
        builder = Builder(
            writer,
            build=build,
            contigs=present,
            sample_ids=[fileset.sample_ids[index] for index in order],
            sexes=[fileset.sexes[index] for index in order],
        )
        by_contig: dict[str, list[Row]] = {contig.name: [] for contig in present}
        for row in fileset.rows:
            by_contig[row.contig].append(row)
        dropped = 0
        for contig in present:
            rows = sorted(by_contig[contig.name], key=lambda row: row.site)
            kept = assembly.distinct(contig.name, [row.site for row in rows], duplicates=params["duplicates"])
            dropped += len(rows) - len(kept)
            rows = [rows[index] for index in kept]
            sites = [row.site for row in rows]
            _check_end(contig, sites)
            start = 0
            for first, last in assembly.cut(sites, assembly.shard_rows(len(order))):
                end = sites[last].position - 1 if last < len(sites) else max(contig.length, sites[-1].position)
                blocks = _blocks(fileset, rows[first:last], np.array(order), swap=swap)
                builder.add(contig.name, start, end, sites[first:last], blocks)
                start = end
        params = params | {"n_duplicates_dropped": dropped}
        return builder.commit(alleles_are="trimmed", params=params, provenance=record, after=after)


def _blocks(
    fileset: Fileset, rows: Sequence[Row], order: np.ndarray, *, swap: bool
) -> Callable[[], Iterator[np.ndarray]]:
    """A reader of int8 blocks for `rows`, samples in `order`. With `swap`, the other allele is counted."""
    per_block = max(1, BLOCK_VALUES // max(1, len(order)))
    variants = np.array([row.variant for row in rows], np.uint32)
    biallelic = all(fileset.allele_offsets[row.variant + 1] - fileset.allele_offsets[row.variant] == 2 for row in rows)

    def read() -> Iterator[np.ndarray]:
        with _open(fileset) as reader:
            for first in range(0, len(rows), per_block):
                chosen = variants[first : first + per_block]
                block = np.empty((len(chosen), len(order)), np.int8)
                try:
                    if biallelic:
                        reader.read_list(chosen, block)
                    else:
                        for index, row in enumerate(rows[first : first + per_block]):
                            reader.read(row.variant, block[index], row.allele)
                except RuntimeError as error:
                    raise _damaged() from error
                block = np.take(block, order, axis=1)
                if swap:
                    block = np.where(block >= 0, 2 - block, block).astype(np.int8)
                yield block

    return read


def _open(fileset: Fileset) -> Any:
    try:
        return pgenlib.PgenReader(
            str(fileset.genotypes).encode(),
            raw_sample_ct=len(fileset.sample_ids),
            variant_ct=fileset.n_variants,
            allele_idx_offsets=fileset.allele_offsets if (np.diff(fileset.allele_offsets) > 2).any() else None,
        )
    except RuntimeError as error:
        raise _damaged() from error


def _check_pgen(fileset: Fileset) -> None:
    with fileset.genotypes.open("rb") as handle:
        head = handle.read(12)
    if head[:2] != b"\x6c\x1b" or len(head) < 12:
        raise InputError("expected a .pgen file to begin with bytes 6c 1b, found something else. Check the file.")
    if head[2] in (0x02, 0x03, 0x04, 0x10, 0x11):
        variants, samples = (int(count) for count in np.frombuffer(head[3:11], "<u4"))
        if (variants, samples) != (fileset.n_variants, len(fileset.sample_ids)):
            raise InputError(
                f"expected {fileset.n_variants} variants and {len(fileset.sample_ids)} samples, as in .pvar and .psam, "
                f"found {variants} and {samples} in .pgen. The three files do not belong together."
            )
    with _open(fileset):
        pass


def _columns(expected: str, what: str, fields: Sequence[str], number: int) -> InputError:
    return InputError(f"expected {expected} columns in {what}, found {len(fields)} on line {number}. Check the file.")


def _damaged() -> InputError:
    return InputError(
        "the .pgen file is damaged or incomplete, or does not belong to its .pvar and .psam. Check with "
        "plink2 --pfile X --validate, or copy it again."
    )


def _row(
    chrom: str,
    pos: str,
    source_id: str,
    ref: str,
    alt: str,
    filters: str,
    variant: int,
    allele: int,
    build: str,
    where: str,
) -> Row:
    if not pos.isdigit() or int(pos) < 1:
        raise InputError(f"expected a position of 1 or more, found {pos!r} on {where}. Drop sites without a place.")
    contig = _contig_name(chrom, int(pos), build, where)
    ref, alt = alleles.check("N" if ref in ("0", ".") else ref, alleles.NO_ALTERNATE if alt == "0" else alt, where)
    position, ref, alt = alleles.trim(int(pos), ref, alt)
    return Row(contig, Site(position, ref, alt, source_id, filters), variant, allele)


def _contig_name(chrom: str, position: int, build: str, where: str) -> str:
    """PLINK's numbers for X, Y and MT become names; pseudo-autosomal codes become X."""
    name = _NUMBERED.get(chrom, chrom)
    if name == "0":
        raise InputError(f"chromosome 0 (not placed) on {where}. Drop such sites: plink2 --chr 1-26.")
    if name not in _PAR:
        return name
    if build == genome.UNKNOWN_BUILD or genome.par_name(build, "X", position - 1) is None:
        raise InputError(
            f"expected a position in a pseudo-autosomal region of X on {where}, which says {chrom}; "
            f"by build {build} it lies in none. Give --build GRCh37 or --build GRCh38, whichever is right."
        )
    return "X"


def _one_name_for_x(rows: list[Row]) -> list[Row]:
    """Rows from PAR1, PAR2 and XY on `chrX` where the file names its other chromosomes so."""
    if not any(row.contig.startswith("chr") for row in rows):
        return rows
    return [replace(row, contig="chrX") if row.contig == "X" else row for row in rows]


def _contigs(rows: Iterable[Row], listed: Sequence[Contig]) -> list[Contig]:
    """Contigs that have rows, named as the rows name them, in the order they are met; lengths from the header.

    plink2 writes `1` in rows under a header that says `chr1`: the length is found by the plain name.
    """
    lengths = {genome.plain_name(contig.name): contig.length for contig in listed}
    lengths |= {contig.name: contig.length for contig in listed}
    met = dict.fromkeys(row.contig for row in rows)
    return [Contig(name, lengths.get(name, lengths.get(genome.plain_name(name), 0))) for name in met]


def _check_end(contig: Contig, sites: Sequence[Site]) -> None:
    if contig.length and sites and sites[-1].position > contig.length:
        raise InputError(
            f"expected positions up to {contig.length} on {contig.name}, found {sites[-1].position}. Check the build."
        )


def _header_contig(line: str) -> Contig | None:
    if not line.startswith("##contig=<"):
        return None
    fields = dict(part.partition("=")[::2] for part in line[len("##contig=<") :].rstrip(">").split(","))
    length = fields.get("length", "0")
    return Contig(fields["ID"], int(length) if length.isdigit() else 0) if "ID" in fields else None


def _sex(text: str) -> str:
    return {"1": "male", "2": "female", "M": "male", "F": "female"}.get(text.upper()[:1], "unknown")


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line number from 1, fields) of a file of columns split by blanks; empty lines are passed over."""
    with _open_text(path) as raw, io.TextIOWrapper(raw, encoding="utf-8", errors="surrogateescape") as handle:
        for number, line in enumerate(handle, start=1):
            fields = line.split()
            if fields:
                yield number, fields


def _open_text(path: Path) -> BinaryIO:
    if path.name.endswith(".zst"):
        import pyarrow as pa

        return io.BytesIO(pa.input_stream(str(path), compression="zstd").read())
    return gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb")  # type: ignore[return-value]


def _base(prefix: str, suffix: str) -> str:
    return prefix.removesuffix(suffix)


def _member(base: str, *suffixes: str) -> Path:
    for suffix in suffixes:
        if Path(base + suffix).is_file():
            return Path(base + suffix)
    raise InputError(f"expected a file {' or '.join(suffixes)} beside the others of the fileset. Check the prefix.")
