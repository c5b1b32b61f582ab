"""FF1 of NIST SP 800-38G, line by line: any radix, any tweak, one number at a time."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def _ciph(key: bytes, block: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(block) + encryptor.finalize()


def _prf(key: bytes, data: bytes) -> bytes:
    state = bytes(16)
    for start in range(0, len(data), 16):
        state = _ciph(key, bytes(a ^ b for a, b in zip(state, data[start : start + 16], strict=True)))
    return state


def _num(digits: Sequence[int], radix: int) -> int:
    value = 0
    for digit in digits:
        value = value * radix + digit
    return value


def _str(value: int, length: int, radix: int) -> list[int]:
    digits = []
    for _ in range(length):
        value, digit = divmod(value, radix)
        digits.append(digit)
    return digits[::-1]


def encrypt(key: bytes, tweak: bytes, digits: Sequence[int], radix: int) -> list[int]:
    """Steps 1 to 7 of algorithm 7."""
    n = len(digits)
    u, v = n // 2, n - n // 2
    a, b = list(digits[:u]), list(digits[u:])
    bits = 0
    while (1 << bits) < radix**v:
        bits += 1
    width = -(-bits // 8)
    d = 4 * -(-width // 4) + 4
    p = (
        bytes([1, 2, 1])
        + radix.to_bytes(3, "big")
        + bytes([10, u % 256])
        + n.to_bytes(4, "big")
        + len(tweak).to_bytes(4, "big")
    )
    for i in range(10):
        q = tweak + bytes((-len(tweak) - width - 1) % 16) + bytes([i]) + _num(b, radix).to_bytes(width, "big")
        r = _prf(key, p + q)
        s, j = r, 1
        while len(s) < d:
            s += _ciph(key, bytes(x ^ y for x, y in zip(r, j.to_bytes(16, "big"), strict=True)))
            j += 1
        y = int.from_bytes(s[:d], "big")
        m = u if i % 2 == 0 else v
        c = (_num(a, radix) + y) % radix**m
        a, b = b, _str(c, m, radix)
    return a + b
