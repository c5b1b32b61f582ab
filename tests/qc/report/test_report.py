"""The page and the files beside it: aggregates that are right, nobody's id, nothing from elsewhere."""

from __future__ import annotations

import builtins
import json
import math
import re
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from cohelix.errors import ConfigError, InputError
from cohelix.qc.report import draw
from cohelix.qc.report.figures import Figure, Line, Section, Table
from cohelix.qc.report.gather import look
from cohelix.qc.report.run import sections_of, write_report
from cohelix.qc.report.sites import FREQUENCY_NAMES, QQ_STEP, TRANSITIONS, qq_line
from tests.qc.report import made_folders as made

VOID = {"meta", "br", "link", "img", "hr", "input"}


class Reader(HTMLParser):
    """Refuses tags that do not close in order; collects attributes and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of all four kinds of folder."""
    root = tmp_path_factory.mktemp("report")
    folders = [
        made.concordance(root / "concordance"), made.samples(root / "samples"), made.sites(root / "sites")[0],
        made.arrays(root / "arrays"),
    ]  # fmt: skip
    write_report([str(folder) for folder in folders], str(root / "out" / "qc.html"))
    return root


def _part(sections: list[Section], name: str) -> Any:
    (found,) = [part for section in sections for part in section.parts if part.name == name]
    return found


def _sections(*folders: Path) -> list[Section]:
    return sections_of([look(str(folder)) for folder in folders])


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def test_the_page_is_whole_and_needs_nothing_else(report: Path) -> None:
    page = (report / "out" / "qc.html").read_text()
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    names = [value for name, value in reader.attributes if name == "id"]
    assert [name for name, count in Counter(names).items() if count > 1] == []
    for name, value in reader.attributes:
        if name in ("src", "href", "xlink:href", "action"):
            assert value is not None
            assert value.startswith("#"), value
    assert "<script" not in page
    assert "@import" not in page
    assert re.findall(r"url\((?!#)[^)]*\)", page) == []
    text = "".join(reader.text)
    for title in ("Gates of samples: aou-v8", "Mean coverage", "Copies of X and Y", "Hardy-Weinberg equilibrium"):
        assert title in text


def test_nobody_is_named(report: Path) -> None:
    written = sorted((report / "out").iterdir())
    assert len(written) > 20
    for path in written:
        content = path.read_text()
        assert "PERSON" not in content
        assert "ARRAY0" not in content
        assert not re.search(r"\brs\d+\b", content)


def test_files_for_multiqc_have_its_form(report: Path) -> None:
    paths = sorted((report / "out").glob("*_mqc.json"))
    assert len(paths) == len(list((report / "out").iterdir())) - 1
    seen = set()
    for path in paths:
        content = json.loads(path.read_text())
        assert {"id", "section_name", "plot_type", "pconfig", "data"} <= set(content)
        assert content["plot_type"] in ("linegraph", "bargraph", "table")
        assert path.name == f"{content['id']}_mqc.json"
        assert content["pconfig"]["id"] not in seen
        seen.add(content["pconfig"]["id"])
        assert content["data"]
        assert all(isinstance(series, dict) for series in content["data"].values())


def test_equal_folders_give_equal_bytes(tmp_path: Path) -> None:
    folder = made.samples(tmp_path / "samples", people=100)
    for name in ("one", "two"):
        write_report([str(folder)], str(tmp_path / name / "qc.html"))
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_counts_of_gates_are_those_of_the_flags(report: Path) -> None:
    flags = pq.read_table(report / "samples" / "sample_flags.parquet")
    failed = Counter(flags.column("gate").to_pylist())
    table = _part(_sections(report / "samples"), "gates-samples")
    shown = {row[0].split("\n")[0]: row[2] for row in table.rows}
    assert failed["contamination"] == 30
    assert shown["contamination"] == "30"
    assert 0 < failed["sex_concordance"] <= 20
    assert shown["sex_concordance"] == "≤20"
    assert shown["array_call_rate"] == "0"
    assert {row[0]: row[3] for row in table.rows}["array_call_rate"] == str(made.PEOPLE)


