"""The order of allele names."""

from __future__ import annotations

from pathlib import Path

import pytest

from cohelix.pgx import names
from tests.pgx import pharmcat


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("*2", "*10"),
        ("*1", "*1A"),
        ("*45.001", "*45.002"),
        ("*80", "*80+*28"),
        ("c.520C>T", "c.3257G>A"),
        ("Reference", "c.62G>A"),
        ("*100", "Other"),
        ("*10", "[*2 + *3]"),
        ("[*2 + *4]", "[*2 + *3 + *4]"),
        ("[*2 + *3]", "[*2 + *4]"),
        ("[*2 + *3]", "[*10 + *3]"),
        ("[*91 + g.5A>C]", "[g.3A>C + g.5A>C]"),
        ("*9", "g.41012316T>G"),
        ("g.5A>C", "g.41012316T>G"),
        ("[*4 + g.42126611C>G + g.42128242del]", "[*4 + g.42128242del + g.42129130C>G]"),
    ],
)
def test_order(first: str, second: str) -> None:
    assert names.key(first) < names.key(second)


def test_a_combination_tells_its_parts() -> None:
    assert names.parts("[*6 + *14]") == ("*6", "*14")
    assert names.parts("*80+*28") == ("*80+*28",)
    assert names.join(["*6", "g.5A>C"]) == "[*6 + g.5A>C]"
    assert names.join(["[*6 + *14]", "*20"]) == "[*6 + *14 + *20]"
    assert names.join(["*6"]) == "*6"
    assert names.is_combination("[*6 + *14]") and not names.is_combination("*80+*28")


@pytest.mark.real
def test_no_two_alleles_of_a_gene_have_one_place(data: Path) -> None:
    for symbol in pharmcat.GENES:
        gene = pharmcat.gene(data / "pgx" / "definitions" / f"{symbol}_translation.json")
        keys = [names.key(allele.name) for allele in gene.alleles]
        assert keys == sorted(keys) and len(set(keys)) == len(keys)
