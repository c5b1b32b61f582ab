"""Alleles that must get a row whether anybody carries them or not: a score's variants, a gene's positions.

Read from a VCF (plain or gzipped), a .pvar, or a tab-separated table with the columns contig (or chrom), position (or
pos), ref and alt.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Sequence

from cohelix import genome, storage
from cohelix.errors import InputError
from cohelix.genome import Contig
from cohelix.joint.unify import Key, trimmed

_NAMES = {
    "contig": "contig",
    "chrom": "contig",
    "#chrom": "contig",
    "position": "position",
    "pos": "position",
    "ref": "ref",
    "alt": "alt",
}


def read(path: str, contigs: Sequence[Contig]) -> tuple[dict[str, dict[Key, bytes]], str]:
    """Trimmed alleles by contig, each with the base before it where REF tells, and the sha256 of the file.

    Raises InputError with the line at fault.
    """
    try:
        raw = storage.read(path)
    except FileNotFoundError:
        raise InputError("expected a file of sites, found none at that path. Correct the path.") from None
    text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    known = {genome.plain_name(contig.name): contig.name for contig in contigs}
    columns: dict[str, int] | None = None
    found: dict[str, dict[Key, bytes]] = {}
    for number, line in enumerate(text.decode("utf-8-sig").splitlines(), start=1):
        if line.startswith("##") or not line.strip():
            continue
        fields = line.split("\t")
        if columns is None:
            columns = {_NAMES[name.lower()]: at for at, name in enumerate(fields) if name.lower() in _NAMES}
            if len(columns) != 4:
                raise InputError(
                    f"line {number} of the sites: expected a header with contig, position, ref and alt, or a VCF's."
                )
            continue
        for contig, key, before in _alleles(fields, columns, known, number):
            here = found.setdefault(contig, {})
            here[key] = here.get(key) or before
    if not found:
        raise InputError("the file of sites names no site. Give at least one.")
    return found, hashlib.sha256(raw).hexdigest()


def _alleles(
    fields: list[str], columns: dict[str, int], known: dict[str, str], number: int
) -> list[tuple[str, Key, bytes]]:
    if len(fields) <= max(columns.values()):
        raise InputError(
            f"line {number} of the sites: expected {max(columns.values()) + 1} fields or more, found {len(fields)}."
        )
    name, position = fields[columns["contig"]], fields[columns["position"]]
    ref, alts = fields[columns["ref"]], fields[columns["alt"]]
    contig = known.get(genome.plain_name(name))
    if contig is None:
        raise InputError(
            f"line {number} of the sites: contig {name!r} is not in the call store. Are the sites of the same build?"
        )
    if not position.isdigit() or int(position) < 1:
        raise InputError(f"line {number} of the sites: expected a position from 1 on, found {position!r}.")
    alleles = []
    for alt in alts.split(","):
        if not (ref.isalpha() and alt.isalpha()) or ref.upper() == alt.upper():
            raise InputError(
                f"line {number} of the sites: expected REF and ALT spelled in bases and different, "
                f"found {ref[:20]!r}, {alt[:20]!r}."
            )
        key = trimmed(int(position) - 1, ref, alt)
        at = key[0] - int(position)
        alleles.append((contig, key, ref[at : at + 1].upper().encode() if at >= 0 else b""))
    return alleles
