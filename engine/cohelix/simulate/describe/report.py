"""What `cohelix simulate describe` writes: statistics with the published ranges beside them, and a picture of each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cohelix.folder import appearing_whole
from cohelix.reference import read_rows
from cohelix.simulate.describe import measures, plots
from cohelix.simulate.describe.measures import Sums
from cohelix.simulate.describe.truth_genotypes import open_genotypes
from cohelix.simulate.people.person import GROUPS

HEADER = ("statistic", "group", "other", "value", "low", "high", "source", "verdict")


@dataclass(frozen=True)
class Statistic:
    """One value; group and other are "" where it is of all people."""

    name: str
    group: str
    other: str
    value: float


def describe_cohort(folder: Path, out: Path) -> None:
    """Write `statistics.tsv` and up to six pictures of the cohort in `folder` to `out`, a new or empty folder.

    Only unrelated people count, and chromosomes 1 to 22. Raises InputError where `folder` is no made cohort,
    ConfigError where `out` holds files and where matplotlib is missing.
    """
    plots.require_matplotlib()
    with appearing_whole(out) as passing:
        _write(measures.measure(open_genotypes(folder)), passing)


def _write(sums: Sums, out: Path) -> None:
    published = _published()
    coordinates, shares = measures.principal_axes(sums)
    ranges = {key: (low, high) for key, (low, high, _) in published.items()}
    # A picture without anybody in it is left out: few people, few bases.
    if sums.groups:
        plots.frequency_spectrum(out / "frequency-spectrum.png", sums)
        plots.heterozygosity(out / "heterozygosity.png", sums, ranges)
    if len(sums.groups) > 1:
        plots.f_st(out / "f-st.png", sums)
    if any((sums.ld_pairs[group] >= measures.FEWEST_LD_PAIRS).any() for group in sums.groups):
        plots.ld_decay(out / "ld-decay.png", sums)
    if len(sums.genotypes.pairs):
        plots.kinship(out / "kinship.png", sums)
    if shares.size > 1:
        plots.principal_axes(out / "principal-components.png", sums, coordinates, shares)
    found = [*statistics(sums), *_of_axes(sums, coordinates, shares)]
    lines = ["\t".join(_line(statistic, published)) for statistic in found]
    (out / "statistics.tsv").write_text("\n".join(["\t".join(HEADER), *lines]) + "\n", encoding="utf-8")


def statistics(sums: Sums) -> list[Statistic]:
    """All that can be said of this cohort: what few people or few bases cannot tell is left out."""
    n_transversions = sums.n_snps - sums.n_transitions
    found = [
        Statistic("indel_share", "", "", 1 - sums.n_snps / sums.n_variants if sums.n_variants else math.nan),
        Statistic("ti_tv", "", "", sums.n_transitions / n_transversions if n_transversions else math.nan),
    ]
    if 2 * int(sums.genotypes.unrelated.sum()) >= 400:  # otherwise one copy is 0.5 %
        found.append(Statistic("rare_share", "", "", sums.n_rare / sums.n_snps))
    for group, values in measures.heterozygosity(sums).items():
        found.append(Statistic("heterozygosity_per_kb", GROUPS[group], "", float(values.mean())))
    for group in sums.groups:
        shares = measures.minor_spectrum(sums.spectrum[group])
        if shares.size:
            found.append(Statistic("singleton_share", GROUPS[group], "", float(shares[0])))
    f_st = measures.f_st(sums)
    for a in sums.groups:
        found += [Statistic("f_st", GROUPS[a], GROUPS[b], float(f_st[a, b])) for b in sums.groups if a < b]
    for group in sums.groups:
        found += _of_ld(sums, group)
    if len(sums.genotypes.pairs):
        difference = measures.king(sums) - sums.genotypes.kinship
        names = np.array(sums.genotypes.relationship)
        for name in sorted(set(names.tolist())):
            found.append(Statistic("kinship_difference", name, "", float(np.nanmean(difference[names == name]))))
    return [statistic for statistic in found if math.isfinite(statistic.value)]


def _of_ld(sums: Sums, group: int) -> list[Statistic]:
    name, pairs = GROUPS[group], sums.ld_pairs[group]
    enough = pairs >= measures.FEWEST_LD_PAIRS
    r2 = np.where(enough, sums.ld[group] / np.maximum(pairs, 1), np.nan)
    edges = measures.LD_EDGES / 1_000
    found = [
        Statistic(f"r2_at_{kb}_kb", name, "", float(np.nanmean(r2[(edges[1:] == kb) | (edges[:-1] == kb)])))
        for kb in (5, 100)
        if enough[(edges[1:] == kb) | (edges[:-1] == kb)].all()
    ]
    middle = (edges[:-1] + edges[1:]) / 2
    below = np.flatnonzero(enough & (r2 < r2[0] / 2))
    if enough[0] and below.size and below[0] > 0 and enough[below[0] - 1]:
        last = below[0] - 1
        along = (r2[last] - r2[0] / 2) / (r2[last] - r2[last + 1])
        found.append(
            Statistic("r2_half_length_kb", name, "", float(middle[last] + along * (middle[last + 1] - middle[last])))
        )
    return found


def _of_axes(sums: Sums, coordinates: np.ndarray, shares: np.ndarray) -> list[Statistic]:
    if not shares.size:
        return []
    between = measures.between_groups(coordinates, sums.genotypes.group[sums.pca_people])
    return [Statistic(f"component_{k + 1}_between_groups", "", "", float(share)) for k, share in enumerate(between)]


def _published() -> dict[tuple[str, str, str], tuple[float, float, str]]:
    rows = read_rows("simulate", "expectations", "published.tsv")
    return {
        (row["statistic"], row["group"], row["other"]): (float(row["low"]), float(row["high"]), row["source"])
        for row in rows
    }


def _line(statistic: Statistic, published: dict[tuple[str, str, str], tuple[float, float, str]]) -> list[str]:
    group, other = statistic.group, statistic.other
    keys = [(statistic.name, group, other), (statistic.name, other, group)]
    if statistic.name == "kinship_difference":
        keys = [(statistic.name, "", "")]
    known = next((published[key] for key in keys if key in published), None)
    value = f"{statistic.value:.4f}"
    if known is None:
        return [statistic.name, group, other, value, "", "", "", "no range"]
    low, high, source = known
    verdict = "within" if low <= statistic.value <= high else "outside"
    return [statistic.name, group, other, value, f"{low:g}", f"{high:g}", source, verdict]
