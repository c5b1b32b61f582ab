"""`cohelix config`: what a configuration comes to, before anything runs."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import typer

app = typer.Typer(help="See and check settings.", no_args_is_help=True, rich_markup_mode=None)

Config = Annotated[str | None, typer.Option("--config", help="Settings in TOML.")]
Preset = Annotated[str | None, typer.Option("--preset", help="Settings of a programme: aou-v8, gnomad-v4.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="One setting, as in joint.gq0=homref. Repeatable.")]


@app.command()
def show(config: Config = None, preset: Preset = None, overrides: Overrides = None) -> None:
    """Print every setting as it would be used, as TOML.

    Example: cohelix config show --preset gnomad-v4 --set joint.max_alleles=50
    """
    for section, values in _resolved(config, preset, overrides or []).items():
        typer.echo(f"[{section}]")
        for key, value in values.items():
            # TOML has no word for nothing
            typer.echo(f"# {key} is not set" if value is None else f"{key} = {_toml(value)}")


@app.command()
def check(config: Config = None, preset: Preset = None, overrides: Overrides = None) -> None:
    """Say nothing where all settings are good; else say what is wrong, and exit with 3.

    Example: cohelix config check --config run.toml
    """
    _resolved(config, preset, overrides or [])


def _resolved(config: str | None, preset: str | None, overrides: list[str]) -> dict[str, dict[str, Any]]:
    from cohelix.jobs.config import SECTIONS, load_params, section_class, split_override

    for override in overrides:
        split_override(override)  # refuses one that belongs to no section
    return {
        section: dataclasses.asdict(
            load_params(section_class(section), section, preset=preset, config=config, overrides=overrides)
        )
        for section in SECTIONS
    }


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key} = {_toml(item)}' for key, item in value.items())}}}"
    return str(value)
