"""Small callsets and files that the tests of this noun share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pysam
import pytest

CONTIGS = {"chr1": 248956422, "chr2": 242193529, "chrX": 156040895, "chrY": 57227415, "chrM": 16569}

WriteVcf = Callable[..., Path]


@pytest.fixture
def write_vcf(tmp_path: Path) -> WriteVcf:
    """Writes a VCF from rows of `contig position ref alt gt gt ...`; `.gz` names are BGZF."""

    def write(
        rows: list[str],
        samples: tuple[str, ...] = ("s1", "s2", "s3"),
        *,
        name: str = "in.vcf",
        contigs: dict[str, int] = CONTIGS,
        end: str = "\n",
    ) -> Path:
        lines = ["##fileformat=VCFv4.2", '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
        lines += [f"##contig=<ID={contig},length={length}>" for contig, length in contigs.items()]
        lines.append("\t".join("#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT".split() + list(samples)))
        for row in rows:
            contig, position, ref, alt, *calls = row.split()
            lines.append("\t".join([contig, position, ".", ref, alt, ".", ".", ".", "GT", *calls]))
        text = ("\n".join(lines) + end).encode()
        path = tmp_path / name
        if name.endswith(".gz"):
            with pysam.BGZFile(str(path), "wb", None) as handle:
                handle.write(text)
        else:
            path.write_bytes(text)
        return path

    return write
