"""Data with their tier as a type: what may be written where, checked by mypy and when it runs.

`Labelled[T, L]` is a value of type T and of label L. Labels are classes, each tier a subclass of the one above it, so
that public data may go wherever registered data may, and never the other way round:

    put(root: Root[Public], data: Labelled[Path, Public])        accepted
    put(root: Root[Public], data: Labelled[Path, Controlled])    refused by mypy, and by `put` itself

A label is lowered by declassifiers alone: functions that are named in the table `declassifiers.tsv` of the tier
table (reference/release/tiers), with what was reviewed in them. Data that no declassifier has seen are `Source`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

from cohelix.errors import ContractError
from cohelix.tier import Tier


class Source:
    """The program's own data: above every tier."""

    tier = Tier.SOURCE


class Controlled(Source):
    """Data of individuals for approved researchers."""

    tier = Tier.CONTROLLED


class Registered(Controlled):
    """Health records of individuals with shifted dates; no genomes."""

    tier = Tier.REGISTERED


class Public(Registered):
    """Aggregates under disclosure control."""

    tier = Tier.PUBLIC


LABELS: dict[Tier, type[Source]] = {label.tier: label for label in (Source, Controlled, Registered, Public)}

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")
T_co = TypeVar("T_co", covariant=True)
L = TypeVar("L", bound=Source)
L_co = TypeVar("L_co", bound=Source, covariant=True)


@dataclass(frozen=True)
class Labelled(Generic[T_co, L_co]):
    """A value and its label. Made by `source` and by declassifiers, nowhere else."""

    value: T_co
    label: type[L_co]

    @property
    def tier(self) -> Tier:
        return self.label.tier


def source(value: T) -> Labelled[T, Source]:
    """Data as the program holds them."""
    return Labelled(value, Source)


def highest(*labels: type[Source]) -> type[Source]:
    """The label of what is made from data of these labels; `Source` where nothing is known."""
    return LABELS[max((label.tier for label in labels), default=Tier.SOURCE)]


def joined(combine: Callable[..., U], *parts: Labelled[Any, Any]) -> Labelled[U, Source]:
    """`combine` of the parts' values, with the highest of their labels."""
    return Labelled(combine(*(part.value for part in parts)), highest(*(part.label for part in parts)))


@dataclass(frozen=True)
class Declassifier:
    """A function that lowers a label, and to which."""

    name: str
    to: Tier


DECLASSIFIERS: dict[str, Declassifier] = {}
"""Every declassifier that was imported. A test compares them with the reviewed ones of the tier table."""


def declassifier(to: type[L]) -> Callable[[Callable[P, T]], Callable[P, Labelled[T, L]]]:
    """Mark a function whose result has the label `to`, whatever the labels of what it was given."""

    def marked(function: Callable[P, T]) -> Callable[P, Labelled[T, L]]:
        name = f"{function.__module__.removeprefix('cohelix.')}.{function.__qualname__}"
        if name in DECLASSIFIERS:
            raise ContractError(f"two declassifiers are named {name}.")
        DECLASSIFIERS[name] = Declassifier(name, to.tier)

        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> Labelled[T, L]:
            return Labelled(function(*args, **kwargs), to)

        return run

    return marked
