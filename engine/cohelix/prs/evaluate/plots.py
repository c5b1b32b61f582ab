"""Figures of an evaluation, drawn by matplotlib (the extra `report`). Equal figures give equal bytes.

They are made of what the tables show and of densities of groups; no figure has a mark for a person. Files are
numbered: what a score or trait is called does not become a path.
"""

from __future__ import annotations

import importlib.util
import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from cohelix.errors import ConfigError
from cohelix.prs.evaluate.measure import Calibrated, Measured, Row
from cohelix.prs.evaluate.phenotypes import Trait
from cohelix.prs.evaluate.strata import Partition, suppressed
from cohelix.prs.evaluate.tables import Compared
from cohelix.report import GREY, INK, LINES, PLOT

WIDTH = 4.6
MOST_TRAITS, MOST_SCORES, MOST_GROUPS = 20, 6, 12
"""Traits that have figures, scores in one of them, and groups: more are in the tables."""
NAMES = {
    "auc": "AUC", "auc_full": "AUC with covariates", "r2": "R²", "incremental_r2": "R² beyond covariates",
    "sum": "sum of weights", "z_norm2": "adjusted score (Z, mean and variance)", "z_norm1": "adjusted score (Z, mean)",
    "z_most_similar": "Z in the most similar population", "percentile_most_similar": "percentile",
}  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """One picture: `draw` puts it on axes."""

    title: str
    height: float
    draw: Callable[[Any], None]
    note: str = ""


@dataclass(frozen=True)
class Drawn:
    """What all figures know. bins: mean distance of each bin that may be shown."""

    score_ids: Sequence[str]
    with_covariates: bool
    bins: Mapping[str, float]
    least: int

    def metric(self, trait: Trait) -> str:
        """What stands for accuracy in figures."""
        return "auc" if trait.binary else "incremental_r2" if self.with_covariates else "r2"


