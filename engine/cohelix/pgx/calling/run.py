"""The folder of calls: blocks of people one beside the other, and what was seen of all of them together."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix import dataset, storage
from cohelix.errors import ConfigError, InputError
from cohelix.genotypes.outputs import new_folder, seal_of, write_tsv
from cohelix.pgx.calling.block import Found, Task, Work, run_block
from cohelix.pgx.calling.listing import write_patterns
from cohelix.pgx.calling.seen import COUNTS
from cohelix.pgx.definition import Gene
from cohelix.pgx.extraction.run import Extracted, extract
from cohelix.pgx.outside import OutsideCalls
from cohelix.pgx.schema import STATUSES, CallParams
from cohelix.provenance import provenance
from cohelix.runtime.protocol import Runtime

KIND = "pgx_calls"
ASIDE = "_pgx"
"""Folder of what is not a row of a person: a name that readers of tables pass over."""


def call(
    target: str,
    out: str,
    work: Path,
    genes: dict[str, Gene],
    params: CallParams,
    runtime: Runtime,
    *,
    outside: OutsideCalls | None = None,
    sexes: str | None = None,
    further: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """Write the folder `out`; parts lie in `work` meanwhile, and what is there of the same inputs is taken as it is.

    target: as `extract`. genes: by symbol; those that other programs alone call have rows where `outside` has calls.
    further: (role, sha256) of inputs beside the target. Returns what pgx.json holds. Raises ConfigError where no gene
    is left to call.
    """
    matched = {
        symbol: gene
        for symbol, gene in genes.items()
        if gene.method != "outside" and not (symbol == "CYP2D6" and params.cyp2d6 == "off")
    }
    elsewhere = {symbol for symbol in genes if outside is not None and symbol in outside.genes}
    named = {symbol: genes[symbol] for symbol in sorted(matched.keys() | elsewhere)}
    if not named:
        raise ConfigError(
            f"expected a gene that is called from genotypes, found only {', '.join(sorted(genes))}, which other "
            "programs call. Give their calls by --outside, or name further genes in pgx.call.genes."
        )
    extracted = extract(target, matched, work / "genotypes", params, runtime, sexes=sexes)
    record = provenance("pgx call", params, [*extracted.digests, *further])
    strangers = _strangers(extracted, outside, named)
    parts = _begin(work / "parts", record["digest"])
    shared = runtime.share(Work(extracted, named, frozenset(matched), outside, params, parts))
    size = params.block_people
    tasks = [
        Task(shared, number, first, min(first + size, extracted.n))
        for number, first in enumerate(range(0, extracted.n, size))
    ]
    found = list(runtime.map(run_block, tasks, label="star alleles"))
    with new_folder(out) as folder:
        return _write(folder, parts, found, named, extracted, strangers, record)


def _begin(parts: Path, digest: str) -> Path:
    """The folder of parts; what is there of other inputs or choices is removed."""
    said = parts / "made-of.json"
    if not (said.is_file() and json.loads(said.read_bytes()) == {"of": digest}):
        shutil.rmtree(parts, ignore_errors=True)
        parts.mkdir(parents=True)
        storage.write(str(said), dataset.canonical_json({"of": digest}))
    return parts


def _strangers(extracted: Extracted, outside: OutsideCalls | None, genes: dict[str, Gene]) -> dict[str, Any]:
    """How many calls of other programs there are of these genes, how many of nobody here; and those of other genes.

    Raises InputError where all of them are: ids that mean the same are written in two ways.
    """
    if outside is None:
        return {"calls": 0, "of_other_people": 0, "of_other_genes": {}}
    import pyarrow.compute as pc

    known = extracted.samples()
    calls = strange = 0
    for symbol in genes:
        own = outside.of(symbol)
        if own is not None and len(own.sample_ids):
            calls += len(own.sample_ids)
            strange += pc.sum(pc.is_null(pc.index_in(pa.array(own.sample_ids, known.type), known))).as_py()
    if calls and calls == strange:
        raise InputError(
            f"expected calls of other programs of the people who are called here, found {calls} calls and all of other "
            "people. Do both write the samples' ids in the same way?"
        )
    return {"calls": calls, "of_other_people": strange, "of_other_genes": outside.skipped}


def _write(
    folder: Path, parts: Path, found: Sequence[Found], genes: dict[str, Gene], extracted: Extracted,
    strangers: dict[str, Any], record: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    aside = folder / ASIDE
    aside.mkdir()
    seals = {}
    for one in found:
        _link(parts / one.part, folder / one.part)
        seals[one.part] = {"bytes": one.bytes, "sha256": one.sha256}
    statuses = {
        symbol: {status: number for status in STATUSES if (number := _sum(found, symbol, status))} for symbol in genes
    }
    distinct = write_patterns(aside / "patterns.parquet", [parts / one.patterns for one in found], list(genes))
    rows = [[symbol, status, number] for symbol, own in statuses.items() for status, number in own.items()]
    write_tsv(aside / "summary.tsv", ["gene", "status", "n_people"], rows)
    write_tsv(
        aside / "positions.tsv", ["gene", "contig", "position", "rsid", *COUNTS], _positions(found, genes)
    )  # fmt: skip
    for name in ("patterns.parquet", "summary.tsv", "positions.tsv"):
        seals[f"{ASIDE}/{name}"] = seal_of((aside / name).read_bytes())
    told: dict[str, dict[str, Any]] = {
        symbol: {
            "definition": f"{gene.source}/{gene.version}",
            "n_positions": len(gene.positions),
            "n_alleles": len(gene.alleles),
            "n_patterns": distinct.get(symbol, 0),
            "n_rows": sum(statuses[symbol].values()),
        }
        for symbol, gene in genes.items()
    }
    summary = {
        "kind": KIND,
        "reference": record["params"]["reference"],
        "genes": told,
        "n_people": extracted.n,
        "n_rows": sum(one["n_rows"] for one in told.values()),
        "statuses": statuses,
        "extraction": extracted.report,
        "outside": strangers,
        "files": seals,
        "params": record["params"],
        "provenance": record,
    }
    (aside / "pgx.json").write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return summary


def _link(source: Path, to: Path) -> None:
    """The same file under a second name, so that the work is whole until the folder is; a copy where that cannot be."""
    try:
        os.link(source, to)
    except OSError:
        shutil.copyfile(source, to)


def _sum(found: Sequence[Found], symbol: str, status: str) -> int:
    return sum(one.statuses.get(symbol, {}).get(status, 0) for one in found)


def _positions(found: Sequence[Found], genes: dict[str, Gene]) -> list[list[object]]:
    lines: list[list[object]] = []
    for symbol, gene in genes.items():
        counted = [np.array(one.positions[symbol], np.int64) for one in found if symbol in one.positions]
        if counted:
            total = np.sum(counted, axis=0).tolist()
            for place, numbers in zip((*gene.positions, *gene.extra), total, strict=True):
                lines.append([symbol, place.contig, place.position, place.rsid, *numbers])
    return lines
