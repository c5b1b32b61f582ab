"""A simulated cohort with its truth, on Spark.

Writes gVCFs, arrays, health records, scores and truth tables to a folder that all executors share. A task is a region
of the genome, then a block of 96 people. Options are those of `cohelix simulate cohort`; equal seeds give equal bytes.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/simulate_cohort.py -o /shared/c --size bench-10k
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.simulate import cohort

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command(context_settings={"default_map": {"runtime": "spark"}})(cohort)

if __name__ == "__main__":
    main(pipeline)
