"""Prices: a table of examples in `reference/scale/prices`, or the operator's own file of the same form."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from cohelix.errors import ConfigError
from cohelix.reference import reference_path

NUMBERS = ("core_hour", "storage_gib_month")


@dataclass(frozen=True)
class Prices:
    """In `currency`: of a core for an hour, with the memory that comes with it, and of a GiB kept for a month.

    are_examples: ours, and not what the operator pays.
    """

    currency: str
    date: str
    source: str
    core_hour: float
    storage_gib_month: float
    are_examples: bool = False


def load(path: str | None = None, version: str = "2026-06") -> Prices:
    """Prices at `path`, or the examples. Raises ConfigError for a file that is not there or not of this form."""
    try:
        file = Path(path) if path is not None else reference_path("scale", "prices", version, "prices.toml")
        table = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError("expected prices at the path of --prices, found no file. Correct the path.") from None
    except (OSError, UnicodeDecodeError):
        raise ConfigError("the file of --prices cannot be read as text. Give a TOML file.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"expected TOML in the file of --prices: {error}.") from None
    known = {*NUMBERS, "currency", "date", "source"}
    if missing := sorted(known - set(table)):
        raise ConfigError(f"expected {', '.join(sorted(known))} in the price table, found no {', '.join(missing)}.")
    for name in NUMBERS:
        value = table[name]
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < float("inf"):
            raise ConfigError(f"expected a price of zero or more for {name}, found {value!r}. Correct it.")
    return Prices(
        str(table["currency"]), str(table["date"]), str(table["source"]),
        float(table["core_hour"]), float(table["storage_gib_month"]), path is None,
    )  # fmt: skip
