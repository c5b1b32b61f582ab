"""Containers: read by the package crypt4gh and the reverse, the same bytes each time, and no change unseen."""

from __future__ import annotations

import hashlib
import io
import os
import struct
from dataclasses import replace
from pathlib import Path

import crypt4gh.header
import crypt4gh.lib
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix.errors import ConfigError, InputError
from cohelix.release import container
from cohelix.release.container import SEGMENT, STORED, head_digest, in_memory, opened, read_bytes, seal, unseal
from cohelix.release.damage import Damage, Damaged
from cohelix.release.lines import FileLine

READER = X25519PrivateKey.from_private_bytes(bytes(range(32)))
SECRET = bytes(range(32, 64))
HEADER = 124
"""Bytes of a header with one packet, by the specification: 8 + 4 + 4 + 4 + 4 + 32 + 12 + (4 + 4 + 32) + 16."""


def content(n: int, seed: int = 1) -> bytes:
    return hashlib.shake_256(bytes([seed])).digest(n)


def sealed(folder: Path, plain: bytes, context: str = "controlled|C1|omop/person.parquet") -> tuple[Path, FileLine]:
    (folder / "plain").write_bytes(plain)
    stored = folder / "stored"
    size, digest = seal(folder / "plain", stored, READER.public_key(), SECRET, context)
    return stored, FileLine("person.c4gh", size, digest, None, "", head_digest(stored))


def line_of(data: bytes) -> FileLine:
    return FileLine("person.c4gh", len(data), hashlib.sha256(data).hexdigest())


def by_package(stored: bytes) -> bytes:
    """The plain bytes as the package crypt4gh has them."""
    plain = io.BytesIO()
    crypt4gh.lib.decrypt([(0, READER.private_bytes_raw(), None)], io.BytesIO(stored), plain)
    return plain.getvalue()


def package_made(plain: bytes) -> bytes:
    stored = io.BytesIO()
    key = (0, os.urandom(32), READER.public_key().public_bytes_raw())
    crypt4gh.lib.encrypt([key], io.BytesIO(plain), stored)
    return stored.getvalue()


SIZES = [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 64 * SEGMENT, 64 * SEGMENT + 1, 150 * SEGMENT + 7]


@pytest.mark.parametrize("n", SIZES)
def test_agrees_with_the_package_both_ways(tmp_path: Path, n: int) -> None:
    plain = content(n)
    stored, line = sealed(tmp_path, plain)
    assert line.bytes == HEADER + n + -(-n // SEGMENT) * 28
    assert line == replace(line_of(stored.read_bytes()), head=line.head)
    assert by_package(stored.read_bytes()) == plain
    assert unseal(stored, tmp_path / "again", READER, line) == n
    assert (tmp_path / "again").read_bytes() == plain
    theirs = package_made(plain)
    stored.write_bytes(theirs)
    assert read_bytes(stored, READER, line_of(theirs)) == plain
    with opened(stored, READER) as read:
        assert read.read() == plain


def test_the_same_bytes_each_time_and_others_elsewhere(tmp_path: Path) -> None:
    plain = content(200_000)
    first = sealed(tmp_path, plain)[0].read_bytes()
    assert sealed(tmp_path, plain)[0].read_bytes() == first
    heads = {first[:HEADER]}
    for context, other in (("registered|C1|a", plain), ("controlled|C2|a", plain), ("x", plain[:-1] + b"\0")):
        made = sealed(tmp_path, other, context)[0].read_bytes()
        heads.add(made[:HEADER])
        assert made[HEADER + 12 : HEADER + 12 + SEGMENT] != first[HEADER + 12 : HEADER + 12 + SEGMENT]
    assert len(heads) == 4
    session_keys = set()
    for context in ("a", "b"):
        stored = sealed(tmp_path, plain, context)[0].read_bytes()
        found, _ = crypt4gh.header.deconstruct(io.BytesIO(stored), [(0, READER.private_bytes_raw(), None)])
        session_keys |= {bytes(key) for key in found}
    assert len(session_keys) == 2


def test_plain_bytes_are_not_in_the_container(tmp_path: Path) -> None:
    plain = b"canary-of-a-person" * 10_000
    assert b"canary" not in sealed(tmp_path, plain)[0].read_bytes()


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(0, 3 * SEGMENT + 20), st.integers(0, 2 * SEGMENT)), max_size=6),
    n=st.sampled_from([0, 5, SEGMENT, 3 * SEGMENT, 3 * SEGMENT + 11]),
)
def test_any_part_is_read_as_from_the_plain_file(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]], n: int
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    plain = content(n)
    stored, line = sealed(folder, plain)
    with opened(stored, READER, line) as read:
        assert (read.seek(0, os.SEEK_END), read.seekable(), read.readable(), read.writable()) == (n, True, True, False)
        for at, length in steps:
            read.seek(at)
            assert read.read(length) == plain[at : at + length]
            assert read.tell() == at + len(plain[at : at + length])


