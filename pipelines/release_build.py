"""The release of one tier: what its readers may see, signed and, above Public, encrypted.

Runs where the keys are: on the driver, with threads. Options are those of `cohelix release build`; the keys come from a
folder or a program and are in no argument, setting or event log.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/release_build.py \
        inputs.toml --tier controlled -o releases/controlled --name C2026Q4R1 --keys command:./keys-from-kms
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.release import build

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command()(build)

if __name__ == "__main__":
    main(pipeline)
