"""Cases and controls out of health records, as a step of a job on a cluster.

Writes a folder with rows of COHORT, phenotypes and counts, which appears whole. It runs on the driver; health records
of a Spark database (spark:name) are read through the job's session. Options are those of `cohelix omop cohort`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/omop_cohort.py omop/ type_2_diabetes -o cohorts \
        --samples cohort.callset
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.omop import cohort

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command()(cohort)

if __name__ == "__main__":
    main(pipeline)
