"""How many chromosomes are called at every base of a call store, on Spark.

Reads a call store and, if given, a table of groups; writes runs of bases with equal allele numbers, by group and sex.
A task is one bin of the genome. Run again after a crash, it goes on where it was.
Options are those of `cohelix joint allele-numbers`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/joint_allele_numbers.py cohort.calls -o cohort.an
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.joint import allele_numbers

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command(context_settings={"default_map": {"runtime": "spark"}})(allele_numbers)

if __name__ == "__main__":
    main(pipeline)
