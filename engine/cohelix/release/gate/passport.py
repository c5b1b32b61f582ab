"""GA4GH visas, checked without a network: who says what of whom, until when.

A visa is a signed JWT. It is believed if an issuer of the trust file signed it with a key of that file by RS256 or
ES256, for this audience, if it is valid now, not older than a year, and not revoked. Headers that name keys (jku, jwk,
x5u, x5c) are not followed but refused, and so is a visa with conditions, which are not understood here.

Source: GA4GH Passport v1.2, AAI OIDC profile; RFC 8725 on what goes wrong with JWTs.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cohelix.errors import AccessError
from cohelix.release.gate.trust import Trust

ALGORITHMS = {"RS256": "RSA", "ES256": "EC"}
LEEWAY = 60
"""Seconds that clocks may differ by."""

LONGEST = 365 * 86_400
BY = ("so", "dac")
"""Who may assert a grant: a signing official of the institution, or a data access committee."""

ENV = "COHELIX_PASSPORT"
_TYPE = "ControlledAccessGrants"
_MOST = 1 << 20
MOST_VISAS = 50


@dataclass(frozen=True)
class Visa:
    """A visa that was found right. value: the data set it grants; claims: everything it says."""

    subject: str
    issuer: str
    jti: str
    expires: int
    value: str
    source: str
    claims: dict[str, Any]


def read_passport(path: str) -> list[str]:
    """Visas of a file: one JWT a line, or JSON with `ga4gh_passport_v1`. AccessError where there are none."""
    if not path:
        raise AccessError(f"reading this asks for a grant: give --passport, or set {ENV} to the file of your visas.")
    try:
        with Path(path).open("rb") as handle:
            text = handle.read(_MOST).decode("ascii").strip()
        listed = json.loads(text)["ga4gh_passport_v1"] if text.startswith("{") else text.split()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise AccessError("the passport cannot be read: expected a file with visas, one JWT a line.") from None
    if not isinstance(listed, list) or not listed or not all(isinstance(one, str) for one in listed):
        raise AccessError("the passport holds no visa.")
    if len(listed) > MOST_VISAS:
        raise AccessError(f"the passport holds more than {MOST_VISAS} visas. Hand in those that are asked for.")
    return listed


def check_visa(token: str, trust: Trust, now: float | None = None) -> Visa:
    """A visa, if it is to be believed. AccessError says what is wrong with it, and nothing of what it says.

    now: seconds since 1970; None: the clock's.
    """
    import jwt

    at = time.time() if now is None else now
    try:
        header = jwt.get_unverified_header(token)
        unproven = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise AccessError("a visa is no signed token (JWT).") from None
    key = _key(header, unproven, trust)
    try:
        claims = jwt.decode(
            token,
            key=jwt.PyJWK(key, algorithm=header["alg"]).key,
            algorithms=[header["alg"]],
            audience=trust.audience,
            issuer=unproven["iss"],
            options={
                "require": ["iss", "sub", "aud", "iat", "exp", "jti"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except jwt.InvalidAudienceError:
        raise AccessError("a visa is for another audience than this gate.") from None
    except jwt.MissingRequiredClaimError:
        raise AccessError("a visa lacks a claim that is asked for: iss, sub, aud, iat, exp, jti.") from None
    except (jwt.PyJWTError, ValueError, TypeError):
        raise AccessError("the signature of a visa is not its issuer's.") from None
    _check_times(claims, at)
    if not isinstance(claims["jti"], str) or trust.is_revoked(claims["jti"]):
        raise AccessError("a visa was revoked.")
    return _visa(claims, at)


def _key(header: dict[str, Any], unproven: dict[str, Any], trust: Trust) -> dict[str, Any]:
    if not isinstance(header.get("alg"), str) or header["alg"] not in ALGORITHMS:
        raise AccessError("a visa is signed in a way that is not accepted: RS256 and ES256 are.")
    if {"jku", "jwk", "x5u", "x5c", "crit"} & set(header):
        raise AccessError("a visa brings its own key or conditions of its signature, which is not accepted.")
    keys = trust.issuers.get(str(unproven.get("iss")))
    if keys is None:
        raise AccessError("a visa is of an issuer who is not trusted here.")
    key = keys.get(str(header.get("kid")))
    if key is None or key["kty"] != ALGORITHMS[header["alg"]]:
        raise AccessError("a visa is signed with a key that is not its issuer's here.")
    return key


def _check_times(claims: dict[str, Any], now: float) -> None:
    issued, expires, begins = (claims.get(name) for name in ("iat", "exp", "nbf"))
    if not _is_time(issued) or not _is_time(expires) or not (begins is None or _is_time(begins)):
        raise AccessError("a visa says its times in another way than as seconds since 1970.")
    assert isinstance(issued, int) and isinstance(expires, int)
    if expires <= now - LEEWAY:
        raise AccessError("a visa has expired. Ask for a new one.")
    if max(issued, begins or 0) > now + LEEWAY:
        raise AccessError("a visa is not valid yet. Compare the clocks.")
    if expires - issued > LONGEST:
        raise AccessError("a visa is valid for more than a year, which is not accepted.")


def _is_time(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 40


def _visa(claims: dict[str, Any], now: float) -> Visa:
    said = claims.get("ga4gh_visa_v1")
    if not isinstance(said, dict) or said.get("type") != _TYPE:
        raise AccessError(f"a visa is no {_TYPE}.")
    if said.get("conditions"):
        raise AccessError("a visa has conditions, which are not understood here.")
    if said.get("by") not in BY:
        raise AccessError(f"a visa was not asserted by {' or '.join(BY)} (a signing official, an access committee).")
    asserted: Any = said.get("asserted")
    if not _is_time(asserted) or asserted > now + LEEWAY or now - asserted > LONGEST:
        raise AccessError("what a visa says was not asserted within the last year.")
    value, source = said.get("value"), said.get("source")
    if not isinstance(value, str) or not isinstance(source, str) or not isinstance(claims["sub"], str):
        raise AccessError("a visa does not name its data set, its source and its holder.")
    return Visa(claims["sub"], claims["iss"], claims["jti"], claims["exp"], value, source, claims)
