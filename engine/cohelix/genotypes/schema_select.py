"""Choices of site selection, each default with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from cohelix import choices
from cohelix.errors import ConfigError


@dataclass(frozen=True)
class SelectParams:
    """Which autosomal biallelic SNPs are kept, before and by linkage disequilibrium."""

    passing_only: bool = True
    """Sites whose FILTER names something are left out, where the callset states FILTER (an imported VCF)."""
    min_call_rate: float = 0.99
    """Share of samples that are called: All of Us, `--max-nocall-fraction 0.01`. Missing genotypes are not random."""
    min_af: float = 0.0
    """Frequency of the alternate allele, at least. All of Us takes AF > 0.001, inside of its training sites."""
    max_af: float = 1.0
    """... and at most."""
    min_maf: float = 0.01
    """Frequency of the rarer allele, at least: rare alleles show families and batches more than ancestry, and scaling
    by 1/sqrt(p(1-p)) makes them loud. pgsc_calc takes 0.05.
    """
    hwe: str = "off"
    """Which departures from Hardy-Weinberg proportions remove a site: "off", "excess" (of hets) or "both".

    A cohort of several ancestries lacks hets wherever frequencies differ: "both" removes the sites that tell ancestry,
    and is for cohorts of one. More hets than expected are an error of genotyping in either kind of cohort.
    """
    min_hwe_p: float = 1e-6
    """p-value (chi-squared, one degree of freedom) below which such a site goes. pgsc_calc takes 1e-4, both sides."""
    long_range_ld: str = "drop"
    """Sites in regions of long-range LD (`reference/genome`): left out ("drop"), since components follow an inversion
    or the HLA instead of ancestry, or kept ("keep"). Needs a known build.
    """
    ld_r2: float = 0.1
    """Of two sites in a window with r squared above this, one goes (gnomAD and UK Biobank: 0.1; pgsc_calc: 0.05).

    1 does not prune at all: KING's kinship asks for no pruning.
    """
    ld_window: int = 1000
    """Width of the window, in `ld_unit`."""
    ld_unit: str = "kb"
    """ "kb", or "variants" as pgsc_calc: so many variants are 3 Mb of an array and a tenth of that in a genome."""
    ld_step: int = 1
    """Variants by which a window of variants is moved on. A window in kb moves variant by variant, as in plink2."""

    def __post_init__(self) -> None:
        section = "genotypes.select"
        for name in ("min_call_rate", "min_af", "max_af", "min_hwe_p", "ld_r2"):
            choices.between(f"{section}.{name}", getattr(self, name), 0.0, 1.0)
        choices.between(f"{section}.min_maf", self.min_maf, 0.0, 0.5)
        choices.choose(f"{section}.hwe", self.hwe, ("off", "excess", "both"))
        choices.choose(f"{section}.long_range_ld", self.long_range_ld, ("drop", "keep"))
        choices.choose(f"{section}.ld_unit", self.ld_unit, ("kb", "variants"))
        choices.between(f"{section}.ld_window", self.ld_window, 1 if self.ld_unit == "kb" else 2, 1_000_000)
        choices.between(f"{section}.ld_step", self.ld_step, 1, self.ld_window)
        if self.ld_unit == "kb" and self.ld_step != 1:
            raise ConfigError(
                f"{section}.ld_step = {self.ld_step}: a window in kb moves on variant by variant. Set it to 1, or "
                f"{section}.ld_unit to 'variants'."
            )
        if self.min_af > self.max_af:
            raise ConfigError(f"{section}.min_af = {self.min_af} is above max_af = {self.max_af}. No site would stay.")
