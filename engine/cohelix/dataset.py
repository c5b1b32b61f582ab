"""Data sets with atomic commits.

A data set is a folder: data files, and `_commit/<n>.json`, which names each file of version n with its size
and sha256. A reader sees what the newest commit names and nothing else. Data files carry a piece of
their own sha256 in their name, so that two attempts of one task cannot disturb each other, a new version
never touches the files of an older one, and an unchanged part is shared by both.

A writer works under `_staging/<run>/`, where `<run>` is the digest of what is to be done. Each finished task
leaves a record there; the same work started again after a crash goes on behind the last record.
Nothing in a commit depends on the clock, the host or the runtime: equal inputs give equal bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cohelix import storage
from cohelix.errors import ContractError, InputError

FORMAT = 1
"""Version of the commit format. A reader refuses a newer one."""


@dataclass(frozen=True, order=True)
class FileEntry:
    """One file of a data set: path below its root, size in bytes, sha256 in hex."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Commit:
    """One version of a data set, as `_commit/<n>.json` records it."""

    kind: str
    version: int
    files: tuple[FileEntry, ...]
    meta: dict[str, Any]
    provenance: dict[str, Any] = field(default_factory=dict)

    def entry(self, path: str) -> FileEntry:
        for entry in self.files:
            if entry.path == path:
                return entry
        raise ContractError(f"version {self.version} of this {self.kind} names no file {path}.")


def canonical_json(value: Any) -> bytes:
    """`value` as JSON with sorted keys and no spaces: equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def digest_of(value: Any) -> str:
    """sha256 (hex) of `value` in canonical JSON."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def find(root: str, *, version: int | None = None) -> Commit | None:
    """The newest commit under `root` (or the one asked for), None where there is none."""
    versions = _versions(root)
    if not versions:
        return None
    chosen = versions[-1] if version is None else version
    if chosen not in versions:
        raise InputError(
            f"{root} has versions {versions[0]} to {versions[-1]}, and {chosen} was asked for. Choose one that exists."
        )
    raw = json.loads(storage.read(storage.join(root, "_commit", f"{chosen:06d}.json")))
    if raw.get("format", 0) > FORMAT:
        raise InputError(f"{root} was written in format {raw['format']}; this cohelix reads up to {FORMAT}. Update cohelix.")
    files = tuple(FileEntry(**entry) for entry in raw["files"])
    return Commit(raw["kind"], raw["version"], files, raw["meta"], raw["provenance"])


def open_existing(root: str, kind: str, *, version: int | None = None) -> Commit:
    """The newest commit of a data set that must exist and be of `kind`."""
    commit = find(root, version=version)
    if commit is None:
        raise InputError(f"expected a {kind} data set at {root}, found no commit there. Check the path, or make it first.")
    if commit.kind != kind:
        raise InputError(f"expected a {kind} data set at {root}, found a {commit.kind} data set. Check the path.")
    return commit


def read_file(root: str, entry: FileEntry, *, verify: bool = True) -> bytes:
    """Bytes of one file; with `verify`, refused unless size and sha256 are those of the commit."""
    try:
        data = storage.read(storage.join(root, entry.path))
    except FileNotFoundError:
        raise InputError(f"{root} lacks {entry.path}, which its commit names. Restore it or make the data set again.") from None
    if len(data) != entry.bytes or (verify and hashlib.sha256(data).hexdigest() != entry.sha256):
        raise InputError(f"{entry.path} in {root} is not what its commit recorded (size or sha256 differs). Restore it.")
    return data


def verify(root: str, commit: Commit) -> None:
    """Read every file of `commit` and compare it with its recorded size and sha256."""
    for entry in commit.files:
        read_file(root, entry)


