"""Checks of single settings, as every Params dataclass makes them."""

from __future__ import annotations

from cohelix.errors import ConfigError


def choose(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raises ConfigError unless `value` is one of `allowed`."""
    if value not in allowed:
        raise ConfigError(f"{name} = {value!r} is not known. Choose {' or '.join(repr(a) for a in allowed)}.")


def between(name: str, value: float, low: float, high: float) -> None:
    """Raises ConfigError unless low <= value <= high."""
    if not low <= value <= high:
        raise ConfigError(f"{name} = {value} is out of range. Choose a value from {low} to {high}.")
