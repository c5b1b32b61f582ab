"""Call stores and callsets of the real gVCFs, for the tests that compare them with other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cohelix.genotypes.callset import Callset
from cohelix.joint.call import call
from cohelix.joint.ingest import ingest
from cohelix.joint.schema import CallParams, IngestParams
from cohelix.runtime.local import LocalRuntime
from cohelix.runtime.protocol import Runtime


def real_gvcfs(data: Path) -> list[Path]:
    """The 50 gVCFs, in the order of their names."""
    return sorted((data / "gvcf_1kg_chr22").glob("*.g.vcf.gz"))


def write_manifest(path: Path, gvcfs: Sequence[Path]) -> Path:
    lines = [f"{gvcf.name.split('.')[0]}\t{gvcf}" for gvcf in gvcfs]
    path.write_text("\n".join(["sample_id\tpath", *lines]) + "\n")
    return path


def joint_call(
    folder: Path,
    gvcfs: Sequence[Path],
    params: CallParams,
    runtime: Runtime | None = None,
    ingest_params: IngestParams | None = None,
) -> Callset:
    """Ingest and call `gvcfs` under `folder` (x.calls, y.callset)."""
    runtime = runtime or LocalRuntime(2)
    manifest = write_manifest(folder / "manifest.tsv", gvcfs)
    ingest(str(manifest), str(folder / "x.calls"), ingest_params or IngestParams(), runtime)
    return call(str(folder / "x.calls"), str(folder / "y.callset"), params, runtime)
