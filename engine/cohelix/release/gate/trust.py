"""Whom the gate trusts: a local file of issuers with their keys, what was revoked, where reads are written down.

    audience = "https://cohort.example/cohelix"
    keys = "reader-keys"
    revoked = "revoked.txt"
    audit = "audit"

    [[issuer]]
    iss = "https://dac.cohort.example"
    jwks = "dac.jwks.json"

Paths are relative to the file. Nothing is fetched: a key that is not in the file is not trusted. `keys` is a folder or
`command:PROGRAM` (`cohelix.release.keys`) that opens the tiers; `revoked` has the jti of a visa a line.
"""

from __future__ import annotations

import base64
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cohelix.errors import ConfigError
from cohelix.tier import check_write

_KNOWN = {"audience", "keys", "revoked", "audit", "issuer"}
ENV = "COHELIX_TRUST"


@dataclass(frozen=True)
class Trust:
    """path: of the file. issuers: keys of each issuer by their kid, as a JWK says them."""

    path: Path
    audience: str
    keys: str
    revoked: Path | None
    audit: Path
    issuers: dict[str, dict[str, dict[str, Any]]]

    def anew(self) -> Trust:
        """As the file is now: who is no longer trusted is not let in again by a process that began before."""
        return read_trust(str(self.path))

    def is_revoked(self, jti: str) -> bool:
        """Read anew each time: what is revoked is revoked at once. ConfigError where the list cannot be read."""
        if self.revoked is None:
            return False
        try:
            lines = self.revoked.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            raise ConfigError("the list of revoked visas cannot be read, and nobody is let in without it.") from None
        return jti in {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def read_trust(path: str) -> Trust:
    """Read and check the file. ConfigError where it is not what it should be."""
    if not path:
        raise ConfigError(f"expected a trust file: give --trust, or set {ENV}.")
    try:
        said = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"the trust file cannot be read ({type(error).__name__}). Check it.") from None
    folder = Path(path).resolve().parent
    texts = ["audience", "keys", "audit", *(["revoked"] if "revoked" in said else [])]
    if set(said) - _KNOWN or not all(_is_text(said.get(one)) for one in texts):
        raise ConfigError("expected audience, keys, audit, revoked and [[issuer]] in the trust file, found others.")
    issuers: dict[str, dict[str, dict[str, Any]]] = {}
    listed = said.get("issuer", [])
    for one in listed if isinstance(listed, list) else [None]:
        if not isinstance(one, dict) or set(one) != {"iss", "jwks"} or not all(map(_is_text, one.values())):
            raise ConfigError("expected iss and jwks of every [[issuer]] in the trust file, found others.")
        if one["iss"] in issuers:
            raise ConfigError("an issuer is twice in the trust file. Put all of its keys into one JWKS.")
        issuers[one["iss"]] = _jwks(folder / one["jwks"])
    if not issuers:
        raise ConfigError("expected an [[issuer]] in the trust file, found none: nobody could be let in.")
    keys = said["keys"] if said["keys"].startswith("command:") else str(folder / said["keys"])
    check_write(folder / said["audit"])  # who reads what is for no tier's readers
    revoked = folder / said["revoked"] if "revoked" in said else None
    return Trust(Path(path).resolve(), said["audience"], keys, revoked, folder / said["audit"], issuers)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _jwks(path: Path) -> dict[str, dict[str, Any]]:
    try:
        keys = json.loads(path.read_bytes())["keys"]
        found = {str(key["kid"]): dict(key) for key in keys}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise ConfigError(
            "expected the keys of an issuer as a JWKS, each with its kid, found something else."
        ) from None
    if len(found) != len(keys) or not all(map(_is_strong, keys)):
        raise ConfigError(
            "expected public keys with a kid each as the keys of an issuer, RSA of 2,048 bits or more or EC on P-256, "
            "found others."
        )
    return found


def _is_strong(key: dict[str, Any]) -> bool:
    if "d" in key or "k" in key:  # private or symmetric: whoever reads the trust file could sign
        return False
    if key.get("kty") == "EC":
        return key.get("crv") == "P-256"
    try:
        modulus = base64.urlsafe_b64decode(str(key.get("n", "")) + "==")
    except ValueError:
        return False
    return key.get("kty") == "RSA" and int.from_bytes(modulus, "big").bit_length() >= 2048
