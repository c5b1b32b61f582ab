"""Matrices of the controlled tier against plain readings of what they were made from."""

from __future__ import annotations

import csv
import gzip
import itertools
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pgenlib
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix import dataset
from cohelix.errors import ContractError, InputError
from cohelix.genome import Contig
from cohelix.genotypes import callset as store
from cohelix.genotypes import counts as counting
from cohelix.genotypes.callset import Callset
from cohelix.release.ids import Ids
from cohelix.release.keys import make_keys, open_keys
from cohelix.release.labels import Controlled
from cohelix.release.matrix import controlled, kernels
from cohelix.release.ordered import write_ordered
from cohelix.release.people import People
from cohelix.release.schema import Inputs, MadeFile, ReleaseParams
from cohelix.tier import Tier
from tests.oracles import bgen, release_matrix
from tests.oracles.genotypes import copies_of, counts, random_block

SEXES = ("male", "female", "unknown")
PLACES = {"chr1": 5_000, "chrX": 50_000_000, "chrY": 20_000_000, "chrM": 100}
N, ROWS = 37, 40
AUX = "wgs/short_read/snpindel/aux"


@dataclass(frozen=True)
class Source:
    """A cohort to release. names, sexes and genotypes: of persons, by their place in `person`."""

    folder: Path
    person: np.ndarray
    names: list[str]
    sexes: list[str]
    genotypes: dict[str, np.ndarray]
    inputs: Inputs
    people: People


def made(folder: Path, names: list[str] | None = None, left_out: int = 5) -> Source:
    """A cohort of N persons whose samples have these names; equal in all else, whatever their order by name."""
    folder.mkdir(parents=True)
    names = names or [f"CANARY{1000 + (row * 17) % N}" for row in range(N)]
    sexes = [SEXES[row % 3] for row in range(N)]
    person = np.arange(N) * 11 + 3
    genotypes = {
        contig: _legal(random_block(number, ROWS, N), contig, start, sexes)
        for number, (contig, start) in enumerate(PLACES.items())
    }
    order = sorted(range(N), key=lambda row: names[row].encode())
    _write_callset(folder / "x.callset", [names[row] for row in order], sexes, genotypes, order)
    inputs = _tables(folder, names, order)
    place = np.argsort(order).astype(np.int32)
    place[:left_out] = -1  # persons without a genome; their samples stand for nobody
    zeros = np.zeros(N)
    people = People(
        person, zeros.astype(np.int32), place, np.full(N, -1, np.int32), zeros.astype(np.int16), zeros.astype(np.int8),
        ("eur",), tuple(names[row] for row in order), (), {}, 20_000,
    )  # fmt: skip
    return Source(folder, person, names, sexes, genotypes, inputs, people)


def _legal(block: np.ndarray, contig: str, start: int, sexes: list[str]) -> np.ndarray:
    copies = np.array([[copies_of("GRCh38", contig, start + row, sex) for sex in sexes] for row in range(ROWS)])
    block[(copies == 1) & (block == 1)] = -9
    block[copies == 0] = -9
    block[3] = np.where(copies[3] > 0, 0, -9)  # nobody has the alternate allele
    return block


