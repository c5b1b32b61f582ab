"""Folders of adjusted scores: what is in them, that a saved model gives the same bits, and what is refused."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cohelix.errors import CohelixError, ConfigError, InputError
from cohelix.prs.adjust.run import adjust
from cohelix.prs.adjust.tables import PGS_COLUMNS, VALUES, read_adjusted
from cohelix.prs.schema import AdjustParams
from tests.oracles import prs_adjust as oracle
from tests.prs.adjust.made import GROUPS, People, people, world, write_rows, write_table

PARAMS = AdjustParams()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[People, People, dict[str, str], dict[str, str]]:
    """A panel and a cohort, and their files. Do not write to them."""
    of, folder = world(7), tmp_path_factory.mktemp("made")
    panel, cohort = people(of, 300, 1, "r"), people(of, 80, 2, "c")
    return panel, cohort, panel.write(folder / "panel"), cohort.write(folder / "cohort")


def on_panel(
    cohort: dict[str, str], panel: dict[str, str], out: Path, params: AdjustParams = PARAMS, **other: Any
) -> dict[str, Any]:
    options = {
        "pcs": cohort["pcs"],
        "reference": panel["scores"],
        "reference_pcs": panel["pcs"],
        "reference_labels": panel["groups"],
    }
    return adjust(cohort["scores"], str(out), params, **(options | other))


def test_a_folder_holds_what_was_computed(made: Any, tmp_path: Path) -> None:
    panel, cohort, of_panel, of_cohort = made
    summary = on_panel(of_cohort, of_panel, tmp_path / "a", ancestry=of_cohort["groups"])
    table = pq.read_table(tmp_path / "a" / "adjusted.parquet")
    assert table.column("score").to_pylist() == [name for name in cohort.score_ids for _ in cohort.sample_ids]
    assert table.column("sample_id").to_pylist() == cohort.sample_ids * 7
    read = {name: read_adjusted(tmp_path / "a", name) for name in (*VALUES, "outside")}
    assert read["sum"].sums.tobytes() == cohort.scores.tobytes()
    assert read["z_norm2"].score_ids == cohort.score_ids and read["z_norm2"].sample_ids == cohort.sample_ids
    near, there = (oracle.standardised(panel.pcs[:, :4], one.pcs[:, :4]) for one in (panel, cohort))
    for row in range(7):
        z1 = oracle.z_norm1(near, panel.scores[row], there, cohort.scores[row])
        np.testing.assert_allclose(read["z_norm1"].sums[row], z1, rtol=1e-9, atol=1e-12)
    for person in range(80):
        own = panel.scores[3, panel.group == cohort.group[person]]
        value = cohort.scores[3, person]
        assert read["percentile_most_similar"].sums[3, person] == pytest.approx(oracle.percentile(own, value))
        assert read["z_most_similar"].sums[3, person] == pytest.approx(oracle.z_in_group(own, value))
    assert summary == json.loads((tmp_path / "a" / "adjust.json").read_text()) | {"files": summary["files"]}
    assert summary["scores_by_status"] == {"ok": 7} and summary["most_similar"] == "table"
    rows = [line.split("\t") for line in (tmp_path / "a" / "report.tsv").read_text().splitlines()]
    assert [row[0] for row in rows[1:]] == cohort.score_ids and {row[1] for row in rows[1:]} == {"ok"}
    groups = [line.split("\t") for line in (tmp_path / "a" / "groups.tsv").read_text().splitlines()[1:]]
    assert groups == [[name, "60", "true", "16"] for name in GROUPS]
    ids = set(cohort.sample_ids) | set(panel.sample_ids)
    for path in (tmp_path / "a").rglob("*"):
        if path.suffix in (".json", ".tsv"):
            assert not ids & set(path.read_text().replace('"', " ").split())
    for path in (tmp_path / "a" / "model").iterdir():
        assert not any(one.encode() in path.read_bytes() for one in panel.sample_ids[:20])


def test_a_saved_model_gives_the_same_bits(made: Any, tmp_path: Path) -> None:
    _, _, of_panel, of_cohort = made
    params = replace(PARAMS, pgs_txt=True)
    trained = on_panel(of_cohort, of_panel, tmp_path / "a", params)
    applied = adjust(of_cohort["scores"], str(tmp_path / "b"), params, pcs=of_cohort["pcs"], model=str(tmp_path / "a"))
    for name in ("adjusted.parquet", "pgs.txt.gz", "report.tsv", "groups.tsv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    assert not (tmp_path / "b" / "model").exists()
    assert {**applied, "files": 0, "provenance": 0} == {**trained, "files": 0, "provenance": 0}
    inner = str(tmp_path / "a" / "model")
    adjust(of_cohort["scores"], str(tmp_path / "c"), PARAMS, pcs=of_cohort["pcs"], model=inner)
    assert (tmp_path / "c" / "adjusted.parquet").read_bytes() == (tmp_path / "a" / "adjusted.parquet").read_bytes()


def test_some_people_and_some_scores_get_the_same_from_a_model(made: Any, tmp_path: Path) -> None:
    _, cohort, of_panel, of_cohort = made
    on_panel(of_cohort, of_panel, tmp_path / "a")
    some = [5, 17, 40, 79]
    part = People(
        cohort.score_ids[2:5], [cohort.sample_ids[i] for i in some], cohort.group[some], cohort.pcs[some],
        cohort.scores[2:5][:, some], cohort.noise,
    )  # fmt: skip
    files = part.write(tmp_path / "part")
    adjust(files["scores"], str(tmp_path / "b"), PARAMS, pcs=files["pcs"], model=str(tmp_path / "a"))
    for name in (*VALUES, "outside"):
        whole, own = (read_adjusted(tmp_path / one, name).sums for one in "ab")
        assert np.ascontiguousarray(whole[2:5][:, some]).tobytes() == own.tobytes(), name


def test_the_nearest_group_is_taken_without_a_table(made: Any, tmp_path: Path) -> None:
    """Groups of this world lie far apart: the nearest one is everybody's own."""
    _, _, of_panel, of_cohort = made
    assert on_panel(of_cohort, of_panel, tmp_path / "a")["most_similar"] == "nearest"
    on_panel(of_cohort, of_panel, tmp_path / "b", ancestry=of_cohort["groups"])
    for name in VALUES:
        one, other = (read_adjusted(tmp_path / folder, name).sums for folder in "ab")
        assert one.tobytes() == other.tobytes(), name


