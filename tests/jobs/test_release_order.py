"""The file that says what a release is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from cohelix.errors import ConfigError, InputError
from cohelix.jobs.releases.order import Program, Withdrawn, read_order

PROGRAM = '[program]\nname = "A cohort"\ndataset = "https://cohort.example/releases/"\n'


def _file(tmp_path: Path, text: str) -> str:
    (tmp_path / "omop").mkdir(exist_ok=True)
    path = tmp_path / "inputs.toml"
    path.write_text(text)
    return str(path)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "left.tsv").write_text("person_id\n")
    order = read_order(
        _file(
            tmp_path,
            PROGRAM
            + 'duo = ["DUO:0000042"]\nledger = "books"\n[inputs]\nomop = "omop"\nexclude = ["left.tsv"]\n'
            + '[[withdrawn]]\ntable = "OBSERVATION"\ncolumn = "value_as_string"\nvalue = "no more"\n',
        )
    )
    assert order.inputs.omop == str(tmp_path / "omop")
    assert order.inputs.exclude == (str(tmp_path / "left.tsv"),)
    assert order.inputs.callset == ""
    assert order.program == Program(
        "A cohort", "https://cohort.example/releases", str(tmp_path / "books"), ("DUO:0000042",)
    )
    assert order.withdrawn == (Withdrawn("observation", "value_as_string", "no more"),)


def test_addresses_stay_as_they_are(tmp_path: Path) -> None:
    for omop in ("postgresql://host/db?schema=cdm", "spark:cdm"):
        assert read_order(_file(tmp_path, f'{PROGRAM}[inputs]\nomop = "{omop}"\n')).inputs.omop == omop


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("inputs = 3", r"\[inputs\]"),
        (PROGRAM, r"\[inputs\]"),
        ('[inputs]\nomop = "omop"', r"\[program\]"),
        ('[program]\nname = "x"\n[inputs]\nomop = "omop"', r"\[program\]"),
        (PROGRAM.replace("https", "file") + '[inputs]\nomop = "omop"', "https"),
        (PROGRAM + 'duo = ["GRU"]\n[inputs]\nomop = "omop"', "DUO:0000042"),
        (PROGRAM + '[inputs]\nomop = "omop"\ncallsets = "x"', "Did you mean 'callset'"),
        (PROGRAM + '[inputs]\nomop = "omop"\nexclude = "x"', "list of paths"),
        (PROGRAM + "[inputs]\nomop = 7", "a path as omop"),
        (PROGRAM + '[inputs]\nomop = "omop"\n[withdrawn]\ntable = "x"', "twice the brackets"),
        (PROGRAM + '[inputs]\nomop = "omop"\n[[withdrawn]]\ntable = "x"', "table, column, value"),
        ("[inputs", "is not TOML"),
    ],
)
def test_what_it_should_not_say(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_order(_file(tmp_path, text))


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_order(str(tmp_path / "none.toml"))
    with pytest.raises(InputError, match="names callset, and nothing is there"):
        read_order(_file(tmp_path, PROGRAM + '[inputs]\nomop = "omop"\ncallset = "none.callset"'))
