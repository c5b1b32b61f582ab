"""Keys of the releases: who may make, check and read them.

A key has a name and 32 bytes. The maker of releases holds all of them; a reader holds `verifying` and the opening key
of the tier that was granted:

    master              secret; ids, shifts of dates and nonces are derived from it
    signing, verifying  Ed25519; the first signs manifests and is secret, the second checks them
    opening-<tier>      X25519, secret; opens the files of a tier
    sealing-<tier>      X25519; files of a tier are sealed to it

They come from a folder (a file for each, base64, the secret ones readable by their owner alone) or from a program,
`command:PROGRAM ARGS`, that is run without a shell with the name as its last argument and prints the key as base64: the
way to a key management service. Nothing here prints a key, puts one into an exception or lets one be pickled.
"""

from __future__ import annotations

import base64
import hashlib
import os
import select
import shlex
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cohelix.errors import ConfigError, ContractError
from cohelix.folder import appearing_whole
from cohelix.tier import Tier

COMMAND = "command:"
MASTER, SIGNING, VERIFYING = "master", "signing", "verifying"
SEALED_TIERS = (Tier.REGISTERED, Tier.CONTROLLED)
"""Tiers whose files are encrypted."""

_LENGTH = 32
_PATIENCE = 60
"""Seconds that a program may take to print a key."""
_LONGEST = 1024
"""Bytes of a key as it is stored or printed, with room for blanks."""

Fetch = Callable[[str], bytes | None]
"""The bytes of the key of this name; None where there is none."""


def opening_name(tier: Tier) -> str:
    return f"opening-{_sealed(tier).word}"


def sealing_name(tier: Tier) -> str:
    return f"sealing-{_sealed(tier).word}"


class Keys:
    """Keys by name, fetched when they are first asked for. Every method raises ConfigError where its key is missing,
    is no key, or does not belong to its other half."""

    __slots__ = ("_fetch", "_known")

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._known: dict[str, bytes | None] = {}

    def secret(self, purpose: str) -> bytes:
        """32 bytes for one purpose, derived from the master: nothing of it or of others' follows from them."""
        return HKDF(hashes.SHA256(), _LENGTH, b"cohelix release 1", purpose.encode()).derive(self._need(MASTER))

    def signing(self) -> Ed25519PrivateKey:
        """Signs manifests."""
        private = Ed25519PrivateKey.from_private_bytes(self._need(SIGNING))
        self._check_half(VERIFYING, private.public_key().public_bytes_raw())
        return private

    def verifying(self) -> Ed25519PublicKey:
        """Checks manifests. Where it is not among the keys, it is made from the signing key."""
        if self._get(VERIFYING) is None and self._get(SIGNING) is not None:
            return self.signing().public_key()
        return Ed25519PublicKey.from_public_bytes(self._need(VERIFYING))

    def opening(self, tier: Tier) -> X25519PrivateKey:
        """Opens files of a tier above Public."""
        private = X25519PrivateKey.from_private_bytes(self._need(opening_name(tier)))
        self._check_half(sealing_name(tier), private.public_key().public_bytes_raw())
        return private

    def sealing(self, tier: Tier) -> X25519PublicKey:
        """Files of a tier above Public are sealed to it. Made from the opening key where it is not among the keys."""
        if self._get(opening_name(tier)) is not None:
            return self.opening(tier).public_key()
        return X25519PublicKey.from_public_bytes(self._need(sealing_name(tier)))

    def __repr__(self) -> str:
        return "Keys(...)"

    def __reduce__(self) -> NoReturn:
        raise ContractError("keys are not to be pickled: they stay in the process that read them.")

    def _get(self, name: str) -> bytes | None:
        if name not in self._known:
            self._known[name] = self._fetch(name)
        return self._known[name]

    def _need(self, name: str) -> bytes:
        found = self._get(name)
        if found is None:
            raise ConfigError(f"expected the key {name} among the keys, found none. Use keys that include it.")
        return found

    def _check_half(self, name: str, made: bytes) -> None:
        if self._get(name) not in (None, made):
            raise ConfigError(f"the key {name} does not belong to its secret half. Use keys that were made together.")


def open_keys(spec: str) -> Keys:
    """Keys in a folder, or of a program (`command:PROGRAM ARGS`).

    Raises ConfigError where there is no such folder or program, or where others may read a secret key or replace a
    public one.
    """
    if spec.startswith(COMMAND):
        return Keys(_from_program(spec.removeprefix(COMMAND)))
    folder = Path(spec)
    if not folder.is_dir():
        raise ConfigError(
            f"expected a folder of keys or {COMMAND}PROGRAM as keys, found neither. `cohelix release keys` makes some."
        )
    return Keys(lambda name: _from_file(folder / name, name))


