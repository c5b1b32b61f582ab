"""The true genotypes of a made cohort, read block by block: chromosomes 1 to 22 only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq

from cohelix.errors import ConfigError, InputError
from cohelix.genome import plain_name
from cohelix.simulate.folder import reading
from cohelix.simulate.people.person import GROUPS

BLOCK_VALUES = 1 << 25
"""Genotypes in memory at once."""
_AUTOSOMES = tuple(str(number) for number in range(1, 23))
_TRANSITIONS = ({"A", "G"}, {"C", "T"})


@dataclass(frozen=True)
class Genotypes:
    """N people in the order of the files, S alternate alleles on chromosomes 1 to 22.

    group (N,): place in GROUPS. unrelated (N,): the first person of each family. pairs (P, 2): people of one family or
    of one body; relationship [P]; kinship (P,): true, over the made regions. contig (S,): number of the chromosome;
    position (S,); snp, transition (S,) bool. row (S,): variant of the PGEN. bases: in the made
    regions of chromosomes 1 to 22.
    """

    prefix: Path
    n_variants: int
    group: np.ndarray
    unrelated: np.ndarray
    pairs: np.ndarray
    relationship: list[str]
    kinship: np.ndarray
    contig: np.ndarray
    position: np.ndarray
    snp: np.ndarray
    transition: np.ndarray
    row: np.ndarray
    bases: int

    def of_group(self, group: int) -> np.ndarray:
        """Numbers of its unrelated people."""
        return np.flatnonzero(self.unrelated & (self.group == group))

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """(part of the S variants, their copies (V, N) int8: 0, 1, 2; -9 missing)."""
        import pgenlib

        n_people, values = self.group.size, max(self.group.size, len(self.pairs), 1)
        step = max(1, BLOCK_VALUES // values)
        path, name = str(self.prefix.with_name("genotypes.pgen")).encode(), "truth/genotypes.pgen"
        with reading(name):
            opened = pgenlib.PgenReader(path, raw_sample_ct=n_people, variant_ct=self.n_variants)
        with opened as reader:
            for start in range(0, self.row.size, step):
                part = slice(start, min(start + step, self.row.size))
                copies = np.empty((part.stop - part.start, n_people), np.int8)
                with reading(name):
                    reader.read_list(self.row[part].astype(np.uint32), copies)
                yield part, copies


def open_genotypes(folder: Path) -> Genotypes:
    """What `cohelix simulate cohort` wrote to `folder`. Raises InputError where that is not one, or not a whole one."""
    truth = folder / "truth"
    needed = [folder / "cohort.json", *(truth / f"genotypes.{kind}" for kind in ("pgen", "pvar", "psam")),
              truth / "people.parquet", truth / "kinship.parquet"]  # fmt: skip
    for path in needed:
        if not path.is_file():
            raise InputError(
                f"expected {path.relative_to(folder)} in the folder of a made cohort, found none. Make one with "
                "cohelix simulate cohort."
            )
    with reading("truth/people.parquet"):
        people = pq.read_table(truth / "people.parquet", columns=["group", "family"]).to_pydict()
        group = np.array([GROUPS.index(name) for name in people["group"]], np.int64)
    with reading("truth/kinship.parquet"):
        kin = pq.read_table(truth / "kinship.parquet").to_pydict()
        pairs = np.array([kin["person1"], kin["person2"]], np.int64).T.reshape(-1, 2)
        kinship = np.array(kin["kinship_made"], np.float64)
    with reading("truth/genotypes.pvar"):
        sites = _read_sites(truth / "genotypes.pvar")
    with reading("truth/genotypes.psam"):
        n_people = len((truth / "genotypes.psam").read_text().splitlines()) - 1
    with reading("cohort.json"):
        bases = _autosomal_bases(json.loads((folder / "cohort.json").read_text())["regions"])
    if n_people != len(people["group"]):
        raise InputError(f"expected {len(people['group'])} people in truth/genotypes.psam, found {n_people}.")
    unrelated = np.zeros(n_people, bool)
    unrelated[np.unique(np.array(people["family"]), return_index=True)[1]] = True
    return Genotypes(
        prefix=truth / "genotypes",
        group=group,
        unrelated=unrelated,
        pairs=pairs,
        relationship=kin["relationship"],
        kinship=kinship,
        bases=bases,
        **sites,
    )


def _read_sites(path: Path) -> dict[str, Any]:
    table = pyarrow.csv.read_csv(
        path,
        parse_options=pyarrow.csv.ParseOptions(delimiter="\t"),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={"#CHROM": "string", "REF": "string", "ALT": "string"},
            include_columns=["#CHROM", "POS", "REF", "ALT"],
        ),
    ).to_pydict()
    plain = [plain_name(name) for name in table["#CHROM"]]
    rows = [row for row, name in enumerate(plain) if name in _AUTOSOMES]
    if not rows:
        raise ConfigError("expected variants on chromosomes 1 to 22, found none. Make a cohort with such regions.")
    alleles = [(table["REF"][row], table["ALT"][row]) for row in rows]
    return {
        "n_variants": len(plain),
        "row": np.array(rows, np.int64),
        "contig": np.array([int(plain[row]) for row in rows], np.int64),
        "position": np.array([table["POS"][row] for row in rows], np.int64),
        "snp": np.array([len(ref) == len(alt) == 1 for ref, alt in alleles], bool),
        "transition": np.array([set(pair) in _TRANSITIONS for pair in alleles], bool),
    }


def _autosomal_bases(regions: list[str]) -> int:
    total = 0
    for name in regions:
        contig, _, span = name.rpartition(":")
        if plain_name(contig) in _AUTOSOMES:
            low, _, high = span.partition("-")
            total += int(high) - int(low) + 1
    return total
