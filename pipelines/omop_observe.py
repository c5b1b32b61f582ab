"""Groups as rows of OBSERVATION, as a step of a job on a cluster.

Reads a table of groups and one of links, writes a folder of Parquet, which appears whole. It runs on the driver and
starts no Spark. Options are those of `cohelix omop observe`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/omop_observe.py ancestry/ancestry_preds.tsv \
        -o observations --links links/links.tsv
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.omop import observe

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command()(observe)

if __name__ == "__main__":
    main(pipeline)
