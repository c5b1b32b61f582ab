"""Array and genome of one person, link by link; and where they are not, whose they are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.dataset import Commit, digest_of
from cohelix.errors import InputError
from cohelix.genotypes.callset import Callset, open_callset
from cohelix.genotypes.inputs import Links, read_links
from cohelix.genotypes.outputs import new_folder
from cohelix.provenance import provenance
from cohelix.qc.concordance import likelihood, partners, sites
from cohelix.qc.concordance.fingerprints import read_fingerprints
from cohelix.qc.concordance.likelihood import GENOTYPES, MODELS, Compared
from cohelix.qc.concordance.partners import Linked, Partner
from cohelix.qc.concordance.sites import FingerprintSites
from cohelix.qc.schema import ConcordanceParams
from cohelix.runtime.protocol import Runtime

ABSENT = "absent"
"""Verdict on a link one of whose samples is not in its callset."""

_LINKS_PER_TASK = 1 << 14


@dataclass(frozen=True)
class _Compare:
    arrays: Callable[[], np.ndarray]
    wgs: Callable[[], np.ndarray]
    scores: Callable[[], np.ndarray]
    left: np.ndarray
    right: np.ndarray


def qc_concordance(
    arrays: str, wgs: str, links: str, out: str, params: ConcordanceParams, runtime: Runtime
) -> dict[str, Any]:
    """Write concordance.parquet, partners.parquet and qc.json to the folder `out`. Returns what qc.json holds.

    arrays, wgs: callsets. links: a table of pairs (`cohelix.genotypes.inputs.read_links`).
    Raises ReferenceMismatch where builds differ, InputError where no site or no link can be compared.
    """
    of_arrays, of_wgs = open_callset(arrays), open_callset(wgs)
    pairs = read_links(links)
    left, right = _rows(of_arrays, pairs.left), _rows(of_wgs, pairs.right)
    present = (left >= 0) & (right >= 0)
    _check_links(left, right, present)
    with new_folder(out) as folder:
        fingerprint = sites.choose_sites(of_arrays, of_wgs, params, runtime)
        genotypes = (
            read_fingerprints(of_arrays, fingerprint.arrays, fingerprint.flip, runtime),
            read_fingerprints(of_wgs, fingerprint.wgs, np.zeros(len(fingerprint.flip), bool), runtime),
        )
        frequency = likelihood.frequencies_of(fingerprint.wgs.ac, fingerprint.wgs.an, params.frequency_floor)
        scores = likelihood.score_tables(frequency, params.array_error, params.wgs_error)
        compared = _compare_all(*genotypes, left[present], right[present], scores, runtime)
        verdict = likelihood.verdicts(compared.n_compared, compared.llr[:, 0], params)
        linked = Linked(left[present], right[present], verdict == "match")
        possible: list[list[Partner]] = []
        for side, other in (("array", of_wgs), ("wgs", of_arrays)):
            possible += partners.find_partners(side, *genotypes, other.n_samples, linked, scores, params, runtime)
        found = partners.settle(possible, linked)
        table = _links_table(pairs, present, compared, verdict)
        of_partners = _partners_table(found, linked, np.flatnonzero(present), compared, params, of_arrays, of_wgs)
        _write(folder / "concordance.parquet", table)
        _write(folder / "partners.parquet", of_partners)
        summary = _summary(params, (of_arrays, of_wgs), pairs, (left, right), fingerprint, table, of_partners)
        (folder / "qc.json").write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n")
    return summary


def _rows(callset: Callset, sample_ids: list[str]) -> np.ndarray:
    """int64: row of each id in the samples table, -1 where it is not there."""
    place = {sample: row for row, sample in enumerate(callset.samples().column("sample_id").to_pylist())}
    return np.array([place.get(sample, -1) for sample in sample_ids], np.int64)


def _check_links(left: np.ndarray, right: np.ndarray, present: np.ndarray) -> None:
    if not present.any():
        raise InputError(
            f"expected links between samples of both callsets, found none among {len(left)}: {int((left >= 0).sum())} "
            f"arrays and {int((right >= 0).sum())} genomes are in their callsets. Check that the columns are not "
            "exchanged and that the ids are those of the callsets."
        )


def _compare_all(
    arrays: np.ndarray, wgs: np.ndarray, left: np.ndarray, right: np.ndarray, scores: np.ndarray, runtime: Runtime
) -> Compared:
    shared = runtime.share(arrays), runtime.share(wgs), runtime.share(scores)
    cuts = range(0, len(left), _LINKS_PER_TASK)
    tasks = [_Compare(*shared, left[at : at + _LINKS_PER_TASK], right[at : at + _LINKS_PER_TASK]) for at in cuts]
    parts = list(runtime.map(_compare, tasks, label="links"))
    return Compared(np.concatenate([part.tables for part in parts]), np.concatenate([part.sums for part in parts]))


def _compare(task: _Compare) -> Compared:
    return likelihood.compare(task.arrays(), task.wgs(), task.left, task.right, task.scores())


def _links_table(pairs: Links, present: np.ndarray, compared: Compared, verdict: np.ndarray) -> pa.Table:
    """One row per link, in the order of the table of links; null where a sample is absent."""
    n = len(present)

    def spread(values: np.ndarray) -> pa.Array:
        wide = np.zeros(n, values.dtype)
        wide[present] = values
        empty = ~present
        if values.dtype.kind == "f":
            empty = empty.copy()
            empty[present] |= np.isnan(values)
        return pa.array(wide, mask=empty)

    named = np.full(n, ABSENT, object)
    named[present] = verdict
    columns = {
        "array_sample_id": pa.array(pairs.left, pa.string()),
        "wgs_sample_id": pa.array(pairs.right, pa.string()),
        "verdict": pa.array(named.tolist(), pa.string()),
        "fingerprint_llr": spread(compared.llr[:, MODELS.index("same")]),
        "n_compared": spread(compared.n_compared),
        "genotype_concordance": spread(compared.concordance),
        "non_reference_concordance": spread(compared.non_reference_concordance),
    }
    for cell in range(16):
        name = f"n_{GENOTYPES[cell // 4]}_{GENOTYPES[cell % 4]}"
        columns[name] = spread(np.ascontiguousarray(compared.tables[:, cell]))
    return pa.table(columns)


def _partners_table(
    found: list[Partner], linked: Linked, link_rows: np.ndarray, compared: Compared, params: ConcordanceParams,
    arrays: Callset, wgs: Callset,
) -> pa.Table:  # fmt: skip
    """Two rows per failing link: its array among all genomes, its genome among all arrays."""
    ids = {"array": arrays.samples().column("sample_id").to_pylist(), "wgs": wgs.samples()["sample_id"].to_pylist()}
    across = {"array": "wgs", "wgs": "array"}
    kinds, owned_by = partners.kinds_of(found, linked)
    edges = [(p.link, j) for p, j, kind in zip(found, owned_by, kinds, strict=True) if kind in ("swap", "shift")]
    involved = partners.links_involved(len(linked.left), edges)
    llr = compared.llr
    order = sorted(range(len(found)), key=lambda at: (found[at].link, found[at].side))
    rows = [found[at] for at in order]

    def number(values: list[float]) -> pa.Array:
        return pa.array([None if np.isnan(value) else value for value in values], pa.float64())

    return pa.table({
        "link": pa.array([int(link_rows[p.link]) for p in rows], pa.int64()),
        "side": pa.array([p.side for p in rows], pa.string()),
        "sample_id": pa.array([ids[p.side][p.sample] for p in rows], pa.string()),
        "kind": pa.array([kinds[at] for at in order], pa.string()),
        "partner_id": pa.array([ids[across[p.side]][p.partner] if p.partner >= 0 else None for p in rows], pa.string()),
        "partner_link": pa.array(
            [int(link_rows[owned_by[at]]) if owned_by[at] >= 0 else None for at in order], pa.int64()
        ),
        "links_involved": pa.array([int(involved[p.link]) for p in rows], pa.int64()),
        "n_compared": pa.array([p.n_compared for p in rows], pa.int64()),
        "fingerprint_llr": number([p.llr for p in rows]),
        "second_llr": number([p.second_llr for p in rows]),
        "margin": number([p.llr - p.second_llr for p in rows]),
        "relation": pa.array([p.relation or None for p in rows], pa.string()),
        "relation_llr": number([p.relation_llr for p in rows]),
        "linked_relation": pa.array(
            [likelihood.relation_of(llr[p.link], params.match_llr)[0] or None for p in rows], pa.string()
        ),
    })  # fmt: skip


def _summary(
    params: ConcordanceParams, callsets: tuple[Callset, Callset], pairs: Links, rows: tuple[np.ndarray, np.ndarray],
    fingerprint: FingerprintSites, table: pa.Table, of_partners: pa.Table,
) -> dict[str, Any]:  # fmt: skip
    inputs = [(role, _digest(callset.commit)) for role, callset in zip(("arrays", "wgs"), callsets, strict=True)]
    inputs.append(("links", digest_of([pairs.left, pairs.right])))
    kinds = {
        side: dict(sorted(Counter(
            kind for kind, of in zip(of_partners["kind"].to_pylist(), of_partners["side"].to_pylist(), strict=True)
            if of == side
        ).items()))
        for side in ("array", "wgs")
    }  # fmt: skip
    return {
        "kind": "concordance",
        "sites": fingerprint.found,
        "links": {
            "n_links": len(pairs.left),
            "n_arrays_absent": int((rows[0] < 0).sum()),
            "n_wgs_absent": int((rows[1] < 0).sum()),
            "verdicts": dict(sorted(Counter(table["verdict"].to_pylist()).items())),
            "partners": kinds,
        },
        "provenance": provenance("qc concordance", params, inputs),
    }


def _digest(commit: Commit) -> str:
    return digest_of([asdict(entry) for entry in commit.files])


def _write(path: Path, table: pa.Table) -> None:
    pq.write_table(table, path, compression="zstd", store_schema=False)
