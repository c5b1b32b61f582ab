"""Inputs that several parity tests share: made once, for a JVM is slow to warm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def gvcf_manifest(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of the 50 real gVCFs."""
    lines = ["sample_id\tpath"]
    for path in sorted((data / "gvcf_1kg_chr22").glob("*.g.vcf.gz")):
        lines.append(f"{path.name.partition('.')[0]}\t{path}")
    assert len(lines) == 51
    manifest = tmp_path_factory.mktemp("manifest") / "manifest.tsv"
    manifest.write_text("\n".join(lines) + "\n")
    return manifest


@pytest.fixture(scope="session")
def combined_vds(hail: Any, gvcf_manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The VDS that `cohelix hail combine` makes of the 50 real gVCFs."""
    from cohelix.joint import on_hail

    out = tmp_path_factory.mktemp("combined") / "cohort.vds"
    made = on_hail.combine(str(gvcf_manifest), str(out))
    assert (made.n_samples, made.build) == (50, "GRCh38")
    assert [path.name for path in out.parent.iterdir()] == ["cohort.vds"]  # plan and intermediate data are gone
    return out
