"""Ids of persons and of rows in a tier: keyed permutations, so that tiers cannot be joined by them.

A permutation gives every source id one id of the tier and never the same to two. It depends on the key, the tier and
the table; without the key it says nothing of the source id, nor of the person's id in another tier. It needs no table
of who is who, is the same in every release, and so an id of somebody who left is never given to another.

Source: NIST SP 800-38G, method FF1 with AES-256, radix 2 and 31 digits; ids that would be 0 are walked on (cycle
walking), so that ids are 1 to 2^31 - 1, which fit the integer columns of the OMOP CDM. Agrees with: the plain FF1 of
tests/oracles, which agrees with NIST's samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from cohelix.errors import InputError
from cohelix.release.keys import Keys
from cohelix.tier import Tier

BITS = 31
LAST = (1 << BITS) - 1
ROUNDS = 10
_LEFT = BITS // 2  # digits of the first half, as FF1 splits an odd number of them
_RIGHT = BITS - _LEFT
MOST_DAYS = 365
_PIECE = 1 << 13
"""Ids that are permuted at a time: what the rounds hold stays in the cache, which is three times as fast."""


@dataclass(frozen=True)
class Ids:
    """Ids and date shifts of one tier."""

    keys: Keys
    tier: Tier

    @cached_property
    def _secrets(self) -> dict[str, bytes]:
        return {}

    def _secret(self, purpose: str) -> bytes:
        if purpose not in self._secrets:
            self._secrets[purpose] = self.keys.secret(f"{purpose}|{self.tier.word}")
        return self._secrets[purpose]

    def person(self, values: np.ndarray) -> np.ndarray:
        """int64 (n,): ids in the tier of persons of the source. InputError for what is not 1 to 2^31 - 1."""
        return permuted(checked(values, "person_id"), self._secret("person"))

    def persons_back(self, values: np.ndarray) -> np.ndarray:
        """int64 (n,): persons of the source, from ids of the tier."""
        return restored(checked(values, "person_id"), self._secret("person"))

    def row(self, table: str, values: np.ndarray) -> np.ndarray:
        """int64 (n,): ids in the tier of rows of a table, as its primary key and as foreign keys to it."""
        return permuted(checked(values, f"key of {table}"), self._secret(f"row|{table}"))

    def shift_days(self, persons: np.ndarray) -> np.ndarray:
        """int32 (n,): by how many days, 1 to 365, dates of persons of the source are moved back; each alike likely."""
        return drawn(checked(persons, "person_id"), self._secret("dates"), MOST_DAYS) + np.int32(1)


def checked(values: np.ndarray, what: str) -> np.ndarray:
    """uint64 (n,). InputError where a value is not 1 to 2^31 - 1."""
    numbers = np.asarray(values, np.int64)
    if len(numbers) and (numbers.min() < 1 or numbers.max() > LAST):
        raise InputError(f"expected every {what} to be 1 to {LAST}, found others. Number the source's rows anew.")
    return numbers.astype(np.uint64)


def permuted(values: np.ndarray, key: bytes) -> np.ndarray:
    """int64 (n,): the keyed permutation of 1 to 2^31 - 1. key: 32 bytes."""
    return _walked(values, _Feistel(key).forward)


def restored(values: np.ndarray, key: bytes) -> np.ndarray:
    """int64 (n,): what `permuted` was given."""
    return _walked(values, _Feistel(key).back)


def drawn(values: np.ndarray, key: bytes, ends: int) -> np.ndarray:
    """int32 (n,): of each value a number 0 to `ends` - 1 that the key decides, all alike likely (rejection)."""
    out = np.full(len(values), -1, np.int32)
    left = np.arange(len(values))
    limit = (1 << 32) // ends * ends
    attempt = 0
    while len(left):
        blocks = np.zeros((len(left), 2), ">u8")
        blocks[:, 0], blocks[:, 1] = values[left], attempt
        numbers = _aes(key, blocks).view(">u4").reshape(len(left), 4)[:, 0].astype(np.int64)
        taken = numbers < limit
        out[left[taken]] = numbers[taken] % ends
        left = left[~taken]
        attempt += 1
    return out


def _walked(values: np.ndarray, step: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Cycle walking: ids that become 0 are permuted once more."""
    out = np.empty(len(values), np.int64)
    for start in range(0, len(values), _PIECE):
        piece = step(values[start : start + _PIECE].astype(np.uint64))
        while (zero := piece == 0).any():
            piece[zero] = step(piece[zero])
        out[start : start + _PIECE] = piece
    return out


def _aes(key: bytes, blocks: np.ndarray) -> np.ndarray:
    """Each 16-byte block encrypted by itself: AES as the round function that FF1 is made of."""
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return np.frombuffer(encryptor.update(blocks.tobytes()) + encryptor.finalize(), np.uint8)


class _Feistel:
    """FF1 with radix 2, 31 digits and no tweak. The first half is u = 15 digits, the second v = 16."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        head = bytes([1, 2, 1]) + (2).to_bytes(3, "big") + bytes([ROUNDS, _LEFT]) + BITS.to_bytes(4, "big") + bytes(4)
        self.head = _aes(key, np.frombuffer(head, np.uint8)).view(">u8")

    def round(self, number: int, half: np.ndarray) -> np.ndarray:
        """y of a round: the first d = 8 bytes of the CBC-MAC over P and Q. Q: zeros, the round, the half in b bytes."""
        width = 2  # b: bytes that 16 binary digits take
        blocks = np.zeros((len(half), 2), ">u8")
        blocks[:, 1] = (np.uint64(number) << np.uint64(8 * width)) | half
        blocks ^= self.head
        return _aes(self.key, blocks).view(">u8").reshape(len(half), 2)[:, 0].astype(np.uint64)

    def forward(self, values: np.ndarray) -> np.ndarray:
        a, b = values >> np.uint64(_RIGHT), values & np.uint64((1 << _RIGHT) - 1)
        for number in range(ROUNDS):
            digits = _LEFT if number % 2 == 0 else _RIGHT
            a, b = b, (a + self.round(number, b)) & np.uint64((1 << digits) - 1)
        return (a << np.uint64(_RIGHT)) | b

    def back(self, values: np.ndarray) -> np.ndarray:
        a, b = values >> np.uint64(_RIGHT), values & np.uint64((1 << _RIGHT) - 1)
        for number in reversed(range(ROUNDS)):
            digits = _LEFT if number % 2 == 0 else _RIGHT
            a, b = (b - self.round(number, a)) & np.uint64((1 << digits) - 1), a
        return (a << np.uint64(_RIGHT)) | b