def _write_callset(
    root: Path, ids: list[str], sexes: list[str], genotypes: dict[str, np.ndarray], order: list[int]
) -> None:
    writer = dataset.begin(str(root), store.KIND, {"made": "for a test"}, after=0)
    shards, files = [], []
    ordered_sexes = [sexes[row] for row in order]
    for contig, start in PLACES.items():
        block = np.ascontiguousarray(genotypes[contig][:, order])
        position = np.arange(start, start + ROWS)
        ploidy = counting.ploidy_of("GRCh38", contig, position, ordered_sexes)
        names = {"contig": [contig] * ROWS, "ref": ["A"] * ROWS, "alt": ["C"] * ROWS, "kind": ["snp"] * ROWS}
        columns = {name: pa.array(values) for name, values in names.items()}
        columns |= {"position": pa.array(position, pa.int32()), "depth_sum": pa.array(position)}
        columns["id"] = pa.array([f"{contig}:{one}:A:C" for one in position])
        columns |= counting.site_columns(counting.count_variants(block, ploidy))
        row, sample = (block == -9).nonzero()
        half = (row + np.array(order)[sample]) % 3 == 0
        n_half = int(half.sum())
        partial = pa.table({
            "row": pa.array(row[half], pa.int32()), "sample": pa.array(sample[half], pa.int32()),
            "first": ["0"] * n_half, "second": ["."] * n_half, "reason": ["half_call"] * n_half,
        })  # fmt: skip
        shard, written = store.write_shard(
            writer, name=f"{contig}-0", contig=contig, start=0, end=start + ROWS, build="GRCh38",
            sites=pa.table(columns), blocks=[block], sample_ids=ids, sexes=ordered_sexes,
            partial=partial if contig != "chrY" else None,
            adj_blocks=[np.ascontiguousarray((block == 1).astype(np.int8))] if contig == "chr1" else None,
        )  # fmt: skip
        shards.append(shard)
        files += written
    counted = np.ones((len(ids), 7), np.int64)
    table = {"sample_id": pa.array(ids), "sex": pa.array(ordered_sexes), "batch": pa.array(["CANARY"] * len(ids))}
    table |= {"n_sites": pa.array(np.full(len(ids), 4 * ROWS))} | counting.called_columns(counted)
    store.commit_callset(
        writer, build="GRCh38", contigs=[Contig(contig, 300_000_000) for contig in PLACES], shards=shards,
        samples=store.write_samples(writer, pa.table(table)), n_samples=len(ids), files=files, alleles="trimmed",
        params={"secret": "CANARY"}, provenance={"host": "CANARY"}, after=0,
    )  # fmt: skip


def _tables(folder: Path, names: list[str], order: list[int]) -> Inputs:
    """Tables beside the callset, rows by name; what is said of a person does not depend on the name."""
    _tsv(folder / "ancestry/ancestry_preds.tsv", ["research_id", "ancestry_pred", "secret"],
         [[names[row], "eur" if row % 2 else "afr", "CANARY"] for row in order])  # fmt: skip
    pairs = [(row, row + 1) for row in range(0, N - 1, 3)]
    ordered = [sorted(pair, key=lambda row: names[row]) for pair in pairs]
    _tsv(folder / "kin/relatedness.tsv", ["i.s", "j.s", "kin"],
         [[names[first], names[second], f"0.{min(first, second) + 10}"] for first, second in ordered])  # fmt: skip
    _tsv(
        folder / "unrelated/relatedness_flagged_samples.tsv",
        ["sample_id"],
        [[names[row]] for row in order if row % 4 == 0],
    )
    (folder / "prs").mkdir()
    rows = [(f"score{number}", row) for number in range(3) for row in order]
    columns = {
        "score": pa.array([score for score, _ in rows]).dictionary_encode(),
        "sample_id": pa.array([names[row] for _, row in rows]).dictionary_encode(),
        "sum": pa.array([row / 7 for _, row in rows]),
        "secret": pa.array(["CANARY"] * len(rows)),
    }
    pq.write_table(pa.table(columns), folder / "prs/scores.parquet")
    return Inputs(
        omop="", callset=str(folder / "x.callset"), ancestry=str(folder / "ancestry"), relatedness=str(folder / "kin"),
        unrelated=str(folder / "unrelated"), prs=str(folder / "prs"),
    )  # fmt: skip


def _tsv(path: Path, columns: list[str], rows: list[list[str]]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join("\t".join(row) for row in [columns, *rows]) + "\n")


@pytest.fixture(scope="module")
def ids(tmp_path_factory: pytest.TempPathFactory) -> Ids:
    folder = tmp_path_factory.mktemp("keys") / "keys"
    make_keys(folder)
    return Ids(open_keys(str(folder)), Tier.CONTROLLED)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return made(tmp_path_factory.mktemp("source") / "s")


