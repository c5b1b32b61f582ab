"""How well scores foretell traits, by ancestry and genetic distance, as a step of a job on a cluster.

Reads a folder of `cohelix prs score` or `cohelix prs adjust` and tables of phenotypes, writes a folder of tables and
plots, which appears whole. It runs on the driver and starts no Spark. Options are those of `cohelix prs evaluate`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/prs_evaluate.py adjusted -o evaluation \
        --phenotypes phenotypes.tsv --ancestry ancestry/ancestry_preds.tsv --pcs projected/scores.tsv
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.prs import evaluate

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command()(evaluate)

if __name__ == "__main__":
    main(pipeline)
