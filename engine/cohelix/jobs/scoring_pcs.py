"""Components of the people who are scored, from the same callset: of a call store, one that has the model's sites too.

What is written is the folder of `cohelix ancestry project`, by the same code.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from cohelix.ancestry.pca.tables import read_model
from cohelix.ancestry.projection.run import project, record_of
from cohelix.ancestry.schema import ProjectParams
from cohelix.genotypes.callset import open_callset
from cohelix.runtime.protocol import Runtime

FOLDER = "pcs"
"""Below the folder of scores."""

_WHOLE = "projection.json"


def project_people(model: str, callset_root: str, work: Path, params: ProjectParams, runtime: Runtime) -> Path:
    """A folder of projected people in `work`; one of the same that a stopped run left whole is taken.

    Before the scores, so that a model that does not fit is told at once; `place_beside` puts it where it belongs.
    """
    folder = work / FOLDER
    said = folder / _WHOLE
    made = json.loads(said.read_bytes())["provenance"]["digest"] if said.is_file() else None
    if made != record_of(read_model(model), open_callset(callset_root), params)["digest"]:
        shutil.rmtree(folder, ignore_errors=True)
        project(model, callset_root, str(folder), params, runtime)
    return folder


def place_beside(folder: Path, out: Path) -> Path:
    """Move the folder below the scores. Returns where it is."""
    place = out / FOLDER
    folder.replace(place)
    return place
