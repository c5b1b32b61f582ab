"""`cohelix hail`: to and from Hail's own formats. Needs the extra `cohelix[hail]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Import, export and combine Hail data (extra cohelix[hail]).")

Cores = Annotated[int | None, typer.Option(help="Threads. Default: what this process may use.", min=1)]
Memory = Annotated[int | None, typer.Option(help="GiB for the JVM. Default: a quarter of this machine's.", min=1)]
Scratch = Annotated[str | None, typer.Option(help="Folder or URI that every node reaches; a cluster needs one.")]


@app.command("import")
def import_(
    source: Annotated[str, typer.Argument(help="A variant dataset (.vds) or a matrix table (.mt).")],
    out: Annotated[str, typer.Option("--out", "-o", help="The callset to write.")],
    gq0: Annotated[
        str, typer.Option(help="A call of GQ 0 in a VDS: nocall (as in All of Us), or homref: it stands (as in Hail).")
    ] = "nocall",
    overwrite: Annotated[bool, typer.Option(help="Make a new version of a callset that is there.")] = False,
    scratch: Scratch = None,
    cores: Cores = None,
    memory_gb: Memory = None,
) -> None:
    """A VDS or a matrix table into a callset: split, trimmed, one row per (position, ref, alt).

    Example: cohelix hail import cohort.vds -o cohort.callset
    """
    from cohelix import storage

    if all(storage.exists(storage.join(source, part)) for part in ("reference_data", "variant_data")):
        from cohelix.joint import on_hail as vds

        _start(cores, memory_gb)
        vds.import_vds(source, out, gq0=gq0, overwrite=overwrite, shared=scratch)
        return
    from cohelix.genotypes import on_hail as matrices

    matrices.check_table(source, "variant dataset or matrix table")
    _start(cores, memory_gb)
    matrices.import_matrix(source, out, overwrite=overwrite, shared=scratch)


@app.command()
def export(
    source: Annotated[str, typer.Argument(help="A callset.")],
    out: Annotated[str, typer.Option("--out", "-o", help="The matrix table (.mt) to write: must not exist.")],
    scratch: Scratch = None,
    cores: Cores = None,
    memory_gb: Memory = None,
) -> None:
    """A callset into a matrix table with rows locus, alleles, rsid; columns s, sex; entry GT.

    Example: cohelix hail export cohort.callset -o cohort.mt
    """
    from cohelix.genotypes import callset
    from cohelix.genotypes import on_hail as matrices

    callset.open_callset(source)
    _start(cores, memory_gb)
    matrices.export_matrix(source, out, shared=scratch)


@app.command()
def combine(
    manifest: Annotated[Path, typer.Argument(help="Tab-separated table: sample_id, path of its gVCF.")],
    out: Annotated[str, typer.Option("--out", "-o", help="The VDS to write: must not exist.")],
    cores: Cores = None,
    memory_gb: Memory = None,
) -> None:
    """Single-sample gVCFs into a VDS, by Hail's combiner. Started again after a stop, it goes on at its last step.

    Example: cohelix hail combine manifest.tsv -o cohort.vds
    """
    from cohelix.joint import combine as inputs
    from cohelix.joint import manifest as table
    from cohelix.joint import on_hail as vds

    inputs.examine(table.read(str(manifest)))  # before a JVM starts: bad input should cost a second, not twenty
    _start(cores, memory_gb)
    vds.combine(str(manifest), out)


def _start(cores: int | None, memory_gb: int | None) -> None:
    from cohelix.runtime import on_hail

    on_hail.session(cores, memory_gb=memory_gb)
