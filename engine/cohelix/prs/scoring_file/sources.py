"""Which files there are, and which of them are read together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from cohelix import storage
from cohelix.errors import InputError
from cohelix.prs.scoring_file.content import head_of, is_packed
from cohelix.prs.scoring_file.header import read_head
from cohelix.prs.scoring_file.layout import layout_of
from cohelix.prs.scoring_file.records import Source

_BATCH_BYTES = 64 << 20
"""Text of the files that are read together, about: some hundreds of megabytes of memory."""

_BATCH_FILES = 256

_PACKED_SHARE = 4
"""Text over stored bytes of a gzip or zstd file, about (PGS Catalog: 3 to 4)."""

_ENDINGS = (".txt", ".tsv", ".csv", ".score", ".scorefile", ".sscore")
_PACKED_ENDINGS = (".gz", ".bgz", ".zst")
LIST_ENDING = ".list"


def sources(paths: Sequence[str]) -> list[Source]:
    """Every scoring file of `paths`, in their order: files, folders (theirs by name), and lists of paths (`.list`).

    A folder's scoring files end as text does (.txt, .tsv, .csv, .score, .scorefile, and .gz, .bgz or .zst after it).
    Paths of a list are from its folder on. InputError where a path does not exist, or there is no file at all.
    """
    files = [file for place, path in enumerate(paths, start=1) for file in _files(path, place, lists=True)]
    if not files:
        raise InputError("expected scoring files, found none. Give files, folders or lists of them.")
    return [Source(path, number, _size(path, number)) for number, path in enumerate(files, start=1)]


def batches(sources: Sequence[Source]) -> list[tuple[Source, ...]]:
    """`sources` in order, about 64 MiB of text or 256 files at a time; wide files beyond that in blocks of columns.

    By the bytes of the files alone, so that the same files are always cut alike.
    """
    found: list[tuple[Source, ...]] = []
    held: list[Source] = []
    size = 0
    for source in sources:
        text = _text_bytes(source)
        if held and (size + text > _BATCH_BYTES or len(held) == _BATCH_FILES):
            found.append(tuple(held))
            held, size = [], 0
        if text > _BATCH_BYTES:
            found += [(part,) for part in _parts(source, text)]
            continue
        held.append(source)
        size += text
    return [*found, tuple(held)] if held else found


def _parts(source: Source, text: int) -> Iterator[Source]:
    """A large file as it is, or in blocks of score columns where it is wide."""
    layout = layout_of(read_head(head_of(source.path, source.number), source.number), source.number)
    n = len(layout.scores)
    blocks = min(n, -(-text // _BATCH_BYTES)) if n > 1 else 1
    if blocks == 1:
        yield source
        return
    edges = [n * block // blocks for block in range(blocks + 1)]
    for first, last in itertools.pairwise(edges):
        yield Source(source.path, source.number, source.n_bytes, (first, last))


def _text_bytes(source: Source) -> int:
    return source.n_bytes * (_PACKED_SHARE if is_packed(source.path) else 1)


def _files(path: str, place: int, *, lists: bool) -> Iterator[str]:
    if not storage.exists(path):
        raise InputError(f"expected scoring files at path {place} of the list, found nothing there. Check the path.")
    if path.endswith(LIST_ENDING) and lists:
        yield from _listed(path, place)
        return
    names = storage.listing(path) if _is_folder(path) else None
    if names is None:
        yield path
        return
    found = [name for name in names if not name.startswith(".") and _is_scoring_file(name)]
    if not found:
        raise InputError(
            f"expected scoring files (.txt, .tsv, .gz ...) in the folder at path {place} of the list, found none."
        )
    yield from (storage.join(path, name) for name in found)


def _listed(path: str, place: int) -> Iterator[str]:
    try:
        lines = storage.read(path).decode().splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"expected a list of paths, one a line, at path {place}; it is no text.") from None
    folder = path.rsplit("/", 1)[0] if "/" in path else "."
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        inner = text if "://" in text or text.startswith("/") else storage.join(folder, text)
        try:
            yield from _files(inner, number, lists=False)
        except InputError:
            raise InputError(
                f"expected a scoring file or a folder of them at line {number} of the list of paths, found none there. "
                "Paths are from the folder of the list on."
            ) from None


def _is_scoring_file(name: str) -> bool:
    for ending in _PACKED_ENDINGS:
        name = name.removesuffix(ending)
    return name.endswith(_ENDINGS)


def _is_folder(path: str) -> bool:
    if storage.is_local(path):
        return storage.local_path(path).is_dir()
    import fsspec

    filesystem, inner = fsspec.core.url_to_fs(path)
    return bool(filesystem.isdir(inner))


def _size(path: str, number: int) -> int:
    try:
        if storage.is_local(path):
            return storage.local_path(path).stat().st_size
        import fsspec

        filesystem, inner = fsspec.core.url_to_fs(path)
        return int(filesystem.size(inner) or 0)
    except OSError:
        raise InputError(f"scoring file {number} cannot be read. Check its path and permissions.") from None


def stem_of(path: str) -> str:
    """The name of a file without its folder and endings: the id of a score whose file states none."""
    name = PurePosixPath(path).name
    for ending in (*_PACKED_ENDINGS, *_ENDINGS):
        name = name.removesuffix(ending)
    return name
