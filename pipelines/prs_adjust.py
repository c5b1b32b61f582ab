"""Scores made comparable across ancestries, as a step of a job on a cluster.

Reads folders of `cohelix prs score` and tables of components, writes a folder of tables, which appears whole. Seconds
on one machine for thousands of scores, so it runs on the driver and starts no Spark. Options are those of
`cohelix prs adjust`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/prs_adjust.py prs -o adjusted \
        --pcs projected/scores.tsv --train unrelated/unrelated.tsv
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.prs import adjust

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command()(adjust)

if __name__ == "__main__":
    main(pipeline)
