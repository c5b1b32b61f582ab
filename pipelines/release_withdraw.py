"""A release without persons who have withdrawn: computed anew, and compared with the one it supersedes.

Runs where the keys are: on the driver, with threads. Options are those of `cohelix release withdraw`; the keys come
from a folder or a program and are in no argument, setting or event log.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/release_withdraw.py \
        releases/controlled/C2026Q4R1 inputs.toml --withdrawn left.tsv --name C2027Q1R1 --keys command:./keys-from-kms
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.release import withdraw

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command()(withdraw)

if __name__ == "__main__":
    main(pipeline)
