"""Reading through the gate: a grant at every read, written down; workspaces; joining with outside data."""

from __future__ import annotations

import dataclasses
import io
import stat
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cohelix.cli.__main__ import run
from cohelix.errors import AccessError, ConfigError, InputError, IntegrityError
from cohelix.release.gate import audit
from cohelix.release.gate.join import join
from cohelix.release.gate.reading import Opened, open_release
from cohelix.tier import MARK, Tier, mark_of, tier_of
from tests.release.gated import AUDIENCE, DATASET, ISS, NAMES, PEOPLE, TERMS, Gated, make

LINKING = dataclasses.replace(TERMS, linkage="LINK-3")
TABLE = "omop/person.parquet"


@pytest.fixture
def gated(tmp_path: Path) -> Gated:
    return make(tmp_path / "program")


def opened_by(gated: Gated, tier: Tier, *visas: str) -> Opened:
    return open_release(str(gated.release(tier)), gated.passport("passport", *visas), gated.trust_path)


def test_a_reader_with_a_grant_reads_and_it_is_written_down(gated: Gated) -> None:
    release = opened_by(gated, Tier.CONTROLLED, gated.visa(Tier.CONTROLLED))
    assert release.names() == ["README.md", TABLE]
    assert release.read("README.md") == b"a release of the tier controlled\n"
    assert release.read_table(TABLE).column("person_id").to_pylist() == PEOPLE
    assert release.read_table(TABLE, ["year_of_birth"]).column_names == ["year_of_birth"]
    with release.open(TABLE) as handle:
        handle.seek(0)
        plain = handle.read()
    assert plain == (gated.folder / "plain" / "controlled" / TABLE).read_bytes()
    entries = gated.entries()
    assert [(one["what"], one["file"]) for one in entries] == [
        ("open", ""), ("read", "README.md"), ("read", TABLE), ("read", TABLE), ("read", TABLE)
    ]  # fmt: skip
    assert {(one["subject"], one["tier"], one["release"], one["allowed"]) for one in entries} == {
        ("researcher-7", "controlled", "C1", True)
    }
    assert len({one["jti"] for one in entries}) == 1
    assert audit.verify(gated.audit) == 5


def test_public_is_read_by_everybody_and_is_checked(gated: Gated) -> None:
    release = open_release(str(gated.release(Tier.PUBLIC)), "", gated.trust_path)
    assert release.read_table(TABLE).num_rows == len(PEOPLE)
    assert gated.entries() == []
    path = gated.release(Tier.PUBLIC) / "README.md"
    path.write_bytes(path.read_bytes().replace(b"public", b"PUBLIC"))
    for read in (release.read, release.open):
        with pytest.raises(IntegrityError):
            read("README.md")


@pytest.mark.parametrize("visas", [[], ["nonsense"], ["registered"]], ids=["none", "nonsense", "other tier"])
def test_refusals_are_written_down(gated: Gated, visas: list[str]) -> None:
    given = [gated.visa(Tier.REGISTERED) if one == "registered" else one for one in visas]
    with pytest.raises(AccessError):
        opened_by(gated, Tier.CONTROLLED, *given)
    (refused,) = gated.entries()
    assert (refused["allowed"], refused["what"], refused["subject"], refused["release"]) == (False, "open", "", "C1")
    assert refused["why"]


def test_controlled_does_not_open_registered(gated: Gated) -> None:
    with pytest.raises(AccessError):
        opened_by(gated, Tier.REGISTERED, gated.visa(Tier.CONTROLLED))
    assert opened_by(gated, Tier.REGISTERED, gated.visa(Tier.REGISTERED)).tier is Tier.REGISTERED


