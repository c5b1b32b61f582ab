"""Frequencies of star alleles, diplotypes and phenotypes by ancestry group.

Reads the folder of `pgx_call` once; there is nothing to spread. Options are those of `cohelix pgx frequencies`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/pgx_frequencies.py \
        pgx.parquet -o pgx-frequencies --groups ancestry/ancestry_preds.tsv
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.pgx import frequencies

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command()(frequencies)

if __name__ == "__main__":
    main(pipeline)
