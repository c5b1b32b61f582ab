"""Quality control of the sites of a callset, on Spark.

Reads a callset, writes a data set: for every shard a site table, its flags and an annotation table. A task is one
shard. Run again after a crash, it goes on where it was. Options are those of `cohelix qc variants`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/qc_variants.py cohort.callset -o sites.qc
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.qc import variants

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command(context_settings={"default_map": {"runtime": "spark"}})(variants)

if __name__ == "__main__":
    main(pipeline)