@pytest.fixture(scope="module")
def files(source: Source, ids: Ids, tmp_path_factory: pytest.TempPathFactory) -> dict[str, MadeFile]:
    return _release(source, ids, tmp_path_factory.mktemp("made"))


def _release(source: Source, ids: Ids, folder: Path, params: ReleaseParams | None = None) -> dict[str, MadeFile]:
    labelled = controlled(source.inputs, source.people, ids, params or ReleaseParams(), folder)
    assert labelled.label is Controlled
    return {one.name: one for one in labelled.value}


@pytest.fixture(scope="module")
def released(files: dict[str, MadeFile]) -> Callset:
    commit = next(one.path for name, one in files.items() if "/callset/_commit/" in name)
    opened = store.open_callset(str(commit.parents[1]))
    dataset.verify(opened.root, opened.commit)
    return opened


def _told(source: Source, ids: Ids) -> dict[str, int]:
    """Place among the source's persons by released id, of those with a genome."""
    has = np.flatnonzero(source.people.genome >= 0)
    return {str(one): int(row) for one, row in zip(ids.person(source.person[has]).tolist(), has, strict=True)}


def test_genotypes_are_those_of_the_person(source: Source, released: Callset, ids: Ids) -> None:
    told = _told(source, ids)
    assert released.n_samples == len(told) == N - 5
    for shard in released.shards:
        root = Path(released.root)
        samples = [line.split("\t")[0] for line in (root / shard.psam).read_text().splitlines()[1:]]
        assert samples == sorted(told, key=str.encode)
        for path, wanted in ((shard.pgen, source.genotypes[shard.contig]),
                             (shard.adj, (source.genotypes[shard.contig] == 1).astype(np.int8))):  # fmt: skip
            if path is None:
                assert shard.contig != "chr1"
                continue
            reader = pgenlib.PgenReader(str(root / path).encode())
            found = np.empty((ROWS, len(samples)), np.int8)
            reader.read_range(0, ROWS, found)
            assert (found == wanted[:, [told[sample] for sample in samples]]).all()


def test_sites_and_samples_are_counted_anew(source: Source, released: Callset, ids: Ids) -> None:
    told = _told(source, ids)
    rows = [told[one] for one in released.samples().column("sample_id").to_pylist()]
    kinds = ("hom_ref", "het", "hom_alt", "haploid_ref", "haploid_alt")
    of_samples = {row: dict.fromkeys(kinds, 0) for row in rows}
    for shard in released.shards:
        for number, site in enumerate(released.sites(shard).to_pylist()):
            genotypes = [int(source.genotypes[shard.contig][number, row]) for row in rows]
            copies = [copies_of("GRCh38", shard.contig, site["position"], source.sexes[row]) for row in rows]
            wanted = counts(genotypes, copies)
            assert {kind: site[f"n_{kind}"] for kind in kinds} == {kind: wanted[kind] for kind in kinds}
            alone = wanted["haploid_ref"] + wanted["haploid_alt"]
            assert site["an"] == 2 * (wanted["hom_ref"] + wanted["het"] + wanted["hom_alt"]) + alone
            assert site["ac"] == wanted["het"] + 2 * wanted["hom_alt"] + wanted["haploid_alt"]
            missing = sum(count for name, count in site.items() if name.startswith("missing_"))
            assert site["n_called"] + missing == len(rows)
            assert "depth_sum" not in site  # it is of everybody who was called
            for row, genotype, copy in zip(rows, genotypes, copies, strict=True):
                for kind in kinds:
                    of_samples[row][kind] += counts([genotype], [copy])[kind]
    for row, sample in zip(rows, released.samples().to_pylist(), strict=True):
        assert {kind: sample[f"n_{kind}"] for kind in kinds} == of_samples[row]
        assert sample["sex"] == source.sexes[row] and sample["n_sites"] == 4 * ROWS


