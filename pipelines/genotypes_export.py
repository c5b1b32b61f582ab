"""A callset, or a part of it, as VCF, BCF or a PLINK fileset.

Reads a callset, by region and by sample where asked; the files appear whole or not at all.

    python pipelines/genotypes_export.py cohort.callset -o chr22.bcf --region chr22
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.genotypes import export

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command()(export)

if __name__ == "__main__":
    main(pipeline)