def test_parquet_is_read_through_it(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"person_id": list(range(50_000)), "text": [f"value {i * 7919 % 50_000}" for i in range(50_000)]})
    pq.write_table(table, tmp_path / "plain.parquet", row_group_size=5_000)
    stored, line = sealed(tmp_path, (tmp_path / "plain.parquet").read_bytes())
    with opened(stored, READER, line) as read:
        assert pq.read_table(read, columns=["text"]).equals(table.select(["text"]))
    with in_memory(stored, READER, line) as path:
        assert pq.read_table(path).equals(table)


def flipped(data: bytes, at: int, bit: int = 0) -> bytes:
    made = bytearray(data)
    made[at] ^= 1 << bit
    return bytes(made)


KINDS = {
    "magic": 3,
    "version": 8,
    "count of packets": 12,
    "length of a packet": 16,
    "method": 20,
    "writer's key": 30,
    "nonce of the packet": 58,
    "session key": 80,
    "code of the packet": 120,
    "nonce of a segment": HEADER + 5,
    "a segment": HEADER + 1000,
    "code of a segment": HEADER + STORED - 1,
    "a later segment": HEADER + 2 * STORED + 500,
    "the last code": -1,
}
"""Every kind of byte that a container has, and where one is."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bit", [0, 7])
def test_a_changed_bit_is_seen_wherever_it_is(tmp_path: Path, kind: str, bit: int) -> None:
    stored, line = sealed(tmp_path, content(2 * SEGMENT + 5000))
    stored.write_bytes(flipped(stored.read_bytes(), KINDS[kind], bit))
    for one in (line, replace(line, head="")):
        with pytest.raises(Damaged):
            unseal(stored, tmp_path / "made", READER, one)
    with pytest.raises(Damaged), opened(stored, READER, line) as read:
        read.read()
    assert {path.name for path in tmp_path.iterdir()} == {"plain", "stored"}


def exchanged(data: bytes) -> bytes:
    """The first two segments in each other's place."""
    first, second = data[HEADER : HEADER + STORED], data[HEADER + STORED : HEADER + 2 * STORED]
    return data[:HEADER] + second + first + data[HEADER + 2 * STORED :]


def doubled(data: bytes) -> bytes:
    """The first segment in the place of the second as well."""
    return data[: HEADER + STORED] + data[HEADER : HEADER + STORED] + data[HEADER + 2 * STORED :]


def test_what_the_format_does_not_see_is_seen(tmp_path: Path) -> None:
    plain = content(4 * SEGMENT)
    stored, line = sealed(tmp_path, plain)
    whole = stored.read_bytes()
    cut = whole[: HEADER + 3 * STORED]
    # The package gives wrong bytes for each of these without a word; that is what the manifest is for.
    assert by_package(cut) == plain[: 3 * SEGMENT]
    assert by_package(exchanged(whole)) == plain[SEGMENT : 2 * SEGMENT] + plain[:SEGMENT] + plain[2 * SEGMENT :]
    assert len(by_package(doubled(whole))) == len(plain)
    for data, kinds in (
        (cut, {Damage.SIZE}),
        (cut[:-1], {Damage.SIZE}),
        (whole + b"\0", {Damage.SIZE}),
        (whole[:HEADER], {Damage.SIZE}),
        (b"", {Damage.SIZE}),
        (exchanged(whole), {Damage.DIGEST, Damage.SEGMENT}),
        (doubled(whole), {Damage.DIGEST, Damage.SEGMENT}),
    ):
        stored.write_bytes(data)
        with pytest.raises(Damaged) as caught:
            unseal(stored, tmp_path / "made", READER, line)
        assert caught.value.kind in kinds
        with pytest.raises(Damaged) as caught, opened(stored, READER, line) as read:
            read.read()
        assert caught.value.kind in kinds
        assert not (tmp_path / "made").exists()


def test_a_part_of_an_exchanged_segment_is_not_given(tmp_path: Path) -> None:
    stored, line = sealed(tmp_path, content(4 * SEGMENT))
    stored.write_bytes(exchanged(stored.read_bytes()))
    with opened(stored, READER, line) as read:
        read.seek(3 * SEGMENT)
        assert read.read(10) == content(4 * SEGMENT)[3 * SEGMENT :][:10]
        read.seek(SEGMENT + 10)
        with pytest.raises(Damaged):
            read.read(10)


def test_another_file_of_the_same_size_is_seen(tmp_path: Path) -> None:
    _, line = sealed(tmp_path, content(100_000, 1))
    stored, other = sealed(tmp_path, content(100_000, 2))
    assert other.bytes == line.bytes
    for read in (lambda: unseal(stored, tmp_path / "made", READER, line), lambda: opened(stored, READER, line)):
        with pytest.raises(Damaged) as caught:
            read()
        assert caught.value.kind is Damage.DIGEST
    # Of the parts of an unsigned forgery made for the reader's key, none is given.
    forged = package_made(content(100_000, 3))
    stored.write_bytes(forged)
    with pytest.raises(Damaged):
        opened(stored, READER, line)


