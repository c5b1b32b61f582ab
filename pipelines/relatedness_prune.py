"""The samples to keep so that no two are related.

Reads the folder of `cohelix relatedness estimate`; the folder of results appears whole. It works on pairs and starts no
Spark job. Options are those of `cohelix relatedness prune`.

    python pipelines/relatedness_prune.py relatedness -o unrelated --priority cases.tsv
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.relatedness import prune

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command()(prune)

if __name__ == "__main__":
    main(pipeline)
