"""Choices of a release, each with its reason, and what its parts hand to one another."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cohelix.choices import between, choose

FORMATS = ("bed", "vcf", "bgen", "mt")
"""What a controlled callset is written as besides PGEN, on request."""

DIFFERENCING = ("carry", "withhold", "refuse")

FREQUENCIES = ("thin", "refuse")


@dataclass(frozen=True)
class ReleaseParams:
    """Choices of `cohelix release build`, section [release].

    least: smallest count of people that is published, besides 0. All of Us hides 1 to 20, so 21.
    max_power: bound on an attacker who holds somebody's genome and asks whether that person is in a stratum: the
        share of members found at 1 % false positives, at most. 0.1 keeps the separation d = sqrt(M / N) near 1.
    differencing: a published count that differs from the former release's by less than `least` people is "carry"-ed
        over from it, "withhold"-held, or the release is "refuse"-d.
    frequencies: where a group tells more numbers than `max_power` allows, "thin" its sites or "refuse" the release.
    epsilon: budget of differential privacy of the count tables of this release; 0: counts are exact or hidden.
    age_cap: ages above are not told apart in aggregates, and their persons are not in Registered.
    age_band: years in a band of ages in aggregates.
    tables_rows: rows of a health record table that are sorted at a time: the memory of it.
    """

    least: int = 21
    max_power: float = 0.1
    differencing: str = "carry"
    frequencies: str = "thin"
    epsilon: float = 0.0
    age_cap: int = 89
    age_band: int = 10
    tables_rows: int = 2_000_000
    formats: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        between("release.least", self.least, 2, 1_000_000)
        between("release.max_power", self.max_power, 0.011, 0.99)
        choose("release.differencing", self.differencing, DIFFERENCING)
        choose("release.frequencies", self.frequencies, FREQUENCIES)
        between("release.epsilon", self.epsilon, 0, 100)
        between("release.age_cap", self.age_cap, 18, 120)
        between("release.age_band", self.age_band, 1, 100)
        between("release.tables_rows", self.tables_rows, 1000, 1_000_000_000)
        for one in self.formats:
            choose("release.formats", one, FORMATS)


@dataclass(frozen=True)
class Inputs:
    """What a release is made of: paths, as other commands of cohelix wrote them; "" where there is none.

    omop: a CDM (see `cohelix.omop.source`). callset, arrays: callsets of genomes and of arrays. samples_qc, arrays_qc,
    sites_qc, ancestry, projected, relatedness, unrelated, prs, prs_adjusted, pgx: folders of qc samples, qc arrays, qc
    variants, ancestry assign, ancestry project, relatedness estimate, relatedness prune, prs score, prs adjust, pgx
    call. exclude: tables of sample_id or person_id to leave out, with their reason. known_issues: a folder of lists.
    links: a table of sample_id and person_id, where SPECIMEN does not name the samples.
    """

    omop: str
    callset: str = ""
    arrays: str = ""
    samples_qc: str = ""
    arrays_qc: str = ""
    sites_qc: str = ""
    ancestry: str = ""
    projected: str = ""
    relatedness: str = ""
    unrelated: str = ""
    prs: str = ""
    prs_adjusted: str = ""
    pgx: str = ""
    exclude: tuple[str, ...] = ()
    known_issues: str = ""
    links: str = ""


@dataclass(frozen=True)
class MadeFile:
    """A file for a release, made in the work folder.

    name: its path in the release, with `/`. path: where it lies now. rows: of a table. table: its name in the data
    dictionary ("" for what is no table). left_out: rows of the source that are not in it, by reason: for the program's
    ledger, never for a release.
    """

    name: str
    path: Path
    rows: int | None = None
    table: str = ""
    left_out: dict[str, int] = field(default_factory=dict)
