"""The sites that suit kinship and ancestry as a callset, on Spark.

Reads a callset; writes one with fewer sites: common autosomal SNPs, called nearly everywhere, pruned by linkage
disequilibrium. A task is one shard, or one chromosome while pruning. Run again after a crash, it goes on where it was.
Options are those of `cohelix genotypes select`.

    spark-submit --properties-file spark-conf/cluster.conf pipelines/genotypes_select.py cohort.callset -o hq.callset
"""

import typer

from cohelix.cli.__main__ import main
from cohelix.cli.genotypes import select_

pipeline = typer.Typer(rich_markup_mode=None, add_completion=False)
pipeline.command(context_settings={"default_map": {"runtime": "spark"}})(select_)

if __name__ == "__main__":
    main(pipeline)
