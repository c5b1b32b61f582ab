"""The header of a VCF or BCF file: contigs, samples, and the numbered dictionaries that BCF refers to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cohelix.errors import InputError
from cohelix.genome import Contig
from cohelix.genotypes.site_annotations import Kept, kept

_META = re.compile(r"##(contig|FILTER|INFO|FORMAT)=<(.*)>\s*$")
_FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|[^,]*)')
_FIXED = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"]


@dataclass(frozen=True)
class Header:
    """What a reader needs. `strings` and `contig_index` are BCF's dictionaries: number to name; `kept`: see there."""

    contigs: tuple[Contig, ...]
    sample_ids: tuple[str, ...]
    strings: dict[int, str]
    contig_index: dict[int, str]
    kept: Kept


def parse(text: str) -> Header:
    """InputError unless `text` is a VCF 4 header that ends with a #CHROM line naming distinct samples."""
    lines = text.splitlines()
    if not lines or not lines[0].startswith("##fileformat=VCFv4"):
        raise InputError("expected a VCF to begin with ##fileformat=VCFv4.x, found something else. Check the file.")
    contigs: dict[str, Contig] = {}
    strings = {0: "PASS"}
    contig_index: dict[int, str] = {}
    info: dict[str, str] = {}
    for line in lines:
        match = _META.match(line)
        if match is None:
            continue
        fields = {name: value.strip('"') for name, value in _FIELD.findall(match.group(2))}
        name = fields.get("ID", "")
        if match.group(1) == "contig":
            length = fields.get("length", "0")
            contigs[name] = Contig(name, int(length) if length.isdigit() else 0)
            contig_index[int(fields.get("IDX", len(contig_index)))] = name
        elif name not in strings.values():
            strings[int(fields.get("IDX", max(strings) + 1))] = name
        if match.group(1) == "INFO":
            info[name] = fields.get("Number", ".")
    columns = lines[-1].split("\t")
    if columns[:8] != _FIXED:
        raise InputError("expected a #CHROM line with VCF's columns to end the header, found none. Check the file.")
    sample_ids = columns[9:]
    if not sample_ids:
        raise InputError("expected genotypes of at least one sample, found a VCF of sites only. Give one with samples.")
    if len(set(sample_ids)) != len(sample_ids):
        first = next(at for at, sample in enumerate(sample_ids) if sample in sample_ids[:at])
        raise InputError(
            f"expected distinct samples, found the one in sample column {first + 1} of the VCF header a second time. "
            "Rename or drop it (bcftools reheader, bcftools view -s)."
        )
    return Header(tuple(contigs.values()), tuple(sample_ids), strings, contig_index, kept(info))


def lines(
    *, version: str, contigs: Sequence[Contig], build: str, sample_ids: Sequence[str], filters: Sequence[str]
) -> str:
    """The header that cohelix writes. Deterministic: no date, no command line."""
    out = ["##fileformat=VCFv4.2", '##FILTER=<ID=PASS,Description="All filters passed">', f"##source=cohelix {version}"]
    out += [f'##FILTER=<ID={name},Description="As stated by the input of the callset">' for name in filters]
    for contig in contigs:
        length = f",length={contig.length}" if contig.length else ""
        assembly = f",assembly={build}" if build != "unknown" else ""
        out.append(f"##contig=<ID={contig.name}{length}{assembly}>")
    out.append('##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">')
    out.append("\t".join([*_FIXED, "FORMAT", *sample_ids]))
    return "\n".join(out) + "\n"
