"""Keys of releases: from a folder or a program, of the right owner, and shown nowhere."""

from __future__ import annotations

import base64
import pickle
import stat
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, hmac

from cohelix.errors import CohelixError, ConfigError, ContractError
from cohelix.release.keys import Keys, key_id, make_keys, make_reader_keys, open_keys
from cohelix.tier import Tier


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_keys(tmp_path / "keys")
    return tmp_path / "keys"


def hkdf(master: bytes, salt: bytes, info: bytes) -> bytes:
    """RFC 5869 for 32 bytes, as it is written there."""

    def mac(key: bytes, data: bytes) -> bytes:
        made = hmac.HMAC(key, hashes.SHA256())
        made.update(data)
        return made.finalize()

    return mac(mac(salt, master), info + b"\x01")


def raw(folder: Path, name: str) -> bytes:
    return base64.b64decode((folder / name).read_bytes())


def test_folder_is_its_owners_alone(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert len({path.read_bytes() for path in folder.iterdir()}) == 7
    with pytest.raises(ConfigError):
        make_keys(folder)


def test_halves_belong_together(folder: Path) -> None:
    keys = open_keys(str(folder))
    keys.verifying().verify(keys.signing().sign(b"data"), b"data")
    for tier in (Tier.REGISTERED, Tier.CONTROLLED):
        assert keys.opening(tier).public_key() == keys.sealing(tier)
    assert keys.sealing(Tier.REGISTERED) != keys.sealing(Tier.CONTROLLED)
    assert len(key_id(keys.verifying())) == 32


def test_secrets_are_derived_by_purpose(folder: Path) -> None:
    keys = open_keys(str(folder))
    made = keys.secret("ids|controlled")
    assert made == hkdf(raw(folder, "master"), b"cohelix release 1", b"ids|controlled")
    assert made != keys.secret("ids|registered")
    assert made == open_keys(str(folder)).secret("ids|controlled")


@pytest.mark.parametrize("tier", [Tier.PUBLIC, Tier.REGISTERED, Tier.CONTROLLED])
def test_a_reader_has_what_a_tier_needs_and_no_more(folder: Path, tmp_path: Path, tier: Tier) -> None:
    maker = open_keys(str(folder))
    make_reader_keys(maker, tier, tmp_path / "reader")
    reader = open_keys(str(tmp_path / "reader"))
    assert reader.verifying() == maker.verifying()
    for other in (Tier.REGISTERED, Tier.CONTROLLED):
        if other is tier:
            assert reader.opening(other).private_bytes_raw() == maker.opening(other).private_bytes_raw()
        else:
            with pytest.raises(ConfigError, match=f"opening-{other.word}"):
                reader.opening(other)
    with pytest.raises(ConfigError, match="master"):
        reader.secret("ids")
    with pytest.raises(ConfigError, match="signing"):
        reader.signing()


def test_a_verifying_key_is_made_of_the_signing_key(folder: Path) -> None:
    before = open_keys(str(folder)).verifying()
    (folder / "verifying").unlink()
    assert open_keys(str(folder)).verifying() == before


@pytest.mark.parametrize("half", ["verifying", "sealing-controlled"])
def test_halves_of_two_pairs_are_refused(folder: Path, tmp_path: Path, half: str) -> None:
    make_keys(tmp_path / "others")
    (folder / half).write_bytes((tmp_path / "others" / half).read_bytes())
    keys = open_keys(str(folder))
    with pytest.raises(ConfigError, match=half):
        _ = keys.signing() if half == "verifying" else keys.sealing(Tier.CONTROLLED)


def test_others_must_not_read_a_secret_nor_replace_a_public_key(folder: Path) -> None:
    (folder / "master").chmod(0o640)
    (folder / "verifying").chmod(0o644)
    (folder / "sealing-registered").chmod(0o666)
    keys = open_keys(str(folder))
    keys.verifying()
    with pytest.raises(ConfigError, match=r"master.*read by others"):
        keys.secret("ids")
    with pytest.raises(ConfigError, match=r"sealing-registered.*replaced by others"):
        keys.sealing(Tier.REGISTERED)


@pytest.mark.parametrize("text", [b"", b"c2hvcnQ=", b"not base64!", base64.b64encode(bytes(33)), b"\xff" * 2000])
def test_what_is_no_key_is_refused_and_not_shown(folder: Path, text: bytes) -> None:
    (folder / "master").write_bytes(text)
    with pytest.raises(ConfigError, match="master") as caught:
        open_keys(str(folder)).secret("ids")
    assert not text or text.decode(errors="replace") not in str(caught.value)


def test_keys_of_a_program(folder: Path, tmp_path: Path) -> None:
    program = tmp_path / "give keys.py"
    program.write_text(
        "import pathlib, sys\n"
        "path = pathlib.Path(sys.argv[1]) / sys.argv[2]\n"
        "sys.exit(3) if not path.exists() else print(path.read_text())\n"
    )
    keys = open_keys(f"command:{sys.executable} '{program}' '{folder}'")
    plain = open_keys(str(folder))
    assert keys.secret("ids") == plain.secret("ids")
    assert keys.opening(Tier.CONTROLLED).private_bytes_raw() == plain.opening(Tier.CONTROLLED).private_bytes_raw()
    (folder / "master").unlink()
    with pytest.raises(ConfigError, match="master"):
        open_keys(f"command:{sys.executable} '{program}' '{folder}'").secret("ids")


def test_a_program_is_run_without_a_shell(tmp_path: Path) -> None:
    made = tmp_path / "made"
    keys = open_keys(f"command:{sys.executable} -c pass ; touch {made}")
    with pytest.raises(ConfigError):
        keys.secret("ids")
    assert not made.exists()


@pytest.mark.parametrize("spec", ["command:", "command:'", "command:/no/such/program", "/no/such/folder"])
def test_bad_sources_are_refused(spec: str) -> None:
    with pytest.raises(ConfigError):
        open_keys(spec).secret("ids")


def test_there_are_no_keys_to_seal_public_files(folder: Path) -> None:
    with pytest.raises(ContractError):
        open_keys(str(folder)).sealing(Tier.PUBLIC)


def test_keys_are_shown_nowhere(folder: Path) -> None:
    keys = open_keys(str(folder))
    known = [raw(folder, path.name) for path in folder.iterdir()]
    keys.signing(), keys.secret("ids"), keys.opening(Tier.CONTROLLED), keys.opening(Tier.REGISTERED)
    shown = repr(keys) + str(keys) + f"{keys}"
    with pytest.raises(ContractError) as refused:
        pickle.dumps(keys)
    shown += str(refused.value)
    for key in known:
        assert key.hex() not in shown
        assert base64.b64encode(key).decode() not in shown
        assert repr(key)[2:-1] not in shown


def test_no_message_of_a_program_that_fails_is_shown() -> None:
    secret = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IQ=="
    for code in (0, 1):
        command = f"""{sys.executable} -c "import sys; print('{secret}'); sys.exit({code})" """
        with pytest.raises(CohelixError) as caught:
            Keys.secret(open_keys(f"command:{command}"), "ids")
        assert secret not in str(caught.value)
        assert caught.value.__cause__ is None
