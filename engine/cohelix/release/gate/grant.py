"""What a grant must hold before its holder reads a tier: the program's requirements as data, asked one by one."""

from __future__ import annotations

import datetime
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from cohelix.errors import AccessError, ContractError
from cohelix.reference import reference_path
from cohelix.release.gate.passport import Visa, check_visa
from cohelix.release.gate.trust import Trust
from cohelix.release.policy import VERSION
from cohelix.tier import Tier

_DAY = 86_400


@dataclass(frozen=True)
class Answer:
    """One requirement: what it is, whether it is met, and why not."""

    what: str
    met: bool
    why: str = ""


@dataclass(frozen=True)
class Grant:
    """Who may read a tier, until when, and whether data may be linked with others."""

    subject: str
    issuer: str
    jti: str
    expires: int
    tier: Tier
    linkage: bool


@cache
def requirements(version: str = VERSION) -> dict[str, Any]:
    """The table requirements.toml of a version of the tier table."""
    return tomllib.loads(reference_path("release", "tiers", version, "requirements.toml").read_text(encoding="utf-8"))


def asks_for_grant(tier: Tier) -> bool:
    """Whether reading a tier asks for a grant; for what is not in the table, always."""
    return bool(requirements().get(tier.word, {}).get("grant", True))


def answers(visa: Visa, tier: Tier, dataset: str, now: float | None = None) -> list[Answer]:
    """Every requirement of a tier, and whether the visa meets it."""
    asked, at = requirements(), time.time() if now is None else now
    if tier.word not in asked:
        raise ContractError(f"the table of requirements does not know the tier {tier.word}.")
    rules, said = asked[tier.word], visa.claims.get(asked["claim"])
    said = said if isinstance(said, dict) else {}
    found = [
        Answer(
            "data set and tier", visa.value == f"{dataset}/{tier.word}", f"the grant is not for {dataset}/{tier.word}"
        ),
        Answer("valid for at most so long", visa.expires - at <= rules["max_days"] * _DAY, "it is valid for longer"),
        _training(said, rules, asked["trainings"], at),
        Answer(
            "data-use agreement",
            said.get("agreement") in rules["agreements"],
            f"expected a version of {', '.join(rules['agreements'])}",
        ),
    ]
    if rules["institution"]:
        found.append(Answer("institution", _named(said.get("institution")), "no institution is named"))
    if rules["review_board"]:
        found.append(Answer("review-board approval", _named(said.get("review_board")), "no approval is named"))
    if rules["commercial_intent"]:
        declared = isinstance(said.get("commercial_intent"), bool)
        found.append(Answer("commercial intent declared", declared, "it is not declared as true or false"))
    return found


def linkage(visa: Visa) -> Answer:
    """Whether a visa names an approval for joining the release with data from elsewhere by person."""
    said = visa.claims.get(requirements()["claim"])
    met = isinstance(said, dict) and _named(said.get("linkage"))
    return Answer("approval for linking with outside data", met, "no approval is named (linkage)")


def _training(said: dict[str, Any], rules: dict[str, Any], levels: Sequence[str], now: float) -> Answer:
    what, level = f"training: {rules['training']}", said.get("training")
    if level not in levels or levels.index(level) < levels.index(rules["training"]):
        return Answer(what, False, "no such training, or a lower one")
    try:
        trained = datetime.date.fromisoformat(str(said.get("trained")))
    except ValueError:
        return Answer(what, False, "the day of the training is not said")
    days = datetime.datetime.fromtimestamp(now, datetime.UTC).date() - trained
    return Answer(what, 0 <= days.days <= rules["training_days"], "the training is too long ago, or in the future")


def _named(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def grant_of(
    tokens: Sequence[str], trust: Trust, tier: Tier, dataset: str, now: float | None = None, *, linking: bool = False
) -> Grant:
    """The grant for a tier among visas. AccessError says of each visa why it gives none.

    linking: data from elsewhere are to be joined, which takes an approval of its own.
    """
    reasons = []
    for number, token in enumerate(tokens, 1):
        try:
            visa = check_visa(token, trust, now)
        except AccessError as error:
            reasons.append(f"visa {number}: {error}")
            continue
        asked = answers(visa, tier, dataset, now)
        if linking:
            asked.append(linkage(visa))
        missing = [f"{one.what} ({one.why})" for one in asked if not one.met]
        if not missing:
            return Grant(visa.subject, visa.issuer, visa.jti, visa.expires, tier, linkage(visa).met)
        reasons.append(f"visa {number} does not meet: {'; '.join(missing)}")
    raise AccessError(f"no grant for the tier {tier.word}. {' '.join(reasons)}")
