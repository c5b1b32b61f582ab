"""`cohelix release`: what each tier may see, made, signed, checked and compared; and who may read it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cohelix.cli import release_gate
from cohelix.tier import Tier

app = typer.Typer(
    no_args_is_help=True,
    help="Releases: build, verify, withdraw, compare; grants, opening and the audit log.",
)

Keys = Annotated[
    str,
    typer.Option(
        "--keys",
        help="Folder of `cohelix release keys`, or command:PROGRAM, which prints a key in base64 when given its name.",
    ),
]
Inputs = Annotated[str, typer.Argument(help="TOML file that names the results of the other commands.")]
Name = Annotated[str, typer.Option("--name", help="Name of the release, as in C2026Q4R1.")]
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="Day on which ages are counted. Default: that of the health records.")
]
Issued = Annotated[
    str, typer.Option("--issued", help="Day of issue for the README and the manifest, as in 2026-12-01.")
]
Preset = Annotated[str | None, typer.Option("--preset", help="Choices of a policy, such as aou-v8.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="One choice, such as release.max_power=0.05.")]
Config = Annotated[str | None, typer.Option("--config", help="TOML file with a section [release].")]


@app.command()
def keys(
    out: Annotated[str, typer.Option("--out", "-o", help="Folder to make; only its owner can read it.")],
) -> None:
    """Make the keys of a program: for ids and dates, for signing, and one pair a tier for the files.

    Example: cohelix release keys -o keys
    """
    from cohelix.release.keys import make_keys

    make_keys(Path(out))


@app.command()
def build(
    inputs: Inputs,
    tier: Annotated[str, typer.Option("--tier", help="public, registered or controlled.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Root of the tier's releases: a folder of this tier alone.")],
    name: Name,
    keys: Keys,
    supersedes: Annotated[str, typer.Option("--supersedes", help="Newest release of this tier so far.")] = "",
    as_of: AsOf = None,
    issued: Issued = "",
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Make the release of one tier. Nothing is visible before all of it is there and signed.

    Example: cohelix release build inputs.toml --tier public -o releases/public --name P2026Q4R1 --keys keys
    """
    from cohelix.jobs.config import load_params
    from cohelix.jobs.releases.build import Request
    from cohelix.jobs.releases.build import build as run
    from cohelix.jobs.releases.order import read_order
    from cohelix.release.keys import open_keys
    from cohelix.release.schema import ReleaseParams
    from cohelix.tier import tier_named

    params = load_params(ReleaseParams, "release", preset=preset, config=config, overrides=set_ or ())
    request = Request(tier_named(tier), out, name, supersedes, as_of, issued)
    order = read_order(inputs)
    run(order, request, open_keys(keys), params)
    _say(order.program.ledger, request.tier, name)


@app.command()
def withdraw(
    release: Annotated[str, typer.Argument(help="Newest release of a tier: the one to supersede.")],
    inputs: Inputs,
    withdrawn: Annotated[str, typer.Option("--withdrawn", help="Table with person_id of those who leave.")],
    name: Name,
    keys: Keys,
    as_of: AsOf = None,
    issued: Issued = "",
    preset: Preset = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Make a new release without persons who have withdrawn. The former one stays as it is.

    Everything is computed anew; what of it would tell, beside the former release, of the persons who left is not
    published. Settings are not taken over: give those of the former release.

    Example: cohelix release withdraw releases/public/P2026Q4R1 inputs.toml --withdrawn left.tsv --name P2027Q1R1
    --keys keys
    """
    from cohelix.jobs.config import load_params
    from cohelix.jobs.releases.order import read_order
    from cohelix.jobs.releases.withdraw import changed_settings
    from cohelix.jobs.releases.withdraw import withdraw as run
    from cohelix.release.keys import open_keys
    from cohelix.release.schema import ReleaseParams
    from cohelix.tier import tier_of

    params = load_params(ReleaseParams, "release", preset=preset, config=config, overrides=set_ or ())
    opened = open_keys(keys)
    changed = changed_settings(release, opened, params)
    if changed:
        said = "Settings are not taken over; give the same ones, unless this is meant."
        typer.echo(f"cohelix: other than in the former release: {', '.join(changed)}. {said}", err=True)
    made = run(release, inputs, withdrawn, name, opened, params, as_of=as_of, issued=issued)
    _say(read_order(inputs).program.ledger, tier_of(made), name)


def _say(ledger: str, tier: Tier, name: str) -> None:
    """What the ledger has of a release: who is in it, and on stderr what its inputs lack."""
    from cohelix.jobs.releases.ledger import told, warned

    for line in told(ledger, tier, name):
        typer.echo(line)
    for line in warned(ledger, tier, name):
        typer.echo(f"cohelix: {line}.", err=True)


@app.command()
def verify(
    release: Annotated[str, typer.Argument(help="Folder of a release.")],
    keys: Keys,
    shallow: Annotated[bool, typer.Option("--shallow", help="Sizes and the signature alone: reads no file.")] = False,
) -> None:
    """Check every file of a release against its signed manifest. Exit code 7 where anything differs.

    Example: cohelix release verify releases/public/P2026Q4R1 --keys keys
    """
    from cohelix.release.keys import open_keys
    from cohelix.release.manifest import verify as run

    manifest = run(Path(release), open_keys(keys).verifying(), deep=not shallow)
    typer.echo(f"{manifest.name} ({manifest.tier}): {len(manifest.files)} files as they were signed")


@app.command()
def diff(
    before: Annotated[str, typer.Argument(help="Folder of a release.")],
    after: Annotated[str, typer.Argument(help="Folder of a later release of the same tier.")],
    keys: Keys,
) -> None:
    """What changed between two releases of a tier.

    Example: cohelix release diff releases/public/P2026Q4R1 releases/public/P2027Q1R1 --keys keys
    """
    from cohelix.release.compare import compare
    from cohelix.release.keys import open_keys

    for line in compare(Path(before), Path(after), open_keys(keys)):
        typer.echo(line)


@app.command()
def scan(
    release: Annotated[str, typer.Argument(help="Folder to look through, such as a release or all that is public.")],
    ids: Annotated[str, typer.Option("--ids", help="Table of ids that must not be there: all its columns.")],
    keys: Annotated[str, typer.Option("--keys", help="Look into encrypted files as well.")] = "",
) -> None:
    """Look for ids in every byte of a folder, in all their forms. Exit code 8 where one is found.

    Example: cohelix release scan releases/public --ids persons.tsv
    """
    from cohelix.errors import DisclosureError
    from cohelix.genotypes.inputs import read_table, texts
    from cohelix.release.opened import contents
    from cohelix.release.scan import markers
    from cohelix.release.scan import scan as run

    table = read_table(ids, "table of ids")
    wanted = markers(sorted({one for name in table.column_names for one in texts(table, name) if one}))
    found = run(Path(release), wanted, opened=contents(Path(release), keys))
    for one in found:
        typer.echo(f"{one.path}: {one.n_ids} ids as {one.form}")
    if found:
        raise DisclosureError(f"ids are in {len({one.path for one in found})} files of this folder. Do not publish it.")
    short = f"; {wanted.n_short} ids are too short to be told from chance" if wanted.n_short else ""
    typer.echo(f"no id was found{short}")


for _name, _command in release_gate.COMMANDS.items():
    app.command(_name)(_command)
