"""The same aggregates as MultiQC custom content: one JSON file for each figure and table.

MultiQC reads files named `*_mqc.json` with id, section_name, plot_type, pconfig and data. Where it says sample, a group
stands here.
"""

from __future__ import annotations

import json
from typing import Any

from cohelix.qc.report.figures import Cell, Figure, Section, Table

PARENT = {"parent_id": "cohelix_qc", "parent_name": "cohelix QC", "parent_description": "Aggregates of a cohort."}


def files(sections: list[Section]) -> dict[str, bytes]:
    """File name -> content."""
    found = {}
    for section in sections:
        for part in section.parts:
            content = _figure(part) if isinstance(part, Figure) else _table(part)
            identity = f"cohelix_{part.name.replace('-', '_')}"
            whole = {"id": identity, "section_name": part.title, "description": part.note or section.text, **PARENT}
            text = json.dumps(whole | content, indent=1, ensure_ascii=False, allow_nan=False)
            found[f"{identity}_mqc.json"] = text.encode()
    return found


def _pconfig(figure: Figure, y_label: str) -> dict[str, Any]:
    config: dict[str, Any] = {
        "id": f"cohelix_{figure.name.replace('-', '_')}_plot", "title": f"cohelix: {figure.title}",
        "xlab": figure.x_label, "ylab": y_label,
    }  # fmt: skip
    if figure.cuts:
        config["x_lines"] = [{"value": cut.value, "label": cut.label, "dash": "dash"} for cut in figure.cuts]
    return config


def _figure(figure: Figure) -> dict[str, Any]:
    if figure.bins:
        data = {
            series.name: {
                f"{(start + end) / 2:.10g}": round(share / (end - start), 6)
                for (start, end), share in zip(series.edges, series.shares, strict=True)
            }
            for series in figure.bins
        }
        return {"plot_type": "linegraph", "pconfig": _pconfig(figure, "share per unit"), "data": data}
    if figure.lines:
        points = {line.name: {f"{x:.10g}": y for x, y in zip(line.x, line.y, strict=True)} for line in figure.lines}
        config = _pconfig(figure, figure.y_label) | ({"ylog": True} if figure.log_y else {})
        return {"plot_type": "linegraph", "pconfig": config, "data": points}
    if figure.bars:
        config = {key: value for key, value in _pconfig(figure, figure.x_label).items() if key != "xlab"}
        return {"plot_type": "bargraph", "pconfig": config | {"cpswitch": False}, "data": {"cohort": dict(figure.bars)}}
    if figure.boxes:
        names = ("q05", "q25", "median", "q75", "q95")
        rows: dict[str, Any] = {
            box.name: {"people": box.people, "mean": box.mean}
            | {name: value for name, value in zip(names, box.quantiles, strict=True) if value is not None}
            for box in figure.boxes
        }
        return {"plot_type": "table", "pconfig": _table_config(figure), "data": rows}
    cells = {
        _place(figure, cell): {"pairs" if figure.of_pairs else "people": f"about {cell.count:,}"}
        for cell in figure.cells
    }
    return {"plot_type": "table", "pconfig": _table_config(figure), "data": cells}


def _place(figure: Figure, cell: Cell) -> str:
    sides = ((figure.x_label, cell.x), (figure.y_label, cell.y))
    words = ", ".join(f"{label} {low:.4g} to {high:.4g}" for label, (low, high) in sides)
    return f"{cell.group}: {words}" if cell.group else words


def _table_config(part: Figure | Table) -> dict[str, Any]:
    return {"id": f"cohelix_{part.name.replace('-', '_')}_table", "title": f"cohelix: {part.title}"}


def _table(table: Table) -> dict[str, Any]:
    names = table.columns[1:]
    data = {row[0].partition("\n")[0]: dict(zip(names, row[1:], strict=True)) for row in table.rows}
    return {"plot_type": "table", "pconfig": _table_config(table), "data": data}
