"""The VCF of a batch of chips, as Picard's CombineGenotypingArrayVcfs leaves it: a row a marker, a column a sample."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from cohelix.simulate.arrays import clusters, kernels
from cohelix.simulate.arrays.chips import Shown, show
from cohelix.simulate.arrays.design import BUILD, SOURCE, ArrayDesign, Stated
from cohelix.simulate.arrays.header import FORMAT, GENOTYPES, header
from cohelix.simulate.arrays.manifest import bead_sets
from cohelix.simulate.arrays.samples import ArraySample, draw_swaps
from cohelix.simulate.arrays.truth import BatchTruth, wrong_calls
from cohelix.simulate.bgzf import END_OF_FILE, LARGEST_INPUT, compress
from cohelix.simulate.schema import ArrayParams

_LEVEL = 1  # of compression: on digits half the time of level 4, and 6 % more bytes


def write_batch(
    path: Path, design: ArrayDesign, samples: list[ArraySample], alleles: np.ndarray, params: ArrayParams, seed: int, *,
    source: str,
) -> BatchTruth:  # fmt: skip
    """Write the chips of one whole batch to `path` (BGZF), with `.tbi` beside it; what is true of them.

    alleles (n, M, K) int8, K at least 1: copies of the genome really on each chip; 0 reference, 1 alternate, anything
    else no copy (of Y in a woman) or one that a deletion took. Calls are diploid, as GenTrain makes them: where there
    is one copy, or all copies are alike, homozygous. A man's X shows in R and LRR, not in GT.

    A marker on the wrong strand has the complements of its alleles. Where neither is the reference base both are
    alternates, with TRIALLELIC in FILTER; a palindromic one shows the other allele, and nothing tells.
    Raises ContractError for alleles of another shape.
    """
    import pysam

    columns: list[dict[str, np.ndarray]] = []
    indices = [sample.index for sample in samples]
    waiting = header([sample.sample_id for sample in samples], source)
    with path.open("wb") as handle:
        for shown in show(design, samples, alleles, params, seed):
            columns.append(wrong_calls(design, shown, indices))
            waiting += _lines(design, shown)
            whole = len(waiting) // LARGEST_INPUT * LARGEST_INPUT
            handle.write(compress(waiting[:whole], _LEVEL))
            waiting = waiting[whole:]
        handle.write(compress(waiting, _LEVEL) + END_OF_FILE)
    pysam.tabix_index(str(path), preset="vcf", force=True)
    swaps = draw_swaps(params, seed, samples[0].batch, len(samples)) if samples else np.zeros(0, np.int64)
    of_samples = {
        "sample": indices,
        "sample_id": [sample.sample_id for sample in samples],
        "batch": [sample.batch for sample in samples],
        "failed": [sample.failed for sample in samples],
        "call_rate": [sample.call_rate for sample in samples],
        "contamination": [sample.contamination for sample in samples],
        "swapped_with": [indices[other] if other != k else -1 for k, other in enumerate(swaps.tolist())],
    }
    calls = {name: np.concatenate([part[name] for part in columns]) for name in columns[0]}
    order = np.lexsort((calls["marker"], calls["sample"]))
    return BatchTruth(of_samples, {name: values[order] for name, values in calls.items()})


def _lines(design: ArrayDesign, shown: Shown) -> bytes:
    m, n = shown.calls.shape
    rows = slice(shown.first, shown.first + m)
    stated = design.stated[rows]
    heads = _heads(_fixed(design)[rows], stated, shown.calls)
    ends = np.cumsum([len(head) for head in heads])
    text = np.frombuffer(b"".join(heads), np.uint8)
    genotypes = np.frombuffer("".join(_genotypes(row) for row in stated).encode(), np.uint8).reshape(m, 4, 3)
    out = np.empty(text.size + m * (n * kernels.LONGEST_CALL + 1), np.uint8)
    size = kernels.write_rows(text, ends, genotypes, shown.calls, shown.values, out)
    return out[:size].tobytes()


def _genotypes(row: Stated) -> str:
    """Text of no call, AA, AB and BB; Picard writes the code of A first, even if it is the higher."""
    a, b = row.codes
    return f"./.{a}/{a}{a}/{b}{b}/{b}"


def _heads(fixed: list[tuple[str, str, str]], stated: list[Stated], calls: np.ndarray) -> list[bytes]:
    """Everything before the first sample, of each marker: the counts are those of the batch."""
    counts = np.stack([(calls == genotype).sum(axis=1) for genotype in range(3)], axis=1)
    of_a, of_b = (counts @ [2, 1, 0]).tolist(), (counts @ [0, 1, 2]).tolist()
    heads = []
    for (head, alleles, tail), row, a, b in zip(fixed, stated, of_a, of_b, strict=True):
        held = {row.codes[0]: a, row.codes[1]: b}
        alternates = [held[code] for code in range(1, len(row.alts) + 1)]
        shares = ",".join(_frequency(count / (a + b) if a + b else 0.0) for count in alternates)
        count = ",".join(str(count) for count in alternates)
        heads.append(f"{head}AC={count};AF={shares};{alleles};AN={a + b};{tail}".encode())
    return heads


def _frequency(value: float) -> str:
    """As htsjdk writes AF: three decimals below 1, then two; exponents below 0.01."""
    if value >= 1:
        return f"{value:.2f}"
    if value >= 0.01:
        return f"{value:.3f}"
    return f"{value:.3e}" if value > 0 else "0.00"


@lru_cache(maxsize=1)
def _fixed(design: ArrayDesign) -> list[tuple[str, str, str]]:
    """What a row has in every batch: CHROM to FILTER; alleles; the rest of INFO, and FORMAT."""
    m, found = design.markers, design.clusters
    mean_x, mean_y, dev_x, dev_y = clusters.x_and_y(found)
    numbers = {
        "devR": found.dev_r, "devTHETA": found.dev_theta, "devX": dev_x, "devY": dev_y,
        "meanR": found.r, "meanTHETA": found.theta, "meanX": mean_x, "meanY": mean_y,
    }  # fmt: skip
    keys = [f"{name}_{g}" for name in numbers for g in GENOTYPES]
    values = np.concatenate(list(numbers.values()), axis=1).round(3).tolist()
    sets = bead_sets(design)
    rows = []
    for k, (row, assay) in enumerate(zip(design.stated, design.assays, strict=True)):
        ref = str(m.ref[k])
        flags = (("DUPE", m.duplicate[k]), ("TRIALLELIC", len(row.alts) > 1), ("ZEROED_OUT_ASSAY", m.zeroed[k]))
        filters = ";".join(name for name, holds in flags if holds) or "."
        head = f"{m.contig[k]}\t{m.position[k]}\t{design.names[k]}\t{ref}\t{','.join(row.alts)}\t.\t{filters}\t"
        a, b = (allele + "*" * (allele == ref) for allele in (row.a, row.b))
        n = "".join(f"N_{g}={count};" for g, count in zip(GENOTYPES, found.n[k].tolist(), strict=True))
        measured = ";".join(f"{key}={value:g}" for key, value in zip(keys, values[k], strict=True))
        tail = (
            f"BEADSET_ID={sets[k]};GC_SCORE={round(float(found.score[k]), 3):g};ILLUMINA_BUILD={BUILD};"
            f"ILLUMINA_CHR={design.chromosomes[k]};ILLUMINA_POS={design.map_positions[k]};ILLUMINA_STRAND={assay.strand};{n}"
            f"PROBE_A={assay.probe_a};PROBE_B={assay.probe_b or '.'};SOURCE={SOURCE};{measured}\t{FORMAT}"
        )
        rows.append((head, f"ALLELE_A={a};ALLELE_B={b}", tail))
    return rows
