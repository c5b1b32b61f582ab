"""Crypt4GH containers: files above Public as they are stored (GA4GH, Crypt4GH 1.0: X25519, ChaCha20-Poly1305).

    crypt4gh | version 1 | packets | packet: the session key, for one reader | segment | segment | ...

A segment is a nonce, up to 65,536 bytes encrypted, and their authentication code. The format's segments know nothing of
one another: one that is dropped at the end, or two that are exchanged, pass unseen. Therefore containers are checked
against their line in the signed manifest; and the nonces of those made here count the segments, so that a part that is
read by itself (`opened`) is known to be the part that was asked for.

What is made is determined by the plain bytes, the context and the secret: no two plain files share a session key, so
nonces may count, and a build that goes on after it was stopped makes the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cohelix.errors import ConfigError, InputError
from cohelix.release.damage import Damage, damaged
from cohelix.release.lines import FileLine
from cohelix.release.stored import appearing, check_digest, check_size, compare_digest, open_stored
from cohelix.release.stored import copied as copied
from cohelix.tier import check_write

MAGIC = b"crypt4gh"
SEGMENT = 65_536
NONCE, CODE = 12, 16
STORED = NONCE + SEGMENT + CODE
"""Bytes of a whole segment as it is stored."""

_BLOCK = 16
"""Segments that are handled at a time: 1 MiB, which stays in the cache."""
_BATCH = 1 << 30
_MOST_PACKETS, _LONGEST_PACKET = 1000, 65_536
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
_PLAIN_PACKET = struct.Struct("<II32s")
"""Kind 0 (parameters of the encryption), method 0 (ChaCha20-Poly1305), session key."""

_DONE: Future[None] = Future()
_DONE.set_result(None)


def seal(src: Path, dst: Path, public: X25519PublicKey, secret: bytes, context: str) -> tuple[int, str]:
    """Encrypt a file for the holder of a key: bytes and SHA-256 of what is stored.

    secret: 32 bytes that the maker of releases alone has. context: tier, release and path: the same bytes elsewhere
    are sealed otherwise. Reads `src` twice: its digest is part of the session key. InputError where it changes
    meanwhile; then nothing is left at `dst`.
    """
    check_write(dst)
    try:
        with src.open("rb") as read, open(os.open(dst, _NEW, 0o600), "wb") as write:
            before = os.fstat(read.fileno())
            made = _seal(read, write, public, _derived(secret, context, _tree_digest(read)))
            after = os.fstat(read.fileno())
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise InputError("a file changed while it was encrypted. Build again when nobody writes to it.")
    except BaseException:
        dst.unlink(missing_ok=True)
        raise
    return made


def unseal(src: Path, dst: Path, private: X25519PrivateKey, expected: FileLine) -> int:
    """Decrypt a container that is checked against its line of the manifest, in one pass: the bytes of the plain file.

    Damaged (an IntegrityError) where it is not the file of the line, ConfigError where the key is another one's;
    nothing is left at `dst` then.
    """
    check_write(dst)
    with appearing(dst) as write:
        return _unseal(src, write, private, expected)


def read_bytes(src: Path, private: X25519PrivateKey, expected: FileLine) -> bytes:
    """All plain bytes of a container. Raises as `unseal`."""
    made = io.BytesIO()
    _unseal(src, made, private, expected)
    return made.getvalue()


@contextmanager
def in_memory(src: Path, private: X25519PrivateKey, expected: FileLine) -> Iterator[str]:
    """The path of the decrypted file, in memory, for libraries that open files by name; nothing reaches a disk."""
    descriptor = os.memfd_create("cohelix", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as write:
            _unseal(src, write, private, expected)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def opened(src: Path, private: X25519PrivateKey, expected: FileLine | None = None) -> BinaryIO:
    """A container as a file that can be read from anywhere; only the segments that are read are decrypted.

    expected: its line in the manifest. Size and header are compared, and each segment must be the one of its place: the
    header's key is known to the maker and to readers alone, so nobody else can have changed a segment. Without it, any
    Crypt4GH file with one session key is read, and what the format does not protect is not checked.

    Raises Damaged, here or when a segment is read; ConfigError where the key is another one's.
    """
    read = src.open("rb") if expected is None else open_stored(src, expected)
    try:
        if expected is not None:
            check_size(read, expected)
        cipher, header = _open_header(read, private, expected)
        size = os.fstat(read.fileno()).st_size
        return io.BufferedReader(_Plain(read, cipher, len(header), size, expected), SEGMENT)
    except BaseException:
        read.close()
        raise


def head_digest(path: Path) -> str:
    """SHA-256 of a container's header, for its line in the manifest. Damaged where there is none."""
    with path.open("rb") as read:
        return hashlib.sha256(_header(read, "")[0]).hexdigest()


