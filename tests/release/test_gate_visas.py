"""Visas: what is believed, and every way in which one is not."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix.errors import AccessError, ConfigError
from cohelix.release.gate.grant import grant_of, requirements
from cohelix.release.gate.passport import MOST_VISAS, check_visa, read_passport
from cohelix.release.gate.trust import read_trust
from cohelix.tier import Tier
from tests.release.gated import AUDIENCE, DATASET, ISS, TERMS, Gated, make

YEAR = 365 * 86_400
VISA, GRANT = "ga4gh_visa_v1", "cohelix_grant_v1"


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Gated:
    return make(tmp_path_factory.mktemp("gated"))


def _part(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _pem(key: Any) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _public_pem(gated: Gated) -> bytes:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    public = load_pem_private_key(gated.private, None).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_a_good_visa_lets_in(gated: Gated) -> None:
    for tier in (Tier.REGISTERED, Tier.CONTROLLED):
        grant = grant_of([gated.visa(tier)], gated.trust, tier, DATASET)
        assert (grant.subject, grant.issuer, grant.tier, grant.linkage) == ("researcher-7", ISS, tier, False)
        assert 0 < grant.expires - time.time() <= YEAR


def test_the_good_one_among_others_counts(gated: Gated) -> None:
    bad = gated.visa(Tier.REGISTERED)
    assert grant_of([bad, "x.y.z", gated.visa(Tier.CONTROLLED)], gated.trust, Tier.CONTROLLED, DATASET).jti
    with pytest.raises(AccessError, match=r"visa 1.*visa 2"):
        grant_of([bad, "x.y.z"], gated.trust, Tier.CONTROLLED, DATASET)


def test_rsa_is_believed_as_well(gated: Gated, tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())) | {"kid": "r"}
    trust = _trust(tmp_path, [jwk])
    token = jwt.encode(gated.claims(Tier.CONTROLLED), _pem(key), algorithm="RS256", headers={"kid": "r"})
    assert check_visa(token, read_trust(trust)).value == f"{DATASET}/controlled"
    # The same key by another algorithm is not.
    other = jwt.encode(gated.claims(Tier.CONTROLLED), _pem(key), algorithm="PS256", headers={"kid": "r"})
    with pytest.raises(AccessError, match="not accepted"):
        check_visa(other, read_trust(trust))


def _trust(folder: Path, keys: list[dict[str, Any]]) -> str:
    (folder / "jwks.json").write_text(json.dumps({"keys": keys}))
    path = folder / "trust.toml"
    path.write_text(
        f'audience = "{AUDIENCE}"\nkeys = "reader"\naudit = "audit"\n[[issuer]]\niss = "{ISS}"\njwks = "jwks.json"\n'
    )
    return str(path)


Change = Callable[[dict[str, Any]], object]
NOW = int(time.time())

SPOILT: dict[str, tuple[Change, str]] = {
    "expired": (lambda c: c.update(iat=NOW - 900, exp=NOW - 61), "expired"),
    "not valid yet": (lambda c: c.update(nbf=NOW + 600), "not valid yet"),
    "issued tomorrow": (lambda c: c.update(iat=NOW + 86_400), "not valid yet"),
    "longer than a year": (lambda c: c.update(exp=c["iat"] + YEAR + 1), "more than a year"),
    "never expires": (lambda c: c.pop("exp"), "lacks"),
    "no number": (lambda c: c.pop("jti"), "lacks"),
    "no audience": (lambda c: c.pop("aud"), "audience|lacks"),
    "of no time": (lambda c: c.pop("iat"), "lacks"),
    "of nobody": (lambda c: c.pop("sub"), "lacks"),
    "by nobody": (lambda c: c.pop("iss"), "not trusted"),
    "wrong audience": (lambda c: c.update(aud="https://other.test"), "another audience"),
    "wrong issuer": (lambda c: c.update(iss="https://mallory.test"), "not trusted"),
    "time as text": (lambda c: c.update(exp=str(c["exp"])), "times|signature"),
    "time as a float": (lambda c: c.update(exp=c["exp"] + 0.5), "times"),
    "endless time": (lambda c: c.update(exp=float("inf")), "times|signature|token"),
    "conditions": (lambda c: c[VISA].update(conditions=[[{"type": "AffiliationAndRole"}]]), "conditions"),
    "asserted by itself": (lambda c: c[VISA].update(by="self"), "asserted by"),
    "asserted by nobody": (lambda c: c[VISA].pop("by"), "asserted by"),
    "asserted long ago": (lambda c: c[VISA].update(asserted=NOW - YEAR - 5), "within the last year"),
    "asserted tomorrow": (lambda c: c[VISA].update(asserted=NOW + 86_400), "within the last year"),
    "never asserted": (lambda c: c[VISA].pop("asserted"), "within the last year"),
    "another type": (lambda c: c[VISA].update(type="ResearcherStatus"), "ControlledAccessGrants"),
    "no visa in it": (lambda c: c.pop(VISA), "ControlledAccessGrants"),
    "a list as visa": (lambda c: c.update({VISA: []}), "ControlledAccessGrants"),
    "other tier": (lambda c: c[VISA].update(value=f"{DATASET}/registered"), "data set and tier"),
    "other data set": (lambda c: c[VISA].update(value="https://other.test/releases/controlled"), "data set and tier"),
    "data set begins alike": (lambda c: c[VISA].update(value=f"{DATASET}/controlled/x"), "data set and tier"),
    "no source": (lambda c: c[VISA].pop("source"), "source"),
    "no grant": (lambda c: c.pop(GRANT), "training"),
    "a text as grant": (lambda c: c.update({GRANT: "all"}), "training"),
    "basic training": (lambda c: c[GRANT].update(training="basic"), "training: extended"),
    "unknown training": (lambda c: c[GRANT].update(training="expert"), "training"),
    "training in a list": (lambda c: c[GRANT].update(training=["extended"]), "training"),
    "old training": (lambda c: c[GRANT].update(trained="2019-01-01"), "training"),
    "training to come": (lambda c: c[GRANT].update(trained="2999-01-01"), "training"),
    "training some day": (lambda c: c[GRANT].update(trained="last week"), "training"),
    "old agreement": (lambda c: c[GRANT].update(agreement="0"), "agreement"),
    "no agreement": (lambda c: c[GRANT].pop("agreement"), "agreement"),
    "no institution": (lambda c: c[GRANT].update(institution="  "), "institution"),
    "no review board": (lambda c: c[GRANT].pop("review_board"), "review-board"),
    "intent not declared": (lambda c: c[GRANT].pop("commercial_intent"), "commercial intent"),
    "intent as text": (lambda c: c[GRANT].update(commercial_intent="no"), "commercial intent"),
}


@pytest.mark.parametrize("name", sorted(SPOILT))
def test_spoilt_visas_that_their_issuer_signed(gated: Gated, name: str) -> None:
    spoil, why = SPOILT[name]
    claims = gated.claims(Tier.CONTROLLED)
    spoil(claims)
    with pytest.raises(AccessError, match=why):
        grant_of([_signed_as_it_is(gated, claims)], gated.trust, Tier.CONTROLLED, DATASET)


def _signed_as_it_is(gated: Gated, claims: dict[str, Any]) -> str:
    """By hand: libraries refuse to sign some of these."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    signed = f"{_part({'alg': 'ES256', 'typ': 'JWT', 'kid': gated.kid})}.{_part(claims)}"
    signature = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).sign(
        signed.encode(),
        load_pem_private_key(gated.private, None),  # type: ignore[arg-type]  # an elliptic one, as it was made
    )
    return f"{signed}.{_part(signature)}"


