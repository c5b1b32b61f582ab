"""index.html: the figures and the main numbers on one page. Everything it needs is in it, and it prints."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from cohelix import __version__
from cohelix.prs.evaluate.measure import Row
from cohelix.prs.evaluate.plots import Figure

MOST_ROWS = 200
STYLE = """
body { margin: 0 auto; max-width: 62rem; padding: 3rem 2rem 5rem; color: #1c2733; background: #fff;
  font: 15px/1.55 "Helvetica Neue", Helvetica, Arial, sans-serif; }
h1 { font-size: 1.9rem; font-weight: 600; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; font-weight: 600; margin: 3rem 0 .6rem; padding-top: 1rem; border-top: 1px solid #d8dde2; }
h3 { font-size: .95rem; font-weight: 600; margin: 0 0 .4rem; }
p, figcaption { color: #6b7680; max-width: 44rem; }
figcaption { font-size: .85rem; }
.parts { display: grid; grid-template-columns: repeat(auto-fill, minmax(27rem, 1fr)); gap: 2rem 2.5rem; }
figure { margin: 0; break-inside: avoid; }
svg { width: 100%; height: auto; display: block; }
table { border-collapse: collapse; font-size: .87rem; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; color: #6b7680; border-bottom: 1px solid #1c2733;
  padding: .25rem .9rem .25rem 0; }
td { border-bottom: 1px solid #d8dde2; padding: .3rem .9rem .3rem 0; }
.number { text-align: right; white-space: nowrap; }
footer { margin-top: 4rem; color: #6b7680; font-size: .8rem; }
@media (max-width: 34rem) { .parts { grid-template-columns: 1fr; } }
"""


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
    path.write_text(
        f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Polygenic scores</title>
<style>{STYLE}</style>
</head>
<body>
<header><h1>Polygenic scores</h1><p>How well scores foretell traits. Strata are in metrics.tsv.</p></header>
{pictured}
<h2>Everybody</h2>
<table><thead><tr><th>trait</th><th>score</th><th>metric</th><th class="number">n</th><th class="number">estimate</th>
<th class="number">interval</th><th></th></tr></thead><tbody>{body}</tbody></table>{more}
<footer>cohelix {escape(__version__)}. Aggregates only: nothing is said of strata with fewer than {least} people, cases
or controls, or of those that would give such a number away.</footer>
</body>
</html>
""",
        encoding="utf-8",
    )


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
