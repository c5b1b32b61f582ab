"""The header of a scoring file: comment lines with key=value, then the names of the columns."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cohelix.errors import InputError
from cohelix.genome import UNKNOWN_BUILD

_BUILDS = {
    "grch38": "GRCh38", "hg38": "GRCh38", "b38": "GRCh38",
    "grch37": "GRCh37", "hg19": "GRCh37", "b37": "GRCh37",
    "ncbi36": "NCBI36", "hg18": "NCBI36", "b36": "NCBI36",
    "ncbi35": "NCBI35", "hg17": "NCBI35", "b35": "NCBI35",
    "nr": UNKNOWN_BUILD, "": UNKNOWN_BUILD,
}  # fmt: skip

_FIRST_FORMAT = {
    "reported_trait": "trait_reported",
    "mapped_trait": "trait_mapped",
    "mapped_traits_(efo)": "trait_mapped",
    "original_genome_build": "genome_build",
    "number_of_variants": "variants_number",
}
"""Keys of the catalog's format 1.0 ("# Original Genome Build = hg19"), once blanks are underlines, in format 2.0."""

BLANKS = " "
"""A delimiter that stands for any run of blanks."""


@dataclass(frozen=True)
class Head:
    """fields: values of the header by key, as they stand. columns: names, without quotes and blanks around them.

    line: of the column names, from 1. start: byte at which the data lines begin. quoted: whether quotes are no text.
    """

    fields: dict[str, str]
    columns: tuple[str, ...]
    delimiter: str
    quoted: bool
    line: int
    start: int


def read_head(text: bytes, number: int) -> Head:
    """The header of scoring file `number`. InputError where it is empty, binary, or has no column names."""
    if not text[: 1 << 16].strip() and not text.strip():
        raise InputError(f"scoring file {number} is empty. Check its path, or fetch it again.")
    if b"\0" in text[: 1 << 16]:
        raise InputError(f"scoring file {number} is no text: it holds binary zeros. Check its path.")
    fields: dict[str, str] = {}
    at = 3 if text.startswith(b"\xef\xbb\xbf") else 0
    line = 0
    while at < len(text):
        end = text.find(b"\n", at)
        end = len(text) if end < 0 else end
        raw = text[at:end].decode("utf-8", "replace").rstrip("\r")
        line, at = line + 1, end + 1
        if not raw.strip():
            continue
        bare = raw.strip().strip('"')
        if bare.startswith("#") and not _names_columns(bare):
            _keep(bare, fields)
            continue
        return _with_columns(raw, fields, line, at, number)
    raise InputError(f"scoring file {number} has comment lines only. Expected column names and rows after them.")


def build_of(fields: dict[str, str], key: str, number: int) -> str:
    """The build that `key` names: GRCh37, GRCh38, NCBI36, NCBI35 or unknown. InputError where it is another."""
    text = fields.get(key, "").strip()
    build = _BUILDS.get(text.lower())
    if build is None:
        raise InputError(
            f"scoring file {number}: expected {key} to be GRCh37, GRCh38, NCBI36, NCBI35, hg17 to hg38, or NR, found "
            f"{text[:40]!r}. Correct the header."
        )
    return build


def id_of(fields: dict[str, str]) -> str:
    """The id that the header states, "" where it states none."""
    keys = ("pgs_id", "omicspred_id", "score_id", "pgs_name")
    return next((fields[key] for key in keys if fields.get(key)), "")


def _names_columns(line: str) -> bool:
    """Whether a line that begins with # holds column names, as those of plink and of some authors do."""
    return "=" not in line and "effect_allele" in re.split(r"[\t, ]", line.lstrip("#"))


def _keep(line: str, fields: dict[str, str]) -> None:
    """Add "#key=value" to `fields`; the value may hold "=" itself. Lines that begin ## are headings."""
    if line.startswith("##") or "=" not in line:
        return
    key, _, value = line[1:].partition("=")
    name = key.strip()
    if " " in name:
        name = name.lower().replace(" ", "_")
        name = _FIRST_FORMAT.get(name, name)
    fields.setdefault(name, value.strip())


def _with_columns(raw: str, fields: dict[str, str], line: int, start: int, number: int) -> Head:
    bare = raw.lstrip("#")
    delimiter = "\t" if "\t" in bare else "," if "," in bare else BLANKS
    pieces = bare.split() if delimiter == BLANKS else bare.split(delimiter)
    quoted = any(piece.strip().startswith('"') for piece in pieces)
    columns = tuple(piece.strip().strip('"').strip() for piece in pieces)
    for place, name in enumerate(columns):
        if name and name in columns[:place]:
            raise InputError(
                f"scoring file {number}, line {line}: column {place + 1} has the name of an earlier one, "
                f"{name[:40]!r}. Rename or drop it."
            )
    return Head(fields, columns, delimiter, quoted, line, start)
