"""Counts of alleles, diplotypes and phenotypes by group, a gene and part at a time."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from cohelix.genotypes.exports import coded
from cohelix.pgx import names
from cohelix.pgx.definition import Gene
from cohelix.pgx.phenotype.alleles import split

KINDS = ("allele", "diplotype", "phenotype", "status")
COLUMNS = ("sample_id", "status", "diplotypes", "haplotypes", "phenotype")


@dataclass
class Tally:
    """Of a gene: counts int64 (groups + 1,) of each name of a kind; the last group is of people without one.

    total: by kind, what the names of a group add up to: people, or, for alleles, chromosomes. Alleles that stand
    together on a chromosome are counted each, so those of genes with combinations add up to more.
    """

    n_groups: int
    counts: dict[str, dict[str, np.ndarray]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    total: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.total = {kind: np.zeros(self.n_groups + 1, np.int64) for kind in KINDS}

    def add(self, kind: str, name: str, by_group: np.ndarray, times: int = 1) -> None:
        held = self.counts[kind].setdefault(name, np.zeros(self.n_groups + 1, np.int64))
        held += by_group * times

    def take(self, rows: pa.Table, group: np.ndarray, known: Container[str]) -> None:
        """rows: `COLUMNS` of the gene. group (rows,): of each person, -1 none. known: names of its alleles."""
        group = np.where(group < 0, self.n_groups, group)
        for kind in ("status", "phenotype"):
            code, texts = coded(rows.column(kind))
            self._people(kind, code, texts, group)
        person, called = _single(rows.column("diplotypes"))
        code, texts = coded(called)
        self._people("diplotype", code, texts, group[person])
        table = self._table(code, len(texts), group[person])
        for text, by_group in zip(texts, table, strict=True):
            strands = split(text, known)
            self.total["allele"] += by_group * len(strands)
            for strand in strands:
                for part in names.parts(strand):
                    self.add("allele", part, by_group)
        self._haplotypes(rows, group)

    def _people(self, kind: str, code: np.ndarray, texts: Sequence[str], group: np.ndarray) -> None:
        for text, by_group in zip(texts, self._table(code, len(texts), group), strict=True):
            if by_group.any():
                self.add(kind, text, by_group)
        self.total[kind] += np.bincount(group[code >= 0], minlength=self.n_groups + 1)

    def _table(self, code: np.ndarray, n: int, group: np.ndarray) -> np.ndarray:
        """int64 (n, groups + 1)."""
        width = self.n_groups + 1
        known = code >= 0
        return np.bincount(code[known] * width + group[known], minlength=n * width).reshape(n, width)

    def _haplotypes(self, rows: pa.Table, group: np.ndarray) -> None:
        """Alleles of people of whom it is not known on which strand they are: they count, two strands a person."""
        import pyarrow.compute as pc

        unphased = np.flatnonzero(
            pc.equal(rows.column("status"), "haplotypes").fill_null(False).to_numpy(zero_copy_only=False)
        )
        if not len(unphased):
            return
        listed = rows.column("haplotypes").combine_chunks().take(pa.array(unphased))
        parent = pc.list_parent_indices(listed).to_numpy()
        code, texts = coded(listed.flatten())
        for text, by_group in zip(texts, self._table(code, len(texts), group[unphased][parent]), strict=True):
            self.add("allele", text, by_group)
        self.total["allele"] += 2 * np.bincount(group[unphased], minlength=self.n_groups + 1)


def known_names(gene: Gene | None) -> frozenset[str]:
    """Names of a gene's alleles, those that it reports for others among them."""
    if gene is None:
        return frozenset()
    named = {allele.name for allele in (*gene.alleles, *gene.functions_only)}
    return frozenset(named | set(gene.suballeles.values()))


def _single(column: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """(rows whose call is one diplotype, that diplotype)."""
    import pyarrow.compute as pc

    listed = column.combine_chunks()
    length = pc.list_value_length(listed).fill_null(0).to_numpy(zero_copy_only=False)
    person = np.flatnonzero(length == 1)
    return person, listed.take(pa.array(person)).flatten()
