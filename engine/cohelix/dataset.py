"""Data sets with atomic commits.

A data set is a folder: data files, and `_commit/<n>.json`, which names each file of version n with its size
and sha256. A reader sees what the newest commit names and nothing else. Data files carry a piece of
their own sha256 in their name, so that two attempts of one task cannot disturb each other, a new version
never touches the files of an older one, and an unchanged part is shared by both.

A writer works under `_staging/<run>/`, where `<run>` is the version it starts from and the digest of what is to be
done. Each finished task leaves a record there; the same work started again after a crash goes on behind the last
record. `_staging/<run>.committed` tells work that made the newest version, but was killed before it could clean up,
from work that has yet to be done. Nothing in a commit depends on the clock, the host or the runtime: equal inputs
give equal bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from cohelix import storage
from cohelix.errors import CohelixError, ContractError, InputError

FORMAT = 1
"""Version of the commit format. A reader refuses a newer one."""
_MARK = ".committed"


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
    try:
        raw = json.loads(storage.read(_commit_path(root, chosen)))
    except ValueError:
        raise InputError(
            f"version {chosen} of {root} has a damaged commit file. Restore it, or make the data set again."
        ) from None
    if raw.get("format", 0) > FORMAT:
        raise InputError(
            f"{root} was written in format {raw['format']}; this cohelix reads up to {FORMAT}. Update cohelix."
        )
    files = tuple(FileEntry(**entry) for entry in raw["files"])
    return Commit(raw["kind"], raw["version"], files, raw["meta"], raw["provenance"])


def open_existing(root: str, kind: str, *, version: int | None = None) -> Commit:
    """The newest commit of a data set that must exist and be of `kind`."""
    commit = find(root, version=version)
    if commit is None:
        raise InputError(
            f"expected a {kind} data set at {root}, found no commit there. Check the path, or make it first."
        )
    if commit.kind != kind:
        raise InputError(f"expected a {kind} data set at {root}, found a {commit.kind} data set. Check the path.")
    return commit


def read_file(root: str, entry: FileEntry, *, verify: bool = True) -> bytes:
    """Bytes of one file; with `verify`, refused unless size and sha256 are those of the commit."""
    try:
        data = storage.read(storage.join(root, entry.path))
    except FileNotFoundError:
        raise InputError(
            f"{root} lacks {entry.path}, which its commit names. Restore it or make the data set again."
        ) from None
    if len(data) != entry.bytes or (verify and hashlib.sha256(data).hexdigest() != entry.sha256):
        raise InputError(
            f"{entry.path} in {root} is not what its commit recorded (size or sha256 differs). Restore it."
        )
    return data


def verify(root: str, commit: Commit) -> None:
    """Read every file of `commit` and compare it with its recorded size and sha256."""
    for entry in commit.files:
        read_file(root, entry)


@dataclass(frozen=True)
class Writer:
    """Writes one new version. Small and picklable: it travels to the tasks, and the driver commits.

    resumed: the same work was begun before and did not end.
    """

    root: str
    kind: str
    run: str
    resumed: bool = False

    @property
    def staging(self) -> str:
        return storage.join(self.root, "_staging", self.run)

    @property
    def mark(self) -> str:
        return self.staging + _MARK

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
        try:
            return dict(json.loads(storage.read(path)))
        except FileNotFoundError:  # another run has committed meanwhile, and removed what can no longer be
            return None

    def record(self, task: str, result: dict[str, Any]) -> None:
        """Record that `task` finished: its files are in place and this is what it found."""
        storage.write(storage.join(self.staging, "done", f"{task}.json"), canonical_json(result))

    def abandon(self) -> None:
        """Give the work up: remove the staging folder, what no commit names, and a root that holds nothing else."""
        self._unstage()
        collect_garbage(self.root)
        if (
            not _versions(self.root)
            and not _data_files(self.root)
            and not storage.listing(storage.join(self.root, "_staging"))
        ):
            storage.remove_tree(self.root)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Around the work of a run that `begin` began: what fails for good is abandoned, what was stopped can go on."""
        try:
            yield
        except CohelixError:
            self.abandon()
            raise
        except FileNotFoundError:
            newest = max(_versions(self.root), default=0)
            if newest <= int(self.run.split("-")[0]):
                raise
            self.abandon()  # its staging folder is gone, since what it works for can no longer be
            raise self._overtaken(newest) from None

    def _overtaken(self, version: int) -> InputError:
        return InputError(
            f"another run has committed version {version} to {self.root} meanwhile. Nothing was lost; run again."
        )

    def finish(self) -> None:
        """Clean up behind a commit.

        The mark goes last, so that a run killed in here can be told from one that has yet to work.
        """
        if self.resumed:
            collect_garbage(self.root)  # a killed attempt may have left files that the commit does not name
        self._unstage()

    def _unstage(self) -> None:
        storage.remove_tree(self.staging)
        storage.remove(self.mark)
        _drop_if_empty(self.root)

    def commit(
        self, files: Iterable[FileEntry], meta: dict[str, Any], provenance: dict[str, Any], *, after: int
    ) -> Commit:
        """Make the new version visible in one step, then drop the staging folder.

        `after` is the version this work started from (0: none); where another writer has committed since,
        nothing is changed and InputError says so.
        """
        ordered = tuple(sorted(set(files)))
        commit = Commit(self.kind, after + 1, ordered, meta, provenance)
        payload = asdict(commit) | {"format": FORMAT}
        data = canonical_json(payload)
        storage.write(self.mark, hashlib.sha256(data).hexdigest().encode())
        if not storage.create_exclusive(_commit_path(self.root, commit.version), data):
            raise self._overtaken(commit.version)
        self.finish()
        return commit