def test_gates_that_a_record_only_names_are_counted_from_the_flags(report: Path) -> None:
    table = _part(_sections(report / "arrays"), "gates-arrays")
    assert table.rows[0][:4] == ("call_rate", "≥ 0.98", "25", "0")
    figure = _part(_sections(report / "arrays"), "arrays-array-call-rate")
    assert [cut.value for cut in figure.cuts] == [0.98]


def test_flags_of_own_gates_are_shown_as_they_state_themselves(tmp_path: Path) -> None:
    folder = made.samples(tmp_path / "samples")
    (folder / "qc.json").write_text(json.dumps({"gates": {"name": "own gates", "digest": "0"}}))
    rows = _part(_sections(folder), "gates-samples").rows
    assert ("contamination", "< 0.03", "30") in [row[:3] for row in rows]


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_record_that_is_damaged_is_refused(tmp_path: Path, text: str) -> None:
    folder = made.samples(tmp_path / "samples")
    (folder / "qc.json").write_text(text)
    with pytest.raises(InputError, match=r"qc\.json .* damaged"):
        _sections(folder)


def test_flags_of_something_else_are_refused(tmp_path: Path) -> None:
    folder = made.samples(tmp_path / "samples")
    (folder / "qc.json").write_text(json.dumps({"gates": {"name": "own gates", "digest": "0"}}))
    (folder / "sample_flags.parquet").write_bytes((folder / "sample_metrics.parquet").read_bytes())
    with pytest.raises(InputError, match="of something else"):
        _sections(folder)


def test_groups_add_up_and_none_is_small(report: Path) -> None:
    rows = dict(_part(_sections(report / "samples"), "group-sizes").rows)
    assert _number(rows.pop("all")) == made.PEOPLE
    assert sum(map(_number, rows.values())) == made.PEOPLE
    assert "mid" not in rows
    assert any("mid" in name for name in rows)


def test_a_distribution_is_that_of_the_metrics(report: Path) -> None:
    table = pq.read_table(report / "samples" / "sample_metrics.parquet")
    values = table.column("mean_coverage").to_numpy()
    figure = _part(_sections(report / "samples"), "coverage-mean-coverage")
    assert [cut.value for cut in figure.cuts] == [30]
    everybody = figure.bins[0]
    assert (everybody.name, everybody.people) == ("all", str(made.PEOPLE))
    for (start, end), share in list(zip(everybody.edges, everybody.shares, strict=True))[1:-1]:
        inside = ((values >= start) & (values < end)).sum()
        assert inside > 20
        assert share == pytest.approx(inside / made.PEOPLE, abs=1e-4)
    assert sum(everybody.shares) == pytest.approx(1, abs=1e-2)


def test_small_cells_are_hidden_and_cannot_be_worked_out(report: Path) -> None:
    sections = _sections(report / "samples", report / "concordance")
    rows = dict(_part(sections, "sex-karyotype").rows)
    assert rows["XXY"] == "≤20"
    assert {rows["XX"], rows["XY"]} == {"about 200"}
    assert dict(_part(sections, "concordance-verdicts").rows) == {"match": "about 400", "mismatch": "≤20"}
    cells = _part(sections, "sex-ploidy").cells
    assert all(cell.count > 20 for cell in cells)
    assert not any(1.9 < cell.x[0] < 2.1 and cell.y[0] > 0.9 for cell in cells)


def test_missingness_is_a_share_of_all_genotypes(report: Path) -> None:
    bars = dict(_part(_sections(report / "samples"), "calls-missing").bars)
    assert bars == {"no data": pytest.approx(0.004), "gq0": pytest.approx(0.006)}


def test_a_batch_effect_is_seen(report: Path) -> None:
    rows = {row[0]: row for row in _part(_sections(report / "samples"), "batch-effects").rows}
    assert rows["Mean coverage"][3] == "yes"
    assert float(rows["Mean coverage"][2]) > 0.8
    assert rows["Call rate"][3] == "no"
    box = _part(_sections(report / "samples"), "batch-mean-coverage").boxes[0]
    values = pq.read_table(report / "samples" / "sample_metrics.parquet").column("mean_coverage").to_numpy()[::3]
    assert (box.name, box.people) == ("one", str(len(values)))
    assert box.mean == pytest.approx(values.mean())
    assert box.quantiles[2] == pytest.approx(np.median(values))
    assert box.quantiles[0] is None  # 7 people lie below


