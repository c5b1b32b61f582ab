"""A picture of each statistic. Colours are Okabe and Ito's: told apart without full colour vision. No ids."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cohelix.errors import ConfigError
from cohelix.simulate.describe import measures
from cohelix.simulate.describe.measures import Sums
from cohelix.simulate.people.person import GROUPS

COLOURS = dict(zip(GROUPS, ("#D55E00", "#CC79A7", "#009E73", "#0072B2", "#E69F00", "#56B4E9", "#7F7F7F"), strict=True))
MARKERS = dict(zip(GROUPS, ("o", "s", "^", "D", "v", "P", "X"), strict=True))
DOTS_PER_INCH = 150

Ranges = dict[tuple[str, str, str], tuple[float, float]]


def require_matplotlib() -> None:
    """Raises ConfigError where matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "pictures need matplotlib, which is not installed. Run pip install 'cohelix[report]'."
        ) from error


@contextmanager
def picture(path: Path, title: str, size: tuple[float, float] = (7.2, 4.6)) -> Iterator[Any]:
    """Axes to draw on; written to `path` as PNG, equal bytes for equal data."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#E5E5E5", linewidth=0.8)
    axes.set_axisbelow(True)
    yield axes
    figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})


def frequency_spectrum(path: Path, sums: Sums) -> None:
    with picture(path, "Allele frequencies: more rare variants than at constant size") as axes:
        x = np.arange(1, measures.PROJECTED // 2)  # without the last, where both alleles are as rare
        for group in sums.groups:
            shares = measures.minor_spectrum(sums.spectrum[group])
            if shares.size:
                axes.plot(x, shares[:-1], color=COLOURS[GROUPS[group]], marker=MARKERS[GROUPS[group]], markersize=4,
                          linewidth=1.2, label=GROUPS[group])  # fmt: skip
        axes.plot(
            x, measures.neutral_spectrum()[:-1], color="black", linestyle="--", linewidth=1.5, label="constant size"
        )
        axes.set(xscale="log", yscale="log", ylabel="share of SNPs that vary",
                 xlabel=f"copies of the rarer allele among {measures.PROJECTED} chromosomes")  # fmt: skip
        axes.legend(frameon=False, ncols=2)


def heterozygosity(path: Path, sums: Sums, ranges: Ranges) -> None:
    with picture(path, "Heterozygosity of people, and the published range of each group") as axes:
        found = measures.heterozygosity(sums)
        for place, group in enumerate(sums.groups):
            name, values = GROUPS[group], found[group]
            published = ranges.get(("heterozygosity_per_kb", name, ""))
            if published is not None:
                axes.bar(place, published[1] - published[0], bottom=published[0], width=0.8, color="#DDDDDD")
            scatter = ((np.arange(values.size) * 0.618034) % 1 - 0.5) * 0.5  # even, and the same every time
            axes.plot(place + scatter, values, linestyle="", marker=".", markersize=4, alpha=0.5, color=COLOURS[name])
            axes.plot([place - 0.35, place + 0.35], [values.mean()] * 2, color="black", linewidth=2)
        axes.set_xticks(range(len(sums.groups)), [GROUPS[group] for group in sums.groups])
        axes.set(xlabel="group (line: mean; grey: published)", ylabel="heterozygous SNPs per 1,000 bases")
        axes.set_ylim(bottom=0)


def f_st(path: Path, sums: Sums) -> None:
    names = [GROUPS[group] for group in sums.groups]
    with picture(path, "F_ST between groups (Hudson)", (6.2, 5.2)) as axes:
        values = measures.f_st(sums)[np.ix_(sums.groups, sums.groups)]
        image = axes.imshow(values, cmap="cividis", vmin=0, vmax=max(0.15, float(np.nanmax(values, initial=0.0))))
        for (i, j), value in np.ndenumerate(values):
            if np.isfinite(value):
                colour = "black" if value > 0.6 * image.norm.vmax else "white"
                axes.text(j, i, f"{value:.3f}", ha="center", va="center", fontsize=9, color=colour)
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(names)), names)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.figure.colorbar(image, ax=axes, label="F_ST", shrink=0.8)


def ld_decay(path: Path, sums: Sums) -> None:
    with picture(path, "Linkage disequilibrium falls with distance") as axes:
        middle = (measures.LD_EDGES[:-1] + measures.LD_EDGES[1:]) / 2_000
        for group in sums.groups:
            enough = sums.ld_pairs[group] >= measures.FEWEST_LD_PAIRS
            if not enough.any():
                continue
            values = sums.ld[group][enough] / sums.ld_pairs[group][enough]
            axes.plot(middle[enough], values, color=COLOURS[GROUPS[group]], marker=MARKERS[GROUPS[group]],
                      markersize=5, linewidth=1.5, label=GROUPS[group])  # fmt: skip
        axes.set(xscale="log", xlabel="distance (kb)",
                 ylabel=f"mean r² of SNPs of {measures.COMMON:.0%} or more")  # fmt: skip
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, ncols=2)


def kinship(path: Path, sums: Sums) -> None:
    with picture(path, "Kinship within families: estimated by KING-robust, and true") as axes:
        estimate, names = measures.king(sums), sorted(set(sums.genotypes.relationship))
        which = np.array([names.index(name) for name in sums.genotypes.relationship], np.int64)
        colours, markers = list(COLOURS.values()), list(MARKERS.values())
        axes.plot([0, 0.5], [0, 0.5], color="black", linewidth=1, linestyle="--", label="equal")
        for code, name in enumerate(names):
            here = which == code
            axes.plot(sums.genotypes.kinship[here], estimate[here], linestyle="", markersize=5, alpha=0.7, label=name,
                      marker=markers[code % len(markers)], color=colours[code % len(colours)])  # fmt: skip
        axes.set(xlabel="true kinship over the made regions", ylabel="KING-robust estimate")
        axes.legend(frameon=False, fontsize=8, ncols=2)


def principal_axes(path: Path, sums: Sums, coordinates: np.ndarray, shares: np.ndarray) -> None:
    with picture(path, "Principal components of unrelated people", (6.6, 5.4)) as axes:
        of = sums.genotypes.group[sums.pca_people]
        for group in np.unique(of).tolist():
            here = coordinates[of == group]
            axes.plot(here[:, 0], here[:, 1], linestyle="", markersize=5, alpha=0.7, color=COLOURS[GROUPS[group]],
                      marker=MARKERS[GROUPS[group]], label=GROUPS[group])  # fmt: skip
        axes.set(xlabel=f"component 1 ({shares[0]:.1%} of the variance)",
                 ylabel=f"component 2 ({shares[1]:.1%} of the variance)")  # fmt: skip
        axes.grid(color="#E5E5E5", linewidth=0.8)
        axes.legend(frameon=False)
