"""What databases of health records have in common: names in quotes, and a digest of rows whatever their order."""

from __future__ import annotations

from collections.abc import Iterable

from cohelix.dataset import digest_of
from cohelix.errors import InputError


def quoted(name: str, mark: str = '"') -> str:
    """A name as a database takes it, whatever characters it has."""
    return mark + name.replace(mark, mark * 2) + mark


def select(what: str, table: str) -> str:
    """A query. what, table: as `quoted` makes them, or texts of ours."""
    return f"select {what} from {table}"  # noqa: S608 names cannot be parameters; `quoted` lets none end early


def tables_by_name(names: Iterable[str]) -> dict[str, str]:
    """A database's names of tables, by their names in lower case."""
    found: dict[str, str] = {}
    for name in names:
        if name.lower() in found:
            raise InputError(f"the table {name.lower()} is twice in the database of health records. Choose a schema.")
        found[name.lower()] = name
    return found


def digest_of_rows(tables: Iterable[tuple[str, list[str], int, int]]) -> str:
    """sha256 (hex) of a database. tables: (name, columns, number of rows, sum of the rows' own digests).

    A sum has no order, as rows in a database have none, and rows that are there twice count twice.
    """
    return digest_of(sorted((name, columns, n, str(total)) for name, columns, n, total in tables))
