"""gVCFs into a call store, on Spark.

Reads a manifest (one gVCF a row), writes or extends a call store. A task is a batch of samples over a stretch of the
genome. Run again after a crash, it goes on where it was; run with a longer manifest, it adds the new samples.
Options are those of `cohelix joint ingest`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/joint_ingest.py cohort.tsv -o cohort.calls
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.joint import ingest

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command(context_settings={"default_map": {"runtime": "spark"}})(ingest)

if __name__ == "__main__":
    main(pipeline)
