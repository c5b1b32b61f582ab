"""A call store into a callset, on Spark.

Reads a call store, writes one row per allele and one genotype per sample: PGEN shards with their site and sample
tables. A task is one bin of the genome. Run again after a crash, it goes on where it was.
Options are those of `cohelix joint call`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/joint_call.py cohort.calls -o cohort.callset
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.joint import call

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command(context_settings={"default_map": {"runtime": "spark"}})(call)

if __name__ == "__main__":
    main(pipeline)
