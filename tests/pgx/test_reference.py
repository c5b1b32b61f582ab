"""Tables of `reference/pgx` against the files they were made of, and what is refused."""

from __future__ import annotations

import csv
import gzip
import json
import tomllib
from hashlib import sha256
from pathlib import Path

import pytest

from cohelix.errors import ConfigError, ContractError, InputError, ReferenceMismatch
from cohelix.pgx import names
from cohelix.pgx.definition import IUPAC, Gene
from cohelix.pgx.phenotype import Interpreter
from cohelix.pgx.reference import load, tables
from cohelix.pgx.reference.check import check_reference
from cohelix.pgx.reference.importing import import_reference
from cohelix.pgx.reference.pharmcat import gene_of
from cohelix.reference import reference_path

DATASET = "clinpgx/2025-11-05"
PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "data" / "pgx"
CANDIDATE = PUBLISHED / "reference_candidate"
GAPS = reference_path("pgx", "gaps", "1")
GENES = (
    "ABCG2 CACNA1S CFTR CYP2B6 CYP2C19 CYP2C9 CYP2D6 CYP3A4 CYP3A5 CYP4F2 DPYD G6PD IFNL3 NAT2 NUDT15 RYR1 SLCO1B1 "
    "TPMT UGT1A1 VKORC1"
).split()
WITH_PHENOTYPES = sorted(set(GENES) - {"CYP2D6", "CYP4F2", "G6PD", "RYR1"})


@pytest.fixture(scope="module")
def genes() -> dict[str, Gene]:
    return load(DATASET)


def definition(symbol: str) -> dict:
    return json.loads((PUBLISHED / "definitions" / f"{symbol}_translation.json").read_text())


def test_every_gene_is_there(genes: dict[str, Gene]) -> None:
    assert sorted(genes) == sorted([*GENES, "HLA-A", "HLA-B", "MT-RNR1"])
    assert sum(len(gene.positions) for gene in genes.values()) == 1201
    assert sum(len(gene.alleles) for gene in genes.values()) == 1317
    assert {symbol for symbol, gene in genes.items() if gene.method == "outside"} == {"HLA-A", "HLA-B", "MT-RNR1"}
    assert genes["G6PD"].ploidy == "X" and genes["MT-RNR1"].ploidy == "MT"
    for gene in genes.values():
        assert list(gene.alleles) == sorted(gene.alleles, key=lambda allele: names.key(allele.name))
        places = [place.position for place in gene.positions]
        assert places == sorted(set(places))


@pytest.mark.real
@pytest.mark.parametrize("symbol", GENES)
def test_cells_are_those_of_the_source(genes: dict[str, Gene], symbol: str) -> None:
    gene, source = genes[symbol], definition(symbol)
    told = {
        (one["name"], variant["position"]): cell
        for one in source["namedAlleles"]
        for variant, cell in zip(source["variants"], one["alleles"], strict=True)
    }
    ours = {
        (allele.name, place.position): cell
        for allele in gene.alleles
        for place, cell in zip(gene.positions, allele.cells, strict=True)
    }
    assert ours == told
    for variant, place in zip(source["variants"], gene.positions, strict=True):
        assert (variant["chromosome"], variant["position"], variant["ref"], tuple(variant["alts"])) == (
            place.contig, place.position, place.ref, place.alts,
        )  # fmt: skip
        assert (variant["rsid"] or "") == place.rsid
    cores = {one["name"]: set(one["corePositions"] or ()) for one in source["namedAlleles"]}
    assert {allele.name: set(allele.core) for allele in gene.alleles} == cores
    assert [one["name"] for one in source["namedAlleles"] if one["reference"]] == [gene.reference_allele.name]


@pytest.mark.real
@pytest.mark.parametrize("symbol", WITH_PHENOTYPES)
def test_every_diplotype_follows_from_the_rules(genes: dict[str, Gene], symbol: str) -> None:
    source = json.loads((PUBLISHED / "phenotypes" / f"{symbol}.json").read_text())
    interpreter = Interpreter(genes[symbol])
    for one in source["diplotypes"]:
        alleles = [name for name, copies in one["diplotypekey"].items() for _ in range(copies)]
        meaning = interpreter.diplotype(*alleles)
        assert (meaning.phenotype or "n/a") == one["phenotype"], one["diplotype"]
        score = one["activityScore"]
        if genes[symbol].scored_by_activity and score != "n/a":
            assert meaning.activity_score == float(score)
    stated = {one["name"]: one["functionValue"] for one in source["namedAlleles"]}
    known = {allele.name: allele.function for allele in (*genes[symbol].alleles, *genes[symbol].functions_only)}
    assert {name: known[name] for name in stated} == stated


