"""Sums of additive scores from a callset, a row of a scoring file at a time, in the plainest way.

Of rows of chromosomes 1 to 22 with both alleles; missing genotypes count twice the frequency in the callset.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cohelix.genotypes.callset import Callset, open_callset, read_blocks

Row = tuple[str, str, float]


def plain_sums(root: str, files: Sequence[Path]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """(ids of the samples, sums float64 (files, samples), rows of each file that were found int64 (files,))."""
    callset = open_callset(root)
    rows: dict[tuple[str, int], list[tuple[int, Row]]] = {}
    for number, path in enumerate(files):
        for chromosome, position, row in read_rows(path):
            rows.setdefault((f"chr{chromosome}", position), []).append((number, row))
    sums, found = np.zeros((len(files), callset.n_samples)), np.zeros(len(files), np.int64)
    for shard in callset.shards:
        _add_shard(callset, shard, rows, sums, found)
    return callset.samples().column("sample_id").to_pylist(), sums, found


def read_rows(path: Path) -> list[tuple[str, int, Row]]:
    """(chromosome, position, (effect allele, other allele, weight)) of each row."""
    with gzip.open(path, "rt") as lines:
        fields = [line.rstrip("\n").split("\t") for line in lines if line[0] != "#"]
    at = {name: k for k, name in enumerate(fields[0])}
    return [
        (
            f[at["chr_name"]], int(f[at["chr_position"]]),
            (f[at["effect_allele"]], f[at["other_allele"]], float(f[at["effect_weight"]])),
        )
        for f in fields[1:]
    ]  # fmt: skip


def _add_shard(
    callset: Callset, shard: object, rows: dict[tuple[str, int], list[tuple[int, Row]]], sums: np.ndarray,
    found: np.ndarray,
) -> None:  # fmt: skip
    sites = callset.sites(shard).to_pylist()
    for first, block in read_blocks(callset, shard):
        for k, genotypes in enumerate(block):
            site = sites[first + k]
            for number, (effect, other, weight) in rows.get((site["contig"], site["position"]), ()):
                if {effect, other} != {site["ref"], site["alt"]}:
                    continue
                called = genotypes >= 0
                copies = np.where(called, genotypes, genotypes[called].mean()).astype(np.float64)
                sums[number] += weight * (copies if effect == site["alt"] else 2 - copies)
                found[number] += 1
