"""The manifest: which gVCF is whose.

A tab-separated table with the columns sample_id and path, and if wanted sex and batch. A relative path counts from the
manifest's own folder. Messages name a row by its number and never by its sample.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cohelix import storage
from cohelix.errors import InputError
from cohelix.genome import parse_sex

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+@=~-]{0,254}")
COLUMNS = ("sample_id", "path", "sex", "batch")


@dataclass(frozen=True)
class Row:
    """number: the line of the manifest, its header being line 1.

    sex: male, female or unknown. batch: free text, may be empty.
    """

    number: int
    sample_id: str
    path: str
    sex: str
    batch: str


def read(path: str) -> list[Row]:
    """The rows of a manifest. Raises InputError for the first thing that is wrong."""
    rows, problems = examine(path)
    if problems:
        raise InputError(
            problems[0] + ("" if len(problems) == 1 else f" ({len(problems) - 1} more: cohelix joint lint)")
        )
    return rows


def examine(path: str) -> tuple[list[Row], list[str]]:
    """The rows that can be read, and everything that is wrong, as messages."""
    try:
        text = storage.read(path).decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError("expected a manifest, found no file at that path. Correct the path.") from None
    except PermissionError:
        raise InputError("the manifest cannot be read by this user. Change its permissions.") from None
    except IsADirectoryError:
        raise InputError("expected a manifest, found a folder. Give the table itself.") from None
    except UnicodeDecodeError:
        raise InputError("expected the manifest in UTF-8, found other bytes. Save it as UTF-8 text.") from None
    lines = re.split(r"\r\n|\n|\r", text)  # not splitlines(), which also breaks at characters that a field may hold
    if not text.strip():
        raise InputError("the manifest is empty. Give a header line (sample_id, path) and one line per sample.")
    header = lines[0].split("\t")
    unknown = [number for number, name in enumerate(header, start=1) if name not in COLUMNS]
    if "sample_id" not in header or "path" not in header or unknown or len(set(header)) != len(header):
        known = ", ".join(name for name in header if name in COLUMNS) or "none of them"
        other = f", and something else in column {', '.join(map(str, unknown[:20]))}" if unknown else ""
        raise InputError(
            f"expected the tab-separated columns sample_id, path and if wanted sex, batch; found {known}{other}. "
            "Correct the first line."
        )
    rows, problems = [], []
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        fields = line.split("\t")
        if len(fields) != len(header):
            problems.append(
                f"manifest row {number}: expected {len(header)} fields, found {len(fields)}. Separate them by tabs."
            )
            continue
        row = dict(zip(header, fields, strict=True))
        try:
            sex = parse_sex(row.get("sex", ""))
        except InputError:
            problems.append(
                f"manifest row {number}: expected a sex of male/female/unknown (M, F, 1, 2, 0, XX, XY or NA), found "
                "something else. "
                "Correct it."
            )
            continue
        problems += [f"manifest row {number}: {problem}" for problem in _check_id(row["sample_id"])]
        if not row["path"].strip() or not row["path"].isprintable():
            problems.append(
                f"manifest row {number}: path is empty, or holds characters that no file name should. Correct it."
            )
            continue
        rows.append(Row(number, row["sample_id"], _resolve(path, row["path"]), sex, row.get("batch", "")))
    if not rows and not problems:
        problems.append("the manifest names no sample. Give one line per sample.")
    return rows, problems + _duplicates(rows)


def _check_id(sample_id: str) -> list[str]:
    if _ID.fullmatch(sample_id):
        return []
    if not sample_id:
        return ["sample_id is empty. Name the sample."]
    return [
        "sample_id cannot be used in VCF, PLINK and file systems alike: expected up to 255 of A-Z a-z 0-9 . _ : + @ = "
        "~ - with a "
        "letter or digit first, found something else. Rename the sample."
    ]


def _duplicates(rows: Sequence[Row]) -> list[str]:
    problems = []
    first_id: dict[str, int] = {}
    first_path: dict[str, int] = {}
    for row in rows:
        if row.sample_id in first_id:
            problems.append(
                f"manifest rows {first_id[row.sample_id]} and {row.number} have the same sample_id. Keep one."
            )
        elif row.path in first_path:
            problems.append(
                f"manifest rows {first_path[row.path]} and {row.number} name the same file. Correct one of the paths."
            )
        first_id.setdefault(row.sample_id, row.number)
        first_path.setdefault(row.path, row.number)
    return problems


def _resolve(manifest: str, path: str) -> str:
    if "://" in path or path.startswith("/"):
        return path
    folder = manifest.rsplit("/", 1)[0] if "/" in manifest else "."
    return storage.join(folder, path)