@pytest.mark.real
@pytest.mark.parametrize("symbol", ["CYP2D6", "G6PD", "RYR1"])
def test_gaps_agree_with_cpic(genes: dict[str, Gene], symbol: str) -> None:
    """CPIC's own table of diplotypes (1.38.0), of the alleles that both know; where it gives a phenotype at all."""
    gene, tested = genes[symbol], 0
    known = {allele.name for allele in (*gene.alleles, *gene.functions_only) if allele.function}
    interpreter = Interpreter(gene)
    with gzip.open(CANDIDATE / "cpic_1.38.0_diplotype_to_phenotype.tsv.gz", "rt") as handle:
        rows = csv.reader((line for line in handle if not line.startswith("#")), delimiter="\t", quoting=csv.QUOTE_NONE)
        for symbol_, diplotype, phenotype, _ in rows:
            if symbol_ != symbol or phenotype in ("Indeterminate", "n/a"):
                continue
            alleles = diplotype.split("/")
            if set(alleles) <= known:
                tested += 1
                assert interpreter.diplotype(*alleles).phenotype == phenotype, diplotype
    assert tested > 1000


@pytest.mark.real
def test_ref_is_that_of_pharmcats_positions(genes: dict[str, Gene]) -> None:
    lines = (PUBLISHED / "pharmcat_positions.vcf").read_text().splitlines()
    fields = [line.split("\t") for line in lines if line[0] != "#"]
    told = {(one[0], int(one[1])): (one[3], set(one[4].split(","))) for one in fields}
    ours = {
        (place.contig, place.position): (place.ref, set(place.alts))
        for gene in genes.values()
        for place in (*gene.positions, *gene.extra)
    }
    assert len(told) == 1202 and ours == told


@pytest.mark.real
def test_gap_tables_say_what_cpic_says(genes: dict[str, Gene]) -> None:
    """Two sources of each value: CPIC's older tables of values, and ClinPGx's words for them."""
    with (CANDIDATE / "allele_function.tsv").open() as handle:
        rows = list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    malignant = "Malignant Hyperthermia associated"
    for symbol in ("CYP2D6", "G6PD", "RYR1"):
        known = {
            allele.name.replace(", ", "/"): allele for allele in (*genes[symbol].alleles, *genes[symbol].functions_only)
        }
        told = [row for row in rows if row["gene"] == symbol]
        assert len(told) > 150
        for row in told:
            ours = known[row["allele"].replace(", ", "/")]
            if symbol == "CYP2D6":
                value = row["activity_value"].lstrip("≥")
                assert ours.activity == (None if value == "n/a" else float(value)), ours.name
                unsure = ours.function in ("Uncertain function", "Unknown function")
                assert unsure == (ours.activity is None) and (ours.function == "No function") == (ours.activity == 0)
            elif symbol == "RYR1":
                assert (ours.function == malignant) == (row["function"] == malignant), ours.name
                assert ours.function in (malignant, "Normal function", "Uncertain function")
            else:
                assert ours.function == row["function"], ours.name


@pytest.mark.real
def test_import_makes_the_folder_that_is_shipped(tmp_path: Path) -> None:
    counts = import_reference(
        str(PUBLISHED / "definitions"), str(PUBLISHED / "phenotypes"), str(tmp_path / "clinpgx" / "2025-11-05"),
        functions=str(GAPS / "functions.tsv"), rules=str(GAPS / "rules.tsv"),
        diplotypes=str(CANDIDATE / "cpic_1.38.0_diplotype_to_phenotype.tsv.gz"),
    )  # fmt: skip
    assert counts == {"genes": 23, "positions": 1201, "alleles": 1317}
    shipped = reference_path("pgx", *DATASET.split("/"))
    assert sorted(path.name for path in shipped.iterdir()) == sorted(
        path.name for path in (tmp_path / "clinpgx" / "2025-11-05").iterdir()
    )
    for path in shipped.iterdir():
        assert (tmp_path / "clinpgx" / "2025-11-05" / path.name).read_bytes() == path.read_bytes(), path.name


