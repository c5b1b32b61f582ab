"""Every command of cohelix behind the gate: what it reads in a workspace asks for a grant, and nothing goes down."""

from __future__ import annotations

import dataclasses
import functools
import re
import shutil
from pathlib import Path
from typing import Any

import click
import pytest
import typer

from cohelix.cli import gate
from cohelix.cli.__main__ import app, run
from cohelix.errors import CohelixError
from cohelix.tier import MARK, Tier, bind
from tests.release.gated import DATASET, NAMES, TERMS, Gated, make

TIERS = (Tier.PUBLIC, Tier.REGISTERED, Tier.CONTROLLED)
LINKING = dataclasses.replace(TERMS, linkage="LINK-3")
VCF = (
    "##fileformat=VCFv4.2\n##contig=<ID=chr22,length=50818468>\n"
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="G">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\n"
    "chr22\t20000000\t.\tA\tG\t.\t.\t.\tGT\t0/1\t1/1\n"
)


def _leaves(command: click.Command, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], click.Command]:
    if isinstance(command, click.Group):
        found: dict[tuple[str, ...], click.Command] = {}
        for name, below in command.commands.items():
            found |= _leaves(below, (*path, name))
        return found
    return {path: command}


COMMANDS = _leaves(typer.main.get_command(app))


def _outcome(line: list[str]) -> tuple[int, str]:
    """Exit code and message of a command line, as `run` has them, without building all commands for each line anew."""
    try:
        with _guarded().make_context("cohelix", list(line)) as context:
            context.command.invoke(context)
    except CohelixError as error:
        return error.exit_code, str(error)
    return 0, ""


@functools.cache
def _guarded() -> click.Command:
    command = typer.main.get_command(app)
    gate.guard(command)
    return command


def _written(path: tuple[str, ...]) -> list[click.Parameter]:
    more = gate.WRITTEN.get(path, set())
    return [one for one in COMMANDS[path].params if {"-o", "--out"} & set(one.opts) or one.name in more]


WRITING = [path for path in COMMANDS if _written(path) and path[0] != "release"]
READING = [
    path
    for path, command in COMMANDS.items()
    if path[0] not in ("release", "estimate", "config", "doctor")
    and any(isinstance(one, click.Argument) and one.name not in ("sample", "locus") for one in command.params)
]


def _line(path: tuple[str, ...], source: str, target: str) -> list[str]:
    """A command line that is right to click: every input is `source`, every output is below `target`."""
    words, options, written = list(path), [], {one.name for one in _written(path)}
    for one in COMMANDS[path].params:
        if one.name in written:
            value: Any = f"{target}/made-{one.name}"
        elif isinstance(one, click.Argument) or one.required:
            value = _value(one, source)
        else:
            continue
        if isinstance(one, click.Argument):
            words.append(value)
        else:
            options += [one.opts[0]] if getattr(one, "is_flag", False) else [one.opts[0], value]
    return [*words, *options]


def _value(one: click.Parameter, source: str) -> str:
    if isinstance(one.type, click.Choice):
        return str(one.type.choices[0])
    if isinstance(one.type, click.types.IntParamType | click.types.FloatParamType):
        return "2"
    return source


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Gated:
    """With workspaces `work/<tier>` that each have `data.tsv`, and visas for all tiers in `good`."""
    gated = make(tmp_path_factory.mktemp("program"))
    for tier in TIERS:
        work = gated.folder / "work" / tier.word
        bind(work, tier, "workspace", release=NAMES[tier], manifest="00", dataset=DATASET)
        (work / "data.tsv").write_text("sample_id\n")
    (gated.folder / "source.tsv").write_text("sample_id\n")
    gated.passport("good", gated.visa(Tier.REGISTERED), gated.visa(Tier.CONTROLLED))
    return gated


@pytest.fixture
def granted(program: Gated, monkeypatch: pytest.MonkeyPatch) -> Gated:
    monkeypatch.setenv("COHELIX_TRUST", program.trust_path)
    monkeypatch.setenv("COHELIX_PASSPORT", str(program.folder / "good"))
    monkeypatch.chdir(program.folder)
    return program


def _tree(gated: Gated) -> list[tuple[str, int]]:
    audit = gated.audit.name
    return sorted(
        (str(path.relative_to(gated.folder)), path.stat().st_size if path.is_file() else -1)
        for path in gated.folder.rglob("*")
        if path.relative_to(gated.folder).parts[0] != audit
    )


def _data(gated: Gated, tier: Tier) -> str:
    return str(gated.folder / ("source.tsv" if tier is Tier.SOURCE else f"work/{tier.word}/data.tsv"))


DOWN = [(high, low) for low in TIERS for high in (*TIERS, Tier.SOURCE) if high > low]


