"""Tables that a user hands in: principal components, groups, sexes, frequencies, links.

TSV or CSV (with .gz, .bgz), or Parquet. Samples are found by a column called sample_id, research_id, s, #IID or IID.
A message names the row of a table (the header is row 1), never what stands in it: rows hold ids.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from cohelix import genome, storage
from cohelix.errors import InputError
from cohelix.genotypes import alleles

SAMPLE_COLUMNS = ("sample_id", "research_id", "s", "#IID", "IID")
GROUP_COLUMNS = ("ancestry_pred_other", "ancestry_pred", "ancestry", "group", "pop", "population")
SEX_COLUMNS = ("sex", "sex_at_birth", "SEX", "reported_sex")
NOT_STATED = frozenset(
    ["other", "intersex", "none of these", "prefer not to answer", "i prefer not to answer", "skip", "pmi: skip",
     "no matching concept", "not male, not female, prefer not to answer, or skipped"]
)  # fmt: skip
"""Answers to the question of sex at birth that name neither, in lower case: the sex is then not stated."""


def read_table(path: str, what: str = "table") -> pa.Table:
    """The table at `path`; `what` names it in messages. All columns of TSV and CSV are strings, empty ones ""."""
    try:
        data = storage.read(path)
    except OSError:
        raise InputError(f"expected the {what} to be a file that can be read, found none. Check its path.") from None
    try:
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        columnar = data[:4] == b"PAR1"
        table = pq.ParquetFile(pa.BufferReader(data)).read() if columnar else _text_table(data, what)
    except (OSError, EOFError, ValueError, zlib.error):
        raise InputError(f"the {what} is damaged (Parquet or gzip). Write or copy it again.") from None
    for place, name in enumerate(table.column_names):
        if name and name in table.column_names[:place]:
            raise InputError(f"column {place + 1} of the {what} has the name of an earlier one. Rename or drop it.")
    return table


def digests_of(**paths: str | None) -> list[tuple[str, str]]:
    """(role, sha256) of each file that was handed in, by its option. InputError where one cannot be read."""
    found = []
    for role, path in paths.items():
        try:
            if path is not None:
                with storage.as_local_file(path) as local, local.open("rb") as handle:
                    found.append((role, hashlib.file_digest(handle, "sha256").hexdigest()))
        except OSError:
            raise InputError(f"expected --{role} to be a file that can be read, found none. Check its path.") from None
    return found


def _text_table(data: bytes, what: str) -> pa.Table:
    meta = 0
    while data.startswith(b"##", meta):
        meta = data.find(b"\n", meta) + 1 or len(data)
    header = data[meta:].split(b"\n", 1)[0].rstrip(b"\r").removeprefix(b"\xef\xbb\xbf")
    if not header.strip():
        raise InputError(f"expected a {what} with a header line, found an empty file. Check the path.")
    delimiter = "\t" if b"\t" in header or b"," not in header else ","
    quoted = delimiter == "," or header.startswith(b'"')  # R quotes the fields of a TSV; others mean quotes as text
    bad_rows: list[int] = []

    def refuse(row: pyarrow.csv.InvalidRow) -> str:
        bad_rows.append(row.number)
        return "error"

    try:
        names = [name.strip('"') if quoted else name for name in header.decode().split(delimiter)]
        table = pyarrow.csv.read_csv(
            io.BytesIO(data[meta:] + b"\n"),  # a header without an end of line is no table to Arrow
            pyarrow.csv.ReadOptions(use_threads=False),
            pyarrow.csv.ParseOptions(
                delimiter=delimiter, quote_char='"' if quoted else False, invalid_row_handler=refuse
            ),
            pyarrow.csv.ConvertOptions(column_types={name: pa.string() for name in names}, strings_can_be_null=False),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError):
        where = (
            f"row {bad_rows[0]} has another number of fields than the header" if bad_rows else "it is not UTF-8 text"
        )
        raise InputError(f"expected the {what} as tab- or comma-separated text; {where}. Correct it.") from None
    return table


def column_of(table: pa.Table, names: Sequence[str], what: str, column: str | None = None) -> str:
    """The first of `names` that the table has, or `column` where it is given. InputError where there is none."""
    wanted = (column,) if column is not None else tuple(names)
    for name in wanted:
        if name in table.column_names:
            return name
    raise InputError(f"expected the {what} to have a column called {' or '.join(wanted)}, found none of that name.")


def texts(table: pa.Table, name: str) -> list[str]:
    """A column as strings without blanks around them; a null is ""."""
    return ["" if value is None else str(value).strip() for value in table.column(name).to_pylist()]


def rows_of(table: pa.Table, sample_ids: Sequence[str], what: str, *, at_least: float = 0.0) -> np.ndarray:
    """int64 (samples,): the row of the table that belongs to each sample, -1 where the table lacks it.

    InputError where a sample has two rows, where no sample has one, or fewer than the share `at_least` have.
    """
    ids = texts(table, column_of(table, SAMPLE_COLUMNS, what))
    first: dict[str, int] = {}
    for row, sample in enumerate(ids):
        if first.setdefault(sample, row) != row:
            raise InputError(
                f"rows {first[sample] + 2} and {row + 2} of the {what} are of the same sample. Keep one of them."
            )
    found = np.array([first.get(sample, -1) for sample in sample_ids], np.int64)
    matched = int((found >= 0).sum())
    if sample_ids and (matched == 0 or matched < at_least * len(sample_ids)):
        raise InputError(
            f"expected a {what} of the callset's {len(sample_ids)} samples, found rows for {matched} of them among "
            f"{len(ids)} rows: it is of other samples. Give this callset's, with ids as they stand there."
        )
    return found


def _taken(values: Sequence[str], rows: np.ndarray) -> list[str]:
    return [values[row] if row >= 0 else "" for row in rows.tolist()]


def read_pcs(path: str, sample_ids: Sequence[str], count: int) -> np.ndarray:
    """The first `count` principal components, float64 (samples, count); NaN where the table lacks a sample.

    From columns PC1, PC2, ... or pc1, ..., or from `pca_features` as All of Us writes it: "[0.1, -0.2, ...]".
    Refused where fewer than half of the samples have a row.
    """
    what = "table of principal components"
    table = read_table(path, what)
    rows = rows_of(table, sample_ids, what, at_least=0.5)
    if "pca_features" in table.column_names:
        scores = _listed_scores(table, count, what)
    else:
        prefix = "PC" if "PC1" in table.column_names else "pc"
        have = 0
        while f"{prefix}{have + 1}" in table.column_names:
            have += 1
        if have < count:
            raise InputError(
                f"expected {count} columns PC1 to PC{count} (or pca_features) in the {what}, found {have}. "
                "Compute as many, or ask for fewer."
            )
        scores = np.column_stack([numbers(texts(table, f"{prefix}{i + 1}"), what) for i in range(count)])
    out = np.full((len(sample_ids), count), np.nan)
    out[rows >= 0] = scores[rows[rows >= 0]]
    return out


def _listed_scores(table: pa.Table, count: int, what: str) -> np.ndarray:
    scores = np.full((table.num_rows, count), np.nan)
    for row, value in enumerate(table.column("pca_features").to_pylist()):
        try:
            listed = np.asarray(json.loads(value) if isinstance(value, str) else value, np.float64)
        except (TypeError, ValueError):
            raise InputError(
                f"row {row + 2} of the {what} has no list of numbers in pca_features. Correct it."
            ) from None
        if listed.ndim != 1 or len(listed) < count:
            raise InputError(
                f"expected at least {count} numbers in pca_features, found {listed.size} in row {row + 2} of the "
                f"{what}. Compute as many, or ask for fewer."
            )
        scores[row] = listed[:count]
    return scores


def numbers(values: Sequence[str], what: str) -> np.ndarray:
    """Text as float64; empty, NA and . are NaN."""
    out = np.full(len(values), np.nan)
    for row, value in enumerate(values):
        if value.lower() in ("", "na", "nan", "."):
            continue
        try:
            out[row] = float(value)
        except ValueError:
            raise InputError(f"row {row + 2} of the {what} holds something that is not a number. Correct it.") from None
    return out


@dataclass(frozen=True)
class Groups:
    """Which group a sample belongs to: `names` sorted; `codes` int32 (samples,), -1 where no group is stated."""

    names: list[str]
    codes: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))


def read_groups(path: str, sample_ids: Sequence[str], column: str | None = None) -> Groups:
    """Groups of the samples, from `column` or the first of `GROUP_COLUMNS` that the table has."""
    what = "table of groups"
    table = read_table(path, what)
    values = texts(table, column_of(table, GROUP_COLUMNS, what, column))
    taken = _taken(values, rows_of(table, sample_ids, what, at_least=0.5))
    names = sorted({value for value in taken if value and value != "NA"})
    if not set(names).isdisjoint(sample_ids):  # names of groups are written where ids must not be
        raise InputError(
            f"expected names of groups in the {what}, found ids of samples among them. Give the column of the groups."
        )
    place = {name: index for index, name in enumerate(names)}
    return Groups(names, np.array([place.get(value, -1) for value in taken], np.int32))


def read_sexes(path: str, sample_ids: Sequence[str], column: str | None = None) -> list[str]:
    """male, female or unknown of every sample, as stated; unknown where the table lacks one or names neither."""
    what = "table of sexes"
    table = read_table(path, what)
    sexes, bad = [], []
    for row, value in enumerate(texts(table, column_of(table, SEX_COLUMNS, what, column))):
        try:
            sexes.append("unknown" if value.lower() in NOT_STATED else genome.parse_sex(value))
        except InputError:
            bad.append(row + 2)
    if bad:
        shown = ", ".join(map(str, bad[:10])) + (", ..." if len(bad) > 10 else "")
        raise InputError(
            f"expected a sex of male/female/unknown (M, F, 1, 2, 0, XX, XY or NA) on every row of the {what}, found "
            f"something else on {len(bad)} of {table.num_rows}: rows {shown}. Recode them."
        )
    return [sex or "unknown" for sex in _taken(sexes, rows_of(table, sample_ids, what))]


@dataclass(frozen=True)
class Links:
    """Pairs of samples that should be the same person: `left[i]` of the arrays, `right[i]` of the genomes."""

    left: list[str]
    right: list[str]


LINK_COLUMNS = (("array_sample_id", "wgs_sample_id"), ("left", "right"), ("array", "wgs"))


def read_links(path: str) -> Links:
    """Pairs from two columns (`LINK_COLUMNS`), or from rows of sample_id, kind (array or wgs) and person_id."""
    what = "table of links"
    table = read_table(path, what)
    for one, other in LINK_COLUMNS:
        if one in table.column_names and other in table.column_names:
            left, right = texts(table, one), texts(table, other)
            for row, pair in enumerate(zip(left, right, strict=True)):
                if not all(pair):
                    raise InputError(f"row {row + 2} of the {what} names one sample only. Complete or drop it.")
            return _checked_links(left, right, what)
    if not {"sample_id", "kind", "person_id"} <= set(table.column_names):
        raise InputError(
            f"expected the {what} to have the columns array_sample_id and wgs_sample_id (or left and right; or "
            "sample_id, kind and person_id), found other names."
        )
    return _checked_links(*_links_by_person(table), what)


def _checked_links(left: list[str], right: list[str], what: str) -> Links:
    if not left:
        raise InputError(f"expected at least one pair in the {what}, found none.")
    seen: dict[tuple[str, str], int] = {}
    for row, pair in enumerate(zip(left, right, strict=True)):
        if seen.setdefault(pair, row) != row:
            raise InputError(f"pairs {seen[pair] + 1} and {row + 1} of the {what} are the same. Keep one of them.")
    return Links(left, right)


def _links_by_person(table: pa.Table) -> tuple[list[str], list[str]]:
    """Every array of a person with every genome of that person, in the order of the rows of the arrays."""
    rows = list(zip(texts(table, "sample_id"), texts(table, "kind"), texts(table, "person_id"), strict=True))
    genomes: dict[str, list[str]] = {}
    for sample, kind, person in rows:
        if kind == "wgs":
            genomes.setdefault(person, []).append(sample)
    pairs = [(sample, one) for sample, kind, person in rows if kind == "array" for one in genomes.get(person, ())]
    return [left for left, _ in pairs], [right for _, right in pairs]


@dataclass(frozen=True)
class Frequencies:
    """Allele frequencies by contig (plain name): positions int32 sorted, and ref, alt, af beside them."""

    contigs: dict[str, tuple[np.ndarray, pa.Array, pa.Array, np.ndarray]]

    def lookup(self, contig: str, positions: np.ndarray, refs: Sequence[str], alts: Sequence[str]) -> np.ndarray:
        """float64 (sites,): frequency of each trimmed allele; NaN where the table lacks it, 0 where it has no number.

        `chr7` and `7` are the same contig.
        """
        out = np.full(len(positions), np.nan)
        known = self.contigs.get(genome.plain_name(contig))
        if known is None or not len(positions):
            return out
        places, their_refs, their_alts, af = known
        wanted = np.asarray(positions, np.int64)
        low, high = np.searchsorted(places, [wanted.min(), wanted.max() + 1])
        rows = low + np.flatnonzero(np.isin(places[low:high], wanted))
        near_refs, near_alts = (column.take(pa.array(rows)).to_pylist() for column in (their_refs, their_alts))
        keys = zip(places[rows].tolist(), near_refs, near_alts, strict=True)
        table = dict(zip(keys, af[rows].tolist(), strict=True))
        for site, key in enumerate(zip(wanted.tolist(), refs, alts, strict=True)):
            out[site] = table.get(key, np.nan)
        return out


_FREQUENCY_COLUMNS = {
    "contig": ("contig", "#CHROM", "CHROM", "chrom", "chromosome"),
    "position": ("position", "POS", "pos"),
    "ref": ("ref", "REF"),
    "alt": ("alt", "ALT"),
    "af": ("af", "AF", "ALT_FREQS"),
}


def read_frequencies(path: str) -> Frequencies:
    """Frequencies from the columns contig, position, ref, alt, af, or from a VCF with INFO/AF.

    Alleles of one row may be several, split by commas, with as many frequencies. They are trimmed as a callset's are.
    """
    what = "table of frequencies"
    table = read_table(path, what)
    taken = {
        name: texts(table, column_of(table, known, what))
        for name, known in _FREQUENCY_COLUMNS.items()
        if name != "af" or "INFO" not in table.column_names
    }
    if "af" not in taken:
        found = pc.extract_regex(table.column("INFO"), r"(?:^|;)AF=(?P<af>[^;]*)").combine_chunks()
        taken["af"] = ["" if one is None else one["af"] for one in found.to_pylist()]
    entries: dict[str, list[tuple[int, str, str, float]]] = {}
    rows = zip(*(taken[name] for name in _FREQUENCY_COLUMNS), strict=True)
    for row, (contig, position, ref, alts, af) in enumerate(rows):
        entries.setdefault(genome.plain_name(contig), []).extend(_alleles_of(row, position, ref, alts, af))
    contigs = {}
    for contig, listed in entries.items():
        listed.sort(key=lambda entry: entry[0])
        positions, refs, alts_, afs = zip(*listed, strict=True)
        contigs[contig] = (np.array(positions, np.int64), pa.array(refs), pa.array(alts_), np.array(afs, np.float64))
    return Frequencies(contigs)


_MAX_POSITION = 1 << 31
"""No contig is longer (VCF and BAM)."""


def _alleles_of(row: int, position: str, ref: str, alts: str, af: str) -> list[tuple[int, str, str, float]]:
    numbers = af.split(",") if "," in af else [af] * (alts.count(",") + 1)
    try:
        values = [0.0 if one in ("", ".", "NA") else float(one) for one in numbers]
        place = int(position)
        pairs = list(zip(alts.split(","), values, strict=True))
        if not 0 < place < _MAX_POSITION or not all(0 <= value <= 1 for value in values):
            raise ValueError
    except ValueError:
        raise InputError(
            f"expected a position and a frequency between 0 and 1 for each alternate allele on row {row + 2} of the "
            "table of frequencies, found something else. Correct it."
        ) from None
    return [(*alleles.trim(place, ref.upper(), alt.upper()), value) for alt, value in pairs if alt]
