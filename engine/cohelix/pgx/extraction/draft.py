"""Genotypes in the making: records are put in as they come, and genes lie on disk when the last one is in."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cohelix.errors import ConfigError, InputError, ReferenceMismatch
from cohelix.pgx.extraction import kernels
from cohelix.pgx.extraction.loci import AUTOSOME, HAPLOID, REF_MISMATCH, Loci, Locus, X, read_record
from cohelix.pgx.genotype import LONGEST_LIST, NO_CALL, OTHER

_FIRST, _AGAIN, _JOIN = "first", "again", "join"
_WRONG_BUILD = 10
"""So many loci with another REF, and more than half (or all there are), are a file of another build."""


@dataclass(frozen=True)
class Place:
    """Where a record goes. codes_of: by the record's alleles, REF first, those of the site. how: beside what is there
    of earlier records. changes: the record's alleles of the locus, REF apart."""

    locus: Locus
    codes_of: np.ndarray
    how: str
    changes: frozenset[str]


@dataclass
class Draft:
    """Genotypes of n people at `loci`, in `folder`, which is the draft's own."""

    folder: Path
    loci: Loci
    n: int
    copies_x: np.ndarray | None = None
    """uint8 (n,): copies of X of each person, 0 where not known. None: as each genotype says."""
    alleles: dict[str, list[list[str]]] = field(default_factory=dict)
    counts: dict[str, np.ndarray] = field(default_factory=dict)
    seen: dict[Locus, list[frozenset[str]]] = field(default_factory=dict)
    passed_over: dict[Locus, Counter[str]] = field(default_factory=dict)
    taken: dict[Locus, Counter[str]] = field(default_factory=dict)
    _codes: dict[str, np.ndarray] = field(default_factory=dict)
    _phase: dict[str, np.ndarray] = field(default_factory=dict)
    _sets: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        for gene, loci in self.loci.genes.items():
            self.alleles[gene] = [[locus.ref, *locus.alts] for locus in loci]
            self.counts[gene] = np.zeros(len(kernels.REASONS), np.int64)
            self._codes[gene] = self._new(gene, "codes", len(loci), np.uint8, NO_CALL)
            self._phase[gene] = self._new(gene, "phase", len(loci), np.uint8, 0)

    def path(self, gene: str, what: str) -> Path:
        """Genes are numbered in file names: some have characters that file systems mind."""
        return self.folder / f"{what}-{list(self.loci.genes).index(gene):03d}.npy"

    def places(self, contig: str, position: int, ref: str, alts: Sequence[str]) -> list[Place]:
        """Where a record of a plain `contig` goes: nowhere, or at one or more loci."""
        found = []
        for locus in self.loci.near(contig, position, ref):
            texts = read_record(locus, position, ref, alts)
            if isinstance(texts, str):
                if position == locus.position:
                    self.passed_over.setdefault(locus, Counter())[texts] += 1
                continue
            changes = frozenset(text for text in texts if text is not None and text != locus.ref)
            found.append(Place(locus, self._codes_of(locus, texts), self._how(locus, changes), changes))
        return found

    def put(self, place: Place, codes: np.ndarray, phase: np.ndarray, sets: np.ndarray | None = None) -> None:
        """Genotypes of a record, arrays (n,). sets int32: phase sets, -1 none; None where the record has none."""
        locus, how = place.locus, place.how
        counts = self.counts[locus.gene]
        if locus.ploidy != AUTOSOME and self.copies_x is not None:
            copies = np.ones(self.n, np.uint8) if locus.ploidy == HAPLOID else self.copies_x
            kernels.one_copy(codes, phase, copies, counts)
        own_codes, own_phase = self._codes[locus.gene][locus.row], self._phase[locus.gene][locus.row]
        nothing = np.empty(0, np.int32)
        own_sets = self._sets_of(locus, sets)
        new_sets = nothing if len(own_sets) == 0 else sets if sets is not None else np.full(self.n, -1, np.int32)
        self.taken.setdefault(locus, Counter())[how] += 1
        if how == _FIRST:
            own_codes[:], own_phase[:] = codes, phase
            if len(own_sets):
                own_sets[:] = new_sets
            self.seen[locus] = [place.changes]
            return
        merge = kernels.keep_first if how == _AGAIN else kernels.join_rows
        merge(own_codes, own_phase, own_sets, codes, phase, new_sets, counts)
        self.seen[locus].append(place.changes)

    def no_homozygous_reference(self, locus: Locus) -> None:
        """Set to missing who has the reference allele only."""
        codes = self._codes[locus.gene][locus.row]
        second = codes >> 4
        codes[((codes & 15) == 0) & ((second == 0) | (second == 14))] = NO_CALL

    def finish(self, *, phase_of_heterozygous_only: bool = False) -> dict[str, Any]:
        """Write what is left; {gene: {"alleles", "rejected"}} and what was met.

        ReferenceMismatch where the bases are those of another build, InputError where no locus has a record.
        """
        self._check_build()
        for gene in self.loci.genes:
            codes, phase = self._codes[gene], self._phase[gene]
            if any(locus.ploidy != X for locus in self.loci.genes[gene]):
                self.counts[gene][kernels.HALF_CALL] += kernels.drop_half_references(codes)
            if gene in self._sets:
                kernels.number_sets(phase, self._sets[gene])
            if phase_of_heterozygous_only:
                kernels.phase_of_homozygous(codes, phase)
            self._write_phase(gene, codes, phase)
        for part in (*self._codes.values(), *self._phase.values()):
            part.flush()  # type: ignore[attr-defined]  # a memmap
        for gene in self._sets:
            self.path(gene, "sets").unlink()
        self._codes, self._phase, self._sets = {}, {}, {}
        return {gene: {"alleles": self.alleles[gene], "report": self._report(gene)} for gene in self.loci.genes}

    def _write_phase(self, gene: str, codes: np.ndarray, phase: np.ndarray) -> None:
        """One value for each site where all people have the same."""
        rows = [kernels.phase_of_row(codes[row], phase[row]) for row in range(len(codes))]
        if 255 in rows:
            return
        known = [value for value in rows if value != 254]
        rest = known[0] if known and len(set(known)) == 1 else 0
        column = np.array([[rest if value == 254 else value] for value in rows], np.uint8).reshape(-1, 1)
        place = self.path(gene, "phase")
        self._phase[gene] = np.empty((0, 0), np.uint8).view(np.memmap)
        place.unlink()
        np.save(place, column)

    def _report(self, gene: str) -> dict[str, Any]:
        loci = self.loci.genes[gene]

        def met(reason: str) -> list[int]:
            return [locus.position for locus in loci if self.passed_over.get(locus, Counter())[reason]]

        return {
            "no_record": [locus.position for locus in loci if locus not in self.taken],
            REF_MISMATCH: met(REF_MISMATCH),
            "other_event": met("other_event"),
            "position_twice": [locus.position for locus in loci if self.taken.get(locus, Counter())[_AGAIN]],
            "rejected": {
                reason: int(count) for reason, count in zip(kernels.REASONS, self.counts[gene], strict=True) if count
            },
        }

    def _check_build(self) -> None:
        wrong = sum(locus not in self.taken and bool(met[REF_MISMATCH]) for locus, met in self.passed_over.items())
        if wrong > len(self.taken) and (wrong >= _WRONG_BUILD or not self.taken):
            raise ReferenceMismatch(
                f"expected the reference bases of GRCh38 at the positions of the definitions, found others at {wrong} "
                f"of {wrong + len(self.taken)}. Give genotypes of GRCh38 (lift them over, or call that build)."
            )
        if not self.taken:
            n_loci = sum(len(loci) for loci in self.loci.genes.values())
            raise InputError(
                f"expected records at the {n_loci} positions of the definitions (GRCh38), found none at any of them. "
                "Give genotypes of GRCh38 that keep these positions, also where everybody has the reference."
            )

    def _how(self, locus: Locus, changes: frozenset[str]) -> str:
        """Rows that speak of different ALTs are joined; of rows that share one, or have none, the first is read."""
        earlier = self.seen.get(locus)
        if earlier is None:
            return _FIRST
        apart = bool(changes) and all(earlier) and not any(changes & one for one in earlier)
        return _JOIN if apart else _AGAIN

    def _codes_of(self, locus: Locus, texts: Sequence[str | None]) -> np.ndarray:
        alleles = self.alleles[locus.gene][locus.row]
        codes = np.zeros(1 + len(texts), np.uint8)
        for at, text in enumerate(texts, start=1):
            if text is None:
                codes[at] = kernels.UNUSABLE
                continue
            if text not in alleles and len(alleles) < LONGEST_LIST:
                alleles.append(text)
            codes[at] = alleles.index(text) if text in alleles else OTHER
        return codes

    def _sets_of(self, locus: Locus, sets: np.ndarray | None) -> np.ndarray:
        if locus.gene not in self._sets:
            if sets is None or not (sets >= 0).any():
                return np.empty(0, np.int32)
            rows = len(self.loci.genes[locus.gene])
            self._sets[locus.gene] = self._new(locus.gene, "sets", rows, np.int32, -1)
        own: np.ndarray = self._sets[locus.gene][locus.row]
        return own

    def _new(self, gene: str, what: str, rows: int, dtype: Any, value: int) -> np.ndarray:
        path = self.path(gene, what)
        try:
            made: np.ndarray = np.lib.format.open_memmap(path, "w+", dtype, (rows, self.n))
            with path.open("r+b") as file:  # a full disk would else be met as a bus error, in the middle of an array
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            raise ConfigError(
                f"expected room for {rows * self.n * np.dtype(dtype).itemsize / 2**20:,.1f} MiB of genotypes of {gene} "
                f"beside the folder to write, found none ({error.strerror or type(error).__name__}). Free some, or "
                "write elsewhere."
            ) from None
        if value:
            made[:] = value
        return made