@pytest.mark.parametrize("path", WRITING, ids=" ".join)
def test_no_command_writes_into_a_lower_tier(granted: Gated, path: tuple[str, ...]) -> None:
    before = _tree(granted)
    for high, low in DOWN:
        code, told = _outcome(_line(path, _data(granted, high), str(granted.folder / "work" / low.word)))
        assert code == 3, (high, low)
        assert re.search(
            rf"expected data of the tier {low.word} or lower|of the tier {low.word} or lower, to write to one", told
        ), told
    assert _tree(granted) == before


@pytest.mark.parametrize("path", WRITING, ids=" ".join)
def test_no_command_writes_among_releases(granted: Gated, path: tuple[str, ...]) -> None:
    before = _tree(granted)
    for tier in TIERS:
        root = granted.folder / "releases" / tier.word
        for place in (root, root / NAMES[tier]):
            code, told = _outcome(_line(path, _data(granted, Tier.PUBLIC), str(place)))
            assert (code, "Only `cohelix release` writes there" in told) == (3, True)
    assert _tree(granted) == before


@pytest.mark.parametrize("path", READING, ids=" ".join)
def test_no_command_reads_a_workspace_without_a_grant(
    granted: Gated, path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, n = _tree(granted), len(granted.entries())
    monkeypatch.setenv("COHELIX_PASSPORT", "")
    code, told = _outcome(_line(path, _data(granted, Tier.CONTROLLED), str(granted.folder / "out")))
    assert (code, "asks for a grant" in told) == (6, True)
    (refused,) = granted.entries()[n:]
    assert (refused["what"], refused["allowed"], refused["tier"]) == (" ".join(path), False, "controlled")
    assert _tree(granted) == before


@pytest.mark.parametrize("path", READING, ids=" ".join)
def test_no_command_reads_sealed_releases(granted: Gated, path: tuple[str, ...]) -> None:
    before = _tree(granted)
    inside = str(granted.release(Tier.CONTROLLED) / "README.md.c4gh")
    code, told = _outcome(_line(path, inside, str(granted.folder / "out")))
    assert (code, "cohelix release open" in told) == (6, True)
    assert _tree(granted) == before


def test_every_output_is_known_to_the_gate() -> None:
    """A parameter whose help says that something is made or written is among those that the gate checks as such."""
    says = re.compile(r"\b(to make|to write|to add to|to be written)\b|^(File|Folder) for\b", re.I)
    for path, command in COMMANDS.items():
        known = {one.name for one in _written(path)}
        for one in command.params:
            told = getattr(one, "help", "") or ""
            assert one.name in known or not says.search(told), (path, one.name)


def test_names_of_parameters_are_those_of_commands() -> None:
    """A name that no command has any more would let something else of that name through."""
    names = {one.name for command in COMMANDS.values() for one in command.params}
    assert names >= gate.NOT_OF_PEOPLE
    for path, parameters in gate.WRITTEN.items():
        assert parameters <= {one.name for one in COMMANDS[path].params}


@pytest.mark.parametrize("command", ["keys", "issuer"])
def test_commands_of_releases_make_no_other_thing_in_a_tier(granted: Gated, command: str) -> None:
    before = _tree(granted)
    for tier in TIERS:
        for place in (f"releases/{tier.word}/made", f"work/{tier.word}/made"):
            assert run(["release", command, "-o", str(granted.folder / place)]) == 3
    assert _tree(granted) == before


def _spelt(gated: Gated) -> list[list[str]]:
    """Ways of naming a place in the Controlled workspace that are not its plain path."""
    work = gated.folder / "work" / "controlled"
    (gated.folder / "link").unlink(missing_ok=True)
    (gated.folder / "link").symlink_to(work / "data.tsv")
    manifest = gated.folder / "manifest.tsv"
    manifest.write_text(f"sample_id\tgvcf\nx\t{work}/a.g.vcf.gz\n")
    beside = gated.folder / "beside.tsv"
    beside.write_text("sample_id\tgvcf\nx\twork/controlled/a.g.vcf.gz\n")
    settings = gated.folder / "settings.toml"
    settings.write_text(f'[x]\npath = "{work}/data.tsv"\n')
    return [
        ["genotypes", "describe", f"file://{work}/data.tsv"],
        ["genotypes", "describe", "work/controlled/data.tsv"],
        ["genotypes", "describe", "work/public/../controlled/data.tsv"],
        ["genotypes", "describe", "link"],
        ["genotypes", "describe", str(work)],
        ["genotypes", "import", f"{work}/data", "-o", "out"],  # the beginning of files' names
        ["joint", "lint", str(manifest)],
        ["joint", "lint", str(beside)],
        ["qc", "report", str(gated.folder / "source.tsv"), str(work), "-o", "out"],
        ["qc", "samples", "source.tsv", "-o", "out", "--config", str(settings)],
        ["prs", "score", "source.tsv", "-o", "out", "--scores", "source.tsv", "--scores", str(work / "data.tsv")],
    ]


@pytest.mark.parametrize("k", range(11))
def test_other_ways_to_name_a_place(granted: Gated, monkeypatch: pytest.MonkeyPatch, k: int) -> None:
    monkeypatch.setenv("COHELIX_PASSPORT", "")
    assert run(_spelt(granted)[k]) == 6
    assert not (granted.folder / "out").exists()


def test_within_a_workspace_names_are_short(granted: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(granted.folder / "work" / "controlled")
    monkeypatch.setenv("COHELIX_PASSPORT", "")
    assert run(["genotypes", "describe", "data.tsv"]) == 6
    assert run(["qc", "samples", "data.tsv", "-o", "made"]) == 6
    assert not Path("made").exists()


def test_tables_of_people_from_elsewhere_take_an_approval(
    granted: Gated, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `release join` asks for, other commands ask for too; weights and alleles are nobody's."""
    data, elsewhere = _data(granted, Tier.CONTROLLED), _data(granted, Tier.SOURCE)
    asks = [
        ["prs", "evaluate", data, "-o", "out", "--phenotypes", elsewhere],
        ["prs", "evaluate", elsewhere, "-o", "out", "--phenotypes", data],
        ["qc", "concordance", data, elsewhere, "--links", data, "-o", "out"],
        ["omop", "link", data, "--samples", data, "--links", elsewhere, "-o", "out"],
        ["genotypes", "export", data, "-o", "out", "--samples-file", elsewhere],
    ]
    for line in asks:
        n = len(granted.entries())
        assert run(line) == 6, line
        assert "linkage" in capsys.readouterr().err
        assert [one["allowed"] for one in granted.entries()[n:]] == [False]
    assert run(["prs", "score", data, "-o", "out", "--scores", elsewhere]) == 2  # let in; the table is no callset
    assert "linkage" not in capsys.readouterr().err
    linking = granted.passport("linking", granted.visa(Tier.CONTROLLED, LINKING))
    monkeypatch.setenv("COHELIX_PASSPORT", linking)
    for line in asks:
        assert run(line) != 6
        assert "linkage" not in capsys.readouterr().err
    assert not (granted.folder / "out").exists()


def test_upwards_and_in_the_same_tier_data_go(granted: Gated) -> None:
    low, high = granted.folder / "work" / "registered", granted.folder / "work" / "controlled"
    (low / "in.vcf").write_text(VCF)
    n = len(granted.entries())
    for target in (low, high):  # what comes from elsewhere would be above both
        assert run(["genotypes", "import", str(low / "in.vcf"), "-o", str(target / "made.callset")]) == 0
        assert run(["genotypes", "describe", str(target / "made.callset")]) == 0
        assert run(["genotypes", "export", str(target / "made.callset"), "-o", str(target / "made.bed")]) == 0
    assert all((place / "made.bed").stat().st_size == 4 for place in (low, high))  # three bytes of magic, one site
    told = [(one["what"], one["tier"], one["allowed"]) for one in granted.entries()[n:]]
    assert ("genotypes describe", "controlled", True) in told and all(one[2] for one in told)
    before = _tree(granted)
    assert run(["genotypes", "export", str(high / "made.callset"), "-o", str(low / "leak.bed")]) == 3
    assert run(["genotypes", "export", str(high / "made.callset"), "-o", "work/public/leak.vcf"]) == 3
    assert _tree(granted) == before
    for place in (low, high):
        for path in place.iterdir():
            if path.name not in (MARK, "data.tsv"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_a_mark_that_cannot_be_read_stops_everything(granted: Gated, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / MARK).write_text("{")
    (bad / "data.tsv").write_text("sample_id\n")
    assert run(["genotypes", "describe", str(bad / "data.tsv")]) == 3


def test_pipelines_go_through_the_gate(granted: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs of their own are guarded as the commands are."""
    own = typer.Typer()
    reached = []

    @own.command()
    def own_program(data: str, out: str = typer.Option("", "--out", "-o")) -> None:
        reached.append(data)

    monkeypatch.setenv("COHELIX_PASSPORT", "")
    assert run([_data(granted, Tier.CONTROLLED), "-o", str(granted.folder / "out")], own) == 6
    assert run([_data(granted, Tier.SOURCE), "-o", str(granted.folder / "work/public/made")], own) == 3
    assert reached == []
    assert run([_data(granted, Tier.SOURCE), "-o", str(granted.folder / "out")], own) == 0
    assert len(reached) == 1
