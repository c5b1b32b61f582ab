"""The signed manifest of a release: what is in it, whose it is, and what it supersedes.

`manifest.json` is canonical JSON; `manifest.sig` is an Ed25519 signature over its bytes under a name of their own, in
base64. It is written last. Nothing of a release is read before the signature was found right, and no file without the
size and sha256 that the manifest has of it: what encryption does not see (a cut at a segment's edge, two segments
exchanged, a file of another release) is seen here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path, PurePosixPath
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cohelix.dataset import canonical_json
from cohelix.release.container import head_digest
from cohelix.release.damage import Damage, Damaged, damaged
from cohelix.release.keys import Keys
from cohelix.release.lines import FileLine
from cohelix.release.stored import check_stored
from cohelix.tier import mark_of

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
FORMAT = 1
SEALED = ".c4gh"
"""Ending of a file that is stored as a container."""
_CONTEXT = b"cohelix release manifest 1\n"
"""Before the signed bytes, so that a signature of anything else is none of a manifest."""


@dataclass(frozen=True)
class Manifest:
    """What was signed.

    tier: "public", "registered" or "controlled". serial: 1 for the first release in a tier's root, then one more each.
    supersedes: {"name", "sha256" of its manifest.json}, None for a first release. dataset: address that grants name.
    policy: version of the tier table. key_id: which key signs. params: choices that readers should know.
    """

    program: str
    dataset: str
    tier: str
    name: str
    serial: int
    files: tuple[FileLine, ...]
    supersedes: dict[str, str] | None = None
    issued: str = ""
    policy: str = ""
    cohelix: str = ""
    key_id: str = ""
    duo: tuple[str, ...] = ()
    params: dict[str, Any] = field(default_factory=dict)

    def line(self, path: str) -> FileLine | None:
        """What is said of a file; None where the release has none of this path."""
        return next((line for line in self.files if line.path == path), None)


def sign(folder: Path, manifest: Manifest, keys: Keys) -> None:
    """Write manifest.json and, last, manifest.sig. Digests of containers' headers are added to the lines."""
    lines = tuple(_with_head(folder, line) for line in manifest.files)
    data = canonical_json(asdict(replace(manifest, files=lines)) | {"format": FORMAT})
    _parsed(data)
    signature = base64.b64encode(keys.signing().sign(_CONTEXT + data)) + b"\n"
    for name, content in ((MANIFEST, data), (SIGNATURE, signature)):
        passing = folder / f".{name}.part"
        with passing.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        passing.chmod(0o600 if manifest.tier != "public" else 0o644)
        os.replace(passing, folder / name)


def _with_head(folder: Path, line: FileLine) -> FileLine:
    return replace(line, head=head_digest(folder / line.path)) if line.path.endswith(SEALED) else line


@dataclass(frozen=True)
class Expected:
    """What is known of a release before it is read, each where it is not empty.

    tier: "public", "registered" or "controlled". name: its name. serial: the least that is new enough. sha256: of its
    manifest.json, which is of one release alone.
    """

    tier: str = ""
    name: str = ""
    serial: int = 0
    sha256: str = ""


ANY = Expected()


def read(folder: Path, key: Ed25519PublicKey, expected: Expected = ANY) -> Manifest:
    """The manifest of a release, its signature checked. Damaged (an IntegrityError) where anything is wrong with it.

    A release that lies in the root of another tier than it says, or under another name, is refused as well.
    """
    data, signature = _bytes(folder, MANIFEST), _bytes(folder, SIGNATURE)
    try:
        raw = base64.b64decode(signature.strip(), validate=True)
        if base64.b64encode(raw) + b"\n" != signature:  # the last digit of base64 has bits that are not read
            raise ValueError
        key.verify(raw, _CONTEXT + data)
    except (InvalidSignature, ValueError):
        raise Damaged(
            Damage.SIGNATURE,
            f"the signature of {MANIFEST} is not of these bytes and this key. The manifest was altered, is another's, "
            "or the key is: use the key that the program publishes, and take the release from its source.",
        ) from None
    manifest = _parsed(data)
    _check_place(folder, manifest)
    _check_expected(manifest, hashlib.sha256(data).hexdigest(), expected)
    return manifest


def _check_place(folder: Path, manifest: Manifest) -> None:
    mark = mark_of(folder)
    if mark is not None and mark.use == "releases" and mark.tier.word != manifest.tier:
        raise Damaged(
            Damage.TIER,
            f"a release of the tier {manifest.tier} lies in the folder of the tier {mark.tier.word}. "
            "It does not belong there.",
        )
    if manifest.name != folder.resolve().name:
        raise Damaged(
            Damage.REPLAYED,
            f"this folder has the manifest of release {manifest.name}, another than its name says. It was renamed, or "
            "an older release was put in its place.",
        )


