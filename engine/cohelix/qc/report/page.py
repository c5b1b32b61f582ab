"""One HTML page of all sections."""

from __future__ import annotations

from html import escape

from cohelix import __version__
from cohelix.qc.report.draw import svg
from cohelix.qc.report.figures import Figure, Section, Table
from cohelix.report import page as framed


def page(title: str, subtitle: str, sections: list[Section]) -> str:
    """The whole page."""
    links = "".join(f'<a href="#{section.name}">{escape(section.title)}</a>' for section in sections)
    body = "\n".join(_section(section) for section in sections)
    return framed(
        title,
        f"<p>{escape(subtitle)}</p><nav>{links}</nav>",
        body,
        f"cohelix {escape(__version__)}. Aggregates only: no count of 1 to 20 people is shown.",
    )


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
