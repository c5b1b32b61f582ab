"""index.html of frequencies: what the cohort has, beside what was published. Everything it needs is in it."""

from __future__ import annotations

import importlib.util
import io
import re
import warnings
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cohelix import __version__
from cohelix.errors import ConfigError
from cohelix.pgx.outputs.published import Published

if TYPE_CHECKING:
    from cohelix.pgx.outputs.frequencies import Frequency

INK, GREY, RULE = "#1c2733", "#6b7680", "#d8dde2"
COLOURS = ("#2f6690", "#c2703d", "#4c8c5a", "#8a5a9e", "#a8912f", "#4d9aa6", "#96556a", "#5f6b75")
MARKS = "osD^vP*X"
MOST_GROUPS = 8
STYLE = """
body { margin: 0 auto; max-width: 62rem; padding: 3rem 2rem 5rem; color: #1c2733; background: #fff;
  font: 15px/1.55 "Helvetica Neue", Helvetica, Arial, sans-serif; }
h1 { font-size: 1.9rem; font-weight: 600; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; font-weight: 600; margin: 3rem 0 .6rem; padding-top: 1rem; border-top: 1px solid #d8dde2; }
p, figcaption { color: #6b7680; max-width: 44rem; }
figure { margin: 0; max-width: 34rem; }
svg { width: 100%; height: auto; display: block; }
table { border-collapse: collapse; font-size: .87rem; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; color: #6b7680; border-bottom: 1px solid #1c2733;
  padding: .25rem .9rem .25rem 0; }
td { border-bottom: 1px solid #d8dde2; padding: .3rem .9rem .3rem 0; }
.number { text-align: right; white-space: nowrap; }
footer { margin-top: 4rem; color: #6b7680; font-size: .8rem; }
"""
_PLOT: dict[Any, Any] = {
    "font.family": "sans-serif", "font.sans-serif": ["Helvetica Neue", "Helvetica", "Arial", "DejaVu Sans"],
    "font.size": 8.5, "text.color": INK, "axes.edgecolor": RULE, "axes.labelcolor": GREY, "xtick.color": GREY,
    "ytick.color": GREY, "svg.fonttype": "none", "axes.spines.top": False, "axes.spines.right": False,
    "legend.frameon": False, "legend.fontsize": 8, "svg.hashsalt": "pgx",
}  # fmt: skip


def check_installed() -> None:
    """ConfigError where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError("the plot needs matplotlib. Install it: pip install 'cohelix[report]', or give --no-plots.")


def write(
    folder: Path, found: Sequence[Frequency], beside: Sequence[tuple[Frequency, Published]], summary: dict[str, Any]
) -> None:
    """index.html and, where anything was published of these groups, plots/published.svg and .png."""
    picture = ""
    if beside:
        (folder / "plots").mkdir()
        element, image = _drawn(beside)
        (folder / "plots" / "published.svg").write_text(element + "\n", encoding="utf-8")
        (folder / "plots" / "published.png").write_bytes(image)
        sources = ", ".join(
            f'<a href="{escape(summary["sources"][key])}">{escape(key)}</a>'
            for key in sorted({o.source for _, o in beside})
        )
        picture = (
            f"<h2>Beside published frequencies</h2><figure>{element}<figcaption>One mark an allele and group. "
            f"Sources: {sources}.</figcaption></figure>"
        )
    tables = "".join(_phenotypes(gene, [row for row in found if row.gene == gene]) for gene in summary["genes"])
    (folder / "index.html").write_text(
        f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Star alleles</title>
<style>{STYLE}</style>
</head>
<body>
<header><h1>Star alleles</h1><p>Phenotypes of pharmacogenes by group. Alleles and diplotypes are in
frequencies.tsv.</p></header>
{picture}
{tables}
<footer>cohelix {escape(__version__)}, definitions {escape(summary["reference"])}. Counts below {summary["least"]}, and
those that would give one away, are withheld (–).</footer>
</body>
</html>
""",
        encoding="utf-8",
    )


def _phenotypes(gene: str, rows: Sequence[Frequency]) -> str:
    """Phenotypes of a gene, or its statuses where it has none: a row each, a column a group."""
    kind = "phenotype" if any(row.kind == "phenotype" for row in rows) else "status"
    shown = [row for row in rows if row.kind == kind]
    groups = list(dict.fromkeys(row.group for row in shown))
    by_name: dict[str, list[str]] = {}
    for row in shown:
        text = "–" if row.withheld else f"{100 * row.frequency:.3g} %" if row.total else ""
        by_name.setdefault(row.name, []).append(f'<td class="number">{text}</td>')
    head = "".join(f'<th class="number">{escape(group)}</th>' for group in groups)
    body = "".join(f"<tr><td>{escape(name)}</td>{''.join(cells)}</tr>" for name, cells in by_name.items())
    return f"<h2>{escape(gene)}</h2><table><thead><tr><th>{kind}</th>{head}</tr></thead><tbody>{body}</tbody></table>"


def _drawn(beside: Sequence[tuple[Frequency, Published]]) -> tuple[str, bytes]:
    """The figure as an SVG element and as a PNG image. Equal frequencies give equal bytes."""
    import matplotlib
    from matplotlib.figure import Figure

    vector, image = io.BytesIO(), io.BytesIO()
    with matplotlib.rc_context(_PLOT), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a name in letters that the font has not
        canvas = Figure(figsize=(4.8, 4.6), layout="constrained")
        axes = canvas.add_subplot()
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=(0, (4, 2)))
        groups = list(dict.fromkeys((row.group, one.group) for row, one in beside))[:MOST_GROUPS]
        for place, (group, theirs) in enumerate(groups):
            pairs = [(one.frequency, row.frequency) for row, one in beside
                     if (row.group, one.group) == (group, theirs) and not one.below]  # fmt: skip
            axes.plot([x for x, _ in pairs], [y for _, y in pairs], MARKS[place], color=COLOURS[place], markersize=4,
                      markerfacecolor="none", label=f"{group} ({theirs})")  # fmt: skip
        axes.set(
            xlabel="published frequency", ylabel="frequency in this cohort", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02)
        )
        axes.set_aspect("equal")
        axes.legend(loc="upper left")
        canvas.savefig(image, format="png", dpi=144, metadata={"Software": None})
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        canvas.savefig(vector, format="svg", metadata=nothing)
    text = vector.getvalue().decode()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL).strip()
    label = 'role="img" aria-label="Allele frequencies beside published ones" '
    return text.replace("<svg ", f"<svg {label}", 1), image.getvalue()