def test_what_is_not_spoilt_is_believed_when_signed_by_hand(gated: Gated) -> None:
    assert grant_of([_signed_as_it_is(gated, gated.claims(Tier.CONTROLLED))], gated.trust, Tier.CONTROLLED, DATASET).jti


def test_clocks_may_differ_by_a_minute(gated: Gated) -> None:
    claims = gated.claims(Tier.CONTROLLED)
    claims["exp"] = claims["iat"] + 3600
    token = gated.signed(claims)
    assert check_visa(token, gated.trust, claims["iat"] - 59)
    assert check_visa(token, gated.trust, claims["exp"] + 59)
    for now in (claims["iat"] - 61, claims["exp"] + 60):
        with pytest.raises(AccessError):
            check_visa(token, gated.trust, now)


def test_a_training_and_an_agreement_age_while_the_visa_is_valid(gated: Gated) -> None:
    rules = requirements()["controlled"]
    terms = dataclasses.replace(TERMS, trained=time.strftime("%Y-%m-%d", time.gmtime(NOW - 300 * 86_400)))
    token = gated.visa(Tier.CONTROLLED, terms)
    assert grant_of([token], gated.trust, Tier.CONTROLLED, DATASET)
    later = NOW + (rules["training_days"] - 298) * 86_400
    with pytest.raises(AccessError, match="training"):
        grant_of([token], gated.trust, Tier.CONTROLLED, DATASET, later)


