"""The forest: scikit-learn's scores from our arrays, sensitivity by counting, sampling that no shard changes."""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix import dataset, storage
from cohelix.errors import InputError
from cohelix.genome import Contig
from cohelix.genotypes import callset, counts
from cohelix.qc.schema import VariantQcParams
from cohelix.qc.variants import isolation_forest, kernels
from cohelix.qc.variants.isolation_forest import ANNOTATIONS, Sample
from cohelix.qc.variants.run import qc_variants
from cohelix.runtime.local import LocalRuntime
from tests.oracles.site_qc import path_length


def made_sample(n: int = 400, seed: int = 0) -> Sample:
    """Known sites with all but one annotation, one value in ten missing; half are of training, half of calibration."""
    random = np.random.default_rng(seed)
    values = random.normal(0, 1, (n, len(ANNOTATIONS)))
    values[random.random(values.shape) < 0.1] = np.nan
    values[:, ANNOTATIONS.index("mq")] = np.nan
    half = np.arange(n) % 2 == 0
    return Sample(np.arange(n, dtype=np.uint64), np.zeros(n, np.int64), half, ~half, values)


def test_scores_are_scikit_learns() -> None:
    from sklearn.ensemble import IsolationForest
    from sklearn.impute import SimpleImputer

    sample = made_sample()
    forest = isolation_forest.grow(sample, 0, trees=100, min_training=100)
    assert forest.dropped == ("mq",) and forest.n_training == 200 and len(forest.calibration) == 200
    kept = [ANNOTATIONS.index(name) for name in forest.annotations]
    imputer = SimpleImputer(strategy="median").fit(sample.values[sample.training][:, kept])
    theirs = IsolationForest(random_state=0).fit(imputer.transform(sample.values[sample.training][:, kept]))
    expected = theirs.score_samples(imputer.transform(sample.values[:, kept]))
    np.testing.assert_allclose(forest.scores(sample.values), expected, rtol=1e-12)


def test_kernel_depths_of_walks_each_tree() -> None:
    sample = made_sample(60)
    forest = isolation_forest.grow(sample, 0, trees=3, min_training=10)
    values = np.nan_to_num(sample.values[:, : len(forest.annotations)]).astype(np.float32)
    found = np.zeros(len(values))
    kernels.depths_of(
        values, forest.roots, forest.feature, forest.threshold, forest.left, forest.right, forest.depth, found
    )
    tree = {name: getattr(forest, name).tolist() for name in ("feature", "threshold", "left", "right", "depth")}
    expected = [sum(path_length(row, tree, root) for root in forest.roots.tolist()) for row in values.tolist()]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    nodes = forest.nodes().to_pydict()
    assert nodes["feature"] == tree["feature"] and sorted(set(nodes["tree"])) == [0, 1, 2]


def test_sensitivity_is_the_share_of_calibration_sites_that_score_as_well() -> None:
    sample = made_sample()
    forest = isolation_forest.grow(sample, 0, trees=20, min_training=100)
    scores = forest.scores(sample.values)
    theirs = scores[sample.calibration]
    expected = [(theirs >= score).mean() for score in scores]
    np.testing.assert_allclose(forest.sensitivity(scores), expected, rtol=1e-12)
    assert forest.sensitivity(np.array([-1.0, 0.0])).tolist() == [1.0, 0.0]


@given(st.integers(1, 50), st.lists(st.integers(0, 30), max_size=4), st.integers(1, 20))
def test_sampling_does_not_depend_on_shards(n: int, cuts: list[int], cap: int) -> None:
    whole = made_sample(n)
    keys = np.random.default_rng(n).permutation(np.arange(n, dtype=np.uint64) * 7919)
    classes, known = np.arange(n) % 2, (keys[::2], keys[1::3])
    edges = [0, *sorted(min(cut, n) for cut in cuts), n]

    def part(low: int, high: int) -> Sample:
        rows = slice(low, high)
        return isolation_forest.known_rows(
            keys[rows], classes[rows], whole.values[rows], np.sort(known[0]), np.sort(known[1]), cap
        )

    one = isolation_forest.joined([part(0, n)], cap)
    several = isolation_forest.joined([part(low, high) for low, high in pairwise(edges)], cap)
    for name in Sample.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(one, name), getattr(several, name))
    for role, wanted in (("training", known[0]), ("calibration", known[1])):
        for kind in (0, 1):
            mine = [
                key for key, its in zip(keys.tolist(), classes.tolist(), strict=True) if its == kind and key in wanted
            ]
            held = one.keys[getattr(one, role) & (one.classes == kind)].tolist()
            assert sorted(mine)[:cap] == [key for key in held if key in sorted(mine)[:cap]]


def test_known_sites__from_a_vcf_and_from_a_table(tmp_path: Path) -> None:
    vcf = tmp_path / "known.vcf.gz"
    lines = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    lines += "chr1\t100\t.\tCAA\tC,CA,*\t.\t.\t.\nchrX\t7\t.\tg\ta\t.\t.\t.\n"
    vcf.write_bytes(gzip.compress(lines.encode()))
    found = isolation_forest.read_known(str(vcf), "table")
    key_of = isolation_forest.key_of
    assert sorted(found.tolist()) == sorted(
        [key_of("1", 100, "CAA", "C"), key_of("1", 100, "CA", "C"), key_of("chrX", 7, "G", "A")]
    )
    table = tmp_path / "known.tsv"
    table.write_text("contig\tposition\tref\talt\n1\tx\tA\tC\n")
    with pytest.raises(InputError, match=r"row 2 of the table, .* Correct it"):
        isolation_forest.read_known(str(table), "table")


