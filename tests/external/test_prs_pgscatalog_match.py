"""Decisions of `pgscatalog-match` and ours on each row of its own example files, and of drawn ones.

What differs stands in pgscatalog_departures.toml with the reason and the number of rows.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.external import pgscatalog_cases as cases
from tests.external.pgscatalog_cases import DATA, PEERS, POLICIES

MATCH, CORE = DATA / "pygscatalog" / "match" / "data", DATA / "pygscatalog" / "core" / "data"
EXAMPLES = DATA / "pgsc_calc" / "assets" / "examples"
CINECA = EXAMPLES / "target_genomes" / "cineca_synthetic_subset.pvar"
DEPARTURES = {
    (entry["case"], entry["policy"]): entry["differences"]
    for entry in tomllib.loads((Path(__file__).parent / "pgscatalog_departures.toml").read_text()).get("departure", [])
}

pytestmark = [
    pytest.mark.external,
    pytest.mark.real,
    pytest.mark.skipif(not DATA.exists(), reason="the files are not beside this checkout"),
    pytest.mark.skipif(not (PEERS / "pgscatalog-match").exists(), reason="pgscatalog-match is not there (make peers)"),
]

FILES = {
    "good_match": (MATCH / "good_match.pvar", MATCH / "good_match_scorefile.txt"),
    "bad_match": (MATCH / "good_match.pvar", MATCH / "bad_match_scorefile.txt.gz"),
    "duplicated": (MATCH / "good_match.pvar", MATCH / "duplicated_scorefile.txt"),
    "multiallelic": (MATCH / "multiallelic.pvar", MATCH / "good_match_scorefile.txt"),
    "hapnest": (CORE / "hapnest.pvar", CORE / "combined.txt.gz"),
    "PGS000001": (MATCH / "good_match.pvar", MATCH / "normalised_PGS000001_hmPOS_GRCh38.txt.gz"),
    "PGS000866": (MATCH / "ref.pvar.zst", MATCH / "normalised_PGS000866_hmPOS_GRCh38.txt.gz"),
}
CATALOG = {
    "cineca": (CINECA, EXAMPLES / "scorefiles" / "PGS001229_22.txt"),
    "cineca_duplicate": (CINECA, EXAMPLES / "scorefiles" / "PGS001229_22_duplicate.txt"),
    "cineca_dominant_recessive": (CINECA, EXAMPLES / "scorefiles" / "scorefile_dominant_and_recessive.txt"),
    "no_other_allele": (MATCH / "1000G.pvar", CORE / "custom_no_oa.txt"),
}
MATCHED = {"good_match", "duplicated", "multiallelic", *CATALOG}
"""Cases in which anything is matched; of the others both programs say that nothing is."""


def compare(name: str, policy: str, sites: list[cases.Site], scores: Path, folder: Path) -> int:
    """Rows that were compared; raises where they differ otherwise than is written down."""
    options, params = POLICIES[policy]
    cases.write_pvar(folder / "target.pvar", sites)
    callset = cases.callset_of(sites, folder, "unknown")
    their = cases.theirs(folder / "target.pvar", scores, folder / "theirs", options)
    our = cases.ours(callset, scores, folder / "ours", params)
    assert cases.differences(their, our) == DEPARTURES.get((name, policy), {})
    return len(our)


@pytest.mark.parametrize(
    ("name", "policy"),
    [(name, policy) for name in FILES for policy in ("default", "keep") if name in MATCHED or policy == "default"],
)
def test_rows_of_the_matcher_s_files(name: str, policy: str, tmp_path: Path) -> None:
    target, scores = FILES[name]
    given = tmp_path / "scores.txt"
    given.write_text(cases.text_of(scores))
    n_rows = compare(name, policy, cases.sites_of(target), given, tmp_path)
    assert n_rows == (len(cases.text_of(scores).splitlines()) - 1 if name in MATCHED else 0)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", CATALOG)
def test_rows_of_catalogue_files(name: str, policy: str, tmp_path: Path) -> None:
    target, scores = CATALOG[name]
    given = tmp_path / "given.txt"
    text = cases.text_of(scores)
    if "#pgs_id" not in text:  # their reader asks for it since these examples were written
        text = "#pgs_id=example\n#trait_reported=example\n" + text
    given.write_text(text)
    assert compare(name, policy, cases.sites_of(target), cases.combined(given, tmp_path, "GRCh37"), tmp_path)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", ["drawn", "drawn_shared_places"])
def test_rows_of_drawn_files(name: str, policy: str, tmp_path: Path) -> None:
    sites, scores = cases.drawn(tmp_path, 1, shared_places=name == "drawn_shared_places")
    assert compare(name, policy, sites, scores, tmp_path) == 1200
