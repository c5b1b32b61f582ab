"""What a release is to be made of: a TOML file that names the results of the other commands.

    [program]
    name = "Example cohort"
    dataset = "https://cohort.example/releases"
    duo = ["DUO:0000042"]
    ledger = "ledger"

    [inputs]
    omop = "omop"
    callset = "cohort.callset"
    ancestry = "ancestry"
    exclude = ["withdrawn.tsv"]

    [[withdrawn]]
    table = "observation"
    column = "value_as_string"
    value = "consent withdrawn"

Paths are relative to the file. `[[withdrawn]]` says which rows of the health records mean that their person has
withdrawn; lists in `exclude` have a column sample_id or person_id, and may have a column reason.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cohelix.errors import ConfigError, InputError
from cohelix.release.schema import Inputs


@dataclass(frozen=True)
class Withdrawn:
    """Rows of a table of the health records with this value in a column: their persons have withdrawn."""

    table: str
    column: str
    value: str


@dataclass(frozen=True)
class Program:
    """Whose data these are.

    dataset: the address that grants name, `<dataset>/<tier>`. duo: terms of use, DUO codes. ledger: the folder in which
    the program keeps who has withdrawn, for all tiers (`cohelix.jobs.releases.ledger`).
    """

    name: str
    dataset: str
    ledger: str
    duo: tuple[str, ...] = ()


@dataclass(frozen=True)
class Order:
    """Inputs with their paths made whole, whose they are, and rules for who has withdrawn."""

    program: Program
    inputs: Inputs
    withdrawn: tuple[Withdrawn, ...] = ()


def read_order(path: str) -> Order:
    """Read and check the file. ConfigError for what it should not say, InputError for inputs that are not there."""
    try:
        said = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the file of inputs cannot be read ({type(error).__name__}). Check the path.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the file of inputs is not TOML: {error}.") from None
    _known(said, ("program", "inputs", "withdrawn"), "the file of inputs")
    inputs = said.get("inputs", {})
    fields = [field.name for field in dataclasses.fields(Inputs)]
    if not isinstance(inputs, dict) or "omop" not in inputs:
        raise ConfigError("the file of inputs: expected a section [inputs] with at least omop = ..., found none.")
    _known(inputs, fields, "the file of inputs, [inputs]")
    folder = Path(path).resolve().parent
    whole: dict[str, Any] = {key: _paths(key, value, folder) for key, value in inputs.items()}
    rules = said.get("withdrawn", [])
    if not isinstance(rules, list):
        raise ConfigError("the file of inputs: expected [[withdrawn]] (twice the brackets), found one section.")
    return Order(_program(said.get("program"), folder), Inputs(**whole), tuple(_rule(rule) for rule in rules))


def _program(said: Any, folder: Path) -> Program:
    if not isinstance(said, dict) or not _is_text(said.get("name")) or not _is_text(said.get("dataset")):
        raise ConfigError("the file of inputs: expected [program] with a name and a dataset (an address), found none.")
    _known(said, [field.name for field in dataclasses.fields(Program)], "the file of inputs, [program]")
    duo = said.get("duo", [])
    if not isinstance(duo, list) or not all(_is_text(one) and one.startswith("DUO:") and _is_word(one) for one in duo):
        raise ConfigError("the file of inputs, [program]: expected duo to be a list of codes as DUO:0000042.")
    if not said["dataset"].startswith(("https://", "http://")) or not _is_word(said["dataset"]):
        raise ConfigError(
            "the file of inputs, [program]: expected dataset to be an address as https://cohort.example/releases."
        )
    if not said["name"].isprintable():
        raise ConfigError("the file of inputs, [program]: expected the name to be of one line of printable characters.")
    ledger = said.get("ledger", "ledger")
    if not _is_text(ledger) or "://" in ledger:
        raise ConfigError("the file of inputs, [program]: expected ledger to be a folder on a disk.")
    return Program(said["name"], said["dataset"].rstrip("/"), str(folder / ledger), tuple(duo))


def _rule(rule: Any) -> Withdrawn:
    names = [field.name for field in dataclasses.fields(Withdrawn)]
    if not isinstance(rule, dict) or sorted(rule) != sorted(names) or not all(map(_is_text, rule.values())):
        raise ConfigError(f"the file of inputs, [[withdrawn]]: expected the texts {', '.join(names)}.")
    return Withdrawn(rule["table"].lower(), rule["column"].lower(), rule["value"])


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_word(value: str) -> bool:
    return value.isprintable() and not any(character.isspace() for character in value)


def _paths(key: str, value: Any, folder: Path) -> str | tuple[str, ...]:
    if key == "exclude":
        if not isinstance(value, list) or not all(map(_is_text, value)):
            raise ConfigError("the file of inputs: expected exclude to be a list of paths.")
        return tuple(_path(key, one, folder) for one in value)
    if not _is_text(value):
        raise ConfigError(f"the file of inputs: expected a path as {key}, found something else.")
    return _path(key, value, folder)


def _path(key: str, value: str, folder: Path) -> str:
    if key == "omop" and ("://" in value or value.startswith("spark:")):
        return value
    if "://" in value:
        raise ConfigError(f"the file of inputs: expected a path on a disk as {key}, found an address. Copy it first.")
    place = folder / value
    if not Path(str(place).partition("#")[0]).exists():
        raise InputError(f"the file of inputs names {key}, and nothing is there. Make it first, or leave {key} out.")
    return str(place)


def _known(said: dict[str, Any], names: Any, where: str) -> None:
    for key in said:
        if key not in names:
            near = difflib.get_close_matches(key, names, 1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(names)}."
            raise ConfigError(f"{where} has an unknown entry {key!r}.{hint}")
