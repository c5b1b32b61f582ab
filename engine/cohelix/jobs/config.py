"""Wishes of the operator: a preset, a TOML file and `--set`, checked and turned into a Params dataclass.

Later wins: defaults of the dataclass, the preset, `--config run.toml`, `--set section.key=value`. Keys and types are
those of the dataclass's fields; ranges and choices are checked by its `__post_init__`.

    preset = "aou-v8"

    [joint]
    gq0 = "nocall"
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import tomllib
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from cohelix.errors import ConfigError

P = TypeVar("P")

SECTIONS = {
    "ingest": "cohelix.joint.schema:IngestParams",
    "joint": "cohelix.joint.schema:CallParams",
    "qc.samples": "cohelix.qc.schema:SampleQcParams",
    "qc.variants": "cohelix.qc.schema:VariantQcParams",
    "qc.arrays": "cohelix.qc.schema:ArrayQcParams",
    "qc.concordance": "cohelix.qc.schema:ConcordanceParams",
    "genotypes.select": "cohelix.genotypes.schema_select:SelectParams",
    "relatedness.estimate": "cohelix.relatedness.schema:RelatednessParams",
    "relatedness.pc_relate": "cohelix.relatedness.schema:PcRelateParams",
    "relatedness.prune": "cohelix.relatedness.schema:PruneParams",
    "ancestry.panel": "cohelix.ancestry.schema:PanelParams",
    "ancestry.fit": "cohelix.ancestry.schema:FitParams",
    "ancestry.project": "cohelix.ancestry.schema:ProjectParams",
    "ancestry.assign": "cohelix.ancestry.schema:AssignParams",
    "prs.match": "cohelix.prs.schema:MatchParams",
    "prs.score": "cohelix.prs.schema:ScoreParams",
    "prs.adjust": "cohelix.prs.schema:AdjustParams",
    "prs.evaluate": "cohelix.prs.schema:EvaluateParams",
    "pgx.call": "cohelix.pgx.schema:CallParams",
    "release": "cohelix.release.schema:ReleaseParams",
    "simulate": "cohelix.simulate.schema:CohortParams",
    "simulate.sequencing": "cohelix.simulate.schema:SequencingParams",
    "simulate.arrays": "cohelix.simulate.schema:ArrayParams",
    "simulate.traits": "cohelix.simulate.schema:TraitParams",
    "simulate.omop": "cohelix.simulate.schema:OmopParams",
}
"""Sections of a configuration, and the dataclass whose fields are its keys."""


def load_params(
    cls: type[P], section: str, *, preset: str | None = None, config: str | None = None, overrides: Sequence[str] = ()
) -> P:
    """`cls` with the settings of `section`. Raises ConfigError with the way out.

    `overrides` are `section.key=value`; those of other sections are left to whom they concern.
    """
    hints = {name: hint for name, hint in get_type_hints(cls).items() if name in _field_names(cls)}
    document = read_toml(config) if config else {}
    chosen = preset or document.get("preset")
    settings: dict[str, Any] = {}
    if chosen is not None:
        settings |= _checked(_section(read_preset(str(chosen)), section), hints, f"preset {chosen}, [{section}]")
    settings |= _checked(_section(document, section), hints, f"the configuration file, [{section}]")
    for override in overrides:
        name, key, text = split_override(override)
        if name == section:
            settings |= _checked({key: _parse(text, hints.get(key))}, hints, f"--set {override}")
    try:
        return cls(**settings)
    except (ValueError, ConfigError) as error:
        where = "" if str(error).startswith(f"{section}.") else f"[{section}]: "
        raise ConfigError(f"{where}{error}") from None


def _section(document: dict[str, Any], section: str) -> dict[str, Any]:
    """The settings of a section, without the sections within it."""
    found = document
    for word in section.split("."):
        found = found.get(word, {})
    within = {name.rpartition(".")[2] for name in SECTIONS if name.startswith(f"{section}.")}
    return {key: value for key, value in found.items() if key not in within}


def section_class(section: str) -> type:
    """The dataclass of a section."""
    if section not in SECTIONS:
        raise ConfigError(f"section {section!r} is not known.{_nearest(section, SECTIONS)}")
    module, _, name = SECTIONS[section].partition(":")
    found = getattr(importlib.import_module(module), name)
    assert isinstance(found, type)
    return found


def preset_names() -> list[str]:
    folder = resources.files("cohelix.jobs").joinpath("presets")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def read_preset(name: str) -> dict[str, Any]:
    """The sections of a preset, as its TOML file has them."""
    if name not in preset_names():
        raise ConfigError(f"preset {name!r} is not known.{_nearest(name, preset_names())}")
    entry = resources.files("cohelix.jobs").joinpath("presets", f"{name}.toml")
    return tomllib.loads(entry.read_text(encoding="utf-8"))


def read_toml(path: str) -> dict[str, Any]:
    """A configuration file. Its sections are checked here, the keys of a section where it is used."""
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the configuration file cannot be read ({type(error).__name__}). Check the path.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the configuration file is not TOML: {error}.") from None
    known = ["preset", *dict.fromkeys(name.split(".")[0] for name in SECTIONS)]
    for key, value in document.items():
        if key not in known:
            raise ConfigError(f"the configuration file has an unknown entry {key!r}.{_nearest(key, known)}")
        if key not in SECTIONS and key != "preset":
            _only_sections(key, value)
        for section in (name for name in SECTIONS if name.split(".")[0] == key):
            is_whole = section == key or not isinstance(value, dict)
            inner = value if is_whole else value.get(section.split(".")[1], {})
            if not isinstance(inner, dict):
                raise ConfigError(f"the configuration file: expected a section [{section}], found a single value.")
    return document


def _only_sections(key: str, value: Any) -> None:
    """A noun that has no settings of its own, as `qc`, holds its sections and nothing else."""
    within = [name.split(".")[1] for name in SECTIONS if name.startswith(f"{key}.")]
    for name in value if isinstance(value, dict) else ():
        if name not in within:
            raise ConfigError(f"the configuration file: [{key}] has an unknown entry {name!r}.{_nearest(name, within)}")


def split_override(override: str) -> tuple[str, str, str]:
    """`joint.gq0=homref` as ("joint", "gq0", "homref")."""
    name, equals, text = override.partition("=")
    section, dot, key = name.strip().rpartition(".")
    if not equals or not dot:
        raise ConfigError(f"--set {override}: expected section.key=value, as in joint.gq0=homref.")
    if section not in SECTIONS:
        raise ConfigError(f"--set {override}: section {section!r} is not known.{_nearest(section, SECTIONS)}")
    return section, key, text.strip()


def _field_names(cls: type[Any]) -> set[str]:
    return {field.name for field in dataclasses.fields(cls) if field.init}


def _checked(settings: dict[str, Any], hints: dict[str, Any], where: str) -> dict[str, Any]:
    for key in settings:
        if key not in hints:
            raise ConfigError(f"{where}: key {key!r} is not known.{_nearest(key, hints)}")
    return {key: _typed(value, hints[key], f"{where}: {key}") for key, value in settings.items()}


def _parse(text: str, hint: Any) -> Any:
    """Text of an override as a TOML value; a bare word is a string, as in `gq0=homref`."""
    if hint is str:
        return text.strip("\"'")
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _typed(value: Any, hint: Any, where: str) -> Any:
    """`value` if it is of type `hint`; a whole number passes as float."""
    if get_origin(hint) is list and type(value) is list:
        (kind,) = get_args(hint)
        return [_typed(item, kind, f"{where}[{place}]") for place, item in enumerate(value)]
    if get_origin(hint) is tuple and type(value) in (list, tuple):  # of any length: tuple[str, ...]
        return tuple(_typed(item, get_args(hint)[0], f"{where}[{place}]") for place, item in enumerate(value))
    if get_origin(hint) is dict and type(value) is dict:
        _, kind = get_args(hint)
        return {str(key): _typed(item, kind, f"{where}.{key}") for key, item in value.items()}
    kinds = (hint,) if get_origin(hint) in (list, dict, tuple) else get_args(hint) or (hint,)
    # bool is a kind of int to Python, but `max_alleles = true` is a mistake
    if any(type(value) is kind for kind in kinds):
        return value
    if float in kinds and type(value) is int:
        return float(value)
    expected = " or ".join(str(kind) if get_origin(kind) else kind.__name__ for kind in kinds)
    expected = expected.replace("tuple[str, ...]", 'list, as in ["A", "B"]')
    raise ConfigError(f"{where}: expected a value of type {expected}, found {value!r}.")


def _nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else f" Known: {', '.join(sorted(known))}."
