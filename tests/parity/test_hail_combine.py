"""gVCFs into a VDS by Hail's combiner, with its defects stepped round."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from cohelix.errors import InputError
from cohelix.joint import on_hail

pytestmark = [pytest.mark.jvm, pytest.mark.real]


def test_the_vds_holds_what_the_gvcfs_hold(hail: Any, combined_vds: Path) -> None:
    """GT is kept in reference data, so that a haploid reference stays haploid."""
    vds = hail.vds.read_vds(str(combined_vds))
    assert vds.n_samples() == 50
    assert {"LGT", "GQ", "DP", "MIN_DP"} <= set(vds.reference_data.entry)
    # 48,773 reference and 1,227 variant records lie in the 50 files.
    assert vds.reference_data.aggregate_entries(hail.agg.count_where(hail.is_defined(vds.reference_data.LEN))) == 48_773
    assert vds.variant_data.aggregate_entries(hail.agg.count_where(hail.is_defined(vds.variant_data.LA))) == 1_227


def test_a_finished_output_is_not_touched(hail: Any, combined_vds: Path, gvcf_manifest: Path) -> None:
    before = sorted(str(path) for path in combined_vds.rglob("*"))
    with pytest.raises(InputError, match="found something"):
        on_hail.combine(str(gvcf_manifest), str(combined_vds))
    assert sorted(str(path) for path in combined_vds.rglob("*")) == before


def test_a_finished_plan_without_its_output_starts_afresh(hail: Any, gvcf_manifest: Path, tmp_path: Path) -> None:
    """Hail resumes a finished plan and makes nothing (gatk#8604); a part of an output is replaced."""
    manifest = tmp_path / "two.tsv"
    manifest.write_text("".join(gvcf_manifest.read_text().splitlines(keepends=True)[:3]))
    out = tmp_path / "two.vds"
    kept: list[Path] = []
    remove = on_hail.storage.remove_tree

    def keep_plans(path: str) -> None:
        if ".combining-" in path:
            kept.append(Path(path))
        else:
            remove(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_hail.storage, "remove_tree", keep_plans)
        on_hail.combine(str(manifest), str(out))
    assert (kept[-1] / "plan.json").exists()
    samples = hail.vds.read_vds(str(out)).n_samples()
    shutil.rmtree(out / "variant_data")
    on_hail.combine(str(manifest), str(out))
    assert hail.vds.read_vds(str(out)).n_samples() == samples == 2
    assert not kept[-1].exists()


def test_twins_are_refused_before_hail_merges_them(gvcf_manifest: Path, tmp_path: Path) -> None:
    lines = gvcf_manifest.read_text().splitlines()
    name = lines[1].split("\t")[0]
    lines[2] = f"{name}\t{lines[2].split(chr(9))[1]}"
    (tmp_path / "twins.tsv").write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match="rows 2 and 3 have the same sample_id") as failure:
        on_hail.combine(str(tmp_path / "twins.tsv"), str(tmp_path / "x.vds"))
    assert name not in str(failure.value)
    assert list(tmp_path.iterdir()) == [tmp_path / "twins.tsv"]
