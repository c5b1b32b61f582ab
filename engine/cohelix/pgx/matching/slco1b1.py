"""SLCO1B1 where no diplotype fits: rs4149056 alone tells what matters for statins, C being *5's."""

from __future__ import annotations

from cohelix.pgx.definition import Gene

WARNING = "rs4149056-only"
_RSID = "rs4149056"


def site(gene: Gene) -> int | None:
    """Where `gene` has rs4149056; None of another gene."""
    if gene.symbol != "SLCO1B1":
        return None
    return next((index for index, position in enumerate(gene.positions) if position.rsid == _RSID), None)


def alleles(gene: Gene, at: int, code: int, texts: tuple[str, ...]) -> tuple[str, ...]:
    """*1 or *5 of each strand, in the order of names; nothing where the genotype is not whole or not of T and C."""
    named = {gene.positions[at].ref: "*1", gene.positions[at].alts[0]: "*5"}
    seen = [texts[allele] if allele < len(texts) else "" for allele in (code & 15, code >> 4)]
    return tuple(sorted(named[allele] for allele in seen)) if all(allele in named for allele in seen) else ()