def _check_expected(manifest: Manifest, sha256: str, expected: Expected) -> None:
    if expected.tier and expected.tier != manifest.tier:
        raise Damaged(Damage.TIER, f"expected a release of the tier {expected.tier}, found one of {manifest.tier}.")
    if expected.name and expected.name != manifest.name:
        raise Damaged(Damage.REPLAYED, f"expected the release {expected.name}, found {manifest.name}.")
    if manifest.serial < expected.serial:
        raise Damaged(
            Damage.REPLAYED,
            f"expected a release of serial {expected.serial} or later, found {manifest.serial}: it is superseded.",
        )
    if expected.sha256 and expected.sha256 != sha256:
        raise Damaged(
            Damage.REPLAYED, f"the release {manifest.name} is signed, but is not the one of that name that is expected."
        )


def _parsed(data: bytes) -> Manifest:
    try:
        said = json.loads(data)
        if said.pop("format", None) != FORMAT or set(said) != {one.name for one in fields(Manifest)}:
            raise Damaged(Damage.FORMAT, "the manifest is of a format that this cohelix does not read. Update cohelix.")
        said["files"] = tuple(FileLine(**line) for line in said["files"])
        said["duo"] = tuple(said["duo"])
        manifest = Manifest(**said)
        paths = [line.path for line in manifest.files]
        if len(set(paths)) != len(paths) or not all(map(is_inside, paths)) or {MANIFEST, SIGNATURE} & set(paths):
            raise ValueError
        return manifest
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Damaged(Damage.FORMAT, "the manifest is signed, but cannot be read.") from None


def is_inside(path: str) -> bool:
    """Whether a path is below a release's folder, and is written in one way only."""
    return path.isprintable() and "\\" not in path and all(part not in ("", ".", "..") for part in path.split("/"))


def verify(folder: Path, key: Ed25519PublicKey, expected: Expected = ANY, *, deep: bool = True) -> Manifest:
    """Check a whole release: signature, that the files are those of the manifest and no others, sizes and digests.

    deep: read every file; otherwise sizes alone are compared. Damaged (an IntegrityError) names the first file that
    differs, and how; of a file that is not named in the manifest it does not say the name, which is not ours.
    """
    manifest = read(folder, key, expected)
    named = {line.path for line in manifest.files}
    there = set(_found(folder, {parent for path in named for parent in _parents(path)}))
    for path in sorted(named - there)[:1]:
        raise damaged(Damage.MISSING, path, "is missing, which the manifest names")
    extra = there - named - {MANIFEST, SIGNATURE}
    if extra:
        n = "a file" if len(extra) == 1 else f"{len(extra):,} files"
        raise Damaged(Damage.EXTRA, f"the release has {n} that its manifest does not name. Take it from its source.")
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(lambda line: check_stored(folder / line.path, line, deep=deep), manifest.files):
            pass
    return manifest


def _found(folder: Path, folders: set[str]) -> Iterator[str]:
    """All that lies in a release but its folders: files, links, and folders of which the manifest knows nothing."""
    for parent, below, names in os.walk(folder):
        where = Path(parent).relative_to(folder)
        yield from ((where / name).as_posix() for name in names)
        for name in below:
            path = (where / name).as_posix()
            if path not in folders or (Path(parent) / name).is_symlink():
                yield path


def _parents(path: str) -> Iterator[str]:
    return (str(parent) for parent in PurePosixPath(path).parents)


def verify_newest(folder: Path, key: Ed25519PublicKey) -> None:
    """Damaged where a later release of the root supersedes this one, or a release of it was replaced by another."""
    manifest = read(folder, key)
    others = [path for path in folder.resolve().parent.iterdir() if (path / MANIFEST).is_file()]
    digests = {path.name: hashlib.sha256(_bytes(path, MANIFEST)).hexdigest() for path in others}
    for other in sorted(others):
        later = read(other, key)
        if later.serial > manifest.serial:
            raise Damaged(Damage.REPLAYED, f"release {manifest.name} is superseded by {later.name}. Use that.")
        before = later.supersedes
        if before is not None and digests.get(before["name"], before["sha256"]) != before["sha256"]:
            raise Damaged(
                Damage.REPLAYED,
                f"release {before['name']} is not the one that {later.name} superseded: it was replaced.",
            )


def _bytes(folder: Path, name: str) -> bytes:
    place = folder / name
    if place.is_symlink() or not place.is_file():
        raise Damaged(
            Damage.UNSIGNED,
            f"expected {name} in the folder of a release, found none: it is not a release, or unsigned.",
        )
    return place.read_bytes()
