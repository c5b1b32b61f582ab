"""The header of a gVCF: its contigs and its one sample."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cohelix.errors import InputError
from cohelix.genome import Contig

_CONTIG = re.compile(rb"^##contig=<(.*)>\s*$", re.MULTILINE)
_ID = re.compile(rb"(?:^|,)ID=([^,>]+)")
_LENGTH = re.compile(rb"(?:^|,)length=(\d+)")
LONGEST_CONTIG = 1_999_999_999
"""Bases of a contig at most: positions are int32, and a number beyond 2e9 is read as 2e9."""
_LONGEST_NAME = 200
_FIXED = [b"#CHROM", b"POS", b"ID", b"REF", b"ALT", b"QUAL", b"FILTER", b"INFO", b"FORMAT"]


_KEPT = 64
"""Contig tables that are remembered; a cohort has one, or one for each pipeline that made its files."""


@dataclass(frozen=True)
class Header:
    """contigs in header order (may be empty;

    one object for all files with the same lines); the sample's name as the header writes it.
    """

    contigs: tuple[Contig, ...]
    sample: str


@dataclass(frozen=True)
class Names:
    """Contigs as the kernels take them:

    names one after another (uint8), where each begins (contigs + 1,), lengths (0 not known).
    """

    text: np.ndarray
    at: np.ndarray
    lengths: np.ndarray


_NAMES: dict[int, tuple[Sequence[Contig], Names]] = {}


def names_of(contigs: Sequence[Contig]) -> Names:
    """`Names` of a contig table, made once for a tuple that many headers share."""
    known = _NAMES.get(id(contigs))
    if known is not None and known[0] is contigs:
        return known[1]
    names = [contig.name.encode() for contig in contigs]
    made = Names(
        np.frombuffer(b"".join(names) or b"\0", np.uint8),
        np.cumsum([0, *map(len, names)], dtype=np.int64),
        np.array([contig.length for contig in contigs], np.int64),
    )
    if isinstance(contigs, tuple):
        if len(_NAMES) >= _KEPT:
            _NAMES.clear()
        _NAMES[id(contigs)] = (contigs, made)
    return made


def split(text: bytes) -> tuple[Header, int]:
    """The header at the start of `text`, and the offset of the first record. Raises InputError."""
    at = 0 if text.startswith(b"#CHROM") else text.find(b"\n#CHROM") + 1
    if not text.startswith(b"#"):
        if text.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
            raise InputError(
                "expected plain ASCII text, found a byte-order mark. Save the file without it (UTF-8, no BOM)."
            )
        raise InputError("expected a VCF header that starts with ##fileformat, found other text. Is this a gVCF?")
    if at == 0 and not text.startswith(b"#CHROM"):
        raise InputError(
            "expected a #CHROM line at the end of the header, found none. The file is cut short or not a VCF."
        )
    end = text.find(b"\n", at)
    end = len(text) if end < 0 else end
    columns = text[at:end].rstrip(b"\r").split(b"\t")
    if columns[:9] != _FIXED:
        raise InputError(
            "expected the columns #CHROM POS ID REF ALT QUAL FILTER INFO FORMAT and one sample, found others."
        )
    if len(columns) != 10:
        raise InputError(
            f"expected a gVCF of one sample, found {len(columns) - 9} samples. Give each sample's own gVCF, not a "
            "joint VCF."
        )
    return Header(_contigs(_contig_lines(text[:at])), columns[9].decode("utf-8", "replace")), min(end + 1, len(text))


def _contig_lines(meta: bytes) -> bytes:
    """From the first ##contig line to the last: what files of one pipeline have in common, so that it is read once."""
    first = meta.find(b"##contig=<")
    last = meta.rfind(b"\n##contig=<")
    if first < 0:
        return b""
    end = meta.find(b"\n", max(last + 1, first))
    return meta[first : end if end >= 0 else len(meta)]


@lru_cache(maxsize=_KEPT)
def _contigs(meta: bytes) -> tuple[Contig, ...]:
    found: dict[str, int] = {}
    for match in _CONTIG.finditer(meta):
        name = _ID.search(match[1])
        if name is None:
            raise InputError("a ##contig line of the header has no ID. Correct the header.")
        if len(name[1]) > _LONGEST_NAME:
            raise InputError(
                f"expected contig names of up to {_LONGEST_NAME} characters, found a longer one. Correct the header."
            )
        length = _LENGTH.search(match[1])
        key = name[1].decode("utf-8", "replace")
        if key in found:
            raise InputError(f"the header names contig {key} twice. Correct the header.")
        found[key] = int(length[1][:20]) if length else 0
        if found[key] > LONGEST_CONTIG:
            raise InputError(f"the header gives contig {key} more than {LONGEST_CONTIG} bases. Correct the header.")
    return tuple(Contig(name, length) for name, length in found.items())
