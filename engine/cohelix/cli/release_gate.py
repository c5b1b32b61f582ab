"""Commands of `cohelix release` about who may read: issuers, grants, opening, explaining, joining, the audit log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

Passport = Annotated[
    str, typer.Option("--passport", envvar="COHELIX_PASSPORT", help="File of your visas, one JWT a line.")
]
Trust = Annotated[
    str, typer.Option("--trust", envvar="COHELIX_TRUST", help="Trust file: issuers and their keys, audit log.")
]
Release = Annotated[str, typer.Argument(help="Folder of a release.")]


def issuer(
    out: Annotated[str, typer.Option("--out", "-o", help="Folder to make; only its owner can read it.")],
) -> None:
    """Make the key of an issuer of grants; its jwks.json goes to the trust files of gates.

    Example: cohelix release issuer -o dac
    """
    from cohelix.release.gate.issue import make_issuer

    make_issuer(Path(out))


def grant(
    issuer: Annotated[str, typer.Argument(help="Folder of `cohelix release issuer`.")],
    out: Annotated[str, typer.Option("--out", "-o", help="File for the visa.")],
    iss: Annotated[str, typer.Option("--iss", help="Name of the issuer, as in the trust file.")],
    subject: Annotated[str, typer.Option("--subject", help="The researcher, as the issuer names people.")],
    audience: Annotated[str, typer.Option("--audience", help="The gate that the grant is for.")],
    dataset: Annotated[str, typer.Option("--dataset", help="The program's address, as in its releases.")],
    tier: Annotated[str, typer.Option("--tier", help="registered or controlled.")],
    training: Annotated[str, typer.Option("--training", help="basic or extended.")],
    trained: Annotated[str, typer.Option("--trained", help="Day of the training, as in 2026-05-01.")],
    agreement: Annotated[str, typer.Option("--agreement", help="Version of the data-use agreement.")],
    institution: Annotated[str, typer.Option("--institution", help="The institution that signed it.")],
    commercial: Annotated[bool, typer.Option("--commercial/--not-commercial", help="Declared intent of the use.")],
    review_board: Annotated[str, typer.Option("--review-board", help="Approval of a review board.")] = "",
    linkage: Annotated[str, typer.Option("--linkage", help="Approval for joining with outside data.")] = "",
    days: Annotated[int, typer.Option("--days", help="Days that the grant is valid: a year at most.")] = 365,
) -> None:
    """Sign a grant of a tier for a researcher, as an access committee does. Prints its number (jti), to revoke it by.

    Example: cohelix release grant dac -o visa.jwt --iss https://dac.cohort.example --subject r7
    --audience https://cohort.example/cohelix --dataset https://cohort.example/releases --tier controlled
    --training extended --trained 2026-05-01 --agreement 1 --institution "A university" --not-commercial
    --review-board IRB-2026-17
    """
    from cohelix.genotypes.exports import whole_file
    from cohelix.release.gate.issue import Terms, make_visa
    from cohelix.tier import tier_named

    terms = Terms(training, trained, agreement, institution, commercial, review_board, linkage)
    jti, visa = make_visa(Path(issuer), iss, subject, audience, dataset, tier_named(tier), terms, days=days)
    with whole_file(out) as path:
        path.chmod(0o600)
        path.write_text(visa + "\n")
    typer.echo(jti)


def open_(
    release: Release,
    out: Annotated[str, typer.Option("--out", "-o", help="Workspace to make; only its owner can read it.")],
    passport: Passport = "",
    trust: Trust = "",
    part: Annotated[
        list[str] | None, typer.Option("--part", help="Only this folder or file of the release. Repeatable.")
    ] = None,
) -> None:
    """Decrypt a release, or parts of it, into a workspace, for holders of a grant. Every file is checked on the way.

    Commands of cohelix that read from the workspace ask for the grant again, and write it down.

    Example: cohelix release open releases/controlled/C2026Q4R1 -o work --part omop --passport visa.jwt
    --trust trust.toml
    """
    from cohelix.release.gate.reading import open_release

    open_release(release, passport, trust).checkout(out, part or ())


def who_can(release: Release, passport: Passport = "", trust: Trust = "") -> None:
    """Say why the holder of a passport may read a release, or may not. Exit code 6 where not.

    Example: cohelix release who-can releases/controlled/C2026Q4R1 --passport visa.jwt --trust trust.toml
    """
    from cohelix.errors import AccessError
    from cohelix.release.gate.trust import read_trust
    from cohelix.release.gate.who_can import explain
    from cohelix.release.keys import open_keys
    from cohelix.release.manifest import read

    whom = read_trust(trust)
    let, lines = explain(read(Path(release), open_keys(whom.keys).verifying()), passport, whom)
    for line in lines:
        typer.echo(line)
    if not let:
        raise typer.Exit(AccessError.exit_code)


def join(
    release: Release,
    table: Annotated[str, typer.Argument(help="Table of the release, as in omop/person.parquet.")],
    outside: Annotated[str, typer.Argument(help="Table with a column person_id.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Parquet file in a workspace of the release's tier.")],
    passport: Passport = "",
    trust: Trust = "",
) -> None:
    """Join a table of a release with an outside one by person: for grants that name an approval for it.

    Example: cohelix release join releases/controlled/C2026Q4R1 omop/person.parquet others.tsv -o work/joined.parquet
    """
    from cohelix.release.gate.join import join as run
    from cohelix.release.gate.reading import open_release

    n = run(open_release(release, passport, trust), table, outside, out)
    typer.echo(f"{n:,} rows of persons who are in both tables")


def audit(
    folder: Annotated[str, typer.Argument(help="Folder of the audit log, as the trust file names it.")],
    head: Annotated[str, typer.Option("--head", help="sha256 of a line that was noted elsewhere.")] = "",
) -> None:
    """Check the chain of an audit log. Exit code 7 where it was altered.

    Example: cohelix release audit audit
    """
    from cohelix.release.gate.audit import verify

    typer.echo(f"{verify(Path(folder), head)} entries, each chained to the one before")


def revoke(
    jti: Annotated[str, typer.Argument(help="Number of the grant, as `cohelix release grant` printed it.")],
    trust: Trust = "",
) -> None:
    """Revoke a grant: the gates of this trust file let it in no more.

    Example: cohelix release revoke 1f0c6a9be2d84b5e93a7c1d2e4f60718 --trust trust.toml
    """
    from cohelix.errors import ConfigError
    from cohelix.release.gate.trust import read_trust
    from cohelix.storage import write

    whom = read_trust(trust)
    if whom.revoked is None or not jti.isalnum():
        raise ConfigError("expected `revoked` in the trust file and the number of a grant, found other.")
    before = whom.revoked.read_text(encoding="utf-8") if whom.revoked.exists() else ""
    write(str(whom.revoked), (before + ("" if before.endswith("\n") or not before else "\n") + jti + "\n").encode())


COMMANDS: dict[str, Callable[..., None]] = {
    "issuer": issuer,
    "grant": grant,
    "open": open_,
    "who-can": who_can,
    "join": join,
    "audit": audit,
    "revoke": revoke,
}
