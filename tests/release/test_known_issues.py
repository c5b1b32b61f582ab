"""Lists of known issues: persons by the tier's ids, reasons of a closed list, nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cohelix.errors import InputError
from cohelix.release import known_issues
from cohelix.release.ids import Ids
from cohelix.release.keys import Keys, make_keys, open_keys
from cohelix.release.people import People
from cohelix.release.schema import Inputs
from cohelix.tier import Tier


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("keys") / "k"
    make_keys(folder)
    return open_keys(str(folder))


def _people() -> People:
    n = np.arange(3)
    return People(
        person=np.array([11, 22, 33]), birth=np.zeros(3, np.int32), genome=np.array([1, -1, 0]), array=np.full(3, -1),
        group=np.full(3, -1, np.int16), sex=(n % 3).astype(np.int8), groups=(), genome_ids=("S-c", "S-a"), array_ids=(),
        excluded={}, as_of=0,
    )  # fmt: skip


def _read(made: list[known_issues.MadeFile]) -> dict[str, list[str]]:
    return {one.name: one.path.read_text().splitlines() for one in made}


def test_lists_are_under_the_tiers_ids_and_tell_no_text(keys: Keys, tmp_path: Path) -> None:
    lists, out = tmp_path / "lists", tmp_path / "out"
    for folder in (lists, out):
        folder.mkdir()
    (lists / "a_22.tsv").write_text("person_id\treason\n33\tSample swap\n11\tsame person as 22\n99\tcontamination\n")
    (lists / "b=cmd().csv").write_text("sample_id,issue\nS-a,contamination\nS-x,duplicate\nS-c,=HYPERLINK(1)\n")
    for tier, part in ((Tier.CONTROLLED, known_issues.controlled), (Tier.REGISTERED, known_issues.registered)):
        ids = Ids(keys, tier)
        new = dict(zip((11, 22, 33), ids.person(np.array([11, 22, 33])).tolist(), strict=True))
        found = _read(part(Inputs("", known_issues=str(lists)), _people(), ids, out).value)
        rows = sorted([(new[33], "sample_swap"), (new[11], "other")])
        first = ["person_id\treason", *(f"{person}\t{why}" for person, why in rows)]
        assert found["known_issues/known_issue_1.tsv"] == first
        if tier is Tier.CONTROLLED:
            rows = sorted([(new[11], "contamination"), (new[33], "other")])
            second = ["person_id\treason", *(f"{person}\t{why}" for person, why in rows)]
            assert found["known_issues/known_issue_2.tsv"] == second
        else:  # a list of samples is of genomes
            assert set(found) == {"known_issues/known_issue_1.tsv"}


def test_a_list_of_nobody(keys: Keys, tmp_path: Path) -> None:
    (tmp_path / "l").mkdir()
    (tmp_path / "l" / "x.tsv").write_text("who\treason\n11\tduplicate\n")
    with pytest.raises(InputError, match="list 1 of known issues, found neither"):
        known_issues.controlled(
            Inputs("", known_issues=str(tmp_path / "l")), _people(), Ids(keys, Tier.CONTROLLED), tmp_path
        )
