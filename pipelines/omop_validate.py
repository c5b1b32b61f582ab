"""Health records against the OMOP CDM 5.4, as a step of a job on a cluster.

Writes a table of findings, which holds counts alone. It runs on the driver; health records of a Spark database
(spark:name) are read through the job's session. Options are those of `cohelix omop validate`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/omop_validate.py omop/ -o findings.tsv --strict
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.omop import validate

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command()(validate)

if __name__ == "__main__":
    main(pipeline)
