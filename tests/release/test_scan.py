"""Ids in any form that somebody may have left them in."""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohelix.errors import InputError
from cohelix.release.scan import Found, look, markers, scan

TEXT, NUMBER = "CANARY07", "48151623"


def _forms(data: bytes) -> list[str]:
    return [found.form for found in look("file", data, markers([TEXT, NUMBER]))]


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (TEXT.encode(), "text"),
        (TEXT.encode("utf-16-le"), "UTF-16"),
        (TEXT[::-1].encode(), "reversed"),
        (NUMBER.encode(), "text"),
        (int(NUMBER).to_bytes(8, "little"), "integer"),
        (int(NUMBER).to_bytes(8, "big"), "integer"),
        *((base64.b64encode(b"x" * n + TEXT.encode() + b"yz"), "base64") for n in range(6)),
    ],
)
def test_every_form_is_found_wherever_it_stands(data: bytes, form: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, 4000, np.uint8).tobytes()
    for before in (0, 1, 3, 7, 8, 1000):
        assert _forms(noise[:before] + data + noise[before:]) == [form]
    assert _forms(noise) == []


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_an_id_between_any_bytes(before: bytes, after: bytes) -> None:
    assert "text" in _forms(before + TEXT.encode() + after)


def test_digits_within_a_longer_number_are_no_id() -> None:
    digits = NUMBER.encode()
    for data in (b"0." + digits, b"1" + digits, digits + b"3", b"-12." + digits + b"77", digits + b".5"):
        assert _forms(data) == []
    for data in (digits, b"\t" + digits + b"\n", b"id" + digits + b",", b"-" + digits):
        assert _forms(data) == ["text"]


def test_what_is_compressed_is_unpacked() -> None:
    assert _forms(gzip.compress(b"a" + TEXT.encode())) == ["text, unpacked"]
    assert _forms(zlib.compress(TEXT.encode() * 3)) == ["text, unpacked"]


def test_an_id_across_two_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cohelix.release.scan._PIECE", 16)
    for before in range(40):
        assert _forms(b"." * before + TEXT.encode() + b"." * 20) == ["text"]


@pytest.mark.parametrize("compression", ["none", "zstd", "snappy"])
@pytest.mark.parametrize("dictionary", [True, False])
def test_parquet_columns_statistics_and_metadata(tmp_path: Path, compression: str, dictionary: bool) -> None:
    def forms(table: pa.Table) -> set[str]:
        pq.write_table(table, tmp_path / "x.parquet", compression=compression, use_dictionary=dictionary)
        return set(_forms((tmp_path / "x.parquet").read_bytes()))

    assert forms(pa.table({"a": ["b", "c"]})) == set()
    assert "text, a Parquet column" in forms(pa.table({"a": ["b", TEXT]}))
    assert "text, a Parquet column" in forms(pa.table({"a": [["b"], ["c", TEXT]]}))
    for kind in (pa.int32(), pa.int64(), pa.uint32()):
        assert "number, a Parquet column" in forms(pa.table({"a": pa.array([1, int(NUMBER), None], kind)}))
    assert "text, Parquet's metadata" in forms(pa.table({"a": [1]}).replace_schema_metadata({"made for": TEXT}))
    assert "text, Parquet's metadata" in forms(pa.table({TEXT: [1]}))


def test_ids_are_gone_through_once_for_all_files(tmp_path: Path) -> None:
    """Else a table of many columns takes the time of its columns by the ids."""

    class Counted(dict[bytes, tuple[str, int]]):
        times = 0

        def __iter__(self) -> Iterator[bytes]:
            self.times += 1
            return super().__iter__()

    wanted = markers(["SAMPLE-1"])
    patterns = Counted(wanted.patterns)
    for number in range(50):
        (tmp_path / str(number)).write_bytes(b"x" * 100)
    assert scan(tmp_path, replace(wanted, patterns=patterns)) == []
    assert 1 <= patterns.times <= 2


def test_names_of_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / TEXT).mkdir()
    (tmp_path / TEXT / "x").write_text("")
    assert scan(tmp_path, markers([TEXT])) == [Found("", "text, name of a file", 1)]


def test_what_was_opened_is_looked_at(tmp_path: Path) -> None:
    assert scan(tmp_path, markers([TEXT]), opened=[("a", TEXT.encode())]) == [Found("a (opened)", "text", 1)]


def test_short_ids_are_counted_and_not_looked_for() -> None:
    assert markers(["7", "CANARY07"]).n_short == 1
    assert look("file", b"7 and 7", markers(["7", "CANARY07"])) == []
    with pytest.raises(InputError, match="expected ids of 5"):
        markers(["7"])
