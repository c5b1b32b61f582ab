"""Chosen sites and samples of a callset: rule by rule against a plain definition, and what is written."""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from cohelix import dataset
from cohelix.cli.__main__ import run as command
from cohelix.errors import ConfigError, InputError, ReferenceMismatch
from cohelix.genotypes import assembly, shard_subset, site_rules, vcf
from cohelix.genotypes.callset import Callset, open_callset, read_genotypes
from cohelix.genotypes.schema_select import SelectParams
from cohelix.genotypes.site_selection import read_sample_rows, select_sites
from cohelix.runtime.local import LocalRuntime
from tests.oracles import ld as oracle

PEOPLE = 24
IDS = [f"p{number:02d}" for number in range(PEOPLE)]
HEADER = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t" + "\t".join(IDS)
CONTIGS = {"chr1": 248956422, "chr2": 242193529, "chr6": 170805979, "chrX": 156040895}
Row = dict[str, Any]


def drawn_rows(seed: int = 8) -> list[Row]:
    """Rows of a VCF: SNPs in LD, indels, split positions, filtered ones, rare ones, X, half calls, missing ones."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for contig, first in (("chr1", 1000), ("chr2", 5000), ("chr6", 25_391_700), ("chrX", 30_000_000)):
        position, before = first, None
        for _ in range(45):
            position += int(rng.choice([0, 1, 9, 60], p=[0.1, 0.2, 0.4, 0.3])) if rows else 0
            genotypes = rng.binomial(2, rng.choice([0.01, 0.2, 0.5]), PEOPLE)
            if before is not None and rng.random() < 0.5:
                genotypes = np.where(rng.random(PEOPLE) < 0.9, before, genotypes)
            before = genotypes.copy()
            if rng.random() < 0.1:
                genotypes = np.where(genotypes == 2, 1, 1 - (genotypes == 0))  # hets in excess
            if rng.random() < 0.3:
                genotypes = np.where(rng.random(PEOPLE) < 0.1, -9, genotypes)
            ref, alt = rng.permutation(list("ACGT"))[:2]
            kind = rng.random()
            ref, alt = (ref + "T", ref) if kind < 0.1 else (ref, ref + "AC") if kind < 0.15 else (ref, alt)
            half = int(rng.integers(PEOPLE)) if rng.random() < 0.2 else -1
            if half >= 0:
                genotypes[half] = -9
            found = {"contig": contig, "position": position, "ref": str(ref), "alt": str(alt), "half": half,
                     "filter": str(rng.choice(["PASS", ".", "LowQual"], p=[0.6, 0.3, 0.1])),
                     "genotypes": genotypes.tolist()}  # fmt: skip
            keys = {(row["contig"], row["position"], row["ref"], row["alt"]) for row in rows}
            if (contig, position, found["ref"], found["alt"]) not in keys:
                rows.append(found)
    order = {contig: place for place, contig in enumerate(CONTIGS)}
    return sorted(rows, key=lambda row: (order[row["contig"]], row["position"], row["ref"], row["alt"]))


def made_callset(rows: list[Row], folder: Path, *, build: str = "auto") -> Callset:
    lines = ["##fileformat=VCFv4.2", '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines += ['##FILTER=<ID=LowQual,Description="x">']
    lengths = CONTIGS if build == "auto" else dict.fromkeys(CONTIGS, 0)
    lines += [
        f"##contig=<ID={contig}" + (f",length={length}" if length else "") + ">" for contig, length in lengths.items()
    ]
    lines.append(HEADER)
    calls = {0: "0/0", 1: "0/1", 2: "1/1", -9: "./."}
    for row in rows:
        texts = [calls[genotype] for genotype in row["genotypes"]]
        if row["half"] >= 0:
            texts[row["half"]] = "./1"
        fields = [row["contig"], str(row["position"]), ".", row["ref"], row["alt"], ".", row["filter"], ".", "GT"]
        lines.append("\t".join([*fields, *texts]))
    folder.mkdir(exist_ok=True)
    (folder / "in.vcf").write_text("\n".join(lines) + "\n")
    sexes = dict.fromkeys(IDS, "female")
    vcf.import_vcf(str(folder / "in.vcf"), str(folder / "in.callset"), build=build, sexes=sexes)
    return open_callset(str(folder / "in.callset"))


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return drawn_rows()


@pytest.fixture(scope="module")
def callset(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Callset:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assembly, "SHARD_ROWS", 13)
        return made_callset(rows, tmp_path_factory.mktemp("made"))


def plain_selection(
    rows: list[Row], params: SelectParams, people: list[int], listed: set[tuple[str, int, str, str]] | None = None
) -> tuple[list[int], dict[str, int]]:
    """Numbers of the rows that stay, and how many each rule removes, row by row."""
    removed, left = dict.fromkeys(site_rules.RULES, 0), []
    for number, row in enumerate(rows):
        same = [one for one in rows if (one["contig"], one["position"]) == (row["contig"], row["position"])]
        called = [row["genotypes"][person] for person in people if row["genotypes"][person] >= 0]
        alt, copies = sum(called), 2 * len(called)
        key = (row["contig"], row["position"], row["ref"], row["alt"])
        rule = (
            "not_autosomal" if row["contig"] == "chrX"
            else "not_snp" if len(row["ref"]) + len(row["alt"]) > 2
            else "shares_position" if len(same) > 1
            else "filtered" if params.passing_only and row["filter"] == "LowQual"
            else "long_range_ld" if params.long_range_ld == "drop" and row["contig"] == "chr6"
            and 25_391_792 < row["position"] <= 33_424_245
            else "not_listed" if listed is not None and key not in listed
            else "call_rate" if not called or Fraction(len(called), len(people)) < Fraction(str(params.min_call_rate))
            else "frequency" if not Fraction(str(params.min_af)) <= Fraction(alt, copies)
            or Fraction(alt, copies) > Fraction(str(params.max_af))
            or Fraction(min(alt, copies - alt), copies) < Fraction(str(params.min_maf))
            else "hardy_weinberg" if departs(called, params)
            else ""
        )  # fmt: skip
        if rule:
            removed[rule] += 1
        else:
            left.append(number)
    stays = [True] * len(left)
    if params.ld_r2 < 1:
        in_bases = params.ld_unit == "kb"
        stays = oracle.prune(
            [[rows[n]["genotypes"][person] for person in people] for n in left], [rows[n]["position"] for n in left],
            [rows[n]["contig"] for n in left], params.ld_window * (1000 if in_bases else 1), params.ld_step,
            Fraction(str(params.ld_r2)), in_bases,
        )  # fmt: skip
    removed["ld"] = stays.count(False)
    return [number for number, stay in zip(left, stays, strict=True) if stay], removed


def departs(called: list[int], params: SelectParams) -> bool:
    if params.hwe == "off":
        return False
    n, alt = len(called), sum(called)
    p = alt / (2 * n)
    expected = [n * (1 - p) ** 2, 2 * n * p * (1 - p), n * p * p]
    observed = [called.count(value) for value in range(3)]
    statistic = sum((o - e) ** 2 / e for o, e in zip(observed, expected, strict=True) if e)
    p_value = math.erfc(math.sqrt(statistic / 2))
    return p_value < params.min_hwe_p and (params.hwe == "both" or observed[1] > expected[1])


LOOSE = {"min_call_rate": 0.9, "min_maf": 0.05, "ld_r2": 0.3}
CHOICES = [
    SelectParams(min_call_rate=0.9, min_maf=0.05, ld_r2=0.3),
    SelectParams(min_call_rate=0.5, passing_only=False, ld_r2=1.0, long_range_ld="keep"),
    SelectParams(min_call_rate=1.0, ld_unit="variants", ld_window=8, ld_step=3, ld_r2=0.05, long_range_ld="keep"),
    SelectParams(min_call_rate=0.0, min_maf=0.0, min_af=0.125, max_af=0.5, ld_r2=0.5),
    SelectParams(min_call_rate=0.75, hwe="both", min_hwe_p=0.05, ld_r2=0.9),
    SelectParams(min_call_rate=0.75, hwe="excess", min_hwe_p=0.05, ld_r2=0.9),
]


def written(made: Callset) -> list[tuple[Any, ...]]:
    """(contig, position, ref, alt, genotypes) of every row."""
    out = []
    for shard in made.shards:
        block = read_genotypes(made, shard, 0, shard.n_sites)
        columns = [made.sites(shard).column(name).to_pylist() for name in ("contig", "position", "ref", "alt")]
        out += [(*row, genotypes.tolist()) for *row, genotypes in zip(*columns, block, strict=True)]
    return out


def expected_rows(rows: list[Row], kept: list[int], people: list[int]) -> list[tuple[Any, ...]]:
    return [
        (*(rows[n][name] for name in ("contig", "position", "ref", "alt")),
         [rows[n]["genotypes"][person] for person in people])
        for n in kept
    ]  # fmt: skip


def check_counts(made: Callset) -> None:
    """Counts of both tables are those of the genotypes; called and missing add up; half calls are where they were."""
    per_sample = np.zeros((made.n_samples, 4), np.int64)
    for shard in made.shards:
        block = read_genotypes(made, shard, 0, shard.n_sites)
        table = made.sites(shard)
        for value, name in ((0, "n_hom_ref"), (1, "n_het"), (2, "n_hom_alt")):
            assert table.column(name).to_pylist() == (block == value).sum(axis=1).tolist()
            per_sample[:, value] += (block == value).sum(axis=0)
        assert table.column("n_called").to_pylist() == (block >= 0).sum(axis=1).tolist()
        assert table.column("ac").to_pylist() == np.where(block > 0, block, 0).sum(axis=1).tolist()
        assert table.column("an").to_pylist() == (2 * (block >= 0).sum(axis=1)).tolist()
        missing = sum(table.column(name).to_numpy() for name in table.column_names if name.startswith("missing_"))
        assert missing.tolist() == (block < 0).sum(axis=1).tolist()
        half = made.partial(shard)
        if half is not None:
            at = list(zip(half.column("row").to_pylist(), half.column("sample").to_pylist(), strict=True))
            assert all(block[row, sample] == -9 for row, sample in at)
            if "missing_half_call" in table.column_names:
                assert np.bincount([row for row, _ in at], minlength=len(block)).tolist() == (
                    table.column("missing_half_call").to_pylist()
                )
    samples = made.samples()
    for value, name in ((0, "n_hom_ref"), (1, "n_het"), (2, "n_hom_alt")):
        assert samples.column(name).to_pylist() == per_sample[:, value].tolist()
    assert samples.column("n_called").to_pylist() == per_sample[:, :3].sum(axis=1).tolist()
    assert samples.column("n_sites").to_pylist() == [made.n_sites] * made.n_samples


@pytest.mark.parametrize("params", CHOICES)
def test_rules_are_the_plain_ones(callset: Callset, rows: list[Row], params: SelectParams, tmp_path: Path) -> None:
    kept, removed = plain_selection(rows, params, list(range(PEOPLE)))
    made = select_sites(callset.root, str(tmp_path / "out"), params, LocalRuntime(2))
    assert made.commit.meta["selection"]["removed"] == removed
    assert made.commit.meta["selection"]["n_sites_before"] == len(rows)
    assert 0 < made.n_sites == len(kept) < len(rows)
    assert written(made) == expected_rows(rows, kept, list(range(PEOPLE)))
    check_counts(made)
    assert params.min_call_rate == 1 or any(made.partial(shard) is not None for shard in made.shards)
    assert made.build == "GRCh38" and [contig.name for contig in made.contigs] == list(CONTIGS)


def test_every_rule_was_met(callset: Callset, rows: list[Row]) -> None:
    met: dict[str, int] = dict.fromkeys(site_rules.RULES, 0)
    for params in CHOICES:
        for rule, count in plain_selection(rows, params, list(range(PEOPLE)))[1].items():
            met[rule] += count
    assert [rule for rule, count in met.items() if not count] == ["not_listed"]


def test_samples_are_chosen_and_counted_anew(callset: Callset, rows: list[Row], tmp_path: Path) -> None:
    people = [1, 2, 5, 8, 9, 13, 17, 20, 21, 23]
    params = SelectParams(**LOOSE)
    kept, removed = plain_selection(rows, params, people)
    assert removed != plain_selection(rows, params, list(range(PEOPLE)))[1]
    wanted = tmp_path / "unrelated.tsv"
    wanted.write_text("sample_id\tsex\n" + "".join(f"{IDS[person]}\tfemale\n" for person in reversed(people)))
    made = select_sites(callset.root, str(tmp_path / "out"), params, LocalRuntime(2), samples=str(wanted))
    assert made.samples().column("sample_id").to_pylist() == [IDS[person] for person in people]
    assert made.commit.meta["selection"]["removed"] == removed
    assert written(made) == expected_rows(rows, kept, people)
    check_counts(made)
    by_rows = select_sites(callset.root, str(tmp_path / "again"), params, LocalRuntime(1), samples=np.array(people))
    assert [entry.sha256 for entry in by_rows.commit.files] == [entry.sha256 for entry in made.commit.files]


def test_a_list_of_sites(callset: Callset, rows: list[Row], tmp_path: Path) -> None:
    listed = rows[::3]
    some = {(row["contig"], row["position"], row["ref"], row["alt"]) for row in listed}
    lines = [f"{c.removeprefix('chr')}\t{p}\t.\t{r.lower()}\t{a}\t.\t.\t." for c, p, r, a in sorted(some)]
    path = tmp_path / "sites.vcf"
    path.write_text(
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        + "\n".join(lines)
        + "\n1\t77\t.\tA\tC,G\t.\t.\t.\n"
    )
    params = SelectParams(**LOOSE)
    kept, removed = plain_selection(rows, params, list(range(PEOPLE)), some)
    made = select_sites(callset.root, str(tmp_path / "out"), params, LocalRuntime(2), sites=str(path))
    assert written(made) == expected_rows(rows, kept, list(range(PEOPLE)))
    selection = made.commit.meta["selection"]
    assert selection["removed"] == removed and removed["not_listed"] > 0
    assert selection["listed"] == {
        "n_listed": len(some) + 2, "n_found": len(some), "n_swapped": 0, "n_absent": 2, "n_other_alleles": 0,
    }  # fmt: skip
    swapped = tmp_path / "swapped.tsv"
    body = [f"{c}\t{p}\t{a}\t{r}\n" for c, p, r, a in sorted(some) if len(r) + len(a) == 2]
    swapped.write_text("contig\tposition\tref\talt\n" + "".join(body))
    again = select_sites(callset.root, str(tmp_path / "swapped"), params, LocalRuntime(2), sites=str(swapped))
    assert written(again) == written(made)
    assert again.commit.meta["selection"]["listed"]["n_swapped"] > 0


def bytes_of(made: Callset) -> list[tuple[str, str]]:
    return [(entry.path, entry.sha256) for entry in made.commit.files]


def test_threads_blocks_and_a_kill_change_no_byte(
    callset: Callset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = SelectParams(**LOOSE)
    once = select_sites(callset.root, str(tmp_path / "once"), params, LocalRuntime(1))
    monkeypatch.setattr("cohelix.genotypes.callset.BLOCK_VALUES", 3 * PEOPLE)
    assert bytes_of(select_sites(callset.root, str(tmp_path / "twice"), params, LocalRuntime(2))) == bytes_of(once)
    calls, write = [0], shard_subset.store.write_shard

    def killed(*arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == 3:
            raise KeyboardInterrupt
        return write(*arguments, **named)

    monkeypatch.setattr(shard_subset.store, "write_shard", killed)
    with pytest.raises(KeyboardInterrupt):
        select_sites(callset.root, str(tmp_path / "killed"), params, LocalRuntime(1))
    again = select_sites(callset.root, str(tmp_path / "killed"), params, LocalRuntime(1))
    assert calls[0] == 1 + len(once.shards)
    assert bytes_of(again) == bytes_of(once) and again.commit.meta == once.commit.meta
    dataset.verify(again.root, again.commit)
    assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == sorted(
        path.name for path in (tmp_path / "once").iterdir()
    )


def test_tables_and_facts_of_the_caller_are_kept(callset: Callset, tmp_path: Path) -> None:
    labels = pa.table({"sample_id": IDS, "group": ["a"] * PEOPLE})
    made = select_sites(
        callset.root, str(tmp_path / "out"), SelectParams(**LOOSE), LocalRuntime(1), tables={"labels": labels},
        further={"panel": {"n": 1}}, provenance={"operation": "x", "digest": "y"},
    )  # fmt: skip
    assert made.table(made.commit.meta["tables"]["labels"]).to_pydict() == labels.to_pydict()
    assert made.commit.meta["panel"] == {"n": 1} and made.commit.provenance["operation"] == "x"


def test_what_cannot_be(callset: Callset, rows: list[Row], tmp_path: Path) -> None:
    runtime, out = LocalRuntime(1), str(tmp_path / "out")
    with pytest.raises(ConfigError, match="another folder"):
        select_sites(callset.root, callset.root + "/", SelectParams(), runtime)
    with pytest.raises(InputError, match=r"no site is left of \d+\. Allele frequency out of range: \d+, more than"):
        select_sites(callset.root, out, SelectParams(min_af=0.999, min_call_rate=0.0), runtime)
    with pytest.raises(InputError, match="at least two samples, found one"):
        select_sites(callset.root, out, SelectParams(), runtime, samples=np.array([3]))
    alone = select_sites(
        callset.root, str(tmp_path / "one"), SelectParams(ld_r2=1.0, min_maf=0.0), runtime, samples=np.array([3])
    )
    assert alone.n_samples == 1 and alone.n_sites
    for text, words in (
        (f"{IDS[1]}\n{IDS[2]}\n\n{IDS[1]}\n", "lines 1 and 4 of the samples file name the same sample"),
        (f"{IDS[1]}\nnobody\n", "sample on line 2 of the samples file is not in the callset"),
        ("sample_id\n", "at least one sample id"),
    ):
        (tmp_path / "samples").write_text(text)
        with pytest.raises(InputError, match=words):
            read_sample_rows(str(tmp_path / "samples"), callset)
    (tmp_path / "samples").write_bytes(f"\ufeffsample_id\r\n{IDS[2]}\r\n{IDS[1]}\r\n".encode())  # as Windows writes
    assert read_sample_rows(str(tmp_path / "samples"), callset).tolist() == [1, 2]
    with pytest.raises(InputError, match="can be read"):
        read_sample_rows(str(tmp_path / "none"), callset)
    (tmp_path / "sites.tsv").write_text("contig\tposition\tref\talt\n1\tten\tA\tC\n")
    with pytest.raises(InputError, match="expected a position on every row"):
        select_sites(callset.root, out, SelectParams(), runtime, sites=str(tmp_path / "sites.tsv"))
    other = [f"1\t{row['position']}\tN\tN\n" for row in rows if row["contig"] == "chr1"]
    (tmp_path / "sites.tsv").write_text("contig\tposition\tref\talt\n" + "".join(other))
    with pytest.raises(ReferenceMismatch, match="have other alleles"):
        select_sites(callset.root, out, SelectParams(), runtime, sites=str(tmp_path / "sites.tsv"))
    assert not (tmp_path / "out").exists()


def test_all_missing_constant_and_unknown_build(tmp_path: Path) -> None:
    base = {"contig": "chr1", "ref": "A", "alt": "C", "half": -1, "filter": "PASS"}
    missing = [base | {"position": 10 * n, "genotypes": [-9] * PEOPLE} for n in range(1, 9)]
    constant = [base | {"position": 10 * n, "genotypes": [1] * PEOPLE} for n in range(1, 9)]
    runtime = LocalRuntime(1)
    (tmp_path / "missing").mkdir()
    made = made_callset(missing, tmp_path / "missing")
    with pytest.raises(InputError, match=r"no site is left of 8\. Call rate too low: 8"):
        select_sites(made.root, str(tmp_path / "out"), SelectParams(min_call_rate=0.0), runtime)
    made = made_callset(constant, tmp_path / "constant")
    with pytest.raises(InputError, match=r"no site is left of 8\. Correlated with a site that stays, or constant: 8"):
        select_sites(made.root, str(tmp_path / "out"), SelectParams(), runtime)
    rows = [row for row in drawn_rows() if row["contig"] == "chr1"]
    unknown = made_callset(rows, tmp_path / "unknown", build="unknown")
    with pytest.raises(ConfigError, match="long_range_ld=keep"):
        select_sites(unknown.root, str(tmp_path / "out"), SelectParams(**LOOSE), runtime)
    keep = SelectParams(**LOOSE, long_range_ld="keep")
    assert select_sites(unknown.root, str(tmp_path / "out"), keep, runtime).build == "unknown"


def test_as_it_is_typed(callset: Callset, rows: list[Row], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "run.toml"
    config.write_text("[genotypes.select]\nmin_call_rate = 0.9\nmin_maf = 0.05\n")
    arguments = ["genotypes", "select", callset.root, "-o", str(tmp_path / "out"), "--config", str(config)]
    assert command([*arguments, "--set", "genotypes.select.ld_r2=0.3", "--cores", "1"]) == 0
    assert capsys.readouterr().out == ""
    expected = plain_selection(rows, SelectParams(**LOOSE), list(range(PEOPLE)))[0]
    assert written(open_callset(str(tmp_path / "out"))) == expected_rows(rows, expected, list(range(PEOPLE)))
    assert command([*arguments, "--set", "genotypes.select.ld_r2=2"]) == 3
    assert command([*arguments, "--set", "genotypes.select.ld_step=2"]) == 3
    assert "moves on variant by variant" in capsys.readouterr().err


@pytest.mark.parametrize("build", ["GRCh37", "GRCh38"])
def test_regions_of_long_range_ld_are_facts(root: Path, data: Path, build: str) -> None:
    folder = root / "reference" / "genome" / build
    named = {file["path"]: file for file in tomllib.loads((folder / "SOURCE.toml").read_text())["file"]}
    file = named["long_range_ld.tsv"]
    assert hashlib.sha256((folder / "long_range_ld.tsv").read_bytes()).hexdigest() == file["sha256"]
    source = data / "prs_formats/pgsc_calc" / file["read_from"].split(" ")[0]
    assert hashlib.sha256(source.read_bytes()).hexdigest() == file["source_sha256"]
    covered: dict[str, set[int]] = {}
    for line in source.read_text().splitlines():
        contig, start, end, _ = line.split()
        covered.setdefault(contig, set()).update(
            edge + step for edge in (int(start), int(end)) for step in (-1, 0, 1, 2)
        )
    regions = [line.split()[:3] for line in source.read_text().splitlines()]
    for contig, edges in covered.items():
        positions = np.array(sorted(edges))
        inside = [
            any(one == contig and int(start) < position <= int(end) for one, start, end in regions)
            for position in positions.tolist()
        ]
        assert site_rules.in_long_range_ld(build, f"chr{contig}", positions).tolist() == inside
    assert site_rules.in_long_range_ld(build, "6", np.array([30_000_000])).all()


def test_chi_squared_quantiles() -> None:
    for p in (0.5, 0.05, 1e-6, 1e-12, 1e-100):
        assert math.isclose(site_rules.quantile_of(p), stats.chi2.isf(p, 1), rel_tol=1e-9)


def test_calls_that_fail_adj_go_along(tmp_path: Path, callset: Callset) -> None:
    """`Shard.adj` of chosen rows and samples is that of these rows and samples."""
    from cohelix.genotypes import callset as store

    writer = dataset.begin(str(tmp_path / "adj"), store.KIND, "x", after=0)
    rng, shards, files, fails = np.random.default_rng(1), [], [], {}
    samples = callset.samples()
    for shard in callset.shards:
        block = read_genotypes(callset, shard, 0, shard.n_sites)
        fails[shard.name] = rng.integers(0, 2, block.shape).astype(np.int8)
        made, more = store.write_shard(
            writer, name=shard.name, contig=shard.contig, start=shard.start, end=shard.end, build="GRCh38",
            sites=callset.sites(shard), blocks=[block], adj_blocks=[fails[shard.name]],
            sample_ids=samples.column("sample_id").to_pylist(), sexes=samples.column("sex").to_pylist(),
        )  # fmt: skip
        shards.append(made)
        files += more
    whole = store.commit_callset(
        writer, build="GRCh38", contigs=callset.contigs, shards=shards, samples=store.write_samples(writer, samples),
        n_samples=PEOPLE, files=files, alleles="trimmed", params={}, after=0,
    )  # fmt: skip
    people = np.array([0, 4, 7, 11, 15, 16])
    made = select_sites(whole.root, str(tmp_path / "out"), SelectParams(**LOOSE), LocalRuntime(1), samples=people)
    for shard in made.shards:
        kept = made.sites(shard).column("id").to_pylist()
        was = next(one for one in callset.shards if one.name == shard.name)
        rows = [callset.sites(was).column("id").to_pylist().index(site) for site in kept]
        with store.open_pgen(made, shard.from_meta(shard.to_meta() | {"pgen": shard.adj})) as reader:
            np.testing.assert_array_equal(store.read_rows(reader, 0, len(rows)), fails[shard.name][rows][:, people])


def test_the_commit_is_json_of_counts_only(callset: Callset, tmp_path: Path) -> None:
    made = select_sites(callset.root, str(tmp_path / "out"), SelectParams(**LOOSE), LocalRuntime(1))
    text = json.dumps(made.commit.meta["selection"])
    assert not any(sample in text for sample in IDS)
    assert pq.ParquetFile(tmp_path / "out" / made.commit.meta["samples"]).metadata.num_rows == PEOPLE
