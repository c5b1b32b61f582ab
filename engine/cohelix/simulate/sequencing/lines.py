"""Records as reblocked GATK and DRAGEN write them, with every field declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cohelix.genome import Contig
from cohelix.simulate import dialects
from cohelix.simulate.evidence import genotypes
from cohelix.simulate.population import trim
from cohelix.simulate.sequencing.calling import STAR, Group
from cohelix.simulate.sequencing.candidates import Candidates
from cohelix.simulate.sequencing.stretches import BANDS, Blocks

MOST_QUALITY = 99
HARD_QUALITY = 10  # DRAGEN: variants of a lower QUAL than 10.41 do not pass
_INFO = dialects.INFO | {
    "RAW_MQandDP": ("2", "Integer", "Sum of squared mapping qualities, and depth"),
    "VarDP": ("1", "Integer", "Depth over variant genotypes"),
}
_FILTERS = {
    "gatk": {"LowQual": "Low quality"},
    "dragen": {"DRAGENHardQUAL": "QUAL below 10.41", "LowGQ": "Genotype quality 0"},
}
_USED = {
    "gatk": ("GT", "AD", "DP", "GQ", "MIN_DP", "PL", "SB"),
    "dragen": ("GT", "AD", "AF", "DP", "GQ", "MIN_DP", "PL", "SB"),
}
_INFO_USED = {
    "gatk": ("END", "DP", "MQ", "QUALapprox", "RAW_MQandDP", "VarDP"),
    "dragen": ("END", "DP", "MQ"),
}


@dataclass(frozen=True)
class Where:
    """Of R regions: contig; shift (R,): position less place; begin (R,): first place. bases: of all, by place."""

    contig: list[str]
    shift: np.ndarray
    begin: np.ndarray
    bases: str

    def region(self, places: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.begin, places, side="right") - 1


def header(dialect: str, contigs: Sequence[Contig], sample_id: str, source: str) -> str:
    """All header lines, ending with a newline."""
    lines = [
        "##fileformat=VCFv4.2",
        f"##source={source}",
        '##ALT=<ID=NON_REF,Description="Any other allele">',
        '##FILTER=<ID=PASS,Description="All filters passed">',
        *(f'##FILTER=<ID={key},Description="{text}">' for key, text in _FILTERS[dialect].items()),
        *(dialects.meta("INFO", key, *_INFO[key]) for key in _INFO_USED[dialect]),
        *(dialects.meta("FORMAT", key, *dialects.FORMAT[key]) for key in _USED[dialect]),
        *(f"##contig=<ID={contig.name},length={contig.length}>" for contig in contigs),
        f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{sample_id}",
    ]
    return "\n".join(lines) + "\n"


def written_quality(dialect: str, quality: np.ndarray) -> np.ndarray:
    """GQ of blocks as the dialect writes it: reblocked GATK the lower end of the band."""
    return BANDS[np.searchsorted(BANDS, quality, side="right") - 1] if dialect == "gatk" else quality


def block_lines(dialect: str, where: Where, blocks: Blocks) -> list[str]:
    """One line (without newline) for each block."""
    region = where.region(blocks.start)
    shift = where.shift[region]
    names = [where.contig[r] for r in region.tolist()]
    text = np.array([["./.", "."], ["0/0", "0"]], object)[blocks.called.astype(int), (blocks.ploidy == 1).astype(int)]
    quality = written_quality(dialect, blocks.quality)
    columns = (
        blocks.start,
        blocks.start + shift,
        blocks.end + shift - 1,
        quality,
        blocks.depth,
        blocks.min_depth,
        text,
    )
    rows = zip(names, *(column.tolist() for column in columns), strict=True)
    bases = where.bases
    if dialect == "gatk":
        return [
            f"{name}\t{position}\t.\t{bases[start]}\t<NON_REF>\t.\t.\tEND={end}\tGT:DP:GQ:MIN_DP\t{gt}:{dp}:{gq}:{low}"
            for name, start, position, end, gq, dp, low, gt in rows
        ]
    two = [f"0,{q},{15 * q}" for q in range(MOST_QUALITY + 1)]
    one = [f"0,{q}" for q in range(MOST_QUALITY + 1)]
    return [
        f"{name}\t{position}\t.\t{bases[start]}\t<NON_REF>\t.\tPASS\tEND={end}\tGT:AD:DP:GQ:MIN_DP:PL\t"
        f"{gt}:{dp},0:{dp}:{gq}:{low}:{(two if '/' in gt else one)[gq]}"
        for name, start, position, end, gq, dp, low, gt in rows
    ]


def record_alleles(sites: Candidates, row: int, columns: tuple[int, ...]) -> tuple[str, list[str]]:
    """(ref, alts) of a record that lists `columns`, trimmed, `*` last."""
    alts = sites.alts[row]
    ref, named = trim(sites.ref[row], [alts[column - 1] for column in columns if 0 < column < STAR])
    return ref, [*named, "*"] if STAR in columns else named


def record_lines(
    dialect: str,
    where: Where,
    sites: Candidates,
    group: Group,
    alleles: list[tuple[str, list[str]]],
    rng: np.random.Generator,
) -> list[str]:
    """One line (without newline) for each site of `group`, whose `rows` are those of `sites`."""
    rows = group.rows
    known = genotypes(len(group.columns) + 1, group.ploidy)
    texts = ["/".join(map(str, genotype)) for genotype in known]
    quality = np.minimum(np.partition(group.likelihood, 1, axis=1)[:, 1], MOST_QUALITY)
    reference, depth = group.counts[:, 0], group.counts.sum(axis=1)
    other = depth - reference
    forward, others_forward = rng.binomial(reference, 0.5), rng.binomial(other, sites.forward[rows])
    strands = np.stack([forward, reference - forward, others_forward, other - others_forward], axis=1)
    place = sites.place[rows]
    region = where.region(place)
    columns = (place + where.shift[region], group.genotype, depth, group.counts, group.likelihood, quality, strands)
    names = [where.contig[r] for r in region.tolist()]
    values = zip(names, alleles, sites.mapping[rows].tolist(), *(column.tolist() for column in columns), strict=True)
    write = _gatk if dialect == "gatk" else _dragen
    return [
        write(name, position, ref, ",".join(alts), mq, texts[gt], dp, ad, pl, gq, sb)
        for name, (ref, alts), mq, position, gt, dp, ad, pl, gq, sb in values
    ]


def _gatk(
    name: str, position: int, ref: str, alts: str, mq: int, gt: str, dp: int, ad: list[int], pl: list[int], gq: int,
    sb: list[int],
) -> str:  # fmt: skip
    return (
        f"{name}\t{position}\t.\t{ref}\t{alts},<NON_REF>\t{pl[0]}\t.\tDP={dp};MQ={mq // 100}.{mq % 100:02d};"
        f"QUALapprox={pl[0]};RAW_MQandDP={mq * mq * dp // 10_000},{dp};VarDP={dp}\tGT:AD:DP:GQ:PL:SB\t"
        f"{gt}:{_joined(ad)}:{dp}:{gq}:{_joined(pl)}:{_joined(sb)}"
    )


def _dragen(
    name: str, position: int, ref: str, alts: str, mq: int, gt: str, dp: int, ad: list[int], pl: list[int], gq: int,
    sb: list[int],
) -> str:  # fmt: skip
    verdict = "PASS" if pl[0] > HARD_QUALITY else "DRAGENHardQUAL"
    if gq == 0:
        verdict = "LowGQ" if pl[0] > HARD_QUALITY else "DRAGENHardQUAL;LowGQ"
    shares = ",".join([f"{reads / dp:.3f}" for reads in ad[1:]])
    return (
        f"{name}\t{position}\t.\t{ref}\t{alts},<NON_REF>\t{pl[0]}.00\t{verdict}\tDP={dp};"
        f"MQ={mq // 100}.{mq % 100:02d}\tGT:AD:AF:DP:GQ:PL:SB\t{gt}:"
        f"{_joined(ad)}:{shares}:{dp}:{gq}:{_joined(pl)}:{_joined(sb)}"
    )


def _joined(values: list[int]) -> str:
    return ",".join(map(str, values))
