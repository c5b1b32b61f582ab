"""Tiers: which folder belongs to which, and where nobody may write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cohelix import storage
from cohelix.errors import ConfigError
from cohelix.folder import appearing_whole
from cohelix.genotypes.exports import whole_file
from cohelix.tier import MARK, Tier, bind, check_write, mark_of, marks_below, opened, tier_named, tier_of


def test_what_has_no_mark_is_above_every_tier(tmp_path: Path) -> None:
    assert tier_of(tmp_path) is Tier.SOURCE
    assert tier_of(tmp_path / "not" / "there") is Tier.SOURCE
    assert max(Tier) is Tier.SOURCE
    check_write(tmp_path / "anything")


def test_all_below_a_bound_folder_is_of_its_tier(tmp_path: Path) -> None:
    bind(tmp_path / "r", Tier.REGISTERED, "releases")
    assert tier_of(tmp_path / "r") is Tier.REGISTERED
    assert tier_of(tmp_path / "r" / "a" / "b.parquet") is Tier.REGISTERED
    assert tier_of(tmp_path) is Tier.SOURCE
    assert [mark.tier for mark in marks_below(tmp_path)] == [Tier.REGISTERED]
    assert (tmp_path / "r").stat().st_mode & 0o777 == 0o700


def test_a_folder_is_bound_once(tmp_path: Path) -> None:
    first = bind(tmp_path / "p", Tier.PUBLIC, "releases")
    (tmp_path / "p" / "file").write_text("x")
    assert bind(tmp_path / "p", Tier.PUBLIC, "releases") == first
    with pytest.raises(ConfigError, match="is bound to the tier public"):
        bind(tmp_path / "p", Tier.CONTROLLED, "releases")


def test_tiers_are_apart(tmp_path: Path) -> None:
    bind(tmp_path / "p", Tier.PUBLIC, "releases")
    with pytest.raises(ConfigError, match="lies within"):
        bind(tmp_path / "p" / "c", Tier.CONTROLLED, "releases")
    bind(tmp_path / "all" / "c", Tier.CONTROLLED, "releases")
    with pytest.raises(ConfigError, match="below"):
        bind(tmp_path / "all", Tier.PUBLIC, "releases")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    with pytest.raises(ConfigError, match="link"):
        bind(tmp_path / "link", Tier.PUBLIC, "releases")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("")
    with pytest.raises(ConfigError, match="new or empty"):
        bind(tmp_path / "full", Tier.PUBLIC, "releases")
    assert not (tmp_path / "full" / MARK).exists()


def test_a_link_does_not_lead_out_of_a_tier(tmp_path: Path) -> None:
    bind(tmp_path / "p", Tier.PUBLIC, "releases")
    (tmp_path / "way").symlink_to(tmp_path / "p", target_is_directory=True)
    assert tier_of(tmp_path / "way" / "x") is Tier.PUBLIC
    with pytest.raises(ConfigError, match="tier public"):
        storage.write(str(tmp_path / "way" / "x"), b"")


@pytest.mark.parametrize(
    "said", [b"", b"{}", b'{"tier": "secret", "use": "releases"}', b'{"tier": "public", "use": 3}']
)
def test_a_mark_that_cannot_be_read_stops_everything(tmp_path: Path, said: bytes) -> None:
    (tmp_path / MARK).write_bytes(said)
    with pytest.raises(ConfigError, match="cannot be read"):
        mark_of(tmp_path / "x")
    with pytest.raises(ConfigError, match="cannot be read"):
        check_write(tmp_path / "x")


def test_every_door_refuses_a_bound_folder(tmp_path: Path) -> None:
    bind(tmp_path / "p", Tier.PUBLIC, "releases")
    made = tmp_path / "made"
    made.write_bytes(b"x")
    before = sorted(os.listdir(tmp_path / "p"))
    with pytest.raises(ConfigError):
        storage.write(str(tmp_path / "p" / "x"), b"x")
    with pytest.raises(ConfigError):
        storage.write(f"file://{tmp_path}/p/x", b"x")
    with pytest.raises(ConfigError):
        storage.move_in(made, str(tmp_path / "p" / "x"))
    with pytest.raises(ConfigError):
        storage.create_exclusive(str(tmp_path / "p" / "x"), b"x")
    with pytest.raises(ConfigError), appearing_whole(tmp_path / "p" / "x"):
        pass
    with pytest.raises(ConfigError), whole_file(str(tmp_path / "p" / "x")):
        pass
    assert sorted(os.listdir(tmp_path / "p")) == before


def test_data_go_to_their_tier_or_higher(tmp_path: Path) -> None:
    mark = bind(tmp_path / "r", Tier.REGISTERED, "workspace")
    for label in (Tier.CONTROLLED, Tier.SOURCE):
        with pytest.raises(ConfigError, match="found data of"), opened(mark, label):
            pass
    with opened(mark, Tier.PUBLIC):
        storage.write(str(tmp_path / "r" / "x"), b"x")
        with opened(mark, Tier.REGISTERED):
            pass
        storage.write(str(tmp_path / "r" / "y"), b"x")
    with pytest.raises(ConfigError):
        storage.write(str(tmp_path / "r" / "z"), b"x")


def test_names_of_tiers() -> None:
    assert [tier_named(word) for word in ("public", "registered", "controlled")] == [0, 1, 2]
    for word in ("source", "Public", ""):
        with pytest.raises(ConfigError, match="expected public"):
            tier_named(word)
