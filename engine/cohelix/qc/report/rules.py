"""The section of gates: what was asked, how many failed, how many could not be asked, and by whose word."""

from __future__ import annotations

from cohelix.qc.report.disclosure import shown
from cohelix.qc.report.figures import Section, Table
from cohelix.qc.report.gather import Made

NOTE = "Below the name of a gate: the metric that it asks, where that is called otherwise."
TITLES = {"samples": "samples", "variants": "sites", "arrays": "arrays", "concordance": "links"}
COLUMNS = ("gate", "passes", "failed", "not evaluated", "source")


def gate_section(made: list[Made]) -> Section | None:
    """One table for each folder that gates were asked of. Counts of sites are shown as they are, others by the rule."""
    tables = []
    for entry in made:
        if not entry.rules:
            continue
        of_people = entry.kind != "variants"
        rows = []
        for rule in entry.rules:
            people = of_people and rule["kind"] != "marker"
            counts = [shown(rule[key]) if people else f"{rule[key]:,}" for key in ("failed", "not_evaluated")]
            passes = str(rule["passes"]).replace(">=", "≥").replace("<=", "≤")
            named = rule["gate"] if rule["gate"] == rule["metric"] else f"{rule['gate']}\n{rule['metric']}"
            rows.append((str(named), passes, *counts, str(rule["source"])))
        title = f"Gates of {TITLES[entry.kind]}: {entry.gates_name}"
        tables.append(Table(f"gates-{entry.kind}", title, COLUMNS, tuple(rows), NOTE, (2, 3)))
    if not tables:
        return None
    text = "A value that is not known neither passes nor fails: it is counted as not evaluated."
    return Section("gates", "Gates", text, tuple(tables))
