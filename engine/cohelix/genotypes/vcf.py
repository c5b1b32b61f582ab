"""VCF and BCF into a callset.

Multi-allelic records become one row per alternate allele, trimmed; a copy of another alternate allele counts as not
this one, as in `bcftools norm -m -`. A half call (`./1`) and a call with a spanning deletion (`*`) are missing in the
PGEN and kept in the partial table. A haploid call is stored as 0 or 2. Of the record, ID, FILTER, QUAL and the INFO
fields of `site_annotations` are kept in the sites table; phase and the other FORMAT fields are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cohelix import genome
from cohelix.errors import InputError
from cohelix.genome import Contig
from cohelix.genotypes import alleles, assembly, kernels, vcf_records
from cohelix.genotypes.assembly import Builder, Half, Site
from cohelix.genotypes.callset import BLOCK_VALUES, Callset, order_of
from cohelix.genotypes.vcf_header import Header
from cohelix.genotypes.vcf_records import Record

_REFERENCE_BLOCK = ("<NON_REF>", "<*>")


@dataclass
class Pending:
    """Rows that no shard holds yet: at most a shard's worth, and those one record can bring."""

    sites: list[Site] = field(default_factory=list)
    genotypes: list[np.ndarray] = field(default_factory=list)
    halves: list[list[tuple[int, str, str]]] = field(default_factory=list)

    def take(self, indexes: np.ndarray) -> Pending:
        return Pending(
            [self.sites[i] for i in indexes], [self.genotypes[i] for i in indexes], [self.halves[i] for i in indexes]
        )


def import_vcf(
    path: str,
    root: str,
    *,
    build: str = "auto",
    sexes: Mapping[str, str] | None = None,
    duplicates: str = "error",
    overwrite: bool = False,
) -> Callset:
    """The callset at `root` made from the VCF (plain, gzip, BGZF) or BCF at `path`.

    `sexes`: sample id to male, female or unknown; samples that are not in it are unknown.
    `duplicates`: "error", or "first" to keep the first of rows with equal position and alleles.
    Raises InputError where the file is damaged or out of order; nothing is left behind then.
    """
    assembly.check_duplicates(duplicates)
    if not Path(path).is_file():
        raise InputError("expected a VCF or BCF file, found no file there. Check the path.")
    with vcf_records.open_records(Path(path)) as (header, records):
        build = assembly.check_build(build, header.contigs)
        order = np.array(order_of(header.sample_ids))
        sample_ids = [header.sample_ids[index] for index in order]
        params: dict[str, Any] = {"source": "vcf", "duplicates": duplicates}
        with assembly.destination(root, params, [Path(path)], overwrite=overwrite) as (writer, after, provenance):
            builder = Builder(
                writer,
                build=build,
                contigs=header.contigs,
                sample_ids=sample_ids,
                sexes=[(sexes or {}).get(sample, "unknown") for sample in sample_ids],
                annotations=header.kept.columns,
            )
            loader = _Loader(builder, header, np.argsort(order), duplicates)
            for record in records:
                loader.add(record)
            loader.finish()
            builder.contigs = tuple(loader.contigs.values())
            params["n_duplicates_dropped"] = loader.dropped
            return builder.commit(alleles_are="trimmed", params=params, provenance=provenance, after=after)