def begin(root: str, kind: str, work: Any, *, after: int) -> Writer:
    """A writer for `work` (anything that JSON can say), which starts from version `after` of `root`; 0: there is none.

    Raises InputError where `root` is a folder of other things.
    """
    _refuse_other(root, kind)
    writer = Writer(root, kind, _run_of(work, after))
    writer = replace(writer, resumed=bool(storage.listing(writer.staging)))
    # Told before anything is written, so that nobody takes this run's files for garbage.
    storage.write(storage.join(writer.staging, "started"), b"")
    return writer


def completed(root: str, kind: str, work: Any) -> Commit | None:
    """The newest commit, if it is this very work that made it and was killed before it could clean up;

    that is done now.
    """
    _refuse_other(root, kind)
    newest = find(root)
    if newest is None:
        return None
    writer = Writer(root, kind, _run_of(work, newest.version - 1), resumed=True)
    if not _is_mark_of(writer.mark, root, newest.version):
        return None
    writer.finish()
    return newest


def _refuse_other(root: str, kind: str) -> None:
    newest = find(root)
    if newest is not None and newest.kind != kind:
        raise InputError(
            f"expected a {kind} data set at {root}, or nothing; found a {newest.kind} data set. Choose another folder."
        )
    names = storage.listing(root)
    if newest is None and names and "_staging" not in names:
        raise InputError(
            f"expected a {kind} data set at {root}, or nothing; found a folder of other files. Choose another folder."
        )


def _run_of(work: Any, after: int) -> str:
    return f"{after:06d}-{digest_of(work)[:16]}"


def _is_mark_of(mark: str, root: str, version: int) -> bool:
    try:
        said = storage.read(mark)
    except FileNotFoundError:
        return False
    return said == hashlib.sha256(storage.read(_commit_path(root, version))).hexdigest().encode()


def unfinished(root: str) -> list[str]:
    """Runs that may still commit.

    What is left of those that cannot, since their version has been made by another, is removed.
    """
    newest = max(_versions(root), default=0)
    live = []
    names = storage.listing(storage.join(root, "_staging"))
    for run in (name for name in names if _MARK not in name):
        after = re.fullmatch(r"(\d{6,})-[0-9a-f]{16}", run)
        if after and int(after[1]) < newest:
            storage.remove_tree(storage.join(root, "_staging", run))
        else:
            live.append(run)
    for name in (name for name in names if _MARK in name):
        mark = storage.join(root, "_staging", name)
        if name.split(_MARK)[0].removeprefix(".") not in live and not (
            name.endswith(_MARK) and newest and _is_mark_of(mark, root, newest)
        ):
            storage.remove(mark)
    _drop_if_empty(root)
    return live


def _drop_if_empty(root: str) -> None:
    if not storage.listing(storage.join(root, "_staging")):
        storage.remove_tree(storage.join(root, "_staging"))


def collect_garbage(root: str) -> int:
    """Remove files that no commit names and no unfinished run may still need. Returns how many."""
    paths = _data_files(
        root
    )  # before the look at the runs: a run that begins behind it writes nothing that is in this list
    if unfinished(root):
        return 0
    named = {entry.path for version in _versions(root) for entry in (find(root, version=version) or _nothing()).files}
    garbage = [path for path in paths if path not in named and _is_ours(path.rsplit("/", 1)[-1])]
    garbage += [
        f"_commit/{name}" for name in storage.listing(storage.join(root, "_commit")) if storage.is_passing(name)
    ]
    for path in sorted(garbage, key=lambda path: ("/" not in path, path)):
        storage.remove(storage.join(root, path))
    return len(garbage)


def _is_ours(name: str) -> bool:
    """A name that `Writer.put` gives, or a passing one: whatever else lies in the folder is not ours to remove."""
    return storage.is_passing(name) or re.search(r"-[0-9a-f]{16}(\.\w+)+$", name) is not None


def _commit_path(root: str, version: int) -> str:
    return storage.join(root, "_commit", f"{version:06d}.json")


def _nothing() -> Commit:
    return Commit("", 0, (), {}, {})


def _versions(root: str) -> list[int]:
    names = storage.listing(storage.join(root, "_commit"))
    return sorted(
        int(name.removesuffix(".json")) for name in names if name.endswith(".json") and not name.startswith(".")
    )


def _data_files(root: str) -> list[str]:
    return [path for path in storage.walk(root) if path.split("/", 1)[0] not in ("_commit", "_staging")]
