"""Tables and words of a match: its scores, its sites, and why rows do not count."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix import genome
from cohelix.genotypes.callset import Callset
from cohelix.genotypes.outputs import seal_of, write_parquet, write_tsv
from cohelix.prs.matching import codes
from cohelix.prs.matching.counts import Counts
from cohelix.prs.matching.match_folder import KIND
from cohelix.prs.matching.prepared import special_of
from cohelix.prs.matching.target import Target, chromosome_of
from cohelix.prs.matching.variants import PLACE_BITS
from cohelix.prs.schema import REGIONS, MatchParams
from cohelix.prs.scoring_file.records import ScoreHeader

_JOINT_CALL = "joint call"

_STATED = ("id", "name", "trait", "trait_efo", "build", "weight_type", "sha256")


def joined(counts: list[Counts]) -> dict[str, np.ndarray]:
    """Columns of all scores."""
    return {name: np.concatenate([part.columns[name] for part in counts]) for name in counts[0].columns}


def tally(counts: list[Counts]) -> dict[tuple[str, str], int]:
    """Rows by status and reason, over all scores."""
    found: dict[tuple[str, str], int] = {}
    for part in counts:
        for _, status, reason, n in part.reasons:
            found[status, reason] = found.get((status, reason), 0) + n
    return dict(sorted(found.items(), key=lambda item: (codes.STATUSES.index(item[0][0]), -item[1], item[0][1])))


def told(found: dict[tuple[str, str], int]) -> str:
    """The tally in words."""
    return ", ".join(f"{n} {status}" + (f" ({reason})" if reason else "") for (status, reason), n in found.items())


def likely_reason(
    callset: Callset, scores: list[ScoreHeader], wanted: np.ndarray, found: dict[tuple[str, str], int]
) -> str:
    """The way out, by what most rows lack."""
    have = {chromosome_of(shard.contig) for shard in callset.shards} - {0}
    chromosomes = wanted >> PLACE_BITS
    absent, other = found.get(("unmatched", "absent"), 0), found.get(("unmatched", "other_alleles"), 0)
    if len(wanted) and not np.isin(chromosomes, sorted(have)).any():
        return "The callset has none of their chromosomes: check what its contigs are called (1 to 22, X, Y, MT; chr1)."
    if not len(wanted):
        return "No row has a position: take files that are harmonised (PGS Catalog: _hmPOS_), with hm_chr and hm_pos."
    if callset.build == genome.UNKNOWN_BUILD or any(score.build == genome.UNKNOWN_BUILD for score in scores):
        return (
            "The build of the scores or of the callset is not known, and they are likely of two: state genome_build in "
            "the scoring files, and import the callset with --build."
        )
    if absent > other and _lacks_hom_ref(callset):
        return (
            "A joint call has no rows where nobody differs from the reference: score from the call store, which gives "
            "every site of the scores a row (`cohelix prs score CALLS`, or `cohelix joint call --sites`)."
        )
    if absent > other:
        return "The callset lacks the sites: impute it, or take scores of variants that it has."
    return "Look at log-*.parquet of a match with prs.match.when_none_pass = report."


def _lacks_hom_ref(callset: Callset) -> bool:
    """Whether it was made without rows for sites at which nobody differs from the reference."""
    made = callset.commit.provenance
    return made.get("operation") == _JOINT_CALL and not made.get("params", {}).get("only_sites", False)


def write_sites(folder: Path, callset: Callset, target: Target, used: np.ndarray, stated: np.ndarray) -> None:
    """sites.parquet. stated: of each row of the target, the frequency of ALT by the scoring files."""
    alleles = pa.array(target.alleles, pa.string())
    shard = target.shard[used]
    contigs = pa.array([one.contig for one in callset.shards], pa.string())
    table = pa.table(
        {
            "site": np.arange(len(used), dtype=np.int32),
            "shard": shard,
            "row": target.row[used],
            "contig": contigs.take(pa.array(shard)),
            "position": (target.key[used] & ((1 << PLACE_BITS) - 1)).astype(np.int32),
            "ref": alleles.take(pa.array(target.ref[used])),
            "alt": alleles.take(pa.array(target.alt[used])),
            "region": pa.array(REGIONS, pa.string()).take(pa.array(target.region[used])),
            "af": target.af[used],
            "frequency": stated[used],
        }
    )
    write_parquet(folder / "sites.parquet", table)


def write_scores(folder: Path, scores: list[ScoreHeader], counts: list[Counts], params: MatchParams) -> None:
    """scores.parquet: a row for each score; reasons.parquet and .tsv: rows of each by what became of them."""
    columns = joined(counts)
    stated = {name: pa.array([getattr(score, name) for score in scores], pa.string()) for name in _STATED}
    passed = columns["passed"].tolist()
    reason = [_why(columns, row, params) for row in range(len(scores))]
    table = pa.table(
        {"score": np.arange(len(scores), dtype=np.int32)}
        | stated
        | {name: values for name, values in columns.items() if name != "passed"}
        | {"passed": pa.array(passed, pa.bool_()), "reason": pa.array(reason, pa.string())}
    )
    write_parquet(folder / "scores.parquet", table)
    rows, first = [], 0
    for part in counts:
        rows += [(first + score, status, reason_, n) for score, status, reason_, n in part.reasons]
        first += len(part.columns["passed"])
    schema = pa.schema([("score", pa.int32()), ("status", pa.string()), ("reason", pa.string()), ("n", pa.int64())])
    arrays = [pa.array(values, field.type) for values, field in zip(zip(*rows, strict=True), schema, strict=True)]
    write_parquet(folder / "reasons.parquet", pa.table(arrays, schema=schema) if rows else schema.empty_table())
    ids = stated["id"].to_pylist()
    write_tsv(folder / "reasons.tsv", ("id", *schema.names), [(_field(ids[row[0]]), *row) for row in rows])


def _field(text: str) -> str:
    """An id as a field of a TSV: it may hold what parts fields."""
    return " ".join(text.split())


def _why(columns: dict[str, np.ndarray], row: int, params: MatchParams) -> str:
    if columns["passed"][row]:
        return ""
    share = columns["share_matched"][row]
    if share != share:
        return "no_rows"
    return "no_match" if share == 0 else f"share_matched_below_{params.min_overlap:g}"


def write_special(folder: Path, prepared: list[Path], counts: list[Counts]) -> None:
    """special.json: rows of passed scores that name no single variant, and the headers of their scores."""
    rows: list[dict[str, Any]] = []
    headers: dict[str, dict[str, str]] = {}
    first = 0
    for path, part in zip(prepared, counts, strict=True):
        found, of = special_of(path)
        for row in found:
            if part.columns["passed"][row["score"]]:
                number = first + row["score"]
                rows.append(row | {"score": number})
                headers[str(number)] = of[row["score"]].fields
        first += len(of)
    text = json.dumps({"rows": rows, "headers": headers}, indent=1, sort_keys=True)
    (folder / "special.json").write_text(text + "\n", encoding="utf-8")


def summary(
    callset: Callset,
    scores: list[ScoreHeader],
    counts: list[Counts],
    params: MatchParams,
    record: dict[str, Any],
    sizes: dict[str, int],
) -> dict[str, Any]:
    """What match.json holds, without the seals of the files."""
    columns = joined(counts)
    found: dict[str, dict[str, int]] = {}
    for (status, reason), n in tally(counts).items():
        found.setdefault(status, {})[reason or "used"] = n
    return {
        "kind": KIND,
        "build": callset.build,
        "n_scores": len(scores),
        "n_passed": int(columns["passed"].sum()),
        "n_rows": int(columns["n_rows"].sum()),
        "n_special": int(columns["n_special"].sum()),
        **sizes,
        "rows": found,
        "absent": (
            "hom-ref or not called: a joint call has no rows where nobody differs; score from the call store, where "
            "sites of the scores are forced, to tell"
            if _lacks_hom_ref(callset)
            else "not in the callset"
        ),
        "params": asdict(params),
        "provenance": record,
    }


def seals(folder: Path) -> dict[str, Any]:
    return {path.name: seal_of(path.read_bytes()) for path in sorted(folder.iterdir()) if path.is_file()}
