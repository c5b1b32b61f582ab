"""Panels: who is in one, at which sites, with the labels beside the genotypes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cohelix.ancestry.panel import make_panel
from cohelix.ancestry.schema import PanelParams
from cohelix.errors import ConfigError, InputError
from cohelix.genotypes.callset import Callset, open_callset, read_genotypes
from cohelix.genotypes.schema_select import SelectParams
from cohelix.runtime.local import LocalRuntime
from tests.ancestry import reference_panel as made

GROUPS = ("afr", "eas", "eur", "sas")
SITES = SelectParams(long_range_ld="keep", ld_r2=1.0)
SIZES = [20, 12, 30, 18]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, np.ndarray, list[str]]:
    """A callset of 80 people of four groups and 10 mixed, its genotypes, and the ids."""
    drawn = made.draw(made.frequencies(), SIZES, 10, 5)
    ids = made.names(90)
    return made.as_callset(tmp_path_factory.mktemp("people") / "made", drawn.genotypes, ids), drawn.genotypes, ids


def labels_of(ids: list[str]) -> dict[str, str]:
    stated = [group for group, size in zip(GROUPS, SIZES, strict=True) for _ in range(size)]
    return dict(zip(ids, [*stated, *["OTH"] * 5, *[""] * 5], strict=True))


def write_labels(path: Path, labels: dict[str, str], subgroups: dict[str, str] | None = None) -> str:
    rows = [f"{one}\t{label}\t{(subgroups or {}).get(one, '')}\n" for one, label in reversed(labels.items())]
    path.write_text("s\tsuper_pop\tlabeled_subpop\n" + "".join(rows))
    return str(path)


def panel(
    people: tuple[str, np.ndarray, list[str]], folder: Path, labels: dict[str, str], *, unrelated: str | None = None,
    **choices: object,
) -> Callset:  # fmt: skip
    params = PanelParams(label_column="super_pop", subgroup_column="labeled_subpop", **choices)  # type: ignore[arg-type]
    table = write_labels(folder / "labels.tsv", labels, {people[2][0]: "YRI"})
    return make_panel(
        people[0], table, str(folder / "panel.callset"), params, SITES, LocalRuntime(2), unrelated=unrelated
    )


def test_the_panel_holds_the_labelled_and_their_genotypes(
    people: tuple[str, np.ndarray, list[str]], tmp_path: Path
) -> None:
    _, genotypes, ids = people
    found = panel(people, tmp_path, labels_of(ids))
    assert found.samples()["sample_id"].to_pylist() == ids[:80]
    table = open_callset(str(tmp_path / "panel.callset")).table(found.commit.meta["tables"]["labels"])
    assert table.column_names == ["sample_id", "group", "subgroup"]
    assert dict(zip(table["sample_id"].to_pylist(), table["group"].to_pylist(), strict=True)) == {
        one: label for one, label in labels_of(ids).items() if label in GROUPS
    }
    assert table["subgroup"].to_pylist() == ["YRI", *[None] * 79]
    frequency = genotypes[:, :80].mean(axis=1) / 2
    kept = np.minimum(frequency, 1 - frequency) >= SITES.min_maf
    ours = np.concatenate([read_genotypes(found, shard, 0, shard.n_sites) for shard in found.shards])
    assert (ours == genotypes[kept, :80]).all()
    assert found.commit.meta["panel"] == {
        "n_by_group": dict(zip(GROUPS, SIZES, strict=True)), "n_without_label": 5, "n_label_dropped": 5, "n_related": 0,
        "n_in_small_groups": 0,
    }  # fmt: skip


def test_relatives_and_surplus_stay_out(people: tuple[str, np.ndarray, list[str]], tmp_path: Path) -> None:
    ids = people[2]
    (tmp_path / "unrelated.tsv").write_text("sample_id\n" + "".join(f"{one}\n" for one in ids[1::2]))
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    unrelated = str(tmp_path / "unrelated.tsv")
    found = panel(people, tmp_path / "a", labels_of(ids), unrelated=unrelated, max_per_group=7)
    labels = found.table(found.commit.meta["tables"]["labels"])
    taken = labels["sample_id"].to_pylist()
    assert set(taken) <= set(ids[1::2])
    assert taken == sorted(taken)
    assert found.commit.meta["panel"]["n_by_group"] == {"afr": 7, "eas": 6, "eur": 7, "sas": 7}
    assert found.commit.meta["panel"]["n_related"] == 45
    again = panel(people, tmp_path / "b", labels_of(ids), unrelated=unrelated, max_per_group=7)
    assert again.samples()["sample_id"].to_pylist() == taken
    assert again.commit.files == found.commit.files


def test_a_label_seen_once_is_refused_or_left_out(people: tuple[str, np.ndarray, list[str]], tmp_path: Path) -> None:
    labels = labels_of(people[2]) | {people[2][3]: "oce"}
    with pytest.raises(InputError, match="at least 2 samples of every label"):
        panel(people, tmp_path, labels)
    assert not (tmp_path / "panel.callset").exists()
    found = panel(people, tmp_path, labels, small_groups="drop")
    assert people[2][3] not in found.samples()["sample_id"].to_pylist()
    assert found.commit.meta["panel"]["n_in_small_groups"] == 1


def test_labels_that_make_no_panel(people: tuple[str, np.ndarray, list[str]], tmp_path: Path) -> None:
    ids = people[2]
    for labels, seen in (
        ({f"x{one}": "afr" for one in ids}, "of other samples"),
        (dict.fromkeys(ids, "afr"), "at least two groups"),
        (dict.fromkeys(ids, "oth"), "none that names a group"),
        ({one: one for one in ids}, "found ids"),
    ):
        with pytest.raises(InputError, match=seen):
            panel(people, tmp_path, labels)
    (tmp_path / "unrelated.tsv").write_text("sample_id\nsomebody\n")
    with pytest.raises(InputError, match="unrelated samples"):
        panel(people, tmp_path, labels_of(ids), unrelated=str(tmp_path / "unrelated.tsv"))
    with pytest.raises(ConfigError, match="max_per_group"):
        PanelParams(max_per_group=1)
    assert not (tmp_path / "panel.callset").exists()


def test_a_label_that_would_break_a_table_is_refused(people: tuple[str, np.ndarray, list[str]], tmp_path: Path) -> None:
    for column, cell in (("super_pop", '"e\tur"'), ("labeled_subpop", '"a\nb"')):
        rows = [f"{one},{cell},x\n" if column == "super_pop" else f"{one},eur,{cell}\n" for one in people[2]]
        (tmp_path / "labels.csv").write_text("s,super_pop,labeled_subpop\n" + "".join(rows))
        params = PanelParams(label_column="super_pop", subgroup_column="labeled_subpop")
        with pytest.raises(InputError, match=r"label on row 2|row 2 has another number of fields"):
            make_panel(
                people[0], str(tmp_path / "labels.csv"), str(tmp_path / "out"), params, SITES, LocalRuntime(1)
            )  # fmt: skip


def test_what_made_a_panel_is_told(people: tuple[str, np.ndarray, list[str]], tmp_path: Path) -> None:
    """Other labels of the same people make another panel, and its provenance says so."""
    labels = labels_of(people[2])
    first = panel(people, tmp_path, labels).commit.provenance
    turned = dict(zip(labels, [*list(labels.values())[1:80], "afr", *list(labels.values())[80:]], strict=True))
    second = panel(people, tmp_path, turned).commit.provenance
    assert first["operation"] == "ancestry panel"
    assert [entry["role"] for entry in first["inputs"]] == ["callset", "labels"]
    assert first["digest"] != second["digest"] and first["inputs"][0] == second["inputs"][0]
