"""Special rows of scoring files beside plain definitions."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from cohelix.errors import InputError
from cohelix.prs.schema import ScoreParams
from cohelix.prs.scoring_file.batch import read_batch
from cohelix.prs.scoring_file.sources import sources
from cohelix.prs.terms import apoe
from cohelix.prs.terms.rows import REASONS
from cohelix.prs.terms.run import Added, add_up
from tests.oracles import prs_terms as plain
from tests.prs.terms.made_terms import callset, interaction, match_folder, special

ONE, TWO = ("chr1", 1000, "G"), ("chr1", 2000, "T")
C, T = ("chr19", 44908684, "C"), ("chr19", 44908822, "T")
SEXES = ["female", "male", "female", "male", "female", "male"]
FIRST = ["0/0", "0/1", "1/1", "0/1", "./.", "1/1"]
SECOND = ["0/1", "1/1", "1/1", "0/0", "0/1", "./."]


def added(root: str, match: Path, missing: str = "cohort-af", **more: object) -> Added:
    return add_up(match, root, ScoreParams(missing=missing), **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> str:
    return callset(tmp_path_factory.mktemp("pair"), {ONE: FIRST, TWO: SECOND}, SEXES)


def reasons(result: Added) -> list[str]:
    return list(result.rows.column("reason").to_pylist())


def letters(genotypes: list[str], ref: str, alt: str) -> list[str]:
    return [gt.replace("0", ref).replace("1", alt) for gt in genotypes]


@pytest.mark.parametrize(("effects", "others"), [("GT", "AC"), ("AC", "GT"), ("GC", "AT"), ("G", "T")])
def test_interaction_is_the_product_of_copies(pair: str, tmp_path: Path, effects: str, others: str) -> None:
    """Effect alleles that are ALT, REF, one of each; and on the other strand."""
    one, two = ("A", "G"), ("C", "T")
    if effects == "G":  # reverse strand of A>G is T>C
        variants = [("1", 1000, "C", "T"), ("1", 2000, "A", "G")]
        effects = "GT"
    else:
        variants = [("1", 1000, effects[0], others[0]), ("chr1", 2000, effects[1], others[1])]
    match = match_folder(tmp_path / "match", [interaction(3, 7, 0.25, *variants)])
    result = added(pair, match)
    expected = []
    counts = [
        [plain.copies(gt, effect) for gt in letters(genotypes, *alleles)]
        for genotypes, alleles, effect in ((FIRST, one, effects[0]), (SECOND, two, effects[1]))
    ]
    means = [np.mean([count for count in column if count is not None]) for column in counts]
    for own in zip(*counts, strict=True):
        filled = [float(mean if count is None else count) for count, mean in zip(own, means, strict=True)]
        expected.append(plain.product(0.25, filled))
    assert result.scores.tolist() == [3]
    np.testing.assert_allclose(result.sums[0], expected, rtol=0, atol=1e-15)
    assert result.n_alleles[0].tolist() == [2] * 6
    assert result.n_imputed[0].tolist() == [0, 0, 0, 0, 1, 1]
    assert result.n_hom_ref[0].tolist() == [0] * 6
    assert result.rows.to_pylist() == [
        {"score": 3, "row": 7, "kind": "interaction", "scored": True, "reason": "", "n_sites": 2}
    ]


def test_departure_from_palantir(pair: str, tmp_path: Path) -> None:
    """The Broad's pipeline counts pairs of copies: two hom-alt are 2 there, and 4 by the catalogue's definition."""
    variants = [("1", 1000, "G", "A"), ("1", 2000, "T", "C")]
    result = added(pair, match_folder(tmp_path / "match", [interaction(0, 0, 1.0, *variants)]), "drop")
    counts = [(0, 1), (1, 2), (2, 2), (1, 0)]
    assert result.sums[0][:4].tolist() == [plain.product(1.0, own) for own in counts] == [0, 2, 4, 0]
    assert [plain.palantir(1.0, own, one_site=False) for own in counts] == [0, 1, 2, 0]


def test_policies_of_missing_genotypes(pair: str, tmp_path: Path) -> None:
    variants = [("1", 1000, "G", "A"), ("1", 2000, "T", "C")]
    match = match_folder(tmp_path / "match", [interaction(0, 0, 1.0, *variants)])
    dropped = added(pair, match, "drop")
    assert dropped.sums[0].tolist() == [0, 2, 4, 0, 0, 0]
    assert dropped.n_alleles[0].tolist() == [2, 2, 2, 2, 0, 0]
    with pytest.raises(InputError, match="2 of 6 people"):
        added(pair, match, "error")
    groups = ["a", "b", "a", "b", "a", "b"]
    own = added(pair, match, "ancestry-af", groups=groups)
    # group a at site 1: 0, 2 copies of two people: 1 expected; times 1 copy at site 2. b at site 2: (2 + 0) / 2 = 1.
    assert own.sums[0].tolist() == [0, 2, 4, 0, 1, 2]
    table = tmp_path / "af.tsv"
    table.write_text("contig\tposition\tref\talt\taf\n1\t1000\tA\tG\t0.2\n1\t2000\tC\tT\t0.3\n")
    reference = added(pair, match, "reference-af", frequencies=str(table))
    np.testing.assert_allclose(reference.sums[0], [0, 2, 4, 0, 0.4 * 1, 2 * 0.6], rtol=1e-15)
    with pytest.raises(InputError, match="no frequency is known"):
        added(pair, match, "reference-af")


def test_ploidy(tmp_path: Path) -> None:
    """Outside of the PAR a man has one copy, and a het call there is none; inside he has two."""
    par, x = ("chrX", 1_000_000, "C"), ("chrX", 5_000_000, "C")
    root = callset(tmp_path, {ONE: ["1/1"] * 4, par: ["0/1"] * 4, x: ["1", "0", "1/1", "0/1"]},
                   ["male", "male", "female", "female"])  # fmt: skip
    first = ("1", 1000, "G", "A")
    rows = [interaction(0, 0, 1.0, first, ("X", 5_000_000, "C", "A")),
            interaction(1, 0, 1.0, first, ("X", 1_000_000, "C", "A")),
            interaction(2, 0, 1.0, ("X", 5_000_000, "A", "C"), ("X", 5_000_000, "A", "C"))]  # fmt: skip
    result = added(root, match_folder(tmp_path / "match", rows))
    assert result.sums.tolist() == [[2, 0, 4, 2], [2, 2, 2, 2], [0, 1, 0, 1]]
    assert result.n_alleles[2].tolist() == [1, 1, 2, 2]
    assert result.n_hom_ref[2].tolist() == [0, 1, 0, 0]
    swapped = added(root, tmp_path / "match", "drop", sexes=["male", "male", "male", "male"])
    assert swapped.sums[2].tolist() == [0, 1, 0, 0]  # the het call of a man is no call
    assert swapped.n_imputed[2].tolist() == [0, 0, 0, 1]
    unknown = added(root, tmp_path / "match", "drop", sexes=["unknown"] * 4)
    assert unknown.n_imputed[2].tolist() == [1] * 4
    assert unknown.sums[1].tolist() == [2] * 4


GENOTYPES = [("0/0", "0/1", "1/1")[a] + " " + ("0/0", "0/1", "1/1")[b] for a in range(3) for b in range(3)]


def test_apoe_alleles_of_every_genotype(tmp_path: Path) -> None:
    first, second = ([pair.split()[i] for pair in GENOTYPES] for i in (0, 1))
    root = callset(tmp_path, {C: first, T: second}, ["female"] * 9)
    names = {"APOE_e2": [2], "APOE-ε3": [3], "e4": [4], "APOE_e2/e4": [2, 4], "APOE e3/e3": [3, 3]}
    rows = [special(i, 0, "APOE", 1.0, effect_allele=name, is_haplotype="TRUE", variant_type="APOE_allele")
            for i, name in enumerate(names)]  # fmt: skip
    result = added(root, match_folder(tmp_path / "match", rows), "error")
    bases = zip(letters(first, "T", "C"), letters(second, "C", "T"), strict=True)
    for person, (a, b) in enumerate(bases):
        carried = plain.apoe_pairs(a, b)[0]  # the pair without e1, where there is one
        expected = [carried.count(own[0]) if len(own) == 1 else int(list(carried) == own) for own in names.values()]
        assert result.sums[:, person].tolist() == expected, GENOTYPES[person]
    assert plain.apoe_pairs("T/C", "C/T") == [(2, 4), (1, 3)]
    assert result.n_hom_ref[0].tolist() == [1] + [0] * 8  # T/T, C/C is the reference: e3/e3


def test_apoe_of_a_missing_genotype_is_what_is_expected() -> None:
    share = {2: 0.08, 3: 0.78, 4: 0.14}
    called = ["./.", "T/T", "C/T", "C/C"]
    code = {"./.": np.nan, "T/T": 0.0, "C/T": 1.0, "C/C": 2.0}
    for a, b in itertools.product(called, repeat=2):
        c, t = code[a], np.nan if b == "./." else 2.0 - code[b]
        if not (np.isnan(c) or np.isnan(t)):
            continue
        for wanted in ((2,), (3,), (4,), (2, 4), (3, 3)):
            f_c, f_t = np.array([share[4]]), np.array([share[2]])
            found = apoe.expected(wanted, np.array([c]), np.array([t]), f_c, f_t)
            assert found[0] == pytest.approx(plain.apoe_expected(a, b, wanted, share), abs=1e-9), (a, b, wanted)


def test_why_rows_are_not_scored(pair: str, tmp_path: Path) -> None:
    good = ("1", 1000, "G", "A")
    cases = [
        (special(0, 0, "haplotype", 1.0, effect_allele="G;T"), "phase_not_known"),
        (special(0, 0, "diplotype", 1.0, effect_allele="HLA-DR3/X"), "phase_not_known"),
        (special(0, 0, "HLA", 1.0, effect_allele="HLA-A*24"), "hla_not_called"),
        (special(0, 0, "CYP", 1.0, effect_allele="CYP2D6*4"), "cyp_not_called"),
        (special(0, 0, "something", 1.0), "kind_not_known"),
        (special(0, 0, "APOE", 1.0, effect_allele="APOE_e5"), "apoe_not_named"),
        (interaction(0, 0, 1.0, good, ("1", 99, "G", "A")), "absent"),
        (interaction(0, 0, 1.0, good, ("1", 2000, "G", "CT")), "other_alleles"),
        (interaction(0, 0, 1.0, good, ("1", 3000, "A", "T")), "ambiguous"),
        (interaction(0, 0, 1.0, good, ("1", 2000, "<DEL>", "C")), "bad_allele"),
        (interaction(0, 0, 1.0, good, ("Z", 2000, "T", "C")), "no_position"),
        (interaction(0, 0, 1.0, good), "not_two_variants"),
        (interaction(0, 0, 1.0, good, ("1", 2000, "T", "C")) | {"weight": None}, "effect_type"),
    ]
    dominant = interaction(0, 0, 1.0, good, ("1", 2000, "T", "C"))
    dominant["fields"]["is_dominant"] = "TRUE"
    cases.append((dominant, "effect_type"))
    rows = [row | {"row": number} for number, (row, _) in enumerate(cases)]
    result = added(pair, match_folder(tmp_path / "match", rows))
    assert reasons(result) == [reason for _, reason in cases]
    assert not len(result.scores) and result.sums.shape == (0, 6)
    assert set(reasons(result)) <= set(REASONS)


def test_choices_of_the_match(tmp_path: Path) -> None:
    second = ("chr1", 4000, "C")
    root = callset(tmp_path, {ONE: ["0/1"], second: ["0/1"]}, ["female"])
    good = ("1", 1000, "G", "A")
    rows = [interaction(0, 0, 1.0, good, ("1", 4000, "A", "G")), interaction(0, 1, 1.0, good, ("1", 4000, "C", "G")),
            interaction(0, 2, 1.0, good, ("1", 5000, "C", "CA")), interaction(0, 3, 1.0, ("1", 1000, "C", "T"), good),
            interaction(0, 4, 1.0, good, ("6", 500, "G", "C"))]  # fmt: skip
    told = [
        ({}, ["multiallelic", "ambiguous", "", "", "ambiguous"]),
        ({"multiallelic": "keep", "palindromic": "keep"}, ["", "", "", "", ""]),
        ({"strand_flips": "exclude", "palindromic": "keep"}, ["multiallelic", "", "", "strand_flip", ""]),
    ]
    for number, (params, expected) in enumerate(told):
        result = added(root, match_folder(tmp_path / f"match{number}", rows, None, **params))
        assert reasons(result) == expected, params


def test_builds(pair: str, tmp_path: Path) -> None:
    """Places of authors count if they are of the callset's build, and harmonised ones before them."""
    row = interaction(0, 0, 1.0, ("1", 1000, "G", "A"), ("1", 2000, "T", "C"))
    for number, (header, reason) in enumerate(
        [({"genome_build": "hg19"}, "no_position"), ({"genome_build": "hg38"}, ""), ({}, ""),
         ({"genome_build": "GRCh37", "HmPOS_build": "GRCh38"}, "no_position")]
    ):  # fmt: skip
        assert reasons(added(pair, match_folder(tmp_path / f"m{number}", [row], header))) == [reason]
    moved = json.loads(json.dumps(row))
    moved["fields"] |= {"chr_position": "7_x_8", "hm_chr": "1_x_1", "hm_pos": "1000_x_2000"}
    header = {"genome_build": "GRCh37", "HmPOS_build": "GRCh38"}
    assert reasons(added(pair, match_folder(tmp_path / "moved", [moved], header))) == [""]


