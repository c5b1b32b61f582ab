"""Why a sample has the genotype it has:

its input records over a locus, and the rule that each row's genotype came from.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from cohelix import genome
from cohelix.dataset import Writer
from cohelix.errors import InputError
from cohelix.joint import call, store
from cohelix.joint.batch import Batch
from cohelix.joint.genotype import kernels as g
from cohelix.joint.schema import REASONS, CallParams

RULES = {
    "called": "called from the sample's records",
    "no_data": "no record of the sample touches the site",
    "partial": "records cover some of the reference bases of the site, not all",
    "no_call": "the gVCF itself makes no call there (./.)",
    "gq0": 'genotype quality 0 is no evidence (joint.gq0 = "nocall")',
    "low_depth": "fewer reads than joint.min_allele_depth",
    "deletion": "a deletion that the sample carries covers the site (*)",
    "half_call": "one of the two copies is not called",
    "ploidy": "not the number of copies that region and sex allow",
    "overlap": "the sample's records state more alternate copies over one base than it has chromosomes",
    "lost_allele": "the sample carries an allele that the callset has no row for",
    "filtered": "fails the genotype filter (joint.genotype_filter)",
}


def explain(calls: str, sample_id: str, locus: str, params: CallParams, *, fasta: str | None = None) -> str:
    """Text for a person: input records that overlap `locus` (`chr22:100` or `chr22:100-200`), then each row and its
    rule.
    """
    opened = store.open_store(calls)
    contigs = opened.contigs()
    number, start, end = genome.parse_region(locus, contigs)
    samples = opened.samples()
    ids = samples["sample_id"].to_pylist()
    if sample_id not in ids:
        raise InputError("that sample is not in the call store. Check the id (cohelix prints none).")
    sample = samples.slice(ids.index(sample_id), 1).to_pylist()[0]
    if end - start > opened.bin_bp:
        raise InputError(f"expected a locus of at most {opened.bin_bp:,} bases, found {end - start:,}. Ask for less.")
    lines = [f"{locus} of build {opened.build}, a sample of sex {sample['sex']}", "", "input records"]
    lines += _records(opened, sample, contigs[number].name, start, end) or ["  none"]
    lines += ["", f"rows under gq0={params.gq0}, partial={params.partial}, genotype_filter={params.genotype_filter}"]
    lines += _rows(opened, sample, number, start, end, params, fasta) or [
        "  nobody in the store carries an alternate allele here"
    ]
    return "\n".join(lines)


def _records(opened: store.CallStore, sample: dict[str, Any], contig: str, start: int, end: int) -> list[str]:
    found: list[tuple[int, str]] = []
    entries = {entry.path: entry for entry in opened.commit.files}
    for at in range(start // opened.bin_bp, (end - 1) // opened.bin_bp + 1):
        for part in opened.parts().get((contig, at * opened.bin_bp), []):
            if part.batch != sample["batch"]:
                continue
            for path, describe in ((part.blocks, _block_line), (part.variants, _variant_line)):
                table = store.read_table(opened.root, entries[path])
                table = table.filter(store.column(store.values(table, "sample") == sample["sample"]))
                for row in table.to_pylist():
                    if (
                        row["start"] < end
                        and row["end"] > start
                        and not (row["margin"] and row["start"] >= (at + 1) * opened.bin_bp)
                    ):
                        found.append((row["start"], describe(contig, row)))
    return [line for _, line in sorted(set(found))]


def _number(value: int) -> str:
    return "." if value < 0 else str(value)


def _block_line(contig: str, row: dict[str, Any]) -> str:
    said = {2: "reference 0/0", 1: "reference 0", 0: "no call ./."}[row["state"]]
    return f"  {contig}:{row['start'] + 1}-{row['end']}  {said}  GQ {_number(row['gq'])}  DP {_number(row['dp'])}"


def _variant_line(contig: str, row: dict[str, Any]) -> str:
    alleles = [row["allele1"]] if row["allele2"] == -2 else [row["allele1"], row["allele2"]]
    genotype = ("|" if row["phased"] else "/").join(map(_number, alleles))
    ad, pl = (",".join(map(_number, row[name])) or "." for name in ("ad", "pl"))
    return (
        f"  {contig}:{row['start'] + 1}  {row['ref']}>{row['alts']}  GT {genotype}  GQ {_number(row['gq'])}  "
        f"DP {_number(row['dp'])}  AD {ad}  PL {pl}  FILTER {row['filters']}"
    )


def _rows(
    opened: store.CallStore,
    sample: dict[str, Any],
    number: int,
    start: int,
    end: int,
    params: CallParams,
    fasta: str | None,
) -> list[str]:
    contigs = opened.contigs()
    cohort = call.cohort_of(opened.samples())
    lines = []
    tasks = call.plan(
        Writer(opened.root, "none", "explain"),
        opened,
        contigs,
        params,
        {},
        False,
        fasta,
        (number, start, end),
        lambda: cohort,
    )
    for task in tasks:
        batches = [Batch(numbers, columns, *task.parts.get(b, (None, None))) for b, numbers, columns in cohort.batches]
        rows, align, _ = call.collect_rows(task, call.Held(task, batches))
        if not rows:
            continue
        place = next(at for at, (b, _, _) in enumerate(cohort.batches) if b == sample["batch"])
        alone = replace(batches[place], numbers=np.array([sample["sample"]]), columns=np.array([0]))
        one = call.Cohort([""], [str(sample["sex"])], (), [""], [str(sample["sex"])])
        with TemporaryDirectory(prefix="cohelix-") as folder:
            made = call.genotype(task, one, call.Held(task, [alone]), rows, align, Path(folder))
        partial = {int(row): (first, second) for row, _, first, second, _ in made.partial[0]}
        for i, row in enumerate(rows):
            cell = int(made.cells[0][1][i, 0])
            lines.append(f"  {task.bin.contig}:{row.position + 1}:{row.ref}:{row.alt}  {_said(cell, partial.get(i))}")
    return lines


def _said(cell: int, partial: tuple[int, int] | None) -> str:
    if cell >= 0:
        genotype = {0: "0/0", 1: "0/1", 2: "1/1", g.HAPLOID_REF: "0", g.HAPLOID_ALT: "1"}[cell % g.FAILS_ADJ]
        return f"{genotype}  {RULES['called']}"
    known = "/".join("01*."[copy] for copy in partial) if partial else "./."
    reason = REASONS[-cell]
    return f"{known}  {reason}: {RULES[reason]}"
