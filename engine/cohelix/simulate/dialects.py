"""Records as GATK (reblocked), DRAGEN and DeepVariant write them, reduced to the fields that a joint call reads."""

from __future__ import annotations

from dataclasses import dataclass

from cohelix.genome import Contig
from cohelix.simulate.blocks import Blocks
from cohelix.simulate.evidence import Evidence
from cohelix.simulate.sequence import Reference

FORMAT = {
    "GT": ("1", "String", "Genotype"),
    "AD": ("R", "Integer", "Reads of each allele"),
    "AF": ("A", "Float", "Share of reads of each alternate allele"),
    "DP": ("1", "Integer", "Read depth"),
    "GQ": ("1", "Integer", "Genotype quality"),
    "MIN_DP": ("1", "Integer", "Lowest depth in the block"),
    "PL": ("G", "Integer", "Phred-scaled genotype likelihoods"),
    "SB": ("4", "Integer", "Reference forward, reverse, other forward, reverse reads"),
    "VAF": ("A", "Float", "Share of reads of each alternate allele"),
}
INFO = {
    "END": ("1", "Integer", "Last position of the block"),
    "DP": ("1", "Integer", "Read depth"),
    "QUALapprox": ("1", "Integer", "Likelihood of hom-ref"),
    "MQ": ("1", "Float", "Root mean square mapping quality"),
}


@dataclass(frozen=True)
class Dialect:
    """How a caller writes: its symbolic allele, largest GQ, whether it writes `*`, FORMAT of both kinds of record."""

    name: str
    symbol: str
    max_quality: int
    star: bool
    variant_format: str
    block_format: str
    passed: str  # FILTER of a variant
    info: str  # INFO of a variant


_GATK_INFO, _DRAGEN_INFO = "DP={dp};MQ=60.00;QUALapprox={qual}", "DP={dp};MQ=60.00"
DIALECTS = {
    dialect.name: dialect
    for dialect in (
        Dialect("gatk", "<NON_REF>", 99, True, "GT:AD:DP:GQ:PL:SB", "GT:DP:GQ:MIN_DP", ".", _GATK_INFO),
        Dialect("dragen", "<NON_REF>", 99, True, "GT:AD:AF:DP:GQ:PL:SB", "GT:AD:DP:GQ:MIN_DP:PL", "PASS", _DRAGEN_INFO),
        Dialect("deepvariant", "<*>", 60, False, "GT:GQ:DP:AD:VAF:PL", "GT:GQ:MIN_DP:PL", "PASS", "."),
    )
}


def header(dialect: Dialect, contigs: list[Contig], sample_id: str, source: str) -> str:
    """All header lines, ending with a newline."""
    used = [key for key in FORMAT if key in f"{dialect.variant_format}:{dialect.block_format}".split(":")]
    lines = [
        "##fileformat=VCFv4.2",
        f"##source={source}",
        f'##ALT=<ID={dialect.symbol.strip("<>")},Description="Any other allele">',
        '##FILTER=<ID=PASS,Description="All filters passed">',
        *(meta("INFO", key, *INFO[key]) for key in INFO),
        *(meta("FORMAT", key, *FORMAT[key]) for key in used),
        *(f"##contig=<ID={contig.name},length={contig.length}>" for contig in contigs),
        f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{sample_id}",
    ]
    return "\n".join(lines) + "\n"


def block_lines(dialect: Dialect, reference: Reference, blocks: Blocks) -> list[str]:
    """One line (without newline) for each block."""
    name, symbol, keys, begin = reference.contig.name, dialect.symbol, dialect.block_format, reference.start
    bases, write = reference.bases, _BLOCK_VALUES[dialect.name]
    genotype = [
        (("0" if called else ".") if copies == 1 else ("0/0" if called else "./."))
        for copies, called in zip(blocks.ploidy.tolist(), blocks.called.tolist(), strict=True)
    ]
    columns = (blocks.start, blocks.end, blocks.quality, blocks.depth, blocks.min_depth)
    rows = zip(*(column.tolist() for column in columns), genotype, strict=True)
    return [
        f"{name}\t{begin + start + 1}\t.\t{bases[start]}\t{symbol}\t.\t.\tEND={begin + end}\t{keys}\t"
        f"{write(gt, q, dp, low)}"
        for start, end, q, dp, low, gt in rows
    ]


def variant_lines(
    dialect: Dialect,
    contig: str,
    sites: list[tuple[int, str, list[str]]],
    calls: list[str],
    evidence: Evidence,
) -> list[str]:
    """One line (without newline) for each of n calls: `sites` (position, ref, alts), `calls` the GT text."""
    write = _VARIANT_VALUES[dialect.name]
    columns = (evidence.depth, evidence.allele_depth, evidence.likelihood, evidence.quality, evidence.strands)
    rows = zip(sites, calls, *(column.tolist() for column in columns), strict=True)
    lines = []
    for (position, ref, alts), gt, dp, ad, pl, gq, sb in rows:
        lines.append(
            f"{contig}\t{position}\t.\t{ref}\t{','.join(alts)},{dialect.symbol}\t{pl[0]}\t{dialect.passed}\t"
            f"{dialect.info.format(dp=dp, qual=pl[0])}\t{dialect.variant_format}\t{write(gt, dp, ad, pl, gq, sb)}"
        )
    return lines


def meta(kind: str, key: str, number: str, of_type: str, text: str) -> str:
    """A header line that declares an INFO or FORMAT field."""
    return f'##{kind}=<ID={key},Number={number},Type={of_type},Description="{text}">'


def _block_pl(gt: str, quality: int) -> str:
    """Likelihoods that agree with the quality: het is the second best, and the other homozygote far behind."""
    return f"0,{quality}" if "/" not in gt else f"0,{quality},{10 * quality}"


def _joined(values: list[int]) -> str:
    return ",".join(map(str, values))


def _shares(allele_depth: list[int], depth: int) -> str:
    return ",".join(f"{reads / depth:.3f}" for reads in allele_depth[1:])


def _gatk_block(gt: str, gq: int, dp: int, low: int) -> str:
    return f"{gt}:{dp}:{gq}:{low}"


def _dragen_block(gt: str, gq: int, dp: int, low: int) -> str:
    return f"{gt}:{dp},0:{dp}:{gq}:{low}:{_block_pl(gt, gq)}"


def _deepvariant_block(gt: str, gq: int, dp: int, low: int) -> str:
    return f"{gt}:{gq}:{low}:{_block_pl(gt, gq)}"


def _gatk_variant(gt: str, dp: int, ad: list[int], pl: list[int], gq: int, sb: list[int]) -> str:
    return f"{gt}:{_joined(ad)}:{dp}:{gq}:{_joined(pl)}:{_joined(sb)}"


def _dragen_variant(gt: str, dp: int, ad: list[int], pl: list[int], gq: int, sb: list[int]) -> str:
    return f"{gt}:{_joined(ad)}:{_shares(ad, dp)}:{dp}:{gq}:{_joined(pl)}:{_joined(sb)}"


def _deepvariant_variant(gt: str, dp: int, ad: list[int], pl: list[int], gq: int, sb: list[int]) -> str:
    return f"{gt}:{gq}:{dp}:{_joined(ad)}:{_shares(ad, dp)}:{_joined(pl)}"


_BLOCK_VALUES = {"gatk": _gatk_block, "dragen": _dragen_block, "deepvariant": _deepvariant_block}
_VARIANT_VALUES = {"gatk": _gatk_variant, "dragen": _dragen_variant, "deepvariant": _deepvariant_variant}
