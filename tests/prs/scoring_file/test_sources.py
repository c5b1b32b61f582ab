"""Which files are read, and which of them together."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cohelix.errors import InputError
from cohelix.prs.scoring_file.batch import read_batch
from cohelix.prs.scoring_file.records import Source
from cohelix.prs.scoring_file.sources import batches, sources

TEXT = "chr_name\tchr_position\teffect_allele\tother_allele\teffect_weight\n1\t10\tA\tG\t0.5\n"


def made(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(TEXT)


def test_files_folders_and_lists_in_their_order(tmp_path: Path) -> None:
    made(tmp_path, "z.dat", "in/b.txt", "in/a.txt.gz", "in/c.scorefile", "in/README.md", "in/.hidden.txt", "more/d.tsv")
    (tmp_path / "all.list").write_text("# of a list\n\nmore\nin/b.txt\n  " + str(tmp_path / "z.dat") + "\n")
    found = sources([str(tmp_path / name) for name in ("z.dat", "in", "all.list")])
    names = [os.path.relpath(source.path, tmp_path) for source in found]
    assert names == ["z.dat", "in/a.txt.gz", "in/b.txt", "in/c.scorefile", "more/d.tsv", "in/b.txt", "z.dat"]
    assert [source.number for source in found] == list(range(1, 8))
    assert {source.n_bytes for source in found} == {len(TEXT)}


def test_a_score_without_an_id_is_called_by_its_file(tmp_path: Path) -> None:
    made(tmp_path, "my.score.txt", "other.txt")
    batch = read_batch(sources([str(tmp_path)]))
    assert [score.id for score in batch.scores] == ["my", "other"]


def test_nothing_to_read_is_refused(tmp_path: Path) -> None:
    made(tmp_path, "empty/README.md")
    (tmp_path / "bad.list").write_text("gone.txt\n")
    (tmp_path / "blank.list").write_text("\n# none\n")
    for paths, said in (
        ([], "expected scoring files, found none"),
        (["gone"], "path 1 of the list, found nothing there"),
        (["empty"], "in the folder at path 1 of the list, found none"),
        (["bad.list"], "at line 1 of the list of paths"),
        (["blank.list"], "expected scoring files, found none"),
    ):
        with pytest.raises(InputError, match=said):
            sources([str(tmp_path / path) for path in paths])


def test_batches_are_cut_by_bytes_and_number(tmp_path: Path) -> None:
    small = [Source(f"{number}.txt", number, 1000) for number in range(1, 601)]
    assert [len(batch) for batch in batches(small)] == [256, 256, 88]
    mib = 1 << 20
    mixed = [
        Source("a.txt", 1, 30 * mib),
        Source("b.txt.gz", 2, 8 * mib),
        Source("c.txt", 3, 2 * mib),
        Source("d.gz", 4, mib),
    ]
    assert [[source.number for source in batch] for batch in batches(mixed)] == [[1, 2, 3], [4]]
    assert batches([]) == []


def test_a_large_file_is_a_batch_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    path.write_text(TEXT)
    large = Source(str(path), 2, 1 << 30)
    small = [Source("a.txt", 1, 10), Source("b.txt", 3, 10)]
    found = batches([small[0], large, small[1]])
    assert sorted(source.number for batch in found for source in batch) == [1, 2, 3]
    assert (large,) in found
