"""The frame of the command line: quick help, one clean message, the right exit code, and no names in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from cohelix import __version__, errors
from cohelix.cli.__main__ import INTERRUPTED, _stop, app, run

HEAVY = (
    "numba",
    "llvmlite",
    "numpy",
    "pyarrow",
    "pysam",
    "pgenlib",
    "scipy",
    "sklearn",
    "dask",
    "pyspark",
    "hail",
    "msprime",
)


def _python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def _leaves() -> list[list[str]]:
    """Every command line that is a command, as words."""
    command = typer.main.get_command(app)
    found = []
    for name, child in sorted(getattr(command, "commands", {}).items()):
        verbs = getattr(child, "commands", None)
        found += [[name, verb] for verb in sorted(verbs)] if verbs else [[name]]
    return found


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom cohelix.cli.__main__ import run\n"
        "assert run(['--help']) == 0\n"
        f"print('heavy:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    outcome = _python(code)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.splitlines()[-1] == "heavy: []"


@pytest.mark.parametrize("words", _leaves(), ids=" ".join)
def test_every_command_has_help_with_an_example(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words, "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"cohelix {' '.join(words)}" in shown.partition("Example:")[2]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"cohelix {__version__}\n"


@pytest.mark.parametrize("arguments", [["joint", "cal"], ["--colour"], ["joint"], [], ["config", "show", "extra"]])
def test_wrong_usage_is_3(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 3
    captured = capsys.readouterr()
    assert "Usage" in captured.out + captured.err


def _application(error: BaseException) -> typer.Typer:
    application = typer.Typer()

    @application.command()
    def fail() -> None:
        raise error

    return application


@pytest.mark.parametrize(
    ("kind", "code"),
    [("InputError", 2), ("ConfigError", 3), ("ReferenceMismatch", 4), ("ContractError", 5), ("CohelixError", 1)],
)
def test_our_errors(kind: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([], _application(getattr(errors, kind)("row 3: expected [a], seen [b]."))) == code
    captured = capsys.readouterr()
    assert captured.err == "cohelix: row 3: expected [a], seen [b].\n"
    assert captured.out == ""


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (KeyError("NA12878"), 5, "defect of cohelix (KeyError at"),
        (OSError(28, "No space left on device", "/x/NA12878.g.vcf"), 1, "No space left on device."),
        (MemoryError("NA12878"), 1, "too little memory"),
        (KeyboardInterrupt(), INTERRUPTED, "stopped"),
    ],
)
def test_errors_nobody_planned__name_no_person(
    error: BaseException, code: int, says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COHELIX_DEBUG", raising=False)
    assert run([], _application(error)) == code
    captured = capsys.readouterr()
    assert says in captured.err
    assert len(captured.err.splitlines()) == 1
    assert "NA12878" not in captured.err + captured.out


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COHELIX_DEBUG", "1")
    assert run([], _application(KeyError("x"))) == 5
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "code"), [(["--version"], 0), (["config", "check", "nowhere.toml"], 3)])
def test_what_python_does_at_its_end_is_done(words: list[str], code: int) -> None:
    """The process ends without the destructors of C++ libraries, not without its own."""
    program = "import atexit, sys; atexit.register(print, 'the end'); from cohelix.cli.__main__ import main; main()"
    outcome = _python(program, *words)
    assert outcome.returncode == code
    assert outcome.stdout.splitlines()[-1] == "the end"


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = f"{sys.executable} -m cohelix.cli config show | true; exit ${{PIPESTATUS[0]}}"
    outcome = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False)
    assert outcome.returncode == 0
    assert outcome.stderr == ""


def test_config_show_and_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", "--preset", "gnomad-v4", "--set", "joint.max_alleles=7"]) == 0
    shown = tmp_path / "shown.toml"
    shown.write_text(capsys.readouterr().out)
    assert "max_alleles = 7" in shown.read_text()
    assert 'gq0 = "homref"' in shown.read_text()
    assert run(["config", "check", "--config", str(shown)]) == 0
    assert capsys.readouterr().out == ""
    assert run(["config", "check", "--set", "joint.max_allele=7"]) == 3
    assert "Did you mean 'max_alleles'?" in capsys.readouterr().err


def test_doctor__the_core_works_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert shown.endswith("The core works.\n")
    assert "compiled, kept in" in shown or "NUMBA_DISABLE_JIT" in shown


def test_doctor__without_java_and_programs_names_the_command_that_mends_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from cohelix.cli import doctor
    from cohelix.runtime import java

    def none_fits() -> Path:
        raise errors.ConfigError("expected Java 11 to 21, found: none. Install one.")

    monkeypatch.setattr(java, "find_java", none_fits)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    assert run(["doctor"]) == 0
    shown = capsys.readouterr().out
    for mend in ("pip install 'cohelix[spark]'", "apt-get install plink2", "apt-get install bcftools"):
        assert f"to mend: {mend}" in shown


def test_doctor__a_core_that_does_not_work_is_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from cohelix import kernel

    def refuse(function: object) -> object:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(kernel, "kernel", refuse)
    assert run(["doctor"]) == 1
    assert "NUMBA_CACHE_DIR" in capsys.readouterr().out


def test_an_interrupt_that_a_library_made_an_error_is_a_stop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While pandas is loaded, the interrupt comes out as an AttributeError: that is no defect of ours."""
    application = typer.Typer()

    @application.command()
    def load() -> None:
        try:
            _stop(15, None)
        except KeyboardInterrupt:
            raise AttributeError("partially initialized module") from None

    monkeypatch.setattr("cohelix.cli.__main__._asked_to_stop", [])
    assert run([], application) == INTERRUPTED
    assert capsys.readouterr().err == "cohelix: stopped. Nothing half-written is visible; run it again.\n"
