"""The tamper matrix: every way in which a release can be other than what was signed, and what is said of each."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix.errors import IntegrityError
from cohelix.release.container import head_digest, opened
from cohelix.release.damage import Damage, Damaged
from cohelix.release.draft import Draft, open_root
from cohelix.release.keys import Keys, key_id, make_keys, open_keys
from cohelix.release.labels import Controlled, Labelled, Public, Registered, Source
from cohelix.release.manifest import (
    MANIFEST,
    SIGNATURE,
    Expected,
    Manifest,
    is_inside,
    read,
    sign,
    verify,
    verify_newest,
)
from cohelix.release.schema import MadeFile
from cohelix.tier import Tier, tier_of

FILES = {
    "omop/person.parquet": b"person" * 40_000,
    "omop/visit_occurrence.parquet": b"visits" * 40_000,
    "aggregates/counts/a.tsv": b"group\tpersons\n",
    "README.md": b"",
}


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make(root: Path, label: type[Source], name: str, keys: Keys, serial: int, before: Path | None = None) -> Path:
    """A release of FILES, made as releases are."""
    draft = Draft(open_root(str(root), label), name, keys, root.with_name(f"{root.name}-{name}-done"))
    draft.begin("work")
    plain = root.with_name("plain")
    made = []
    for path, data in FILES.items():
        (plain / path).parent.mkdir(parents=True, exist_ok=True)
        (plain / path).write_bytes(data + name.encode())
        made.append(MadeFile(path, plain / path, 5, "table"))
    supersedes = {"name": before.name, "sha256": digest_of(before / MANIFEST)} if before else None
    lines = draft.put("part", Labelled(made, label))
    said = Manifest(
        program="Program",
        dataset="https://cohort.example/releases",
        tier=label.tier.word,
        name=name,
        serial=serial,
        files=tuple(lines),
        supersedes=supersedes,
        key_id=key_id(keys.verifying()),
        duo=("DUO:0000042",),
        params={"least": 21},
    )
    sign(draft.folder, said, keys)
    return draft.publish()


@dataclasses.dataclass
class Made:
    """A root `controlled` with the releases C1 (older) and C2, and `public`, `registered` with one each, also C2."""

    folder: Path
    keys: Keys
    older: Path

    @property
    def release(self) -> Path:
        return self.folder / "controlled" / "C2"

    def check(self, expected: Expected | None = None, *, deep: bool = True) -> Manifest:
        return verify(self.release, self.keys.verifying(), expected or Expected(), deep=deep)


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("releases")
    make_keys(folder / "keys")
    keys = open_keys(str(folder / "keys"))
    first = make(folder / "controlled", Controlled, "C1", keys, 1)
    make(folder / "controlled", Controlled, "C2", keys, 2, first)
    make(folder / "registered", Registered, "C2", keys, 2)
    make(folder / "public", Public, "C2", keys, 2)
    return folder


@pytest.fixture
def made(original: Path, tmp_path: Path) -> Made:
    folder = tmp_path / "copy"
    shutil.copytree(original, folder)
    return Made(folder, open_keys(str(folder / "keys")), folder / "controlled" / "C1")


def refused(made: Made, expected: Expected | None = None) -> Damage:
    """The kind of damage that `verify` finds; `release verify` ends with exit code 7."""
    with pytest.raises(Damaged) as caught:
        made.check(expected)
    assert isinstance(caught.value, IntegrityError)
    assert caught.value.exit_code == 7
    assert caught.value.kind.value in str(caught.value)
    return caught.value.kind


def resigned(made: Made, change: Callable[[dict[str, Any]], object], key: Ed25519PrivateKey | None = None) -> None:
    """Another manifest, signed by the program's key or by another one."""
    said = json.loads((made.release / MANIFEST).read_bytes())
    change(said)
    data = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    signature = (key or made.keys.signing()).sign(b"cohelix release manifest 1\n" + data)
    (made.release / MANIFEST).write_bytes(data)
    (made.release / SIGNATURE).write_bytes(base64.b64encode(signature) + b"\n")


