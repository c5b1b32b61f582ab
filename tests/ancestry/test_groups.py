"""Groups of a projection: All of Us's file to the letter, presets as data, and refusals with a way out."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import RandomForestClassifier

from cohelix.ancestry.groups import recipe
from cohelix.ancestry.groups.run import assign
from cohelix.ancestry.pca.tables import Model, write_model
from cohelix.ancestry.schema import AssignParams
from cohelix.errors import CohelixError, ConfigError, InputError, ReferenceMismatch
from cohelix.genotypes import inputs
from cohelix.genotypes.outputs import seal_of

GROUPS = ["afr", "amr", "eas", "eur", "mid", "sas"]
K = 20
Change = Callable[[dict[str, Any]], None]


def drawn_people(n: int, seed: int) -> tuple[np.ndarray, list[str]]:
    """Scores (n, K) around the centres of six groups, and the label of each."""
    centres = 4 * np.random.default_rng(3).normal(size=(len(GROUPS), K))
    drawn = np.random.default_rng(seed)
    codes = np.arange(n) % len(GROUPS)
    return centres[codes] + drawn.normal(size=(n, K)), [GROUPS[code] for code in codes]


def write_fitted(folder: Path, scores: np.ndarray, labels: list[str] | None, *, digest: str = "d" * 64) -> str:
    """A model's folder with these scores; its sites do not matter here."""
    folder.mkdir()
    n, k = scores.shape
    ids = [f"R{row:05d}" for row in range(n)]
    sites = pa.table({
        "contig": ["chr1"], "position": pa.array([7], pa.int32()), "ref": ["A"], "alt": ["C"], "n_called": [n],
    })  # fmt: skip
    table = None
    if labels is not None:
        table = pa.table({"sample_id": ids, "group": labels, "subgroup": pa.array([None] * n, pa.string())})
    meta = {
        "kind": "pca", "k": k, "k_extra": 0, "n_sites": 1, "n_samples": n, "build": "GRCh38", "total_variance": 9.0,
        "provenance": {"digest": digest},
    }  # fmt: skip
    model = Model(sites, np.array([0.5]), np.ones((1, k)), np.ones(k), scores, ids, None, table, meta)
    write_model(folder, model, np.zeros(k))
    return str(folder)


def write_projected(folder: Path, scores: np.ndarray, ood: np.ndarray, *, digest: str = "d" * 64) -> str:
    """A projection's folder, of samples S00000, ..."""
    folder.mkdir()
    ids = [f"S{row:05d}" for row in range(len(scores))]
    columns = {f"pc{i + 1}": pa.array(scores[:, i]) for i in range(scores.shape[1])}
    pq.write_table(pa.table({"sample_id": ids} | columns | {"ood": ood}), folder / "projection.parquet")
    files = {"projection.parquet": seal_of((folder / "projection.parquet").read_bytes())}
    made = {
        "inputs": [{"role": "model", "sha256": digest}, {"role": "callset", "sha256": "c" * 64}],
        "digest": "p" * 64,
    }
    (folder / "projection.json").write_text(json.dumps({"kind": "projection", "provenance": made, "files": files}))
    return str(folder)


def rows_of(path: Path) -> list[dict[str, str]]:
    header, *lines = (line.split("\t") for line in path.read_text().splitlines())
    return [dict(zip(header, line, strict=True)) for line in lines]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A labelled model of 240, and a projection of 90: two groups' halves mixed, one out of distribution, one empty."""
    folder = tmp_path_factory.mktemp("groups")
    scores, labels = drawn_people(240, 1)
    model = write_fitted(folder / "model", scores, labels)
    others, _ = drawn_people(90, 2)
    others[:20] = (others[:20] + others[1:21]) / 2
    others[89] = np.nan
    ood = np.zeros(90, bool)
    ood[[50, 89]] = True
    return model, write_projected(folder / "projection", others, ood)


def their_file(model: str, projection: str, threshold: float) -> list[dict[str, str]]:
    """What run_ancestry.wdl writes of these scores: its own steps, in its own order."""
    table = pq.read_table(Path(projection) / "projection.parquet").to_pylist()
    training = rows_of(Path(model) / "scores.tsv")
    clf = RandomForestClassifier(random_state=337337)
    labels = {row["sample_id"]: row["group"] for row in rows_of(Path(model) / "labels.tsv")}
    clf.fit(
        [[float(row[f"PC{i + 1}"]) for i in range(16)] for row in training],
        [labels[row["sample_id"]] for row in training],
    )
    test = [[row[f"pc{i + 1}"] for i in range(16)] for row in table]
    found = []
    for row, pred, probabilities, features in zip(
        table, clf.predict(test), clf.predict_proba(test).tolist(), test, strict=True
    ):
        other = pred if max(probabilities) > threshold else "oth"
        found.append({
            "research_id": row["sample_id"], "ancestry_pred": str(pred), "probabilities": str(probabilities),
            "pca_features": str(features), "ancestry_pred_other": str(other),
        })  # fmt: skip
    return found


