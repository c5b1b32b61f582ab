"""Bytes on a local disk or on an object store.

A path without a scheme, or with `file://`, is local. Every other scheme is handed to fsspec
(`s3://`, `gs://`, `memory://`, ...), configured the way fsspec is configured. Three promises hold on both:
a file appears whole or not at all, `create_exclusive` succeeds for one writer only, and a
finished local write survives a power cut (it is fsynced, and so is its folder).
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cohelix.tier import check_write


def is_local(path: str) -> bool:
    return "://" not in path or path.startswith("file://")


def local_path(path: str) -> Path:
    return Path(path.removeprefix("file://"))


def join(root: str, *parts: str) -> str:
    return "/".join([root.rstrip("/"), *parts])


def _remote(path: str) -> tuple[Any, str]:
    import fsspec  # heavy, and not needed on a local disk

    filesystem, inner = fsspec.core.url_to_fs(path)
    return filesystem, inner


def exists(path: str) -> bool:
    if is_local(path):
        return local_path(path).exists()
    filesystem, inner = _remote(path)
    return bool(filesystem.exists(inner))


def read(path: str) -> bytes:
    """All bytes of `path`. Raises FileNotFoundError or PermissionError as the store reports it."""
    if is_local(path):
        return local_path(path).read_bytes()
    filesystem, inner = _remote(path)
    return bytes(filesystem.cat_file(inner))


def listing(folder: str) -> list[str]:
    """Names directly under `folder`, sorted; empty where the folder does not exist."""
    if is_local(folder):
        try:
            return sorted(os.listdir(local_path(folder)))
        except (FileNotFoundError, NotADirectoryError):
            return []
    filesystem, inner = _remote(folder)
    if not filesystem.exists(inner):
        return []
    filesystem.invalidate_cache(inner)
    return sorted(name.rstrip("/").rsplit("/", 1)[-1] for name in filesystem.ls(inner, detail=False))


def walk(folder: str) -> list[str]:
    """Paths of all files below `folder`, from there on, sorted; empty where the folder does not exist."""
    if is_local(folder):
        root = local_path(folder)
        return sorted(
            os.path.relpath(os.path.join(place, name), root) for place, _, names in os.walk(root) for name in names
        )
    filesystem, inner = _remote(folder)
    if not filesystem.exists(inner):
        return []
    filesystem.invalidate_cache(inner)
    return sorted(path.removeprefix(inner.rstrip("/") + "/") for path in filesystem.find(inner))


def write(path: str, data: bytes) -> None:
    """Put `data` at `path`, replacing what is there; a reader sees the old bytes or the new, never a part."""
    if not is_local(path):
        filesystem, inner = _remote(path)
        filesystem.makedirs(inner.rsplit("/", 1)[0], exist_ok=True)
        filesystem.pipe_file(inner, data)
        return
    target = local_path(path)
    check_write(target)
    _make_folder(target.parent)
    passing = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        _write_synced(passing, data)
        os.replace(passing, target)
    except BaseException:  # a request to end as well
        passing.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def move_in(source: Path, path: str) -> None:
    """Move a finished local file to `path` (uploaded where the store is not local)."""
    if not is_local(path):
        filesystem, inner = _remote(path)
        filesystem.makedirs(inner.rsplit("/", 1)[0], exist_ok=True)
        filesystem.put_file(str(source), inner)
        source.unlink()
        return
    target = local_path(path)
    check_write(target)
    _make_folder(target.parent)
    with source.open("rb") as handle:
        os.fsync(handle.fileno())
    os.replace(source, target)
    sync_folder(target.parent)


def create_exclusive(path: str, data: bytes) -> bool:
    """Create `path` with `data` if nothing is there. Returns False where another writer was first."""
    if not is_local(path):
        filesystem, inner = _remote(path)
        filesystem.makedirs(inner.rsplit("/", 1)[0], exist_ok=True)
        try:
            filesystem.pipe_file(inner, data, mode="create")
        except FileExistsError:
            return False
        return True
    target = local_path(path)
    check_write(target)
    _make_folder(target.parent)
    passing = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        _write_synced(passing, data)
        os.link(passing, target)  # fails where the target exists, on every POSIX file system
    except FileExistsError:
        return False
    finally:
        passing.unlink(missing_ok=True)
    sync_folder(target.parent)
    return True


def remove_tree(folder: str) -> None:
    if is_local(folder):
        shutil.rmtree(local_path(folder), ignore_errors=True)
        return
    filesystem, inner = _remote(folder)
    if filesystem.exists(inner):
        with suppress(FileNotFoundError):  # another was faster
            filesystem.rm(inner, recursive=True)


def remove(path: str) -> None:
    if is_local(path):
        local_path(path).unlink(missing_ok=True)
        return
    filesystem, inner = _remote(path)
    if filesystem.exists(inner):
        with suppress(FileNotFoundError):
            filesystem.rm_file(inner)


@contextmanager
def as_local_file(path: str) -> Iterator[Path]:
    """A local file with the bytes of `path`, for libraries that open files by name only."""
    if is_local(path):
        yield local_path(path)
        return
    with tempfile.TemporaryDirectory(prefix="cohelix-") as folder:
        copy = Path(folder) / path.rsplit("/", 1)[-1]
        copy.write_bytes(read(path))
        yield copy


def is_passing(name: str) -> bool:
    """Whether a file is what a killed `write` or `create_exclusive` left: the bytes before they got their name."""
    return re.fullmatch(r"\..*\.[0-9a-f]{32}", name) is not None


def _make_folder(folder: Path) -> None:
    """Make `folder` and those above it;

    like a file, a new folder survives a power cut once the one above it is synced.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in missing:
        sync_folder(place.parent)


def _write_synced(target: Path, data: bytes) -> None:
    with target.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in `folder` are on its disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
