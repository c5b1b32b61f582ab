"""`cohelix`: assembles the nouns, and turns errors into one clean message and an exit code."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Annotated, NoReturn

import click
import typer

from cohelix import __version__
from cohelix.cli import (
    ancestry,
    config,
    doctor,
    estimate_commands,
    gate,
    genotypes,
    hail,
    joint,
    omop,
    pgx,
    prs,
    qc,
    relatedness,
    release,
    simulate,
)
from cohelix.errors import CohelixError, ConfigError, ContractError

INTERRUPTED = 130
"""What a shell reports for a command that Ctrl-C ended; a request to end (SIGTERM) is taken like it."""

app = typer.Typer(
    name="cohelix",
    help="Joint calling and cohort genomics on open formats, on a laptop or on Spark.",
    epilog="Exit codes: 0 done, 1 the system refused, 2 input, 3 option or setting, 4 wrong build or reference, "
    "5 a defect; of releases: 6 no grant, 7 altered or damaged, 8 would tell of a person.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(joint.app, name="joint")
app.add_typer(genotypes.app, name="genotypes")
app.add_typer(qc.app, name="qc")
app.add_typer(relatedness.app, name="relatedness")
app.add_typer(ancestry.app, name="ancestry")
app.add_typer(prs.app, name="prs")
app.add_typer(pgx.app, name="pgx")
app.add_typer(omop.app, name="omop")
app.add_typer(release.app, name="release")
app.add_typer(hail.app, name="hail")
app.add_typer(simulate.app, name="simulate")
app.add_typer(estimate_commands.app, name="estimate")
app.add_typer(config.app, name="config")
app.command("doctor")(doctor.doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cohelix {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback with an error (may name files).")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if debug:
        os.environ["COHELIX_DEBUG"] = "1"


def main(application: typer.Typer = app) -> None:
    """Entry point of the command `cohelix`, and of every pipeline."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        code = run(sys.argv[1:], application)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has seen enough (`| head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    _leave(code)


def _leave(code: int) -> NoReturn:
    """End the process with all that Python does at its end, and without the destructors of C++ libraries after it.

    Those meet threads of Arrow that are still at work, now and then, and abort a process that had done what was asked.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # closed, or nobody reads it any more
            stream.flush()
    os._exit(code)


def _stop(number: int, frame: object) -> None:
    """Batch systems and containers end a job so: what it began is to be cleared away first."""
    _asked_to_stop.append(number)
    raise KeyboardInterrupt


_asked_to_stop: list[int] = []
"""Signals that came. A library that is being loaded can turn the interrupt into an error of its own."""


def run(arguments: list[str], application: typer.Typer = app) -> int:
    """Run one command line and return its exit code; errors are printed on stderr."""
    command = typer.main.get_command(application)
    gate.guard(command)
    try:
        # Not through command.main(), which turns a closed pipe and Ctrl-C into exits without a word.
        with command.make_context(application.info.name or Path(sys.argv[0]).name, arguments) as context:
            command.invoke(context)
        return 0
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        return _stopped()
    except click.exceptions.NoArgsIsHelpError as usage:
        typer.echo(usage.format_message())
        return ConfigError.exit_code
    except click.ClickException as usage:
        usage.show()
        return ConfigError.exit_code
    except CohelixError as error:
        return _report(str(error), error.exit_code)
    except BrokenPipeError:
        raise
    except MemoryError:
        return _report("this machine has too little memory for one bin of this input. Use smaller bins.", 1)
    except OSError as error:
        # strerror without the file name, which may hold a sample's name
        nameless = "a file cannot be read or written" if type(error) is OSError else type(error).__name__
        return _report(f"the system refused: {(error.strerror or nameless).removesuffix('.')}.", 1)
    except Exception as error:
        if _asked_to_stop:
            return _stopped()
        return _report(
            f"this is a defect of cohelix ({type(error).__name__} at {_place(error)}). Please report it; "
            "with --debug a traceback follows.",
            ContractError.exit_code,
        )


def _stopped() -> int:
    typer.echo("cohelix: stopped. Nothing half-written is visible; run it again.", err=True)
    return INTERRUPTED


def _report(message: str, code: int) -> int:
    typer.echo(f"cohelix: {message}", err=True)
    if os.environ.get("COHELIX_DEBUG", "0") not in ("", "0"):
        traceback.print_exc()
    return code


def _place(error: BaseException) -> str:
    """Where in cohelix the error arose. Its own message stays out: it may hold a value from the input."""
    ours = [f for f in traceback.extract_tb(error.__traceback__) if "cohelix" in Path(f.filename).parts]
    frame = ours[-1] if ours else traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


if __name__ == "__main__":
    main()
