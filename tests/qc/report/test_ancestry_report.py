"""Relatives, components and ancestry on the page: aggregates that are right, and nobody among few."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix.errors import InputError
from cohelix.qc.report.aggregates import Groups, densities, rectangles
from cohelix.qc.report.disclosure import SMALL
from cohelix.qc.report.figures import Section
from cohelix.qc.report.gather import look
from cohelix.qc.report.run import sections_of, write_report
from tests.qc.report import made_ancestry as made

KINDS = (made.relatedness, made.unrelated, made.pca, made.projection, made.ancestry)


def _part(sections: list[Section], name: str) -> Any:
    (found,) = [part for section in sections for part in section.parts if part.name == name]
    return found


def _sections(folder: Path) -> list[Section]:
    return sections_of([look(str(folder))])


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("report")
    folders = [make(root / make.__name__) for make in KINDS]
    write_report([str(folder) for folder in reversed(folders)], str(root / "out" / "qc.html"))
    return root


def test_the_page_has_all_sections_in_order_and_nobody(report: Path) -> None:
    page = (report / "out" / "qc.html").read_text()
    titles = ("Relatives", "Unrelated people", "Principal components", "Projection", "Ancestry groups")
    places = [page.index(f"<h2>{title}</h2>") for title in titles]
    assert places == sorted(places)
    assert "<h3>Kinship against IBS0</h3>" in page and "<h3>PC1 and PC2</h3>" in page and "<h3>Scree</h3>" in page
    for path in (report / "out").iterdir():
        assert "PERSON" not in path.read_text()


def test_files_for_multiqc_hold_the_same(report: Path) -> None:
    content = json.loads((report / "out" / "cohelix_pca_scree_mqc.json").read_text())
    assert content["data"]["share"] == {"1": 0.2, "2": 0.1, "3": pytest.approx(0.2 / 3), "4": 0.05}
    content = json.loads((report / "out" / "cohelix_ancestry_pc1_pc2_mqc.json").read_text())
    cells = _part(_sections(report / "ancestry"), "ancestry-pc1-pc2").cells
    assert len(content["data"]) == len(cells)
    assert {name.partition(":")[0] for name in content["data"]} == {cell.group for cell in cells}
    content = json.loads((report / "out" / "cohelix_relatedness_ibs0_mqc.json").read_text())
    assert all(set(cell) == {"pairs"} for cell in content["data"].values())


def test_pairs_by_degree_are_shown_by_the_rule(report: Path) -> None:
    sections = _sections(report / "relatedness")
    assert dict(_part(sections, "relatedness-degrees").rows) == {
        "duplicate or twin": "≤20", "first": "about 120", "second": "≤20", "third": "0", "more distant": "about 480",
    }  # fmt: skip
    assert dict(_part(sections, "relatedness-pedigree").rows) == {
        "agree": "about 40", "disagree": "≤20", "not related": "≤20",
    }  # fmt: skip
    screen = dict(_part(sections, "relatedness-screen").rows)
    assert screen["sites of the screen"] == "2,000" and screen["bound of what the screen finds"] == "0.9999"


def test_kinship_against_ibs0_is_the_histogram_without_its_few(report: Path) -> None:
    figure = _part(_sections(report / "relatedness"), "relatedness-ibs0")
    assert all(cell.count > SMALL for cell in figure.cells)

    def count_at(kinship: float, ibs0: float) -> int:
        found = [c.count for c in figure.cells if c.x[0] <= kinship < c.x[1] and c.y[0] <= ibs0 < c.y[1]]
        return found[0] if found else 0

    assert count_at(0.255, 0.001) == 60  # parents and children: their own bin
    assert count_at(0.255, 0.016) == 60  # 45 siblings, rounded up
    assert count_at(0.125, 0.026) == 0 and count_at(0.495, 0.001) == 0  # 8 and 3 pairs
    assert count_at(0.015, 0.0401) == 40
    assert [cut.value for cut in figure.cuts] == [0.0442, 0.0884, 0.177, 0.354]


def test_a_folder_without_a_histogram_or_pedigree_is_shown_without(tmp_path: Path) -> None:
    made.relatedness(tmp_path / "kin", np.zeros((100, 40), int))
    record = json.loads((tmp_path / "kin" / "relatedness.json").read_text())
    assert "relatedness-ibs0" not in {part.name for part in _sections(tmp_path / "kin")[0].parts}
    (tmp_path / "kin" / "relatedness.json").write_text(json.dumps({"kind": "relatedness", "counts": record["counts"]}))
    names = {part.name for part in _sections(tmp_path / "kin")[0].parts}
    assert names == {"relatedness-degrees", "relatedness-relationships"}


@pytest.mark.parametrize(("dropped", "shown"), [(60, ("440", "60")), (5, ("about 500", "≤20"))])
def test_how_many_were_left_out(tmp_path: Path, dropped: int, shown: tuple[str, str]) -> None:
    (section,) = _sections(made.unrelated(tmp_path / "u", dropped))
    assert tuple(count for _, count in section.parts[0].rows) == shown
    assert "above 0.1" in section.text


def test_components_are_told_with_their_share_and_residual(report: Path) -> None:
    sections = _sections(report / "pca")
    rows = _part(sections, "pca-eigenvalues").rows
    assert rows[0] == ("PC1", "100", "20.000%", "1.0e-11")
    assert len(rows) == 4  # those kept for shrinkage alone are not shown
    assert "next: 0.25" in sections[0].text and "500 people and 9,876 sites" in sections[0].text
    assert {cell.group for cell in _part(sections, "pca-pc1-pc2").cells} == {"afr", "eas + oth", "eur"}


def test_a_fit_without_labels_is_one_cloud(tmp_path: Path) -> None:
    figure = _part(_sections(made.pca(tmp_path / "pca", labelled=False)), "pca-pc1-pc2")
    assert {cell.group for cell in figure.cells} == {""}


def test_sites_and_people_of_a_projection(report: Path, tmp_path: Path) -> None:
    sections = _sections(report / "projection")
    assert dict(_part(sections, "projection-sites").rows) == {
        "of the model": "9,555", "matched": "9,000", "of these with REF and ALT exchanged": "321", "absent": "555",
    }  # fmt: skip
    people = dict(_part(sections, "projection-people").rows)
    assert people == {"within the reference": "about 500", "out of distribution": "≤20"}
    people = dict(_part(_sections(made.projection(tmp_path / "p", outside=30)), "projection-people").rows)
    assert people == {"within the reference": "470", "out of distribution": "30"}
    assert {"projection-share-used", "projection-distance", "projection-residual"} <= {
        part.name for part in sections[0].parts
    }


def test_groups_probabilities_distances_and_proportions(report: Path) -> None:
    sections = _sections(report / "ancestry")
    sizes = dict(_part(sections, "ancestry-sizes").rows)
    assert sizes["oth"] == "≤20" and set(sizes) == {"afr", "eas", "eur", "oth"}
    assert all(sizes[name].startswith("about ") for name in ("afr", "eas", "eur"))
    figure = _part(sections, "ancestry-probability")
    assert [(cut.value, cut.text) for cut in figure.cuts] == [(0.75, "> 0.75")]
    rows = {row[0]: row[1:] for row in _part(sections, "ancestry-proportions").rows}
    assert rows["afr"] == ("80.0", "10.0", "10.0")
    distances = _part(sections, "ancestry-distance")
    assert max(end for bins in distances.bins for _, end in bins.edges) < 5  # own centre, not another's


def test_few_people_are_not_shown(tmp_path: Path) -> None:
    for make in (made.projection, made.ancestry):
        (section,) = _sections(make(tmp_path / make.__name__, people=20))
        assert section.parts == () and "20 people or fewer" in section.text


def test_damaged_folders_are_refused(tmp_path: Path) -> None:
    folder = made.ancestry(tmp_path / "a")
    (folder / "ancestry_preds.tsv").write_text("research_id\tpca_features\nPERSON\t[1\n")
    with pytest.raises(InputError, match=r"ancestry_preds\.tsv .* damaged") as refused:
        _sections(folder)
    assert "PERSON" not in str(refused.value)
    (folder / "assign.json").write_text("{")
    with pytest.raises(InputError, match=r"assign\.json in a folder of ancestry is damaged"):
        _sections(folder)
    folder = made.pca(tmp_path / "pca")
    (folder / "eigenvalues.tsv").unlink()
    with pytest.raises(InputError, match=r"eigenvalues\.tsv"):
        _sections(folder)


@given(st.lists(st.tuples(st.floats(-1, 4.99), st.floats(0, 3.99)), max_size=200), st.integers(0, 3))
def test_rectangles_do_not_overlap_and_hold_more_than_20(points: list[tuple[float, float]], depth: int) -> None:
    x, y = np.array(points, float).reshape(-1, 2).T
    edges = (np.arange(-1.0, 6.0), np.arange(0.0, 5.0, 2.0))
    cells = rectangles(x, y, np.ones(len(points), int), edges, quartered=depth)
    seen = 0
    for cell in cells:
        inside = int(((x >= cell.x[0]) & (x < cell.x[1]) & (y >= cell.y[0]) & (y < cell.y[1])).sum())
        assert inside > SMALL and cell.count == -(-inside // SMALL) * SMALL
        seen += inside
    boxes = [(cell.x, cell.y) for cell in cells]
    for k, (x1, y1) in enumerate(boxes):
        for x2, y2 in boxes[:k]:
            assert x1[1] <= x2[0] or x2[1] <= x1[0] or y1[1] <= y2[0] or y2[1] <= y1[0]
    whole = [int(((x >= a) & (x < a + 1) & (y >= c) & (y < c + 2)).sum()) for a in edges[0][:-1] for c in edges[1][:-1]]
    large = [count for count in whole if count > SMALL]
    assert seen >= sum(large) * 0.9**depth - 1e-9
    assert bool(cells) == bool(large)


def test_clouds_of_groups_are_told_apart_and_none_of_few() -> None:
    draw = np.random.default_rng(1)
    labels = np.array(["a"] * 400 + ["b"] * 300 + ["c"] * 5)
    x, y = draw.normal(0, 1, 705), draw.normal(0, 1, 705)
    x[400:700] += 10
    figure = densities("f", "F", ("x", "y"), x, y, Groups.of(labels))
    assert figure is not None
    assert {cell.group for cell in figure.cells} == {"a", "b + c"}
    for cell in figure.cells:
        low, high = (-6, 6) if cell.group == "a" else (4, 16)
        assert low < np.mean(cell.x) < high
    held = sum(cell.count for cell in figure.cells if cell.group == "a")
    assert 0.6 * 400 < held < 400 + 20 * sum(cell.group == "a" for cell in figure.cells)
    assert densities("f", "F", ("x", "y"), x[:20], y[:20], Groups.of(np.array([""] * 20))) is None