def _sites_qc(root: Path, callset: str, filters: list[str], cut: int = 0) -> str:
    """A folder of qc variants: filters of the sites of each shard, over again. cut: by how many sites ids are off."""
    writer = dataset.begin(str(root), "site-qc", {"made": "for a test"}, after=0)
    shards, files = [], []
    opened = store.open_callset(callset)
    for shard in opened.shards:
        ids = opened.sites(shard).column("id").to_pylist()
        verdicts = [filters[row % len(filters)] for row in range(len(ids))]
        content = store.parquet_bytes(pa.table({"id": ids[cut:] + ids[:cut], "filters": verdicts}))
        files.append(writer.put(f"sites/{shard.name}", ".parquet", content))
        shards.append({"name": shard.name, "n_sites": len(ids), "sites": files[-1].path})
    writer.commit(files, {"shards": shards}, {}, after=0)
    return str(root)


def test_sites_have_their_filters(source: Source, ids: Ids, tmp_path: Path) -> None:
    filters = ["PASS", "ExcessHet", "PASS", "ExcessHet;LowQual"]
    quality = _sites_qc(tmp_path / "qc", source.inputs.callset, filters)
    filtered = replace(source, inputs=replace(source.inputs, sites_qc=quality))
    files = _release(filtered, ids, tmp_path / "made", ReleaseParams(formats=("vcf",)))
    tables = [one.path for name, one in files.items() if "/callset/sites/" in name]
    assert len(tables) == len(PLACES)
    for path in tables:
        assert pq.read_table(path).column("filter").to_pylist() == [filters[row % 4] for row in range(ROWS)]
    filesets = [one.path for name, one in files.items() if "/callset/" in name and name.endswith(".pvar")]
    for path in filesets:
        head, *rows = [line.split("\t") for line in path.read_text().splitlines()]
        assert head == ["#CHROM", "POS", "ID", "REF", "ALT", "FILTER"]
        assert [row[5] for row in rows] == [filters[row % 4] for row in range(ROWS)]
    with gzip.open(files["wgs/short_read/snpindel/vcf/genotypes.vcf.gz"].path, "rt") as lines:
        columns = [line.split("\t", 8) for line in lines]
    assert [row[6] for row in columns if not row[0].startswith("#")] == [
        filters[row % 4] for _ in PLACES for row in range(ROWS)
    ]
    assert sum(row[0].startswith("##FILTER=") for row in columns) == 3


@pytest.mark.parametrize(("filters", "cut"), [(["PASS"], 1), (["a text of CANARY1000"], 0), ([""], 0)])
def test_filters_of_other_sites_are_refused(
    source: Source, ids: Ids, tmp_path: Path, filters: list[str], cut: int
) -> None:
    quality = _sites_qc(tmp_path / "qc", source.inputs.callset, filters, cut)
    with pytest.raises(InputError, match="sites_qc") as caught:
        _release(replace(source, inputs=replace(source.inputs, sites_qc=quality)), ids, tmp_path / "made")
    assert "CANARY" not in str(caught.value)


def test_half_calls_follow_their_person(source: Source, released: Callset, ids: Ids) -> None:
    told = _told(source, ids)
    rows = [told[one] for one in released.samples().column("sample_id").to_pylist()]
    for shard in released.shards:
        table = released.partial(shard)
        block = source.genotypes[shard.contig]
        wanted = {
            (site, place)
            for site, (place, row) in itertools.product(range(ROWS), enumerate(rows))
            if block[site, row] == -9 and (site + row) % 3 == 0
        }
        if shard.contig == "chrY":
            assert table is None
        else:
            assert table is not None
            assert set(zip(table["row"].to_pylist(), table["sample"].to_pylist(), strict=True)) == wanted
            assert set(table["reason"].to_pylist()) == {"half_call"}


def test_names_of_the_source_are_nowhere(files: dict[str, MadeFile]) -> None:
    for name, one in files.items():
        assert "CANARY" not in name
        if one.path.suffix == ".parquet":
            table = pq.read_table(one.path)
            assert "CANARY" not in str(table.to_pylist()) and "CANARY" not in str(pq.read_schema(one.path).metadata)
        assert b"CANARY" not in one.path.read_bytes()


