"""Choices of the components, projection, groups and panels, each default with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field

from cohelix import choices


@dataclass(frozen=True)
class AssignParams:
    """How groups, distances and proportions are made from components. None: what the preset says."""

    preset: str = "aou-v8"
    """Recipe, as `reference/ancestry` holds it: the groups of a cohort are then those of a programme's release."""
    n_pcs: int | None = None
    """Components for the forest, the distances and the proportions."""
    n_trees: int | None = None
    seed: int | None = None
    min_probability: float | None = None
    """Highest probability that the forest must give to a sample for it to keep its group."""
    label_column: str | None = None
    """Column of the table of labels; None: the first of those that `read_groups` knows."""
    min_group: int = 2
    """Labelled samples that a group needs: one has no spread, and none of it can be held out."""
    small_groups: str = "refuse"
    """Groups smaller than that are refused ("refuse": a label seen once is mostly a slip of the pen), or left out
    and counted ("drop").
    """
    holdout: float = 0.2
    """Share of each group held out to measure the forest; gnomAD withholds a fifth. 0: not measured."""
    ood_is_oth: bool = False
    """Whether ancestry_preds.tsv, too, has the other label where a sample is out of distribution.

    By default its columns follow the programme's rule, so that they can be compared with its release; `group_other` of
    ancestry.parquet has the other label in either case.
    """
    not_sources: list[str] = field(default_factory=list)
    """Groups that proportions are not made of, as they are mixtures themselves; amr, where unmixed people are labelled.
    """

    def __post_init__(self) -> None:
        choices.choose("ancestry.assign.small_groups", self.small_groups, ("refuse", "drop"))
        for name, low, high in (("n_pcs", 1, 1000), ("n_trees", 1, 100_000), ("seed", 0, 2**32 - 1)):
            if getattr(self, name) is not None:
                choices.between(f"ancestry.assign.{name}", getattr(self, name), low, high)
        if self.min_probability is not None:
            choices.between("ancestry.assign.min_probability", self.min_probability, 0.0, 1.0)
        choices.between("ancestry.assign.min_group", self.min_group, 2, 1_000_000)
        choices.between("ancestry.assign.holdout", self.holdout, 0.0, 0.5)


@dataclass(frozen=True)
class PanelParams:
    """How a reference panel is made from a callset with labels."""

    label_column: str | None = None
    """Column of the groups; None: the first of those that `read_groups` knows."""
    subgroup_column: str | None = None
    """Column of the subgroups (populations); None: no subgroups."""
    drop: list[str] = field(default_factory=lambda: ["oth", "other", "remaining", "rmi"])
    """Labels that name no group: their samples are left out (All of Us and gnomAD train without them)."""
    min_group: int = 2
    small_groups: str = "refuse"
    """As in `AssignParams`."""
    max_per_group: int | None = None
    """Samples of a group that are taken, drawn with `seed`: a group of many bends the first components towards it.

    None: all, as in All of Us and gnomAD.
    """
    seed: int = 1

    def __post_init__(self) -> None:
        choices.choose("ancestry.panel.small_groups", self.small_groups, ("refuse", "drop"))
        choices.between("ancestry.panel.min_group", self.min_group, 2, 1_000_000)
        choices.between("ancestry.panel.seed", self.seed, 0, 2**32 - 1)
        if self.max_per_group is not None:
            choices.between("ancestry.panel.max_per_group", self.max_per_group, self.min_group, 10_000_000)


