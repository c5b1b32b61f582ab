"""Settings: what wins, and what each mistake is told."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from cohelix.errors import ConfigError
from cohelix.jobs import config
from cohelix.jobs.config import load_params
from cohelix.pgx.schema import CallParams as PgxParams
from cohelix.simulate.schema import CohortParams, SequencingParams


@dataclass(frozen=True)
class Params:
    gq0: str = "nocall"
    max_alleles: int = 100
    min_ab: float = 0.2
    strict: bool = True
    ceiling: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.min_ab <= 1:
            raise ValueError(f"min_ab = {self.min_ab} is out of range")


def _file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "run.toml"
    path.write_text(text)
    return str(path)


def test_defaults() -> None:
    assert load_params(Params, "joint") == Params()


def test_later_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    presets = {"p": {"joint": {"gq0": "homref", "max_alleles": 1, "min_ab": 0.1}}}
    monkeypatch.setattr(config, "read_preset", presets.__getitem__)
    path = _file(tmp_path, 'preset = "p"\n[joint]\nmax_alleles = 2\nmin_ab = 0.5\n')
    assert load_params(Params, "joint", preset="p") == Params("homref", 1, 0.1)
    assert load_params(Params, "joint", config=path) == Params("homref", 2, 0.5)
    overrides = ["joint.min_ab=0.9", "ingest.bands=aou"]
    assert load_params(Params, "joint", config=path, overrides=overrides) == Params("homref", 2, 0.9)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("joint.gq0=homref", Params(gq0="homref")),
        ('joint.gq0="homref"', Params(gq0="homref")),
        ("joint.gq0=1", Params(gq0="1")),
        ("joint.max_alleles=5", Params(max_alleles=5)),
        ("joint.min_ab=1", Params(min_ab=1.0)),
        ("joint.strict=false", Params(strict=False)),
        ("joint.ceiling=7", Params(ceiling=7)),
    ],
)
def test_overrides(override: str, expected: Params) -> None:
    loaded = load_params(Params, "joint", overrides=[override])
    assert loaded == expected
    assert [type(value) for value in vars(loaded).values()] == [type(value) for value in vars(expected).values()]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("joint.qg0=homref", r"key 'qg0' is not known. Did you mean 'gq0'"),
        ("joint.max_alleles=many", "expected a value of type int, found 'many'"),
        ("joint.max_alleles=1.5", "expected a value of type int, found 1.5"),
        ("joint.max_alleles=true", "expected a value of type int, found True"),
        ("joint.strict=1", "expected a value of type bool, found 1"),
        ("joint.ceiling=x", "expected a value of type int or NoneType"),
        ("joint.min_ab=2", "min_ab = 2.0 is out of range"),
        ("jiont.gq0=homref", "section 'jiont' is not known. Did you mean 'joint'"),
        ("gq0=homref", "expected section.key=value"),
        ("joint.gq0", "expected section.key=value"),
    ],
)
def test_overrides__refused(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_params(Params, "joint", overrides=[override])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[joint]\ngq_0 = 'x'", r"\[joint\]: key 'gq_0' is not known. Did you mean 'gq0'"),
        ("[joints]\n", "unknown entry 'joints'. Did you mean 'joint'"),
        ("[qc.sample]\n", r"\[qc\] has an unknown entry 'sample'. Did you mean 'samples'"),
        ("qc = 3\n", r"expected a section \[qc.samples\], found a single value"),
        ("[qc]\nsamples = 3\n", r"expected a section \[qc.samples\], found a single value"),
        ("joint = 3", r"expected a section \[joint\]"),
        ("joint = [", "is not TOML"),
        ("preset = 'aou-v9'", "preset 'aou-v9' is not known. Did you mean 'aou-v8'"),
    ],
)
def test_file__refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_params(Params, "joint", config=_file(tmp_path, text))


def test_file__absent_is_not_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        load_params(Params, "joint", config=str(tmp_path / "person-17.toml"))
    assert "person-17" not in str(caught.value)


@pytest.mark.parametrize("section", config.SECTIONS)
@pytest.mark.parametrize("preset", [None, *config.preset_names()])
def test_every_preset_fits_every_section(section: str, preset: str | None) -> None:
    cls = config.section_class(section)
    assert isinstance(load_params(cls, section, preset=preset), cls)


def test_presets_have_no_stray_section() -> None:
    programmes = [name for name in config.preset_names() if not name.startswith("cohort-")]
    assert programmes == ["aou-v8", "emerge", "gnomad-v4", "pgsc-calc", "plink2"]
    for name in config.preset_names():
        for key, value in config.read_preset(name).items():
            named = {key} if key in config.SECTIONS else {f"{key}.{within}" for within in value}
            assert named <= set(config.SECTIONS)


def test_configurations_of_the_pipelines_load(root: Path) -> None:
    files = sorted((root / "pipelines" / "configs").glob("*/*.toml"))
    assert files
    for path in files:
        for section in config.SECTIONS:
            load_params(config.section_class(section), section, config=str(path))
        assert tomllib.loads(path.read_text())


NESTED = "[simulate]\npersons = 3\nshares = {eur = 1}\n[simulate.sequencing]\ncontamination = [0.01, 0.2]\n"


def test_sections_within_sections(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(NESTED)
    outer = config.load_params(CohortParams, "simulate", config=str(path), overrides=["simulate.region_bases=2000"])
    assert (outer.persons, outer.shares, outer.region_bases) == (3, {"eur": 1.0}, 2000)
    inner = config.load_params(
        SequencingParams, "simulate.sequencing", config=str(path), overrides=["simulate.sequencing.coverage=20"]
    )
    assert (inner.contamination, inner.coverage) == ([0.01, 0.2], 20.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[simulate]\nshares = [1]\n", "shares: expected a value of type dict"),
        ("[simulate]\nshares = {eur = \"all\"}\n", "shares.eur: expected a value of type float"),
        ("[simulate]\nregions = \"chr1\"\n", "regions: expected a value of type list"),
        ("[simulate.sequencing]\ncontamination = [\"much\"]\n", r"contamination\[0\]: expected a value of type float"),
        ("[simulate]\nsequencing = 3\n", r"expected a section \[simulate.sequencing\]"),
        ("[simulate.sequencin]\ncoverage = 3\n", "'sequencin' is not known"),
    ],
)  # fmt: skip
def test_lists_and_tables_are_checked(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        config.load_params(CohortParams, "simulate", config=str(path))
        config.load_params(SequencingParams, "simulate.sequencing", config=str(path))


def test_lists_that_stay_as_they_are(tmp_path: Path) -> None:
    """A field tuple[str, ...] is written as a list."""
    override = ['pgx.call.genes=["TPMT", "CYP2C19"]']
    assert load_params(PgxParams, "pgx.call", overrides=override).genes == ("TPMT", "CYP2C19")
    for wrong in ("pgx.call.genes=TPMT", "pgx.call.genes=3"):
        with pytest.raises(ConfigError, match=r"pgx.call.genes.*expected a value of type list"):
            load_params(PgxParams, "pgx.call", overrides=[wrong])
    with pytest.raises(ConfigError, match=r"genes\[1\]: expected a value of type str"):
        load_params(PgxParams, "pgx.call", overrides=['pgx.call.genes=["TPMT", 3]'])
