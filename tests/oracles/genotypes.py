"""Plain definitions for the genotypes package: one genotype at a time, no arrays tricks, no speed."""

from __future__ import annotations

import numpy as np


def copies_of(build: str, contig: str, position: int, sex: str) -> int:
    """Copies of a site, written out for GRCh38 and GRCh37 X, Y, MT and an autosome."""
    par_x = {
        "GRCh38": [(10_001, 2_781_479), (155_701_383, 156_030_895)],
        "GRCh37": [(60_001, 2_699_520), (154_931_044, 155_260_560)],
    }
    par_y = {
        "GRCh38": [(10_001, 2_781_479), (56_887_903, 57_217_415)],
        "GRCh37": [(10_001, 2_649_520), (59_034_050, 59_363_566)],
    }
    name = contig.removeprefix("chr")
    if name in ("M", "MT"):
        return 1
    if name == "X":
        inside = any(low <= position <= high for low, high in par_x.get(build, []))
        return 1 if sex == "male" and not inside else 2
    if name == "Y":
        inside = any(low <= position <= high for low, high in par_y.get(build, []))
        if sex == "female":
            return 0
        return 2 if sex == "male" and inside else 1
    return 2


def counts(genotypes: list[int], copies: list[int]) -> dict[str, int]:
    """Counts over genotypes 0, 1, 2, -9 with their copies 0, 1, 2."""
    names = ("hom_ref", "het", "hom_alt", "haploid_ref", "haploid_alt", "conflict", "no_copy")
    found = dict.fromkeys(names, 0)
    for genotype, copy in zip(genotypes, copies, strict=True):
        if genotype == -9:
            found["no_copy"] += copy == 0
        elif copy == 0 or (copy == 1 and genotype == 1):
            found["conflict"] += 1
        elif copy == 1:
            found["haploid_ref" if genotype == 0 else "haploid_alt"] += 1
        else:
            found[("hom_ref", "het", "hom_alt")[genotype]] += 1
    return found


def parse_gt(field: str) -> tuple[int, int]:
    """Alleles of one GT: -1 for `.`, -2 as the second of a haploid call."""
    parts = field.split(":")[0].replace("|", "/").split("/")
    values = [-1 if part == "." else int(part) for part in parts]
    return values[0], values[1] if len(values) == 2 else -2


def dosage(alleles: tuple[int, int], allele: int, star: int) -> int:
    """Copies of `allele`; -9 where one is missing or `star`; a haploid call counts double."""
    first, second = alleles if alleles[1] != -2 else (alleles[0], alleles[0])
    if {first, second} & {-1, star}:
        return -9
    return int(first == allele) + int(second == allele)


def bed_bytes(genotypes: list[int]) -> bytes:
    """One row of a PLINK 1 .bed file, A1 the alternate allele: samples from the low bits of the first byte on."""
    code = {0: "11", 1: "10", 2: "00", -9: "01"}
    out = bytearray()
    for first in range(0, len(genotypes), 4):
        bits = "".join(code[genotype] for genotype in reversed(genotypes[first : first + 4]))
        out.append(int(bits, 2))
    return bytes(out)


def haplotype(sequence: str, position: int, ref: str, alt: str) -> str:
    """`sequence` (its first base at position 1) with the allele put in: what a normalisation must not change."""
    start = position - 1
    assert sequence[start : start + len(ref)] == ref
    return sequence[:start] + alt + sequence[start + len(ref) :]


def random_block(seed: int, variants: int, samples: int) -> np.ndarray:
    """int8 genotypes with all four values."""
    values = np.array([0, 1, 2, -9], np.int8)
    return np.random.default_rng(seed).choice(values, (variants, samples), p=[0.6, 0.2, 0.1, 0.1])
