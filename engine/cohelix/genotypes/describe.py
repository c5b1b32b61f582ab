"""A callset on one page: aggregates only, no identifier of a sample and no single site."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cohelix.genotypes import alleles
from cohelix.genotypes.callset import Callset
from cohelix.genotypes.schema import KINDS, MISSING_PREFIX

AF_EDGES = (0.001, 0.01, 0.05, 0.5, 1.0)
"""Upper ends of the classes of alternate allele frequency, each included in its class."""


@dataclass
class Description:
    """What `describe` found. `by_frequency`: sites by class of alternate allele frequency, in order."""

    n_samples: int
    samples_by_sex: dict[str, int]
    n_sites: int
    sites_by_contig: dict[str, int]
    sites_by_kind: dict[str, int]
    transitions: int = 0
    transversions: int = 0
    by_frequency: dict[str, int] = field(default_factory=dict)
    n_genotypes: int = 0
    n_called: int = 0
    missing: dict[str, int] = field(default_factory=dict)

    @property
    def call_rate(self) -> float:
        return self.n_called / self.n_genotypes if self.n_genotypes else float("nan")

    @property
    def ti_tv(self) -> float:
        """Transitions to transversions among SNPs; nan where there is no transversion."""
        return self.transitions / self.transversions if self.transversions else float("nan")


def describe(callset: Callset) -> Description:
    """Read the sites tables shard by shard (no genotypes) and add them up."""
    sexes = callset.samples().column("sex").to_pylist()
    found = Description(
        n_samples=callset.n_samples,
        samples_by_sex={sex: sexes.count(sex) for sex in ("male", "female", "unknown")},
        n_sites=callset.n_sites,
        sites_by_contig={},
        sites_by_kind=dict.fromkeys(KINDS, 0),
        by_frequency=dict.fromkeys(frequency_classes(), 0),
        n_genotypes=callset.n_samples * callset.n_sites,
    )
    for shard in callset.shards:
        table = callset.sites(shard)
        found.sites_by_contig[shard.contig] = found.sites_by_contig.get(shard.contig, 0) + table.num_rows
        kinds = table.column("kind").to_pylist()
        for kind in kinds:
            found.sites_by_kind[kind] += 1
        pairs = zip(table.column("ref").to_pylist(), table.column("alt").to_pylist(), kinds, strict=True)
        snps = [alleles.is_transition(ref, alt) for ref, alt, kind in pairs if kind == "snp"]
        found.transitions += sum(snps)
        found.transversions += len(snps) - sum(snps)
        ac, an = table.column("ac").to_numpy(), table.column("an").to_numpy()
        for name, count in zip(frequency_classes(), _frequencies(ac, an), strict=True):
            found.by_frequency[name] += int(count)
        found.n_called += int(table.column("n_called").to_numpy().sum())
        for name in table.column_names:
            if name.startswith(MISSING_PREFIX):
                reason = name.removeprefix(MISSING_PREFIX)
                found.missing[reason] = found.missing.get(reason, 0) + int(table.column(name).to_numpy().sum())
    return found


def frequency_classes() -> list[str]:
    """Names of the classes of alternate allele frequency, in the order of `Description.by_frequency`."""
    edges = ["0", *(f"{edge:g}" for edge in AF_EDGES)]
    return ["no call", "none", "one copy", *(f"{low} to {high}" for low, high in itertools.pairwise(edges))]


def _frequencies(ac: np.ndarray, an: np.ndarray) -> np.ndarray:
    """Sites in each class of `frequency_classes`; a single copy has a class of its own."""
    classes = np.searchsorted(AF_EDGES, ac / np.maximum(an, 1), side="left") + 3
    classes = np.where(ac == 1, 2, classes)
    classes = np.where(ac == 0, 1, classes)
    classes = np.where(an == 0, 0, classes)
    return np.bincount(classes, minlength=3 + len(AF_EDGES))


def text(callset: Callset, found: Description) -> str:
    """The page, for a person to read."""
    lines = [
        f"build       {callset.build}",
        f"version     {callset.commit.version}",
        f"alleles     {callset.commit.meta['alleles']}",
        f"samples     {found.n_samples:,} ({_listed(found.samples_by_sex)})",
        f"sites       {found.n_sites:,} in {len(callset.shards):,} shards ({_listed(found.sites_by_kind)})",
        f"ti/tv       {found.ti_tv:.3f} ({found.transitions:,} / {found.transversions:,})",
        f"call rate   {found.call_rate:.6f} ({found.n_called:,} of {found.n_genotypes:,} genotypes)",
        "",
        *_columns("contig", "sites", found.sites_by_contig),
        "",
        *_columns("alternate allele frequency", "sites", found.by_frequency),
    ]
    if found.missing:
        lines += ["", *_columns("missing because of", "genotypes", found.missing)]
    return "\n".join(lines)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)


def _columns(left: str, right: str, counts: dict[str, int]) -> Sequence[str]:
    width = max([len(left), *map(len, counts)])
    return [f"{left:<{width}}  {right:>14}", *(f"{name:<{width}}  {count:>14,}" for name, count in counts.items())]