def test_too_few_known_sites_and_no_annotations_are_refused() -> None:
    with pytest.raises(InputError, match=r"at least 256 training sites of class snp .* found 200"):
        isolation_forest.grow(made_sample(), 0, trees=10, min_training=256)
    with pytest.raises(InputError, match=r"class indel .* found 0"):
        isolation_forest.grow(made_sample(), 1, trees=10, min_training=2)
    bare = made_sample()
    bare.values[:] = np.nan
    with pytest.raises(InputError, match=r"none of the annotations fs, .* is known"):
        isolation_forest.grow(bare, 0, trees=10, min_training=2)


def annotated(folder: Path, n: int = 300) -> tuple[str, list[int]]:
    """A callset of two shards with QD, FS and SOR; every 20th site is bad. Its path, and the rows of the bad ones."""
    random = np.random.default_rng(3)
    root, ids, sexes = str(folder / "annotated.callset"), ["a", "b", "c"], ["female"] * 3
    writer = dataset.begin(root, callset.KIND, {}, after=0)
    contigs, shards, files, bad = [Contig("chr1", 248956422), Contig("chr2", 242193529)], [], [], []
    for contig in contigs:
        positions = np.arange(1, n + 1) * 10
        odd = np.arange(n) % 20 == 19
        bad += (np.flatnonzero(odd)).tolist()
        block = random.choice(np.array([0, 1, 2], np.int8), (n, 3))
        indel = np.arange(n) % 2 == 1
        columns = {
            "contig": pa.array([contig.name] * n), "position": pa.array(positions.astype(np.int32)),
            "ref": pa.array(["A"] * n), "alt": pa.array(np.where(indel, "AT", "C").tolist()),
            "id": pa.array([f"{contig.name}:{p}" for p in positions]),
            "kind": pa.array(np.where(indel, "insertion", "snp").tolist()),
            "info_QD": pa.array(np.where(odd, 1.0, random.normal(20, 2, n))),
            "info_FS": pa.array(np.where(odd, 90.0, random.exponential(1, n))),
            "info_SOR": pa.array(np.where(odd, 9.0, random.normal(1, 0.1, n))),
            "info_MQ": pa.array(np.full(n, np.nan)),
        }  # fmt: skip
        columns |= counts.site_columns(
            counts.count_variants(block, counts.ploidy_of("GRCh38", contig.name, positions, sexes))
        )
        shard, entries = callset.write_shard(
            writer, name=f"{contig.name}-0", contig=contig.name, start=0, end=contig.length, build="GRCh38",
            sites=pa.table(columns), blocks=[block], sample_ids=ids, sexes=sexes,
        )  # fmt: skip
        shards.append(shard)
        files += entries
    zeros = pa.array(np.zeros(3, np.int64))
    table = {"sample_id": pa.array(ids), "sex": pa.array(sexes), "n_sites": zeros, "n_called": zeros}
    samples = callset.write_samples(writer, pa.table(table | dict.fromkeys(counts.CALLED, zeros)))
    callset.commit_callset(
        writer, build="GRCh38", contigs=contigs, shards=shards, samples=samples, n_samples=3, files=files,
        alleles="trimmed", params={}, after=0,
    )  # fmt: skip
    return root, bad


def known_file(folder: Path, name: str, rows: list[int]) -> str:
    path = folder / name
    lines = [f"{contig}\t{10 * (row + 1)}\tA\t{'AT' if row % 2 else 'C'}\n" for contig in ("chr1", "2") for row in rows]
    path.write_text("contig\tposition\tref\talt\n" + "".join(lines))
    return str(path)


def test_a_forest_over_shards_finds_the_bad_sites(tmp_path: Path) -> None:
    root, _ = annotated(tmp_path)
    good = [row for row in range(300) if row % 20 != 19]
    training, calibration = known_file(tmp_path, "t.tsv", good[::2]), known_file(tmp_path, "c.tsv", good[1::2])
    # good[::2] is even and odd rows alike, so that both classes have known sites
    params = VariantQcParams(min_training=30)
    commits = [
        qc_variants(
            root, str(tmp_path / f"qc{cores}"), params, LocalRuntime(cores), gates="aou-v8", training=training,
            calibration=calibration,
        )
        for cores in (1, 2)
    ]  # fmt: skip
    assert commits[0].files == commits[1].files
    commit, out = commits[0], str(tmp_path / "qc1")
    described = commit.meta["forest"]
    assert described["snp"]["dropped"] == ["read_pos_rank_sum", "mq_rank_sum", "mq"]
    assert storage.exists(storage.join(out, described["indel"]["nodes"]))
    for shard in commit.meta["shards"]:
        rows = pq.ParquetFile(storage.join(out, shard["sites"])).read().to_pylist()
        for number, row in enumerate(rows):
            if number % 20 == 19:
                assert row["filters"] == "high_CALIBRATION_SENSITIVITY_INDEL" and row["sensitivity"] > 0.99
        sensitivities = np.array([row["sensitivity"] for row in rows])
        assert np.median(sensitivities[[number % 20 != 19 for number in range(300)]]) < 0.7
    with pytest.raises(InputError, match=r"lower qc\.variants\.min_training"):
        qc_variants(
            root, str(tmp_path / "few"), VariantQcParams(), LocalRuntime(1), gates="aou-v8", training=training,
            calibration=calibration,
        )  # fmt: skip
    assert not (tmp_path / "few").exists()
