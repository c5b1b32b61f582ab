"""A small program with releases behind a gate: keys, an issuer of grants, a trust file, one release of each tier."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.release.draft import Draft, open_root
from cohelix.release.gate.issue import Terms, make_issuer, make_visa
from cohelix.release.gate.trust import Trust, read_trust
from cohelix.release.keys import key_id, make_keys, make_reader_keys, open_keys
from cohelix.release.labels import Controlled, Labelled, Public, Registered, Source
from cohelix.release.manifest import Manifest, sign
from cohelix.release.schema import MadeFile
from cohelix.tier import Tier

ISS, AUDIENCE, DATASET = "https://dac.test", "https://gate.test/cohelix", "https://program.test/releases"
NAMES = {Tier.PUBLIC: "P1", Tier.REGISTERED: "R1", Tier.CONTROLLED: "C1"}
PEOPLE = list(range(101, 161))
TERMS = Terms(
    training="extended",
    trained=time.strftime("%Y-%m-%d", time.gmtime(time.time() - 30 * 86_400)),
    agreement="1",
    institution="A university",
    commercial_intent=False,
    review_board="IRB-1",
)


@dataclass(frozen=True)
class Gated:
    """trust_path: of the gate. Each tier's release lies in `releases/<tier>/<name>`."""

    folder: Path

    @property
    def trust_path(self) -> str:
        return str(self.folder / "trust.toml")

    @property
    def trust(self) -> Trust:
        return read_trust(self.trust_path)

    @property
    def audit(self) -> Path:
        return self.folder / "audit"

    @property
    def issuer(self) -> Path:
        return self.folder / "issuer"

    def release(self, tier: Tier) -> Path:
        return self.folder / "releases" / tier.word / NAMES[tier]

    def visa(self, tier: Tier, terms: Terms = TERMS, **more: Any) -> str:
        return make_visa(self.issuer, ISS, "researcher-7", AUDIENCE, DATASET, tier, terms, **more)[1]

    def claims(self, tier: Tier, terms: Terms = TERMS) -> dict[str, Any]:
        """What a good visa says, to be spoilt."""
        return dict(jwt.decode(self.visa(tier, terms), options={"verify_signature": False}))

    def signed(self, claims: dict[str, Any], **headers: Any) -> str:
        """Signed by the issuer as it should be, whatever it says."""
        return jwt.encode(claims, self.private, algorithm="ES256", headers={"kid": self.kid} | headers)

    @property
    def private(self) -> bytes:
        return (self.issuer / "private.pem").read_bytes()

    @property
    def kid(self) -> str:
        return str(json.loads((self.issuer / "jwks.json").read_text())["keys"][0]["kid"])

    def passport(self, name: str, *visas: str) -> str:
        path = self.folder / name
        path.write_text("\n".join(visas) + "\n")
        return str(path)

    def entries(self) -> list[dict[str, Any]]:
        log = self.audit / "log.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def make(folder: Path) -> Gated:
    gated = Gated(folder)
    folder.mkdir(parents=True, exist_ok=True)
    make_keys(folder / "keys")
    make_issuer(gated.issuer)
    for label in (Public, Registered, Controlled):
        _release(gated, label)
    # A reader of both tiers, who has none of the maker's secrets.
    make_reader_keys(open_keys(str(folder / "keys")), Tier.CONTROLLED, folder / "reader")
    (folder / "reader" / "opening-registered").write_bytes((folder / "keys" / "opening-registered").read_bytes())
    (folder / "reader" / "opening-registered").chmod(0o600)
    (folder / "revoked.txt").write_text("# none so far\n")
    (folder / "trust.toml").write_text(
        f'audience = "{AUDIENCE}"\nkeys = "reader"\nrevoked = "revoked.txt"\naudit = "audit"\n\n'
        f'[[issuer]]\niss = "{ISS}"\njwks = "issuer/jwks.json"\n'
    )
    return gated


def _release(gated: Gated, label: type[Source]) -> None:
    keys = open_keys(str(gated.folder / "keys"))
    plain = gated.folder / "plain" / label.tier.word
    (plain / "omop").mkdir(parents=True)
    (plain / "README.md").write_text(f"a release of the tier {label.tier.word}\n")
    table = pa.table({"person_id": pa.array(PEOPLE, pa.int32()), "year_of_birth": [1950 + i % 40 for i in PEOPLE]})
    pq.write_table(table, plain / "omop" / "person.parquet")
    root = gated.folder / "releases" / label.tier.word
    root.parent.mkdir(exist_ok=True)
    draft = Draft(open_root(str(root), label), NAMES[label.tier], keys, gated.folder / "done" / label.tier.word)
    draft.begin("work")
    made = [
        MadeFile("README.md", plain / "README.md"),
        MadeFile("omop/person.parquet", plain / "omop" / "person.parquet", len(PEOPLE), "omop.person"),
    ]
    lines = draft.put("part", Labelled(made, label))
    sign(
        draft.folder,
        Manifest(
            program="Program",
            dataset=DATASET,
            tier=label.tier.word,
            name=NAMES[label.tier],
            serial=1,
            files=tuple(lines),
            key_id=key_id(keys.verifying()),
        ),
        keys,
    )
    draft.publish()