def test_the_file_is_all_of_uss_to_the_letter(folders: tuple[str, str], tmp_path: Path) -> None:
    model, projection = folders
    known = tmp_path / "known"
    shutil.copytree(projection, known)
    table = pq.read_table(known / "projection.parquet").slice(0, 89)
    pq.write_table(table, known / "projection.parquet")
    reseal(known)
    found = assign(model, str(known), str(tmp_path / "out"), AssignParams(holdout=0.0))
    theirs = their_file(model, str(known), 0.75)
    ours = rows_of(tmp_path / "out" / "ancestry_preds.tsv")
    assert ours == theirs
    assert list(ours[0]) == ["research_id", "ancestry_pred", "probabilities", "pca_features", "ancestry_pred_other"]
    assert 0 < found["n_by_pred_other"]["oth"] < 40
    again = inputs.read_pcs(str(tmp_path / "out" / "ancestry_preds.tsv"), [row["research_id"] for row in ours], 16)
    assert (again == np.column_stack([table[f"pc{i + 1}"].to_numpy() for i in range(16)])).all()


def test_a_probability_at_the_threshold_is_other_to_one_programme_and_not_to_the_other(
    folders: tuple[str, str], tmp_path: Path
) -> None:
    model, projection = folders
    scores = np.column_stack([pq.read_table(f"{projection}/projection.parquet")[f"pc{i + 1}"] for i in range(K)])
    out = tmp_path / "out"
    found = {}
    for preset in ("aou-v8", "gnomad-v4"):
        params = AssignParams(preset=preset, n_pcs=16, seed=9, n_trees=4, min_probability=0.75, holdout=0.0)
        assign(model, projection, str(out / preset), params)
        found[preset] = pq.read_table(out / preset / "ancestry.parquet").to_pylist()
    best = {p: [max(row[f"probability_{g}"] or 0 for g in GROUPS) for row in found[p]] for p in found}
    assert 0.75 in best["aou-v8"]
    assert 0.75 in best["gnomad-v4"]
    for row, highest in zip(found["aou-v8"], best["aou-v8"], strict=True):
        assert row["ood"] or (row["group_other"] == "oth") == (highest <= 0.75)
    for row, highest in zip(found["gnomad-v4"], best["gnomad-v4"], strict=True):
        assert row["ood"] or (row["group_other"] == "remaining") == (highest < 0.75)
    assert len(scores) == 90


def test_gnomads_split_and_forest(folders: tuple[str, str], tmp_path: Path) -> None:
    """assign_population_pcs: random.seed(42), a sample of 80 %, a forest of 100 trees with that seed on 20 PCs."""
    model, projection = folders
    found = assign(model, projection, str(tmp_path / "out"), AssignParams(preset="gnomad-v4"))
    scores, labels = drawn_people(240, 1)
    random.seed(42)
    chosen = random.sample(list(range(240)), int(240 * 0.8))
    theirs = RandomForestClassifier(n_estimators=100, random_state=42).fit(scores[chosen], np.array(labels)[chosen])
    table = pq.read_table(tmp_path / "out" / "ancestry.parquet")
    ours = np.column_stack([table[f"probability_{group}"].to_numpy() for group in GROUPS])
    projected = pq.read_table(f"{projection}/projection.parquet")
    features = np.column_stack([projected[f"pc{i + 1}"].to_numpy() for i in range(20)])
    assert (ours[:89] == theirs.predict_proba(features[:89])).all()
    rest = np.setdiff1d(np.arange(240), chosen)
    held = found["trained"]["accuracy"]["held_out"]
    assert held["n"] == len(rest) == 48
    assert held["accuracy"] == pytest.approx((theirs.predict(scores[rest]) == np.array(labels)[rest]).mean())
    assert sum(row["n"] for row in held["by_group"].values()) == 48