@dataclass(frozen=True)
class ProjectParams:
    """How people are placed among the components of others."""

    method: str = "oadp"
    """"oadp": as if each person had been in the fit; "ap": scores over the shrinkage that the spectrum shows; "naive":
    genotypes times loadings, as Hail's pc_project, which shrinks the later components to a half.
    """
    missing: str = "least-squares"
    """What is known of a person is fitted by the components at the sites that the person has ("least-squares"); or
    missing genotypes count as the mean ("mean", as Hail's pc_project), which draws a person to the middle.
    """
    absent: str = "auto"
    """Sites that the callset lacks: "missing"; "hom-ref", as a joint call leaves out sites at which nobody differs from
    the reference; "auto": "hom-ref" for what `cohelix joint call` made, "missing" for all else, and for what
    was made from a joint call by choosing sites.
    """
    min_share: float = 0.5
    """Share of the model's sites that must count; with fewer, the later components are mostly of noise."""
    min_called: float = 0.2
    """Share of those sites at which a person must have a genotype to get scores at all."""
    ood_rate: float = 0.01
    """Share of the reference's own people whose distance is beyond the limit, each left out in turn."""
    neighbours: int = 60
    """People of the reference that a distance is to: fewer give a poor spread, more reach over into other groups. Never
    more than a tenth of the reference.
    """
    smoothing: float = 3.0
    """Variances of noise added to the spread of the neighbours: of 60, some lie flat in a direction by chance."""
    min_signal: float = 0.75
    """Shrinkage factor that a component needs to take part in the distance: the first few, which separate groups."""
    max_residual: float = 1.5
    """Residual from which a person is out of distribution wherever the scores lie: 1 + F, and parents who are full sibs
    give F = 0.25. A left-out continent gives 1.02 to 1.35 (real data); more is another species, or bad data.
    """

    def __post_init__(self) -> None:
        choices.choose("ancestry.project.method", self.method, ("oadp", "ap", "naive"))
        choices.choose("ancestry.project.missing", self.missing, ("least-squares", "mean"))
        choices.choose("ancestry.project.absent", self.absent, ("auto", "missing", "hom-ref"))
        choices.between("ancestry.project.min_share", self.min_share, 0.001, 1.0)
        choices.between("ancestry.project.min_called", self.min_called, 0.001, 1.0)
        choices.between("ancestry.project.ood_rate", self.ood_rate, 0.0, 0.5)
        choices.between("ancestry.project.neighbours", self.neighbours, 5, 100_000)
        choices.between("ancestry.project.smoothing", self.smoothing, 0.01, 1_000.0)
        choices.between("ancestry.project.min_signal", self.min_signal, 0.0, 1.0)
        choices.between("ancestry.project.max_residual", self.max_residual, 1.0, 1_000_000.0)


@dataclass(frozen=True)
class FitParams:
    """How principal components are fitted."""

    k: int = 16
    """Components: All of Us and gnomAD v3 use 16."""
    k_extra: int | None = None
    """Further loadings, for the corrected projection (OADP looks beyond the k that are kept). None: as many as k."""
    min_call_rate: float = 0.95
    """A site needs this share of the samples of the fit called; All of Us takes sites with 0.99 for its own."""
    min_maf: float = 0.01
    """Rarer alleles, scaled to equal variance, say more of single families than of ancestry (gnomAD: above 0.001)."""
    max_hwe_chi2: float | None = None
    """Chi-squared of Hardy-Weinberg above which a site is left out. None: off, as structure itself departs from it."""
    tolerance: float = 1e-3
    """|A v - lambda v| / lambda of the k pairs: eigenvalues are then right to about 1e-6, its square."""
    max_passes: int = 12
    """Products with the genotypes; one more makes the loadings. 10 components of 1000 Genomes need ten. It ends sooner

    where the rest would not converge in so many, as components of noise do not.
    """
    block: int = 32
    """Columns of a pass: with fewer BLAS is half as fast, with more it takes more columns in all to converge."""
    seed: int = 1
    """Of the first block."""
    memory_mib: int = 1024
    """Half of it is for partial sums, 4 bytes x samples x block of each task: it sets the number of tasks."""
    spectrum_up_to: int = 4_000
    """Samples up to which every eigenvalue is computed (the AP projection uses the tail): samples squared x sites."""

    def __post_init__(self) -> None:
        choices.between("ancestry.fit.k", self.k, 1, 1000)
        if self.k_extra is not None:
            choices.between("ancestry.fit.k_extra", self.k_extra, 0, 1000)
        choices.between("ancestry.fit.min_call_rate", self.min_call_rate, 0.0, 1.0)
        choices.between("ancestry.fit.min_maf", self.min_maf, 0.0, 0.5)
        if self.max_hwe_chi2 is not None:
            choices.between("ancestry.fit.max_hwe_chi2", self.max_hwe_chi2, 0.0, 1e9)
        choices.between("ancestry.fit.tolerance", self.tolerance, 1e-6, 1.0)
        choices.between("ancestry.fit.max_passes", self.max_passes, 1, 1000)
        fewest = -(-(2 * self.k if self.k_extra is None else self.k + self.k_extra) // self.max_passes)
        choices.between("ancestry.fit.block", self.block, fewest, 1000)
        choices.between("ancestry.fit.seed", self.seed, 0, 2**32 - 1)
        choices.between("ancestry.fit.memory_mib", self.memory_mib, 16, 1 << 24)
        choices.between("ancestry.fit.spectrum_up_to", self.spectrum_up_to, 0, 50_000)