def test_what_was_signed_is_what_is_there(made: Made) -> None:
    for tier in ("controlled", "registered", "public"):
        release = made.folder / tier / "C2"
        manifest = verify(release, made.keys.verifying(), Expected(tier, "C2", 2))
        ending = "" if tier == "public" else ".c4gh"
        assert {line.path for line in manifest.files} == {name + ending for name in FILES}
        for line in manifest.files:
            data = (release / line.path).read_bytes()
            assert (line.bytes, line.sha256) == (len(data), hashlib.sha256(data).hexdigest())
            assert line.head == ("" if tier == "public" else head_digest(release / line.path))
        assert (manifest.tier, manifest.duo, manifest.params) == (tier, ("DUO:0000042",), {"least": 21})
        assert tier_of(release).word == tier
    sizes = made.check(deep=False)
    assert sizes == read(made.release, made.keys.verifying())


def test_the_signature_is_ed25519_over_canonical_json(made: Made) -> None:
    data = (made.release / MANIFEST).read_bytes()
    signature = base64.b64decode((made.release / SIGNATURE).read_bytes())
    made.keys.verifying().verify(signature, b"cohelix release manifest 1\n" + data)
    assert json.dumps(json.loads(data), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode() == data
    assert str(made.folder).encode() not in data


STORED = sorted(name + ".c4gh" for name in FILES)
ANY_FILE = "omop/person.parquet.c4gh"


@pytest.mark.parametrize("path", STORED)
@pytest.mark.parametrize("at", [0.0, 0.3, 0.9, 1.0])
def test_a_flipped_bit_in_a_file(made: Made, path: str, at: float) -> None:
    data = bytearray((made.release / path).read_bytes())
    data[min(len(data) - 1, int(at * len(data)))] ^= 1
    (made.release / path).write_bytes(data)
    assert refused(made) is Damage.DIGEST


@pytest.mark.parametrize("name", [MANIFEST, SIGNATURE])
def test_a_flipped_bit_in_what_was_signed(made: Made, name: str) -> None:
    whole = (made.release / name).read_bytes()
    n = len(whole)
    for at in {*range(0, n, 37 if name == MANIFEST else 1), n - 1}:
        data = bytearray(whole)
        data[at] ^= 1
        (made.release / name).write_bytes(data)
        assert refused(made) is Damage.SIGNATURE


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_changed_byte_of_any_file(original: Path, data: st.DataObject) -> None:
    release, key = original / "controlled" / "C2", open_keys(str(original / "keys")).verifying()
    path = release / data.draw(st.sampled_from([*STORED, MANIFEST, SIGNATURE]))
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        path.write_bytes(changed)
        with pytest.raises(Damaged):
            verify(release, key)
    finally:
        path.write_bytes(whole)


def to_segment_boundary(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: 124 + 65_564 * 2])


def exchange_segments(file: Path) -> None:
    data = file.read_bytes()
    a, b = data[124 : 124 + 65_564], data[124 + 65_564 : 124 + 2 * 65_564]
    file.write_bytes(data[:124] + b + a + data[124 + 2 * 65_564 :])


def as_link(file: Path) -> None:
    target = file.parents[3] / "target"
    file.rename(target)
    file.symlink_to(target)


def as_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