def test_ancestry_parquet(folders: tuple[str, str], tmp_path: Path) -> None:
    model, projection = folders
    found = assign(model, projection, str(tmp_path / "out"), AssignParams(not_sources=["amr"]))
    table = pq.read_table(tmp_path / "out" / "ancestry.parquet")
    sources = [group for group in GROUPS if group != "amr"]
    assert table.column_names == [
        "sample_id", "group", "group_other", "ood",
        *(f"probability_{g}" for g in GROUPS), *(f"distance_{g}" for g in GROUPS),
        *(f"proportion_{g}" for g in sources),
    ]  # fmt: skip
    rows = table.to_pylist()
    assert rows[50]["ood"] and rows[50]["group_other"] == "oth" and rows[50]["group"] in GROUPS
    assert rows[89]["group"] == rows[89]["group_other"] == "oth"
    assert all(rows[89][name] is None for name in table.column_names[4:])
    assert found["n_without_components"] == 1
    assert found["n_ood"] == 2
    scores, labels = drawn_people(240, 1)
    centre = scores[[label == "eas" for label in labels], :16].mean(axis=0)
    projected = pq.read_table(f"{projection}/projection.parquet")
    where = np.column_stack([projected[f"pc{i + 1}"].to_numpy() for i in range(16)])
    assert table["distance_eas"].to_numpy()[:89] == pytest.approx(np.linalg.norm(where[:89] - centre, axis=1))
    for row in rows[:89]:
        assert sum(row[f"proportion_{g}"] for g in sources) == pytest.approx(1)
        assert sum(row[f"probability_{g}"] for g in GROUPS) == pytest.approx(1)
    preds = rows_of(tmp_path / "out" / "ancestry_preds.tsv")
    assert preds[50]["ancestry_pred_other"] == preds[50]["ancestry_pred"] == rows[50]["group"]
    assert preds[89]["probabilities"] == str([float("nan")] * 6).replace("nan", "NaN")
    assert np.isnan(json.loads(preds[89]["pca_features"])).all()
    assert found == json.loads((tmp_path / "out" / "assign.json").read_text())
    assign(model, projection, str(tmp_path / "strict"), AssignParams(ood_is_oth=True))
    strict = rows_of(tmp_path / "strict" / "ancestry_preds.tsv")
    assert strict[50]["ancestry_pred_other"] == "oth"
    assert [row["ancestry_pred_other"] for row in strict] == [row["group_other"] for row in rows]


def test_accuracy_held_out_is_of_a_forest_that_has_not_seen_them(folders: tuple[str, str], tmp_path: Path) -> None:
    """Labels that say nothing: a forest finds those that it has seen, and of others one in six."""
    scores, labels = drawn_people(240, 1)
    random.Random(1).shuffle(labels)
    model = write_fitted(tmp_path / "model", scores, labels)
    found = assign(model, folders[1], str(tmp_path / "out"), AssignParams())["trained"]["accuracy"]
    assert found["held_out"]["n"] == 48
    assert all(row["n"] == 8 for row in found["held_out"]["by_group"].values())
    assert found["held_out"]["accuracy"] < 0.4
    assert found["out_of_bag"]["accuracy"] < 0.4
    assert found["out_of_bag"]["n"] == 240
    real = assign(*folders, str(tmp_path / "real"), AssignParams())["trained"]["accuracy"]
    assert real["held_out"]["accuracy"] > 0.95
    assert real["out_of_bag"]["accuracy"] > 0.95


def test_a_forest_is_applied_again_and_equal_input_gives_equal_bytes(folders: tuple[str, str], tmp_path: Path) -> None:
    first, second, third = (str(tmp_path / name) for name in ("first", "second", "third"))
    assign(*folders, first, AssignParams())
    assign(*folders, second, AssignParams())
    assign(*folders, third, AssignParams(), forest=first)
    for name in ("ancestry_preds.tsv", "ancestry.parquet", "forest.parquet", "assign.json"):
        whole = (Path(first) / name).read_bytes()
        assert whole == (Path(second) / name).read_bytes()
        assert name == "assign.json" or whole == (Path(third) / name).read_bytes()
    trained = [json.loads((Path(one) / "assign.json").read_text())["trained"] for one in (first, third)]
    assert trained[0] == trained[1]


def _spoil(name: str, change: Change) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        document = json.loads((folder / name).read_text())
        change(document)
        (folder / name).write_text(json.dumps(document))

    return spoil


