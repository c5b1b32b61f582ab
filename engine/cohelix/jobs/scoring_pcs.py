"""Components of the people who are scored, from the same callset: of a call store, one that has the model's sites too.

What is written is the folder of `cohelix ancestry project`, by the same code.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from cohelix.ancestry.projection.run import project
from cohelix.ancestry.schema import ProjectParams
from cohelix.runtime.protocol import Runtime

FOLDER = "pcs"
"""Below the folder of scores."""

_WHOLE = "projection.json"


def project_people(model: str, callset_root: str, work: Path, runtime: Runtime) -> Path:
    """A folder of projected people in `work`; one that a stopped run left whole is taken as it is.

    Before the scores, so that a model that does not fit is told at once; `place_beside` puts it where it belongs.
    """
    folder = work / FOLDER
    if not (folder / _WHOLE).is_file():
        shutil.rmtree(folder, ignore_errors=True)
        project(model, callset_root, str(folder), ProjectParams(), runtime)
    return folder


def place_beside(folder: Path, out: Path) -> Path:
    """Move the folder below the scores. Returns where it is."""
    place = out / FOLDER
    folder.replace(place)
    return place
