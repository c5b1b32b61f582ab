"""How pages and plots look, and the frame of a page: everything it needs is in it, and it prints."""

from __future__ import annotations

from html import escape
from typing import Any

INK, GREY, RULE, FILL = "#1c2733", "#6b7680", "#d8dde2", "#7fa3bd"
LINES = ("#2f6690", "#c2703d", "#4c8c5a", "#8a5a9e", "#a8912f", "#4d9aa6", "#96556a", "#5f6b75")

PLOT: dict[Any, Any] = {
    "font.family": "sans-serif", "font.sans-serif": ["Helvetica Neue", "Helvetica", "Arial", "DejaVu Sans"],
    "font.size": 8.5, "text.color": INK, "axes.edgecolor": RULE, "axes.labelcolor": GREY, "xtick.color": GREY,
    "ytick.color": GREY, "axes.linewidth": 0.7, "xtick.major.width": 0.7, "ytick.major.width": 0.7,
    "xtick.major.size": 3, "ytick.major.size": 3, "svg.fonttype": "none", "axes.spines.top": False,
    "axes.spines.right": False, "legend.frameon": False, "legend.fontsize": 8, "axes.unicode_minus": False,
}  # fmt: skip
"""Settings of matplotlib."""

_STYLE = """
:root { --ink: #1c2733; --grey: #6b7680; --rule: #d8dde2; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 3rem 2rem 5rem; color: var(--ink); background: #fff;
  font: 15px/1.55 "Helvetica Neue", Helvetica, Arial, sans-serif; }
h1 { font-size: 1.9rem; font-weight: 600; letter-spacing: -0.01em; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; font-weight: 600; margin: 3.2rem 0 .2rem; padding-top: 1rem;
  border-top: 1px solid var(--rule); }
h3 { font-size: .95rem; font-weight: 600; margin: 0 0 .4rem; }
p { margin: 0 0 1rem; max-width: 44rem; }
p, figcaption, .note { color: var(--grey); }
figcaption, .note { font-size: .85rem; }
nav { margin: 1.5rem 0 0; font-size: .9rem; }
nav a { color: var(--ink); margin-right: 1.1rem; text-decoration: none; border-bottom: 1px solid var(--rule); }
.parts { display: grid; grid-template-columns: repeat(auto-fill, minmax(27rem, 1fr));
  gap: 2rem 2.5rem; margin-top: 1.4rem; }
.wide { grid-column: 1 / -1; overflow-x: auto; }
figure, .table { margin: 0; break-inside: avoid; }
.alone { max-width: 34rem; }
svg { width: 100%; height: auto; display: block; }
table { border-collapse: collapse; font-size: .87rem; font-variant-numeric: tabular-nums; }
.parts table { width: 100%; }
.wide th:last-child { width: 44%; }
.wide td:nth-child(2) { min-width: 9.5rem; }
th { text-align: left; font-weight: 500; color: var(--grey); border-bottom: 1px solid var(--ink);
  padding: .25rem .9rem .25rem 0; }
td { border-bottom: 1px solid var(--rule); padding: .3rem .9rem .3rem 0; vertical-align: top; }
.number { text-align: right; white-space: nowrap; }
.source { color: var(--grey); font-size: .8rem; }
footer { margin-top: 4rem; color: var(--grey); font-size: .8rem; }
@media print { body { padding: 0; max-width: none; font-size: 11px; } nav { display: none; }
  .parts { grid-template-columns: 1fr 1fr; gap: 1rem 1.5rem; } h2 { break-after: avoid; } }
@media (max-width: 34rem) { .parts { grid-template-columns: 1fr; } body { padding: 1.5rem 1rem; } }
"""


def page(title: str, header: str, body: str, footer: str) -> str:
    """A whole page. title: as text; the others: as HTML, header without the title."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<header><h1>{escape(title)}</h1>{header}</header>
{body}
<footer>{footer}</footer>
</body>
</html>
"""
