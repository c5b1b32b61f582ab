"""The release check, as the last step before samples leave.

Reads a callset, the list of released samples and what `cohelix qc samples` made; works every gate out again and ends
with exit code 2 where a sample fails one. It reads tables of the driver's size and starts no Spark job.
Options are those of `cohelix qc check`.

    python pipelines/qc_check.py cohort.callset --released released.txt --gates aou-v8 --qc samples-qc -o failures
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.qc import check

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command()(check)

if __name__ == "__main__":
    main(pipeline)
