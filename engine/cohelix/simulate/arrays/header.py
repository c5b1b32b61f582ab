"""The header of an array VCF: the lines that Picard's GtcToVcf writes, in its order."""

from __future__ import annotations

from cohelix.simulate.arrays.design import NAME
from cohelix.simulate.regions import BUILD, contigs

FORMAT = "GT:BAF:IGC:LRR:NORMX:NORMY:R:THETA:X:Y"
GENOTYPES = ("AA", "AB", "BB")

_FILTERS = {
    "DUPE": "Duplicate assays position.",
    "FAIL_REF": "Assay failed to map to reference.",
    "TRIALLELIC": "Tri-allelic assay.",
    "ZEROED_OUT_ASSAY": "Assay Zeroed out (marked as uncallable) in the Illumina Cluster File",
}
_FORMATS = {
    "BAF": ("Float", "B Allele Frequency"),
    "GT": ("String", "Genotype"),
    "IGC": ("Float", "Illumina GenCall Confidence Score"),
    "LRR": ("Float", "Log R Ratio"),
    "NORMX": ("Float", "Normalized X intensity"),
    "NORMY": ("Float", "Normalized Y intensity"),
    "R": ("Float", "Normalized R value"),
    "THETA": ("Float", "Normalized Theta value"),
    "X": ("Integer", "Raw X intensity"),
    "Y": ("Integer", "Raw Y intensity"),
}
_INFOS = {
    "AC": ("A", "Integer", "Allele count in genotypes, for each ALT allele, in the same order as listed"),
    "AF": ("A", "Float", "Allele Frequency, for each ALT allele, in the same order as listed"),
    "ALLELE_A": ("1", "String", "A allele"),
    "ALLELE_B": ("1", "String", "B allele"),
    "AN": ("1", "Integer", "Total number of alleles in called genotypes"),
    "BEADSET_ID": ("1", "Integer", "Bead set ID for normalization"),
    "GC_SCORE": ("1", "Float", "Gentrain Score"),
    "ILLUMINA_BUILD": ("1", "String", "Genome Build in Illumina manifest"),
    "ILLUMINA_CHR": ("1", "String", "Chromosome in Illumina manifest"),
    "ILLUMINA_POS": ("1", "Integer", "Position in Illumina manifest"),
    "ILLUMINA_STRAND": ("1", "String", "Probe strand"),
    **{f"N_{g}": ("1", "Integer", f"Number of {g} calls in training set") for g in GENOTYPES},
    "PROBE_A": ("1", "String", "Probe base pair sequence"),
    "PROBE_B": ("1", "String", "Probe base pair sequence; not missing for strand-ambiguous SNPs"),
    "SOURCE": ("1", "String", "Probe source"),
    **{
        f"{short}{value}_{g}": ("1", "Float", f"{word} of normalized {value} for {g} cluster")
        for short, word in (("dev", "Standard deviation"), ("mean", "Mean"))
        for value in ("R", "THETA", "X", "Y")
        for g in GENOTYPES
    },
    "refSNP": ("1", "String", "dbSNP rsID"),
}


def header(sample_ids: list[str], source: str) -> bytes:
    """All lines to #CHROM. `source`: what wrote the file. There is no date, so that equal cohorts are equal bytes."""
    lines = ["##fileformat=VCFv4.2"]
    lines += [f'##FILTER=<ID={key},Description="{text}">' for key, text in _FILTERS.items()]
    lines += [
        f'##FORMAT=<ID={key},Number=1,Type={kind},Description="{text}">' for key, (kind, text) in _FORMATS.items()
    ]
    lines += [
        f'##INFO=<ID={key},Number={number},Type={kind},Description="{text}">'
        for key, (number, kind, text) in _INFOS.items()
    ]
    lines += [f"##arrayType={NAME}", f"##clusterFile={NAME}.egt"]
    lines += [f"##contig=<ID={contig.name},length={contig.length},assembly={BUILD}>" for contig in contigs()]
    lines += [f"##manifestFile={NAME}.bpm", f"##source={source}"]
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *sample_ids]
    return ("\n".join([*lines, "\t".join(columns)]) + "\n").encode()
