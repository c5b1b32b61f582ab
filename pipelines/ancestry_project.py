"""People of a callset among the components of others, on Spark.

Reads the folder of `cohelix ancestry fit` and the model's sites of the callset, once; a task is a stretch of sites. The
folder of scores appears whole. Options are those of `cohelix ancestry project`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/ancestry_project.py pca cohort.callset -o projected
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.ancestry import project

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command(context_settings={"default_map": {"runtime": "spark"}})(project)

if __name__ == "__main__":
    main(pipeline)
