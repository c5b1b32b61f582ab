"""index.html: the figures and the main numbers on one page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from cohelix import __version__
from cohelix.prs.evaluate.measure import Row
from cohelix.prs.evaluate.plots import Figure
from cohelix.report import page

MOST_ROWS = 200


def write_page(
    path: Path, rows: Sequence[Row], score_ids: Sequence[str], figures: Sequence[tuple[Figure, str]], least: int
) -> None:
    """rows: all metrics; those of everybody are shown. figures: each with its SVG element."""
    shown = [row for row in rows if row.stratum.kind == "all"]
    more = f"<p>{len(shown) - MOST_ROWS:,} more are in metrics.tsv.</p>" if len(shown) > MOST_ROWS else ""
    pictures = "".join(
        f"<figure><h3>{escape(figure.title)}</h3>{element}<figcaption>{escape(figure.note)}</figcaption></figure>"
        for figure, element in figures
    )
    pictured = f'<h2>Figures</h2><div class="parts">{pictures}</div>' if pictures else ""
    body = "".join(_line(row, score_ids[row.score]) for row in shown[:MOST_ROWS])
    table = (
        '<h2>Everybody</h2><table><thead><tr><th>trait</th><th>score</th><th>metric</th><th class="number">n</th>'
        '<th class="number">estimate</th><th class="number">interval</th><th></th></tr></thead>'
        f"<tbody>{body}</tbody></table>{more}"
    )
    foot = (
        f"cohelix {escape(__version__)}. Aggregates only: nothing is said of strata with fewer than {least} people, "
        "cases or controls, or of those that would give such a number away."
    )
    header = "<p>How well scores foretell traits. Strata are in metrics.tsv.</p>"
    path.write_text(page("Polygenic scores", header, f"{pictured}\n{table}", foot), encoding="utf-8")


def _line(row: Row, score: str) -> str:
    number = '<td class="number">'
    n = "withheld" if row.stratum.suppressed else f"{row.stratum.n:,}"
    known = row.estimate == row.estimate
    value = f"{row.estimate:.4g}" if known else ""
    interval = f"{row.low:.4g} to {row.high:.4g}" if known else ""
    return (
        f"<tr><td>{escape(row.trait)}</td><td>{escape(score)}</td><td>{escape(row.metric)}</td>{number}{n}</td>"
        f"{number}{value}</td>{number}{interval}</td><td>{escape(row.note)}</td></tr>"
    )