class _Loader:
    """Turns records, in order, into shards. `place[s]` is the column of sample s of the file."""

    def __init__(self, builder: Builder, header: Header, place: np.ndarray, duplicates: str) -> None:
        self.builder, self.place, self.duplicates = builder, place, duplicates
        self.listed, self.kept = bool(header.contigs), header.kept
        self.contigs = {contig.name: contig for contig in header.contigs}
        self.limit = assembly.shard_rows(len(place))
        self.contig: Contig | None = None
        self.seen: set[str] = set()
        self.position = self.start = self.dropped = 0
        self.pending = Pending()

    def add(self, record: Record) -> None:
        self._check_place(record)
        where = f"record {record.number}"
        star = record.alts.index("*") + 1 if "*" in record.alts else 32767
        highest = int(record.alleles.max())
        if highest > len(record.alts) - (record.alts == ["."]):
            raise InputError(
                f"expected alleles up to {len(record.alts)} in the genotypes of {where}, found {highest}. "
                "Correct that record."
            )
        if all(alt in _REFERENCE_BLOCK for alt in record.alts):
            raise InputError(
                f"expected variant sites, found a reference block at {where}: this is a gVCF. Use cohelix joint ingest."
            )
        for allele, alt in enumerate(record.alts, start=1):
            if alt not in ("*", *_REFERENCE_BLOCK):
                ref, alt = alleles.check(record.ref, alt, where)
                said = self.kept.of_allele(record.quality, record.info, allele)
                site = Site(*alleles.trim(record.position, ref, alt), record.name, record.filter, said)
                out = np.empty(len(self.place), np.int8)
                n_partial = kernels.allele_row(record.alleles, allele, star, self.place, out)
                self.pending.sites.append(site)
                self.pending.genotypes.append(out)
                self.pending.halves.append(self._halves(record.alleles, allele, star) if n_partial else [])
        if len(self.pending.sites) >= self.limit:
            self._write(before=record.position)

    def finish(self) -> None:
        if self.contig is not None:
            self._write(before=None)

    def _check_place(self, record: Record) -> None:
        where = f"record {record.number}"
        if self.contig is None or record.contig != self.contig.name:
            self.finish()
            if record.contig in self.seen:
                raise InputError(f"expected sorted records, found {record.contig} again at {where}. {_SORT}")
            if record.contig not in self.contigs:
                if self.listed:
                    raise InputError(
                        f"expected a contig of the header in {where}, found {record.contig!r}. "
                        "Add its ##contig line (bcftools reheader) or drop the record."
                    )
                self.contigs[record.contig] = Contig(record.contig, 0)
            self.contig = self.contigs[record.contig]
            self.seen.add(record.contig)
            self.position = self.start = 0
        if record.position < self.position:
            raise InputError(f"expected sorted records, found a step back at {where}. {_SORT}")
        end = record.position + len(record.ref) - 1
        if record.position < 1 or (self.contig.length and end > self.contig.length):
            raise InputError(
                f"expected bases 1 to {self.contig.length or 'the end'} of {self.contig.name} in {where}, "
                f"found {record.position} to {end}. Check the genome build."
            )
        self.position = record.position

    def _halves(self, genotypes: np.ndarray, allele: int, star: int) -> list[tuple[int, str, str]]:
        """(column, first, second) of the calls of which something is known, in the order of the columns."""
        first = genotypes[:, 0]
        second = np.where(genotypes[:, 1] == kernels.ABSENT, first, genotypes[:, 1])
        known = (first != kernels.UNKNOWN) | (second != kernels.UNKNOWN)
        lacking = (first == kernels.UNKNOWN) | (second == kernels.UNKNOWN) | (first == star) | (second == star)
        text = {kernels.UNKNOWN: ".", star: "*", allele: "1"}
        found = [
            (int(self.place[at]), text.get(int(first[at]), "0"), text.get(int(second[at]), "0"))
            for at in np.flatnonzero(known & lacking)
        ]
        return sorted(found)

    def _write(self, *, before: int | None) -> None:
        """Write what lies before position `before` (None: everything) as one shard; the rest stays pending."""
        assert self.contig is not None
        ordered = np.array(sorted(range(len(self.pending.sites)), key=self.pending.sites.__getitem__), np.int64)
        ready = [i for i in ordered if before is None or self.pending.sites[i].position < before]
        sites = [self.pending.sites[i] for i in ready]
        kept = assembly.distinct(self.contig.name, sites, duplicates=self.duplicates)
        self.dropped += len(sites) - len(kept)
        chosen = self.pending.take(np.array(ready, np.int64)[kept])
        self.pending = self.pending.take(ordered[len(ready) :])
        if not chosen.sites:
            return
        last = chosen.sites[-1].position
        end = max(self.contig.length, last) if before is None else before - 1
        halves = [Half(row, *half) for row, of_row in enumerate(chosen.halves) for half in of_row]
        self.builder.add(self.contig.name, self.start, end, chosen.sites, _Stacked(chosen.genotypes), halves)
        self.start = end


@dataclass(frozen=True)
class _Stacked:
    """Rows as int8 blocks."""

    rows: list[np.ndarray]

    def __call__(self) -> Iterator[np.ndarray]:
        step = max(1, BLOCK_VALUES // max(1, len(self.rows[0])))
        for first in range(0, len(self.rows), step):
            yield np.stack(self.rows[first : first + step])


_SORT = "Sort the file first: bcftools sort."


def read_sex_table(path: str) -> dict[str, str]:
    """Sample id to sex from a file with two columns, id and sex, split by blanks; lines with # are passed over."""
    sexes: dict[str, str] = {}
    try:
        text = Path(path).read_text()
    except OSError:
        raise InputError("expected a table of sample and sex, found no file. Check its path.") from None
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split()
        if not fields or line.startswith("#"):
            continue
        if len(fields) != 2:
            raise InputError(f"expected sample and sex on line {number} of the sex table, found {len(fields)} columns.")
        if fields[0] in sexes:
            raise InputError(f"the sample on line {number} of the sex table was listed before. Keep one line for each.")
        sexes[fields[0]] = genome.parse_sex(fields[1])
    return sexes
