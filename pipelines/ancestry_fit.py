"""Principal components of a callset, on Spark.

A task reads a range of sites and sends back partial sums of samples x block; their number follows from the data and
`ancestry.fit.memory_mib`, not from the cluster. The folder has the bytes that threads write. Options are those of
`cohelix ancestry fit`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/ancestry_fit.py panel.callset -o pca
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.ancestry import fit

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command(context_settings={"default_map": {"runtime": "spark"}})(fit)

if __name__ == "__main__":
    main(pipeline)
