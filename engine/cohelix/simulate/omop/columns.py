"""Columns of a table, from arrays: days as dates, words by their place in a list, nulls by a mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from cohelix.errors import ContractError

Columns = dict[str, Any]
"""Name -> array, or `pyarrow.Array`. A column of the schema that is not there is null."""


def ids(n: int) -> np.ndarray:
    """Row ids 1 to n."""
    return np.arange(1, n + 1)


def dates(days: np.ndarray) -> np.ndarray:
    """Days since 1970-01-01, as dates."""
    return days.astype("datetime64[D]")


def words(labels: Any, places: np.ndarray, null: np.ndarray | None = None) -> Any:
    """(n,) labels[places] as a `pyarrow.Array` of strings, null where `null`. Far faster than strings of NumPy."""
    import pyarrow as pa

    return pa.array(labels, pa.string()).take(pa.array(places, mask=null))


def nullable(values: np.ndarray, null: np.ndarray) -> Any:
    """(n,) values as a `pyarrow.Array`, null where `null`."""
    import pyarrow as pa

    return pa.array(values, mask=null)


def table(columns: Columns, schema: Any) -> Any:
    """A `pyarrow.Table` with the columns in the order of the schema. NaN is null.

    Raises ContractError for a column that the schema does not have.
    """
    import pyarrow as pa

    unknown = set(columns) - set(schema.names)
    if unknown:
        raise ContractError(f"expected columns of the schema, found also {', '.join(sorted(unknown))}.")
    length = len(next(iter(columns.values())))
    arrays = [
        _array(columns[field.name], field.type) if field.name in columns else pa.nulls(length, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: Any, type_: Any) -> Any:
    import pyarrow as pa

    return values.cast(type_) if isinstance(values, pa.Array) else pa.array(values, type_, from_pandas=True)
