"""What holds for every call store:

adding is rebuilding, withdrawing is never having added, and nothing depends on how the work is cut.
"""

from __future__ import annotations

import hashlib
import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix import dataset, storage
from cohelix.cli.__main__ import run
from cohelix.errors import InputError
from cohelix.genotypes import callset
from cohelix.joint import store
from cohelix.joint.call import call
from cohelix.joint.ingest import ingest
from cohelix.joint.schema import CallParams, IngestParams
from cohelix.joint.withdraw import withdraw
from cohelix.runtime.local import LocalRuntime
from tests.joint import made

LOCAL = LocalRuntime(2)
Rows = Sequence[tuple[str, Path]]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return made.write(tmp_path_factory.mktemp("small"), [made.gvcf(i, n=40) for i in range(9)])


@pytest.fixture(scope="module")
def real(data: Path) -> Rows:
    rows = [(path.name.split(".")[0], path) for path in sorted(data.glob("gvcf_1kg_chr22/*.g.vcf.gz"))]
    assert len(rows) == 50
    return rows


@pytest.fixture(scope="module", params=["small", pytest.param("real", marks=pytest.mark.real)])
def rows(request: pytest.FixtureRequest) -> Rows:
    found: Rows = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stores")


PARAMS = IngestParams()


def _store(folder: Path, parts: Sequence[Rows], params: IngestParams = PARAMS, runtime: LocalRuntime = LOCAL) -> Path:
    """A store into which `parts` were put one after another."""
    root = folder / f"{uuid.uuid4().hex}.calls"
    for number, part in enumerate(parts):
        ingest(made.manifest(root.with_suffix(f".{number}.tsv"), part), str(root), params, runtime)
    return root


def _callset(calls: Path | str, out: Path, runtime: LocalRuntime = LOCAL, **choices: Any) -> dict[str, str]:
    call(str(calls), str(out), CallParams(), runtime, **choices)
    dataset.verify(str(out), dataset.open_existing(str(out), callset.KIND))
    return made.tree(out)


@pytest.fixture(scope="module")
def reference(rows: Rows, folder: Path) -> dict[str, str]:
    """The callset of all samples, ingested in one go: every byte of it."""
    return _callset(_store(folder, [rows]), folder / f"reference-{len(rows)}.callset")


def _split(rows: Rows, *sizes: int) -> list[Rows]:
    cuts = [0]
    for size in sizes:
        cuts.append(cuts[-1] + size)
    return [rows[a:b] for a, b in zip(cuts, [*cuts[1:], len(rows)], strict=True) if rows[a:b]]


@pytest.mark.parametrize(
    ("parts", "batch_samples", "cores"),
    [(0.8, 100, 2), (0.2, 3, 2), (0.5, 1, 1), (1, 7, 2)],
    ids=["four fifths, then the rest", "batches of 3", "batches of 1, one core", "one go, batches of 7"],
)
def test_adding_is_rebuilding(
    rows: Rows, reference: dict[str, str], tmp_path: Path, parts: float, batch_samples: int, cores: int
) -> None:
    shuffled = random.Random(batch_samples).sample(list(rows), len(rows))
    root = _store(
        tmp_path,
        _split(shuffled, int(parts * len(rows))),
        IngestParams(batch_samples=batch_samples),
        LocalRuntime(cores),
    )
    assert _callset(root, tmp_path / "x.callset", LocalRuntime(cores)) == reference


