"""Star alleles, diplotypes and phenotypes of a whole cohort, on Spark.

Reads the genotypes at the positions of the definitions once; a task is a block of people, all genes. What is done stays
beside the output until the end, so that the same command goes on after a crash. The folder has the bytes that threads
write. Options are those of `cohelix pgx call`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/pgx_call.py \
        cohort.callset -o pgx.parquet
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.pgx import call

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command(context_settings={"default_map": {"runtime": "spark"}})(call)

if __name__ == "__main__":
    main(pipeline)