@pytest.mark.parametrize(
    ("spoil", "kind", "seen"),
    [
        (lambda folder: (folder / "forest.parquet").unlink(), InputError, "no such files"),
        (lambda folder: (folder / "forest.parquet").write_bytes(b"\x80\x04cos\nsystem"), InputError, "not what was"),
        (lambda folder: (folder / "assign.json").write_text("{"), InputError, "does not hold"),
        (_spoil("assign.json", lambda d: d.update(kind="pca")), InputError, "does not hold"),
        (_spoil("assign.json", lambda d: d["centres"].pop()), InputError, "centres"),
        (_spoil("assign.json", lambda d: d["groups"].reverse()), InputError, "centres"),
        (_spoil("assign.json", lambda d: d["recipe"].update(n_pcs=15)), ConfigError, "15 components"),
        (_spoil("assign.json", lambda d: d["provenance"].update(inputs=[])), ReferenceMismatch, "another"),
    ],
)
def test_a_forest_that_is_not_what_was_written_is_refused(
    folders: tuple[str, str], tmp_path: Path, spoil: Callable[[Path], None], kind: type[CohelixError], seen: str
) -> None:
    made = tmp_path / "made"
    assign(*folders, str(made), AssignParams(holdout=0.0))
    spoil(made)
    with pytest.raises(kind, match=seen):
        assign(*folders, str(tmp_path / "out"), AssignParams(), forest=str(made))
    assert not (tmp_path / "out").exists()


def write_labels(path: Path, rows: list[tuple[str, str]], column: str = "group") -> str:
    path.write_text(f"sample_id\t{column}\n" + "".join(f"{one}\t{label}\n" for one, label in rows))
    return str(path)


def test_labels_are_collapsed_and_dropped_as_the_preset_says(folders: tuple[str, str], tmp_path: Path) -> None:
    _, labels = drawn_people(240, 1)
    rows = [(f"R{row:05d}", label) for row, label in enumerate(labels)]
    eur = [row for row, label in enumerate(labels) if label == "eur"]
    for place, row in enumerate(eur):
        rows[row] = (rows[row][0], ("nfe", "fin")[place % 2])
    rows[0], rows[1], rows[2] = (rows[0][0], "oth"), (rows[1][0], ""), (rows[2][0], "NA")
    table = write_labels(tmp_path / "labels.tsv", rows, "pop_label")
    params = AssignParams(label_column="pop_label")
    found = assign(*folders, str(tmp_path / "aou"), params, labels=table)
    assert found["groups"] == GROUPS
    assert found["trained"]["n_by_group"]["eur"] == len(eur)
    assert sum(found["trained"]["n_by_group"].values()) == 237
    params = AssignParams(label_column="pop_label", preset="gnomad-v4")
    found = assign(*folders, str(tmp_path / "gnomad"), params, labels=table)
    assert "fin" in found["groups"] and "nfe" in found["groups"] and "eur" not in found["groups"]


def test_a_population_of_1000_genomes_is_not_a_group_of_gnomads(folders: tuple[str, str], tmp_path: Path) -> None:
    _, labels = drawn_people(240, 1)
    upper = {"afr": "YRI", "amr": "PEL", "eas": "CHB", "eur": "FIN", "mid": "GBR", "sas": "GIH"}
    table = write_labels(tmp_path / "labels.tsv", [(f"R{row:05d}", upper[label]) for row, label in enumerate(labels)])
    found = assign(*folders, str(tmp_path / "out"), AssignParams(holdout=0.0), labels=table)
    assert found["groups"] == sorted(upper.values())


@pytest.mark.parametrize(
    ("labels", "seen"),
    [
        ([("R00000", "afr"), ("R00001", "afr"), ("R00002", "eas")], "at least 2 samples of every label"),
        ([("X1", "afr"), ("X2", "afr")], "of other samples"),
        ([("R00000", ""), ("R00001", "NA"), ("R00002", "oth")], "none that names a group"),
        ([("R00000", "afr"), ("R00001", "afr")], "at least two groups"),
        ([("R00000", "afr"), ("R00000", "eas")], "rows 2 and 3"),
        ([("R00000", "R00000"), ("R00001", "R00001")], "found ids"),
    ],
)
def test_labels_that_cannot_be_trained_with(
    folders: tuple[str, str], tmp_path: Path, labels: list[tuple[str, str]], seen: str
) -> None:
    table = write_labels(tmp_path / "labels.tsv", labels)
    with pytest.raises(InputError, match=seen) as refused:
        assign(*folders, str(tmp_path / "out"), AssignParams(), labels=table)
    assert "R0000" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_label_seen_once_can_be_left_out(folders: tuple[str, str], tmp_path: Path) -> None:
    _, labels = drawn_people(240, 1)
    rows = [(f"R{row:05d}", label) for row, label in enumerate(labels)]
    rows[7] = (rows[7][0], "oce")
    table = write_labels(tmp_path / "labels.tsv", rows)
    found = assign(*folders, str(tmp_path / "out"), AssignParams(small_groups="drop"), labels=table)
    assert found["groups"] == GROUPS
    assert (found["trained"]["n_small_groups_dropped"], found["trained"]["n_in_small_groups"]) == (1, 1)