@settings(max_examples=4)
@given(st.data())
def test_adding_is_rebuilding__any_split(
    small: Rows, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("any")
    bin_bp = data.draw(st.sampled_from([10_000, 25_000, 1_000_000]))
    order = data.draw(st.permutations(list(small)))
    sizes = data.draw(st.lists(st.integers(1, 4), max_size=3))
    one = _store(folder, [small], IngestParams(bin_bp=bin_bp))
    many = _store(
        folder, _split(order, *sizes), IngestParams(bin_bp=bin_bp, batch_samples=data.draw(st.integers(1, 9)))
    )
    assert _callset(one, folder / "one.callset") == _callset(many, folder / "many.callset")


def test_equal_work_gives_equal_stores(rows: Rows, tmp_path: Path) -> None:
    """Byte for byte, with one core or two."""
    trees = [
        made.tree(_store(tmp_path, [rows], IngestParams(batch_samples=4), LocalRuntime(cores))) for cores in (1, 2)
    ]
    assert trees[0] == trees[1]
    assert not any("_staging" in path for path in trees[0])


def _by_site(root: Path) -> tuple[list[dict[str, Any]], dict[str, list[int]], list[Any]]:
    """(rows of the sites table, genotypes, partial calls) of a callset, however it is cut into shards."""
    opened = callset.open_callset(str(root))
    sites: list[dict[str, Any]] = []
    genotypes: dict[str, list[int]] = {}
    partial = []
    for shard in opened.shards:
        here = pq.ParquetFile(root / shard.sites).read().to_pylist()
        sites += [{name: None if value != value else value for name, value in row.items()} for row in here]
        cells = callset.read_genotypes(opened, shard, 0, shard.n_sites)
        genotypes |= {row["id"]: cell.tolist() for row, cell in zip(here, cells, strict=True)}
        if shard.partial:
            for row in pq.ParquetFile(root / shard.partial).read().to_pylist():
                partial.append((here[row["row"]]["id"], row["sample"], row["first"], row["second"], row["reason"]))
    samples = pq.ParquetFile(next(root.glob("samples-*.parquet"))).read().to_pylist()
    return sites, genotypes, [sorted(partial), samples]


@pytest.mark.parametrize("bin_bp", [10_000, 17_321, 50_000_000])
def test_bins_of_any_size_give_the_same_genotypes(
    rows: Rows, folder: Path, reference: dict[str, str], tmp_path: Path, bin_bp: int
) -> None:
    root = _store(tmp_path, [rows], IngestParams(bin_bp=bin_bp))
    _callset(root, tmp_path / "x.callset")
    found, wanted = _by_site(tmp_path / "x.callset"), _by_site(folder / f"reference-{len(rows)}.callset")
    assert len(found[0]) > 50
    assert [a == b for a, b in zip(found, wanted, strict=True)] == [True, True, True]  # no diff of a million lines
    assert reference


def test_a_region_is_those_rows(rows: Rows, folder: Path, reference: dict[str, str], tmp_path: Path) -> None:
    root = _store(tmp_path, [rows], IngestParams(bin_bp=20_000))
    _callset(root, tmp_path / "x.callset", region="chr22:10,520,001-10,700,000")
    found, wanted = _by_site(tmp_path / "x.callset"), _by_site(folder / f"reference-{len(rows)}.callset")
    assert found[0] == [row for row in wanted[0] if 10_520_001 <= row["position"] <= 10_700_000]
    assert found[1] == {row["id"]: wanted[1][row["id"]] for row in found[0]}
    assert found[0]
    assert reference


# --- withdrawal ----------------------------------------------------------------------------------------------------


def _leavers(rows: Rows) -> tuple[list[str], list[tuple[str, Path]]]:
    leaving = [row[0] for row in random.Random(len(rows)).sample(list(rows), len(rows) // 4)]
    return leaving, [row for row in rows if row[0] not in leaving]


@pytest.mark.parametrize("batch_samples", [3, 100])
def test_withdrawing_is_never_having_been_there(rows: Rows, tmp_path: Path, batch_samples: int) -> None:
    leaving, staying = _leavers(rows)
    params = IngestParams(batch_samples=batch_samples)
    root = _store(tmp_path, [rows], params)
    first = dataset.open_existing(str(root), store.KIND)
    commit = withdraw(str(root), leaving, LOCAL)
    assert commit.version == 2
    dataset.verify(str(root), commit)
    without = _callset(root, tmp_path / "without.callset")
    assert without == _callset(_store(tmp_path, [staying], params), tmp_path / "rebuilt.callset")
    # the former version is as it was
    dataset.verify(str(root), first)
    assert len(store.open_store(str(root), version=1).samples()) == len(rows)
    # and who comes back is as if they had been there all the time
    back = [row for row in rows if row[0] in leaving]
    ingest(made.manifest(tmp_path / "back.tsv", back), str(root), params, LOCAL)
    again = _callset(root, tmp_path / "again.callset")
    assert again == _callset(_store(tmp_path, [rows], params), tmp_path / "all.callset")


def _numbers(root: Path) -> set[int]:
    tables = [pq.ParquetFile(path).read() for path in root.rglob("*.parquet")]
    return {number for table in tables if "sample" in table.column_names for number in table["sample"].to_pylist()}


def test_purge_leaves_nothing_of_them(rows: Rows, tmp_path: Path) -> None:
    leaving, staying = _leavers(rows)
    root = _store(tmp_path, _split(rows, len(rows) // 2), IngestParams(batch_samples=4))
    samples = store.open_store(str(root)).samples()
    gone = set(samples.filter(pc.is_in(samples["sample_id"], pa.array(leaving)))["sample"].to_pylist())
    digests = set(samples.filter(pc.is_in(samples["sample_id"], pa.array(leaving)))["gvcf_sha256"].to_pylist())
    ids = tmp_path / "leaving.txt"
    ids.write_text("sample_id\n" + "\n".join(leaving) + "\n")
    assert run(["joint", "withdraw", str(root), "--samples", str(ids), "--purge"]) == 0
    _assert_purged(root, leaving, gone, digests)
    assert store.open_store(str(root)).samples()["sample_id"].to_pylist() == [row[0] for row in staying]
    # Giving the command again is no error, and changes nothing but to say that it is done.
    assert _callset(root, tmp_path / "x.callset") == _callset(_store(tmp_path, [staying]), tmp_path / "y.callset")


def _assert_purged(root: Path, leaving: list[str], gone: set[int], digests: set[str]) -> None:
    files = [path for path in root.rglob("*") if path.is_file()]
    named = {entry.path for entry in dataset.open_existing(str(root), store.KIND).files}
    assert {str(path.relative_to(root)) for path in files if "_commit" not in path.parts} == named
    assert len(list((root / "_commit").iterdir())) == 1
    held = set(store.open_store(str(root)).samples()["sample"].to_pylist())
    assert not held & gone
    assert _numbers(root) <= held
    for path in files:
        content = path.read_bytes()
        text = content if path.suffix == ".json" else repr(pq.ParquetFile(path).read().to_pydict()).encode() + content
        for secret in (*leaving, *digests):
            assert secret.encode() not in text, path


def test_purge_of_who_was_withdrawn_before(small: Rows, tmp_path: Path) -> None:
    root = _store(tmp_path, [small])
    leaving = [small[2][0], small[5][0]]
    samples = store.open_store(str(root)).samples().to_pylist()
    withdraw(str(root), leaving, LOCAL)
    with pytest.raises(InputError, match="2 of 2 sample ids are not in the store"):
        withdraw(str(root), leaving, LOCAL)
    with pytest.raises(InputError, match="1 of 3 sample ids are not in the store"):
        withdraw(str(root), [*leaving, "nobody"], LOCAL, purge=True)
    assert withdraw(str(root), leaving, LOCAL, purge=True).version == 2
    away = [row for row in samples if row["sample_id"] in leaving]
    _assert_purged(root, leaving, {row["sample"] for row in away}, {row["gvcf_sha256"] for row in away})


def test_purge_takes_what_a_killed_run_left(small: Rows, tmp_path: Path) -> None:
    """An ingest that never ended has written parts of the store; they must not outlive a purge."""
    root = _store(tmp_path, [small[:4]])
    abandoned = dataset.begin(str(root), store.KIND, {"operation": "ingest"}, after=1)
    entry = abandoned.put("variants/bin=x/batch=000001", ".parquet", small[0][0].encode())
    withdraw(str(root), [small[0][0]], LOCAL, purge=True)
    assert not (root / entry.path).exists()
    assert not (root / "_staging").exists()


def test_purge_waits_for_who_is_writing(small: Rows, tmp_path: Path) -> None:
    root = _store(tmp_path, [small[:4]])
    withdraw(str(root), [small[0][0]], LOCAL)
    other = dataset.begin(str(root), store.KIND, {"operation": "ingest"}, after=2)
    entry = other.put("variants/bin=x/batch=000001", ".parquet", b"its work")
    with pytest.raises(InputError, match=r"another run is writing.*same command again"):
        withdraw(str(root), [small[0][0]], LOCAL, purge=True)
    assert (root / entry.path).exists()
    dataset.verify(str(root), dataset.open_existing(str(root), store.KIND, version=1))


def test_withdrawn_headers_leave_as_well(tmp_path: Path) -> None:
    """A sample with contigs of its own: without it the store knows neither them nor their build."""
    plain = [made.gvcf(i) for i in range(3)]
    for gvcf in plain:
        gvcf.contigs = {"chr22": 40_000_000}
    odd = made.gvcf(7, sample="odd")
    odd.contigs = {"chr21": 46_709_983, "chr22": 40_000_000}
    rows = made.write(tmp_path / "in", [*plain, odd])
    root = _store(tmp_path, [rows])
    assert store.open_store(str(root)).build == "GRCh38"
    withdraw(str(root), ["odd"], LOCAL)
    opened = store.open_store(str(root))
    assert opened.build == "unknown"
    assert [contig.name for contig in opened.contigs()] == ["chr22"]
    assert _callset(root, tmp_path / "x.callset") == _callset(_store(tmp_path, [rows[:3]]), tmp_path / "y.callset")
    # whose contigs would have clashed with those of the withdrawn sample
    other = made.gvcf(8, sample="other")
    other.contigs = {"chr21": 48_129_895, "chr22": 40_000_000}
    ingest(made.manifest(tmp_path / "o.tsv", made.write(tmp_path / "in", [other])), str(root), IngestParams(), LOCAL)
    assert store.open_store(str(root)).build == "GRCh37"


# --- how inputs are read -------------------------------------------------------------------------------------------


def _small_stretches(params: IngestParams, mebibytes: float) -> IngestParams:
    object.__setattr__(params, "stretch_mib", mebibytes)  # below what a user may ask for: the inputs here are small
    return params


def _content(root: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    files = {name: digest for name, digest in made.tree(root).items() if name.startswith(("variants/", "blocks/"))}
    return store.open_store(str(root)).samples().to_pylist(), files


def _assert_same(one: Any, other: Any) -> None:
    assert one[0] == other[0]
    assert {path for path, _ in one[1].items() ^ other[1].items()} == set()


def _is_stretched(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    from cohelix.joint import stretch

    counts: list[int] = []
    planned = stretch.plan

    def counting(*arguments: Any) -> Any:
        found = planned(*arguments)
        counts.append(len(found))
        return found

    monkeypatch.setattr(stretch, "plan", counting)
    return lambda: max(counts)


@pytest.mark.real
@pytest.mark.parametrize("bands", ["none", "aou"])
def test_stretches_by_index_give_the_same_store__real(
    real: Rows, tmp_path: Path, bands: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stretched = _is_stretched(monkeypatch)
    params = {"bands": bands, "bin_bp": 20_000}
    whole = _store(tmp_path, [real[:3]], IngestParams(**params))
    assert stretched() == 1
    by_index = _store(tmp_path, [real[:3]], _small_stretches(IngestParams(**params), 0.0005))
    assert stretched() > 100
    _assert_same(_content(whole), _content(by_index))


@pytest.mark.real
def test_stretches_of_the_size_that_may_be_asked_for(
    real: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """50 files of together 1.9 MiB, at 1 MiB a task."""
    stretched = _is_stretched(monkeypatch)
    by_index = _store(tmp_path, [real], IngestParams(stretch_mib=1))
    assert stretched() == 2
    _assert_same(_content(_store(tmp_path, [real])), _content(by_index))


@pytest.mark.parametrize("bands", ["none", "aou"])
@pytest.mark.parametrize("suffix", ["tbi", "csi"])
def test_stretches_by_index_give_the_same_store(
    tmp_path: Path, suffix: str, bands: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gvcfs = []
    for i in range(3):
        gvcf = made.gvcf(i, n=150, first=1, step=3_000, contig="chr21")
        gvcf.records += made.gvcf(i + 50, n=120, first=2_500 + i, step=3_000, contig="chr22").records
        gvcf.contigs = {"chr20": 500, "chr21": 460_000, "chr22": 1_000_000}
        gvcfs.append(gvcf)
    rows = made.write(tmp_path / "in", gvcfs)
    for _, path in rows:
        pysam.tabix_index(
            str(path), preset="vcf", force=True, csi=suffix == "csi", min_shift=14 if suffix == "csi" else 0
        )
        assert Path(f"{path}.{suffix}").exists()
    stretched = _is_stretched(monkeypatch)
    params = {"bands": bands, "bin_bp": 20_000, "batch_samples": 2}
    whole = _store(tmp_path, [rows], IngestParams(**params))
    for mebibytes in (0.0015, 0.01):
        by_index = _store(tmp_path, [rows], _small_stretches(IngestParams(**params), mebibytes))
        _assert_same(_content(whole), _content(by_index))
    assert stretched() > 9


def test_files_with_other_contigs_are_read_to_their_end_by_index(tmp_path: Path) -> None:
    """The first file's header lacks a contig on which the second has records."""
    one, two = made.gvcf(1, n=120, first=1), made.gvcf(2, n=120, first=1)
    one.contigs, two.contigs = {"chr22": 2_000_000}, {"chr22": 2_000_000, "chr1_alt": 2_000_000}
    two.records += made.gvcf(3, n=100, first=1, contig="chr1_alt").records
    rows = made.write(tmp_path / "in", [one, two])
    for _, path in rows:
        pysam.tabix_index(str(path), preset="vcf", force=True)
    whole = _store(tmp_path, [rows], IngestParams(bin_bp=20_000))
    by_index = _store(tmp_path, [rows], _small_stretches(IngestParams(bin_bp=20_000), 0.01))
    _assert_same(_content(whole), _content(by_index))


def test_small_chunks_give_the_same_store(small: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records are cut into chunks of text anywhere; a store must not show where."""
    whole = _store(tmp_path, [small])
    monkeypatch.setattr("cohelix.joint.gvcf.bgzf.CHUNK_BYTES", 700)
    monkeypatch.setattr("cohelix.joint.gvcf.bgzf._READ_BYTES", 333)
    _assert_same(_content(_store(tmp_path, [small])), _content(whole))


@pytest.fixture
def memory() -> Iterator[str]:
    root = f"memory://{uuid.uuid4().hex}"
    yield root
    storage.remove_tree(root)


def _digests_in(root: str) -> dict[str, str]:
    return {path: hashlib.sha256(storage.read(storage.join(root, path))).hexdigest() for path in storage.walk(root)}


def test_an_object_store_holds_the_same(small: Rows, tmp_path: Path, memory: str) -> None:
    local = _store(tmp_path, _split(small, 5), IngestParams(batch_samples=2))
    calls, out = f"{memory}/x.calls", f"{memory}/x.callset"
    for number, part in enumerate(_split(small, 5)):
        ingest(made.manifest(tmp_path / f"{number}.tsv", part), calls, IngestParams(batch_samples=2), LOCAL)
    assert _digests_in(calls) == _digests_in(str(local))
    call(calls, out, CallParams(), LOCAL)
    _callset(local, tmp_path / "x.callset")
    assert _digests_in(out) == made.tree(tmp_path / "x.callset")
    for root in (calls, str(local)):
        withdraw(root, [small[0][0]], LOCAL, purge=True)
    assert _digests_in(calls) == _digests_in(str(local))


def test_inputs_and_manifest_on_an_object_store(small: Rows, tmp_path: Path, memory: str) -> None:
    for sample, path in small[:3]:
        storage.write(f"{memory}/in/{sample}.g.vcf.gz", path.read_bytes())
    text = "sample_id\tpath\n" + "".join(f"{sample}\tin/{sample}.g.vcf.gz\n" for sample, _ in small[:3])
    storage.write(f"{memory}/manifest.tsv", text.encode())
    ingest(f"{memory}/manifest.tsv", str(tmp_path / "x.calls"), IngestParams(), LOCAL)
    assert made.tree(tmp_path / "x.calls") == made.tree(_store(tmp_path, [small[:3]]))


def test_a_refused_ingest_leaves_an_object_store_as_it_was(small: Rows, tmp_path: Path, memory: str) -> None:
    ingest(made.manifest(tmp_path / "a.tsv", small[:2]), f"{memory}/x.calls", IngestParams(), LOCAL)
    before = _digests_in(memory)
    broken = tmp_path / "broken.g.vcf.gz"
    broken.write_bytes(small[4][1].read_bytes()[:-28])
    manifest = made.manifest(tmp_path / "b.tsv", [*small[2:4], ("x", broken)])
    for root in (f"{memory}/x.calls", f"{memory}/y.calls"):
        with pytest.raises(InputError, match="lacks the empty block"):
            ingest(manifest, root, IngestParams(batch_samples=1), LOCAL)
    assert _digests_in(memory) == before


# --- what a store says ---------------------------------------------------------------------------------------------


def test_blocks_and_variants_say_what_the_gvcfs_say(small: Rows, tmp_path: Path) -> None:
    """Base by base, from the text itself: GQ, DP and state of the reference; every variant once."""
    root = _store(tmp_path, [small[:3]], IngestParams(bin_bp=10_000, batch_samples=2))
    opened = store.open_store(str(root))
    blocks = [
        r for f in root.glob("blocks/*/*.parquet") for r in pq.ParquetFile(f).read().to_pylist() if not r["margin"]
    ]
    variants = [
        r for f in root.glob("variants/*/*.parquet") for r in pq.ParquetFile(f).read().to_pylist() if not r["margin"]
    ]
    for line in opened.samples().to_pylist():
        gvcf = made.read(dict(small)[line["sample_id"]])
        wanted, found = {}, {}
        for record in gvcf.records:
            if record[4] == "<NON_REF>":
                values = dict(zip(record[8].split(":"), record[9].split(":"), strict=True))
                for base in range(int(record[1]) - 1, int(record[7].removeprefix("END="))):
                    wanted[base] = (int(values["GQ"]), int(values["MIN_DP"]), 2)
        for row in blocks:
            if row["sample"] == line["sample"]:
                for base in range(row["start"], row["end"]):
                    assert base not in found
                    found[base] = (row["gq"], row["dp"], row["state"])
        assert {base for base, _ in found.items() ^ wanted.items()} == set()
        texts = [(int(r[1]) - 1, r[3], r[4].removesuffix(",<NON_REF>")) for r in gvcf.records if r[4] != "<NON_REF>"]
        assert sorted((v["start"], v["ref"], v["alts"]) for v in variants if v["sample"] == line["sample"]) == sorted(
            texts
        )
        assert (line["n_variants"], line["n_blocks"]) == (len(texts), len(gvcf.records) - len(texts))