def test_many_terms_are_added_in_blocks(pair: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variants = [("1", 1000, "G", "A"), ("1", 2000, "T", "C"), ("X", 5_000_000, "C", "A")]
    rows = [interaction(score, row, 0.1 * (row + 1), variants[row % 3], variants[(row + 1) % 3])
            for score in (5, 1) for row in range(6)]  # fmt: skip
    match = match_folder(tmp_path / "match", rows)
    whole = added(pair, match)
    monkeypatch.setattr("cohelix.prs.terms.run._HELD_CELLS", 1)
    cut = added(pair, match)
    assert whole.scores.tolist() == cut.scores.tolist() == [1, 5]
    assert whole.sums.tobytes() == cut.sums.tobytes() and whole.rows.equals(cut.rows)


def test_nothing_special(pair: str, tmp_path: Path) -> None:
    result = added(pair, tmp_path)
    assert result.rows.num_rows == 0 and result.sums.shape == (0, 6)


@pytest.mark.real
@pytest.mark.parametrize(("score", "n_rows"), [("PGS000021", 8), ("PGS004239", 9)])
def test_hla_rows_of_the_catalogue(pair: str, tmp_path: Path, data: Path, score: str, n_rows: int) -> None:
    """Type 1 diabetes and Addison's disease: HLA serotypes, alleles and amino acids, each with the reason."""
    file = data / f"prs_formats/pygscatalog/core/data/complex_variants_{score}.txt"
    batch = read_batch(sources([str(file)]))
    rows = [special(row.score, row.row, row.kind, row.weight, **row.fields) for row in batch.special]
    result = added(pair, match_folder(tmp_path / "match", rows))
    assert reasons(result) == ["hla_not_called"] * n_rows
    lines = file.read_text().splitlines()[1:]
    assert result.rows.column("row").to_pylist() == [row for row, line in enumerate(lines) if "HLA-" in line]
