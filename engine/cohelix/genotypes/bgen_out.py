"""A callset as one BGEN file with its index and its .sample file.

Source: the BGEN format, version 1.2, layout 2 (https://www.chg.ox.ac.uk/~gav/bgen_format). Hard calls as
probabilities of 8 bits, not phased, compressed with zlib; the first allele is the reference (`ref-first`).
Where a sample has one copy of the chromosome its ploidy is 1, as plink2 writes it; a sample without a copy is a missing
haploid call. Half calls are missing, as in PGEN. The index is what bgenix reads (table Variant of SQLite), without the
file's name and time. Agrees with: `plink2 --bgen`.
"""

from __future__ import annotations

import errno
import sqlite3
import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cohelix.genotypes import counts
from cohelix.genotypes.callset import Callset
from cohelix.genotypes.plink_out import finished
from cohelix.genotypes.selection import Part, Selection

_SEX = {"male": "1", "female": "2", "unknown": "0"}
_LONGEST = 65_535
"""Bytes of an id in BGEN; ids of longer alleles are `.`, the alleles themselves are whole."""

_MISSING = 0x80
_DIPLOID = np.array([[255, 0], [0, 255], [0, 0], [0, 0]], np.uint8).view(np.uint16).ravel()
"""Probabilities of hom-ref and het, two bytes, by genotype & 3."""

_ROWS = 64
"""Variants that a thread encodes and compresses at a time."""

_FLAGS = 1 | 2 << 2 | 1 << 31
"""zlib, layout 2, with sample ids."""

_TABLE = """CREATE TABLE Variant (chromosome TEXT NOT NULL, position INT NOT NULL, rsid TEXT NOT NULL,
number_of_alleles INT NOT NULL, allele1 TEXT NOT NULL, allele2 TEXT NULL, file_start_position INT NOT NULL,
size_in_bytes INT NOT NULL, PRIMARY KEY (chromosome, position, rsid, allele1, allele2, file_start_position)
) WITHOUT ROWID"""


def export_bgen(callset: Callset, prefix: str, selection: Selection, *, overwrite: bool = False) -> list[str]:
    """Write `<prefix>.bgen`, `.bgen.bgi` and `.sample`. Returns their paths; ConfigError where one exists."""
    suffixes = (".bgen", ".bgen.bgi", ".sample")
    with finished(prefix, suffixes, overwrite=overwrite) as paths:
        index = sqlite3.connect(paths[".bgen.bgi"])
        try:
            index.execute(_TABLE)
            with paths[".bgen"].open("wb") as out, ThreadPoolExecutor() as pool:
                start = _write_head(out, selection.sample_ids)
                written = 0
                for part in selection.parts():
                    for lines in _index_lines(out, part, _records(part, callset.build, selection.sexes, pool)):
                        index.executemany("INSERT INTO Variant VALUES (?, ?, ?, 2, ?, ?, ?, ?)", lines)
                    written += part.sites.num_rows
                out.seek(0)
                out.write(struct.pack("<III", start - 4, 20, written))
            index.commit()
        except sqlite3.OperationalError:
            raise OSError(errno.EIO, "the index of a BGEN file cannot be written (no room on the disk?)") from None
        finally:
            index.close()
        _write_sample(paths[".sample"], selection)
    return [prefix + suffix for suffix in suffixes]


def _write_head(out: BinaryIO, sample_ids: Sequence[str]) -> int:
    """The header block, with no variants yet, and the ids of samples. Returns where variants begin."""
    names = b"".join(_short(sample) for sample in sample_ids)
    block = struct.pack("<II", 8 + len(names), len(sample_ids)) + names
    out.write(struct.pack("<IIII4sI", 20 + len(block), 20, 0, len(sample_ids), b"bgen", _FLAGS) + block)
    return out.tell()


def _write_sample(path: Path, selection: Selection) -> None:
    """Oxford's .sample file: two header lines, then one line a sample."""
    rows = (
        f"{sample} {sample} 0 {_SEX[sex]}\n" for sample, sex in zip(selection.sample_ids, selection.sexes, strict=True)
    )
    path.write_text("ID_1 ID_2 missing sex\n0 0 0 D\n" + "".join(rows))


def _index_lines(out: BinaryIO, part: Part, records: Iterator[bytes]) -> Iterator[list[tuple[Any, ...]]]:
    """Writes the variants of a part; rows of the index for them, some at a time."""
    names = ("contig", "position", "id", "ref", "alt")
    for first in range(0, part.sites.num_rows, _ROWS * _ROWS):
        rows = part.sites.slice(first, _ROWS * _ROWS)
        lines = []
        for contig, position, name, ref, alt in zip(*(rows.column(one).to_pylist() for one in names), strict=True):
            start = out.tell()
            shown = _shown(name).decode()
            out.write(_identity(contig, position, _shown(name), ref, alt) + next(records))
            lines.append((contig, position, shown, ref, alt, start, out.tell() - start))
        yield lines


def _identity(contig: str, position: int, name: bytes, ref: str, alt: str) -> bytes:
    alleles = b"".join(struct.pack("<I", len(one)) + one.encode() for one in (ref, alt))
    named = struct.pack("<H", len(name)) + name
    return named + named + _short(contig) + struct.pack("<IH", position, 2) + alleles


def _shown(name: str) -> bytes:
    text = name.encode()
    return text if len(text) <= _LONGEST else b"."


def _short(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<H", len(data)) + data


def _records(part: Part, build: str, sexes: Sequence[str], pool: ThreadPoolExecutor) -> Iterator[bytes]:
    """Genotype blocks of a part's variants, with their lengths; memory is that of one block of genotypes."""
    ploidy = counts.ploidy_of(build, part.shard.contig, part.sites.column("position").to_numpy(), sexes)
    for row, block in part.blocks():
        pieces = [
            (block[at : at + _ROWS], ploidy.rows(row + at, row + min(at + _ROWS, len(block))))
            for at in range(0, len(block), _ROWS)
        ]
        for done in pool.map(lambda piece: [_compressed(one) for one in encoded(*piece)], pieces):
            yield from done


def _compressed(data: bytes) -> bytes:
    import deflate

    packed = deflate.zlib_compress(data, 6)
    return struct.pack("<II", len(packed) + 4, len(data)) + packed


def encoded(block: np.ndarray, ploidy: counts.Ploidy) -> Iterator[bytes]:
    """Of each row of an int8 block (variants, samples) the probability data of layout 2, before compression."""
    n_samples = block.shape[1]
    for row, place in zip(block & 3, ploidy.classes, strict=True):
        copies = np.maximum(ploidy.table[place], 1)
        single = copies == 1
        missing = (row == 3) | (single & (row == 1)) | (ploidy.table[place] == 0)
        pairs = _DIPLOID[np.where(missing, 3, row)]
        least, most = (int(copies.min()), int(copies.max())) if n_samples else (2, 2)
        values = pairs.tobytes()
        if least == 1:  # a haploid call has one byte: the probability of the reference
            stays = np.ones((n_samples, 2), bool)
            stays[single, 1] = False
            values = pairs.view(np.uint8).reshape(n_samples, 2)[stays].tobytes()
        head = struct.pack("<IHBB", n_samples, 2, least, most)
        yield head + (copies | (missing * np.uint8(_MISSING))).astype(np.uint8).tobytes() + b"\x00\x08" + values