def _none(gated: Gated) -> str:
    return f"{_part({'alg': 'none', 'typ': 'JWT', 'kid': gated.kid})}.{_part(gated.claims(Tier.CONTROLLED))}."


def _confused(gated: Gated) -> str:
    """HS256 with the public key as the secret: what a verifier that trusts the header takes."""
    signed = f"{_part({'alg': 'HS256', 'typ': 'JWT', 'kid': gated.kid})}.{_part(gated.claims(Tier.CONTROLLED))}"
    code = hmac.new(_public_pem(gated), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_part(code)}"


def _with_header(gated: Gated, **more: Any) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode(gated.claims(Tier.CONTROLLED), _pem(key), algorithm="ES256", headers={"kid": gated.kid, **more})


def _own_key(gated: Gated) -> dict[str, Any]:
    return dict(json.loads((gated.issuer / "jwks.json").read_text())["keys"][0])


FORGED: dict[str, tuple[Callable[[Gated], str], str]] = {
    "alg none": (_none, "not accepted"),
    "alg NONE": (lambda g: _none(g).replace(_part({"alg": "none", "typ": "JWT", "kid": g.kid}), _part({"alg": "nOnE"})),
                 "not accepted"),
    "alg in a list": (lambda g: f"{_part({'alg': ['ES256'], 'kid': g.kid})}.{_part(g.claims(Tier.CONTROLLED))}.AA",
                      "not accepted|no signed"),
    "HS256 with the public key": (_confused, "not accepted"),
    "another's key": (_with_header, "signature"),
    "a key of its own (jwk)": (lambda g: _with_header(g, jwk=_own_key(g)), "its own key"),
    "a key elsewhere (jku)": (lambda g: _with_header(g, jku="https://mallory.test/jwks"), "its own key"),
    "a certificate elsewhere (x5u)": (lambda g: _with_header(g, x5u="https://mallory.test/x"), "its own key"),
    "critical header": (lambda g: g.signed(g.claims(Tier.CONTROLLED), crit=["exp"]), "its own key|no signed|signature"),
    "unknown key": (lambda g: g.signed(g.claims(Tier.CONTROLLED), kid="other"), "a key that is not"),
    "RS256 by an EC key": (lambda g: jwt.encode(g.claims(Tier.CONTROLLED), _pem(rsa.generate_private_key(65537, 2048)),
                                                algorithm="RS256", headers={"kid": g.kid}), "a key that is not"),
    "no signature": (lambda g: g.visa(Tier.CONTROLLED).rpartition(".")[0] + ".", "signature"),
    "half a visa": (lambda g: g.visa(Tier.CONTROLLED)[:60], "no signed"),
    "nothing": (lambda g: "", "no signed"),
    "deep": (lambda g: f"{_part(b'[' * 50_000)}.{_part(b'[' * 50_000)}.AA", "no signed"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FORGED))
def test_forged_visas(gated: Gated, name: str) -> None:
    forge, why = FORGED[name]
    with pytest.raises(AccessError, match=why):
        grant_of([forge(gated)], gated.trust, Tier.CONTROLLED, DATASET)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_changed_character_is_seen(gated: Gated, data: st.DataObject) -> None:
    token = gated.visa(Tier.CONTROLLED)
    place = data.draw(st.integers(0, len(token) - 1))
    new = data.draw(st.sampled_from("ABCXYZabcxyz0189-_."))
    spoilt = token[:place] + new + token[place + 1 :]
    before, after = token.rpartition("."), spoilt.rpartition(".")
    same = [base64.urlsafe_b64decode(one[2] + "==") for one in (before, after)] if before[0] == after[0] else [0, 1]
    if same[0] == same[1]:  # the last character of base64 has bits that say nothing
        return
    with pytest.raises(AccessError):
        check_visa(spoilt, gated.trust)


