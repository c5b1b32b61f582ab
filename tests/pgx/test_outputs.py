"""What calls are written as, from a folder of calls whose every row is known: each number counted once more here."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cohelix.errors import CohelixError, ConfigError, InputError
from cohelix.genotypes.exports import coded
from cohelix.pgx import reference
from cohelix.pgx.outputs import measurement
from cohelix.pgx.outputs.calls_only import COLUMNS, export_calls_only
from cohelix.pgx.outputs.disclosure import withheld
from cohelix.pgx.outputs.folder import open_calls
from cohelix.pgx.outputs.frequencies import frequencies
from cohelix.pgx.outputs.match_json import export_match
from cohelix.pgx.outputs.measurement import concept_id, write_concepts, write_measurement
from cohelix.pgx.outputs.published import addresses, published_groups, read_published
from cohelix.pgx.schema import CALLS

REFERENCE = "clinpgx/2025-11-05"
GROUPS = ("eur", "afr")
DIPLOTYPES = {
    "CYP2C19": [("*1/*1", "Normal Metabolizer"), ("*1/*2", "Intermediate Metabolizer"), ("*2/*2", "Poor Metabolizer"),
                ("*1/*17", "Rapid Metabolizer")],
    "G6PD": [("B (reference)", "Normal"), ("B (reference)/Telti, Kobe", "Variable"), ("Telti, Kobe", "Deficient")],
}  # fmt: skip
N = 900


def call_row(sample: str, gene: str, **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(CALLS.names)
    row |= {"sample_id": sample, "gene": gene, "source": "matcher", "status": "called", "phase": "unphased",
            "diplotypes": [], "candidates": [], "scores": [], "reported": [], "function1": [], "function2": [],
            "activity_scores": [], "phenotypes": [], "confidence": "high", "n_positions": 35, "n_missing": 0,
            "missing": [], "undocumented": [], "warnings": [], "pattern": 1, "definition": REFERENCE}  # fmt: skip
    return row | more


def with_call(sample: str, gene: str, diplotype: str, phenotype: str, **more: Any) -> dict[str, Any]:
    return call_row(
        sample, gene, diplotypes=[diplotype], candidates=[diplotype], scores=[70], reported=[diplotype],
        function1=["f1"], function2=["f2"], activity_scores=[None], phenotypes=[phenotype], phenotype=phenotype, **more,
    )  # fmt: skip


def cohort() -> list[dict[str, Any]]:
    """Drawn once: 900 people, three genes; a few without a call, with several, and called by another program."""
    draw = np.random.default_rng(7)
    found = []
    for person in range(N):
        sample = f"id{person:04}"
        for gene, known in DIPLOTYPES.items():
            name, phenotype = known[min(int(draw.exponential(1.2)), len(known) - 1)]
            found.append(with_call(sample, gene, name, phenotype))
        if person % 40 == 3:
            found[-2] = call_row(sample, "CYP2C19", status="ambiguous", diplotypes=["*1/*2", "*4/*17"], scores=[9, 9],
                                 reported=["*1/*2", "*4/*17"], phenotypes=["a", "b"], function1=["x", "y"],
                                 function2=["x", "y"], activity_scores=[None, None])  # fmt: skip
        if person % 40 == 5:
            found[-2] = call_row(
                sample, "CYP2C19", status="no_call_no_match", n_missing=2, missing=[94852765, 94762715]
            )
        if person % 3:
            found.append(with_call(sample, "DPYD", "Reference/[c.85T>C (*9A) + c.496A>G]", "Normal Metabolizer",
                                   activity_score=2.0) | {"activity_scores": [2.0]})  # fmt: skip
        else:
            found.append(call_row(sample, "DPYD", status="haplotypes", haplotypes=["c.85T>C (*9A)", "c.85T>C (*9A)"],
                                  reported=["c.85T>C (*9A)/c.85T>C (*9A)"], phenotypes=["Normal Metabolizer"],
                                  function1=["n"], function2=["n"], activity_scores=[2.0], activity_score=2.0,
                                  phenotype="Normal Metabolizer"))  # fmt: skip
    return found


COHORT = cohort()


def group_of(sample: str) -> str:
    return "" if sample.endswith("9") else GROUPS[int(sample[2:]) % 5 == 0]


def write_calls(folder: Path, rows: list[dict[str, Any]], n_parts: int = 2) -> str:
    (folder / "_pgx").mkdir(parents=True)
    people = sorted({row["sample_id"] for row in rows})
    files: dict[str, Any] = {}
    plain = pa.schema([(one.name, pa.string() if pa.types.is_dictionary(one.type) else one.type) for one in CALLS])

    def seal(name: str) -> None:
        content = (folder / name).read_bytes()
        files[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    for part in range(n_parts):
        held = set(people[part * len(people) // n_parts : (part + 1) * len(people) // n_parts])
        name = f"part-{part:05}.parquet"
        with pq.ParquetWriter(folder / name, plain, store_schema=False) as writer:
            for gene in sorted({row["gene"] for row in rows}):
                own = [row for row in rows if row["gene"] == gene and row["sample_id"] in held]
                if own:
                    writer.write_table(pa.Table.from_pylist(own, plain))
        seal(name)
    patterns = {"gene": ["CYP2C19", "CYP2C19"], "pattern": pa.array([1, 2], pa.int64()), "n_people": [5, 6],
                "genotype": ["", "94775367:A|G@2 94781859:G|A@2"], "n_missing": [0, 0]}  # fmt: skip
    pq.write_table(pa.table(patterns), folder / "_pgx" / "patterns.parquet")
    seal("_pgx/patterns.parquet")
    meta = {"kind": "pgx_calls", "reference": REFERENCE, "genes": {row["gene"]: {} for row in rows},
            "n_people": len(people), "files": files, "params": {}}  # fmt: skip
    (folder / "_pgx" / "pgx.json").write_text(json.dumps(meta))
    return str(folder)


@pytest.fixture
def calls(tmp_path: Path) -> str:
    return write_calls(tmp_path / "pgx.parquet", COHORT)


@pytest.fixture
def groups(tmp_path: Path) -> str:
    rows = [f"{sample}\t{group_of(sample)}" for sample in sorted({row["sample_id"] for row in COHORT})]
    (tmp_path / "groups.tsv").write_text("sample_id\tgroup\n" + "\n".join(rows) + "\n")
    return str(tmp_path / "groups.tsv")


def tsv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))


def counted(kind: str, group: str) -> Counter[tuple[str, str]]:
    """Plainly, a person at a time."""
    found: Counter[tuple[str, str]] = Counter()
    for row in COHORT:
        if group != "all" and (group_of(row["sample_id"]) or "not stated") != group:
            continue
        gene, one = row["gene"], row["diplotypes"]
        if kind == "status":
            found[gene, row["status"]] += 1
        elif kind == "phenotype" and row["phenotype"]:
            found[gene, row["phenotype"]] += 1
        elif kind == "diplotype" and len(one) == 1:
            found[gene, one[0]] += 1
        elif kind == "allele":
            strands = one[0].split("/") if len(one) == 1 else []
            for strand in strands + list(row["haplotypes"] or ()):
                for part in strand.strip("[]").split(" + "):
                    found[gene, part] += 1
    return found


def test_frequencies_are_counts_by_group(tmp_path: Path, calls: str, groups: str) -> None:
    summary = frequencies(calls, str(tmp_path / "out"), groups=groups, least=1, plots=False)
    rows = tsv(tmp_path / "out" / "frequencies.tsv")
    assert summary["n_withheld"] == 0 and summary["groups"] == sorted(GROUPS)
    for group in ("all", *GROUPS, "not stated"):
        for kind in ("allele", "diplotype", "phenotype", "status"):
            told = {(row["gene"], row["name"]): int(row["n"]) for row in rows
                    if (row["kind"], row["group"]) == (kind, group) and int(row["n"])}  # fmt: skip
            assert told == dict(counted(kind, group)), (kind, group)
    totals = {(row["gene"], row["kind"]): int(row["total"]) for row in rows if row["group"] == "all"}
    ambiguous = sum(row["status"] != "called" for row in COHORT if row["gene"] == "CYP2C19")
    assert totals["CYP2C19", "allele"] == 2 * (N - ambiguous) == 2 * totals["CYP2C19", "diplotype"]
    haploid = sum(row["diplotypes"][0] in ("B (reference)", "Telti, Kobe") for row in COHORT if row["gene"] == "G6PD")
    assert totals["G6PD", "allele"] == 2 * N - haploid
    assert totals["DPYD", "allele"] == 2 * N and totals["DPYD", "status"] == N
    for row in rows:
        assert float(row["frequency"]) == pytest.approx(int(row["n"]) / int(row["total"]), rel=1e-5)


def test_small_counts_and_what_would_tell_them_are_withheld(tmp_path: Path, calls: str, groups: str) -> None:
    frequencies(calls, str(tmp_path / "out"), groups=groups, least=20, plots=False)
    rows = tsv(tmp_path / "out" / "frequencies.tsv")
    true = {kind: {group: counted(kind, group) for group in ("all", *GROUPS, "not stated")}
            for kind in ("allele", "diplotype", "phenotype", "status")}  # fmt: skip
    assert any(row["withheld"] == "true" for row in rows)
    for row in rows:
        count = true[row["kind"]][row["group"]][row["gene"], row["name"]]
        if 0 < count < 20:
            assert (row["withheld"], row["n"], row["total"], row["frequency"]) == ("true", "", "", "")
        elif row["withheld"] == "false":
            assert int(row["n"]) == count


@pytest.mark.parametrize("seed", range(30))
def test_nothing_withheld_follows_from_a_row_or_a_column(seed: int) -> None:
    draw = np.random.default_rng(seed)
    parts = draw.negative_binomial(0.6, 0.01, (draw.integers(1, 6), draw.integers(1, 5)))
    counts = np.column_stack([parts.sum(1), parts])
    totals, least = counts.sum(0), 20
    hidden = withheld(counts, totals, least)
    assert hidden[(counts > 0) & (counts < least)].all()
    for column in range(counts.shape[1]):
        held = counts[hidden[:, column], column]
        told = counts[~hidden[:, column], column]
        assert held.sum() == 0 or held.sum() >= least or told.sum() == 0
        assert (held > 0).sum() != 1 or told.sum() == 0
    for row in range(counts.shape[0]):
        held = counts[row, 1:][hidden[row, 1:]]
        assert hidden[row, 0] or not held.sum() or (held.sum() >= least and (held > 0).sum() > 1)


def test_page_draws_the_cohort_beside_published_frequencies(tmp_path: Path, calls: str, groups: str) -> None:
    for name in ("one", "two"):
        frequencies(calls, str(tmp_path / name), groups=groups, least=20)
    for name in ("index.html", "plots/published.svg", "plots/published.png", "frequencies.tsv", "published.tsv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    page = (tmp_path / "one" / "index.html").read_text()
    assert "CYP2C19" in page and "eur (European)" in page and "id0" not in page and "http" in page
    beside = tsv(tmp_path / "one" / "published.tsv")
    one = next(row for row in beside if (row["gene"], row["allele"], row["group"]) == ("CYP2C19", "*2", "eur"))
    count, called = counted("allele", "eur")["CYP2C19", "*2"], 0
    called = sum(2 for row in COHORT if row["gene"] == "CYP2C19" and len(row["diplotypes"]) == 1
                 and group_of(row["sample_id"]) == "eur")  # fmt: skip
    assert float(one["frequency"]) == pytest.approx(count / called, rel=1e-5)
    assert (one["published_group"], one["published"]) == ("European", "0.183")


def test_published_frequencies_name_their_source_and_known_alleles() -> None:
    listed, genes = read_published(), reference.load(REFERENCE)
    assert {one.source for one in listed} == set(addresses())
    for one in listed:
        known = {allele.name for allele in (*genes[one.gene].alleles, *genes[one.gene].functions_only)}
        assert one.allele in known, (one.gene, one.allele)
        assert 0 <= one.frequency <= 1
    assert published_groups(["EUR", "afr", "none such"]) == {
        "EUR": ("European",), "afr": ("African", "Sub-Saharan African"), "none such": ()
    }  # fmt: skip
    for gene, group in {(one.gene, one.group) for one in listed}:
        by_source: dict[str, float] = {}
        for one in listed:
            if (one.gene, one.group) == (gene, group) and not one.below:
                by_source[one.source] = by_source.get(one.source, 0.0) + one.frequency
        assert all(total <= 1.005 for total in by_source.values())


LINKS = "sample_id\tperson_id\nid0000\t50\nid0001\t51\nid0003\t53\nid0043\t53\nid0005\t55\n"


def test_measurement_rows_are_phenotypes_scores_and_genotypes(tmp_path: Path, calls: str) -> None:
    (tmp_path / "links.tsv").write_text(LINKS)
    out = tmp_path / "measurement.parquet"
    n = write_measurement(calls, str(out), links=str(tmp_path / "links.tsv"), date="2024-06-30", first_id=10)
    rows = pq.read_table(out).to_pylist()
    assert len(rows) == n and [row["measurement_id"] for row in rows] == list(range(10, 10 + n))
    person = {"id0000": 50, "id0001": 51, "id0003": 53, "id0005": 55}  # id0043 is the second sample of person 53
    expected: Counter[tuple[object, ...]] = Counter()
    for row in COHORT:
        if row["sample_id"] not in person:
            continue
        one, gene = person[row["sample_id"]], row["gene"]
        if row["phenotype"]:
            expected[one, concept_id("phenotype", gene), None, row["phenotype"]] += 1
        if row["activity_score"] is not None:
            expected[one, concept_id("activity_score", gene), row["activity_score"], None] += 1
        for name in row["diplotypes"] or (["; ".join(row["haplotypes"])] if row["haplotypes"] else []):
            expected[one, concept_id("genotype", gene), None, name] += 1
    found = Counter((row["person_id"], row["measurement_source_concept_id"], row["value_as_number"],
                     row["value_source_value"]) for row in rows)  # fmt: skip
    assert found == expected
    assert {str(row["measurement_date"]) for row in rows} == {"2024-06-30"}
    assert all(len(row["measurement_source_value"]) <= 50 for row in rows)
    concepts = tmp_path / "concept.parquet"
    assert write_concepts(calls, str(concepts)) == pq.read_table(concepts).num_rows
    listed = {row["concept_id"] for row in pq.read_table(concepts).to_pylist()}
    assert {row["measurement_source_concept_id"] for row in rows} <= listed
    custom = {row[name] for row in rows for name in ("measurement_concept_id", "value_as_concept_id") if row[name]}
    assert {one for one in custom if one >= 2_000_000_000} <= listed


def test_concepts_follow_from_what_they_mean_and_none_is_twice() -> None:
    digest = hashlib.sha256(b"pgx phenotype CYP2C19").digest()
    assert concept_id("phenotype", "CYP2C19") == 2_009_000_000 + int.from_bytes(digest[:8], "big") % 1_000_000
    genes = reference.load(REFERENCE)
    meant = [(kind, gene) for gene in genes for kind in measurement.KINDS]
    meant += [("answer", text) for text in {rule.phenotype for gene in genes.values() for rule in gene.rules}]
    assert len({concept_id(*one) for one in meant}) == len(meant)


def test_match_json_of_one_person(tmp_path: Path) -> None:
    rows = [
        with_call("s1", "CYP2C19", "*1/*2", "Intermediate Metabolizer", phase="phase_sets", pattern=2, n_missing=1,
                  missing=[94852765]),
        with_call("s2", "CYP2C19", "*1/*1", "Normal Metabolizer", phase="phased"),
        call_row("s1", "DPYD", status="haplotypes", haplotypes=["c.85T>C (*9A)", "c.496A>G"]),
        with_call("s1", "CYP2D6", "*1x2/*4", "Intermediate Metabolizer", source="outside", status="outside"),
        with_call("s2", "G6PD", "B (reference)", "Normal", phase="phased"),
    ]  # fmt: skip
    calls = write_calls(tmp_path / "calls", rows, 1)
    (tmp_path / "some.tsv").write_text("sample_id\ns2\ns1\n")
    assert export_match(calls, str(tmp_path / "out"), samples=str(tmp_path / "some.tsv")) == 2
    assert [(row["file"], row["sample_id"]) for row in tsv(tmp_path / "out" / "people.tsv")] == [
        ("00001.match.json", "s2"), ("00002.match.json", "s1")
    ]  # fmt: skip
    second = json.loads((tmp_path / "out" / "00002.match.json").read_text())
    assert second["metadata"]["sampleId"] == "s1" and second["metadata"]["genomeBuild"] == "GRCh38"
    assert [one["gene"] for one in second["results"]] == ["CYP2C19", "DPYD"]  # another program's calls are not ours
    own, dpyd = second["results"]
    assert own["diplotypes"] == [
        {"name": "*1/*2", "score": 70, "haplotype1": {"name": "*1"}, "haplotype2": {"name": "*2"}}
    ]
    gene = reference.load(REFERENCE)["CYP2C19"]
    calls_at = {one["position"]: one for one in own["variants"]}
    assert set(calls_at) == {one.position for one in gene.positions} - {94852765}
    assert calls_at[94781859] == {"position": 94781859, "rsid": "rs4244285", "vcfCall": "G|A", "phaseSet": 2}
    assert calls_at[94761900]["vcfCall"] == "C/C"
    assert [one["position"] for one in own["matchData"]["missingPositions"]] == [94852765]
    gone = {
        allele.name
        for allele in gene.alleles
        if {one.position for one, cell in zip(gene.positions, allele.cells, strict=True) if cell} == {94852765}
    }
    assert set(own["uncallableHaplotypes"]) == gone and gone
    assert [one["name"] for one in dpyd["haplotypeMatches"]] == ["c.85T>C (*9A)", "c.496A>G"]
    first = json.loads((tmp_path / "out" / "00001.match.json").read_text())
    g6pd = first["results"][1]
    assert g6pd["diplotypes"][0]["haplotype2"] is None and {len(v["vcfCall"].split("/")) for v in g6pd["variants"]} == {
        1
    }


def test_calls_only_has_pharmcats_columns(tmp_path: Path, calls: str) -> None:
    out = tmp_path / "calls.tsv"
    n = export_calls_only(calls, str(out))
    program, header, *lines = out.read_text().splitlines()
    assert program.startswith("cohelix ") and tuple(header.split("\t")) == COLUMNS
    rows = [dict(zip(COLUMNS, line.split("\t"), strict=True)) for line in lines]
    assert len(rows) == n == len(COHORT)
    by_person = {(row["Sample ID"], row["Gene"]): row for row in rows}
    for one in COHORT:
        row = by_person[one["sample_id"], one["gene"]]
        assert row["Missing positions"] == ("yes" if one["n_missing"] else "no") and row["Outside Call"] == "no"
        if one["status"] == "no_call_no_match":
            assert (row["Source Diplotype"], row["Phenotype"]) == ("no call", "")
        elif one["status"] == "haplotypes":
            assert row["Source Diplotype"] == "c.85T>C (*9A) AND c.85T>C (*9A)"
            assert row["Recommendation Lookup Activity Score"] == "2.0"
        else:
            assert row["Source Diplotype"] == " OR ".join(one["diplotypes"])
            assert row["Match Score"] == " / ".join(map(str, one["scores"][: len(one["diplotypes"])]))
            assert row["Phenotype"] == " / ".join(one["phenotypes"])
        if one["diplotypes"] == ["B (reference)/Telti, Kobe"]:
            assert (row["Haplotype 1"], row["Haplotype 2"]) == ("B (reference)", "Telti, Kobe")
    assert export_calls_only(calls, str(out) + ".gz") == n
    assert gzip.decompress((tmp_path / "calls.tsv.gz").read_bytes()) == out.read_bytes()


def test_an_id_that_a_table_of_text_cannot_hold_is_refused(tmp_path: Path) -> None:
    calls = write_calls(tmp_path / "calls", [with_call('a"b', "CYP2C19", "*1/*1", "Normal Metabolizer")], 1)
    with pytest.raises(InputError, match="without tabs, line breaks and quotes") as error:
        export_calls_only(calls, str(tmp_path / "out.tsv"))
    assert not (tmp_path / "out.tsv").exists() and 'a"b' not in str(error.value)


def bad_json(folder: Path) -> None:
    (folder / "_pgx" / "pgx.json").write_text("{}")


def no_part(folder: Path) -> None:
    (folder / "part-00001.parquet").unlink()


def short_part(folder: Path) -> None:
    (folder / "part-00000.parquet").write_bytes(b"PAR1")


@pytest.mark.parametrize(
    ("damage", "message"),
    [(bad_json, "pgx.json .* damaged"), (no_part, "part 2 .* missing"), (short_part, "part 1 .* damaged"),
     (lambda folder: (folder / "_pgx" / "pgx.json").unlink(), "expected a folder of `cohelix pgx call`")],
)  # fmt: skip
def test_damaged_calls_are_refused_and_nothing_is_left(tmp_path: Path, calls: str, damage: Any, message: str) -> None:
    damage(Path(calls))
    (tmp_path / "links.tsv").write_text(LINKS)
    for write in (
        lambda out: frequencies(calls, out, plots=False),
        lambda out: export_match(calls, out),
        lambda out: export_calls_only(calls, out),
        lambda out: write_concepts(calls, out),
        lambda out: write_measurement(calls, out, links=str(tmp_path / "links.tsv"), date="2024-06-30"),
    ):
        with pytest.raises(InputError, match=message):
            write(str(tmp_path / "out"))
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("what", "kind", "message"),
    [
        ("id0000\nid0000\n", InputError, "rows 2 and 3 of the table of samples are the same"),
        ("id0000\nstranger\n", InputError, "row 3 of the table of samples is of a sample that was not called"),
        ("\n".join(f"x{i}" for i in range(10_001)) + "\n", ConfigError, "at most 10,000 people"),
    ],
)
def test_samples_that_cannot_be_written(
    tmp_path: Path, calls: str, what: str, kind: type[CohelixError], message: str
) -> None:
    (tmp_path / "some.tsv").write_text("sample_id\n" + what)
    with pytest.raises(kind, match=message) as error:
        export_match(calls, str(tmp_path / "out"), samples=str(tmp_path / "some.tsv"))
    assert not (tmp_path / "out").exists() and "stranger" not in str(error.value)


def test_links_of_nobody_and_groups_of_others_are_refused(tmp_path: Path, calls: str) -> None:
    (tmp_path / "links.tsv").write_text("sample_id\tperson_id\nelse\t4\n")
    with pytest.raises(InputError, match="found none of them"):
        write_measurement(calls, str(tmp_path / "m"), links=str(tmp_path / "links.tsv"), date="2024-06-30")
    with pytest.raises(ConfigError, match="needs its date"):
        write_measurement(calls, str(tmp_path / "m"), links=str(tmp_path / "links.tsv"))
    (tmp_path / "groups.tsv").write_text("sample_id\tgroup\nelse\teur\n")
    with pytest.raises(InputError, match="it is of other samples"):
        frequencies(calls, str(tmp_path / "f"), groups=str(tmp_path / "groups.tsv"), plots=False)
    with pytest.raises(ConfigError, match="out of range"):
        frequencies(calls, str(tmp_path / "f"), least=0, plots=False)
    assert not (tmp_path / "m").exists() and not (tmp_path / "f").exists()


def test_codes_of_a_column_with_nulls_and_chunks() -> None:
    column = pa.chunked_array([pa.array(["b", None]), pa.array(["a", "b"])])
    code, names = coded(column)
    assert [names[one] if one >= 0 else None for one in code] == ["b", None, "a", "b"]
    assert coded(pa.chunked_array([], pa.string()))[1] == []


def test_reading_a_folder_says_its_reference_and_genes(calls: str) -> None:
    opened = open_calls(calls)
    assert (opened.reference, opened.genes, len(opened.parts)) == (REFERENCE, ["CYP2C19", "DPYD", "G6PD"], 2)