def check_installed() -> None:
    """ConfigError where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError(
            "the plots need matplotlib. Install it: pip install 'cohelix[report]', or set prs.evaluate.plots = false."
        )


def write(folder: Path, figures: Sequence[Figure]) -> list[str]:
    """plots/000.svg, 000.png, 001.svg, ...; the SVG elements, which may stand in one page."""
    if figures:
        (folder / "plots").mkdir()
    elements = []
    for place, figure in enumerate(figures):
        text, image = _saved(figure, place)
        (folder / "plots" / f"{place:03}.svg").write_text(text + "\n", encoding="utf-8")
        (folder / "plots" / f"{place:03}.png").write_bytes(image)
        elements.append(text)
    return elements


def _saved(figure: Figure, place: int) -> tuple[str, bytes]:
    """The figure as an SVG element, with ids of its own, and as a PNG image."""
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    vector, image = io.BytesIO(), io.BytesIO()
    with matplotlib.rc_context(PLOT | {"svg.hashsalt": str(place)}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a name in letters that the font has not
        canvas = Canvas(figsize=(WIDTH, figure.height), layout="constrained")
        figure.draw(canvas.add_subplot())
        canvas.savefig(image, format="png", dpi=144, metadata={"Software": None})
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        canvas.savefig(vector, format="svg", metadata=nothing)
    text = vector.getvalue().decode()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>f{place}-", text)
    return text.strip().replace("<svg ", f'<svg role="img" aria-label="{escape(figure.title)}" ', 1), image.getvalue()


def of_traits(drawn: Drawn, measured: Measured, compared: Sequence[Compared], traits: Sequence[Trait]) -> list[Figure]:
    """Accuracy by group, its decline with distance, calibration and agreement of each trait."""
    found: list[Figure | None] = []
    for trait in traits[:MOST_TRAITS]:
        metric = drawn.metric(trait)
        rows = [
            row for row in measured.rows
            if row.trait == trait.name and row.metric == metric and row.estimate == row.estimate
        ]  # fmt: skip
        found.append(_by_group(drawn, trait.name, metric, rows))
        found.append(_by_distance(drawn, trait.name, metric, rows))
        found.append(_calibration(drawn, trait, [one for one in measured.calibrated if one.trait == trait.name]))
        found += [_agreement(drawn, one) for one in compared if one.trait == trait.name]
    return [figure for figure in found if figure is not None]


def _scores(rows: Sequence[Row | Calibrated]) -> list[int]:
    return sorted({row.score for row in rows})[:MOST_SCORES]


def _by_group(drawn: Drawn, trait: str, metric: str, rows: Sequence[Row]) -> Figure | None:
    shown = [row for row in rows if row.stratum.kind in ("all", "group")]
    names = list(dict.fromkeys(row.stratum.name for row in shown))[: MOST_GROUPS + 1]
    scores = _scores(shown)
    if not names:
        return None

    def draw(axes: Any) -> None:
        for place, (score, colour) in enumerate(zip(scores, LINES, strict=False)):
            label = shortened(drawn.score_ids[score])
            for row in shown:
                if row.score == score and row.stratum.name in names:
                    base = len(names) - 1 - names.index(row.stratum.name) + 0.3 - 0.6 * (place + 0.5) / len(scores)
                    axes.plot([row.low, row.high], [base, base], color=colour, linewidth=1.2)
                    axes.plot(row.estimate, base, "o", markersize=3.5, color=colour, label=label)
                    label = "_nolegend_"
        axes.set_yticks(range(len(names)), [shortened(name) for name in names[::-1]])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(NAMES[metric])
        axes.set_ylim(-0.6, len(names) - 0.4)
        _legend(axes, len(scores))

    height = 0.9 + 0.32 * len(names) + 0.06 * len(scores) * len(names)
    return Figure(f"{trait}: accuracy by group", height, draw, "Lines are the intervals.")


def _by_distance(drawn: Drawn, trait: str, metric: str, rows: Sequence[Row]) -> Figure | None:
    shown = [row for row in rows if row.stratum.kind == "distance" and row.stratum.name in drawn.bins]
    scores = _scores(shown)
    if len({row.stratum.name for row in shown}) < 2:
        return None

    def draw(axes: Any) -> None:
        for score, colour in zip(scores, LINES, strict=False):
            held = [row for row in shown if row.score == score]
            x = np.array([drawn.bins[row.stratum.name] for row in held])
            value, low, high = (np.array([getattr(row, name) for row in held]) for name in ("estimate", "low", "high"))
            axes.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)
            axes.plot(x, value, "o-", markersize=3.5, linewidth=1.2, color=colour,
                      label=shortened(drawn.score_ids[score]))  # fmt: skip
        axes.set_xlabel("genetic distance from the training population (mean of the bin)")
        axes.set_ylabel(NAMES[metric])
        _legend(axes, len(scores))

    return Figure(f"{trait}: accuracy and genetic distance", 3.0, draw, "Bins of equal size; bands are the intervals.")


def _calibration(drawn: Drawn, trait: Trait, calibrated: Sequence[Calibrated]) -> Figure | None:
    """Of the first score: what came true against what was foretold, in all and by group."""
    scores = _scores(calibrated)
    held = [one for one in calibrated if one.score == scores[0]][: MOST_GROUPS + 1] if scores else []
    if not any(len(one.bins) > 1 for one in held):
        return None

    def draw(axes: Any) -> None:
        ends = [value for one in held for held_bin in one.bins for value in (held_bin.predicted, held_bin.observed)]
        axes.plot([min(ends), max(ends)], [min(ends), max(ends)], color=GREY, linewidth=0.8, linestyle=(0, (4, 2)))
        for one, colour in zip(held, (INK, *LINES * 3), strict=False):
            x, y = [b.predicted for b in one.bins], [b.observed for b in one.bins]
            if one.stratum.kind == "all":
                axes.vlines(x, [b.low for b in one.bins], [b.high for b in one.bins], color=colour, linewidth=0.8)
            axes.plot(x, y, "o-", markersize=3, linewidth=1, color=colour, label=shortened(one.stratum.name))
        what = "share of cases" if trait.binary else "mean"
        axes.set_xlabel(f"{what}, foretold")
        axes.set_ylabel(f"{what}, observed")
        _legend(axes, len(held))

    title = f"{trait.name}: calibration of {shortened(drawn.score_ids[scores[0]])}"
    note = "Foretold by models of the other folds of all people. Tenths, joined where few."
    return Figure(title, 3.4, draw, note)


def _agreement(drawn: Drawn, compared: Compared) -> Figure | None:
    k = len(compared.places)
    matrix = np.eye(k)
    for one in compared.found:
        if one.measure == "pearson" and one.first is not None and one.second is not None:
            matrix[one.first, one.second] = matrix[one.second, one.first] = one.value

    def draw(axes: Any) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        palette = LinearSegmentedColormap.from_list("agreement", ["#c2703d", "#ffffff", "#2f6690"])
        axes.imshow(matrix, cmap=palette, vmin=-1, vmax=1)
        labels = [shortened(drawn.score_ids[place]) for place in compared.places] if k <= 25 else []
        axes.set_xticks(range(len(labels)), labels, rotation=90)
        axes.set_yticks(range(len(labels)), labels)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        for one in range(k if k <= 10 else 0):
            for other in range(k):
                colour = "white" if abs(matrix[one, other]) > 0.7 else INK
                axes.text(other, one, f"{matrix[one, other]:.2f}", ha="center", va="center", fontsize=7, color=colour)

    return Figure(f"{compared.trait}: agreement of scores", 3.8, draw, "Pearson's r of every two scores.")


def of_scores(
    drawn: Drawn,
    kinds: Sequence[tuple[str, np.ndarray]],
    groups: Partition,
    eligible: np.ndarray,
    places: Sequence[int],
) -> list[Figure]:
    """Densities by group of the first scores, raw and adjusted. kinds: names and values (scores, samples)."""
    found = [
        _density(drawn, name, values[place], groups, eligible, drawn.score_ids[place])
        for place in list(places)[:MOST_SCORES]
        for name, values in kinds
    ]
    return [figure for figure in found if figure is not None]


def _density(
    drawn: Drawn, name: str, values: np.ndarray, groups: Partition, eligible: np.ndarray, score: str
) -> Figure | None:
    """Steps of at least `least` people each, within four standard deviations of the mean; the ends hold all beyond."""
    known = eligible & np.isfinite(values)
    sizes = np.bincount(groups.codes[known], minlength=len(groups.names))
    hidden = suppressed(sizes[:, None], drawn.least)
    shown = [place for place in range(len(groups.names)) if not hidden[place] and sizes[place] > 0][:MOST_GROUPS]
    if not shown or np.std(values[known]) == 0:
        return None
    middle, spread = float(np.mean(values[known])), float(np.std(values[known]))
    edges = np.linspace(middle - 4 * spread, middle + 4 * spread, 49)
    steps = {place: _steps(values[known & (groups.codes == place)], edges, drawn.least) for place in shown}

    def draw(axes: Any) -> None:
        for place, colour in zip(shown, LINES * 3, strict=False):
            ends, heights = steps[place]
            axes.stairs(heights, ends, color=colour, linewidth=1.2, label=shortened(groups.names[place]))
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(NAMES.get(name, name))
        _legend(axes, len(groups.names))

    title = f"{shortened(score)}: {'raw' if name == 'sum' else 'adjusted'} by group"
    return Figure(title, 2.6, draw, f"Every step holds {drawn.least} people or more.")


def _steps(values: np.ndarray, edges: np.ndarray, least: int) -> tuple[np.ndarray, np.ndarray]:
    """Edges and heights (share over width) of neighbouring bins joined until each holds `least` people.

    The first and the last reach to the ends: where the lowest and the highest person lie is not seen.
    """
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    ends, held = [0], list[int]()
    waiting = 0
    for place, count in enumerate(counts.tolist()):
        waiting += count
        if waiting >= least:
            ends.append(place + 1)
            held.append(waiting)
            waiting = 0
    held[-1] += waiting
    ends[-1] = len(counts)
    places = edges[np.array(ends)]
    return places, np.array(held) / (len(values) * np.diff(places))


def _legend(axes: Any, count: int) -> None:
    if count > 1:
        axes.legend(ncols=3, handlelength=1.2, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)


def shortened(name: str) -> str:
    """A name that fits on a picture, with `$` that matplotlib does not take for a formula."""
    text = name if len(name) <= 24 else name[:23] + "…"
    return text.replace("$", r"\$")
