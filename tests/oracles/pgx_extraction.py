"""Reading a genotype at a locus, plainly: one person, texts of alleles, no codes."""

from __future__ import annotations

import re

from cohelix.pgx.genotype import ABSENT, MISSING, NO_CALL

HALF, NONE = ".", None


def genotype(column: str, form: str, texts: list[str | None], ploidy: str) -> tuple[tuple | None, str | None]:
    """((first, second) or None where missing, reason) of a sample column. texts: by allele, None: cannot be used.

    second is "" where there is one copy; HALF stands for a missing one of two.
    """
    fields = dict(zip(form.split(":"), column.split(":"), strict=False))
    written = re.split("[/|]", fields["GT"])
    called = [int(one) for one in written if one != "."]
    if not called:
        return None, None
    if any(texts[one] is None for one in called):
        return None, "symbolic_allele"
    depths = fields.get("AD", "").split(",")
    if len(set(called)) > 1 and len(depths) == len(texts) and all(one.isdigit() for one in depths):
        if sum(int(one) > 0 for one in depths) == 1:
            return None, "depth_of_one_allele"
    pair = [None if one == "." else texts[int(one)] for one in written[:2]]
    if pair == [None] * len(pair):  # of three alleles the third alone is called
        return None, None
    if ploidy == "MT" or (ploidy == "X" and len(pair) == 1):
        return (next(one for one in pair if one is not None), ""), None
    if len(pair) == 1 or None in pair:
        known = next(one for one in pair if one is not None)
        if known == texts[0]:
            return None, "half_call_of_reference"
        return ((known, HALF) if pair[0] is not None else (HALF, known)), None
    return (pair[0], pair[1]), None


def phase(column: str, form: str) -> str | None:
    """None unphased, "" phased, else the phase set."""
    fields = dict(zip(form.split(":"), column.split(":"), strict=False))
    if "/" in fields["GT"]:
        return None
    return "" if fields.get("PS", ".") in (".", "") else fields["PS"]


def joined(one: tuple | None, other: tuple | None, phased: bool) -> tuple | None | str:
    """Two rows of a site that speak of different ALTs: the genotype, None where missing, "conflict".

    Alleles are numbers, 0 is REF, HALF is missing, "" no copy.
    """
    if one is None or other is None:
        left = one or other
        full = left is not None and all(copy not in (0, HALF) for copy in left)
        return left if full else None
    if (one[1] == "") != (other[1] == ""):
        return "conflict"
    if phased or one[1] == "":
        strands = []
        for a, b in zip(one, other, strict=True):
            alts = [x for x in (a, b) if x not in (0, HALF, "")]
            if len(alts) == 2:
                return "conflict"
            strands.append(alts[0] if alts else HALF if HALF in (a, b) else "" if a == "" else 0)
        if HALF in strands and not any(x not in (0, HALF, "") for x in strands):
            return None
        return tuple(strands)
    alts = sorted(x for x in (*one, *other) if x not in (0, HALF))
    if len(alts) > 2:
        return "conflict"
    if len(alts) == 2:
        return tuple(alts)
    unknown = HALF in (*one, *other)
    if not alts:
        return None if unknown else (0, 0)
    return (alts[0], HALF) if unknown else (0, alts[0])


def code(pair: tuple | None, alleles: list | None = None) -> int:
    """The code of a pair; alleles: texts by number, None where the pair has numbers."""
    if pair is None:
        return NO_CALL
    numbers = []
    for one in pair:
        special = {HALF: MISSING, "": ABSENT}.get(one) if isinstance(one, str) else None
        numbers.append(special if special is not None else one if alleles is None else alleles.index(one))
    return numbers[0] | numbers[1] << 4