def test_order_and_names_of_the_source_do_not_show(source: Source, ids: Ids, tmp_path: Path) -> None:
    names = [f"CANARY{chr(65 + row % 7)}{N - row}" for row in range(N)]
    other = made(tmp_path / "other", names)
    assert (other.people.genome != source.people.genome).any()
    first, again = _release(source, ids, tmp_path / "1"), _release(other, ids, tmp_path / "2")
    assert sorted(first) == sorted(again)
    for name, one in first.items():
        assert one.path.read_bytes() == again[name].path.read_bytes(), name


def test_tables_are_by_person(source: Source, files: dict[str, MadeFile], ids: Ids) -> None:
    told = _told(source, ids)
    rows = _read(files[f"{AUX}/ancestry/ancestry_preds.tsv"])
    assert [row["research_id"] for row in rows] == [str(one) for one in sorted(map(int, told))]
    assert all(set(row) == {"research_id", "ancestry_pred"} for row in rows)  # no column that is not described
    assert all(row["ancestry_pred"] == ("eur" if told[row["research_id"]] % 2 else "afr") for row in rows)
    pairs = _read(files[f"{AUX}/relatedness/relatedness.tsv"])
    found = {(*sorted((told[row["i.s"]], told[row["j.s"]])), float(row["kin"])) for row in pairs}
    assert found == {(row, row + 1, float(f"0.{row + 10}")) for row in range(6, N - 1, 3)}
    assert all(int(row["i.s"]) < int(row["j.s"]) for row in pairs)
    scores = pq.read_table(files[f"{AUX}/prs/scores.parquet"].path).to_pylist()
    assert [(row["person_id"], row["score"]) for row in scores] == sorted(
        (int(one), f"score{number}") for one in told for number in range(3)
    )
    assert all(row["sum"] == told[str(row["person_id"])] / 7 and set(row) == {"person_id", "score", "sum"}
               for row in scores)  # fmt: skip
    assert files[f"{AUX}/prs/scores.parquet"].rows == len(scores)


def test_a_table_without_its_ids_is_refused(source: Source, ids: Ids, tmp_path: Path) -> None:
    _tsv(tmp_path / "ancestry/ancestry_preds.tsv", ["person", "ancestry_pred"], [["x", "eur"]])
    inputs = replace(source.inputs, ancestry=str(tmp_path / "ancestry"))
    with pytest.raises(InputError, match="research_id"):
        _release(replace(source, inputs=inputs), ids, tmp_path / "out")


@pytest.mark.external
def test_plink2_and_others_read_every_format(source: Source, ids: Ids, tmp_path: Path) -> None:
    files = _release(source, ids, tmp_path / "m", ReleaseParams(formats=("bed", "vcf", "bgen")))
    told = _told(source, ids)
    base = "wgs/short_read/snpindel"
    bed = str(files[f"{base}/plink_bed/genotypes.bed"].path.with_suffix(""))
    vcf = str(files[f"{base}/vcf/genotypes.vcf.gz"].path)
    sexes = tmp_path / "sexes"
    sexes.write_text("#IID\tSEX\n" + "".join(f"{one}\t{_sex(source.sexes[row])}\n" for one, row in told.items()))
    for name, words in (
        ("bed", ["--bfile", bed]),
        ("vcf", ["--vcf", vcf, "--vcf-half-call", "m", "--update-sex", str(sexes)]),
    ):
        out = str(tmp_path / name)
        subprocess.run(
            ["plink2", *words, "--set-all-var-ids", "@:#", "--geno-counts", "--out", out],
            check=True,
            capture_output=True,
        )
    counted = [(tmp_path / f"{name}.gcount").read_text().splitlines()[1:] for name in ("bed", "vcf")]
    assert counted[0] == counted[1] and len(counted[0]) == 4 * ROWS
    for contig in PLACES:
        samples, variants = bgen.read(files[f"{base}/bgen/{contig}.bgen"].path.read_bytes())
        assert samples == sorted(told, key=str.encode)
        for number, variant in enumerate(variants):
            genotypes = [source.genotypes[contig][number, told[sample]] for sample in samples]
            assert [missing for _, missing, _ in variant.calls] == [genotype == -9 for genotype in genotypes]
            references = [round(2 - 2 * values[0] / 255 - (values[1:] or (values[0] * 0,))[0] / 255)
                          for _, missing, values in variant.calls if not missing]  # fmt: skip
            assert references == [int(genotype) for genotype in genotypes if genotype != -9]