def test_sites_are_counted_over_all_shards(tmp_path: Path) -> None:
    root, table = made.sites(tmp_path / "sites")
    rows = table.to_pylist()
    sections = _sections(root)
    counts = {name: _number(count) for name, count in _part(sections, "site-kinds").rows}
    assert counts["snp"] == sum(row["kind"] == "snp" for row in rows)
    assert counts["filter: LowQual"] == sum("LowQual" in row["filters"].split(";") for row in rows)
    assert counts["filter: PASS"] == sum(row["filters"] == "PASS" for row in rows)

    def place(row: dict[str, Any]) -> int:
        if row["ac_all_raw"] <= 2:
            return int(row["ac_all_raw"]) - 1
        bounds = [0.0001, 0.001, 0.005, 0.01, 0.05, 0.2, 0.5]
        return 2 + sum(row["ac_all_raw"] / row["an_all_raw"] > bound for bound in bounds)

    lines = {line.name: dict(zip(line.x, line.y, strict=True)) for line in _part(sections, "site-spectrum").lines}
    assert lines["snp"] == Counter(float(place(row)) for row in rows if row["kind"] == "snp")
    (ratios,) = _part(sections, "site-ti-tv").lines
    for x, ratio in zip(ratios.x, ratios.y, strict=True):
        changes = [row["ref"] + row["alt"] for row in rows if row["kind"] == "snp" and place(row) == x]
        transitions = sum(change in TRANSITIONS for change in changes)
        assert ratio == pytest.approx(transitions / (len(changes) - transitions), abs=1e-3)
    assert len(FREQUENCY_NAMES) == 10
    assert [line.name for line in _part(sections, "site-hwe").lines] == ["all", "eur"]  # mid has 7 people


def test_a_qq_line_of_uniform_p_values_is_the_diagonal() -> None:
    p = (np.arange(1, 20_001) - 0.5) / 20_000
    steps = np.bincount(np.round(-np.log10(p) / QQ_STEP).astype(int))
    line = qq_line("all", steps)
    assert line.x == tuple(sorted(line.x, reverse=True))
    assert max(abs(x - y) for x, y in zip(line.x, line.y, strict=True)) < 0.02
    assert max(line.x) == pytest.approx(-math.log10(0.5 / 20_000), abs=1e-3)


def test_a_cohort_of_few_is_not_shown(tmp_path: Path) -> None:
    folder = made.samples(tmp_path / "samples", people=20)
    (section,) = [section for section in _sections(folder) if section.name == "samples"]
    assert section.parts == ()
    write_report([str(folder)], str(tmp_path / "qc.html"))
    assert "20 people or fewer: nothing of them is shown" in (tmp_path / "qc.html").read_text()


def test_what_cannot_be_reported_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made.samples(tmp_path / "samples", people=50)
    with pytest.raises(ConfigError, match=r"ends in \.html"):
        write_report([str(folder)], str(tmp_path / "qc.pdf"))
    with pytest.raises(ConfigError, match="two folders of genomes"):
        write_report([str(folder), str(folder)], str(tmp_path / "qc.html"))
    with pytest.raises(InputError, match="found one of another kind"):
        write_report([str(tmp_path)], str(tmp_path / "qc.html"))
    plain = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return plain(name, *args, **kwargs)

    for name in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match="needs matplotlib"):
        write_report([str(folder)], str(tmp_path / "qc.html"))
    assert not (tmp_path / "qc.html").exists()


def test_text_is_escaped_and_a_picture_can_be_made() -> None:
    from cohelix.qc.report.page import page

    table = Table("t", "a < b", ("x", "y"), (("<b>", "1 & 2"),))
    figure = Figure("f", 'say "x"', "x", "y", lines=(Line("<i>", (1.0, 2.0), (3.0, 4.0)),))
    html = page("T", "S", [Section("s", "S", "", (table, figure))])
    assert "&lt;b&gt;" in html
    assert "<i>" not in html
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    assert draw.png(figure).startswith(b"\x89PNG")
