"""index.html of frequencies: what the cohort has, beside what was published."""

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
from cohelix.report import GREY, LINES, PLOT, page

if TYPE_CHECKING:
    from cohelix.pgx.outputs.frequencies import Frequency

MARKS = "osD^vP*X"
MOST_GROUPS = 8


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
            f'<h2>Beside published frequencies</h2><figure class="alone">{element}<figcaption>One mark an allele and '
            f"group. Sources: {sources}.</figcaption></figure>"
        )
    tables = "".join(_phenotypes(gene, [row for row in found if row.gene == gene]) for gene in summary["genes"])
    header = "<p>Phenotypes of pharmacogenes by group. Alleles and diplotypes are in frequencies.tsv.</p>"
    foot = (
        f"cohelix {escape(__version__)}, definitions {escape(summary['reference'])}. Counts below {summary['least']}, "
        "and those that would give one away, are withheld (–)."
    )
    whole = page("Star alleles", header, f"{picture}\n{tables}", foot)
    (folder / "index.html").write_text(whole, encoding="utf-8")


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
    with matplotlib.rc_context(PLOT | {"svg.hashsalt": "pgx"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a name in letters that the font has not
        canvas = Figure(figsize=(4.8, 4.6), layout="constrained")
        axes = canvas.add_subplot()
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=(0, (4, 2)))
        groups = list(dict.fromkeys((row.group, one.group) for row, one in beside))[:MOST_GROUPS]
        for place, (group, theirs) in enumerate(groups):
            pairs = [(one.frequency, row.frequency) for row, one in beside
                     if (row.group, one.group) == (group, theirs) and not one.below]  # fmt: skip
            axes.plot([x for x, _ in pairs], [y for _, y in pairs], MARKS[place], color=LINES[place], markersize=4,
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