def test_the_cohorts_own_people_can_be_trained_on(made: Any, tmp_path: Path) -> None:
    """As a panel of them alone would do."""
    panel, _, of_panel, _ = made
    chosen = np.arange(300) % 3 > 0
    write_rows(tmp_path / "unrelated.tsv", ["sample_id"], [[panel.sample_ids[i]] for i in np.flatnonzero(chosen)])
    options: dict[str, Any] = {"pcs": of_panel["pcs"], "ancestry": of_panel["groups"]}
    train = str(tmp_path / "unrelated.tsv")
    summary = adjust(of_panel["scores"], str(tmp_path / "a"), PARAMS, **options, train=train)
    assert {line.split("\t")[2] for line in (tmp_path / "a" / "report.tsv").read_text().splitlines()[1:]} == {"200"}
    assert summary["samples"]["n_without_group"] == 0
    ids = [one for one, keep in zip(panel.sample_ids, chosen, strict=True) if keep]
    part = People(panel.score_ids, ids, panel.group[chosen], panel.pcs[chosen], panel.scores[:, chosen], panel.noise)
    of_part = part.write(tmp_path / "part")
    on_panel(of_panel, of_part, tmp_path / "b", ancestry=of_panel["groups"])
    for name in VALUES:
        one, other = (read_adjusted(tmp_path / folder, name).sums for folder in "ab")
        assert one.tobytes() == other.tobytes(), name
    bare = adjust(of_panel["scores"], str(tmp_path / "c"), PARAMS, pcs=of_panel["pcs"], train=train)
    assert bare["most_similar"] == "none" and bare["samples"]["n_without_group"] == 300
    assert np.isnan(read_adjusted(tmp_path / "c", "z_most_similar").sums).all()
    other = read_adjusted(tmp_path / "a", "z_norm2").sums
    assert read_adjusted(tmp_path / "c", "z_norm2").sums.tobytes() == other.tobytes()