def test_the_grant_is_asked_for_at_every_read(gated: Gated) -> None:
    release = opened_by(gated, Tier.CONTROLLED, gated.visa(Tier.CONTROLLED))
    assert release.read_table(TABLE).num_rows
    jti = gated.entries()[0]["jti"]
    assert run(["release", "revoke", jti, "--trust", gated.trust_path]) == 0
    for read in (release.read_table, release.read, release.open):
        with pytest.raises(AccessError, match="revoked"):
            read(TABLE)
    with pytest.raises(AccessError, match="revoked"):
        release.checkout(str(gated.folder / "work"))
    assert not (gated.folder / "work").exists()
    assert [one["allowed"] for one in gated.entries()][-4:] == [False] * 4


def test_an_issuer_that_is_trusted_no_longer_is_asked_at_every_read(gated: Gated) -> None:
    """Of a release that is open already."""
    release = opened_by(gated, Tier.CONTROLLED, gated.visa(Tier.CONTROLLED))
    assert release.read("README.md")
    trust = Path(gated.trust_path)
    trust.write_text(trust.read_text().replace(f'"{ISS}"', '"https://other.test"'))
    with pytest.raises(AccessError):
        release.read("README.md")
    assert not gated.entries()[-1]["allowed"]


def test_a_list_of_the_revoked_that_is_gone_lets_nobody_in_and_is_written_down(gated: Gated) -> None:
    (gated.folder / "revoked.txt").unlink()
    with pytest.raises(ConfigError, match="nobody is let in"):
        opened_by(gated, Tier.CONTROLLED, gated.visa(Tier.CONTROLLED))
    assert [one["allowed"] for one in gated.entries()] == [False]


def test_nothing_is_read_where_nothing_can_be_written_down(gated: Gated) -> None:
    release = opened_by(gated, Tier.CONTROLLED, gated.visa(Tier.CONTROLLED))
    (gated.audit / "log.jsonl").unlink()
    (gated.audit / "log.jsonl").mkdir()
    with pytest.raises(ConfigError, match="nothing is read"):
        release.read(TABLE)


def test_keys_alone_are_no_grant_and_a_grant_alone_is_no_key(gated: Gated) -> None:
    with pytest.raises(AccessError):
        open_release(str(gated.release(Tier.CONTROLLED)), "", gated.trust_path)
    release = opened_by(gated, Tier.CONTROLLED, gated.visa(Tier.CONTROLLED))
    (gated.folder / "reader" / "opening-controlled").unlink()
    with pytest.raises(ConfigError, match="opening-controlled"):
        release.read(TABLE)


def test_a_damaged_file_is_not_read(gated: Gated) -> None:
    release = opened_by(gated, Tier.CONTROLLED, gated.visa(Tier.CONTROLLED))
    stored = gated.release(Tier.CONTROLLED) / f"{TABLE}.c4gh"
    data = bytearray(stored.read_bytes())
    data[-1] ^= 1
    stored.write_bytes(bytes(data))
    for read in (release.read_table, release.read):
        with pytest.raises(IntegrityError):
            read(TABLE)
    with pytest.raises(IntegrityError):
        release.checkout(str(gated.folder / "work"))
    assert not list(gated.folder.glob("*work*"))


def test_names_that_leave_the_release(gated: Gated) -> None:
    release = opened_by(gated, Tier.CONTROLLED, gated.visa(Tier.CONTROLLED))
    n = len(gated.entries())
    for name in ("../R1/README.md", "/etc/passwd", "omop", "", "manifest.json", "README.md\n", "README.md\0"):
        with pytest.raises(InputError):
            release.read(name)
    with pytest.raises(InputError):
        release.checkout(str(gated.folder / "work"), ["omop", "../x\n"])
    assert len(gated.entries()) == n


