"""What is true of one person of a made cohort, but for the genome."""

from __future__ import annotations

from dataclasses import dataclass

SOURCES = ("afr", "nat", "eas", "eur", "mid", "sas")
"""The populations whose haplotypes are made; everybody's genome is a mosaic of theirs. nat: Native American."""

GROUPS = ("afr", "amr", "eas", "eur", "mid", "sas", "oth")
"""The labels that people carry. afr and amr are admixed (afr + eur; eur + nat + afr), oth has parents of two groups."""

KARYOTYPES = ("XX", "XY", "X", "XXX", "XXY", "XYY")


@dataclass(frozen=True)
class Human:
    """One body, in the cohort or a parent of somebody who is.

    number: unique, block x 1,024 + place in the block. mother, father: their numbers, None for a founder.
    karyotype: one of KARYOTYPES. group: one of GROUPS. expected: share of each of SOURCES, drawn for founders, the mean
    of the parents otherwise (the true shares follow from the local ancestry). generations: since admixture (founders).
    birth_year: four digits.
    """

    number: int
    mother: int | None
    father: int | None
    karyotype: str
    group: str
    expected: tuple[float, ...]
    generations: int
    birth_year: int

    @property
    def sex(self) -> str:
        """ "male" where there is a Y."""
        return "male" if "Y" in self.karyotype else "female"

    @property
    def x_copies(self) -> int:
        return self.karyotype.count("X")

    @property
    def y_copies(self) -> int:
        return self.karyotype.count("Y")


@dataclass(frozen=True)
class Person:
    """One enrolled person: a row of PERSON. Twins and duplicates are two persons.

    number: from 0, in the order of enrolment. person_id: OMOP's. human: whose genome (twins and duplicates share one;
    so do they `birth_year` and sex). family: number of the family, unique in the cohort. role: "single", "mother",
    "father", "child", "sib", "half sib", "cousin", "twin", "duplicate". sex: as reported; `unknown` where withheld,
    and rarely not that of the genome. wgs: sample ids of sequenced samples (none, one or two; batch of each in
    wgs_batches). array: sample id of the array sample, "" for none. withdrawn: the person took consent back: no data
    may be used, though files exist.
    """

    number: int
    person_id: int
    human: Human
    family: int
    role: str
    sex: str
    wgs: tuple[str, ...]
    wgs_batches: tuple[int, ...]
    array: str
    array_batch: int
    withdrawn: bool