def test_who_has_no_components_has_nothing_but_a_sum_and_is_counted(made: Any, tmp_path: Path) -> None:
    _, cohort, of_panel, of_cohort = made
    lines = Path(of_cohort["pcs"]).read_text().splitlines()
    lines[4] = lines[4].split("\t")[0] + "\tNA\t1\t1\t1\t1"
    (tmp_path / "pcs.tsv").write_text("\n".join([*lines[:9], *lines[12:]]) + "\n")
    params = replace(PARAMS, pgs_txt=True, sampleset="mine")
    summary = on_panel(of_cohort | {"pcs": str(tmp_path / "pcs.tsv")}, of_panel, tmp_path / "a", params)
    without = np.isin(np.arange(80), [3, 8, 9, 10])
    assert summary["samples"]["n_without_components"] == summary["samples"]["n_without_group"] == 4
    for name in (*VALUES[1:], "outside"):
        assert (np.isnan(read_adjusted(tmp_path / "a", name).sums) == without).all(), name
    assert pq.read_table(tmp_path / "a" / "adjusted.parquet").column("outside").null_count == 4 * 7
    packed = (tmp_path / "a" / "pgs.txt.gz").read_bytes()
    assert packed[4:8] == b"\0\0\0\0"  # no moment in it
    rows = [line.split("\t") for line in gzip.decompress(packed).decode().splitlines()]
    assert tuple(rows[0]) == PGS_COLUMNS and len(rows) == 1 + 7 * 80
    assert rows[4] == [
        "mine",
        cohort.sample_ids[3],
        cohort.sample_ids[3],
        cohort.score_ids[0],
        rows[4][4],
        "",
        "",
        "",
        "",
    ]
    assert [float(row[4]) for row in rows[1:81]] == cohort.scores[0].tolist()
    assert float(rows[1][7]) == read_adjusted(tmp_path / "a", "z_norm2").sums[0, 0]


def test_other_groups_and_small_ones_are_counted(made: Any, tmp_path: Path) -> None:
    panel, cohort, of_panel, of_cohort = made
    labels = [[one, "few" if i < 19 else GROUPS[panel.group[i]]] for i, one in enumerate(panel.sample_ids)]
    write_rows(tmp_path / "labels.tsv", ["sample_id", "group"], labels)
    own = [[one, ("few", "oth", "eur")[i % 3]] for i, one in enumerate(cohort.sample_ids)]
    write_rows(tmp_path / "ancestry.tsv", ["sample_id", "group"], own)
    tables = {"reference_labels": str(tmp_path / "labels.tsv"), "ancestry": str(tmp_path / "ancestry.tsv")}
    counts = on_panel(of_cohort, of_panel, tmp_path / "a", **tables)["samples"]
    assert (counts["n_without_group"], counts["n_of_small_groups"]) == (27, 27)
    found = np.isfinite(read_adjusted(tmp_path / "a", "percentile_most_similar").sums)
    assert (found == (np.arange(80) % 3 == 2)).all()
    labels = [[one, "oth" if i < 25 else GROUPS[panel.group[i]]] for i, one in enumerate(panel.sample_ids)]
    write_rows(tmp_path / "labels.tsv", ["sample_id", "group"], labels)
    counts = on_panel(of_cohort, of_panel, tmp_path / "b", **tables)["samples"]
    assert (counts["n_without_group"], counts["n_of_small_groups"]) == (54, 0)  # others are no group, however many
    groups = (tmp_path / "b" / "groups.tsv").read_text().splitlines()[1:]
    assert [line.split("\t")[0] for line in groups] == list(GROUPS)
    assert np.isfinite(read_adjusted(tmp_path / "a", "z_norm2").sums).all()