@dataclass(frozen=True)
class Writer:
    """Writes one new version. Small and picklable: it travels to the tasks, and the driver commits."""

    root: str
    kind: str
    run: str

    @property
    def staging(self) -> str:
        return storage.join(self.root, "_staging", self.run)

    def put(self, stem: str, suffix: str, data: bytes) -> FileEntry:
        """Add a data file named `<stem>-<digest><suffix>`. Safe to repeat, from any number of attempts."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = f"{stem}-{sha256[:16]}{suffix}"
        storage.write(storage.join(self.root, path), data)
        return FileEntry(path, len(data), sha256)

    def put_group(self, stem: str, members: dict[str, Path | bytes]) -> dict[str, FileEntry]:
        """Add files that must share a prefix (`x.pgen`, `x.pvar`, `x.psam`), named by their joint digest."""
        contents = {suffix: part if isinstance(part, bytes) else part.read_bytes() for suffix, part in members.items()}
        digests = {suffix: hashlib.sha256(data).hexdigest() for suffix, data in contents.items()}
        prefix = f"{stem}-{digest_of(digests)[:16]}"
        entries = {}
        for suffix, data in contents.items():
            storage.write(storage.join(self.root, prefix + suffix), data)
            entries[suffix] = FileEntry(prefix + suffix, len(data), digests[suffix])
        return entries

    def recall(self, task: str) -> dict[str, Any] | None:
        """What a finished task recorded, None where it has not finished."""
        path = storage.join(self.staging, "done", f"{task}.json")
        if not storage.exists(path):
            return None
        return dict(json.loads(storage.read(path)))

    def record(self, task: str, result: dict[str, Any]) -> None:
        """Record that `task` finished: its files are in place and this is what it found."""
        storage.write(storage.join(self.staging, "done", f"{task}.json"), canonical_json(result))

    def abandon(self) -> None:
        """Give the work up: remove the staging folder, what no commit names, and a root that holds nothing else."""
        storage.remove_tree(self.staging)
        if not storage.listing(storage.join(self.root, "_staging")):
            storage.remove_tree(storage.join(self.root, "_staging"))
        collect_garbage(self.root)
        if not _versions(self.root) and not _data_files(self.root, "") and not storage.listing(storage.join(self.root, "_staging")):
            storage.remove_tree(self.root)

    def commit(
        self, files: Iterable[FileEntry], meta: dict[str, Any], provenance: dict[str, Any], *, after: int
    ) -> Commit:
        """Make the new version visible in one step, then drop the staging folder.

        `after` is the version this work started from (0: none); where another writer has committed since,
        nothing is changed and InputError says so. Committing what is already the newest version is a no-op.
        """
        ordered = tuple(sorted(set(files)))
        commit = Commit(self.kind, after + 1, ordered, meta, provenance)
        payload = asdict(commit) | {"format": FORMAT}
        path = storage.join(self.root, "_commit", f"{commit.version:06d}.json")
        if not storage.create_exclusive(path, json.dumps(payload, sort_keys=True, indent=1).encode() + b"\n"):
            raise InputError(
                f"another run has committed version {commit.version} to {self.root} meanwhile. Nothing was lost; run again."
            )
        storage.remove_tree(self.staging)
        if not storage.listing(storage.join(self.root, "_staging")):
            storage.remove_tree(storage.join(self.root, "_staging"))
        return commit


def collect_garbage(root: str) -> int:
    """Remove files that no commit names and no unfinished run may still need. Returns how many."""
    if storage.listing(storage.join(root, "_staging")):
        return 0
    named = {entry.path for version in _versions(root) for entry in (find(root, version=version) or _nothing()).files}
    removed = 0
    for path in _data_files(root, ""):
        if path not in named:
            storage.remove(storage.join(root, path))
            removed += 1
    return removed


def _nothing() -> Commit:
    return Commit("", 0, (), {}, {})


def _versions(root: str) -> list[int]:
    names = storage.listing(storage.join(root, "_commit"))
    return sorted(int(name.removesuffix(".json")) for name in names if name.endswith(".json") and not name.startswith("."))


def _data_files(root: str, below: str) -> list[str]:
    found: list[str] = []
    for name in storage.listing(storage.join(root, below) if below else root):
        path = f"{below}/{name}" if below else name
        if path in ("_commit", "_staging"):
            continue
        inner = _data_files(root, path) if "." not in name or name.startswith("bin=") else []
        found.extend(inner or [path])
    return found