FILE_DAMAGE: dict[str, tuple[Callable[[Path], object], set[Damage]]] = {
    "dropped": (Path.unlink, {Damage.MISSING}),
    "renamed": (lambda file: file.rename(file.with_name("other.c4gh")), {Damage.MISSING}),
    "emptied": (lambda file: file.write_bytes(b""), {Damage.SIZE}),
    "cut by a byte": (lambda file: os.truncate(file, file.stat().st_size - 1), {Damage.SIZE}),
    "cut at a segment's edge": (to_segment_boundary, {Damage.SIZE}),
    "longer": (lambda file: file.write_bytes(file.read_bytes() + b"\0"), {Damage.SIZE}),
    "segments exchanged": (exchange_segments, {Damage.DIGEST}),
    "a link": (as_link, {Damage.KIND}),
    "a folder": (as_folder, {Damage.KIND}),
    "copied beside": (lambda file: shutil.copy(file, file.with_name("again.c4gh")), {Damage.EXTRA}),
    "a hidden file": (lambda file: file.with_name(".hidden").write_bytes(b""), {Damage.EXTRA}),
    "an empty folder": (lambda file: file.with_name("folder").mkdir(), {Damage.EXTRA}),
    "a link beside": (lambda file: file.with_name("link").symlink_to("/"), {Damage.EXTRA}),
    "of the former release": (
        lambda file: shutil.copy(file.parents[2] / "C1" / "omop" / file.name, file),
        {Damage.SIZE, Damage.DIGEST},
    ),
    "of another tier": (
        lambda file: shutil.copy(file.parents[3] / "registered" / "C2" / "omop" / file.name, file),
        {Damage.SIZE, Damage.DIGEST},
    ),
}


@pytest.mark.parametrize("damage", FILE_DAMAGE)
def test_damage_to_a_file(made: Made, damage: str) -> None:
    change, kinds = FILE_DAMAGE[damage]
    change(made.release / ANY_FILE)
    assert refused(made) in kinds


def test_two_files_exchanged(made: Made) -> None:
    one, other = made.release / ANY_FILE, made.release / "omop/visit_occurrence.parquet.c4gh"
    assert one.stat().st_size == other.stat().st_size
    one.rename(made.release / "passing")
    other.rename(one)
    (made.release / "passing").rename(other)
    assert refused(made) is Damage.DIGEST
    line = read(made.release, made.keys.verifying()).line(ANY_FILE)
    with pytest.raises(Damaged):  # seen by the header even where no file is read
        opened(one, made.keys.opening(Tier.CONTROLLED), line)


def test_a_folder_behind_a_link(made: Made) -> None:
    (made.release / "omop").rename(made.folder / "elsewhere")
    (made.release / "omop").symlink_to(made.folder / "elsewhere")
    assert refused(made) in (Damage.MISSING, Damage.EXTRA)


@pytest.mark.parametrize("name", [MANIFEST, SIGNATURE])
@pytest.mark.parametrize("how", ["absent", "link", "folder"])
def test_unsigned(made: Made, name: str, how: str) -> None:
    place = made.release / name
    place.rename(made.folder / "kept")
    if how == "link":
        place.symlink_to(made.folder / "kept")
    elif how == "folder":
        place.mkdir()
    assert refused(made) is Damage.UNSIGNED


def test_signatures_of_others_and_of_other_things(made: Made) -> None:
    resigned(made, lambda said: None, Ed25519PrivateKey.generate())
    assert refused(made) is Damage.SIGNATURE
    data = (made.release / MANIFEST).read_bytes()
    signed = made.keys.signing().sign(data)  # not as a manifest
    (made.release / SIGNATURE).write_bytes(base64.b64encode(signed) + b"\n")
    assert refused(made) is Damage.SIGNATURE
    shutil.copy(made.older / SIGNATURE, made.release / SIGNATURE)  # the former release's
    assert refused(made) is Damage.SIGNATURE
    for text in (b"", b"AAAA", b"\xff" * 88, base64.b64encode(bytes(64))):
        (made.release / SIGNATURE).write_bytes(text)
        assert refused(made) is Damage.SIGNATURE


def test_another_tiers_release_in_its_place(made: Made) -> None:
    shutil.rmtree(made.release)
    shutil.copytree(made.folder / "public" / "C2", made.release)
    assert refused(made) is Damage.TIER
    for name in (MANIFEST, SIGNATURE):  # the manifest alone
        shutil.copy(made.folder / "registered" / "C2" / name, made.release / name)
    assert refused(made) is Damage.TIER


