"""Visas as an access committee makes them: keys of an issuer, and grants of a tier."""

from __future__ import annotations

import base64
import json
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cohelix.errors import ConfigError
from cohelix.folder import appearing_whole
from cohelix.release.gate.grant import requirements
from cohelix.tier import Tier

JWKS, PRIVATE = "jwks.json", "private.pem"


@dataclass(frozen=True)
class Terms:
    """What a grant says of its holder, as the program asks for it (requirements.toml).

    trained: day of the training, as in 2026-05-01. review_board, linkage: names of approvals, "" for none.
    """

    training: str
    trained: str
    agreement: str
    institution: str
    commercial_intent: bool
    review_board: str = ""
    linkage: str = ""


def make_issuer(folder: Path) -> None:
    """A key pair (P-256) of an issuer: `private.pem` for its owner alone, `jwks.json` for trust files."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    private = ec.generate_private_key(ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    key = {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": secrets.token_hex(8)}
    key |= {name: _url(value.to_bytes(32, "big")) for name, value in (("x", numbers.x), ("y", numbers.y))}
    with appearing_whole(folder) as passing:
        passing.chmod(0o700)
        descriptor = os.open(passing / PRIVATE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        (passing / JWKS).write_text(json.dumps({"keys": [key]}, indent=1) + "\n")


def _url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def make_visa(
    issuer: Path,
    iss: str,
    subject: str,
    audience: str,
    dataset: str,
    tier: Tier,
    terms: Terms,
    *,
    days: int = 365,
    now: float | None = None,
) -> tuple[str, str]:
    """(jti, visa): a grant of a tier for `subject`, for so many days. ConfigError for what no gate would take."""
    import jwt

    rules: dict[str, Any] = requirements()[tier.word]
    if not rules.get("grant") or not 1 <= days <= rules["max_days"]:
        raise ConfigError(
            "expected a tier that asks for a grant (registered or controlled), and 1 to "
            f"{rules.get('max_days', 365)} days."
        )
    at = int(time.time() if now is None else now)
    jti = secrets.token_hex(16)
    try:
        key = json.loads((issuer / JWKS).read_bytes())["keys"][0]
        private = (issuer / PRIVATE).read_bytes()
    except (OSError, ValueError, KeyError):
        raise ConfigError("expected a folder of `cohelix release issuer`, found none.") from None
    said = {name: value for name, value in terms.__dict__.items() if value != ""}
    claims = {
        "iss": iss, "sub": subject, "aud": audience, "iat": at, "exp": at + days * 86_400, "jti": jti,
        "ga4gh_visa_v1": {
            "type": "ControlledAccessGrants", "asserted": at, "value": f"{dataset}/{tier.word}", "source": iss,
            "by": "dac",
        },
        requirements()["claim"]: said,
    }  # fmt: skip
    return jti, jwt.encode(claims, private, algorithm="ES256", headers={"kid": key["kid"]})
