"""One HTML page: everything it needs is in it, and it prints."""

from __future__ import annotations

from html import escape

from cohelix import __version__
from cohelix.qc.report.draw import svg
from cohelix.qc.report.figures import Figure, Section, Table

STYLE = """
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
svg { width: 100%; height: auto; display: block; }
table { border-collapse: collapse; font-size: .87rem; width: 100%; font-variant-numeric: tabular-nums; }
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


def page(title: str, subtitle: str, sections: list[Section]) -> str:
    """The whole page."""
    links = "".join(f'<a href="#{section.name}">{escape(section.title)}</a>' for section in sections)
    body = "\n".join(_section(section) for section in sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header><h1>{escape(title)}</h1><p>{escape(subtitle)}</p><nav>{links}</nav></header>
{body}
<footer>cohelix {escape(__version__)}. Aggregates only: no count of 1 to 20 people is shown.</footer>
</body>
</html>
"""


def _section(section: Section) -> str:
    parts = "\n".join(_figure(part) if isinstance(part, Figure) else _table(part) for part in section.parts)
    return (
        f'<section id="{section.name}"><h2>{escape(section.title)}</h2><p>{escape(section.text)}</p>'
        f'<div class="parts">{parts}</div></section>'
    )


def _figure(figure: Figure) -> str:
    caption = f"<figcaption>{escape(figure.note)}</figcaption>" if figure.note else ""
    return f'<figure id="{figure.name}"><h3>{escape(figure.title)}</h3>{svg(figure)}{caption}</figure>'


def _table(table: Table) -> str:
    def cell(tag: str, place: int, text: str) -> str:
        names = ["number"] if place in table.numbers else []
        names += ["source"] if table.columns[place] == "source" and tag == "td" else []
        marked = f' class="{" ".join(names)}"' if names else ""
        first, line, rest = escape(text).partition("\n")
        below = f'<br><span class="source">{rest}</span>' if line else ""
        return f"<{tag}{marked}>{first}{below}</{tag}>"

    head = "".join(cell("th", place, name) for place, name in enumerate(table.columns))
    rows = "".join(f"<tr>{''.join(cell('td', p, text) for p, text in enumerate(row))}</tr>" for row in table.rows)
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    wide = " wide" if "source" in table.columns else ""
    return (
        f'<div class="table{wide}" id="{table.name}"><h3>{escape(table.title)}</h3>'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{note}</div>"
    )