class _Plain(io.RawIOBase):
    """The plain bytes of a container."""

    def __init__(
        self, read: BinaryIO, cipher: ChaCha20Poly1305, start: int, stored: int, expected: FileLine | None
    ) -> None:
        super().__init__()
        self._read, self._cipher, self._start, self._expected = read, cipher, start, expected
        whole, rest = divmod(stored - start, STORED)
        path = "" if expected is None else expected.path
        if 0 < rest < NONCE + CODE:
            read.close()
            raise damaged(Damage.SEGMENT, path, "ends within a segment")
        self._size = whole * SEGMENT + max(0, rest - NONCE - CODE)
        self._at = 0
        self._stored = memoryview(bytearray(_at_once(self._size) * STORED))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if at < 0:
            raise ValueError("a place before the beginning of a file")
        self._at = at
        return at

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]  # the buffer protocol has no name in Python 3.11
        left = max(0, self._size - self._at)
        n = min(len(view), left, _BLOCK * SEGMENT)
        first, skip = divmod(self._at, SEGMENT)
        if skip:
            n = min(n, SEGMENT - skip)  # up to the segment's end, so that what follows starts with one
        elif SEGMENT < n < left:
            n -= n % SEGMENT
        if n == 0:
            return 0
        if skip or (n < left and n < SEGMENT):  # within a segment, which is decrypted as a whole
            plain = memoryview(bytearray(SEGMENT))
            self._decrypt(first, 1, plain)
            view[:n] = plain[skip : skip + n]
        else:
            self._decrypt(first, -(-n // SEGMENT), view[:n])
        self._at += n
        return n

    def _decrypt(self, first: int, n_segments: int, plain: memoryview) -> None:
        stored = self._stored[: n_segments * STORED]
        n = os.preadv(self._read.fileno(), [stored], self._start + first * STORED)
        found = _decrypted(self._cipher, first, stored[:n], plain, self._expected, counted=bool(self._expected))
        if found != min(n_segments * SEGMENT, self._size - first * SEGMENT):
            path = "" if self._expected is None else self._expected.path
            raise damaged(Damage.SEGMENT, path, "was cut while it was open")

    def close(self) -> None:
        self._read.close()
        super().close()


def _derived(secret: bytes, context: str, content: bytes) -> Callable[[bytes, int], bytes]:
    """What is made of the secret for this file alone. content: 32 bytes, a digest of its plain bytes."""

    def derive(purpose: bytes, n: int) -> bytes:
        info = b"cohelix container 1|" + purpose + b"|" + content + context.encode()
        return HKDF(hashes.SHA256(), n, None, info).derive(secret)

    return derive


def _tree_digest(read: BinaryIO) -> bytes:
    """SHA-256 of the SHA-256 of each MiB, so that all cores take part."""
    digest, size = hashlib.sha256(), os.fstat(read.fileno()).st_size

    def part(start: int) -> bytes:
        return hashlib.sha256(os.pread(read.fileno(), _BLOCK * SEGMENT, start)).digest()

    with ThreadPoolExecutor() as pool:
        for start in range(0, size, _BATCH):
            for one in pool.map(part, range(start, min(size, start + _BATCH), _BLOCK * SEGMENT)):
                digest.update(one)
    return digest.digest()


def _begun(derive: Callable[[bytes, int], bytes], public: X25519PublicKey) -> tuple[ChaCha20Poly1305, bytes]:
    """The cipher of the segments, and the header that hands its key to the holder of the other half of `public`."""
    session = derive(b"session", 32)
    writer = X25519PrivateKey.from_private_bytes(derive(b"writer", 32))
    own = writer.public_key().public_bytes_raw()
    nonce = derive(b"header", NONCE)
    shared = _shared(writer.exchange(public), public.public_bytes_raw(), own)
    body = ChaCha20Poly1305(shared).encrypt(nonce, _PLAIN_PACKET.pack(0, 0, session), None)
    packet = struct.pack("<I", 0) + own + nonce + body
    return ChaCha20Poly1305(session), MAGIC + struct.pack("<III", 1, 1, len(packet) + 4) + packet


def _shared(exchanged: bytes, reader: bytes, writer: bytes) -> bytes:
    """Key of a header packet: as libsodium's crypto_kx derives it."""
    return hashlib.blake2b(exchanged + reader + writer).digest()[:32]


def _header(read: BinaryIO, path: str) -> tuple[bytes, list[bytes]]:
    """A header's bytes, and its packets without their lengths."""

    def taken(n: int) -> bytes:
        data = read.read(n)
        if len(data) != n:
            raise damaged(Damage.FORMAT, path, "ends within its header")
        return data

    start = taken(16)
    magic, version, n_packets = struct.unpack("<8sII", start)
    if magic != MAGIC or version != 1 or not 1 <= n_packets <= _MOST_PACKETS:
        raise damaged(Damage.FORMAT, path, "is no Crypt4GH container of version 1")
    parts, packets = [start], []
    for _ in range(n_packets):
        length = taken(4)
        n = struct.unpack("<I", length)[0] - 4
        if not 0 <= n <= _LONGEST_PACKET:
            raise damaged(Damage.FORMAT, path, "has a header packet of impossible length")
        packets.append(taken(n))
        parts += [length, packets[-1]]
    return b"".join(parts), packets


def _open_header(
    read: io.BufferedReader, private: X25519PrivateKey, expected: FileLine | None
) -> tuple[ChaCha20Poly1305, bytes]:
    """The cipher of the segments, and the header's bytes."""
    path = "" if expected is None else expected.path
    header, packets = _header(read, path)
    if expected is not None and expected.head and hashlib.sha256(header).hexdigest() != expected.head:
        raise damaged(Damage.DIGEST, path, "has another header than the manifest says")
    opened_ones = [plain for packet in packets if (plain := _open_packet(packet, private)) is not None]
    if not opened_ones:
        if expected is not None:
            check_digest(read, expected)
        raise ConfigError(f"the key does not open {path or 'a container'}. Use the opening key of its tier.")
    if len(opened_ones) > 1 or len(opened_ones[0]) != _PLAIN_PACKET.size:
        raise damaged(Damage.FORMAT, path, "has several session keys or an edit list")
    kind, method, session = _PLAIN_PACKET.unpack(opened_ones[0])
    if (kind, method) != (0, 0):
        raise damaged(Damage.FORMAT, path, "is encrypted by an unknown method")
    return ChaCha20Poly1305(session), header


def _open_packet(packet: bytes, private: X25519PrivateKey) -> bytes | None:
    """Plain bytes of a header packet, None where it is for somebody else."""
    if len(packet) < 4 + 32 + NONCE + CODE or packet[:4] != bytes(4):
        return None
    writer, nonce, body = packet[4:36], packet[36:48], packet[48:]
    try:
        exchanged = private.exchange(X25519PublicKey.from_public_bytes(writer))
        shared = _shared(exchanged, private.public_key().public_bytes_raw(), writer)
        return ChaCha20Poly1305(shared).decrypt(nonce, body, None)
    except (InvalidTag, ValueError):
        return None


class _Beside:
    """SHA-256 of blocks in a thread of its own, while others are read or made. Blocks take turns in few buffers."""

    def __init__(self, begun: bytes, size: int) -> None:
        self._digest = hashlib.sha256(begun)
        self._pool = ThreadPoolExecutor(1)
        self._turns = deque((memoryview(bytearray(size)), _DONE) for _ in range(3))

    def __enter__(self) -> _Beside:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def buffer(self) -> memoryview:
        """A buffer that nobody reads any more."""
        buffer, read = self._turns[0]
        read.result()
        return buffer

    def add(self, n: int) -> None:
        """The first n bytes of the buffer that was given out last are next."""
        buffer, _ = self._turns.popleft()
        self._turns.append((buffer, self._pool.submit(self._digest.update, buffer[:n])))

    def hexdigest(self) -> str:
        for _, read in self._turns:
            read.result()
        return self._digest.hexdigest()


def _seal(
    read: io.BufferedReader, write: BinaryIO, public: X25519PublicKey, derive: Callable[[bytes, int], bytes]
) -> tuple[int, str]:
    cipher, header = _begun(derive, public)
    read.seek(0)
    write.write(header)
    n_segments = _at_once(os.fstat(read.fileno()).st_size)
    size, first, plain = len(header), 0, memoryview(bytearray(n_segments * SEGMENT))
    with _Beside(header, n_segments * STORED) as digest:
        while n := read.readinto(plain):
            stored = digest.buffer()
            n = _encrypted(cipher, first, plain[:n], stored)
            digest.add(n)
            write.write(stored[:n])
            size += n
            first += n_segments
        return size, digest.hexdigest()


def _unseal(src: Path, write: IO[bytes], private: X25519PrivateKey, expected: FileLine) -> int:
    with open_stored(src, expected) as read:
        check_size(read, expected)
        cipher, header = _open_header(read, private, expected)
        n_segments = _at_once(expected.bytes)
        size, first, plain = 0, 0, memoryview(bytearray(n_segments * SEGMENT))
        with _Beside(header, n_segments * STORED) as digest:
            while n := read.readinto(stored := digest.buffer()):
                digest.add(n)
                n = _decrypted(cipher, first, stored[:n], plain, expected, counted=False)
                write.write(plain[:n])
                size += n
                first += n_segments
            compare_digest(digest.hexdigest(), expected)
    return size


def _at_once(size: int) -> int:
    """Segments of a buffer: a block, or for a small file as many as it has."""
    return max(1, min(_BLOCK, -(-size // SEGMENT)))


def _encrypted(cipher: ChaCha20Poly1305, first: int, plain: memoryview, stored: memoryview) -> int:
    """Segments of plain bytes, their nonces counted from segment `first` of the file: bytes that were written."""
    at = 0
    for i, start in enumerate(range(0, len(plain), SEGMENT), first):
        nonce, part = i.to_bytes(NONCE, "little"), plain[start : start + SEGMENT]
        end = at + NONCE + len(part) + CODE
        stored[at : at + NONCE] = nonce
        cipher.encrypt_into(nonce, part, None, stored[at + NONCE : end])
        at = end
    return at


def _decrypted(
    cipher: ChaCha20Poly1305,
    first: int,
    stored: memoryview,
    plain: memoryview,
    expected: FileLine | None,
    *,
    counted: bool,
) -> int:
    """Plain bytes of stored segments, the first of which is segment `first` of its file: bytes that were written.

    counted: the nonces must count the segments.
    """
    at = 0
    for i, start in enumerate(range(0, len(stored), STORED), first):
        nonce, part = bytes(stored[start : start + NONCE]), stored[start + NONCE : start + STORED]
        try:
            if len(part) < CODE or (counted and nonce != i.to_bytes(NONCE, "little")):
                raise InvalidTag
            end = at + len(part) - CODE
            cipher.decrypt_into(nonce, part, None, plain[at:end])
        except (InvalidTag, ValueError):
            path = "" if expected is None else expected.path
            raise damaged(Damage.SEGMENT, path, "has a segment that is changed or not in its place") from None
        at = end
    return at
