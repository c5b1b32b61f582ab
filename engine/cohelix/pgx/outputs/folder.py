"""A folder of `cohelix pgx call`, read a part and a gene at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.errors import InputError

INSIDE = "_pgx"
_AGAIN = "Restore it, or call again."


@dataclass(frozen=True)
class Calls:
    """parts: Parquet files of `CALLS`, in the order of the people. meta: what `_pgx/pgx.json` says."""

    root: Path
    parts: tuple[Path, ...]
    meta: dict[str, Any]

    @property
    def reference(self) -> str:
        """Source and version of the definitions, a folder of reference/pgx."""
        return str(self.meta["reference"])

    @property
    def genes(self) -> list[str]:
        return sorted(self.meta["genes"])


def open_calls(folder: str) -> Calls:
    """InputError where `folder` is not one of calls, or a part is missing or of another size than when written."""
    root = Path(folder)
    try:
        meta = json.loads((root / INSIDE / "pgx.json").read_bytes())
        if meta["kind"] != "pgx_calls":
            raise KeyError
        sizes = {name: int(seal["bytes"]) for name, seal in meta["files"].items()}
        str(meta["reference"]), dict(meta["genes"])
    except FileNotFoundError:
        raise InputError(
            f"expected a folder of `cohelix pgx call`, found no {INSIDE}/pgx.json there. Check its path."
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{INSIDE}/pgx.json of the folder of calls is damaged. {_AGAIN}") from None
    parts = sorted(name for name in sizes if name.startswith("part-"))
    for place, name in enumerate(parts):
        path = root / name
        if not path.is_file() or path.stat().st_size != sizes[name]:
            raise InputError(f"part {place + 1} of the folder of calls is missing or damaged. {_AGAIN}")
    return Calls(root, tuple(root / name for name in parts), meta)


def genes_of(calls: Calls, part: Path, columns: Sequence[str]) -> Iterator[tuple[str, pa.Table]]:
    """(gene, its rows) of a part, in the order of the file. InputError where it is damaged."""
    try:
        with pq.ParquetFile(part) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, [*columns, *({"gene"} - set(columns))])
                gene = table.column("gene")
                if len(gene):
                    yield str(gene[0]), table
    except (pa.ArrowException, OSError, KeyError):
        place = calls.parts.index(part) + 1
        raise InputError(f"part {place} of the folder of calls is damaged. {_AGAIN}") from None


def inside(calls: Calls, name: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A Parquet table of `_pgx/`. InputError where it is damaged."""
    try:
        with pq.ParquetFile(calls.root / INSIDE / name) as file:
            return file.read(None if columns is None else list(columns))
    except (pa.ArrowException, OSError, KeyError):
        raise InputError(f"{INSIDE}/{name} of the folder of calls is missing or damaged. {_AGAIN}") from None


def people_of(calls: Calls, part: Path) -> pa.Array:
    """Samples of a part, each once, in the order in which they are first met."""
    import pyarrow.compute as pc

    try:
        return pc.unique(pq.read_table(part, columns=["sample_id"], partitioning=None).column("sample_id"))
    except (pa.ArrowException, OSError, KeyError):
        place = calls.parts.index(part) + 1
        raise InputError(f"part {place} of the folder of calls is damaged. {_AGAIN}") from None
