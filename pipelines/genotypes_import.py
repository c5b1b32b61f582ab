"""Genotypes that were called elsewhere into a callset.

Reads a VCF or BCF file, or a PLINK fileset; writes PGEN shards with their site and sample tables. It runs on one
machine: a file that others wrote has one beginning.

    python pipelines/genotypes_import.py cohort.vcf.gz -o cohort.callset
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.genotypes import import_

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command()(import_)

if __name__ == "__main__":
    main(pipeline)
