"""Whose a sample is, by the health records, as a step of a job on a cluster.

Writes a folder with a table of links and counts, which appears whole. It runs on the driver; health records of a Spark
database (spark:name) are read through the job's session. Options are those of `cohelix omop link`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/omop_link.py omop/ \
        --samples cohort.callset -o links
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.omop import link_samples

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command()(link_samples)

if __name__ == "__main__":
    main(pipeline)
