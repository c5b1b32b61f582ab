"""The 50 real gVCFs, joint-called, against plink2 and bcftools."""

from __future__ import annotations

import csv
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cohelix.genotypes import callset
from cohelix.genotypes.callset import Callset
from cohelix.joint.schema import CallParams, IngestParams
from cohelix.joint.unify import trimmed
from tests.joint_cohorts import joint_call, real_gvcfs

pytestmark = [pytest.mark.real, pytest.mark.external]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Callset:
    # Bins of 100 kb, so that there are several shards.
    return joint_call(
        tmp_path_factory.mktemp("real"),
        real_gvcfs(data),
        CallParams(gq0="homref"),
        ingest_params=IngestParams(bin_bp=100_000),
    )


def _table(path: Path) -> list[dict[str, str]]:
    with path.open() as handle:
        return list(csv.DictReader((line.lstrip("#") for line in handle), delimiter="\t"))


def test_plink2_opens_every_shard_and_counts_what_sites_says(real: Callset, tmp_path: Path) -> None:
    assert len(real.shards) > 3
    missing_by_sample: Counter[str] = Counter()
    for number, shard in enumerate(real.shards):
        prefix = Path(real.root) / shard.pgen.removesuffix(".pgen")
        out = tmp_path / str(number)
        subprocess.run(
            ["plink2", "--pfile", prefix, "--freq", "counts", "--missing", "--geno-counts", "--out", out],
            check=True,
            capture_output=True,
        )
        sites = real.sites(shard).to_pylist()
        counts, missing, genotypes = (_table(out.with_suffix(f".{name}")) for name in ("acount", "vmiss", "gcount"))
        assert [row["ID"] for row in counts] == [site["id"] for site in sites]
        assert [(int(row["ALT_CTS"]), int(row["OBS_CT"])) for row in counts] == [
            (site["ac"], site["an"]) for site in sites
        ]
        assert [int(row["MISSING_CT"]) for row in missing] == [real.n_samples - site["n_called"] for site in sites]
        assert [(int(r["HOM_REF_CT"]), int(r["HET_REF_ALT_CTS"]), int(r["TWO_ALT_GENO_CTS"])) for r in genotypes] == [
            (site["n_hom_ref"], site["n_het"], site["n_hom_alt"]) for site in sites
        ]
        for row in _table(out.with_suffix(".smiss")):
            missing_by_sample[row["IID"]] += int(row["MISSING_CT"])
    for row in real.samples().to_pylist():
        assert missing_by_sample[row["sample_id"]] == row["n_sites"] - row["n_called"]


def test_every_missing_genotype_has_one_reason(real: Callset) -> None:
    for shard in real.shards:
        for site in real.sites(shard).to_pylist():
            assert (
                sum(v for name, v in site.items() if name.startswith("missing_")) == real.n_samples - site["n_called"]
            )


Rows = dict[Any, list[list[str]]]


def _bcftools_rows(data: Path, folder: Path) -> tuple[list[str], Rows, Rows]:
    """Samples; by allele the copies of each sample in every merged record that has it;

    by position those of records without one.
    """
    listing = folder / "list.txt"
    listing.write_text("\n".join(map(str, real_gvcfs(data))) + "\n")
    merged = folder / "merged.vcf.gz"
    subprocess.run(
        ["bcftools", "merge", "--gvcf", "-", "-l", listing, "-Oz", "-o", merged], check=True, capture_output=True
    )
    text = subprocess.run(
        ["bcftools", "query", "-f", "%POS\t%REF\t%ALT[\t%GT]\n", merged], check=True, capture_output=True, text=True
    ).stdout
    names = subprocess.run(
        ["bcftools", "query", "-l", merged], check=True, capture_output=True, text=True
    ).stdout.split()
    rows: Rows = {}
    reference: Rows = {}
    for line in text.splitlines():
        position, ref, alts, *genotypes = line.split("\t")
        for number, alt in enumerate(alts.split(","), start=1):
            if alt.isalpha():
                copies = [_copies(g, number) for g in genotypes]
                rows.setdefault(trimmed(int(position) - 1, ref, alt), []).append(copies)
        if alts == "<NON_REF>":
            reference.setdefault(int(position), []).append([_copies(g, 1) for g in genotypes])
    return names, rows, reference


def _copies(genotype: str, number: int) -> str:
    alleles = genotype.replace("|", "/").split("/")
    return "." if "." in alleles else str(alleles.count(str(number)))


# Genotypes that differ from `bcftools merge --gvcf`, by class; docs/methods/joint.md explains them and gives these
# counts.
SEVERAL_BLOCKS = "hom-ref by several blocks; bcftools looks at the block over the first base only"
TWO_RECORDS = "hom-ref; bcftools says so in a second record at the position, of reference blocks alone"
OTHER_ALLELE = (
    "hom-ref by a variant record of another allele; bcftools looks at reference blocks and at records of the same REF"
)
BCFTOOLS_CLASSES = {TWO_RECORDS: 18, OTHER_ALLELE: 3, SEVERAL_BLOCKS: 2}


def test_bcftools_merge_differs_in_the_stated_classes_only(real: Callset, data: Path, tmp_path: Path) -> None:
    names, rows, reference = _bcftools_rows(data, tmp_path)
    samples = real.samples()["sample_id"].to_pylist()
    order = [samples.index(name) for name in names]
    found: Counter[str] = Counter()
    compared = 0
    for shard in real.shards:
        genotypes = callset.read_genotypes(real, shard, 0, shard.n_sites)
        for row, site in zip(genotypes, real.sites(shard).to_pylist(), strict=True):
            theirs = rows[trimmed(site["position"] - 1, site["ref"], site["alt"])]
            for at, sample in enumerate(order):
                ours = "." if row[sample] == callset.MISSING else str(row[sample])
                stated = {copies[at] for copies in theirs}
                compared += 1
                if ours not in stated:
                    alone = any(copies[at] == "0" for copies in reference.get(site["position"], []))
                    found[_class(ours, stated, site["ref"], alone)] += 1
    assert compared == sum(shard.n_sites for shard in real.shards) * len(samples)
    assert found == Counter(BCFTOOLS_CLASSES)


def _class(ours: str, stated: set[str], ref: str, reference_alone: bool) -> str:
    if ours == "0" and stated == {"."}:
        if reference_alone:
            return TWO_RECORDS
        return SEVERAL_BLOCKS if len(ref) > 1 else OTHER_ALLELE
    return f"ours {ours}, theirs {sorted(stated)}"


def test_singletons_and_transitions_are_those_of_the_genotypes(real: Callset) -> None:
    samples = real.samples().to_pylist()
    singles, transitions, het, insertions = (np.zeros(len(samples), int) for _ in range(4))
    for shard in real.shards:
        genotypes = callset.read_genotypes(real, shard, 0, shard.n_sites)
        for row, site in zip(genotypes, real.sites(shard).to_pylist(), strict=True):
            carries = row > 0
            het += row == 1
            if site["ac"] == 1:
                singles += row == 1
            if {site["ref"], site["alt"]} in ({"A", "G"}, {"C", "T"}):
                transitions += carries
            if site["kind"] == "insertion":
                insertions += carries
    assert [s["n_singleton"] for s in samples] == singles.tolist()
    assert [s["n_transition"] for s in samples] == transitions.tolist()
    assert [s["n_het"] for s in samples] == het.tolist()
    assert [s["n_insertion"] for s in samples] == insertions.tolist()
    assert singles.sum() > 0 and insertions.sum() > 0
