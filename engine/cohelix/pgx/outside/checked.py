"""Alleles of outside calls in the names of our definitions; one that no definition has is refused."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from cohelix.errors import InputError
from cohelix.pgx import names
from cohelix.pgx.definition import Gene
from cohelix.pgx.outside.record import Record
from cohelix.pgx.phenotype import Interpreter, presence
from cohelix.pgx.phenotype.alleles import Unit, units

_HLA = re.compile(r"(?P<two>\*[0-9]{2,3}:[0-9]{2,3})(?P<more>(?::[0-9]+)*[A-Z]?)")
_SUBALLELE = re.compile(r"(?P<main>\*[0-9]+)\.[0-9]+(?:\.ALDY)?")


class Checked:
    """The alleles of one gene; what was worked out for one text is kept."""

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        self.gene = interpreter.gene
        self.present = bool(presence.markers(self.gene))
        self.short = _short_names(self.gene, self.interpreter.known)
        self._found: dict[tuple[str, bool], tuple[str, tuple[str, ...]]] = {}

    def diplotype(self, text: str, record: Record) -> tuple[str, tuple[str, ...]]:
        """`text` with names of our definitions, in their order, and what was changed on the way."""
        key = (text, record.unassigned)
        if key not in self._found:
            self._found[key] = self._diplotype(text, record)
        return self._found[key]

    def _diplotype(self, text: str, record: Record) -> tuple[str, tuple[str, ...]]:
        warnings: list[str] = []
        bare = re.sub(rf"(^|/|\+|_|\[)\s*{re.escape(self.gene.symbol)}\s*(?=[*\w])", r"\1", text)
        if record.unassigned:
            found = [self._allele(one, record, warnings) for one in bare.split("_")]
            return "_".join(sorted(found, key=names.key)), (*warnings, "alleles not assigned to chromosomes")
        alleles = self.interpreter.split(bare)
        single = self.gene.ploidy != "autosome" or self.present
        if len(alleles) > 2 or (len(alleles) == 1 and not single):
            raise InputError(
                f"{record.where.capitalize()}: two alleles of {self.gene.symbol} were expected, "
                f"{len(alleles)} are there. Write them with one / between."
            )
        found = [self._allele(one, record, warnings) for one in alleles]
        return "/".join(sorted(found, key=names.key)), tuple(dict.fromkeys(warnings))

    def _allele(self, text: str, record: Record, warnings: list[str]) -> str:
        text = text.strip()
        if text in self.interpreter.known:
            return text
        if self.present:
            return self._hla(text, record, warnings)
        if names.is_combination(text):
            return names.join(self._allele(part, record, warnings) for part in names.parts(text))
        if whole := self.short.get(text):
            return whole
        found = []
        for unit in units(text):
            base = unit.base
            if (part := _SUBALLELE.fullmatch(base)) and base not in self.interpreter.known:
                warnings.append(f"{self.gene.symbol}{base} is read as {part['main']}")
                base = part["main"]
            if base not in self.interpreter.known:
                raise self._unknown(text, record)
            found.append(Unit(base, unit.copies, unit.at_least).name)
        if not found:
            raise self._unknown(text, record)
        return "+".join(found)

    def _hla(self, text: str, record: Record, warnings: list[str]) -> str:
        found = _HLA.fullmatch(re.sub(r"^(HLA-)?[A-Z]*(?=\*)", "", text))
        if not found:
            raise self._unknown(text, record)
        if found["more"]:
            warnings.append(f"{self.gene.symbol}{found[0]} is read as {found['two']}")
        return found["two"]

    def _unknown(self, allele: str, record: Record) -> InputError:
        near = difflib.get_close_matches(allele, self.interpreter.known, 3, 0.4)
        like = f" Near it are {', '.join(near)}." if near else ""
        return InputError(
            f"{record.where.capitalize()}: {self.gene.symbol} has no allele {_shown(allele)} in "
            f"{self.gene.source}/{self.gene.version}.{like} Name it as the definitions do, or leave the row out."
        )


def _short_names(gene: Gene, known: Iterable[str]) -> dict[str, str]:
    """Other ways to write a name, where they are no other's: *2A and c.1905+1G>A of "c.1905+1G>A (*2A)", 1555A>G of
    "m.1555A>G"."""
    found: dict[str, list[str]] = {}
    for name in known:
        if gene.ploidy == "MT":
            found.setdefault(name.removeprefix("m."), []).append(name)
        if parts := re.fullmatch(r"([cg]\..+) \((\*.+)\)", name):
            for short in parts.groups():
                found.setdefault(short, []).append(name)
    return {short: whole[0] for short, whole in found.items() if len(whole) == 1}


def _shown(text: str) -> str:
    """`text` where it can only be an allele: a swapped column may hold a person's name, which no message says."""
    return repr(text) if re.search(r"[*>]", text) else "of the name that is there"
