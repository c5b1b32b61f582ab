"""What can be known of gVCFs without reading them: their sizes, and what their indexes count.

Records come from the index (htslib notes the number of records of each contig in a bin of its own, 37450 in a .tbi);
the stretch of genome from the windows of a .tbi that have records. Formats: hts-specs, tabix and CSI.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from cohelix import storage
from cohelix.errors import InputError

TABIX_WINDOW = 1 << 14
LOOKED_AT = 100
"""Indexes that are read, spread over the manifest: a mean over a hundred people is good to a few per cent."""


@dataclass(frozen=True)
class Inputs:
    """Of one sample, in the mean. records: None without an index. `samples`: files that were sized."""

    samples: int
    bytes: float
    records: float | None
    bases: int | None
    indexes: int


@dataclass(frozen=True)
class Counted:
    """What one index says: records (None where its writer did not count), and bases of the windows that have records
    (0: a CSI index does not tell)."""

    records: int | None
    bases: int


def look(paths: Sequence[str]) -> Inputs:
    """Sizes of all files at `paths` (in the order of the manifest), and the indexes of some.

    Raises InputError for a file that is not there, by its place in the list, and for a damaged index.
    """
    sizes = [_size(path, number) for number, path in enumerate(paths, start=1)]
    step = max(1, len(paths) // LOOKED_AT)
    found = []
    for number in range(0, len(paths), step):
        try:
            counted = read_index(paths[number])
        except InputError as error:
            raise InputError(f"sample {number + 1} of the manifest: {error}") from None
        if counted is not None:
            found.append(counted)
    records = [counted.records for counted in found if counted.records is not None]
    return Inputs(
        len(paths), fmean(sizes), fmean(records) if records else None,
        max((counted.bases for counted in found), default=0) or None, len(found),
    )  # fmt: skip


def indexed_records(path: str) -> int | None:
    """Records of the BGZF file at `path` by its index, None where there is none or it does not count them."""
    counted = read_index(path)
    return counted.records if counted else None


def read_index(path: str) -> Counted | None:
    """What the index beside `path` says, None where there is none. Raises InputError for a damaged one."""
    index = next((path + suffix for suffix in (".tbi", ".csi") if storage.exists(path + suffix)), None)
    if index is None:
        return None
    try:
        raw = storage.read(index)
        data = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        if data[:4] == b"TBI\x01":
            n_contigs, _, _, _, _, _, _, name_bytes = struct.unpack_from("<8i", data, 4)
            return _count(data, 36 + name_bytes, n_contigs, depth=5, is_csi=False)
        if data[:4] == b"CSI\x01":
            _, depth, aux = struct.unpack_from("<3i", data, 4)
            (n_contigs,) = struct.unpack_from("<i", data, 16 + aux)
            return _count(data, 20 + aux, n_contigs, depth=depth, is_csi=True)
    except (struct.error, EOFError, OSError, zlib.error):
        raise InputError("the index is damaged or cut short. Make it again with tabix.") from None
    raise InputError("expected a tabix or CSI index, found other bytes. Make it again with tabix.")


def _count(data: bytes, at: int, n_contigs: int, *, depth: int, is_csi: bool) -> Counted:
    counter = (
        (1 << 3 * (depth + 1)) - 1
    ) // 7 + 1  # holds two pairs: file offsets, then records with and without place
    records, counts, bases = 0, 0, 0
    for _ in range(n_contigs):
        (n_bin,) = struct.unpack_from("<i", data, at)
        at += 4
        for _ in range(n_bin):
            (number,) = struct.unpack_from("<I", data, at)
            at += 12 if is_csi else 4  # a CSI bin has an offset of its own
            (n_chunk,) = struct.unpack_from("<i", data, at)
            if number == counter:
                placed, unplaced = struct.unpack_from("<2Q", data, at + 4 + 16)
                records, counts = records + placed + unplaced, counts + 1
            at += 4 + 16 * n_chunk
        if not is_csi:
            (n_linear,) = struct.unpack_from("<i", data, at)
            # The offset of a window without a record is 0, or that of a neighbour.
            bases += len({*struct.unpack_from(f"<{n_linear}Q", data, at + 4)} - {0}) * TABIX_WINDOW
            at += 4 + 8 * n_linear
    return Counted(records if counts else None, bases)


def _size(path: str, number: int) -> int:
    try:
        if storage.is_local(path):
            return storage.local_path(path).stat().st_size
        import fsspec

        files, inside = fsspec.core.url_to_fs(path)
        return int(files.size(inside))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"sample {number} of the manifest: expected a gVCF, found no file. Correct its path."
        ) from None
    except PermissionError:
        raise InputError(f"sample {number} of the manifest: its gVCF cannot be read by this user.") from None