def test_the_source_names_its_files() -> None:
    folder = reference_path("pgx", *DATASET.split("/"))
    said = tomllib.loads((folder / "SOURCE.toml").read_text())
    assert said["licence"] == "CC-BY-SA-4.0" and "by-sa/4.0" in (folder / "LICENSE").read_text()
    assert {one["path"]: one["sha256"] for one in said["file"]} == {
        path.name: sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.tsv")
    }


def test_written_is_read_again(genes: dict[str, Gene], tmp_path: Path) -> None:
    folder = tmp_path / "clinpgx" / "2025-11-05"
    folder.mkdir(parents=True)
    tables.write(list(genes.values()), folder)
    assert load(str(folder)) == genes


def test_names_of_repeats_are_those_of_their_alleles(genes: dict[str, Gene]) -> None:
    (repeat,) = (place for place in genes["UGT1A1"].positions if place.position == 233760233)
    assert dict(zip(repeat.alts, repeat.hgvs, strict=True)) == {
        "C": "g.233760235TA[6]", "CATAT": "g.233760235TA[8]", "CATATAT": "g.233760235TA[9]",
    }  # fmt: skip
    for gene in genes.values():
        for place in gene.positions:
            assert len(place.hgvs) == len(place.alts) and all(place.hgvs), (gene.symbol, place.position)


def test_wobbles_are_known_codes(genes: dict[str, Gene]) -> None:
    wobbles = {
        (gene.symbol, allele.name)
        for gene in genes.values()
        for allele in gene.alleles
        for place, cell in zip(gene.positions, allele.cells, strict=True)
        if cell is not None and cell not in (place.ref, *place.alts) and len(IUPAC[cell]) > 1
    }
    assert {("CYP2C19", "*2"), ("CYP2C19", "*4"), ("CYP2C19", "*35"), ("CYP2C9", "*36"), ("CYP2B6", "*18")} <= wobbles
    assert ("CYP2D6", "*1") in wobbles


def test_unknown_gene_and_data_set() -> None:
    with pytest.raises(ConfigError, match=r"'CYP9Z9' is not among those of clinpgx/2025-11-05\. Choose of: ABCG2, "):
        load(DATASET, ["CYP2C19", "CYP9Z9"])
    for wrong in ("clinpgx/1999-01-01", "clinpgx", "../pgx/clinpgx", ""):
        with pytest.raises(ConfigError, match="are not there"):
            load(wrong)


def toy(**changes: object) -> dict:
    variant = {"chromosome": "chr1", "position": 100, "rsid": "rs1", "chromosomeHgvsName": "g.100A>G", "ref": "A",
               "alts": ["G"], "cpicToVcfAlleleMap": {"A": "A", "G": "G"}}  # fmt: skip
    allele = {"name": "*1", "id": "1", "alleles": ["A"], "reference": True, "corePositions": []}
    other = {"name": "*2", "id": "2", "alleles": ["G"], "reference": False, "corePositions": [100]}
    return {"gene": "TOY", "chromosome": "chr1", "version": "2020-01-01-00-00", "variants": [variant],
            "namedAlleles": [allele, other]} | changes  # fmt: skip


def test_a_definition_that_contradicts_itself_is_refused() -> None:
    assert [allele.name for allele in gene_of(toy()).alleles] == ["*1", "*2"]
    whole = toy()
    with pytest.raises(InputError, match="one reference allele"):
        gene_of(toy(namedAlleles=[whole["namedAlleles"][1]]))
    with pytest.raises(InputError, match="each position once"):
        gene_of(toy(variants=[*whole["variants"]] * 2, namedAlleles=[]))
    wrong = dict(whole["namedAlleles"][1], alleles=["T"])
    with pytest.raises(InputError, match="where it is not an allele"):
        gene_of(toy(namedAlleles=[whole["namedAlleles"][0], wrong]))
    with pytest.raises(InputError, match="a cell for each of 1 positions"):
        gene_of(toy(namedAlleles=[whole["namedAlleles"][0], dict(whole["namedAlleles"][1], alleles=["G", "G"])]))
    with pytest.raises(InputError, match="definition file of PharmCAT"):
        gene_of({"gene": "TOY"})


