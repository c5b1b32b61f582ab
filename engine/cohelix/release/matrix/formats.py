"""The released callset in further formats, on request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from cohelix.errors import ContractError
from cohelix.genotypes.bgen_out import export_bgen
from cohelix.genotypes.callset import Callset, open_callset
from cohelix.genotypes.plink_out import export_bed
from cohelix.genotypes.selection import Selection, select
from cohelix.genotypes.vcf_out import export_vcf
from cohelix.release.schema import MadeFile

FOLDERS = {"bed": "plink_bed", "vcf": "vcf", "bgen": "bgen", "mt": "hail.mt"}
"""Where each format is, beside the callset."""

MatrixTable = Callable[[str, str], None]
"""Writes a callset as a Hail matrix table: (callset, new folder). Handed in by the job, which may start a JVM."""


def written(
    folder: Path, place: str, formats: tuple[str, ...], matrix_table: MatrixTable | None = None
) -> list[MadeFile]:
    """Files beside the callset `x.callset` of `folder`, by format; samples are the tier's person ids.

    bed and vcf: one of all sites. bgen: one of each contig, as All of Us has it. mt: a Hail matrix table.
    """
    callset = open_callset(str(folder / "x.callset"))
    made: list[MadeFile] = []
    if "bed" in formats:
        made += _named(f"{place}/{FOLDERS['bed']}", export_bed(callset, str(folder / "genotypes"), select(callset)))
    if "vcf" in formats:
        paths = export_vcf(callset, str(folder / "genotypes.vcf.gz"), select(callset), form="vcf.gz")
        made += _named(f"{place}/{FOLDERS['vcf']}", paths)
    if "bgen" in formats:
        for name, contig in _contigs(callset):
            made += _named(f"{place}/{FOLDERS['bgen']}", export_bgen(callset, str(folder / name), contig))
    if "mt" in formats:
        if matrix_table is None:
            raise ContractError("the format mt was asked for, and nothing given to write it.")
        matrix_table(callset.root, str(folder / "hail.mt"))
        files = sorted(path for path in (folder / "hail.mt").rglob("*") if path.is_file() and path.suffix != ".crc")
        made += [MadeFile(f"{place}/{path.relative_to(folder).as_posix()}", path) for path in files]
    return made


def _contigs(callset: Callset) -> Iterator[tuple[str, Selection]]:
    """Names of files, and the sites of each contig that has some."""
    whole, has = select(callset), {shard.contig for shard in callset.shards}
    for number, contig in enumerate(callset.contigs):
        if contig.name in has:
            end = max(shard.end for shard in callset.shards if shard.contig == contig.name)
            yield contig.name, Selection(callset, (number, 0, end), None, whole.sample_ids, whole.sexes)


def _named(place: str, paths: list[str]) -> list[MadeFile]:
    return [MadeFile(f"{place}/{Path(path).name}", Path(path)) for path in paths]
