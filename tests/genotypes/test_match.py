"""Sites of others found among the rows of a callset: as a plain search through both finds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cohelix.errors import InputError, ReferenceMismatch
from cohelix.genotypes import assembly, vcf
from cohelix.genotypes.callset import Callset, open_callset
from cohelix.genotypes.match import match_sites

Row = tuple[str, int, str, str]


def table_of(rows: list[Row]) -> pa.Table:
    contig, position, ref, alt = zip(*rows, strict=True)
    return pa.table(
        {"contig": contig, "position": pa.array(position, pa.int32()), "ref": ref, "alt": alt},
    )


def callset_of(rows: list[Row], write_vcf: Any, tmp_path: Path, **options: Any) -> Callset:
    source = write_vcf([f"{c} {p} {r} {a} 0/1 0/0 1/1" for c, p, r, a in sorted(rows)], **options)
    vcf.import_vcf(source, str(tmp_path / "cohort.callset"), build="auto")
    return open_callset(str(tmp_path / "cohort.callset"))


def rows_found(matched: Any) -> list[Row]:
    columns = [matched.matrix.sites().column(name).to_pylist() for name in ("contig", "position", "ref", "alt")]
    return list(zip(*columns, strict=True))


def plain_match(own: list[Row], sites: list[Row]) -> dict[Row, tuple[int, bool]]:
    """Row -> (site, swapped), by looking through all: alleles as they are first, then swapped, earliest first."""
    found: dict[Row, tuple[int, bool]] = {}
    for swapped in (False, True):
        for number, (contig, position, ref, alt) in enumerate(sites):
            if any(site == number for site, _ in found.values()):
                continue
            for row in own:
                alleles = (alt, ref) if swapped else (ref, alt)
                same = row[0].removeprefix("chr") == contig.removeprefix("chr") and row[1] == position
                if same and row[2:] == alleles and row not in found:
                    found[row] = (number, swapped)
                    break
    return found


def test_it_is_a_plain_search(write_vcf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "SHARD_ROWS", 7)
    rng = np.random.default_rng(5)

    def draw(count: int, prefix: str) -> list[Row]:
        drawn = {
            (f"{prefix}{rng.integers(1, 3)}", int(rng.integers(1, 60)), *map(str, rng.permutation(list("ACGT"))[:2]))
            for _ in range(count)
        }
        return sorted(drawn)

    own = draw(60, "chr")
    sites = draw(40, "") + [("X", 5, "A", "C"), ("2", 999, "A", "C")]
    sites += [(contig.removeprefix("chr"), position, ref, alt) for contig, position, ref, alt in own[::3]]
    sites += [(contig.removeprefix("chr"), position, alt, ref) for contig, position, ref, alt in own[1::3]]
    sites = [sites[place] for place in rng.permutation(len(sites))]
    sites = list(dict.fromkeys(sites))
    callset = callset_of(own, write_vcf, tmp_path)
    assert len(callset.shards) > 4
    matched = match_sites(callset, table_of(sites), build="GRCh38")
    expected = plain_match(own, sites)
    found = {
        row: (site, swapped)
        for row, site, swapped in zip(rows_found(matched), matched.site.tolist(), matched.swapped.tolist(), strict=True)
    }
    assert found == expected and {swapped for _, swapped in found.values()} == {False, True}
    assert rows_found(matched) == [row for row in rows_of(callset) if row in expected]
    places = {(row[0].removeprefix("chr"), row[1]) for row in own}
    n_seen = sum((contig, position) in places for contig, position, _, _ in sites)
    assert matched.n_absent == len(sites) - n_seen > 0
    assert matched.n_other_alleles == n_seen - len(expected) > 0


def rows_of(callset: Callset) -> list[Row]:
    return [
        row
        for shard in callset.shards
        for row in zip(
            *(callset.sites(shard).column(name).to_pylist() for name in ("contig", "position", "ref", "alt")),
            strict=True,
        )
    ]


def test_a_row_goes_to_the_site_with_its_alleles_as_they_are(write_vcf: Any, tmp_path: Path) -> None:
    callset = callset_of([("chr1", 10, "A", "G"), ("chr1", 20, "C", "T")], write_vcf, tmp_path)
    both_ways = [("1", 10, "G", "A"), ("1", 10, "A", "G"), ("1", 20, "T", "C")]
    matched = match_sites(callset, table_of(both_ways), build="GRCh38")
    assert matched.site.tolist() == [1, 2] and matched.swapped.tolist() == [False, True]
    assert matched.n_absent == 0 and matched.n_other_alleles == 1


def test_other_builds_are_refused(write_vcf: Any, tmp_path: Path) -> None:
    own = [("chr1", position, "A", "G") for position in range(1, 40)]
    known = callset_of(own, write_vcf, tmp_path)
    sites = [("1", position, "A", "G") for position in range(1, 40)]
    with pytest.raises(ReferenceMismatch, match="sites are of GRCh37 and the callset of GRCh38"):
        match_sites(known, table_of(sites), build="GRCh37")
    other = [("1", position, "C", "T") for position in range(1, 31)] + sites[30:]
    with pytest.raises(ReferenceMismatch, match="30 have other alleles there and 0 have no row"):
        match_sites(known, table_of(other))
    assert match_sites(known, table_of(other), build="GRCh38").n_other_alleles == 30
    with pytest.raises(ReferenceMismatch, match="0 were found"):
        match_sites(known, table_of([("1", 5000, "A", "G")]))
    with pytest.raises(InputError, match="1 have no row"):
        match_sites(known, table_of([("1", 5000, "A", "G")]), build="GRCh38")


def test_strands_are_not_guessed(write_vcf: Any, tmp_path: Path) -> None:
    callset = callset_of([("chr1", 10, "A", "G"), ("chr1", 20, "C", "T")], write_vcf, tmp_path)
    matched = match_sites(callset, table_of([("1", 10, "T", "C"), ("1", 20, "C", "T")]), build="GRCh38")
    assert matched.site.tolist() == [1] and matched.n_other_alleles == 1
