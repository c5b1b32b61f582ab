"""Reading a release: somebody is admitted at every read, then the file is checked against the manifest."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from cohelix.errors import ConfigError, InputError
from cohelix.release import container
from cohelix.release.draft import SEALED
from cohelix.release.gate.admission import Admission
from cohelix.release.gate.trust import read_trust
from cohelix.release.keys import open_keys
from cohelix.release.lines import FileLine
from cohelix.release.manifest import MANIFEST, Manifest, read
from cohelix.tier import MARK, Tier, bind, check_write, mark_of, opened, tier_named


@dataclass(frozen=True)
class Opened:
    """A release that may be read. Names are those of plain files: `omop/person.parquet`."""

    folder: Path
    manifest: Manifest
    admission: Admission

    def names(self) -> list[str]:
        return [line.path.removesuffix(SEALED) for line in self.manifest.files]

    def has(self, name: str) -> bool:
        return name in self.names()

    def _line(self, name: str) -> FileLine:
        for line in self.manifest.files:
            if line.path.removesuffix(SEALED) == name:
                return line
        raise InputError("the release has no file of this name. Its README lists those it has.")

    @property
    def tier(self) -> Tier:
        return tier_named(self.manifest.tier)

    def open(self, name: str) -> BinaryIO:
        """A file that is decrypted where it is read, and can be read from anywhere."""
        line = self._line(name)
        self.admission.admit("read", self.manifest, name)
        if self.tier is Tier.PUBLIC:
            container.copied(self.folder / line.path, None, line)
            return (self.folder / line.path).open("rb")
        return container.opened(self.folder / line.path, self._key, line)

    def read(self, name: str) -> bytes:
        """All bytes of a file, checked against the manifest."""
        line = self._line(name)
        self.admission.admit("read", self.manifest, name)
        if self.tier is Tier.PUBLIC:
            container.copied(self.folder / line.path, None, line)
            return (self.folder / line.path).read_bytes()
        return container.read_bytes(self.folder / line.path, self._key, line)

    def read_table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """A Parquet table of the release; of `columns` alone, no others are decrypted."""
        import pyarrow.parquet as pq

        with self.open(name) as handle:
            source = pa.PythonFile(handle) if self.tier is not Tier.PUBLIC else pa.BufferReader(handle.read())
            return pq.ParquetFile(source).read(None if columns is None else list(columns))

    @cached_property
    def _key(self) -> X25519PrivateKey:
        return open_keys(self.admission.trust.keys).opening(self.tier)

    def checkout(self, out: str, prefixes: Sequence[str] = ()) -> Path:
        """Decrypt the release, or what is below some folders of it, into a new workspace; returns its folder.

        The workspace is bound to the tier: what reads from it shows a grant again, and what is written there stays of
        its tier. It appears whole or not at all. Only its owner can read it.
        """
        target = Path(os.path.abspath(out))
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise ConfigError("expected a new or empty folder as the workspace, found files. Choose another.")
        if mark_of(target) is not None:
            check_write(target)
        lines = [line for line in self.manifest.files if _below(line.path, prefixes)]
        if not lines or not all(any(_below(line.path, [one]) for line in lines) for one in prefixes):
            raise InputError("the release has nothing below one of these folders. Its README lists what it has.")
        self.admission.admit("checkout", self.manifest, " ".join(prefixes))
        of = {"release": self.manifest.name, "dataset": self.manifest.dataset}
        with _passing(target) as passing:
            mark = bind(passing, self.tier, "workspace", manifest=_digest(self.folder / MANIFEST), **of)
            with opened(mark, self.tier):
                for line in lines:
                    self._take(line, passing)
            if target.exists():
                target.rmdir()
            os.rename(passing, target)
        return target

    def _take(self, line: FileLine, folder: Path) -> None:
        plain = folder / line.path.removesuffix(SEALED)
        plain.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.tier is Tier.PUBLIC:
            container.copied(self.folder / line.path, plain, line)
        else:
            container.unseal(self.folder / line.path, plain, self._key, line)
        plain.chmod(0o600)


@contextmanager
def _passing(target: Path) -> Iterator[Path]:
    """A hidden folder beside `target`, locked while it is filled. Those of killed runs go: what is in them is plain."""
    named = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}")
    passing = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        passing.mkdir(mode=0o700)
        others = [one for one in target.parent.iterdir() if named.fullmatch(one.name) and one != passing]
    except OSError as error:
        raise ConfigError(
            f"the workspace cannot be made ({error.strerror or type(error).__name__}). Choose another place."
        ) from None
    for left in others:
        with _held(left) as is_free:
            if is_free and (left / MARK).is_file():
                shutil.rmtree(left, ignore_errors=True)
    try:
        with _held(passing):
            yield passing
    finally:
        shutil.rmtree(passing, ignore_errors=True)


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Whether nobody else holds a folder; then it is held meanwhile."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        yield False
        return
    is_free = False
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_free = True
        yield is_free
    finally:
        os.close(descriptor)


def _below(path: str, prefixes: Sequence[str]) -> bool:
    plain = path.removesuffix(SEALED)
    return not prefixes or any(plain == one.rstrip("/") or plain.startswith(one.rstrip("/") + "/") for one in prefixes)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def open_release(folder: str, passport: str, trust: str) -> Opened:
    """A release for somebody with a passport. AccessError where there is no grant, IntegrityError where it was altered.

    The public tier asks for no grant, but for the trust file's keys, which check the signature.
    """
    whom = read_trust(trust)
    manifest = read(Path(folder), open_keys(whom.keys).verifying())
    release = Opened(Path(folder), manifest, Admission(passport, whom))
    release.admission.admit("open", manifest)
    return release
