"""Genotypes at the positions of star alleles: a file or callset as it is, or a call store called there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cohelix import dataset, genome, storage
from cohelix.errors import ConfigError, InputError, ReferenceMismatch
from cohelix.genotypes import callset
from cohelix.joint import store
from cohelix.joint.call import call
from cohelix.joint.schema import CallParams
from cohelix.pgx.definition import Gene, Position
from cohelix.pgx.reference.check import check_reference
from cohelix.runtime.protocol import Runtime

_BUILD = "GRCh38"
_MADE = "target.json"
"""Says of what the callset in the folder of work was made; written last."""


def genotypes_of(
    target: str,
    genes: dict[str, Gene],
    work: Path,
    runtime: Runtime,
    *,
    fasta: str | None = None,
    sexes: str | None = None,
) -> str:
    """The path that genotypes are read from: `target` itself, or a callset made of a call store in `work`.

    A call store is called at the definitions' positions alone, where each has a row: who has no evidence there is
    missing, and who has evidence for the reference is reference. Raises ReferenceMismatch where the genome is not that
    of the definitions.
    """
    commit = dataset.find(target)
    if commit is None or commit.kind == callset.KIND:
        return target
    if commit.kind != store.KIND:
        raise InputError(f"expected genotypes, found a {commit.kind} data set. Give a callset or a call store.")
    if fasta is None:
        raise ConfigError(
            "a call store holds no reference bases where nobody differs: give the indexed genome that the gVCFs were "
            "made with by --fasta."
        )
    opened = store.open_store(target)
    if opened.build not in (_BUILD, genome.UNKNOWN_BUILD):
        raise ReferenceMismatch(
            f"star alleles are defined on {_BUILD}, and the call store is of {opened.build}. Give gVCFs of {_BUILD}."
        )
    names = {genome.plain_name(contig.name): contig.name for contig in opened.contigs()}
    genes = {symbol: one for symbol, one in genes.items() if one.positions and genome.plain_name(one.contig) in names}
    if not genes:
        raise InputError(
            "expected a call store with a contig of one of the genes, found none. Name genes that lie on its contigs."
        )
    check_reference(genes, fasta)
    root, said = str(work / "target.callset"), work / _MADE
    made_of = dataset.digest_of([commit.version, commit.provenance, _stat(fasta), _stat(sexes), sorted(genes)])
    if dataset.find(root) is not None:
        if said.is_file() and json.loads(said.read_bytes()) == {"of": made_of}:
            return root
        storage.remove_tree(root)
    listed = _write_sites(genes, names, work / "sites.tsv")
    call(target, root, CallParams(), runtime, sites=listed, only_sites=True, fasta=fasta, sexes=sexes)
    storage.write(str(said), dataset.canonical_json({"of": made_of}))
    return root


def sites_of(genes: dict[str, Gene]) -> list[tuple[str, int, str, str]]:
    """(contig, position, REF, ALT) of every allele of the genes' positions, in order.

    At a single base all three other bases: who has one that no definition knows is then seen to have it.
    """
    found = set()
    for gene in genes.values():
        for place in (*gene.positions, *gene.extra):
            found |= {(place.contig, place.position, place.ref, alt) for alt in _alts(place)}
    return sorted(found)


def _alts(place: Position) -> set[str]:
    single = set("ACGT") - {place.ref} if len(place.ref) == 1 else set()
    return single | {alt for alt in place.alts if alt.isalpha()}


def _write_sites(genes: dict[str, Gene], names: dict[str, str], path: Path) -> str:
    """A table of the sites; names: those of contigs in the store, by plain name."""
    lines = [
        "\t".join([names[genome.plain_name(contig)], str(position), ref, alt])
        for contig, position, ref, alt in sites_of(genes)
    ]
    storage.write(str(path), "\n".join(["contig\tposition\tref\talt", *lines, ""]).encode())
    return str(path)


def _stat(path: str | None) -> list[Any]:
    if path is None or not (storage.is_local(path) and storage.exists(path)):
        return [path]
    stat = storage.local_path(path).stat()
    return [path, stat.st_size, stat.st_mtime_ns]
