"""`cohelix estimate`: what a job needs before it is run, from measured rates and the headers of its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cohelix.scale.joint import Cohort
    from cohelix.scale.model import Load
    from cohelix.scale.rates import Rates, Terms

app = typer.Typer(no_args_is_help=True, help="What a job needs: bytes, core-hours, memory, time, cost.")

Samples = Annotated[str, typer.Option("--samples", help="Numbers of people, separated by commas.")]
PricesFile = Annotated[str | None, typer.Option("--prices", help="Price table in TOML. Default: examples.")]
Cores = Annotated[int, typer.Option("--cores", help="Cores that work at the same time.", min=1)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, in bytes, seconds and MiB.")]

SIZES = "1000,10000,100000,1000000"


@app.command()
def joint(
    samples: Samples = SIZES,
    manifest: Annotated[
        str | None, typer.Option("--manifest", help="gVCFs like those to come: sizes and indexes are read, no bodies.")
    ] = None,
    bytes_per_sample: Annotated[
        float | None, typer.Option("--bytes-per-sample", help="Of a gVCF with its compression. Default: as measured.")
    ] = None,
    records_per_sample: Annotated[
        float | None, typer.Option("--records-per-sample", help="Lines of a gVCF. Default: as measured.")
    ] = None,
    bases: Annotated[
        int | None, typer.Option("--bases", help="Bases that a gVCF is about. Default: of the manifest, or GRCh38.")
    ] = None,
    sites: Annotated[str, typer.Option("--sites", help="How sites grow: published (cohorts) or made.")] = "published",
    batch_samples: Annotated[int | None, typer.Option("--batch-samples", help="As ingest.batch_samples.")] = None,
    bin_bp: Annotated[int | None, typer.Option("--bin-bp", help="As ingest.bin_bp.")] = None,
    cores: Cores = 64,
    prices: PricesFile = None,
    as_json: AsJson = False,
) -> None:
    """Ingest and joint call of gVCFs.

    Example: cohelix estimate joint --samples 1000,10000,100000,1000000 --manifest manifest.tsv --cores 96
    """
    from dataclasses import replace

    from cohelix.joint.schema import IngestParams
    from cohelix.scale import joint as noun
    from cohelix.scale import page, rates
    from cohelix.scale.sites import count_sites

    measured = rates.load("joint")
    defaults = IngestParams()
    params = replace(
        defaults,
        batch_samples=defaults.batch_samples if batch_samples is None else batch_samples,
        bin_bp=defaults.bin_bp if bin_bp is None else bin_bp,
    )
    one, remarks = _one_sample(manifest, bytes_per_sample, records_per_sample, bases, measured.sample)
    sizes = page.read_sizes(samples)

    def cohort(n: int) -> Cohort:
        return noun.Cohort(
            n, one["bytes"], one["records"], int(one["bases"]),
            count_sites(sites, n, int(one["bases"]), measured.sites),
            params.batch_samples, params.bin_bp, params.stretch_mib << 20,
        )  # fmt: skip

    show("joint", measured, {n: noun.loads(cohort(n)) for n in sizes}, remarks, (cores, prices, as_json))


@app.command()
def simulate(
    samples: Samples = SIZES,
    bases: Annotated[int, typer.Option("--bases", help="Bases of the regions that are made.", min=1)] = 2_000_000,
    cores: Cores = 64,
    prices: PricesFile = None,
    as_json: AsJson = False,
) -> None:
    """gVCFs of made people (`cohelix simulate gvcfs`).

    Example: cohelix estimate simulate --samples 1000,10000 --bases 2000000 --cores 16
    """
    from cohelix.scale import page, rates
    from cohelix.scale import simulate as noun

    measured = rates.load("simulate")
    loads = {n: noun.loads(noun.Cohort(n, bases)) for n in page.read_sizes(samples)}
    remarks = [f"regions of {bases:,} bases"]
    show("simulate", measured, loads, remarks, (cores, prices, as_json))


@app.command()
def cohort(
    persons: Annotated[str, typer.Option("--persons", help="Numbers of people, separated by commas.")] = SIZES,
    size: Annotated[str, typer.Option(help="Settings by name, as of simulate cohort.")] = "bench-1k",
    config: Annotated[str | None, typer.Option("--config", help="Settings in TOML.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, as in simulate.region_bases=50000. Repeatable.")
    ] = None,
    regions: Annotated[int | None, typer.Option(help="Regions. Default: of the settings.", min=1)] = None,
    bases: Annotated[int | None, typer.Option(help="Bases of all regions. Default: of the settings.", min=1)] = None,
    haplotypes: Annotated[int | None, typer.Option(help="Of each source population.", min=20)] = None,
    callset: Annotated[bool, typer.Option("--callset", help="A callset in place of gVCFs.")] = False,
    cores: Cores = 64,
    prices: PricesFile = None,
    as_json: AsJson = False,
) -> None:
    """A cohort of made people (`cohelix simulate cohort`).

    Example: cohelix estimate cohort --persons 1000,100000 --size bench-10k --callset --cores 16
    """
    from cohelix.errors import ConfigError
    from cohelix.jobs import cohort_sizes
    from cohelix.scale import cohort as noun
    from cohelix.scale import page, rates
    from cohelix.simulate.cohort.plan import make_plan

    wishes = cohort_sizes.load_wishes(size, config, overrides or [])
    planned = make_plan(wishes, persons=1, seed=1).regions
    n_regions = regions or len(planned)
    n_bases = bases or sum(region.end - region.start for region in planned) * n_regions // len(planned)
    if n_bases < n_regions:
        raise ConfigError(
            f"expected at least a base for each of {n_regions:,} regions, found {n_bases:,}. Raise --bases."
        )
    n_haplotypes = haplotypes or wishes.cohort.haplotypes
    kind = "callset" if callset else wishes.cohort.genotypes
    measured = rates.load("cohort")

    def sites_of(n: int) -> noun.Sites:
        params = wishes.cohort
        return noun.Sites(n, n_bases, n_haplotypes, params.private_sites, params.related, params.duplicates)

    def of_size(n: int) -> noun.Cohort:
        return noun.Cohort(
            n, n_regions, n_bases, n_haplotypes, wishes.traits.training, len(wishes.traits.training_groups),
            wishes.sequencing.share * (1 + wishes.sequencing.second_sample), wishes.arrays.share,
            kind in ("gvcf", "both"), kind in ("callset", "both"),
            noun.count_sites(sites_of(n), measured.sites),
        )  # fmt: skip

    loads = {n: noun.loads(of_size(n), cores) for n in page.read_sizes(persons)}
    written = {"gvcf": "gVCFs", "callset": "a callset", "both": "gVCFs and a callset"}[kind]
    remarks = [
        f"{n_regions:,} regions of {n_bases:,} bases in all, {n_haplotypes:,} haplotypes of each source, {written}",
        "memory: of the whole command, where it is highest",
        "time: measured beside other work, so rather too long than too short",
    ]
    if unseen := [stage.name for stage in measured.stages if not stage.terms.get("cpu_s")]:
        remarks.append(f"CPU of {' and '.join(unseen)}: too little to be seen at the measured sizes, and not counted")
    show("cohort", measured, loads, remarks, (cores, prices, as_json))


def show(
    noun: str, measured: Rates, loads: Mapping[int, list[Load]], remarks: list[str], how: tuple[int, str | None, bool]
) -> None:
    """Print the table of a noun, or JSON. how: cores, price table, whether JSON is asked for."""
    from cohelix.scale import page
    from cohelix.scale.prices import load as load_prices

    cores, prices, as_json = how
    found = page.estimate(noun, measured, loads, cores, load_prices(prices), remarks)
    typer.echo(page.as_json(found) if as_json else page.as_text(found))


def _one_sample(
    manifest: str | None, n_bytes: float | None, records: float | None, bases: int | None, measured: Terms
) -> tuple[dict[str, float], list[str]]:
    """bytes, records and bases of a sample, and where each comes from: option, manifest, else the measured cohorts."""
    from cohelix.joint.manifest import read
    from cohelix.scale.inputs import Inputs, look
    from cohelix.scale.page import positive
    from cohelix.scale.sites import GENOME_BASES

    seen = look([row.path for row in read(manifest)]) if manifest else Inputs(0, 0.0, None, None, 0)
    found: dict[str, float] = {}
    remarks = []
    if seen.samples:
        remarks.append(f"manifest: {seen.samples:,} files sized, {seen.indexes:,} indexes read, no bodies")

    def settle(name: str, option: float | None, observed: float | None, fallback: float) -> None:
        source = "option" if option is not None else "manifest" if observed else "as measured on made cohorts"
        found[name] = positive(name, option) if option is not None else observed or fallback
        remarks.append(f"{name} a sample: {found[name]:,.0f} ({source})")

    settle("bases", bases, seen.bases, GENOME_BASES)
    settle("bytes", n_bytes, seen.bytes or None, measured["bytes_per_base"] * found["bases"])
    per_byte = measured["records_per_base"] / measured["bytes_per_base"]
    settle("records", records, seen.records, found["bytes"] * per_byte)
    return found, remarks