def test_a_workspace_is_of_its_tier_and_its_owners_alone(gated: Gated) -> None:
    release = opened_by(gated, Tier.CONTROLLED, gated.visa(Tier.CONTROLLED))
    work = release.checkout(str(gated.folder / "work"), ["omop"])
    assert sorted(path.name for path in work.rglob("*")) == [MARK, "omop", "person.parquet"]
    assert stat.S_IMODE(work.stat().st_mode) == 0o700
    assert stat.S_IMODE((work / TABLE).stat().st_mode) == 0o600
    assert (work / TABLE).read_bytes() == (gated.folder / "plain" / "controlled" / TABLE).read_bytes()
    mark = mark_of(work / TABLE)
    assert mark is not None
    assert (mark.tier, mark.use, mark.release, mark.dataset) == (Tier.CONTROLLED, "workspace", "C1", DATASET)
    assert [one["what"] for one in gated.entries()] == ["open", "checkout"]


def test_where_a_workspace_may_not_be(gated: Gated) -> None:
    controlled = opened_by(gated, Tier.CONTROLLED, gated.visa(Tier.CONTROLLED))
    registered = opened_by(gated, Tier.REGISTERED, gated.visa(Tier.REGISTERED))
    low = registered.checkout(str(gated.folder / "low"))
    before = sorted(gated.folder.rglob("*"))
    (gated.folder / "full").mkdir()
    (gated.folder / "full" / "a").write_text("")
    roots = [gated.folder / "releases" / tier.word / "work" for tier in NAMES]
    for place in (*roots, low, low / "inner", gated.folder / "full"):
        with pytest.raises(ConfigError):
            controlled.checkout(str(place))
    after = [path for path in sorted(gated.folder.rglob("*")) if path.name not in ("full", "a")]
    assert after == before


def test_joining_asks_for_an_approval_of_its_own(gated: Gated) -> None:
    without = opened_by(gated, Tier.CONTROLLED, gated.visa(Tier.CONTROLLED))
    work = without.checkout(str(gated.folder / "work"))
    outside = gated.folder / "outside.tsv"
    outside.write_text("person_id\tsmoker\n103\t1\n999\t0\n101\t0\n")
    with pytest.raises(AccessError, match="linkage"):
        join(without, TABLE, str(outside), str(work / "joined.parquet"))
    assert not (work / "joined.parquet").exists()
    assert (gated.entries()[-1]["what"], gated.entries()[-1]["allowed"]) == ("join", False)

    approved = opened_by(gated, Tier.CONTROLLED, gated.visa(Tier.CONTROLLED), gated.visa(Tier.CONTROLLED, LINKING))
    assert join(approved, TABLE, str(outside), str(work / "joined.parquet")) == 2
    table = pq.read_table(work / "joined.parquet")
    assert table.select(["person_id", "smoker"]).to_pydict() == {"person_id": [101, 103], "smoker": ["0", "1"]}
    assert [one["allowed"] for one in gated.entries() if one["what"] == "join"] == [False, True]
    for place in (gated.folder / "plain.parquet", work / "joined.parquet"):
        with pytest.raises(ConfigError):
            join(approved, TABLE, str(outside), str(place))
    assert not (gated.folder / "plain.parquet").exists()


def test_what_is_joined_never_goes_down(gated: Gated) -> None:
    """A table of the Controlled tier cannot be taken into a workspace of the Registered one as an outside table."""
    high = opened_by(gated, Tier.CONTROLLED, gated.visa(Tier.CONTROLLED)).checkout(str(gated.folder / "high"))
    low_release = opened_by(gated, Tier.REGISTERED, gated.visa(Tier.REGISTERED, LINKING))
    low = low_release.checkout(str(gated.folder / "low"))
    with pytest.raises(ConfigError, match="higher"):
        join(low_release, TABLE, str(high / TABLE), str(low / "joined.parquet"))
    with pytest.raises(ConfigError):
        join(low_release, TABLE, str(low / TABLE), str(high / "joined.parquet"))
    assert not list(gated.folder.rglob("joined.parquet"))