def test_a_copy_outside_of_a_root_is_held_to_the_tier_that_is_expected(made: Made, tmp_path: Path) -> None:
    copy = tmp_path / "taken" / "C2"
    shutil.copytree(made.release, copy)
    assert verify(copy, made.keys.verifying()).tier == "controlled"
    with pytest.raises(Damaged) as caught:
        verify(copy, made.keys.verifying(), Expected("registered"))
    assert caught.value.kind is Damage.TIER


def test_an_older_release_in_the_place_of_a_newer(made: Made) -> None:
    shutil.rmtree(made.release)
    shutil.copytree(made.older, made.release)
    assert refused(made) is Damage.REPLAYED


def test_what_is_expected_is_compared(made: Made, original: Path) -> None:
    digest = digest_of(made.release / MANIFEST)
    made.check(Expected("controlled", "C2", 2, digest))
    assert refused(made, Expected(name="C3")) is Damage.REPLAYED
    assert refused(made, Expected(serial=3)) is Damage.REPLAYED
    assert refused(made, Expected(sha256=hashlib.sha256(b"other").hexdigest())) is Damage.REPLAYED


def test_superseded_releases_are_known(made: Made) -> None:
    verify_newest(made.release, made.keys.verifying())
    with pytest.raises(Damaged, match="superseded by C2"):
        verify_newest(made.older, made.keys.verifying())
    # Another release is put in the place of the first, signed by the program itself.
    made.older.rename(made.folder / "gone")
    make(made.folder / "controlled", Controlled, "C1", made.keys, 1, made.release)
    with pytest.raises(Damaged) as caught:
        verify_newest(made.release, made.keys.verifying())
    assert caught.value.kind is Damage.REPLAYED


BAD_MANIFESTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "another format": lambda said: said.update(format=2),
    "no format": lambda said: said.pop("format"),
    "an entry more": lambda said: said.update(more=1),
    "an entry less": lambda said: said.pop("serial"),
    "a file twice": lambda said: said["files"].append(said["files"][0]),
    "a file above": lambda said: said["files"][0].update(path="../C1/README.md"),
    "an absolute file": lambda said: said["files"][0].update(path="/etc/passwd"),
    "the manifest itself": lambda said: said["files"][0].update(path=MANIFEST),
    "no files": lambda said: said.update(files=None),
    "a file with more": lambda said: said["files"][0].update(mode=7),
}


@pytest.mark.parametrize("how", BAD_MANIFESTS)
def test_signed_manifests_of_another_format(made: Made, how: str) -> None:
    resigned(made, BAD_MANIFESTS[how])
    assert refused(made) is Damage.FORMAT


def test_junk_that_is_signed(made: Made) -> None:
    for data in (b"", b"[]", b"null", b"\xff", b'"text"', b"{"):
        (made.release / MANIFEST).write_bytes(data)
        signature = made.keys.signing().sign(b"cohelix release manifest 1\n" + data)
        (made.release / SIGNATURE).write_bytes(base64.b64encode(signature) + b"\n")
        assert refused(made) is Damage.FORMAT


@settings(max_examples=300)
@given(st.text(max_size=30) | st.lists(st.sampled_from(["..", ".", "", "a", "b.c", "\0", "\n"])).map("/".join))
def test_no_path_leaves_the_release(path: str) -> None:
    inside = is_inside(path)
    if inside:
        assert os.path.normpath(os.path.join("/release", path)) == "/release/" + path
        assert path not in ("", ".")
        assert "\0" not in path
        assert "\n" not in path
    else:
        # What is refused is not a plain path of names.
        names = path.split("/")
        assert any(name in ("", ".", "..") or not name.isprintable() or "\\" in name for name in names)