def test_what_does_not_fit_together_is_refused(folders: tuple[str, str], tmp_path: Path) -> None:
    model, projection = folders
    scores, labels = drawn_people(60, 1)
    few = write_fitted(tmp_path / "few", scores[:, :10], labels)
    out = str(tmp_path / "out")
    with pytest.raises(ConfigError, match=r"takes 16 components, and the model has 10.* n_pcs to 10"):
        assign(few, projection, out, AssignParams())
    assert assign(few, projection, str(tmp_path / "ten"), AssignParams(n_pcs=10))["recipe"]["n_pcs"] == 10
    other = write_projected(tmp_path / "other", scores, np.zeros(60, bool), digest="e" * 64)
    with pytest.raises(ReferenceMismatch, match="made from another"):
        assign(model, other, out, AssignParams())
    short = write_projected(tmp_path / "short", scores[:, :12], np.zeros(60, bool))
    with pytest.raises(InputError, match="found no pc13"):
        assign(model, short, out, AssignParams())
    bare = write_fitted(tmp_path / "bare", scores, None)
    with pytest.raises(InputError, match="found none in the model"):
        assign(bare, projection, out, AssignParams())
    with pytest.raises(InputError, match="no such files"):
        assign(model, model, out, AssignParams())
    with pytest.raises(ConfigError, match="both"):
        assign(model, projection, out, AssignParams(), labels="x", forest="y")
    with pytest.raises(ConfigError, match="not_sources"):
        assign(model, projection, out, AssignParams(not_sources=["xyz"]))
    with pytest.raises(ConfigError, match="leaves no group"):
        assign(model, projection, out, AssignParams(not_sources=GROUPS))
    with pytest.raises(ConfigError, match="aou-v8 or gnomad-v4"):
        assign(model, projection, out, AssignParams(preset="topmed"))
    assert not Path(out).exists()


def test_ids_twice_in_a_projection_are_refused(folders: tuple[str, str], tmp_path: Path) -> None:
    copy = tmp_path / "projection"
    shutil.copytree(folders[1], copy)
    table = pq.read_table(copy / "projection.parquet")
    pq.write_table(pa.concat_tables([table.slice(0, 1), table]), copy / "projection.parquet")
    reseal(copy)
    with pytest.raises(InputError, match="have the same id"):
        assign(folders[0], str(copy), str(tmp_path / "out"), AssignParams())


def reseal(folder: Path, **change: object) -> None:
    """Say of the projection's file what it is now, and `change` in the JSON beside it."""
    meta = json.loads((folder / "projection.json").read_text())
    meta["files"]["projection.parquet"] = seal_of((folder / "projection.parquet").read_bytes())
    (folder / "projection.json").write_text(json.dumps(meta | change))


def test_a_projection_that_was_damaged_is_refused(folders: tuple[str, str], tmp_path: Path) -> None:
    """One byte of a score, or fewer people, would be other groups in silence."""
    copy = tmp_path / "projection"
    shutil.copytree(folders[1], copy)
    content = (copy / "projection.parquet").read_bytes()
    (copy / "projection.parquet").write_bytes(content[:500] + bytes([content[500] ^ 1]) + content[501:])
    with pytest.raises(InputError, match=r"projection\.parquet is not the file that was written"):
        assign(folders[0], str(copy), str(tmp_path / "out"), AssignParams())
    (copy / "projection.parquet").write_bytes(content)
    for change in ({"provenance": "x"}, {"provenance": {}}, {"files": None}):
        reseal(copy, **change)
        with pytest.raises(InputError, match="does not hold what was written"):
            assign(folders[0], str(copy), str(tmp_path / "out"), AssignParams())
        shutil.copy(Path(folders[1]) / "projection.json", copy)
    reseal(copy, provenance={"digest": "p", "inputs": "x"})
    with pytest.raises(ReferenceMismatch, match="made from another"):
        assign(folders[0], str(copy), str(tmp_path / "out"), AssignParams())


@pytest.mark.parametrize("name", recipe.preset_names())
def test_every_setting_of_a_preset_names_its_source(name: str, root: Path) -> None:
    import tomllib

    folder = root / "reference" / "ancestry" / name
    document = tomllib.loads((folder / "assign.toml").read_text())
    listed = {source["name"] for source in tomllib.loads((folder / "SOURCE.toml").read_text())["source"]}
    for setting in ("n_pcs", "n_trees", "seed", "train_share", "threshold", "at_threshold", "drop"):
        assert document["source"][setting].split(",")[0].split(":")[0] in listed, setting
    assert recipe.recipe_of(AssignParams(preset=name)).n_pcs == document["n_pcs"]
