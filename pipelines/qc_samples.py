"""Quality control of the samples of a callset, on Spark.

Reads the counts that the joint call made (of an imported callset: its genotypes, a task per shard) and writes a folder
of metrics, flags with their reasons, and tables under the names that All of Us uses. Options are those of
`cohelix qc samples`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/qc_samples.py cohort.callset -o samples-qc
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.qc import samples

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command(context_settings={"default_map": {"runtime": "spark"}})(samples)

if __name__ == "__main__":
    main(pipeline)
