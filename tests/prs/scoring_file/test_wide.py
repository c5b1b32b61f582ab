"""Files with one column a score."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cohelix.errors import InputError
from cohelix.prs.scoring_file import sources as source_module
from cohelix.prs.scoring_file.batch import read_batch
from cohelix.prs.scoring_file.records import Source
from cohelix.prs.scoring_file.sources import batches, sources


def write(folder: Path, text: str) -> list[Source]:
    path = folder / "wide.txt"
    path.write_text(text)
    return sources([str(path)])


@pytest.mark.real
@pytest.mark.parametrize("name", ["multiscore.txt", "test.scorefile"])
def test_real_files_by_identifier(data: Path, name: str) -> None:
    path = data / "prs_formats/pgsc_calc/assets/examples/scorefiles" / name
    head, *lines = [line.split("\t") for line in path.read_text().splitlines()]
    batch = read_batch(sources([str(path)]))
    assert [score.id for score in batch.scores] == head[2:]
    assert len(batch.row) == len(lines) * len(head[2:])
    for score in range(len(head) - 2):
        mine = batch.score == score
        assert batch.row[mine].tolist() == list(range(len(lines)))
        assert batch.weight[mine].tolist() == [float(line[2 + score]) for line in lines]
        for at, (identifier, effect, *_) in zip(np.flatnonzero(mine), lines, strict=True):
            chromosome, position, first, second = identifier.split(":")
            assert (batch.chromosome[at], batch.position[at]) == (int(chromosome), int(position))
            assert batch.alleles[batch.effect[at]] == effect
            assert {effect, batch.alleles[batch.other[at]]} == {first, second}


def test_scores_by_coordinates_take_the_rows_at_which_they_have_a_weight(tmp_path: Path) -> None:
    files = write(
        tmp_path,
        "#genome_build=GRCh37\nchr_name\tchr_position\teffect_allele\tother_allele\tS1\t../S2\tnone\n"
        "1\t5\tA\tG\t0.5\t0\t0\n1\t6\tA\tG\t\t-2\t\n1\t7\tN\tG\t3\t0\t\n2\t8\tHLA-A\t\t\t4\t\nX\t9\tCT\tC\t1e-3\t5\t0\n",
    )
    batch = read_batch(files)
    assert [(score.id, score.n_rows, score.build) for score in batch.scores] == [
        ("S1", 3, "GRCh37"), ("../S2", 3, "GRCh37"), ("none", 0, "GRCh37"),
    ]  # fmt: skip
    assert batch.score.tolist() == [0, 0, 1, 1]
    assert batch.row.tolist() == [0, 4, 1, 4]
    assert batch.weight.tolist() == [0.5, 1e-3, -2.0, 5.0]
    assert batch.chromosome.tolist() == [1, 23, 1, 23]
    assert [(row.score, row.row, row.kind, row.weight) for row in batch.special] == [(1, 3, "HLA", 4.0)]
    assert batch.rejected.select(["score", "row", "reason", "weight"]).to_pylist() == [
        {"score": 0, "row": 2, "reason": "bad_effect_allele", "weight": 3.0}
    ]


def test_identifiers_that_are_no_places_are_names(tmp_path: Path) -> None:
    lines = [
        "chr1:5:A:G\tA\t1",
        "1_6_a_g\tG\t2",
        "1:7\tT\t3",
        "rs8\tA\t4",
        "1:9:A:G\tC\t5",
        "1:0:A:G\tA\t",
        "X:3:A:G\tA\t6",
    ]
    batch = read_batch(write(tmp_path, "ID\teffect_allele\tS\n" + "\n".join(lines[:5] + lines[6:])))
    assert batch.row.tolist() == [0, 1, 2, 3, 5]
    assert batch.position.tolist() == [5, 6, 7, 0, 3]
    others = [batch.alleles[code] if code >= 0 else "" for code in batch.other]
    assert others == ["G", "A", "", "", "G"]
    assert batch.rs_id is not None
    assert batch.rs_id.to_pylist() == [None, None, None, "rs8", None]
    assert batch.rejected.column("reason").to_pylist() == ["effect_allele_not_in_id"]


def test_a_large_wide_file_is_read_in_blocks_of_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = np.random.default_rng(2).normal(size=(40, 300)).round(3)
    weights[:, 7] = 0
    names = [f"score{number}" for number in range(300)]
    lines = ["\t".join([f"1:{row + 1}:A:G", "A", *map(str, weights[row])]) for row in range(40)]
    files = write(tmp_path, "\n".join(["\t".join(["ID", "effect_allele", *names]), *lines]))
    whole = read_batch(files)
    monkeypatch.setattr(source_module, "_BATCH_BYTES", files[0].n_bytes // 4)
    parts = batches(files)
    assert len(parts) > 3
    assert all(len(part) == 1 and part[0].columns is not None for part in parts)
    read = [read_batch(part) for part in parts]
    assert [score.id for batch in read for score in batch.scores] == names == [score.id for score in whole.scores]
    assert np.array_equal(np.concatenate([batch.weight for batch in read]), whole.weight)
    assert np.array_equal(np.concatenate([batch.row for batch in read]), whole.row)
    dense = np.zeros((40, 300))
    dense[whole.row, whole.score] = whole.weight
    assert np.array_equal(dense, weights)


def test_a_word_among_the_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"scoring file 1, line 3: expected a number as S2, found 'high'"):
        read_batch(write(tmp_path, "ID\teffect_allele\tS1\tS2\n1:1:A:G\tA\t1\t2\n1:2:A:G\tA\t1\thigh\n"))
