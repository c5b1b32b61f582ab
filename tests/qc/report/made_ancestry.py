"""Folders as `cohelix relatedness` and `cohelix ancestry` make them, with made people and known numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

PEOPLE = 500
CENTRES = {"afr": (0.0, 0.0), "eas": (6.0, 0.0), "eur": (3.0, 5.0)}


def ids(count: int = PEOPLE) -> list[str]:
    return [f"PERSON{i:05d}X" for i in range(count)]


def groups(people: int = PEOPLE) -> np.ndarray:
    """Three of equal size, and the last seven of none."""
    names = np.array(list(CENTRES))[np.arange(people) % 3]
    names[-7:] = "oth"
    return names


def scores(people: int = PEOPLE, seed: int = 3) -> np.ndarray:
    """(people, 4): a cloud around the centre of each group; those of none far from all."""
    draw = np.random.default_rng(seed)
    found = draw.normal(0, 0.4, (people, 4))
    found[:, :2] += np.array([CENTRES.get(name, (20.0, -20.0)) for name in groups(people).tolist()])
    return found


def _write(folder: Path, name: str, record: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(record))
    return folder


def relatedness(folder: Path, histogram: np.ndarray | None = None) -> Path:
    """Pairs by degree; a histogram of kinship (0.01 from -0.5) and IBS0 (0.0025 from 0)."""
    counts = np.zeros((100, 40), int) if histogram is None else histogram
    if histogram is None:
        counts[75, 0], counts[75, 6], counts[62, 10], counts[50:54, 14:18], counts[99, 0] = 60, 45, 8, 30, 3
    record = {
        "kind": "relatedness", "n_samples": PEOPLE, "n_sites": 12_345,
        "counts": {
            "by_degree": {"0": 3, "1": 105, "2": 8, "3": 0, "4": 480},
            "by_relationship": {"duplicate_or_twin": 3, "parent_child": 60, "full_siblings": 45, "second_degree": 8},
        },
        "screen": {"n_sites": 2_000, "min_kinship": 0.0442, "recall_bound": 0.9999},
        "histogram": {
            "kinship_edges": [-0.5 + k / 100 for k in range(101)], "ibs0_edges": [k / 400 for k in range(41)],
            "counts": counts.tolist(),
        },
        "pedigree": {"n_pairs": 44, "n_agree": 40, "n_disagree": 4, "notes": {"not related": 4}},
    }  # fmt: skip
    return _write(folder, "relatedness.json", record)


def unrelated(folder: Path, dropped: int = 60) -> Path:
    record = {"kind": "unrelated", "n_samples": PEOPLE, "n_kept": PEOPLE - dropped, "n_dropped": dropped}
    return _write(folder, "prune.json", record | {"provenance": {"params": {"max_kinship": 0.1}}})


def pca(folder: Path, labelled: bool = True) -> Path:
    folder.mkdir(parents=True)
    lines = ["PC\teigenvalue\tshare_of_total\tresidual"]
    lines += [f"PC{k}\t{100 / k}\t{0.2 / k}\t{10.0 ** -(12 - k)}" for k in range(1, 7)]
    (folder / "eigenvalues.tsv").write_text("\n".join(lines) + "\n")
    rows = [f"{name}\t" + "\t".join(map(repr, row)) for name, row in zip(ids(), scores().tolist(), strict=True)]
    (folder / "scores.tsv").write_text("\n".join(["sample_id\tPC1\tPC2\tPC3\tPC4", *rows]) + "\n")
    if labelled:
        labels = [f"{name}\t{group}\t" for name, group in zip(ids(), groups().tolist(), strict=True)]
        (folder / "labels.tsv").write_text("\n".join(["sample_id\tgroup\tsubgroup", *labels]) + "\n")
    record = {"kind": "pca", "k": 4, "k_extra": 2, "n_samples": PEOPLE, "n_sites": 9_876, "gap": 0.25}
    return _write(folder, "pca.json", record)


def projection(folder: Path, people: int = PEOPLE, outside: int = 7) -> Path:
    draw = np.random.default_rng(5)
    columns = {
        "sample_id": ids(people), "n_sites_used": np.full(people, 9_000), "share_used": draw.uniform(0.9, 1, people),
        "residual": draw.normal(1, 0.1, people), "distance": draw.chisquare(4, people),
        "ood": np.arange(people) >= people - outside,
    }  # fmt: skip
    folder.mkdir(parents=True)
    pq.write_table(pa.table(columns), folder / "projection.parquet")
    record = {
        "kind": "projection",
        "method": "oadp",
        "sites": {"n_model": 9_555, "n_matched": 9_000, "n_swapped": 321, "n_absent": 555},
    }
    return _write(folder, "projection.json", record)


def ancestry(folder: Path, people: int = PEOPLE) -> Path:
    group, place = groups(people), scores(people)
    columns: dict[str, Any] = {
        "sample_id": ids(people), "group": np.where(group == "oth", "eur", group).tolist(),
        "group_other": group.tolist(), "ood": (group == "oth").tolist(),
    }  # fmt: skip
    sure = np.random.default_rng(6).uniform(0.6, 1, people)
    for name, centre in CENTRES.items():
        columns[f"probability_{name}"] = np.where(group == name, sure, (1 - sure) / 2)
        columns[f"distance_{name}"] = np.hypot(*(place[:, :2] - np.array(centre)).T)
        columns[f"proportion_{name}"] = np.where(group == name, 0.8, 0.1)
    folder.mkdir(parents=True)
    pq.write_table(pa.table(columns), folder / "ancestry.parquet")
    lines = ["research_id\tancestry_pred\tprobabilities\tpca_features\tancestry_pred_other"]
    lines += [f"{name}\tx\t[]\t{row}\tx" for name, row in zip(ids(people), place.tolist(), strict=True)]
    (folder / "ancestry_preds.tsv").write_text("\n".join(lines) + "\n")
    recipe = {"preset": "aou-v8", "threshold": 0.75, "keeps_at_threshold": False}
    return _write(folder, "assign.json", {"kind": "ancestry", "n_samples": people, "recipe": recipe})
