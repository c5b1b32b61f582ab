"""Array manifests as Illumina writes them: CSV with [Heading], [Assay] and often [Controls].

Extended manifests of Picard have commas behind the section names and further columns; both are read.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from cohelix.errors import InputError
from cohelix.genotypes.alleles import is_sequence

_NEEDED = ("Name", "IlmnStrand", "SNP", "AlleleA_ProbeSeq")
_COMPLEMENT = str.maketrans("ACGT", "TGCA")
_STRANDS = {"+": True, "-": False, "PLUS": True, "MINUS": False}


@dataclass(frozen=True)
class Assay:
    """One row. alleles: A and B on the probe's strand; "D", "I" of indels. on_plus: the probe is on the reference's

    strand, as the manifest says; None where it does not. probe_a, probe_b: "" for none.
    """

    alleles: tuple[str, str]
    strand: str
    on_plus: bool | None
    probe_a: str
    probe_b: str

    @property
    def plus_alleles(self) -> tuple[str, str] | None:
        """A and B on the strand of the reference, as the manifest says; None where it does not."""
        if self.on_plus is None or not all(is_sequence(allele) for allele in self.alleles):
            return None
        if self.on_plus:
            return self.alleles
        return complement(self.alleles[0]), complement(self.alleles[1])


def complement(bases: str) -> str:
    """The other strand, in its own direction."""
    return bases.translate(_COMPLEMENT)[::-1]


def read_manifest(path: str) -> dict[str, Assay]:
    """Assays by name. Raises InputError, with the line, where the file is no manifest."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        raise InputError("expected a manifest, found no file that can be read there. Check its path.") from None
    lines = text.splitlines()
    at = next((number for number, line in enumerate(lines) if _section(line) == "[Assay]"), None)
    if at is None:
        raise InputError(
            "expected a manifest with a section [Assay], found none. Give the CSV that Illumina publishes beside the "
            ".bpm file of the array."
        )
    end = next((n for n in range(at + 1, len(lines)) if lines[n].startswith("[") and _section(lines[n])), len(lines))
    rows = csv.DictReader(io.StringIO("\n".join(lines[at + 1 : end])))
    lacking = [name for name in _NEEDED if name not in (rows.fieldnames or ())]
    if lacking:
        raise InputError(
            f"expected columns {', '.join(_NEEDED)} on line {at + 2} of the manifest, found no {lacking[0]}."
        )
    assays = {}
    for number, row in enumerate(rows, start=at + 3):
        pair = (row["SNP"] or "").strip().strip("[]").upper().split("/")
        if len(pair) != 2:
            raise InputError(
                f"expected two alleles such as [A/G] on line {number} of the manifest, found another form."
            )
        assays[row["Name"]] = Assay(
            (pair[0], pair[1]), row["IlmnStrand"] or "", _STRANDS.get((row.get("RefStrand") or "").strip().upper()),
            (row["AlleleA_ProbeSeq"] or "").upper(), (row.get("AlleleB_ProbeSeq") or "").upper(),
        )  # fmt: skip
    if not assays:
        raise InputError("expected assays in the manifest, found none behind its [Assay] line.")
    return assays


def _section(line: str) -> str:
    """A section's name, as in `[Assay]` or `[Assay],,,`; "" for other lines."""
    name = line.rstrip(", \t")
    return name if name.startswith("[") and name.endswith("]") and "/" not in name else ""