@pytest.mark.parametrize("content", ["id\tx\n1\t2\n", "person_id\tx\nabc\t2\n"])
def test_outside_tables_that_cannot_be_joined(gated: Gated, content: str) -> None:
    release = opened_by(gated, Tier.CONTROLLED, gated.visa(Tier.CONTROLLED, LINKING))
    work = release.checkout(str(gated.folder / "work"))
    (gated.folder / "outside.tsv").write_text(content)
    with pytest.raises(InputError, match="person_id"):
        join(release, TABLE, str(gated.folder / "outside.tsv"), str(work / "joined.parquet"))
    assert not (work / "joined.parquet").exists()


def test_the_commands_from_issuer_to_audit(gated: Gated, capsys: pytest.CaptureFixture[str]) -> None:
    """A grant that an access committee makes by hand is the one that the gate believes."""
    visa, work = gated.folder / "visa.jwt", gated.folder / "work"
    release = str(gated.release(Tier.CONTROLLED))
    shown = ["--passport", str(visa), "--trust", gated.trust_path]
    words = {
        "--iss": ISS, "--subject": "r7", "--audience": AUDIENCE, "--dataset": DATASET, "--tier": "controlled",
        "--training": "extended", "--trained": TERMS.trained, "--agreement": "1", "--institution": "U",
    }  # fmt: skip
    given = [one for pair in words.items() for one in pair]
    grant = ["release", "grant", str(gated.issuer), "-o", str(visa), *given, "--not-commercial"]
    assert run(grant) == 0
    assert stat.S_IMODE(visa.stat().st_mode) == 0o600
    capsys.readouterr()
    assert run(["release", "who-can", release, *shown]) == 6
    told = capsys.readouterr().out
    assert "no   review-board approval: no approval is named" in told and "yes  training: extended" in told
    assert run(["release", "open", release, "-o", str(work), *shown]) == 6
    assert not work.exists()
    assert run([*grant, "--review-board", "IRB-7"]) == 0
    jti = capsys.readouterr().out.split()[-1]
    assert run(["release", "who-can", release, *shown]) == 0
    assert capsys.readouterr().out.endswith("may read\n")
    assert run(["release", "open", release, "-o", str(work), "--part", "omop", *shown]) == 0
    assert pq.read_table(work / TABLE).num_rows == len(PEOPLE)
    assert run(["release", "revoke", jti, "--trust", gated.trust_path]) == 0
    assert run(["release", "open", release, "-o", str(gated.folder / "again"), *shown]) == 6
    assert not (gated.folder / "again").exists()
    assert run(["release", "audit", str(gated.audit)]) == 0
    (gated.audit / "log.jsonl").write_bytes((gated.audit / "log.jsonl").read_bytes().replace(b"r7", b"r8"))
    assert run(["release", "audit", str(gated.audit)]) == 7
    assert run(["release", "who-can", str(gated.release(Tier.PUBLIC)), "--trust", gated.trust_path]) == 0


def test_a_table_of_one_column_is_read_from_its_part_alone(gated: Gated) -> None:
    """What is decrypted is what is asked for: reading goes through a file that can be read from anywhere."""
    release = opened_by(gated, Tier.CONTROLLED, gated.visa(Tier.CONTROLLED))
    with release.open(TABLE) as handle:
        assert handle.seekable()
        handle.seek(-4, io.SEEK_END)
        assert handle.read() == b"PAR1"
        assert pq.ParquetFile(pa.PythonFile(handle)).metadata.num_rows == len(PEOPLE)


def test_a_release_in_an_unbound_place_is_gated_by_its_manifest(gated: Gated, tmp_path: Path) -> None:
    """A copy that lost its root's mark is still a Controlled release: its manifest says so, under a signature."""
    import shutil

    copy = tmp_path / "elsewhere" / "C1"
    shutil.copytree(gated.release(Tier.CONTROLLED), copy)
    assert tier_of(copy) is Tier.SOURCE
    with pytest.raises(AccessError):
        open_release(str(copy), "", gated.trust_path)
    assert open_release(str(copy), gated.passport("p", gated.visa(Tier.CONTROLLED)), gated.trust_path).names()