def test_a_revoked_visa_is_out_at_once(gated: Gated, tmp_path: Path) -> None:
    token = gated.visa(Tier.CONTROLLED)
    trust = dataclasses.replace(gated.trust, revoked=tmp_path / "revoked.txt")
    (tmp_path / "revoked.txt").write_text("# none\n")
    visa = check_visa(token, trust)
    (tmp_path / "revoked.txt").write_text(f"# one\n other \n {visa.jti} \n")
    with pytest.raises(AccessError, match="revoked"):
        check_visa(token, trust)
    (tmp_path / "revoked.txt").unlink()
    with pytest.raises(ConfigError, match="nobody is let in"):
        check_visa(token, trust)


@pytest.mark.parametrize(
    "content",
    [b"", b" \n", b"{}", b'{"ga4gh_passport_v1": []}', b'{"ga4gh_passport_v1": [1]}', b'{"ga4gh_passport_v1": "a.b"}',
     b"\xff\xfe", b'{"ga4gh_passport_v1": ' + b"[" * 100_000, b"a.b.c\n" * (MOST_VISAS + 1)],
    ids=range(9),
)  # fmt: skip
def test_passports_that_hold_no_visa(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "passport").write_bytes(content)
    with pytest.raises(AccessError):
        read_passport(str(tmp_path / "passport"))
    with pytest.raises(AccessError):
        read_passport(str(tmp_path / "none"))


def test_a_passport_as_json_or_as_lines(tmp_path: Path) -> None:
    (tmp_path / "json").write_text(json.dumps({"ga4gh_passport_v1": ["a.b.c", "d.e.f"]}))
    (tmp_path / "lines").write_text("a.b.c\n\nd.e.f\n")
    assert read_passport(str(tmp_path / "json")) == read_passport(str(tmp_path / "lines")) == ["a.b.c", "d.e.f"]


def test_keys_that_are_not_trusted(tmp_path: Path) -> None:
    weak = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 1024).public_key()))
    wide = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key()))
    private = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1())))
    for key in (weak, wide, private, {"kty": "oct", "k": "c2VjcmV0"}, {"kty": "RSA"}, {}):
        with pytest.raises(ConfigError):
            read_trust(_trust(tmp_path, [{**key, "kid": "a"}]))
    good = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key()))
    with pytest.raises(ConfigError):
        read_trust(_trust(tmp_path, [{**good, "kid": "a"}, {**good, "kid": "a"}]))
    with pytest.raises(ConfigError):
        read_trust(_trust(tmp_path, []).replace("trust", "none"))
    assert read_trust(_trust(tmp_path, [{**good, "kid": "a"}])).issuers[ISS]["a"]["crv"] == "P-256"


def test_issuing_refuses_what_no_gate_would_take(gated: Gated) -> None:
    for days in (0, 366):
        with pytest.raises(ConfigError):
            gated.visa(Tier.CONTROLLED, days=days)
    with pytest.raises(ConfigError):
        gated.visa(Tier.PUBLIC)
    assert (gated.issuer / "private.pem").stat().st_mode & 0o777 == 0o600
    assert gated.issuer.stat().st_mode & 0o777 == 0o700


def test_no_message_repeats_what_a_visa_says(gated: Gated) -> None:
    claims = gated.claims(Tier.CONTROLLED)
    claims |= {"sub": "SECRET-A", "jti": "SECRET-B", "exp": NOW - 100, "iat": NOW - 200}
    for token in (gated.signed(claims), gated.signed(claims | {"aud": "SECRET-C"}), "SECRET-D"):
        with pytest.raises(AccessError) as refused:
            grant_of([token], gated.trust, Tier.CONTROLLED, DATASET)
        assert "SECRET" not in str(refused.value)
