"""The folder of a match, from files to files: what is in it, what is refused, and that a run goes on."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cohelix.errors import ConfigError, InputError, ReferenceMismatch
from cohelix.genotypes.callset import open_callset
from cohelix.genotypes.vcf import import_vcf
from cohelix.prs.matching import decided, prepared, report
from cohelix.prs.matching.match_folder import MatchFolder, open_match
from cohelix.prs.matching.run import match
from cohelix.prs.matching.variants import PLACE_BITS
from cohelix.prs.schema import ALT, HET, HOM_ALT, HOM_REF, REF, SAME_ROW, MatchParams
from cohelix.runtime.local import LocalRuntime

LOOSE = MatchParams(min_overlap=0.0)
SITES = [
    ("chr1", 100, "A", "G", "0/0 0/1 1/1"),
    ("chr1", 200, "C", "T", "0/0 0/1 0/0"),
    ("chr1", 300, "A", "T", "0/1 0/1 0/1"),
    ("chr1", 400, "G", "C,T", "0/1 0/2 0/0"),
    ("chr1", 500, "A", "G,C", "0/1 0/1 0/0"),  # nobody carries C
    ("chr1", 600, "CAG", "C", "0/1 0/0 0/0"),
    ("chr2", 100, "T", "C", "0/1 0/0 0/0"),
    ("chrX", 20_000, "A", "C", "0/1 0/0 0/0"),  # PAR1
    ("chrX", 5_000_000, "A", "C", "0/1 0/0 0/0"),
    ("chrY", 5_000_000, "A", "C", "0/1 0/0 0/0"),
    ("chrM", 500, "A", "C", "0/1 0/0 0/0"),
]
HEADER = "chr_name\tchr_position\teffect_allele\tother_allele\teffect_weight"


@pytest.fixture(scope="module")
def callset(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("target")
    lines = ["##fileformat=VCFv4.2", '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines += [f"##contig=<ID={name}>" for name in dict.fromkeys(site[0] for site in SITES)]
    lines.append("\t".join("#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT p q r".split()))
    for contig, position, ref, alt, calls in SITES:
        lines.append("\t".join([contig, str(position), ".", ref, alt, ".", ".", ".", "GT", *calls.split()]))
    (folder / "in.vcf").write_text("\n".join(lines) + "\n")
    import_vcf(str(folder / "in.vcf"), str(folder / "made.callset"), build="GRCh38")
    return str(folder / "made.callset")


def score(folder: Path, rows: str, *, name: str = "S1", build: str = "GRCh38", header: str = HEADER) -> str:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name.replace('/', '_')}.txt"
    lines = [row.strip().replace(" ", "\t") for row in rows.strip().splitlines()]
    path.write_text("\n".join([f"#pgs_id={name}", f"#genome_build={build}", header, *lines]) + "\n")
    return str(path)


def made(tmp_path: Path, paths: Sequence[str], callset: str, params: MatchParams = LOOSE, **more: Any) -> MatchFolder:
    match(paths, callset, str(tmp_path / "out"), params, LocalRuntime(2), **more)
    return open_match(tmp_path / "out")


def reasons(found: MatchFolder, number: int = 0) -> list[tuple[str | None, str, str | None]]:
    return [(row["match_type"], row["status"], row["reason"]) for row in found.log(number).to_pylist()]


def test_rows_sites_and_weights(callset: str, tmp_path: Path) -> None:
    one = score(tmp_path, """
        1 100 G A 0.5
        1 100 T C 0.25
        1 200 C T 1.5
        1 300 A T 1.0
        1 400 T G 1.0
        1 500 G A 2.0
        1 600 C CAG 3.0
        1 599 TC TCAG 4.0
        1 700 A G 1.0
        2 100 A C 1.0
        """)  # fmt: skip
    found = made(tmp_path, [one], callset)
    assert reasons(found) == [
        ("altref", "excluded", "duplicate"),
        ("refalt_flip", "excluded", "duplicate"),
        ("refalt", "matched", None),
        ("refalt", "excluded", "ambiguous"),
        ("altref", "excluded", "multiallelic"),
        ("altref", "matched", None),
        ("altref", "excluded", "duplicate"),
        ("altref", "excluded", "duplicate"),
        (None, "unmatched", "absent"),
        (None, "unmatched", "other_alleles"),
    ]
    sites = found.sites().to_pylist()
    assert [(site["contig"], site["position"], site["ref"], site["alt"]) for site in sites] == [
        ("chr1", 200, "C", "T"), ("chr1", 500, "A", "G"),
    ]  # fmt: skip
    assert sites[0]["af"] == pytest.approx(1 / 6)
    assert [tuple(row.values()) for row in found.weights(0).to_pylist()] == [(0, 0, REF, 1.5), (1, 0, ALT, 2.0)]
    assert [row["site"] for row in found.log(0).to_pylist()] == [None, None, 0, None, None, 1, None, None, None, None]
    (stated,) = found.scores().to_pylist()
    assert (stated["n_rows"], stated["n_matched"], stated["n_excluded"], stated["n_unmatched"]) == (10, 2, 6, 2)
    assert stated["share_matched"] == 0.2 and stated["passed"] and stated["id"] == "S1"
    assert found.summary["rows"]["unmatched"] == {"absent": 1, "other_alleles": 1}
    tsv = (tmp_path / "out" / "reasons.tsv").read_text().splitlines()
    assert "S1\t0\texcluded\tduplicate\t4" in tsv


def test_variance_lost_is_not_the_share_of_rows(callset: str, tmp_path: Path) -> None:
    rows = "1 200 C T 3.0 0.5\n1 100 G A 1.0 0.1\n1 777 G A 10.0 0.001"
    header = f"{HEADER}\tallelefrequency_effect"
    (stated,) = made(tmp_path, [score(tmp_path, rows, header=header)], callset).scores().to_pylist()
    parts = [9 * 2 * 0.25, 2 * 0.1 * 0.9, 100 * 2 * 0.001 * 0.999]
    assert stated["share_weight_variance_lost"] == pytest.approx(parts[2] / sum(parts), rel=1e-12)
    assert stated["share_matched"] == pytest.approx(2 / 3) and stated["n_frequency_file"] == 3


def test_frequency_of_a_site_is_that_of_alt(callset: str, tmp_path: Path) -> None:
    header = f"{HEADER}\tallelefrequency_effect"
    paths = [
        score(tmp_path, f"1 200 {pair} 1.0 {af}", name=name, header=header)
        for name, pair, af in (("A", "C T", 0.7), ("B", "T C", 0.2))
    ]
    paths.append(score(tmp_path, "1 200 T C 1.0", name="C"))
    (site,) = made(tmp_path, paths, callset).sites().to_pylist()
    assert site["frequency"] == pytest.approx((0.3 + 0.2) / 2)


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        ("TRUE FALSE", [(HET, 1.0), (HOM_ALT | SAME_ROW, 1.0)]),
        ("FALSE TRUE", [(HOM_ALT, 1.0)]),
        ("FALSE FALSE", [(ALT, 1.0)]),
    ],
)
def test_effect_types(callset: str, tmp_path: Path, effect: str, expected: list[tuple[int, float]]) -> None:
    header = f"{HEADER}\tis_dominant\tis_recessive"
    found = made(tmp_path, [score(tmp_path, f"1 100 G A 1.0 {effect}", header=header)], callset)
    assert [(row["form"], row["weight"]) for row in found.weights(0).to_pylist()] == expected


def test_dosage_weights_of_a_reference_allele_are_turned(callset: str, tmp_path: Path) -> None:
    header = "chr_name chr_position effect_allele other_allele dosage_0_weight dosage_1_weight dosage_2_weight"
    found = made(tmp_path, [score(tmp_path, "1 100 A G 0.5 1.5 4.5", header=header.replace(" ", "\t"))], callset)
    weights = [(row["form"], row["weight"]) for row in found.weights(0).to_pylist()]
    assert weights == [(HOM_REF, 4.5), (HET | SAME_ROW, 1.5), (HOM_ALT | SAME_ROW, 0.5)]


def test_regions(callset: str, tmp_path: Path) -> None:
    rows = "1 100 G A 1\nX 20000 C A 1\nX 5000000 C A 1\nY 5000000 C A 1\nMT 500 C A 1"
    found = made(tmp_path, [score(tmp_path, rows)], callset)
    regions = [(site["contig"], site["region"]) for site in found.sites().to_pylist()]
    assert regions == [("chr1", "autosome"), ("chrX", "PAR"), ("chrX", "X"), ("chrY", "Y"), ("chrM", "MT")]


def test_a_palindrome_by_the_table_of_frequencies(callset: str, tmp_path: Path) -> None:
    table = tmp_path / "af.tsv"
    table.write_text("contig\tposition\tref\talt\taf\n1\t300\tA\tT\t0.1\n")
    header = f"{HEADER}\tallelefrequency_effect"
    paths = [score(tmp_path, f"1 300 A T 1.0 {af}", name=f"S{af}", header=header) for af in (0.88, 0.12, 0.45, 0.6)]
    params = MatchParams(min_overlap=0.0, palindromic="frequency", strand_flips="match")
    found = made(tmp_path, paths, callset, params, frequencies=str(table))
    assert reasons(found) == [
        ("refalt", "matched", None),
        ("altref_flip", "matched", None),
        ("refalt", "excluded", "ambiguous_near_half"),
        ("refalt", "excluded", "ambiguous_frequency_disagrees"),
    ]
    assert [(row["score"], row["form"]) for row in found.weights(0).to_pylist()] == [(0, REF), (1, ALT)]
    assert found.sites().column("af").to_pylist() == [0.1]


def test_multiallelic_sites_by_what_is_seen(callset: str, tmp_path: Path) -> None:
    rows = "1 400 T G 1\n1 500 G A 1\n1 500 C A 1"
    one = score(tmp_path, rows)
    assert [row[1] for row in reasons(made(tmp_path, [one], callset))] == ["excluded", "matched", "excluded"]
    rarer = MatchParams(min_overlap=0.0, multiallelic_min_af=0.2)
    decided_now = reasons(made(tmp_path / "2", [one], callset, rarer))
    assert [row[1] for row in decided_now] == ["matched", "matched", "excluded"]


def test_special_rows_are_handed_on(callset: str, tmp_path: Path) -> None:
    header = f"{HEADER}\tis_interaction"
    rows = "1 100 G A 1.0 FALSE\n1_x_2 100_x_100 G_x_C A_x_T 2.0 TRUE"
    found = made(tmp_path, [score(tmp_path, rows, header=header)], callset, MatchParams(min_overlap=1.0))
    (special,) = found.special()["rows"]
    assert (special["score"], special["row"], special["kind"], special["weight"]) == (0, 1, "interaction", 2.0)
    assert special["fields"]["effect_allele"] == "G_x_C" and found.special()["headers"]["0"]["pgs_id"] == "S1"
    assert reasons(found)[1] == (None, "not_scorable", "interaction")
    (stated,) = found.scores().to_pylist()
    assert (stated["n_rows"], stated["n_special"], stated["share_matched"]) == (2, 1, 1.0)


def test_a_score_that_fails_is_told_and_not_scored(callset: str, tmp_path: Path) -> None:
    good, bad = score(tmp_path, "1 100 G A 1", name="good"), score(tmp_path, "1 100 G A 1\n1 9 G A 1", name="bad")
    found = made(tmp_path, [good, bad], callset, MatchParams())
    stated = {row["id"]: row for row in found.scores().to_pylist()}
    assert (stated["good"]["passed"], stated["bad"]["passed"]) == (True, False)
    assert stated["bad"]["reason"] == "share_matched_below_0.75"
    assert found.weights(0).column("score").to_pylist() == [0]


def test_an_id_with_a_path_in_it_names_no_file(callset: str, tmp_path: Path) -> None:
    found = made(tmp_path, [score(tmp_path, "1 100 G A 1", name="../../etc/passwd")], callset)
    assert found.scores().column("id").to_pylist() == ["../../etc/passwd"]
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [
        "log-00000.parquet", "match.json", "reasons.parquet", "reasons.tsv", "scores.parquet", "sites.parquet",
        "special.json", "weights-00000.parquet",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "build", "params", "error", "message"),
    [
        ("1 100 G A 1", "GRCh37", LOOSE, ReferenceMismatch, "scoring file 1 is of GRCh37.*_hmPOS_GRCh38"),
        (
            "1 101 G A 1\n1 102 G A 1",
            "GRCh38",
            LOOSE,
            InputError,
            "none of 2 rows of 1 scores.*2 unmatched \\(absent\\)",
        ),
        ("1 101 G A 1", "NR", LOOSE, InputError, "build of the scores or of the callset is not known"),
        ("7 101 G A 1", "GRCh38", LOOSE, InputError, "none of their chromosomes"),
        ("1 100 G A 1\n1 9 G A 1", "GRCh38", MatchParams(), InputError, "at least 75%.*found 50.0%.*min_overlap"),
    ],
)
def test_refused(
    callset: str, tmp_path: Path, rows: str, build: str, params: MatchParams, error: type[Exception], message: str
) -> None:
    path = score(tmp_path / "given", rows, build=build)
    with pytest.raises(error, match=message) as caught:
        made(tmp_path / "made", [path], callset, params)
    assert path not in str(caught.value)
    assert not (tmp_path / "made").exists() or not list((tmp_path / "made").iterdir())


def test_refused_unless_told_to_report(callset: str, tmp_path: Path) -> None:
    found = made(tmp_path, [score(tmp_path, "1 101 G A 1")], callset, MatchParams(when_none_pass="report"))
    assert found.n_sites == 0 and found.scores().column("reason").to_pylist() == ["no_match"]


def test_the_same_id_twice_is_refused(callset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [score(tmp_path / name, "1 100 G A 1", name="same") for name in ("a", "b")]
    monkeypatch.setattr("cohelix.prs.matching.run.batches", lambda found: [(one,) for one in found])
    with pytest.raises(InputError, match="scoring files 1 and 2 both hold"):
        made(tmp_path, paths, callset)


def test_a_match_that_is_no_match(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found none there"):
        open_match(tmp_path)
    (tmp_path / "match.json").write_text('{"kind": "other"}')
    with pytest.raises(InputError, match="found none there"):
        open_match(tmp_path)


@pytest.mark.parametrize(
    "name", ["strand_flips", "palindromic", "multiallelic", "duplicates", "indels", "when_none_pass"]
)
def test_choices_are_checked(name: str) -> None:
    with pytest.raises(ConfigError, match=f"prs.match.{name}"):
        MatchParams(**{name: "perhaps"})


def three(folder: Path) -> list[str]:
    return [
        score(folder, f"1 {position} G A {n}\n2 100 C T 1", name=f"S{n}") for n, position in enumerate((100, 500, 9))
    ]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Pickled(LocalRuntime):
    """What another process gets: functions, tasks and results as bytes."""

    def map(self, function: Callable[[Any], Any], tasks: Sequence[Any], *, label: str) -> Iterator[Any]:
        return iter([_sent(pickle.dumps((function, task))) for task in tasks])

    def share(self, value: Any) -> Callable[[], Any]:
        return partial(_same, value)


def _sent(data: bytes) -> Any:
    function, task = pickle.loads(data)  # noqa: S301  # our own
    return function(task)


def _same(value: Any) -> Any:
    return value


def test_any_runtime_gives_the_same_bytes(callset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cohelix.prs.matching.run.batches", lambda found: [(one,) for one in found])
    paths = three(tmp_path / "given")
    for name, runtime in (("one", LocalRuntime(1)), ("two", LocalRuntime(2)), ("pickled", Pickled(2))):
        match(paths, callset, str(tmp_path / name), LOOSE, runtime)
    assert contents(tmp_path / "one") == contents(tmp_path / "two") == contents(tmp_path / "pickled")
    found = open_match(tmp_path / "one")
    assert [found.weights(n).column("score").to_pylist() for n in range(3)] == [[0, 0], [1, 1], [2]]
    assert [found.weights(n).column("site").to_pylist() for n in range(3)] == [[0, 2], [1, 2], [2]]


def test_a_run_that_was_ended_goes_on(callset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, work, read = three(tmp_path / "given"), tmp_path / "work", []
    monkeypatch.setattr("cohelix.prs.matching.run.batches", lambda found: [(one,) for one in found])
    read_batch = prepared.read_batch

    def counted(batch: Any) -> Any:
        read.append(batch[0].number)
        if len(read) == 3:
            raise OSError("ended")
        return read_batch(batch)

    monkeypatch.setattr(prepared, "read_batch", counted)
    with pytest.raises(OSError, match="ended"):
        match(paths, callset, str(tmp_path / "out"), LOOSE, LocalRuntime(1), work=work)
    assert not (tmp_path / "out").exists()
    match(paths, callset, str(tmp_path / "out"), LOOSE, LocalRuntime(1), work=work)
    assert read == [1, 2, 3, 3]
    match(paths, callset, str(tmp_path / "whole"), LOOSE, LocalRuntime(1))
    assert contents(tmp_path / "whole") == contents(tmp_path / "out")


def test_what_was_kept_is_made_again_for_other_files_and_choices(
    callset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, work, runtime = score(tmp_path, "1 100 G A 1\n1 300 A T 1"), tmp_path / "work", LocalRuntime(1)
    keep = MatchParams(min_overlap=0.0, palindromic="keep")
    match([path], callset, str(tmp_path / "a"), LOOSE, runtime, work=work)
    match([path], callset, str(tmp_path / "b"), keep, runtime, work=work)
    assert open_match(tmp_path / "b").summary["n_weights"] == 2
    (work / "decided-00000.arrays").write_bytes(b"damaged")
    monkeypatch.setattr(prepared, "read_batch", None)  # not called: the file is the same
    match([path], callset, str(tmp_path / "c"), LOOSE, runtime, work=work)
    assert contents(tmp_path / "a") == contents(tmp_path / "c")
    monkeypatch.undo()
    score(tmp_path, "1 100 G A 2")
    match([path], callset, str(tmp_path / "d"), LOOSE, runtime, work=work)
    assert open_match(tmp_path / "d").weights(0).column("weight").to_pylist() == [2.0]


def test_a_match_that_is_there_is_taken(callset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, runtime = score(tmp_path, "1 100 G A 1"), LocalRuntime(1)
    first = match([path], callset, str(tmp_path / "out"), LOOSE, runtime)
    monkeypatch.setattr(decided, "decide", None)
    again = match([path], callset, str(tmp_path / "out"), LOOSE, runtime)
    assert json.dumps(again, sort_keys=True) == json.dumps(first, sort_keys=True)
    with pytest.raises(ConfigError, match="new or empty folder"):
        match([path], callset, str(tmp_path / "out"), MatchParams(min_overlap=0.5), runtime)


@pytest.mark.parametrize(
    ("params", "expected"), [({}, "no rows where nobody differs"), ({"only_sites": True}, "lacks the sites")]
)
def test_the_way_out_of_a_joint_call(callset: str, params: dict[str, bool], expected: str) -> None:
    opened = open_callset(callset)
    made_by = replace(opened.commit, provenance={"operation": "joint call", "params": params})
    wanted = np.array([(1 << PLACE_BITS) | 101], np.int64)
    told = report.likely_reason(replace(opened, commit=made_by), [], wanted, {("unmatched", "absent"): 1})
    assert expected in told
