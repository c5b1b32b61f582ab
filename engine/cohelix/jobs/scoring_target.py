"""What `cohelix prs score` is given: a callset, or a file or call store of which one is made in the folder of work."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from cohelix import dataset, storage
from cohelix.errors import ConfigError, InputError
from cohelix.genotypes import callset, plink, vcf
from cohelix.jobs.scoring_sites import write_sites
from cohelix.joint import store
from cohelix.joint.call import call
from cohelix.joint.schema import CallParams
from cohelix.prs.scoring_file.sources import batches, sources
from cohelix.runtime.protocol import Runtime

_FORMS = {
    ".vcf": "vcf", ".vcf.gz": "vcf", ".vcf.bgz": "vcf", ".bcf": "vcf", ".bed": "bed", ".pgen": "pgen",
}  # fmt: skip

_MADE = "target.json"
"""Says of what the callset in the folder of work was made; written last."""


def callset_of(
    target: str,
    work: Path,
    runtime: Runtime,
    *,
    scores: Sequence[str] = (),
    fasta: str | None = None,
    sexes: str | None = None,
    pcs_model: str | None = None,
) -> str:
    """The path of a callset: `target` itself, or one made of it in `work`, which is the caller's to remove.

    A VCF, BCF or PLINK fileset is imported whole; a call store is called at the sites of `scores` and `pcs_model` and
    nowhere else, so that whoever has no call there is missing and whoever has evidence for the reference has it. What
    was made before of the same files is taken as it is. Raises InputError where `target` is none of these.
    """
    commit = dataset.find(target)
    if commit is not None and commit.kind == callset.KIND:
        return target
    if commit is not None and commit.kind != store.KIND:
        raise InputError(f"expected genotypes, found a {commit.kind} data set. Give a callset or a call store.")
    form = "calls" if commit is not None else _form_of(target)
    if form == "calls" and not scores:
        raise ConfigError("a call store is called at the sites of scoring files: give them with --scores.")
    if form == "calls" and fasta is None:
        raise ConfigError(
            "a call store holds no reference bases where nobody differs, and scoring files do not say which allele is "
            "the reference: give the indexed genome that the gVCFs were made with by --fasta."
        )
    root, said = str(work / "target.callset"), work / _MADE
    made_of = dataset.digest_of(_fingerprint(target, form, scores, fasta, sexes, pcs_model))
    if dataset.find(root) is not None:
        if said.is_file() and json.loads(said.read_bytes()) == {"of": made_of}:
            return root
        storage.remove_tree(root)
    if form == "calls":
        _call(target, root, work, runtime, scores, str(fasta), sexes, pcs_model)
    else:
        _import(target, root, form)
    storage.write(str(said), dataset.canonical_json({"of": made_of}))
    return root


def _form_of(target: str) -> str:
    """vcf, bed or pgen; InputError where the path is none of these."""
    for suffix, form in _FORMS.items():
        if target.endswith(suffix) and storage.exists(target):
            return form
    found = sorted({form for form in ("pgen", "bed") if storage.exists(f"{target}.{form}")})
    if len(found) == 1:
        return found[0]
    seen = "two filesets of that name" if found else "none of these at that path"
    raise InputError(
        f"expected a callset, a call store, a VCF or BCF, or a PLINK fileset (.pgen, .bed or its prefix), found {seen}."
        " Check the path, or make a callset with `cohelix genotypes import`."
    )


def _import(target: str, root: str, form: str) -> None:
    if form == "vcf":
        vcf.import_vcf(target, root)
    elif form == "bed":
        plink.import_bed(target, root)
    else:
        plink.import_pgen(target, root)


def _call(
    target: str, root: str, work: Path, runtime: Runtime, scores: Sequence[str], fasta: str, sexes: str | None,
    pcs_model: str | None,
) -> None:  # fmt: skip
    folder = work / "sites"
    folder.mkdir(parents=True, exist_ok=True)
    sites = write_sites(batches(sources(scores)), _model_sites(pcs_model), target, fasta, folder, runtime)
    call(target, root, CallParams(), runtime, sites=sites, only_sites=True, fasta=fasta, sexes=sexes)


def _model_sites(model: str | None) -> pa.Table | None:
    if model is None:
        return None
    from cohelix.ancestry.pca.tables import read_model

    return read_model(model).sites


def _fingerprint(target: str, form: str, scores: Sequence[str], *paths: str | None) -> list[Any]:
    """What tells that the same command goes on: the version of a store; names, sizes and times of files."""
    commit = dataset.find(target) if form == "calls" else None
    own: list[Any] = [form, commit.version, commit.provenance] if commit else [form, *_stats(_members(target, form))]
    listed = [source.path for source in sources(scores)] if form == "calls" else []
    return [*own, *_stats([*listed, *(path for path in paths if path is not None and form == "calls")])]


def _members(target: str, form: str) -> list[str]:
    if form == "vcf":
        return [target]
    prefix = target.removesuffix(f".{form}")
    suffixes = ("bed", "bim", "fam", "pgen", "pvar", "pvar.zst", "psam")
    return [f"{prefix}.{suffix}" for suffix in suffixes if storage.exists(f"{prefix}.{suffix}")]


def _stats(paths: Sequence[str]) -> list[list[Any]]:
    found: list[list[Any]] = []
    for path in paths:
        if storage.is_local(path) and storage.exists(path):
            place = storage.local_path(path)
            files = sorted(place.rglob("*")) if place.is_dir() else [place]
            found += [[str(one), one.stat().st_size, one.stat().st_mtime_ns] for one in files]
        else:
            found.append([path])
    return found
