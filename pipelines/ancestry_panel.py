"""A reference panel from a labelled callset, on Spark.

Reads a callset and a table of labels, writes a callset: labelled, unrelated samples at chosen sites. A task is one
shard, or a block of sites. Options are those of `cohelix ancestry panel`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/ancestry_panel.py \
        people.callset --labels labels.tsv -o panel.callset
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.ancestry import panel

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command(context_settings={"default_map": {"runtime": "spark"}})(panel)

if __name__ == "__main__":
    main(pipeline)
