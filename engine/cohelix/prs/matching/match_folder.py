"""A folder of `cohelix prs match`, as scoring reads it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.errors import InputError

KIND = "prs_match"
SUMMARY = "match.json"


@dataclass(frozen=True)
class MatchFolder:
    """summary: what match.json holds."""

    folder: Path
    summary: dict[str, Any]

    @property
    def n_scores(self) -> int:
        return int(self.summary["n_scores"])

    @property
    def n_sites(self) -> int:
        return int(self.summary["n_sites"])

    @property
    def n_weight_files(self) -> int:
        return int(self.summary["n_batches"])

    def scores(self) -> pa.Table:
        return self._table("scores.parquet")

    def sites(self) -> pa.Table:
        return self._table("sites.parquet")

    def weights(self, number: int) -> pa.Table:
        return self._table(f"weights-{number:05d}.parquet")

    def log(self, number: int) -> pa.Table:
        return self._table(f"log-{number:05d}.parquet")

    def check(self) -> None:
        """InputError where a file that scoring reads is not the one that the match wrote. Logs are not looked at."""
        weights = [f"weights-{number:05d}.parquet" for number in range(self.n_weight_files)]
        found = {path.name for path in self.folder.glob("weights-*.parquet")} - set(weights)
        if found:
            raise InputError(f"{min(found)} is no file of the match. Take it away, or match again.")
        for name in ("scores.parquet", "sites.parquet", "special.json", *weights):
            try:
                with (self.folder / name).open("rb") as handle:
                    seen = hashlib.file_digest(handle, "sha256").hexdigest()
                whole = seen == self.summary["files"][name]["sha256"]
            except (OSError, KeyError, TypeError):
                whole = False
            if not whole:
                raise InputError(f"{name} of the match was exchanged, damaged or taken away: it is not what {SUMMARY} "
                                 "says. Restore it, or match again.")  # fmt: skip

    def special(self) -> dict[str, Any]:
        """Rows of passed scores that name no single variant, and the headers of their scores."""
        found: dict[str, Any] = json.loads((self.folder / "special.json").read_text())
        return found

    def _table(self, name: str) -> pa.Table:
        try:
            return pq.ParquetFile(self.folder / name).read()
        except (pa.ArrowException, OSError):
            raise InputError(f"{name} of the match is damaged or not there. Restore it, or match again.") from None


def open_match(folder: str | Path) -> MatchFolder:
    """InputError where the folder holds no match."""
    try:
        summary = json.loads((Path(folder) / SUMMARY).read_text())
        if summary["kind"] != KIND:
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"expected a folder of `cohelix prs match` with {SUMMARY} in it, found none there.") from None
    return MatchFolder(Path(folder), summary)
