"""What a diplotype means by the rules of its gene: functions of its alleles, activity score, phenotype."""

from __future__ import annotations

from dataclasses import dataclass

from cohelix.pgx import names
from cohelix.pgx.definition import Gene, NamedAllele
from cohelix.pgx.phenotype.alleles import Unit, split, units

UNASSIGNED = "Unassigned function"
"""Of an allele for which the source gives no function, a combination among them."""
INDETERMINATE = "Indeterminate"
"""Of genes scored by activity: the activity of an allele is not known."""
NO_RULE = "n/a"
"""Of genes judged by function: no rule is there for these functions."""

_BIN = 3  # CPIC gives some alleles one value for this many copies and more


@dataclass(frozen=True)
class Allele:
    """name: as the rules know it. function: None for a gene without any. activity: None where it is not known."""

    name: str
    function: str | None
    activity: float | None


@dataclass(frozen=True)
class Meaning:
    """Of one diplotype. function2 is None of a haploid one; all but `reported` may be None."""

    reported: str | None
    function1: str | None = None
    function2: str | None = None
    activity_score: float | None = None
    phenotype: str | None = None


class Interpreter:
    """The rules of one gene, read once; each allele and each diplotype is worked out once."""

    def __init__(self, gene: Gene) -> None:
        self.gene = gene
        self.known = {allele.name: allele for allele in (*gene.functions_only, *gene.alleles)}
        self.has_functions = bool(gene.rules) or any(a.function for a in self.known.values())
        self.by_function = {tuple(sorted(rule.functions)): rule.phenotype for rule in gene.rules if rule.functions}
        self._alleles: dict[str, Allele] = {}
        self._meanings: dict[tuple[str, ...], Meaning] = {}

    def split(self, diplotype: str) -> tuple[str, ...]:
        return split(diplotype, self.known)

    def allele(self, name: str) -> Allele:
        if name not in self._alleles:
            self._alleles[name] = self._allele(name)
        return self._alleles[name]

    def diplotype(self, *alleles: str) -> Meaning:
        """Of one (haploid) or two alleles, which are reported in the order of names."""
        if alleles not in self._meanings:
            self._meanings[alleles] = self._diplotype([self.allele(name) for name in alleles])
        return self._meanings[alleles]

    def of_score(self, score: float | None) -> str:
        """Phenotype of an activity score; Indeterminate without one, or outside the ranges of all rules."""
        for rule in self.gene.rules:
            if score is None or (rule.lowest is None and rule.highest is None):
                continue
            if (rule.lowest is None or score >= rule.lowest) and (rule.highest is None or score <= rule.highest):
                return rule.phenotype
        return INDETERMINATE

    def _diplotype(self, alleles: list[Allele]) -> Meaning:
        alleles = sorted(alleles, key=lambda allele: names.key(allele.name))
        reported = "/".join(allele.name for allele in alleles)
        functions = [allele.function for allele in alleles]
        score, phenotype = self._judge(alleles)
        return Meaning(reported, functions[0], functions[1] if len(functions) > 1 else None, score, phenotype)

    def _judge(self, alleles: list[Allele]) -> tuple[float | None, str | None]:
        if self.gene.scored_by_activity:
            values = [allele.activity for allele in alleles]
            half = len(alleles) == 1 and self.gene.ploidy == "autosome"  # of the other allele nothing is known
            score = None if half or None in values else float(sum(value for value in values if value is not None))
            return score, self.of_score(score)
        if not self.has_functions:
            return None, None
        functions = tuple(sorted(allele.function or UNASSIGNED for allele in alleles))
        return None, self.by_function.get(functions, NO_RULE)

    def _allele(self, name: str) -> Allele:
        found = self.known.get(name)
        if found is None and not names.is_combination(name):
            parts = units(name)
            if len(parts) == 1:
                return self._copies(parts[0])
            return self._tandem([self._copies(part) for part in parts])
        return self._as_known(name, found)

    def _as_known(self, name: str, found: NamedAllele | None) -> Allele:
        if not self.has_functions:
            return Allele(name, None, None)
        if found is None:
            return Allele(name, UNASSIGNED, None)
        return Allele(name, found.function or self._function_of(found.activity, UNASSIGNED), found.activity)

    def _copies(self, unit: Unit) -> Allele:
        """Several copies of an allele. Where CPIC has one value for three and more, that one, by its name; else the
        value of the allele as often as it is there."""
        binned = Unit(unit.base, _BIN, at_least=True).name
        if unit.name in self.known or unit.copies == 1 or unit.base not in self.known:
            return self._as_known(unit.name, self.known.get(unit.name))
        if unit.copies >= _BIN and binned in self.known:
            return self._as_known(binned, self.known[binned])
        one = self._as_known(unit.base, self.known[unit.base])
        activity = None if one.activity is None else one.activity * unit.copies
        return Allele(unit.name, self._function_of(activity, one.function), activity)

    def _tandem(self, parts: list[Allele]) -> Allele:
        name = "+".join(part.name for part in parts)
        values = [part.activity for part in parts]
        activity = None if None in values else sum(value for value in values if value is not None)
        return Allele(name, self._function_of(activity, UNASSIGNED), activity)

    def _function_of(self, activity: float | None, otherwise: str | None) -> str | None:
        """CPIC's word for the function of an activity value."""
        if activity is None or not self.gene.scored_by_activity:
            return otherwise
        if activity >= 1:
            return "Normal function" if activity < 2 else "Increased function"
        return "Decreased function" if activity > 0 else "No function"
