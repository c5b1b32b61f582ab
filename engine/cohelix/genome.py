"""Contigs, builds, bins and ploidy by region.

`position` is 1-based; `start` and `end` are 0-based and half-open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cohelix.errors import InputError, ReferenceMismatch

# Lengths of chromosomes 1 to 22, X and Y as the Genome Reference Consortium published them. They tell the builds apart.
# Source: NCBI assembly reports GCA_000001405.15 (GRCh38) and GCA_000001405.1 (GRCh37).
_NAMES = [*map(str, range(1, 23)), "X", "Y"]
_LENGTHS = {
    "GRCh38": [
        248956422, 242193529, 198295559, 190214555, 181538259, 170805979, 159345973, 145138636, 138394717, 133797422,
        135086622, 133275309, 114364328, 107043718, 101991189, 90338345, 83257441, 80373285, 58617616, 64444167,
        46709983, 50818468, 156040895, 57227415,
    ],
    "GRCh37": [
        249250621, 243199373, 198022430, 191154276, 180915260, 171115067, 159138663, 146364022, 141213431, 135534747,
        135006516, 133851895, 115169878, 107349540, 102531392, 90354753, 81195210, 78077248, 59128983, 63025520,
        48129895, 51304566, 155270560, 59373566,
    ],
}  # fmt: skip

# Pseudo-autosomal regions, start and end 0-based half-open. Source: Genome Reference Consortium, human genome overview.
_PAR = {
    "GRCh38": {
        "X": ((10_000, 2_781_479), (155_701_382, 156_030_895)),
        "Y": ((10_000, 2_781_479), (56_887_902, 57_217_415)),
    },
    "GRCh37": {
        "X": ((60_000, 2_699_520), (154_931_043, 155_260_560)),
        "Y": ((10_000, 2_649_520), (59_034_049, 59_363_566)),
    },
}  # fmt: skip

UNKNOWN_BUILD = "unknown"
SEXES = ("male", "female", "unknown")


@dataclass(frozen=True)
class Contig:
    """A reference sequence: its name as the input writes it, and its length in bases (0: not known)."""

    name: str
    length: int


@dataclass(frozen=True, order=True)
class Bin:
    """A stretch [start, end) of one contig: the unit that work and files are divided by."""

    contig_index: int
    start: int
    end: int
    contig: str

    @property
    def name(self) -> str:
        """Sorts as the genome does within a contig, and is safe as a file name."""
        safe = "".join(c if c.isascii() and (c.isalnum() or c in "._") else f"~{ord(c):02x}" for c in self.contig)
        return f"{safe}-{self.start:011d}"


def plain_name(contig: str) -> str:
    """`chr7` and `7` are both "7"; `chrM`, `M` and `MT` are all "MT"."""
    name = contig[3:] if contig.lower().startswith("chr") else contig
    return {"M": "MT", "23": "X", "24": "Y", "26": "MT"}.get(
        name.upper(), name.upper() if name.lower() in "xymt" else name
    )


def build_of(contigs: Iterable[Contig]) -> str:
    """The build whose chromosome lengths `contigs` have: GRCh38, GRCh37, or unknown.

    Raises ReferenceMismatch where lengths of both builds occur together.
    """
    seen = set()
    for contig in contigs:
        for build, lengths in _LENGTHS.items():
            name = plain_name(contig.name)
            if name in _NAMES and lengths[_NAMES.index(name)] == contig.length:
                seen.add(build)
    if len(seen) > 1:
        raise ReferenceMismatch(
            "expected contig lengths of one genome build, found lengths of both GRCh37 and GRCh38 in one header. "
            "Call each build by itself."
        )
    return seen.pop() if seen else UNKNOWN_BUILD


def chromosomes_of(build: str) -> tuple[Contig, ...]:
    """Chromosomes 1 to 22, X and Y of `build` by their plain names. Raises ReferenceMismatch for an unknown build."""
    if build not in _LENGTHS:
        raise ReferenceMismatch(f"expected build {' or '.join(sorted(_LENGTHS))}, found {build!r}.")
    return tuple(Contig(name, length) for name, length in zip(_NAMES, _LENGTHS[build], strict=True))


def par_of(build: str, contig: str) -> tuple[tuple[int, int], ...]:
    """Pseudo-autosomal intervals of `contig`; empty for other contigs and unknown builds."""
    return _PAR.get(build, {}).get(plain_name(contig), ())


def par_name(build: str, contig: str, start: int) -> str | None:
    """ "PAR1" or "PAR2" where base `start` of X lies in one (the names plink2 uses), else None."""
    if plain_name(contig) != "X":
        return None
    for number, (low, high) in enumerate(par_of(build, contig), start=1):
        if low <= start < high:
            return f"PAR{number}"
    return None


REGIONS = ("autosome", "chr20", "x", "x_par", "y", "mt", "other")
"""Parts of the genome that quality control counts apart: chromosomes 1 to 22 without 20; 20, the yardstick of depth;
X and Y outside the pseudo-autosomal regions. Those of Y, and contigs about which nothing is known, are "other"."""


def region_of(build: str, contig: str, positions: np.ndarray) -> np.ndarray:
    """int8: the index in `REGIONS` of each 1-based position of `contig`."""
    name = plain_name(contig)
    whole = "chr20" if name == "20" else "autosome" if name in _NAMES[:22] else name.lower()
    code = REGIONS.index(whole) if whole in REGIONS else REGIONS.index("other")
    regions = np.full(len(positions), code, np.int8)
    within = REGIONS.index("x_par") if name == "X" else REGIONS.index("other")
    for low, high in par_of(build, contig):
        regions[(positions > low) & (positions <= high)] = within
    return regions


AS_STATED = -1
"""Ploidy is what the call itself says: sex not known, or a contig about which cohelix knows nothing."""


def ploidy_segments(build: str, contig: str, sex: str, length: int) -> list[tuple[int, int, int]]:
    """(start, end, ploidy) stretches that cover [0, length) of `contig` for a person of `sex`.

    ploidy: 2, 1, 0 (no copy: Y of a woman) or `AS_STATED`. Chromosomes 1 to 22 are diploid, MT is haploid for all.
    On X and Y without a known build, the whole chromosome counts as outside the pseudo-autosomal regions.
    """
    name = plain_name(contig)
    if name in _NAMES[:22]:
        return [(0, length, 2)]
    if name == "MT":
        return [(0, length, 1)]
    if name not in ("X", "Y") or sex == "unknown":
        return [(0, length, AS_STATED)]
    if sex == "female":
        return [(0, length, 2 if name == "X" else 0)]
    segments, cursor = [], 0
    for low, high in par_of(build, contig):
        segments += [(cursor, low, 1), (low, high, 2)]
        cursor = high
    return [*segments, (cursor, max(length, cursor + 1), 1)]


def parse_sex(text: str) -> str:
    """Sex as PLINK, OMOP and All of Us tables write it. Raises InputError on anything else."""
    known = {
        "1": "male", "m": "male", "male": "male", "xy": "male",
        "2": "female", "f": "female", "female": "female", "xx": "female",
        "": "unknown", "0": "unknown", "na": "unknown", ".": "unknown", "unknown": "unknown", "u": "unknown",
    }  # fmt: skip
    sex = known.get(text.strip().lower())
    if sex is None:
        raise InputError(f"expected a sex of male/female/unknown (M, F, 1, 2, 0, XX, XY or NA), found {text!r}.")
    return sex


def parse_region(text: str, contigs: Sequence[Contig]) -> tuple[int, int, int]:
    """`chr7:1,000-2,000` (1-based, both ends in) or `chr7` as (contig index, start, end)."""
    names = [contig.name for contig in contigs]
    if text in names:  # names such as HLA-A*01:01 hold colons themselves
        return names.index(text), 0, contigs[names.index(text)].length or 2**31 - 1
    name, _, span = text.rpartition(":") if ":" in text else (text, "", "")
    if name not in names:
        raise InputError(
            f"region names contig {name!r}, which the data do not have. Contigs begin {', '.join(names[:3])}."
        )
    low, _, high = span.replace(",", "").partition("-")
    if not low.isdigit() or (high and not high.isdigit()) or int(low) < 1 or (high and int(high) < int(low)):
        raise InputError(f"expected a region such as chr7:1000-2000, found {text!r}.")
    return names.index(name), int(low) - 1, int(high) if high else int(low)
