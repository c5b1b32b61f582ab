"""Jobs of quality control: variants and samples of a callset, samples of a joint call, arrays against genomes.

`qc-variants`: counts, frequencies and Hardy-Weinberg of every variant (ours: `cohelix qc variants`, which adds
filtering frequencies, filters, a selection and an annotation table; plink2: --freq, --hardy, --missing; Hail:
variant_qc).
`qc-variants-groups`: the same by eight groups and two sexes. `qc-samples`: counts and F of every sample. plink2 opens
the callset's own PGEN; Hail a MatrixTable of the same genotypes: neither is timed. `qc-joint-samples` and
`qc-concordance` have no peer: what is measured is how they grow.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import programs, workloads
from benchmarks.callsets import GROUPS, Drawn, draw, probed_places, strata, take_in
from benchmarks.jobs_genotypes import make_fileset
from benchmarks.programs import CORES, cohelix, size_of, sizes_of
from benchmarks.registry import HERE, Engine, Job, chosen, register
from benchmarks.turns import Bench, take_turns

# (samples, variants, engines). The first is compared with Hail too, the second with plink2 where start-up no longer
# counts; ours alone are what the scale model is fitted to, each of another number of samples and of variants.
PLAN = (
    (10_000, 100_000, None), (100_000, 100_000, "ours,plink2"), (1_000, 50_000, "ours"), (2_000, 200_000, "ours"),
    (4_000, 100_000, "ours"),
)  # fmt: skip
QUICK = ((500, 20_000, None),)
JOINT = (50, 100, 250, 500, 1_000)
QUICK_JOINT = (20,)
REGION, SEED = "chr22:20,000,001-20,200,000", 1
PAIRS, QUICK_PAIRS, MARKERS, SWAPPED = (1_000, 4_000), (200,), 5_000, 0.01


def _ours_variants(work: Drawn, folder: Path) -> list[tuple[str, list[str]]]:
    return [("variants", cohelix("qc", "variants", work.made["callset"], "-o", folder / "sites.qc"))]


def _ours_groups(work: Drawn, folder: Path) -> list[tuple[str, list[str]]]:
    words = (work.made["callset"], "-o", folder / "sites.qc", "--ancestry", work.groups)
    return [("variants", cohelix("qc", "variants", *words))]


def _ours_samples(work: Drawn, folder: Path) -> list[tuple[str, list[str]]]:
    return [("samples", cohelix("qc", "samples", work.made["callset"], "-o", folder / "samples-qc"))]


def _plink2(work: Drawn, *words: str | Path) -> list[str]:
    return ["plink2", "--threads", str(CORES), "--pfile", str(work.made["pgen"]), *map(str, words)]


def _plink2_variants(work: Drawn, folder: Path) -> list[tuple[str, list[str]]]:
    words = ("--freq", "counts", "--hardy", "--missing", "variant-only")
    return [("variants", _plink2(work, *words, "--out", folder / "all"))]


def _plink2_groups(work: Drawn, folder: Path) -> list[tuple[str, list[str]]]:
    """One process goes through all groups of a column (--loop-cats)."""
    by = ("--pheno", work.groups, "--loop-cats")
    return [
        *_plink2_variants(work, folder),
        ("groups", _plink2(work, *by, "group", "--hardy", "--out", folder / "by")),
        ("groups and sexes", _plink2(work, *by, "stratum", "--geno-counts", "--out", folder / "by")),
    ]


def _plink2_samples(work: Drawn, folder: Path) -> list[tuple[str, list[str]]]:
    words = ("--missing", "sample-only", "--het", "--sample-counts")
    return [("samples", _plink2(work, *words, "--out", folder / "all"))]


def _hail(what: str) -> Any:
    def steps(work: Drawn, folder: Path) -> list[tuple[str, list[str]]]:
        words = ["--table", work.made["matrix_table"], "--groups", work.groups, "--out", folder]
        return [(what, [sys.executable, str(HERE / "peers" / "hail_qc.py"), what, *map(str, words)])]

    return steps


def _ours_variant_counts(folder: Path) -> dict[str, Any]:
    columns = _sites(folder, ["ac_all_raw", "n_called", "hwe_p_all"])
    rows = len(columns["n_called"])
    n_samples = json.loads(max((folder / "sites.qc" / "_commit").glob("*.json")).read_text())["meta"]["n_samples"]
    found = {"rows": rows, "ac": int(columns["ac_all_raw"].sum())}
    found["n_missing"] = rows * n_samples - int(columns["n_called"].sum())
    return found | {"probed": [columns["hwe_p_all"][row] for row in probed_places(rows)]}


def _ours_group_counts(folder: Path) -> dict[str, Any]:
    names = [f"ac_{name}_raw" for name in strata()] + [f"hwe_p_g{group}" for group in range(GROUPS)]
    columns = _sites(folder, names)
    found = _ours_variant_counts(folder)
    return found | {"probed": [[columns[name][row] for name in names] for row in probed_places(found["rows"])]}


def _sites(folder: Path, names: list[str]) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    meta = json.loads(max((folder / "sites.qc" / "_commit").glob("*.json")).read_text())["meta"]
    tables = [pq.read_table(folder / "sites.qc" / shard["sites"], columns=names) for shard in meta["shards"]]
    table = pa.concat_tables(tables)
    return {name: table[name].to_numpy() for name in names}


def _ours_sample_counts(folder: Path) -> dict[str, Any]:
    import pyarrow.parquet as pq

    names = ["n_snp", "n_missing", "n_singleton"]
    found = pq.read_table(folder / "samples-qc" / "sample_metrics.parquet", columns=names).to_pylist()
    return _sample_counts([(row["n_snp"], row["n_missing"], row["n_singleton"]) for row in found])


def _sample_counts(rows: Sequence[tuple[int, int, int]]) -> dict[str, Any]:
    """Of (carried, missing, singletons) of each sample."""
    carried, missing, alone = (sum(column) for column in zip(*rows, strict=True))
    return {
        "samples": len(rows), "carried": carried, "n_missing": missing, "n_singleton": alone,
        "probed": [rows[sample][:2] for sample in probed_places(len(rows))],
    }  # fmt: skip


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open() as lines:
        yield from csv.DictReader((line.removeprefix("#") for line in lines), delimiter="\t")


def _plink2_variant_counts(folder: Path) -> dict[str, Any]:
    ac = [int(row["ALT_CTS"]) for row in _rows(folder / "all.acount")]
    missing = sum(int(row["MISSING_CT"]) for row in _rows(folder / "all.vmiss"))
    p = [float(row["P"]) for row in _rows(folder / "all.hardy")]
    probed = [p[row] for row in probed_places(len(ac))]
    return {"rows": len(ac), "ac": sum(ac), "n_missing": missing, "probed": probed}


def _plink2_group_counts(folder: Path) -> dict[str, Any]:
    found, probed = _plink2_variant_counts(folder), []
    for name in strata():
        rows = [
            (int(row["HET_REF_ALT_CTS"]), int(row["TWO_ALT_GENO_CTS"])) for row in _rows(folder / f"by.{name}.gcount")
        ]
        probed.append([float(rows[row][0] + 2 * rows[row][1]) for row in probed_places(len(rows))])
    for group in range(GROUPS):
        p = [float(row["P"]) for row in _rows(folder / f"by.g{group}.hardy")]
        probed.append([p[row] for row in probed_places(len(p))])
    return found | {"probed": [list(row) for row in zip(*probed, strict=True)]}


def _plink2_sample_counts(folder: Path) -> dict[str, Any]:
    """Without singletons: a lone homozygous sample is one too there."""
    found = _sample_counts(
        [
            (int(row["HOM_ALT_SNP_CT"]) + int(row["HET_SNP_CT"]), int(row["MISSING_INCL_FEMALE_Y_CT"]), 0)
            for row in _rows(folder / "all.scount")
        ]
    )
    del found["n_singleton"]
    return found


def _hail_variant_counts(folder: Path) -> dict[str, Any]:
    found = [(int(row["ac"]), int(row["n_missing"]), float(row["p"])) for row in _rows(folder / "variants.tsv")]
    ac, missing, p = zip(*found, strict=True)
    probed = [p[row] for row in probed_places(len(p))]
    return {"rows": len(ac), "ac": sum(ac), "n_missing": sum(missing), "probed": probed}


def _hail_group_counts(folder: Path) -> dict[str, Any]:
    names = [f"ac_{name}" for name in strata()] + [f"p_g{group}" for group in range(GROUPS)]
    rows = list(_rows(folder / "groups.tsv"))
    people = int(rows[0]["n_samples"])
    missing = sum(2 * people - int(row["an"]) for row in rows) // 2
    probed = [[float(rows[place][name]) for name in names] for place in probed_places(len(rows))]
    return {"rows": len(rows), "ac": sum(int(row["ac"]) for row in rows), "n_missing": missing, "probed": probed}


def _hail_sample_counts(folder: Path) -> dict[str, Any]:
    return _sample_counts(
        [
            (int(row["n_het"]) + int(row["n_hom_alt"]), int(row["n_missing"]), int(row["n_singleton"]))
            for row in _rows(folder / "samples.tsv")
        ]
    )


def _engines(ours: tuple[Any, Any, str], plink2: tuple[Any, Any], hail: tuple[str, Any]) -> dict[str, Engine]:
    """Steps and counts of each; the last of ours is what it leaves."""
    return {
        "ours": Engine("ours", programs.cohelix_version, *ours[:2], sizes_of(qc=ours[2])),
        "plink2": Engine(
            "plink2", programs.plink2_version, *plink2, sizes_of(), missing=programs.lacks_program("plink2")
        ),
        "hail": Engine(
            "hail", programs.hail_version, _hail(hail[0]), hail[1], sizes_of(), missing=programs.lacks_hail
        ),
    }  # fmt: skip


ENGINES = {
    "qc-variants": _engines(
        (_ours_variants, _ours_variant_counts, "sites.qc"), (_plink2_variants, _plink2_variant_counts),
        ("variants", _hail_variant_counts),
    ),
    "qc-variants-groups": _engines(
        (_ours_groups, _ours_group_counts, "sites.qc"), (_plink2_groups, _plink2_group_counts),
        ("groups", _hail_group_counts),
    ),
    "qc-samples": _engines(
        (_ours_samples, _ours_sample_counts, "samples-qc"), (_plink2_samples, _plink2_sample_counts),
        ("samples", _hail_sample_counts),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Called:
    """A callset of a joint call (`genomes`), or of arrays with a callset of genomes and a table of links.

    truth: what an engine's counts must hold.
    """

    job: str
    n_samples: int
    n_records: int
    bases: int
    callset: Path
    truth: dict[str, int]
    genomes: Path | None = None
    links: Path | None = None

    @property
    def inputs(self) -> list[Path]:
        return [path for path in (self.callset, self.genomes, self.links) if path]

    @property
    def sizes(self) -> dict[str, int]:
        return {"input": sum(size_of(path) for path in self.inputs)}

    def check(self, engine: Engine, counts: dict[str, Any]) -> None:
        """Raises AssertionError where the counts are not those of the input."""
        assert counts == self.truth, f"{engine.name}: {counts}, not {self.truth}"


def _joint_steps(work: Called, folder: Path) -> list[tuple[str, list[str]]]:
    return [("samples", cohelix("qc", "samples", work.callset, "-o", folder / "samples-qc"))]


def _joint_counts(folder: Path) -> dict[str, Any]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "samples-qc" / "sample_metrics.parquet", columns=["n_called", "n_missing"])
    return {"samples": table.num_rows, "genotypes": sum(pc.sum(column).as_py() for column in table.columns)}


def _concordance_steps(work: Called, folder: Path) -> list[tuple[str, list[str]]]:
    words = (work.callset, str(work.genomes), "--links", str(work.links), "-o", folder / "concordance")
    return [("concordance", cohelix("qc", "concordance", *words))]


def _concordance_counts(folder: Path) -> dict[str, Any]:
    import pyarrow.parquet as pq

    verdicts = pq.read_table(folder / "concordance" / "concordance.parquet", columns=["verdict"])["verdict"].to_pylist()
    kinds = pq.read_table(folder / "concordance" / "partners.parquet", columns=["kind"])["kind"].to_pylist()
    return {"links": len(verdicts), "match": verdicts.count("match"), "swap": kinds.count("swap")}


JOINT_SAMPLES = {
    "ours": Engine("ours", programs.cohelix_version, _joint_steps, _joint_counts, sizes_of(qc="samples-qc"))
}
CONCORDANCE = {
    "ours": Engine(
        "ours", programs.cohelix_version, _concordance_steps, _concordance_counts, sizes_of(qc="concordance")
    )
}  # fmt: skip


def _drawn(*jobs: str) -> Any:
    """All jobs take turns at the same genotypes, which are made once."""

    def run(wish: argparse.Namespace, bench: Bench) -> None:
        for n_samples, n_variants, names in QUICK if wish.quick else PLAN:
            # Hail takes half a minute to begin: one job of a quick run has it
            quick = {job: "ours,plink2" for job in jobs if wish.quick and job != "qc-variants"}
            engines = [chosen(ENGINES[job], wish.engines or quick.get(job, names)) for job in jobs]
            folder = bench.scratch / f"drawn-{n_samples}"
            folder.mkdir()
            work = draw(folder, n_samples, n_variants)
            take_in(work, engines[0], folder)
            print(f"# made {n_samples} x {n_variants} genotypes", file=sys.stderr)
            for job, of_job in zip(jobs, engines, strict=True):
                take_turns(replace(work, job=job), of_job, bench)
            shutil.rmtree(folder)

    return run


def _joint_samples(wish: argparse.Namespace, bench: Bench) -> None:
    """Callsets of growing cohorts, the smaller ones part of the largest."""
    sizes, cohort = QUICK_JOINT if wish.quick else JOINT, bench.scratch / "people"
    words = ("-o", cohort, "--samples", str(max(sizes)), "--region", REGION, "--seed", str(SEED))
    subprocess.run(cohelix("simulate", "gvcfs", *words), check=True)
    for n_samples in sizes:
        people = workloads.made(cohort, bench.scratch, REGION, 0, n_samples)
        store, callset = (bench.scratch / f"people-{n_samples}.{suffix}" for suffix in ("calls", "callset"))
        subprocess.run(cohelix("joint", "run", people.manifest, "--calls", store, "-o", callset), check=True)
        n_sites = json.loads(max((callset / "_commit").glob("*.json")).read_text())["meta"]["n_sites"]
        truth = {"samples": n_samples, "genotypes": n_samples * n_sites}
        work = Called("qc-joint-samples", n_samples, n_sites, people.bases, callset, truth)
        take_turns(work, chosen(JOINT_SAMPLES, None), bench)


def _concordance(wish: argparse.Namespace, bench: Bench) -> None:
    """Arrays and genomes with the same genotypes; some links are exchanged in pairs."""
    for n_pairs in QUICK_PAIRS if wish.quick else PAIRS:
        folder = bench.scratch / f"pairs-{n_pairs}"
        folder.mkdir()
        fileset = make_fileset("arrays", folder, n_pairs, MARKERS)
        bed = fileset.prefix.with_suffix(".bed")
        arrays, genomes, links = folder / "arrays.callset", folder / "genomes.callset", folder / "links.tsv"
        _import(bed, arrays)
        people = bed.with_suffix(".fam").read_text()
        bed.with_suffix(".fam").write_text(people.replace("\tS", "\tG"))
        _import(bed, genomes)
        swapped = 2 * max(1, round(n_pairs * SWAPPED / 2))
        of = [n ^ 1 if n < swapped else n for n in range(n_pairs)]
        rows = (f"S{n:07d}\tG{of[n]:07d}\n" for n in range(n_pairs))
        links.write_text("array_sample_id\twgs_sample_id\n" + "".join(rows))
        truth = {"links": n_pairs, "match": n_pairs - swapped, "swap": 2 * swapped}
        work = Called("qc-concordance", n_pairs, MARKERS, fileset.bases, arrays, truth, genomes, links)
        take_turns(work, chosen(CONCORDANCE, None), bench)


def _import(bed: Path, callset: Path) -> None:
    argv = cohelix("genotypes", "import", bed, "-o", callset, "--build", "GRCh38")
    subprocess.run(argv, check=True, capture_output=True)


def _all(wish: argparse.Namespace, bench: Bench) -> None:
    alone = argparse.Namespace(**{**vars(wish), "engines": None})
    _drawn(*ENGINES)(alone, bench)
    _joint_samples(alone, bench)
    _concordance(alone, bench)


SIZES = {"input": "callset (input)", "qc": "tables (ours)"}
register(Job("qc", _all))
register(
    Job(
        "qc-variants", _drawn("qc-variants"), "Counts, frequencies and Hardy-Weinberg of every variant",
        counted=("rows", "variants"), sizes=SIZES,
    )
)  # fmt: skip
register(
    Job(
        "qc-variants-groups", _drawn("qc-variants-groups"), "The same by eight groups and two sexes",
        counted=("rows", "variants"), sizes=SIZES,
    )
)  # fmt: skip
register(
    Job(
        "qc-samples", _drawn("qc-samples"), "Counts and F of every sample, from genotypes",
        counted=("samples", "samples"), sizes=SIZES,
    )
)  # fmt: skip
register(
    Job(
        "qc-joint-samples", _joint_samples, "Metrics of every sample, from the counts of a joint call",
        counted=("samples", "samples"), sizes=SIZES,
    )
)  # fmt: skip
register(
    Job(
        "qc-concordance", _concordance, "Arrays against genomes, one in a hundred exchanged",
        counted=("links", "pairs"), sizes=SIZES,
    )
)  # fmt: skip
