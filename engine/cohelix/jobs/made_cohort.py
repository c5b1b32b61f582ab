"""`cohelix simulate cohort`: a cohort that appears whole, and goes on where a run of the same settings was stopped."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cohelix.folder import free_place
from cohelix.jobs.work_folder import working
from cohelix.runtime.protocol import Runtime
from cohelix.simulate.cohort import make
from cohelix.simulate.cohort.plan import Plan


def make_cohort(out: Path, plan: Plan, *, cores: int = 1, runtime: Runtime | None = None) -> None:
    """Write the cohort to `out`, which must be new or empty.

    `<out>.work` holds what is made until it is whole. It stays where the process is stopped, and goes where the system
    refuses a file: a disk that is full is left as it was.

    With a `runtime` its tasks do the work; the folder must then be on a disk that all of them share. Raises ConfigError
    where `out` cannot be made, or another process is making it.
    """
    folder = free_place(out.absolute())
    with working(str(folder), "simulate cohort") as work:
        try:
            whole = make.make_cohort(work, plan, cores=cores, runtime=runtime)
        except OSError:
            shutil.rmtree(work, ignore_errors=True)
            raise
        os.replace(whole, folder)
