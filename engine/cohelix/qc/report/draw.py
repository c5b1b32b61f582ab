"""Figures as SVG, drawn by matplotlib (the extra `report`). Equal figures give equal bytes."""

from __future__ import annotations

import io
import math
import re
from dataclasses import replace
from html import escape
from typing import Any

from cohelix.errors import ConfigError
from cohelix.qc.report.figures import Figure
from cohelix.qc.report.sites import FREQUENCY_NAMES
from cohelix.report import FILL, GREY, INK, LINES, PLOT, RULE

CUT = "#b23a30"
WIDTH = 4.6


def svg(figure: Figure) -> str:
    """The figure as an inline SVG element. ConfigError where matplotlib is not installed."""
    canvas = _canvas(figure)
    buffer = io.StringIO()
    import matplotlib

    with matplotlib.rc_context(PLOT | {"svg.hashsalt": figure.name}):
        canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # ids of several pictures share a page
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{figure.name}-", text)
    return text.replace("<svg ", f'<svg role="img" aria-label="{escape(figure.title)}" ', 1)


def png(figure: Figure, dots_per_inch: int = 144) -> bytes:
    """The figure as a PNG image."""
    buffer = io.BytesIO()
    import matplotlib

    canvas = _canvas(figure)
    with matplotlib.rc_context(PLOT):
        canvas.savefig(buffer, format="png", dpi=dots_per_inch)
    return buffer.getvalue()


def _canvas(figure: Figure) -> Any:
    try:
        import matplotlib
        from matplotlib.figure import Figure as Canvas
    except ImportError:
        raise ConfigError("the report needs matplotlib. Install it: pip install 'cohelix[report]'.") from None
    if figure.bins:
        draw, height = _bins, 0.85 + 0.34 * len(figure.bins)
    elif figure.boxes:
        draw, height = _boxes, 0.8 + 0.3 * len(figure.boxes)
    elif figure.bars:
        draw, height = _bars, 0.8 + 0.24 * len(figure.bars)
    elif figure.cells:
        draw, height = (_cells, 3.5) if figure.one_unit else (_rectangles, 3.6)
    else:
        draw, height = _lines, 3.0 if not figure.diagonal else 3.8
    with matplotlib.rc_context(PLOT):
        canvas = Canvas(figsize=(WIDTH, height), layout="constrained")
        axes = canvas.add_subplot()
        draw(axes, figure)
        axes.set_xlabel(figure.x_label)
        _shorten(axes.xaxis, figure)
        return canvas


def _shorten(axis: Any, figure: Figure) -> None:
    """Large numbers as 480k and 4.2M, shares of bars in per cent."""
    from matplotlib.ticker import EngFormatter, MaxNLocator, PercentFormatter

    if figure.bars:
        axis.set_major_locator(MaxNLocator(4))
        axis.set_major_formatter(PercentFormatter(1))
    elif figure.x_label == "component":
        axis.set_major_locator(MaxNLocator(8, integer=True))
    elif figure.bins or figure.boxes:
        axis.set_major_locator(MaxNLocator(6))
        if max(map(abs, axis.get_view_interval())) >= 10_000:
            axis.set_major_formatter(EngFormatter(sep=""))


def _bins(axes: Any, figure: Figure) -> None:
    """One row for each group: height is share over width, as high as the highest of its row."""
    rows = len(figure.bins)
    for row, series in enumerate(figure.bins):
        base = rows - 1 - row
        heights = [share / (end - start) for (start, end), share in zip(series.edges, series.shares, strict=True)]
        top = max(heights)
        lefts, widths = [start for start, _ in series.edges], [end - start for start, end in series.edges]
        scaled = [max(0.82 * height / top, 0.03) for height in heights]  # what is there is seen
        axes.bar(lefts, scaled, widths, bottom=base, align="edge", color=FILL, linewidth=0.4, edgecolor="white")
        axes.axhline(base, color=RULE, linewidth=0.7)
    names = [f"{series.name}   {series.people}" for series in figure.bins]
    axes.set_yticks([rows - 1 - row + 0.25 for row in range(rows)], names)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(0, rows)
    low = min(start for series in figure.bins for start, _ in series.edges)
    high = max(end for series in figure.bins for _, end in series.edges)
    low, high = min([low, *(cut.value for cut in figure.cuts)]), max([high, *(cut.value for cut in figure.cuts)])
    axes.set_xlim(low - 0.02 * (high - low), high + 0.02 * (high - low))
    _cuts(axes, figure, (low + high) / 2)


def _cuts(axes: Any, figure: Figure, middle: float) -> None:
    for cut in figure.cuts:
        axes.axvline(cut.value, color=CUT, linewidth=1, linestyle=(0, (4, 2)))
        side = "center" if not cut.asked else "left" if cut.value <= middle else "right"
        axes.annotate(
            cut.label, (cut.value, 1), xycoords=("data", "axes fraction"),
            xytext=({"left": 4, "center": 0, "right": -4}[side], 2), textcoords="offset points",
            ha=side, va="bottom", color=CUT, fontsize=8,
        )  # fmt: skip


