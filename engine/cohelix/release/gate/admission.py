"""Whether somebody may read, asked and written down at every read.

Every command on a workspace passes through here: nothing is imported but what a check of a visa needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cohelix.errors import CohelixError
from cohelix.release.gate import audit
from cohelix.release.gate.grant import Grant, asks_for_grant, grant_of
from cohelix.release.gate.passport import read_passport
from cohelix.release.gate.trust import Trust
from cohelix.tier import Tier, tier_named

if TYPE_CHECKING:
    from cohelix.release.manifest import Manifest


@dataclass(frozen=True)
class Admission:
    """What the gate needs to know at each read. passport: path of the file of visas."""

    passport: str
    trust: Trust

    def admit(self, what: str, manifest: Manifest, file: str = "", *, linking: bool = False) -> Grant | None:
        """Let somebody read, or raise AccessError; either is in the audit log before anything is read.

        linking: what is read is to be joined with data from elsewhere, which takes an approval of its own.
        """
        tier = tier_named(manifest.tier)
        return self.admit_to(what, manifest.name, tier, manifest.dataset, file, linking=linking)

    def admit_to(
        self, what: str, release: str, tier: Tier, dataset: str, file: str = "", *, linking: bool = False
    ) -> Grant | None:
        """As `admit`, of a release by its name, tier and data set."""
        if not asks_for_grant(tier):
            return None
        trust = self.trust.anew()
        said = {"what": what, "release": release, "tier": tier.word, "file": file}
        try:
            grant = grant_of(read_passport(self.passport), trust, tier, dataset, linking=linking)
        except CohelixError as error:
            audit.write(trust.audit, audit.Entry(**said, subject="", jti="", allowed=False, why=str(error)))
            raise
        audit.write(trust.audit, audit.Entry(**said, subject=grant.subject, jti=grant.jti, allowed=True))
        return grant