def test_scores_that_cannot_be_adjusted_are_said(made: Any, tmp_path: Path) -> None:
    """Constant, of one variant with three values, one nobody has, and one that was not trained on."""
    panel, cohort, _, _ = made
    draw = np.random.default_rng(5)
    files = []
    for one, n in ((panel, 300), (cohort, 80)):
        scores = one.scores.copy()
        scores[0], scores[1], scores[2] = 0.25, draw.binomial(2, 0.4, n) * 0.1, np.nan
        scores[3, 0] = np.nan
        kept = one.with_scores(scores if one is cohort else scores[:-1])
        files.append(kept.write(tmp_path / f"s{n}"))
    summary = on_panel(files[1], files[0], tmp_path / "a", replace(PARAMS, absent_scores="empty"))
    assert summary["scores_by_status"] == {"constant": 1, "few_people": 1, "not_trained": 1, "ok": 4}
    assert summary["n_values_missing"] == 81
    for name in VALUES[1:]:
        found = np.isfinite(read_adjusted(tmp_path / "a", name).sums)
        assert found.sum(axis=1).tolist() == [0, 80, 0, 79, 80, 80, 0], name
    with pytest.raises(InputError, match="found 1 that are not: PGS000006"):
        on_panel(files[1], files[0], tmp_path / "b")


def changed(path: str, to: Path, change: Callable[[list[str]], list[str]]) -> str:
    to.write_text("\n".join(change(Path(path).read_text().splitlines())) + "\n")
    return str(to)


def test_bad_input_is_refused_with_a_way_out(made: Any, tmp_path: Path) -> None:
    panel, cohort, of_panel, of_cohort = made
    ids = set(panel.sample_ids) | set(cohort.sample_ids)

    def scores(name: str, values: np.ndarray, sample_ids: list[str] = cohort.sample_ids, alleles: int = 80) -> str:
        (tmp_path / name).mkdir()
        write_table(tmp_path / name, cohort.score_ids, sample_ids, values, alleles)
        return str(tmp_path / name)

    def table(name: str, change: Callable[[list[str]], list[str]], of: str = of_cohort["pcs"]) -> str:
        return changed(of, tmp_path / name, change)

    infinite = cohort.scores.copy()
    infinite[2, 3] = np.inf
    twice = [cohort.sample_ids[0], *cohort.sample_ids[:-1]]
    narrow = table("narrow.tsv", lambda rows: ["\t".join(row.split("\t")[:4]) for row in rows])
    other_people = table("other.tsv", lambda rows: [rows[0], *("x" + row for row in rows[1:])])
    no_number = table("inf.tsv", lambda rows: [*rows[:-1], rows[-1].rsplit("\t", 1)[0] + "\tinf"])
    repeated = table("repeated.tsv", lambda rows: [*rows, rows[1]])
    few = table("few.tsv", lambda rows: [rows[0], *rows[1:11]], of_panel["groups"])
    renamed = table("renamed.tsv", lambda rows: [rows[0], *(row + "x" for row in rows[1:])], of_cohort["groups"])
    flat = table(
        "flat.tsv",
        lambda rows: [rows[0], *("\t".join([row.split("\t")[0], *"11111"]) for row in rows[1:])],
        of_panel["pcs"],
    )
    cases: list[tuple[dict[str, Any], type[CohelixError], str]] = [
        ({"scores": str(tmp_path)}, InputError, "found none there"),
        ({"scores": scores("inf", infinite)}, InputError, "infinite ones in 1 of 7 scores"),
        ({"scores": scores("twice", cohort.scores, twice)}, InputError, "damaged|not one row"),
        ({"scores": scores("sites", cohort.scores, alleles=60)}, InputError, "7 of 7: PGS000000 has 60 here, 80 there"),
        ({"pcs": narrow}, InputError, "expected 5 columns PC1 to PC5 .*, found 3"),
        ({"pcs": other_people}, InputError, "80 samples, found rows for 0 of them among 80"),
        ({"pcs": no_number}, InputError, "infinite ones of 1 samples"),
        ({"pcs": repeated}, InputError, "rows 2 and 82"),
        ({"reference": None}, ConfigError, "found none of them"),
        ({"reference_pcs": None}, ConfigError, "together with its components"),
        ({"reference_labels": None, "ancestry": of_cohort["groups"]}, ConfigError, "found the cohort's only"),
        ({"model": str(tmp_path)}, ConfigError, "found both"),
        ({"train": few}, InputError, "more training people .* than the 10 parameters of a score, found 10"),
        ({"train": of_cohort["groups"]}, InputError, "found rows for 0 of them"),
        ({"reference_pcs": flat}, InputError, "4 of 4 constant"),
        ({"ancestry": renamed}, InputError, "names of the 5 training groups, found none"),
        ({"params": replace(PARAMS, min_group=61)}, InputError, "at least 61 training people .* at most 60"),
        ({"params": replace(PARAMS, label_column="nation")}, InputError, "nation"),
    ]  # fmt: skip
    for place, (change, kind, words) in enumerate(cases):
        given = of_cohort | {name: change.pop(name) for name in ("scores", "pcs") if name in change}
        out = tmp_path / f"out{place}"
        with pytest.raises(kind, match=words) as caught:
            on_panel(given, of_panel, out, **change)
        assert not ids & set(str(caught.value).replace(".", " ").split()), words
        assert not out.exists() and not list(tmp_path.glob(f".out{place}*")), words


