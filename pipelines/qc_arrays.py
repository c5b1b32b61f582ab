"""Quality control of genotyping arrays, on Spark.

Reads array VCFs, writes metrics, flags and duplicates to a folder, and a callset of the markers that can be placed.
A task is one file, then a band of samples that are compared with all others. All executors share the folder.
Options are those of `cohelix qc arrays`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/qc_arrays.py b1.vcf.gz -o /shared/qc \\
        --callset /shared/arrays.callset
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.qc import arrays

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command(context_settings={"default_map": {"runtime": "spark"}})(arrays)

if __name__ == "__main__":
    main(pipeline)
