"""Components beside scores: what `cohelix ancestry project` writes, and a call store that has the model's sites."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cohelix.ancestry.projection.run import absent_are, project
from cohelix.ancestry.schema import ProjectParams
from cohelix.genotypes.callset import open_callset
from cohelix.jobs import scoring_pcs, scoring_target
from cohelix.jobs.scoring_pcs import place_beside, project_people
from cohelix.jobs.scoring_target import callset_of
from cohelix.joint.call import call
from cohelix.joint.schema import CallParams
from cohelix.runtime.local import LocalRuntime
from tests.ancestry import reference_panel as panel
from tests.jobs import made_reads
from tests.jobs.made_reads import score_file

RUNTIME = LocalRuntime(1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """(model, callset of other people)."""
    folder, frequency = tmp_path_factory.mktemp("panel"), panel.frequencies()
    model = panel.fit(panel.draw(frequency, [30, 30, 30, 30], 40, seed=2), 4, 4)
    genotypes = panel.draw(frequency, [10, 10, 5, 5], 10, seed=3).genotypes
    lost = np.random.default_rng(4).random(genotypes.shape) < 0.03
    genotypes = np.where(lost, np.int8(-9), genotypes)
    return panel.write(folder / "pca", model), panel.as_callset(
        folder / "c", genotypes, panel.names(genotypes.shape[1])
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_folder_is_that_of_ancestry_project(
    tmp_path: Path, made: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project(*made, str(tmp_path / "alone"), ProjectParams(), RUNTIME)
    work, out = tmp_path / "work", tmp_path / "prs"
    work.mkdir()
    out.mkdir()
    folder = project_people(*made, work, ProjectParams(), RUNTIME)
    assert contents(folder) == contents(tmp_path / "alone")
    monkeypatch.setattr(scoring_pcs, "project", lambda *_: pytest.fail("a whole folder is taken as it is"))
    assert project_people(*made, work, ProjectParams(), RUNTIME) == folder
    monkeypatch.undo()
    other = ProjectParams(method="naive")
    assert contents(project_people(*made, work, other, RUNTIME)) != contents(tmp_path / "alone")
    project_people(*made, work, ProjectParams(), RUNTIME)
    assert contents(place_beside(folder, out)) == contents(tmp_path / "alone")
    assert not folder.exists() and (out / "pcs" / "scores.tsv").is_file()


def test_a_call_store_is_called_at_the_sites_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also at those where everybody is reference; and sites that were not asked for are not taken for reference."""
    sites = pa.table(
        {
            "contig": ["chr21", "21", "chr1"],
            "position": pa.array([5000, 8000, 10], pa.int32()),
            "ref": ["C", "G", "A"],
            "alt": ["T", "A", "G"],
        }
    )
    monkeypatch.setattr(scoring_target, "_model_sites", lambda path: sites if path == "model" else None)
    store, fasta = made_reads.call_store(tmp_path), made_reads.fasta(tmp_path)
    scores = [score_file(tmp_path / "score.txt", [("21", 1000, "G", "A", 1)])]
    work = tmp_path / "work"
    work.mkdir()
    opened = open_callset(callset_of(store, work, RUNTIME, scores=scores, fasta=fasta, pcs_model="model"))
    ids = [one for shard in opened.shards for one in opened.sites(shard).column("id").to_pylist()]
    assert ids == ["chr21:1000:A:G", "chr21:5000:C:T", "chr21:8000:G:A"]
    assert absent_are(opened, ProjectParams()) == "missing"
    whole = call(store, str(tmp_path / "whole.callset"), CallParams(), RUNTIME)
    assert absent_are(whole, ProjectParams()) == "hom-ref"