def test_another_ones_key_is_told_from_damage(tmp_path: Path) -> None:
    stored, line = sealed(tmp_path, content(100_000))
    other = X25519PrivateKey.generate()
    for one in (line, replace(line, head="")):
        with pytest.raises(ConfigError):
            unseal(stored, tmp_path / "made", other, one)
    stored.write_bytes(flipped(stored.read_bytes(), 80))
    with pytest.raises(Damaged):
        unseal(stored, tmp_path / "made", other, replace(line, head=""))
    assert not (tmp_path / "made").exists()


def test_links_folders_and_absent_files(tmp_path: Path) -> None:
    stored, line = sealed(tmp_path, content(1000))
    (tmp_path / "link").symlink_to(stored)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    found = {}
    for name in ("link", "folder", "pipe", "absent"):
        with pytest.raises(Damaged) as caught:
            read_bytes(tmp_path / name, READER, line)
        found[name] = caught.value.kind
    assert found == {"link": Damage.KIND, "folder": Damage.KIND, "pipe": Damage.KIND, "absent": Damage.MISSING}


@pytest.mark.parametrize(
    "header",
    [
        struct.pack("<8sII", b"crypt4gh", 1, 0),
        struct.pack("<8sII", b"crypt4gh", 1, 2**32 - 1),
        struct.pack("<8sIII", b"crypt4gh", 1, 1, 0),
        struct.pack("<8sIII", b"crypt4gh", 1, 1, 2**32 - 1),
        struct.pack("<8sII", b"crypt4gh", 2, 1),
        b"crypt4g",
        b"",
    ],
)
def test_impossible_headers_end_in_a_message(tmp_path: Path, header: bytes) -> None:
    (tmp_path / "stored").write_bytes(header)
    with pytest.raises(Damaged) as caught:
        read_bytes(tmp_path / "stored", READER, line_of(header))
    assert caught.value.kind is Damage.FORMAT


@settings(max_examples=200, deadline=None)
@given(junk=st.binary(max_size=400), keep=st.integers(0, HEADER + 40))
def test_junk_never_opens(tmp_path_factory: pytest.TempPathFactory, junk: bytes, keep: int) -> None:
    folder = tmp_path_factory.mktemp("junk")
    whole = sealed(folder, b"plain bytes of a person")[0].read_bytes()
    data = whole[:keep] + junk
    (folder / "stored").write_bytes(data)
    try:
        found = read_bytes(folder / "stored", READER, line_of(data))
    except (Damaged, ConfigError):
        return
    assert found in (b"", b"plain bytes of a person")  # cut where the header ends, or nothing changed


def test_several_readers_and_edit_lists(tmp_path: Path) -> None:
    plain = content(100_000)
    keys = [(0, os.urandom(32), key.public_key().public_bytes_raw()) for key in (X25519PrivateKey.generate(), READER)]
    stored = io.BytesIO()
    crypt4gh.lib.encrypt(keys, io.BytesIO(plain), stored)
    (tmp_path / "stored").write_bytes(stored.getvalue())
    assert read_bytes(tmp_path / "stored", READER, line_of(stored.getvalue())) == plain
    part = io.BytesIO()
    own = (0, READER.private_bytes_raw(), READER.public_key().public_bytes_raw())
    crypt4gh.lib.rearrange([own], io.BytesIO(stored.getvalue()), part, offset=10, span=50)
    (tmp_path / "stored").write_bytes(part.getvalue())
    with pytest.raises(Damaged) as caught:
        read_bytes(tmp_path / "stored", READER, line_of(part.getvalue()))
    assert caught.value.kind is Damage.FORMAT


def test_a_file_that_changes_while_it_is_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "plain"
    path.write_bytes(content(1000))
    digest = container._tree_digest

    def then_changed(read: io.BufferedReader) -> bytes:
        found = digest(read)
        path.write_bytes(content(1001, 9))
        return found

    monkeypatch.setattr(container, "_tree_digest", then_changed)
    with pytest.raises(InputError):
        seal(path, tmp_path / "stored", READER.public_key(), SECRET, "x")
    assert not (tmp_path / "stored").exists()


@pytest.mark.parametrize("cut", [1, 28, STORED, 3 * STORED])
def test_a_file_that_is_cut_while_it_is_open(tmp_path: Path, cut: int) -> None:
    """No byte is made up for what is no longer there."""
    plain = content(20 * SEGMENT)
    stored, line = sealed(tmp_path, plain)
    with opened(stored, READER, line) as read:
        assert read.read(5) == plain[:5]
        os.truncate(stored, line.bytes - cut)
        with pytest.raises(Damaged) as seen:
            read.read()
    assert seen.value.kind is Damage.SEGMENT
