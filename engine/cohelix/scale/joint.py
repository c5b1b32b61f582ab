"""What the joint call is given at a number of samples.

`records`: gVCF records of all samples; the cost of ingest, and of a call's reading, follows them. `cells`: rows times
samples; the cost of genotyping follows them. Ingest has a task for each batch of samples and stretch of the genome,
the call one for each bin: their memory follows what one task holds, and not the cohort.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from cohelix.scale.model import Load

HELD_CELLS = 64 << 20
"""Genotypes of a bin that a call task keeps in memory; with more, they lie in a scratch file of a byte each."""


@dataclass(frozen=True)
class Cohort:
    """samples; bytes and records of a sample's gVCF in the mean; bases of genome that they are about; sites that the
    callset will have. batch_samples, bin_bp, stretch_bytes: the choices of the ingest."""

    samples: int
    bytes_per_sample: float
    records_per_sample: float
    bases: int
    sites: float
    batch_samples: int
    bin_bp: int
    stretch_bytes: int


def loads(cohort: Cohort) -> list[Load]:
    """Ingest, then call."""
    n, records = cohort.samples, cohort.samples * cohort.records_per_sample
    bins = max(1, math.ceil(cohort.bases / cohort.bin_bp))
    batch = min(cohort.batch_samples, n)
    stretches = min(bins, max(1, math.ceil(batch * cohort.bytes_per_sample / cohort.stretch_bytes)))
    whole = {
        "samples": float(n), "records": records, "input_bytes": n * cohort.bytes_per_sample, "sites": cohort.sites,
        "cells": cohort.sites * n, "files": float(math.ceil(n / cohort.batch_samples) * bins),
    }  # fmt: skip
    cells = whole["cells"] / bins
    return [
        Load(
            "ingest", whole, math.ceil(n / cohort.batch_samples) * stretches,
            {"records": batch * cohort.records_per_sample / stretches},
        ),
        Load(
            "call", whole, bins,
            {
                "batch_records": batch * cohort.records_per_sample / bins, "cells": min(cells, HELD_CELLS),
                "sites": cohort.sites / bins, "samples": float(n),
            },
            scratch_bytes=cells if cells > HELD_CELLS else 0.0,
        ),
    ]  # fmt: skip
