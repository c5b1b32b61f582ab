"""The record of an operation: enough to repeat it, nothing that changes with place or time."""

from __future__ import annotations

import json
from dataclasses import dataclass

from cohelix import __version__
from cohelix.dataset import canonical_json
from cohelix.provenance import provenance


@dataclass(frozen=True)
class Params:
    gq0: str = "nocall"
    bins: int = 5


def test_equal_work_gives_an_equal_record() -> None:
    first = provenance("joint call", Params(), [("calls", "ab")], seed=3)
    second = provenance("joint call", {"bins": 5, "gq0": "nocall"}, iter([("calls", "ab")]), seed=3)
    assert canonical_json(first) == canonical_json(second)
    assert first["cohelix"] == __version__
    assert first["params"] == {"gq0": "nocall", "bins": 5}
    assert json.loads(canonical_json(first)) == first


def test_whatever_differs_changes_the_digest() -> None:
    records = [
        provenance("joint call", Params(), [("calls", "ab")]),
        provenance("joint ingest", Params(), [("calls", "ab")]),
        provenance("joint call", Params(bins=6), [("calls", "ab")]),
        provenance("joint call", Params(), [("calls", "ac")]),
        provenance("joint call", Params(), [("calls", "ab"), ("fasta", "ab")]),
        provenance("joint call", Params(), [("calls", "ab")], seed=0),
    ]
    assert len({record["digest"] for record in records}) == len(records)
