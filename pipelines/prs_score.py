"""Any number of polygenic scores of a callset, on Spark.

Reads scoring files (or the folder of `cohelix prs match`) and the genotypes at their sites, once; a task is a range of
sites of a block of samples. What is done stays beside the output until the end, so that the same command goes on after
a crash. The folder has the bytes that threads write. Options are those of `cohelix prs score`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/prs_score.py \
        cohort.callset --match matched -o prs
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.prs import score

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command(context_settings={"default_map": {"runtime": "spark"}})(score)

if __name__ == "__main__":
    main(pipeline)
