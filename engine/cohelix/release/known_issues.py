"""Lists of persons with a known issue, under the tier's ids: users leave them out, and the release stays as it is.

A folder of TSV or CSV lists, each with a column person_id or sample_id, and a column `reason` or `issue`. In a release
they are `known_issues/known_issue_<n>.tsv` with person_id and reason. Free text could name a person: a reason is one of
the tier table's (issues.tsv), and `other` where it is none of them; names of files are not taken over.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cohelix.errors import InputError
from cohelix.genotypes.inputs import SAMPLE_COLUMNS, read_table, texts
from cohelix.reference import read_rows
from cohelix.release.ids import Ids
from cohelix.release.labels import Controlled, Registered, declassifier
from cohelix.release.people import People
from cohelix.release.policy import VERSION
from cohelix.release.schema import Inputs, MadeFile

TABLE = "known_issues"
_REASONS = ("reason", "issue")


@declassifier(Controlled)
def controlled(inputs: Inputs, people: People, ids: Ids, folder: Path) -> list[MadeFile]:
    """Lists by person or by sample."""
    return _lists(inputs, people, ids, folder, samples=True)


@declassifier(Registered)
def registered(inputs: Inputs, people: People, ids: Ids, folder: Path) -> list[MadeFile]:
    """Lists by person only: what concerns a sample is of the genome."""
    return _lists(inputs, people, ids, folder, samples=False)


def _lists(inputs: Inputs, people: People, ids: Ids, folder: Path, *, samples: bool) -> list[MadeFile]:
    made = []
    known = {row["reason"] for row in read_rows("release", "tiers", VERSION, "issues.tsv")}
    for number, path in enumerate(sorted(Path(inputs.known_issues).iterdir()) if inputs.known_issues else (), 1):
        rows = _rows(str(path), number, people, ids, known, samples=samples)
        if rows is None:
            continue
        name = f"known_issue_{number}.tsv"
        target = folder / name
        lines = ["person_id\treason", *(f"{person}\t{reason}" for person, reason in rows)]
        target.write_text("\n".join(lines) + "\n", encoding="utf-8")
        made.append(MadeFile(f"known_issues/{name}", target, len(rows), TABLE))
    return made


def _rows(
    path: str, number: int, people: People, ids: Ids, known_reasons: set[str], *, samples: bool
) -> list[tuple[int, str]] | None:
    """(id of the tier, reason), sorted; None for a list of samples where these are not told of."""
    table = read_table(path, f"list {number} of known issues")
    by_sample = next((name for name in SAMPLE_COLUMNS if name in table.column_names and name != "person_id"), None)
    if "person_id" in table.column_names:
        known = {str(person): person for person in people.person.tolist()}
        whose = [known.get(value) for value in texts(table, "person_id")]
    elif by_sample is None:
        raise InputError(f"expected a column person_id or sample_id in list {number} of known issues, found neither.")
    elif not samples:
        return None
    else:
        of_sample = _persons_by_sample(people)
        whose = [of_sample.get(value) for value in texts(table, by_sample)]
    reason = next((texts(table, name) for name in _REASONS if name in table.column_names), [""] * table.num_rows)
    kept = [
        (person, _coded(why, known_reasons)) for person, why in zip(whose, reason, strict=True) if person is not None
    ]
    new = ids.person(np.array([person for person, _ in kept], np.int64)).tolist()
    return sorted({(int(person), why) for person, (_, why) in zip(new, kept, strict=True)})


def _persons_by_sample(people: People) -> dict[str, int]:
    found = {}
    for places, names in ((people.genome, people.genome_ids), (people.array, people.array_ids)):
        for row in np.flatnonzero(places >= 0):
            found[names[places[row]]] = int(people.person[row])
    return found


def _coded(text: str, known: set[str]) -> str:
    """The reason of the tier table that a text is, but for case and blanks; `other` where it is none."""
    word = "_".join(text.lower().split())
    return word if word in known else "other"
