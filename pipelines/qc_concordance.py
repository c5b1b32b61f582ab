"""Whether each array and genome are of one person, on Spark.

Reads two callsets and a table of links; the folder of results appears whole. A task is some shards of a callset, or a
block of samples. Options are those of `cohelix qc concordance`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/qc_concordance.py \
        arrays.callset cohort.callset --links links.tsv -o concordance
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.qc import concordance

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command(context_settings={"default_map": {"runtime": "spark"}})(concordance)

if __name__ == "__main__":
    main(pipeline)