@pytest.mark.real
@pytest.mark.parametrize("path", sorted((PUBLISHED / "case_definitions").glob("*.json")), ids=lambda path: path.stem)
def test_definitions_of_older_releases_are_read(path: Path) -> None:
    """Without a version or core positions: these are then the positions that an allele states."""
    source = json.loads(path.read_text())
    gene = gene_of(source)
    assert (gene.symbol, len(gene.positions), len(gene.alleles)) == (
        source["gene"], len(source["variants"]), len(source["namedAlleles"]),
    )  # fmt: skip
    places = {place.position: at for at, place in enumerate(gene.positions)}
    for one in source["namedAlleles"]:
        (allele,) = (allele for allele in gene.alleles if allele.name == one["name"])
        for variant, cell in zip(source["variants"], one["alleles"], strict=True):
            assert allele.cells[places[variant["position"]]] == cell
        if not one.get("corePositions") and not allele.reference:
            assert allele.core == tuple(place for place, at in places.items() if allele.cells[at] is not None)


def test_phenotypes_that_no_rule_makes_are_refused() -> None:
    named = [{"name": f"*{n}", "functionValue": "Normal function", "activityValue": None} for n in (1, 2)]
    said = [{"diplotypekey": {"*1": 2}, "phenotype": "Normal", "activityScore": None},
            {"diplotypekey": {"*1": 1, "*2": 1}, "phenotype": "Poor", "activityScore": None}]  # fmt: skip
    with pytest.raises(InputError, match="have different phenotypes"):
        gene_of(toy(), None, {"namedAlleles": named, "diplotypes": said})


def test_import_refuses_what_is_no_release(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="found none at that path"):
        import_reference(str(tmp_path / "nowhere"), str(tmp_path / "empty"), str(out))
    with pytest.raises(InputError, match=r"_translation\.json"):
        import_reference(str(tmp_path / "empty"), str(tmp_path / "empty"), str(out))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "TOY_translation.json").write_text("{")
    with pytest.raises(InputError, match=r"expected JSON in TOY_translation\.json"):
        import_reference(str(tmp_path / "bad"), str(tmp_path / "empty"), str(out))
    (tmp_path / "bad" / "TOY_translation.json").write_text(json.dumps(toy()))
    table, other = tmp_path / "functions.tsv", tmp_path / "rules.tsv"
    other.write_text("gene\tkey_type\tkey\tphenotype\nTOY\tactivity_score\t2.0\tNormal Metabolizer\n")
    for text, message in (
        ("gene\tallele\nTOY\t*1\n", "expected the columns activity_value, allele, function, gene"),
        ("gene\tallele\tfunction\tactivity_value\nTOY\t*1\tNormal function\tmuch\n", "such as 0.25.* found 'much'"),
    ):
        table.write_text(text)
        with pytest.raises(InputError, match=message):
            import_reference(str(tmp_path / "bad"), str(tmp_path / "empty"), str(out), functions=str(table),
                             rules=str(other))  # fmt: skip
    with pytest.raises(ConfigError, match="--functions and --rules"):
        import_reference(str(tmp_path / "bad"), str(tmp_path / "empty"), str(out), functions=str(table))
    assert not out.exists()


def test_a_damaged_table_is_refused(genes: dict[str, Gene], tmp_path: Path) -> None:
    tables.write([genes["UGT1A1"]], tmp_path)
    path = tmp_path / "positions.tsv"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if "233760498" not in line) + "\n")
    with pytest.raises(ContractError, match="states a position that the gene does not have"):
        load(str(tmp_path))


def test_ref_against_a_genome(genes: dict[str, Gene], tmp_path: Path) -> None:
    import pysam

    few = {"TOY": gene_of(toy())}
    fasta = tmp_path / "g.fa"
    for name, base in (("chr1", "A"), ("1", "A"), ("chr1", "a"), ("chr1", "N"), ("chr2", "A"), ("chr1", "C")):
        fasta.write_text(f">{name}\n" + "T" * 99 + base + "T" * 20 + "\n")
        pysam.faidx(str(fasta))
        if base == "C":
            with pytest.raises(ReferenceMismatch, match=r"1 of 1 positions .* the first chr1:100 of TOY"):
                check_reference(few, str(fasta))
        else:  # what the genome does not say is no contradiction
            assert check_reference(few, str(fasta)) == (base in "Aa" and name != "chr2")
        Path(f"{fasta}.fai").unlink()
    with pytest.raises(InputError, match="samtools faidx"):
        check_reference(few, str(tmp_path / "none.fa"))