def test_a_model_that_is_none_or_was_changed_is_refused(made: Any, tmp_path: Path) -> None:
    _, _, of_panel, of_cohort = made
    on_panel(of_cohort, of_panel, tmp_path / "a", ancestry=of_cohort["groups"])

    def apply(**other: Any) -> None:
        options = {"pcs": of_cohort["pcs"], "model": str(tmp_path / "a"), "ancestry": of_cohort["groups"]} | other
        adjust(of_cohort["scores"], str(tmp_path / "b"), PARAMS, **options)

    with pytest.raises(ConfigError, match="does not know where groups lie"):
        apply(ancestry=None)
    with pytest.raises(InputError, match="none there"):
        apply(model=of_panel["scores"])
    path = tmp_path / "a" / "model" / "parameters.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:-9] + bytes(9))
    with pytest.raises(InputError, match="lacking or was changed"):
        apply()
    path.write_bytes(content)
    apply()
    meta = tmp_path / "a" / "model" / "model.json"
    meta.write_text(meta.read_text().replace('"n_pcs": 4', '"n_pcs": 9'))
    with pytest.raises(InputError, match="lacking or was changed"):
        apply()


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("pcs", "mean", [0.0]),
        ("pcs", "mean", ["a"] * 4),
        ("pcs", "sd", [1.0, 1.0, 1.0, 0.0]),
        ("support", "neighbours", "x"),
        ("support", "neighbours", 10**6),
        ("support", "cutoff", "x"),
    ],
)
def test_numbers_that_no_model_has_are_refused(
    made: Any, tmp_path: Path, section: str, name: str, value: object
) -> None:
    _, _, of_panel, of_cohort = made
    on_panel(of_cohort, of_panel, tmp_path / "a")
    path = tmp_path / "a" / "model" / "model.json"
    meta = json.loads(path.read_text())
    assert meta[section][name] != value
    meta[section][name] = value
    path.write_text(json.dumps(meta))
    with pytest.raises(InputError, match="lacking or was changed"):
        adjust(of_cohort["scores"], str(tmp_path / "b"), PARAMS, pcs=of_cohort["pcs"], model=str(tmp_path / "a"))
    assert not (tmp_path / "b").exists()


def test_columns_that_are_not_there_are_refused(made: Any, tmp_path: Path) -> None:
    _, _, of_panel, of_cohort = made
    with pytest.raises(InputError, match="found none there"):
        read_adjusted(of_cohort["scores"], "z_norm2")
    on_panel(of_cohort, of_panel, tmp_path / "a")
    with pytest.raises(InputError, match="found 'z'"):
        read_adjusted(tmp_path / "a", "z")
    table = pq.read_table(tmp_path / "a" / "adjusted.parquet")
    for name, rows in (("short", table.slice(0, 170)), ("turned", table.take(pa.array(np.arange(559, -1, -1) % 559)))):
        (tmp_path / name).mkdir()
        pq.write_table(rows, tmp_path / name / "adjusted.parquet")
        with pytest.raises(InputError, match=r"damaged|not one row"):
            read_adjusted(tmp_path / name, "z_norm2")


@pytest.mark.parametrize(
    "setting",
    [
        {"n_pcs": 0},
        {"min_group": 1},
        {"outside_rate": 0.9},
        {"absent_scores": "no"},
        {"sampleset": "a\tb"},
        {"edge": -1.0},
    ],
)
def test_settings_out_of_range_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        AdjustParams(**setting)
