"""Sites of scoring files in a callset, on Spark.

Reads scoring files and the sites tables of a callset, writes a folder that says of every row why it counts or does not.
A task is a batch of files, or a shard; their number follows from the data, not from the cluster. The folder has the
bytes that threads write. Options are those of `cohelix prs match`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/prs_match.py \
        cohort.callset --scores scores/ -o matched
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.prs import match

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command(context_settings={"default_map": {"runtime": "spark"}})(match)

if __name__ == "__main__":
    main(pipeline)