def test_a_matrix_table_is_for_those_who_can_write_one(source: Source, ids: Ids, tmp_path: Path) -> None:
    with pytest.raises(ContractError):
        _release(source, ids, tmp_path, ReleaseParams(formats=("mt",)))


@pytest.mark.jvm
def test_hail_reads_the_matrix_table(hail: Any, source: Source, ids: Ids, tmp_path: Path) -> None:
    from cohelix.genotypes.on_hail import export_matrix

    params = ReleaseParams(formats=("mt",))
    made = controlled(source.inputs, source.people, ids, params, tmp_path, export_matrix).value
    names = [one.name for one in made if "/hail.mt/" in one.name]
    for one in made:  # what a reader has: these files alone, by their names
        target = tmp_path / "read" / one.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(one.path.read_bytes())
        assert b"CANARY" not in target.read_bytes()
    table = hail.read_matrix_table(str(tmp_path / "read/wgs/short_read/snpindel/hail.mt"))
    told = _told(source, ids)
    assert names and table.s.collect() == sorted(told, key=str.encode)
    cells = table.filter_rows(table.locus.contig == "chr1").GT.n_alt_alleles().collect()
    wanted = source.genotypes["chr1"][:, [told[one] for one in sorted(told, key=str.encode)]]
    assert [-9 if cell is None else cell for cell in cells] == wanted.ravel().tolist()


@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.sampled_from([0, 0.5, 0.97, 0.995, 1]))
@settings(max_examples=40)
def test_moved_samples(seed: int, n_samples: int, rare: float) -> None:
    rng = np.random.default_rng(seed)
    block = rng.choice(np.array([0, 1, 2, -9], np.int8), (5, n_samples))
    block[rng.random(block.shape) < rare] = 0
    place = rng.permutation(n_samples).astype(np.int32)
    n_kept = int(rng.integers(1, n_samples + 1))
    place[place >= n_kept] = -1
    out = np.zeros((5, n_kept), np.int8)
    samples = np.argsort(place)[n_samples - n_kept :].astype(np.int32)
    kernels.move_samples(block, samples, place, out)
    assert out.tolist() == release_matrix.moved(block.tolist(), place.tolist(), n_kept)


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 5))
@settings(max_examples=20)
def test_rows_are_ordered_whatever_their_pieces(seed: int, n_parts: int, n_pieces: int) -> None:
    import tempfile

    rng = np.random.default_rng(seed)
    person, value = rng.integers(1, 2**31, 60), rng.integers(0, 3, 60)
    person[:30] = person[0]
    table = pa.table({"person_id": pa.array(person), "value": pa.array(value)})
    table = table.take(pa.array(rng.permutation(60)))
    cuts = sorted(rng.integers(0, 61, n_pieces - 1).tolist())
    pieces = [table.slice(low, high - low) for low, high in itertools.pairwise([0, *cuts, 60])]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "x.parquet"
        assert write_ordered(iter(pieces), table.schema, target, n_parts, ["person_id"]) == 60
        found = pq.read_table(target)
        assert [path.name for path in Path(folder).iterdir()] == ["x.parquet"]
    rows = list(zip(found["person_id"].to_pylist(), found["value"].to_pylist(), strict=True))
    assert rows == sorted(zip(person.tolist(), value.tolist(), strict=True))


def _sex(word: str) -> int:
    return {"male": 1, "female": 2, "unknown": 0}[word]


def _read(one: MadeFile) -> list[dict[str, str]]:
    with one.path.open(newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    assert one.rows == len(rows)
    return rows
