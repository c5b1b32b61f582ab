"""The tier table: what each tier may hold, as data (reference/release/tiers), and what is asked of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cohelix.dataset import digest_of
from cohelix.errors import ContractError
from cohelix.reference import read_rows, reference_path
from cohelix.tier import Tier

VERSION = "1"
ACTIONS = ("keep", "null", "person", "date", "day", "birth_year", "place", "state", "zip3")
"""What is done to a column; besides `row:<table>` (an id of that table) and `map:<rule>` (generalised concepts).

keep: as it is. null: empty, because the CDM has the column and the tier must not. person: the tier's id. date: moved
back by the person's days. day: so too, and the time of the day removed. birth_year: year of the moved date of birth.
place: number of a row of LOCATION that is made anew, one for all persons of an area. state: where enough persons are
from there. zip3: three digits of a ZIP code, where enough people live.
"""


@dataclass(frozen=True)
class Excluded:
    """Rows of a table that are not in a tier: those with `column` from `first` to `last`.

    column: "*" for every column of concepts.
    """

    table: str
    column: str
    first: int
    last: int


@dataclass(frozen=True)
class Concepts:
    """Concepts whose rows are not in a tier, in whatever table and column.

    Those of `vocabulary` with a code in which `pattern` is found (a regular expression), or the one `concept` (0: by
    pattern). descendants: and all that CONCEPT_ANCESTOR has below them.
    """

    vocabulary: str
    pattern: str
    concept: int
    descendants: bool


@dataclass(frozen=True)
class Generalised:
    """A custom concept, above 2,000,000,000, that rarer ones become."""

    concept: int
    meaning: str
    domain: str
    code: str


@dataclass(frozen=True)
class Policy:
    """One version of the tier table.

    columns: action by tier, table and column. maps: of each rule, concept by concept ("*": all others). excluded,
    concepts: rows that are not in a tier, by tier. small_areas: three digits of ZIP codes where few people live.
    own: concepts that generalised ones become. facts: rows of tiers.tsv by tier.
    """

    version: str
    digest: str
    facts: dict[Tier, dict[str, str]]
    columns: dict[tuple[Tier, str], dict[str, str]]
    maps: dict[str, dict[str, int]]
    excluded: dict[Tier, tuple[Excluded, ...]]
    concepts: dict[Tier, tuple[Concepts, ...]]
    small_areas: frozenset[str]
    own: tuple[Generalised, ...]

    def tables(self, tier: Tier) -> list[str]:
        """Tables of the CDM that a tier may hold, sorted."""
        return sorted(table for one, table in self.columns if one is tier)

    def actions(self, tier: Tier, table: str) -> dict[str, str]:
        """Action by column, in the CDM's order. A column that is not here is not written."""
        return self.columns[tier, table]

    def drops_old(self, tier: Tier) -> bool:
        """Whether persons above the age cap are not in the tier."""
        return self.facts[tier]["drops_old"] == "yes"

    def least_state(self, tier: Tier) -> int:
        """Persons of a release who are from a state, at least, for the state to be in the tier."""
        return int(self.facts[tier]["least_state"])

    def has_individuals(self, tier: Tier) -> bool:
        return self.facts[tier]["individuals"] == "yes"

    def has_genomes(self, tier: Tier) -> bool:
        """Whether the tier may hold genomic data of individuals."""
        return self.facts[tier]["genomes"] == "yes"


def load_policy(version: str = VERSION) -> Policy:
    """The tier table of a version. ContractError where it contradicts itself."""
    from cohelix.genotypes.omop import FIRST_ID  # brings pyarrow, which the gate has no need of

    of = {tier.word: tier for tier in (Tier.PUBLIC, Tier.REGISTERED, Tier.CONTROLLED)}
    facts = {of[row["tier"]]: row for row in _rows(version, "tiers")}
    columns: dict[tuple[Tier, str], dict[str, str]] = {}
    maps: dict[str, dict[str, int]] = {}
    own = []
    for row in _rows(version, "generalisations"):
        maps.setdefault(row["rule"], {})[row["concept"]] = int(row["becomes"])
        if int(row["becomes"]) > FIRST_ID:
            own.append(Generalised(int(row["becomes"]), row["meaning"], row["domain"], row["rule"]))
    for row in _rows(version, "columns"):
        _check(row["action"], maps)
        columns.setdefault((of[row["tier"]], row["table"]), {})[row["column"]] = row["action"]
    for tier, _ in columns:
        if facts[tier]["individuals"] != "yes":
            raise ContractError(f"the tier table gives the tier {tier.word} tables of individuals, and denies it them.")
    areas = frozenset(row["zip3"] for row in _rows(version, "zip3"))
    return Policy(version, _digest(version), facts, columns, maps, *_left_out(version, of), areas, tuple(own))


def _left_out(
    version: str, of: dict[str, Tier]
) -> tuple[dict[Tier, tuple[Excluded, ...]], dict[Tier, tuple[Concepts, ...]]]:
    """Rows that are not in a tier: by numbers in a column, and by concepts."""
    excluded: dict[Tier, list[Excluded]] = {}
    for row in _rows(version, "excluded"):
        one = Excluded(row["table"], row["column"], int(row["from"]), int(row["to"]))
        excluded.setdefault(of[row["tier"]], []).append(one)
    concepts: dict[Tier, list[Concepts]] = {}
    for row in _rows(version, "concepts"):
        if bool(row["concept"]) == bool(row["pattern"]) or bool(row["pattern"]) != bool(row["vocabulary"]):
            raise ContractError("the tier table excludes concepts neither by number nor by vocabulary and pattern.")
        number = int(row["concept"] or 0)
        rule = Concepts(row["vocabulary"], row["pattern"], number, row["descendants"] == "yes")
        concepts.setdefault(of[row["tier"]], []).append(rule)
    return (
        {tier: tuple(rows) for tier, rows in excluded.items()},
        {tier: tuple(rules) for tier, rules in concepts.items()},
    )


def _check(action: str, maps: dict[str, dict[str, int]]) -> None:
    kind, _, detail = action.partition(":")
    known = action in ACTIONS or (kind == "row" and detail) or (kind == "map" and detail in maps)
    if not known:
        raise ContractError(f"the tier table has an action {action!r}, which is not known.")


def _rows(version: str, name: str) -> list[dict[str, str]]:
    return read_rows("release", "tiers", version, f"{name}.tsv")


def _digest(version: str) -> str:
    folder = reference_path("release", "tiers", version)
    files = sorted(path for path in folder.iterdir() if path.suffix in (".tsv", ".toml"))
    return digest_of([(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files])
