"""The two steps of `cohelix pgx call`, a process each, so that each is timed: genotypes out of files, and all the rest.

python -m benchmarks.pgx_steps extract|call --prefix people --folder out
"""

from __future__ import annotations

import argparse
from pathlib import Path

from cohelix.pgx import reference
from cohelix.pgx.calling.run import call
from cohelix.pgx.extraction.run import extract
from cohelix.pgx.schema import CallParams
from cohelix.runtime.protocol import opened_runtime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["extract", "call"])
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--genes", default="")
    wish = parser.parse_args()
    params = CallParams(genes=tuple(wish.genes.split(",")) if wish.genes else ())
    genes = {name: gene for name, gene in reference.load(params.reference, params.genes).items() if gene.positions}
    work = wish.folder / "work"
    with opened_runtime("local") as runtime:
        if wish.step == "extract":
            extract(wish.prefix, genes, work / "genotypes", params, runtime)
        else:  # takes the genotypes that are there
            call(wish.prefix, str(wish.folder / "pgx.parquet"), work, genes, params, runtime)


if __name__ == "__main__":
    main()