def make_keys(folder: str | os.PathLike[str]) -> None:
    """Make all keys, in a folder that only its owner reads. ConfigError where it has files already.

    Whoever loses the master can never again give a person the same id, and whoever loses an opening key can never read
    what was sealed to it: keep a copy elsewhere.
    """
    signing = Ed25519PrivateKey.generate()
    made = {
        MASTER: os.urandom(_LENGTH),
        SIGNING: signing.private_bytes_raw(),
        VERIFYING: signing.public_key().public_bytes_raw(),
    }
    for tier in SEALED_TIERS:
        opening = X25519PrivateKey.generate()
        made[opening_name(tier)] = opening.private_bytes_raw()
        made[sealing_name(tier)] = opening.public_key().public_bytes_raw()
    _write(Path(folder), made)


def make_reader_keys(keys: Keys, tier: Tier, folder: str | os.PathLike[str]) -> None:
    """Make a folder of what a reader of one tier needs: `verifying`, and the tier's opening key above Public."""
    made = {VERIFYING: keys.verifying().public_bytes_raw()}
    if tier is not Tier.PUBLIC:
        made[opening_name(tier)] = keys.opening(tier).private_bytes_raw()
    _write(Path(folder), made)


def key_id(verifying: Ed25519PublicKey) -> str:
    """Name of a key in manifests: the first 128 bits of its SHA-256, in hex."""
    return hashlib.sha256(verifying.public_bytes_raw()).hexdigest()[:32]


def _write(folder: Path, keys: dict[str, bytes]) -> None:
    with appearing_whole(folder) as passing:
        passing.chmod(0o700)
        for name, key in keys.items():
            descriptor = os.open(passing / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(base64.b64encode(key) + b"\n")
                handle.flush()
                os.fsync(handle.fileno())


def _from_file(path: Path, name: str) -> bytes | None:
    try:
        with path.open("rb") as handle:
            found = os.fstat(handle.fileno())
            mode, data = stat.S_IMODE(found.st_mode), handle.read(_LONGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"the key {name} cannot be read ({error.strerror or type(error).__name__}).") from None
    if mode & (0o022 if _is_public(name) else 0o077):
        may = "replaced" if _is_public(name) else "read"
        raise ConfigError(f"expected the key {name} to be its owner's, found it may be {may} by others. chmod 600 it.")
    return _decoded(data, name)


def _from_program(command: str) -> Fetch:
    try:
        argv = shlex.split(command)
    except ValueError:
        argv = []
    if not argv:
        raise ConfigError(f"expected {COMMAND}PROGRAM ARGS as keys, found no program that can be read.")

    def fetch(name: str) -> bytes | None:
        try:
            program = subprocess.Popen(
                [*argv, name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except (OSError, ValueError) as error:
            raise ConfigError(f"the program that gives keys cannot be started ({type(error).__name__}).") from None
        assert program.stdout is not None
        try:
            data, until = b"", time.monotonic() + _PATIENCE
            while piece := _next(program.stdout.fileno(), until):
                data = (data + piece)[: _LONGEST + 1]  # more is no key, and is not kept
            return None if program.wait(max(0.0, until - time.monotonic())) else _decoded(data, name)
        except subprocess.TimeoutExpired:
            raise ConfigError(f"the program that gives keys gave none in {_PATIENCE} seconds.") from None
        finally:
            program.kill()  # what it has started itself may hold its output open, and is not waited for
            program.stdout.close()
            program.wait()

    return fetch


def _next(descriptor: int, until: float) -> bytes:
    """What a program prints next, b"" at its end. TimeoutExpired where it prints nothing until then."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    if not waiting.poll(max(0.0, until - time.monotonic()) * 1000):
        raise subprocess.TimeoutExpired("", _PATIENCE)
    return os.read(descriptor, _LONGEST)


def _decoded(data: bytes, name: str) -> bytes:
    try:
        key = base64.b64decode(data.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != _LENGTH:
        raise ConfigError(f"expected {_LENGTH} bytes as base64 as the key {name}, found something else.")
    return key


def _is_public(name: str) -> bool:
    return name == VERIFYING or name.startswith("sealing-")


def _sealed(tier: Tier) -> Tier:
    if tier not in SEALED_TIERS:
        raise ContractError(f"there are no keys to seal files of the tier {tier.word}.")
    return tier
