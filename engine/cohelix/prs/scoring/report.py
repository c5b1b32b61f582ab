"""What a folder of scores holds beside them: a row a score, a row a site, and the whole in counts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from cohelix.genotypes.outputs import seal_of, write_parquet, write_tsv
from cohelix.prs import tables
from cohelix.prs.scoring import partial_sums
from cohelix.prs.tables import ScoreBlock

if TYPE_CHECKING:
    from cohelix.prs.scoring.run import Scored
    from cohelix.prs.terms.run import Added

_FROM_MATCH = (
    "id", "name", "trait", "trait_efo", "build", "n_rows", "n_matched", "share_matched", "n_special",
    "share_weight_variance_lost", "passed", "reason",
)  # fmt: skip


def write(folder: Path, scored: Scored, frequencies: str | None, record: dict[str, Any]) -> dict[str, Any]:
    """Write all files but the match. Returns what prs.json holds: counts, and no row of a person."""
    added = _terms(scored, frequencies)
    seen = _Seen(len(scored.passed))
    ids = scored.match.scores().column("id").to_pylist()
    names = [ids[number] for number in scored.passed.tolist()]
    people = scored.callset.samples().column("sample_id").to_pylist()
    blocks = seen.of(_with_terms(scored.blocks(), added, scored.passed))
    tables.write_scores(folder / tables.FILE, names, people, blocks)
    table = _scores(scored, seen)
    write_parquet(folder / "report.parquet", table)
    columns = table.column_names
    write_tsv(folder / "report.tsv", columns, [[row[name] for name in columns] for row in table.to_pylist()])
    sites = _sites(scored)
    write_parquet(folder / "sites.parquet", sites)
    if added is not None:
        write_parquet(folder / "terms.parquet", added.rows)
    summary = _summary(scored, sites, seen, added, record)
    summary["files"] = {path.name: _seal(path) for path in sorted(folder.iterdir())}
    (folder / "prs.json").write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n")
    return summary


class _Seen:
    """Of each score that passes by, float64: means over everybody of its sums and counts, and the sd of the sums."""

    def __init__(self, n_scores: int) -> None:
        self.values = np.zeros((n_scores, 5))

    def of(self, blocks: Iterator[ScoreBlock]) -> Iterator[ScoreBlock]:
        for block in blocks:
            rows = np.asarray(block.scores, np.int64)
            self.values[rows, 0] = block.sums.mean(axis=1)
            self.values[rows, 1] = block.sums.std(axis=1)
            for place, counts in enumerate((block.n_alleles, block.n_imputed, block.n_hom_ref), start=2):
                self.values[rows, place] = counts.mean(axis=1)
            yield block


_SEEN = ("mean_sum", "sd_sum", "mean_n_alleles", "mean_n_imputed", "mean_n_hom_ref")


def _terms(scored: Scored, frequencies: str | None) -> Added | None:
    """Special rows of the scores, where there are any."""
    path = scored.match.folder / "special.json"
    if not path.is_file() or not scored.match.special().get("rows"):
        return None
    from cohelix.prs.terms.run import add_up

    groups = scored.groups
    labels = None if groups is None else [groups.names[code] if code >= 0 else "" for code in groups.codes.tolist()]
    return add_up(
        scored.match.folder,
        scored.callset.root,
        scored.params,
        frequencies=frequencies,
        groups=labels,
        sexes=scored.ploidy.sexes,
    )


def _with_terms(blocks: Iterator[ScoreBlock], added: Added | None, passed: np.ndarray) -> Iterator[ScoreBlock]:
    """Blocks to which the sums and counts of terms are added."""
    of = {} if added is None else {int(score): row for row, score in enumerate(added.scores)}
    for block in blocks:
        for place, number in enumerate(block.scores):
            row = of.get(int(passed[number]))
            if row is not None and added is not None:
                for name in ("sums", "n_alleles", "n_imputed", "n_hom_ref"):
                    getattr(block, name)[place] += getattr(added, name)[row]
        yield block


def _scores(scored: Scored, seen: _Seen) -> pa.Table:
    """A row for each score of the match; means are null for those that did not pass."""
    match = scored.match.scores()
    columns = {name: match.column(name) for name in _FROM_MATCH if name in match.column_names}
    columns["missing"] = pa.array([scored.params.missing] * match.num_rows)
    for place, name in enumerate(_SEEN):
        values: list[float | None] = [None] * match.num_rows
        for row, number in enumerate(scored.passed.tolist()):
            values[number] = float(seen.values[row, place])
        columns[name] = pa.array(values, pa.float64())
    return pa.table(columns)


def _sites(scored: Scored) -> pa.Table:
    """Matched sites: what everybody's genotypes are at each. af: among the called, null where nobody is."""
    counts = np.zeros((scored.sites.num_rows, 4), np.int64)
    for number, own in enumerate(scored.plan.ranges):
        chosen = scored.classes[own.kind][own.start : own.end]
        counts[chosen] = partial_sums.load(scored.folder, "sites", number, 0)
    called, missing, alternate, alleles = counts.T
    af = np.where(alleles > 0, alternate / np.maximum(alleles, 1), np.nan)
    columns = {name: scored.sites.column(name) for name in ("contig", "position", "ref", "alt", "region")}
    numbers = {"n_called": called, "n_missing": missing, "ac": alternate, "an": alleles}
    columns |= {name: pa.array(np.ascontiguousarray(one)) for name, one in numbers.items()}
    return pa.table(columns | {"af": pa.array(af, from_pandas=True)})


def _summary(
    scored: Scored, sites: pa.Table, seen: _Seen, added: Added | None, record: dict[str, Any]
) -> dict[str, Any]:
    missing = sites.column("n_missing").to_numpy()
    sexes, made = scored.ploidy.sexes, scored.callset.commit.provenance
    of_inputs = [one for one in made.get("inputs", []) if one["role"] != "gvcf"]
    return {
        "kind": "prs",
        "callset": {"operation": made.get("operation"), "digest": made.get("digest"), "inputs": of_inputs},
        "build": scored.callset.build,
        "missing": scored.params.missing,
        "n_scores": len(scored.passed),
        "n_scores_not_passed": scored.match.n_scores - len(scored.passed),
        "n_samples": scored.callset.n_samples,
        "n_sites": scored.sites.num_rows,
        "n_sites_with_missing": int((missing > 0).sum()),
        "n_missing_genotypes": int(missing.sum()),
        "n_sites_nobody_called": int((sites.column("n_called").to_numpy() == 0).sum()),
        "n_sites_by_region": {
            region: scored.sites.column("region").to_pylist().count(region)
            for region in sorted(set(scored.sites.column("region").to_pylist()))
        },
        "n_sex_not_stated": scored.ploidy.n_unknown,
        "n_x_not_read": int(scored.ploidy.unread.sum()) if len(scored.classes[1]) else 0,
        "n_male": sexes.count("male"),
        "n_terms_scored": 0 if added is None else sum(added.rows.column("scored").to_pylist()),
        "hom_ref_counted": scored.params.count_hom_ref,
        "plan": {"n_ranges": len(scored.plan.ranges), "n_blocks": len(scored.plan.blocks)},
        "provenance": record,
    }


def _seal(path: Path) -> dict[str, Any]:
    return seal_of(path.read_bytes())