def _boxes(axes: Any, figure: Figure) -> None:
    """A line from 5 to 95 per cent, a bar from 25 to 75, a tick at the median, a dot at the mean."""
    count = len(figure.boxes)
    for row, box in enumerate(figure.boxes):
        base = count - 1 - row
        p5, p25, p50, p75, p95 = box.quantiles
        if p5 is not None and p95 is not None:
            axes.plot([p5, p95], [base, base], color=GREY, linewidth=0.8)
        if p25 is not None and p75 is not None:
            axes.barh(base, p75 - p25, 0.5, p25, color=FILL)
        if p50 is not None:
            axes.plot([p50, p50], [base - 0.25, base + 0.25], color=INK, linewidth=1.2)
        axes.plot(box.mean, base, "o", markersize=3, color=CUT)
    names = [f"{box.name}   {box.people}" for box in figure.boxes]
    axes.set_yticks([count - 1 - row for row in range(count)], names)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.use_sticky_edges = False
    axes.margins(x=0.06, y=0.1)


def _bars(axes: Any, figure: Figure) -> None:
    count = len(figure.bars)
    places = [count - 1 - row for row in range(count)]
    axes.barh(places, [value for _, value in figure.bars], 0.6, color=FILL)
    for place, (_, value) in zip(places, figure.bars, strict=True):
        axes.annotate(
            f"{value:.2%}", (value, place), xytext=(4, 0), textcoords="offset points", va="center", color=GREY
        )
    axes.set_yticks(places, [name for name, _ in figure.bars])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.12)


def _cells(axes: Any, figure: Figure) -> None:
    """Squares, darker where there are more people (logarithm of the count)."""
    from matplotlib.colors import LinearSegmentedColormap, LogNorm

    palette = LinearSegmentedColormap.from_list("people", ["#d9e5ee", "#7fa3bd", "#1f4e70"])
    norm = LogNorm(10, max(cell.count for cell in figure.cells) * 1.01)
    for cell in figure.cells:
        width, height = cell.x[1] - cell.x[0], cell.y[1] - cell.y[0]
        axes.bar(cell.x[0], height, width, cell.y[0], align="edge", color=palette(norm(cell.count)), linewidth=0)
    for value in (0, 1, 2, 3):
        axes.axvline(value, color=RULE, linewidth=0.6, zorder=0)
        axes.axhline(value, color=RULE, linewidth=0.6, zorder=0)
    axes.set_xlim(-0.1, max(3.2, *(cell.x[1] for cell in figure.cells)))
    axes.set_ylim(-0.1, max(2.2, *(cell.y[1] for cell in figure.cells)))
    axes.set_ylabel(figure.y_label)
    axes.set_aspect("equal")


def _rectangles(axes: Any, figure: Figure) -> None:
    """Rectangles of unequal size in the colour of their group, denser where there are more people to an area."""
    names = sorted({cell.group for cell in figure.cells})
    most = 0.6 if len(names) > 1 else 0.9  # where groups lie on one another, each is seen through the others
    for name, colour in zip(names, LINES * 3, strict=False):
        cells = [cell for cell in figure.cells if cell.group == name]
        spread = [math.log(cell.count / ((cell.x[1] - cell.x[0]) * (cell.y[1] - cell.y[0]))) for cell in cells]
        low, high = min(spread), max(spread)
        for cell, density in zip(cells, spread, strict=True):
            depth = (0.6 if high == low else 0.2 + 0.8 * (density - low) / (high - low)) * most
            width, height = cell.x[1] - cell.x[0], cell.y[1] - cell.y[0]
            axes.bar(cell.x[0], height, width, cell.y[0], align="edge", color=colour, alpha=depth, linewidth=0)
        axes.bar(cells[0].x[0], 0, 0, cells[0].y[0], color=colour, alpha=most, label=name)
    axes.use_sticky_edges = False
    axes.margins(0.06)
    axes.set_ylabel(figure.y_label)
    low, high = axes.get_xlim()
    _cuts(axes, replace(figure, cuts=tuple(cut for cut in figure.cuts if low <= cut.value <= high)), (low + high) / 2)
    if len(names) > 1:
        axes.legend(ncols=4, handlelength=1, handleheight=1, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)


def _lines(axes: Any, figure: Figure) -> None:
    for line, colour in zip(figure.lines, LINES * 3, strict=False):
        mark = (
            {"marker": ".", "linestyle": "none", "markersize": 3}
            if figure.diagonal
            else {"marker": "o", "markersize": 3.5}
        )
        axes.plot(line.x, line.y, color=colour, label=line.name, linewidth=1.2, **mark)
    if figure.diagonal:
        end = max(max(line.x) for line in figure.lines)
        axes.plot([0, end], [0, end], color=GREY, linewidth=0.8, linestyle=(0, (4, 2)))
    if figure.log_y:
        axes.set_yscale("log")
    if figure.x_label == "allele frequency":
        axes.set_xticks(range(len(FREQUENCY_NAMES)), FREQUENCY_NAMES, rotation=35, ha="right")
    axes.set_ylabel(figure.y_label)
    if len(figure.lines) > 1:
        axes.legend(ncols=2 if len(figure.lines) > 4 else 1)
