"""Genotypes of all genes out of one file or callset, once: later steps read them in blocks of people."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix import dataset, storage
from cohelix.arrays import mapped
from cohelix.errors import CohelixError, InputError
from cohelix.genotypes import callset, inputs
from cohelix.pgx.definition import Gene
from cohelix.pgx.extraction import kernels, loci, vcf
from cohelix.pgx.extraction.draft import Draft
from cohelix.pgx.genotype import Genotypes
from cohelix.pgx.schema import CallParams
from cohelix.runtime.protocol import Runtime

_FORMS = {
    ".vcf": "vcf", ".vcf.gz": "vcf", ".vcf.bgz": "vcf", ".bcf": "vcf", ".bed": "bed", ".pgen": "pgen",
}  # fmt: skip

_SAID = "extracted.json"
"""What the folder holds and of what it was made; written last."""


@dataclass(frozen=True)
class Extracted:
    """Genotypes of n people that lie in `folder`; small, and a task can take it along.

    report: by gene the positions without a record (no_record), with another REF (ref_mismatch), with an event of
    another kind (other_event), twice in the input (position_twice); rejected: genotypes by reason. digests: (role,
    sha256) of the genotypes at the positions, equal for equal genotypes whatever file they lay in.
    """

    folder: str
    n: int
    symbols: tuple[str, ...]
    alleles: Mapping[str, tuple[tuple[str, ...], ...]]
    report: dict[str, Any]
    digests: list[tuple[str, str]]

    def samples(self) -> pa.Array:
        """Sample ids (string), in the order of the input."""
        import pyarrow.ipc

        with pa.memory_map(f"{self.folder}/samples.arrow") as source:
            return pyarrow.ipc.open_file(source).read_all().column("sample_id").combine_chunks()

    def genotypes(self, symbol: str, first: int = 0, last: int | None = None) -> Genotypes:
        """Those of people [first, last) at the positions of a gene."""
        number = self.symbols.index(symbol)
        last = self.n if last is None else last
        codes, phase = (mapped(f"{self.folder}/{what}-{number:03d}.npy") for what in ("codes", "phase"))
        own = np.ascontiguousarray(codes[:, first:last])
        own_phase = np.array(phase) if phase.shape[1] == 1 else np.ascontiguousarray(phase[:, first:last])
        whole = (first, last) == (0, self.n)
        rejected = dict(self.report["genes"][symbol]["rejected"]) if whole else {}
        return Genotypes(symbol, own, own_phase, self.alleles[symbol], rejected)


def extract(
    target: str,
    genes: dict[str, Gene],
    work: Path,
    params: CallParams,
    runtime: Runtime,
    *,
    sexes: str | None = None,
) -> Extracted:
    """The genotypes of `target`, a callset, VCF, BCF or PLINK fileset, at the positions of `genes`.

    They lie in a folder of `work`; what an earlier run made there of the same files is taken as it is. sexes: a table;
    it goes before what the target says. InputError where the target is none of these or is damaged, ReferenceMismatch
    where it is of another build.
    """
    form = _form_of(target)
    folder = work / "genotypes"
    made_of = dataset.digest_of(_fingerprint(target, form, genes, params, sexes))
    done = _reopened(folder, made_of)
    if done is not None:
        return done
    places = loci.loci_of(genes.values())
    reader = {"vcf": _read_vcf, "pgen": _read_plink, "bed": _read_plink, "callset": _read_callset}[form]
    try:
        sample_ids, found, more = reader(target, places, folder, params, sexes)
    except CohelixError:
        storage.remove_tree(str(folder))
        raise
    _write_samples(folder, sample_ids)
    report = {"form": form, **more, "genes": {gene: one["report"] for gene, one in found.items()}}
    said = {
        "of": made_of, "n": len(sample_ids), "symbols": list(places.genes), "report": report,
        "alleles": {gene: one["alleles"] for gene, one in found.items()}, "digests": _digests(folder, found),
    }  # fmt: skip
    storage.write(str(folder / _SAID), dataset.canonical_json(said))
    return _of(folder, said)


def _reopened(folder: Path, made_of: str) -> Extracted | None:
    if not (folder / _SAID).is_file():
        return None
    said = json.loads((folder / _SAID).read_bytes())
    return _of(folder, said) if said["of"] == made_of else None


def _of(folder: Path, said: dict[str, Any]) -> Extracted:
    alleles = {gene: tuple(tuple(site) for site in sites) for gene, sites in said["alleles"].items()}
    digests = [(role, digest) for role, digest in said["digests"]]
    return Extracted(str(folder), said["n"], tuple(said["symbols"]), alleles, said["report"], digests)


def _read_vcf(
    target: str, places: loci.Loci, folder: Path, params: CallParams, sexes: str | None
) -> tuple[Sequence[str], dict[str, Any], dict[str, Any]]:
    with vcf.opened(Path(target), places) as (header, text, lines):
        vcf.check_build(header)
        stated = None if sexes is None else _copies(inputs.read_sexes(sexes, header.sample_ids))
        draft = Draft(folder, places, len(header.sample_ids), stated)
        n_records = vcf.read(lines, header, text, draft, check_depths=params.check_depths)
        return header.sample_ids, draft.finish(), {"n_records": n_records}


def _read_plink(
    target: str, places: loci.Loci, folder: Path, params: CallParams, sexes: str | None
) -> tuple[Sequence[str], dict[str, Any], dict[str, Any]]:
    from cohelix.pgx.extraction import pgen

    return pgen.read(target, places, folder, sexes)


def _read_callset(
    target: str, places: loci.Loci, folder: Path, params: CallParams, sexes: str | None
) -> tuple[Sequence[str], dict[str, Any], dict[str, Any]]:
    from cohelix.pgx.extraction import callset as of_callset

    return of_callset.read(target, places, folder, sexes, indels_of_blocks=params.indels_of_blocks)


def _copies(sexes: Sequence[str]) -> np.ndarray:
    """uint8: copies of X; 0 where the sex is not known."""
    known = {"male": 1, "female": 2}
    return np.array([known.get(sex, 0) for sex in sexes], np.uint8)


def _form_of(target: str) -> str:
    """callset, vcf, bed or pgen; InputError where the path is none of these."""
    commit = dataset.find(target)
    if commit is not None and commit.kind == callset.KIND:
        return "callset"
    if commit is not None:
        raise InputError(f"expected genotypes, found a {commit.kind} data set. Give a callset.")
    for suffix, form in _FORMS.items():
        if target.endswith(suffix) and Path(target).is_file():
            return form
    found = [form for form in ("pgen", "bed") if Path(f"{target}.{form}").is_file()]
    if len(found) == 1:
        return found[0]
    seen = "two filesets of that name" if found else "none of these at that path"
    raise InputError(
        "expected a callset, a VCF or BCF (.vcf, .vcf.gz, .vcf.bgz, .bcf), or a PLINK fileset (.pgen, .bed or its "
        f"prefix), found {seen}. Check the path."
    )


def members(target: str, form: str) -> list[Path]:
    """Files of a VCF or fileset that are there."""
    if form == "vcf":
        return [Path(target)]
    prefix = target.removesuffix(f".{form}")
    suffixes = ("bed", "bim", "fam") if form == "bed" else ("pgen", "pvar", "pvar.zst", "psam", "bim", "fam")
    return [Path(f"{prefix}.{suffix}") for suffix in suffixes if Path(f"{prefix}.{suffix}").is_file()]


def _digests(folder: Path, found: dict[str, Any]) -> list[tuple[str, str]]:
    """Of the genotypes as they lie in `folder`: the file they came from may be a thousand times as large."""
    whole = hashlib.sha256(dataset.canonical_json({gene: one["alleles"] for gene, one in found.items()}))
    for path in sorted(folder.iterdir()):
        with path.open("rb") as handle:
            whole.update(hashlib.file_digest(handle, "sha256").digest())
    return [("genotypes", whole.hexdigest())]


def _fingerprint(target: str, form: str, genes: dict[str, Gene], params: CallParams, sexes: str | None) -> list[Any]:
    """What tells that the same command goes on: versions, names, sizes and times of files, and what is looked for."""
    made: list[Any] = [form, params.check_depths, params.indels_of_blocks, kernels.REASONS]
    if form == "callset":
        commit = dataset.open_existing(target, callset.KIND)
        made += [str(Path(target)), commit.version, commit.provenance]
    paths = [] if form == "callset" else members(target, form)
    for path in [*paths, *([Path(sexes)] if sexes is not None and Path(sexes).is_file() else [])]:
        made.append([str(path), path.stat().st_size, path.stat().st_mtime_ns])
    looked = [
        [gene.symbol, gene.ploidy, [asdict(place) for place in (*gene.positions, *gene.extra)]]
        for gene in genes.values()
    ]
    return [*made, looked]


def _write_samples(folder: Path, sample_ids: Sequence[str]) -> None:
    import pyarrow.ipc

    table = pa.table({"sample_id": pa.array(sample_ids, pa.string())})
    with pa.OSFile(str(folder / "samples.arrow"), "wb") as sink, pyarrow.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
