"""Why somebody is let in to a release, or is not."""

from __future__ import annotations

import datetime

from cohelix.errors import AccessError
from cohelix.release.gate.grant import answers, asks_for_grant, linkage
from cohelix.release.gate.passport import check_visa, read_passport
from cohelix.release.gate.trust import Trust
from cohelix.release.manifest import Manifest
from cohelix.tier import tier_named


def explain(manifest: Manifest, passport: str, trust: Trust, now: float | None = None) -> tuple[bool, list[str]]:
    """(whether the holder of a passport may read, lines that say why)."""
    tier = tier_named(manifest.tier)
    if not asks_for_grant(tier):
        return True, [f"{manifest.name} is {tier.word}: everybody may read it, no grant is asked for"]
    lines = [f"{manifest.name} asks for a grant of {manifest.dataset}/{tier.word}"]
    let = False
    for number, token in enumerate(read_passport(passport), 1):
        try:
            visa = check_visa(token, trust, now)
        except AccessError as error:
            lines.append(f"visa {number}: not believed: {error}")
            continue
        until = datetime.datetime.fromtimestamp(visa.expires, datetime.UTC).date()
        lines.append(f"visa {number}: signed by a trusted issuer, valid until {until}")
        asked = answers(visa, tier, manifest.dataset, now)
        lines += [f"  {'yes' if one.met else 'no '}  {one.what}{'' if one.met else f': {one.why}'}" for one in asked]
        let |= all(one.met for one in asked)
        link = linkage(visa)
        lines.append(f"  {'yes' if link.met else 'no '}  {link.what}, which only joining asks for")
    return let, [*lines, "may read" if let else "may not read"]
