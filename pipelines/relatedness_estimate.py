"""Related pairs of the samples of a callset, on Spark.

Bit planes of all samples are written beside the folder to make, which has to be on a disk that all executors see, and
are removed at the end. Options are those of `cohelix relatedness estimate`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/relatedness_estimate.py cohort.callset -o related
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.relatedness import estimate

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command(context_settings={"default_map": {"runtime": "spark"}})(estimate)

if __name__ == "__main__":
    main(pipeline)
