"""Sections about relatives: pairs by degree, kinship against IBS0, reported families, who is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cohelix.qc.report.aggregates import rectangles
from cohelix.qc.report.disclosure import SMALL, shown, shown_parts
from cohelix.qc.report.figures import Cut, Figure, Section, Table
from cohelix.qc.report.gather import Made

DEGREES = {
    "0": "duplicate or twin", "1": "first", "2": "second", "3": "third", "4": "more distant",
}  # fmt: skip
RELATIONSHIPS = (
    "duplicate_or_twin", "parent_child", "full_siblings", "first_degree", "second_degree", "third_degree", "distant",
)  # fmt: skip
BOUNDS = (Cut(0.0442, "3rd", False), Cut(0.0884, "2nd", False), Cut(0.177, "1st", False), Cut(0.354, "same", False))
"""Least kinship of a degree: 2^-4.5, 2^-3.5, 2^-2.5, 2^-1.5 (KING)."""
LOWEST = -0.1
"""Kinship below which a pair is of two ancestries, and not shown."""
PEDIGREE = {"n_agree": "agree", "n_disagree": "disagree"}
COARSE = 8
"""Bins of the histogram across a rectangle before it is quartered."""


def relatedness_sections(made: Made) -> list[Section]:
    """Pairs are counted as people are: nothing of 20 or fewer is shown, as each pair is of two."""
    record = made.record
    counts = _mapping(record.get("counts"))
    by_degree, by_relationship = _mapping(counts.get("by_degree")), _mapping(counts.get("by_relationship"))
    degrees = {name: int(by_degree[key]) for key, name in DEGREES.items() if key in by_degree}
    named = {name.replace("_", " "): int(by_relationship[name]) for name in RELATIONSHIPS if name in by_relationship}
    parts: list[Figure | Table | None] = [
        _counts("relatedness-degrees", "Pairs by degree", ("degree", "pairs"), degrees),
        _counts("relatedness-relationships", "Pairs by relationship", ("relationship", "pairs"), named),
        _density(_mapping(record.get("histogram"))),
        _screen(record),
        _pedigree(_mapping(record.get("pedigree"))),
    ]
    text = "Kinship of pairs (KING-robust), and the share of sites where the two have no allele in common (IBS0)."
    return [Section("relatedness", "Relatives", text, tuple(part for part in parts if part is not None))]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _counts(name: str, title: str, columns: tuple[str, str], counts: dict[str, int], note: str = "") -> Table | None:
    return Table(name, title, columns, tuple(shown_parts(counts).items()), note, (1,)) if counts else None


def _density(histogram: Mapping[str, Any]) -> Figure | None:
    """Kinship against IBS0, from counts by bin."""
    if not {"kinship_edges", "ibs0_edges", "counts"} <= set(histogram):
        return None
    across, up = (np.array(histogram[name], np.float64) for name in ("kinship_edges", "ibs0_edges"))
    counts = np.array(histogram["counts"], np.int64).reshape(across.size - 1, up.size - 1)
    first = int(np.searchsorted(across, LOWEST - 1e-9))
    across, counts = across[first:], counts[first:]
    held = np.argwhere(counts > 0)
    if not held.size:
        return None
    x, y = (across[:-1] + across[1:])[held[:, 0]] / 2, (up[:-1] + up[1:])[held[:, 1]] / 2
    edges = (_coarse(across), _coarse(up))
    cells = tuple(rectangles(x, y, counts[held[:, 0], held[:, 1]], edges, quartered=COARSE.bit_length() - 1))
    if not cells:
        return None
    note = (
        f"Pairs of kinship {LOWEST:g} and more. Lines: least kinship of a degree. Rectangles with {SMALL} pairs or "
        "fewer are left empty."
    )
    return Figure(
        "relatedness-ibs0", "Kinship against IBS0", "kinship", "IBS0", cells=cells, cuts=BOUNDS, note=note,
        of_pairs=True,
    )  # fmt: skip


def _coarse(edges: np.ndarray) -> np.ndarray:
    """Every eighth edge, and one more beyond the last, so that quartering ends at the bins themselves."""
    step, pieces = float(edges[1] - edges[0]), -(-(edges.size - 1) // COARSE)
    return np.asarray(edges[0] + COARSE * step * np.arange(pieces + 1))


def _screen(record: Mapping[str, Any]) -> Table | None:
    screen = _mapping(record.get("screen"))
    rows = [
        ("people", shown(int(record["n_samples"])) if "n_samples" in record else ""),
        ("sites", _number(record.get("n_sites"))),
        ("sites of the screen", _number(screen.get("n_sites"))),
        ("kinship from which a pair passes the screen", _number(screen.get("min_kinship"))),
        ("bound of what the screen finds", _number(screen.get("recall_bound"))),
    ]
    rows = [row for row in rows if row[1]]
    note = "Pairs that pass a screen on a part of the sites are measured on all of them."
    note = "All pairs were measured on all sites." if screen.get("all_sites") is True else note if screen else ""
    return (
        Table("relatedness-screen", "How pairs were looked for", ("what", ""), tuple(rows), note, (1,))
        if rows
        else None
    )


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def _pedigree(summary: Mapping[str, Any]) -> Table | None:
    counts = {name: int(summary[key]) for key, name in PEDIGREE.items() if key in summary}
    counts |= {str(note): int(n) for note, n in _mapping(summary.get("notes")).items()}
    note = "Reported families against measured kinship: pairs that agree, that do not, and what was noted of some."
    return _counts("relatedness-pedigree", "Reported families", ("pairs", "n"), counts, note)


def unrelated_sections(made: Made) -> list[Section]:
    record = made.record
    kept, dropped = (record.get(name) for name in ("n_kept", "n_dropped"))
    if not isinstance(kept, int) or not isinstance(dropped, int):
        return []
    rows = tuple(shown_parts({"kept": kept, "left out": dropped}).items())
    table = Table("unrelated-counts", "Kept and left out", ("people", "n"), rows, "", (1,))
    limit = _mapping(_mapping(record.get("provenance")).get("params")).get("max_kinship", record.get("max_kinship"))
    above = f" above {limit:g}" if isinstance(limit, int | float) else ""
    text = f"A set of people of whom no two have a kinship{above}, as many as can be."
    return [Section("unrelated", "Unrelated people", text, (table,))]
