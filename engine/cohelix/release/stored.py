"""Files of a release as they are stored: opened without following links, and compared with the manifest."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cohelix.errors import ConfigError
from cohelix.release.damage import Damage, damaged
from cohelix.release.lines import FileLine
from cohelix.tier import check_write


@contextmanager
def appearing(dst: Path) -> Iterator[BinaryIO]:
    """A file that takes its name when the block ends well, and is removed when it does not."""
    passing = dst.with_name(f".{dst.name}.{os.getpid()}-{secrets.token_hex(4)}")
    descriptor = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as write:
            yield write
        os.replace(passing, dst)
    finally:
        passing.unlink(missing_ok=True)


def open_stored(src: Path, expected: FileLine) -> io.BufferedReader:
    """A stored file, which is not reached by a link."""
    try:
        descriptor = os.open(src, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise damaged(Damage.MISSING, expected.path, "is missing") from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR, errno.ENOTDIR):
            raise damaged(Damage.KIND, expected.path, "is a link or a folder in place of the file") from None
        raise ConfigError(f"{expected.path} cannot be read ({error.strerror or type(error).__name__}).") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise damaged(Damage.KIND, expected.path, "is a link or a folder in place of the file")
    return os.fdopen(descriptor, "rb")


def check_stored(src: Path, expected: FileLine, *, deep: bool = True) -> None:
    """Compare a stored file with its line of the manifest: its kind and size, and its SHA-256 where `deep`."""
    with open_stored(src, expected) as read:
        check_size(read, expected)
        if deep:
            check_digest(read, expected)


def check_size(read: io.BufferedReader, expected: FileLine) -> None:
    if os.fstat(read.fileno()).st_size != expected.bytes:
        raise damaged(Damage.SIZE, expected.path, "has another size than the manifest says")


def check_digest(read: io.BufferedReader, expected: FileLine) -> None:
    """Of the whole file, from its beginning."""
    read.seek(0)
    compare_digest(hashlib.file_digest(read, "sha256").hexdigest(), expected)


def compare_digest(found: str, expected: FileLine) -> None:
    if found != expected.sha256:
        raise damaged(Damage.DIGEST, expected.path, "has other bytes than the manifest says")


def copied(src: Path, dst: Path | None, expected: FileLine) -> None:
    """Compare a stored file with its line, and copy it as it is where `dst` is given, in one pass.

    Damaged where it differs; nothing is left at `dst` then.
    """
    if dst is None:
        check_stored(src, expected)
        return
    check_write(dst)
    with open_stored(src, expected) as read, appearing(dst) as write:
        check_size(read, expected)
        digest = hashlib.sha256()
        while data := read.read(1 << 20):
            digest.update(data)
            write.write(data)
        compare_digest(digest.hexdigest(), expected)
