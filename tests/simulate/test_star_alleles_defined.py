"""The table of pharmacogenes beside the definitions it was made from: every allele, every position, every frequency."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cohelix.simulate.people.person import SOURCES
from cohelix.simulate.star_alleles import Named, read_table

DATA = Path("..", "shared", "data")
WOBBLES = {"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC"}
MOST_COMMON = {("CYP2D6", "*4", 42126611), ("CYP2D6", "*4", 42129809), ("CYP2D6", "*4", 42129819)}
EXTRA = {("CYP2C9", 94645745, "G")}  # a position that is reported and defines no allele
pytestmark = pytest.mark.real


@cache
def definitions() -> dict[str, dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in (DATA / "pgx" / "definitions").glob("*_translation.json")]
    return {one["gene"]: one for one in found}


@cache
def table() -> dict[str, list[Named]]:
    return read_table("pharmacogenes")


def changed(ref: str, position: int, variants: tuple[tuple[int, str, str], ...]) -> str:
    """REF of a position with the variant of a haplotype put in."""
    for at, gone, alt in variants:
        if at == position - 1 and ref.startswith(gone):
            return alt + ref[len(gone) :]
    return ref


def test_all_genes_of_the_definitions_are_there() -> None:
    assert set(table()) == set(definitions()) and len(table()) == 20


def test_the_reference_haplotype_has_ref_at_every_position() -> None:
    for gene, definition in definitions().items():
        (reference,) = [one for one in table()[gene] if one.is_reference]
        assert reference.name == next(one["name"] for one in definition["namedAlleles"] if one["reference"])
        stated = {(position + 1, ref) for position, ref in reference.bases}
        wanted = {(place["position"], place["ref"]) for place in definition["variants"]}
        wanted |= {(position, ref) for of, position, ref in EXTRA if of == gene}
        for position, ref in wanted:
            assert any(at == position and text.startswith(ref) for at, text in stated), (gene, position)
        assert len(stated) == len(wanted)


def test_every_haplotype_has_what_its_definition_says_and_nothing_else() -> None:
    compared = 0
    for gene, definition in definitions().items():
        by_name = {one["name"]: one["alleles"] for one in definition["namedAlleles"]}
        for one in table()[gene]:
            if one.is_reference or one.copies != 1:
                continue
            at = {place["position"] for place in definition["variants"]}
            assert all(position + 1 in at for position, _, _ in one.variants)
            for place, cell in zip(definition["variants"], by_name[one.name], strict=True):
                has = changed(place["ref"], place["position"], one.variants)
                if cell in WOBBLES:
                    expected = place["ref"] if place["ref"] in WOBBLES[cell] else WOBBLES[cell][0]
                    if (gene, one.name, place["position"]) in MOST_COMMON:
                        expected = WOBBLES[cell].replace(place["ref"], "")
                else:
                    expected = place["ref"] if cell is None else cell
                assert has == expected, (gene, one.name, place["position"])
                compared += 1
    assert compared > 8_000


def counted(gene: str) -> tuple[dict[str, Counter[str]], Counter[str]]:
    """Haplotypes of 1000 Genomes people, by name and source, as PharmCAT calls their phased genotypes."""
    with (DATA / "kg_phase3" / "labels.tsv").open() as lines:
        people = {row["IID"]: row for row in csv.DictReader(lines, delimiter="\t")}
    found: dict[str, Counter[str]] = {}
    total: Counter[str] = Counter()
    with gzip.open(DATA / "pgx" / "kg1k" / "kg3202.expected.phased.tsv.gz", "rt") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            person = people.get(row["sample"])
            if row["gene"] != gene or person is None or not row["expected_diplotypes"]:
                continue
            source = "nat" if person["pop"] in ("PEL", "MXL") else person["super_pop"].lower()
            for name in row["expected_diplotypes"].split(";")[0].split("/"):
                found.setdefault(name, Counter())[source] += 1
                total[source] += 1
    return found, total


@pytest.mark.parametrize("gene", ["CYP2C19", "CYP3A5", "NAT2", "UGT1A1", "VKORC1"])
def test_frequencies_are_those_of_real_people(gene: str) -> None:
    found, total = counted(gene)
    planted = {one.name: one.frequency for one in table()[gene] if not one.is_reference}
    for name, counts in found.items():
        share = {source: counts[source] / total[source] for source in ("afr", "nat", "eas", "eur", "sas")}
        if name in planted:
            of = dict(zip(SOURCES, planted[name], strict=True))
            assert all(of[source] == pytest.approx(value, abs=0.0011) for source, value in share.items()), name
            assert of["mid"] == pytest.approx((share["eur"] + share["sas"]) / 2, abs=0.0011)
        elif not any(one.is_reference and one.name == name for one in table()[gene]):
            assert max(share.values()) < 0.005, name
