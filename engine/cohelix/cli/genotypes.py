"""`cohelix genotypes`: callsets from and to PLINK, VCF, BCF and Hail, and of chosen sites."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Callsets in and out: PLINK, VCF, BCF, BGEN, Hail; chosen sites.")

_SUFFIXES = {
    ".vcf": "vcf",
    ".vcf.gz": "vcf.gz",
    ".vcf.bgz": "vcf.gz",
    ".bcf": "bcf",
    ".bed": "bed",
    ".bgen": "bgen",
    ".pgen": "pgen",
    ".mt": "mt",
}


@app.command("import")
def import_(
    source: Annotated[str, typer.Argument(help="VCF, BCF, PLINK fileset (prefix, .bed, .pgen) or Hail .mt.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Callset to write.")],
    form: Annotated[str, typer.Option("--format", help="auto, vcf, bcf, bed, pgen or mt.")] = "auto",
    build: Annotated[str, typer.Option(help="GRCh37, GRCh38, unknown, or auto (by contig lengths).")] = "auto",
    a1: Annotated[str, typer.Option(help="What A1 of a .bim file is: alt (as in plink2) or ref.")] = "alt",
    sexes: Annotated[str | None, typer.Option("--sex-table", help="For VCF: two columns, sample and sex.")] = None,
    duplicates: Annotated[str, typer.Option(help="Rows with equal position and alleles: error or first.")] = "error",
    force: Annotated[bool, typer.Option("--force", help="Make a new version of a callset that exists.")] = False,
) -> None:
    """Make a callset from genotypes that were called elsewhere.

    Example: cohelix genotypes import cohort.vcf.gz -o cohort.callset --sex-table sexes.tsv
    """
    from cohelix.errors import ConfigError
    from cohelix.genotypes import plink, vcf

    kind = _source_form(source) if form == "auto" else form
    if kind in ("vcf", "vcf.gz", "bcf"):
        table = vcf.read_sex_table(sexes) if sexes else None
        vcf.import_vcf(source, out, build=build, sexes=table, duplicates=duplicates, overwrite=force)
        return
    if sexes:
        raise ConfigError("--sex-table is for VCF and BCF; a PLINK fileset states sex in its .fam or .psam file.")
    if kind == "bed":
        plink.import_bed(source, out, build=build, a1=a1, duplicates=duplicates, overwrite=force)
    elif kind == "pgen":
        plink.import_pgen(source, out, build=build, duplicates=duplicates, overwrite=force)
    elif kind == "mt":
        from cohelix.genotypes.on_hail import import_matrix

        import_matrix(source, out, overwrite=force)
    else:
        raise ConfigError(f"expected a format of auto, vcf, bcf, bed, pgen or mt, found {kind!r}.")


@app.command()
def export(
    callset: Annotated[str, typer.Argument(help="Callset to read.")],
    out: Annotated[str, typer.Option("--out", "-o", help="File (.vcf, .vcf.gz, .bcf) or prefix of a fileset.")],
    form: Annotated[
        str, typer.Option("--format", help="auto (by name), vcf, vcf.gz, bcf, bed, pgen, bgen or mt.")
    ] = "auto",
    region: Annotated[str | None, typer.Option(help="Only sites here: chr22:1-2000 (1-based, both ends in).")] = None,
    samples: Annotated[str | None, typer.Option("--samples-file", help="Only these samples, one id a line.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
) -> None:
    """Write a callset, or a part of it, in a format that other tools read.

    Example: cohelix genotypes export cohort.callset -o chr22.vcf.gz --region chr22
    """
    from cohelix.errors import ConfigError
    from cohelix.genotypes import plink_out, vcf_out
    from cohelix.genotypes.callset import open_callset
    from cohelix.genotypes.selection import read_sample_ids, select

    kind = _target_form(out) if form == "auto" else form
    if kind == "mt":
        from cohelix.genotypes.on_hail import export_matrix

        if region or samples or force:
            raise ConfigError("a Hail export takes the whole callset, to a new path. Choose in Hail what to keep.")
        export_matrix(callset, out)
        return
    opened = open_callset(callset)
    selection = select(opened, region=region, sample_ids=read_sample_ids(samples) if samples else None)
    if kind == "bed":
        plink_out.export_bed(opened, out.removesuffix(".bed"), selection, overwrite=force)
    elif kind == "bgen":
        from cohelix.genotypes.bgen_out import export_bgen

        export_bgen(opened, out.removesuffix(".bgen"), selection, overwrite=force)
    elif kind == "pgen":
        plink_out.export_pgen(opened, out.removesuffix(".pgen"), selection, overwrite=force)
    else:
        if kind == "vcf" and out.endswith((".vcf.gz", ".vcf.bgz")):
            kind = "vcf.gz"
        vcf_out.export_vcf(opened, out, selection, form=kind, overwrite=force)


@app.command("select")
def select_(
    callset: Annotated[str, typer.Argument(help="Callset to read.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Callset to make; one that exists gets a new version.")],
    sites: Annotated[str | None, typer.Option("--sites", help="Only sites in this VCF or table.")] = None,
    samples: Annotated[str | None, typer.Option("--samples-file", help="Only these samples, one id a line.")] = None,
    preset: Annotated[str | None, typer.Option("--preset", help="Choices of a programme, such as aou-v8.")] = None,
    config: Annotated[str | None, typer.Option("--config", help="TOML file with a section [genotypes.select].")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="One choice, such as genotypes.select.ld_r2=0.2. May be repeated."),
    ] = None,
    runtime: Annotated[str, typer.Option("--runtime", help="local (threads) or spark.")] = "local",
    cores: Annotated[
        int | None, typer.Option("--cores", help="Cores to use. Default: all that this process may use.", min=1)
    ] = None,
) -> None:
    """The sites that suit kinship and ancestry as a callset: common autosomal SNPs, pruned by LD.

    Example: cohelix genotypes select cohort.callset -o pruned.callset --set genotypes.select.min_maf=0.05
    """
    from cohelix.genotypes.schema_select import SelectParams
    from cohelix.genotypes.site_selection import select_sites
    from cohelix.jobs.config import load_params
    from cohelix.runtime.protocol import opened_runtime

    params = load_params(SelectParams, "genotypes.select", preset=preset, config=config, overrides=set_ or ())
    with opened_runtime(runtime, cores=cores) as mover:
        select_sites(callset, out, params, mover, sites=sites, samples=samples)


@app.command()
def describe(
    callset: Annotated[str, typer.Argument(help="Callset to read.")],
) -> None:
    """A callset on one page: aggregates only, safe to show.

    Example: cohelix genotypes describe cohort.callset
    """
    from cohelix.genotypes import describe as page
    from cohelix.genotypes.callset import open_callset

    opened = open_callset(callset)
    typer.echo(page.text(opened, page.describe(opened)))


def _source_form(source: str) -> str:
    from pathlib import Path

    from cohelix.errors import ConfigError

    for suffix, kind in _SUFFIXES.items():
        if source.endswith(suffix):
            return kind
    kinds = [kind for kind in ("pgen", "bed") if Path(f"{source}.{kind}").is_file()]
    if len(kinds) != 1:
        raise ConfigError(
            f"expected a name with a known suffix, or the prefix of one PLINK fileset, found {len(kinds)}. "
            "Check the path, or say what it is with --format."
        )
    return kinds[0]


def _target_form(out: str) -> str:
    from cohelix.errors import ConfigError

    for suffix, kind in _SUFFIXES.items():
        if out.endswith(suffix):
            return kind
    raise ConfigError(f"expected a name ending in {', '.join(_SUFFIXES)}, or --format. Say what to write.")
