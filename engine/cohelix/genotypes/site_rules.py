"""Rules of site selection that look at one site: what it is, where it lies, who was called, how frequent it is.

Rules are asked in a fixed order, and a site counts under the first that removes it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cohelix import genome
from cohelix.errors import ConfigError, InputError
from cohelix.genotypes import inputs
from cohelix.genotypes.packed.matrix import AUTOSOMES, is_snp
from cohelix.genotypes.schema_select import SelectParams
from cohelix.reference import read_rows

RULES = {
    "not_autosomal": "not on chromosomes 1 to 22",
    "not_snp": "not a change of one base",
    "shares_position": "other alleles at the same position",
    "filtered": "FILTER names something",
    "long_range_ld": "in a region of long-range LD",
    "not_listed": "not in the list of sites",
    "call_rate": "call rate too low",
    "frequency": "allele frequency out of range",
    "hardy_weinberg": "out of Hardy-Weinberg proportions",
    "ld": "correlated with a site that stays, or constant",
}
"""Rules in their order, and what a site that one removes is."""

COLUMNS = ("position", "kind", "n_called", "n_hom_ref", "n_het", "n_hom_alt", "ac", "an", "filter")
"""Columns of a sites table that are looked at; `filter` is not in all."""

_BELOW = 1 - 1e-12
"""A share of exactly the threshold reaches it, whatever the threshold is as a binary number."""

PASSES = ("PASS", ".", "")
"""What FILTER holds where nothing is said against a site."""


@dataclass(frozen=True)
class Counts:
    """Of each site: people called, hom-ref, het and hom-alt genotypes, copies of ALT and of any allele; int64."""

    called: np.ndarray
    genotypes: np.ndarray
    ac: np.ndarray
    an: np.ndarray

    @staticmethod
    def of_table(sites: pa.Table) -> Counts:
        """As the sites table has them."""
        genotypes = [sites.column(name).to_numpy() for name in ("n_hom_ref", "n_het", "n_hom_alt")]
        called, ac, an = (sites.column(name).to_numpy() for name in ("n_called", "ac", "an"))
        return Counts(called, np.column_stack(genotypes), ac, an)

    @staticmethod
    def of_genotypes(counted: np.ndarray) -> Counts:
        """From counts (sites, 4) of genotypes 0, 1, 2 and missing, all of two copies."""
        called = counted[:, :3].sum(axis=1)
        return Counts(called, counted[:, :3], counted[:, 1] + 2 * counted[:, 2], 2 * called)


@dataclass
class Sieve:
    """Which of the sites of a shard are left, and how many each rule removed."""

    left: np.ndarray
    removed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RULES, 0))

    def keep(self, rule: str, passing: np.ndarray) -> None:
        self.removed[rule] += int((self.left & ~passing).sum())
        self.left &= passing


def keeps_contig(sieve: Sieve, contig: str) -> bool:
    """Whether sites of `contig` are looked at; else they all count as removed."""
    autosomal = genome.plain_name(contig) in AUTOSOMES
    sieve.keep("not_autosomal", np.full(len(sieve.left), autosomal))
    return autosomal


def by_place(sieve: Sieve, sites: pa.Table, contig: str, build: str, params: SelectParams) -> None:
    """Rules that need no counts: kind, place and FILTER. `sites` are all rows of a shard."""
    sieve.keep("not_snp", is_snp(sites))
    positions = sites.column("position").to_numpy()
    repeated = np.zeros(len(positions) + 1, bool)
    repeated[1:-1] = positions[1:] == positions[:-1]
    sieve.keep("shares_position", ~(repeated[1:] | repeated[:-1]))
    if params.passing_only and "filter" in sites.column_names:
        passing = pc.is_in(sites.column("filter"), value_set=pa.array(PASSES))
        sieve.keep("filtered", np.asarray(passing.to_numpy(), bool))
    if params.long_range_ld == "drop":
        sieve.keep("long_range_ld", ~in_long_range_ld(build, contig, positions))


def by_counts(sieve: Sieve, counts: Counts, n_samples: int, params: SelectParams) -> None:
    """Rules that look at genotypes."""
    sieve.keep("call_rate", (counts.called >= params.min_call_rate * _BELOW * n_samples) & (counts.called > 0))
    rarer = np.minimum(counts.ac, counts.an - counts.ac)
    within = (counts.ac >= params.min_af * _BELOW * counts.an) & (counts.ac * _BELOW <= params.max_af * counts.an)
    sieve.keep("frequency", within & (rarer >= params.min_maf * _BELOW * counts.an))
    if params.hwe != "off":
        sieve.keep(
            "hardy_weinberg", in_proportion(counts.genotypes, params.min_hwe_p, excess_only=params.hwe == "excess")
        )


def in_proportion(genotypes: np.ndarray, min_p: float, *, excess_only: bool) -> np.ndarray:
    """bool: whether hom-ref, het and hom-alt counts (sites, 3) agree with Hardy-Weinberg proportions.

    By chi-squared with one degree of freedom, at p of `min_p` or more. excess_only: fewer hets than expected are well.
    """
    hom_ref, het, hom_alt = genotypes.astype(np.float64).T
    people = hom_ref + het + hom_alt
    with np.errstate(invalid="ignore", divide="ignore"):
        p = (2 * hom_ref + het) / (2 * people)
        expected = 2 * p * (1 - p) * people
        inbreeding = np.where(expected > 0, 1 - het / expected, 0.0)
    outside = people * inbreeding**2 > quantile_of(min_p)
    return np.asarray(~(outside & (inbreeding < 0) if excess_only else outside))


def quantile_of(p: float) -> float:
    """The chi-squared value, one degree of freedom, that is exceeded with probability `p`."""
    low, high = 0.0, 1500.0  # beyond: p below what a float holds
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erfc(math.sqrt(middle / 2)) > p else (low, middle)
    return high


def check_build(build: str) -> None:
    """ConfigError where no regions of long-range LD are known for `build`."""
    if build == genome.UNKNOWN_BUILD:
        raise ConfigError(
            "the callset's build is not known, so that regions of long-range LD cannot be placed. Import it with "
            "--build, or keep them: --set genotypes.select.long_range_ld=keep."
        )


def in_long_range_ld(build: str, contig: str, positions: np.ndarray) -> np.ndarray:
    """bool: whether 1-based positions lie in a region of long-range LD."""
    inside = np.zeros(len(positions), bool)
    for row in read_rows("genome", build, "long_range_ld.tsv"):
        if row["contig"] == genome.plain_name(contig):
            inside |= (positions > int(row["start"])) & (positions <= int(row["end"]))
    return inside


_SITE_COLUMNS = {
    "contig": ("contig", "#CHROM", "CHROM", "chrom", "chromosome"),
    "position": ("position", "POS", "pos"),
    "ref": ("ref", "REF"),
    "alt": ("alt", "ALT"),
}


def read_sites(path: str) -> pa.Table:
    """contig, position, ref and alt from a VCF (sites only will do) or a table with such columns; an allele a row."""
    what = "list of sites"
    table = inputs.read_table(path, what)
    taken = {
        name: table.column(inputs.column_of(table, known, what)).combine_chunks()
        for name, known in _SITE_COLUMNS.items()
    }
    try:
        position = pc.cast(taken["position"], pa.int32())
    except pa.ArrowInvalid:
        raise InputError(f"expected a position on every row of the {what}, found something else. Correct it.") from None
    alts = pc.split_pattern(pc.utf8_upper(pc.cast(taken["alt"], pa.string())), ",")
    rows = pc.list_parent_indices(alts)
    listed = pa.table(
        {
            "contig": pc.cast(taken["contig"], pa.string()).take(rows),
            "position": position.take(rows),
            "ref": pc.utf8_upper(pc.cast(taken["ref"], pa.string())).take(rows),
            "alt": pc.list_flatten(alts),
        }
    )
    if not listed.num_rows:
        raise InputError(f"expected at least one site in the {what}, found none. Check its path.")
    return listed
