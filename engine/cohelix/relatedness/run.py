"""`cohelix relatedness estimate`: which pairs of a callset's samples are related, and how."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix.dataset import digest_of
from cohelix.errors import InputError
from cohelix.genotypes import inputs
from cohelix.genotypes.callset import Callset, open_callset
from cohelix.genotypes.outputs import new_folder, seal_of, write_parquet, write_tsv
from cohelix.genotypes.packed.matrix import Matrix, matrix_of
from cohelix.provenance import provenance
from cohelix.relatedness import tables
from cohelix.relatedness.king.scan import Found, kinship_of, scan
from cohelix.relatedness.places import places_of
from cohelix.relatedness.planes import make_planes
from cohelix.relatedness.schema import PcRelateParams, RelatednessParams
from cohelix.relatedness.screen import Screen, screen_of
from cohelix.relatedness.tables import Admixed
from cohelix.runtime.protocol import Runtime

_LARGEST = 1e100
"""Of a component: the square is still a number."""


def estimate(
    callset_root: str,
    out: str,
    params: RelatednessParams,
    pc_params: PcRelateParams,
    runtime: Runtime,
    *,
    pcs: str | None = None,
    pedigree: str | None = None,
) -> dict[str, Any]:
    """Write the folder `out`, which appears whole. Returns what its relatedness.json holds.

    pcs: a table of ancestry components; all that it has are used. pedigree: reported families. InputError with fewer
    than two samples or `min_sites` sites.
    """
    callset = open_callset(callset_root)
    if callset.n_samples < 2:
        raise InputError(f"expected at least two samples in the callset, found {callset.n_samples}. None is related.")
    matrix = matrix_of(callset)
    if matrix.n_sites < params.min_sites:
        raise InputError(
            f"expected at least {params.min_sites} autosomal biallelic SNPs, found {matrix.n_sites}: kinship of so few "
            "says nothing. Use a callset of more sites, or lower relatedness.estimate.min_sites."
        )
    sample_ids = matrix.sample_ids()
    scores = read_components(pcs, sample_ids) if pcs else None
    with new_folder(out) as folder:
        found, rule = find_pairs(matrix, folder / ".planes", params, runtime, scores)
        _check_any(found, matrix.n_samples)
        found, admixed = _with_ancestry(matrix, found, scores, params, pc_params, runtime)
        table = tables.pairs_table(found, admixed, sample_ids, params)
        summary = _summary(callset, matrix, found, rule, table, (params, pc_params if pcs else None), (pcs, pedigree))
        if pedigree:
            from cohelix.relatedness.pedigree import check_pedigree, summary_of

            families = check_pedigree(pedigree, sample_ids, table)
            write_parquet(folder / "pedigree.parquet", families)
            summary["pedigree"] = summary_of(families)
        write_parquet(folder / "pairs.parquet", table)
        write_tsv(folder / "relatedness.tsv", ("i.s", "j.s", "kin"), tables.aou_rows(table, params.min_tsv_kinship))
        write_tsv(folder / "samples.tsv", ("sample_id",), [(sample,) for sample in sample_ids])
        summary["files"] = {path.name: seal_of(path.read_bytes()) for path in sorted(folder.iterdir())}
        (folder / "relatedness.json").write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n")
    return summary


def _check_any(found: Found, n_samples: int) -> None:
    """InputError where nothing can be said of anybody: nobody related would be the wrong answer."""
    if int(found.histogram[0].sum()) == n_samples * (n_samples - 1) // 2:
        raise InputError(
            f"expected heterozygous genotypes to reckon kinship from, found no pair of the {n_samples} samples that "
            "both have some at sites called in both. Check that the callset holds genotypes that vary."
        )


def find_pairs(
    matrix: Matrix, scratch: Path, params: RelatednessParams, runtime: Runtime, scores: np.ndarray | None = None
) -> tuple[Found, Screen]:
    """Pairs of kinship `min_kinship` or more. scratch: a folder that is made, filled with planes, and removed.

    scores: float64 (samples, k) ancestry components; pairs that differ in them are judged with what that takes off
    their kinship given back.
    """
    rule = screen_of(matrix, params)
    screened = matrix.take(np.sort(np.concatenate(rule.looks))) if rule.looks else matrix
    places = np.zeros((matrix.n_samples, 0)) if scores is None else places_of(screened, scores, runtime)
    scratch.mkdir()
    try:
        every = make_planes(matrix, scratch / "every", runtime, label="planes", with_rows=not rule.looks)
        looks = tuple(
            make_planes(matrix.take(rows), scratch / f"look-{at}", runtime, label="planes", with_rows=at == 0)
            for at, rows in enumerate(rule.looks)
        )
        return scan(looks, every, places, rule, params.min_kinship, runtime), rule
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def read_components(path: str, sample_ids: Sequence[str]) -> np.ndarray:
    """float64 (samples, k): all components of the table; NaN where it lacks a sample."""
    what = "table of principal components"
    table = inputs.read_table(path, what)
    if "pca_features" in table.column_names and table.num_rows:
        first = table.column("pca_features")[0].as_py()
        try:
            count = len(json.loads(first) if isinstance(first, str) else first)
        except (TypeError, ValueError):
            count = 0
        if not count:
            raise InputError(f"row 2 of the {what} has no list of numbers in pca_features. Correct it.")
    else:
        prefix = "PC" if "PC1" in table.column_names else "pc"
        count = 1
        while f"{prefix}{count + 1}" in table.column_names:
            count += 1
    scores = inputs.read_pcs(path, sample_ids, count)
    if np.nanmax(np.abs(scores), initial=0.0, where=np.isfinite(scores)) > _LARGEST:
        raise InputError(f"the {what} holds numbers beyond {_LARGEST:.0e}: these are no components. Correct it.")
    return scores


def _with_ancestry(
    matrix: Matrix, found: Found, scores: np.ndarray | None, params: RelatednessParams, pc_params: PcRelateParams,
    runtime: Runtime,
) -> tuple[Found, Admixed]:  # fmt: skip
    """What PC-Relate adds, and the pairs that either kinship keeps."""
    if scores is None or not len(found.pairs):
        nothing = np.full(len(found.pairs), np.nan)
        return found, Admixed(nothing, nothing, nothing, nothing)
    from cohelix.relatedness.pc_relate import pc_relate

    said = pc_relate(matrix, scores, found.pairs, pc_params, runtime)
    kept = (kinship_of(found.counts) >= params.min_kinship) | (said.kinship >= params.min_kinship)
    kept_pairs = Found(found.pairs[kept], found.counts[kept], found.histogram, found.n_candidates, found.ibs0_rate)
    return kept_pairs, Admixed(said.kinship[kept], said.ibd0[kept], said.ibd1[kept], said.ibd2[kept])


def _summary(
    callset: Callset, matrix: Matrix, found: Found, rule: Screen, table: pa.Table,
    params: tuple[RelatednessParams, PcRelateParams | None], paths: tuple[str | None, str | None],
) -> dict[str, Any]:  # fmt: skip
    made_with = {"estimate": asdict(params[0])} | ({"pc_relate": asdict(params[1])} if params[1] else {})
    read = [("callset", digest_of([asdict(entry) for entry in callset.commit.files]))]
    read += inputs.digests_of(pcs=paths[0], pedigree=paths[1])
    return {
        "kind": "relatedness",
        "n_samples": matrix.n_samples,
        "n_sites": matrix.n_sites,
        "n_pairs": table.num_rows,
        "n_pairs_without_kinship": int(found.histogram[0].sum()),
        "unrelated_ibs0_rate": found.ibs0_rate,
        "counts": tables.counts_of(table),
        "screen": {
            "n_sites": rule.n_sites or matrix.n_sites,
            "all_sites": not rule.looks,
            "standard_errors": params[0].screen_sds,
            "min_kinship": params[0].min_kinship,
            "recall_bound": rule.recall_bound,
            "n_pairs_left": found.n_candidates,
        },
        "histogram": tables.histogram_of(found),
        "provenance": provenance("relatedness estimate", made_with, read),
    }
