"""`cohelix pgx call`: genotypes and star alleles in one go, resumed where an earlier run was stopped."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cohelix.dataset import digest_of
from cohelix.genotypes.inputs import digests_of
from cohelix.jobs.star_alleles_target import genotypes_of
from cohelix.jobs.work_folder import working
from cohelix.pgx import reference
from cohelix.pgx.calling.run import call as call_genotypes
from cohelix.pgx.outside import read_outside
from cohelix.pgx.schema import CallParams
from cohelix.reference import reference_path
from cohelix.runtime.protocol import Runtime


@dataclass(frozen=True)
class Inputs:
    """Paths: calls of other programs; a table of sexes in place of the target's; the genome of a call store."""

    outside: tuple[str, ...] = ()
    sexes: str | None = None
    fasta: str | None = None


def call(target: str, out: str, inputs: Inputs, params: CallParams, runtime: Runtime) -> dict[str, Any]:
    """Write the folder `out` of calls. What is underway lies in `<out>.work` beside it: kept if the process is killed.

    target: a callset, a call store (with inputs.fasta), a VCF or BCF, or a PLINK fileset. Returns what pgx.json holds.
    """
    genes = reference.load(params.reference, params.genes)
    with working(out, "pgx call") as work:
        outside = read_outside(inputs.outside, reference.load(params.reference)) if inputs.outside else None
        further = [_reference(params.reference), *_digests(inputs.outside), *digests_of(sexes=inputs.sexes)]
        genotypes = genotypes_of(target, genes, work, runtime, fasta=inputs.fasta, sexes=inputs.sexes)
        return call_genotypes(
            genotypes, out, work, genes, params, runtime, outside=outside, sexes=inputs.sexes, further=further
        )


def _digests(paths: Sequence[str]) -> list[tuple[str, str]]:
    return sorted(found for path in paths for found in digests_of(outside=path))


def _reference(name: str) -> tuple[str, str]:
    """The digest of all its tables: a changed one is another reference, whatever it is called."""
    folder = reference_path("pgx", *name.split("/"))
    tables = sorted(path for path in folder.iterdir() if path.suffix == ".tsv")
    return "reference", digest_of([[path.name, hashlib.sha256(path.read_bytes()).hexdigest()] for path in tables])
