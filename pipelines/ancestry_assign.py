"""Ancestry groups of projected people, as a step of a job on a cluster.

Reads the folders of a model and a projection, writes a folder of tables, which appears whole. Minutes on one machine
for a million people, so it runs on the driver and starts no Spark. Options are those of `cohelix ancestry assign`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/ancestry_assign.py model projection -o ancestry
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.ancestry import assign

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command()(assign)

if __name__ == "__main__":
    main(pipeline)
