"""Small made-up genes and genotypes for tests of matching."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from cohelix.pgx.definition import Gene, NamedAllele, Position
from cohelix.pgx.genotype import ABSENT, NO_CALL, OTHER, Genotypes

ALTS = ((), ("G",), ("G", "C"), ("AT",))


@st.composite
def genes(draw: Any, most_positions: int = 6, most_alleles: int = 7) -> Gene:
    """A gene with REF A everywhere, SNVs and insertions, wobbles, also in the reference allele."""
    alts = draw(st.lists(st.sampled_from(ALTS[1:]), min_size=1, max_size=most_positions))
    positions = tuple(
        Position("chr1", 100 + 10 * i, "", "A", ts, tuple(f"g.{100 + 10 * i}A>{t}" for t in ts))
        for i, ts in enumerate(alts)
    )
    wide = [("A", "R" if ts[0] == "G" else "A") for ts in alts]
    reference = tuple(draw(st.sampled_from(("A", "A", "A", cell[1]))) for cell in wide)
    cells = [
        [None, None, None, "A", *ts, *(("R",) if "G" in ts else ()), *(("S",) if "C" in ts else ())] for ts in alts
    ]
    others = draw(st.lists(st.tuples(*(st.sampled_from(c) for c in cells)), min_size=1, max_size=most_alleles))
    rows = [reference, *(row for row in others if any(cell is not None for cell in row))]
    alleles = tuple(
        NamedAllele(f"*{i + 1}", "", i == 0, row, sum(cell is not None for cell in row), ())
        for i, row in enumerate(rows)
    )
    return Gene("TOY", "chr1", "autosome", "standard", positions, alleles, draw(st.booleans()), "toy", "1")


@st.composite
def genotypes(draw: Any, gene: Gene, most_people: int = 12) -> Genotypes:
    """People with hardly missing, missing, half missing, haploid, unknown alleles; unphased, phased, in sets."""
    n = draw(st.integers(1, most_people))
    alleles = tuple((p.ref, *p.alts, "T") for p in gene.positions)
    kind = st.sampled_from(("plain", "plain", "plain", "holes", "haploid", "odd"))
    codes = np.zeros((len(alleles), n), dtype=np.uint8)
    phase = np.zeros((len(alleles), n), dtype=np.uint8)
    one_phase = draw(st.booleans())
    for person in range(n):
        what, phasing = draw(kind), draw(st.sampled_from(((0,), (1,), (0, 1), (2, 3), (0, 1, 2, 3))))
        for site, texts in enumerate(alleles):
            documented = st.integers(0, len(texts) - 2)
            a, b = draw(documented), draw(documented)
            if what == "odd":
                a = draw(st.sampled_from((a, len(texts) - 1, OTHER, 15)))
            if what == "haploid":
                b = ABSENT if draw(st.integers(0, 30)) else b
            if what in ("holes", "haploid") and draw(st.booleans()):
                a, b = NO_CALL & 15, NO_CALL >> 4
            codes[site, person] = a | b << 4
            phase[site, person] = 1 if what == "haploid" else draw(st.sampled_from(phasing))
    if one_phase:
        phase = np.full((len(alleles), 1), draw(st.integers(0, 1)), dtype=np.uint8)
    return Genotypes(gene.symbol, codes, phase, alleles)
