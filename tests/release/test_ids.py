"""Ids of a tier: a permutation that only the key undoes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohelix.errors import InputError
from cohelix.release.ids import BITS, LAST, Ids, permuted, restored
from cohelix.release.keys import Keys, make_keys, open_keys
from cohelix.tier import Tier
from tests.oracles import ff1

KEY_128 = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C")
KEY_192 = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F")
KEY_256 = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94")
TWEAK_10 = bytes.fromhex("39383736353433323130")
TWEAK_36 = bytes.fromhex("3737373770717273373737")
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("keys") / "k"
    make_keys(folder)
    return open_keys(str(folder))


@pytest.mark.parametrize(
    ("key", "tweak", "text", "radix", "expected"),
    [
        (KEY_128, b"", "0123456789", 10, "2433477484"),
        (KEY_128, TWEAK_10, "0123456789", 10, "6124200773"),
        (KEY_128, TWEAK_36, "0123456789abcdefghi", 36, "a9tv40mll9kdu509eum"),
        (KEY_192, b"", "0123456789", 10, "2830668132"),
        (KEY_192, TWEAK_10, "0123456789", 10, "2496655549"),
        (KEY_192, TWEAK_36, "0123456789abcdefghi", 36, "xbj3kv35jrawxv32ysr"),
        (KEY_256, b"", "0123456789", 10, "6657667009"),
        (KEY_256, TWEAK_10, "0123456789", 10, "1001623463"),
        (KEY_256, TWEAK_36, "0123456789abcdefghi", 36, "xs8a0azh2avyalyzuwd"),
    ],
)
def test_the_oracle_gives_the_samples_of_nist(key: bytes, tweak: bytes, text: str, radix: int, expected: str) -> None:
    made = ff1.encrypt(key, tweak, [DIGITS.index(c) for c in text], radix)
    assert "".join(DIGITS[d] for d in made) == expected


def _plain(value: int, key: bytes) -> int:
    while True:
        digits = ff1.encrypt(key, b"", [(value >> (BITS - 1 - i)) & 1 for i in range(BITS)], 2)
        value = int("".join(map(str, digits)), 2)
        if value:
            return value


@settings(max_examples=30)
@given(st.lists(st.integers(1, LAST), min_size=1, max_size=8), st.binary(min_size=32, max_size=32))
def test_ids_are_those_of_the_plain_definition(values: list[int], key: bytes) -> None:
    numbers = np.array(values, np.uint64)
    made = permuted(numbers, key)
    assert made.tolist() == [_plain(value, key) for value in values]
    assert restored(made.astype(np.uint64), key).tolist() == values
    assert made.min() >= 1 and made.max() <= LAST


def test_no_two_persons_share_an_id(keys: Keys) -> None:
    ids = Ids(keys, Tier.CONTROLLED)
    persons = np.arange(1, 1_000_001)
    made = ids.person(persons)
    assert len(np.unique(made)) == len(persons)
    assert (ids.persons_back(made) == persons).all()
    # as if drawn at random: the order of ids says nothing of the order of persons
    assert abs(np.corrcoef(persons, made)[0, 1]) < 0.005


def test_what_would_be_zero_is_walked_on() -> None:
    key = bytes(range(32))
    before = restored_zero(key)
    assert permuted(np.array([before], np.uint64), key)[0] != 0
    assert restored(permuted(np.array([before], np.uint64), key).astype(np.uint64), key)[0] == before


def restored_zero(key: bytes) -> int:
    """The value that one step of the permutation takes to 0."""
    from cohelix.release.ids import _Feistel

    return int(_Feistel(key).back(np.array([0], np.uint64))[0])


def test_tiers_and_tables_share_nothing(keys: Keys) -> None:
    persons = np.arange(1, 5001)
    makers = [Ids(keys, tier) for tier in (Tier.REGISTERED, Tier.CONTROLLED)]
    made = [maker.person(persons) for maker in makers] + [maker.row(t, persons) for maker in makers for t in ("a", "b")]
    for place, one in enumerate(made):
        for other in made[place + 1 :]:
            assert (one == other).sum() == 0
            assert abs(np.corrcoef(one, other)[0, 1]) < 0.06
    assert (makers[0].shift_days(persons) != makers[1].shift_days(persons)).mean() > 0.98


def test_days_are_alike_likely_and_a_persons_own(keys: Keys) -> None:
    ids = Ids(keys, Tier.REGISTERED)
    days = ids.shift_days(np.arange(1, 365_001))
    assert days.min() == 1 and days.max() == 365
    found = np.bincount(days, minlength=366)[1:]
    assert ((found - 1000) ** 2 / 1000).sum() < 365 + 5 * np.sqrt(2 * 365)  # chi-squared of 364 degrees of freedom
    assert (ids.shift_days(np.array([77, 5])) == days[[76, 4]]).all()


@pytest.mark.parametrize("value", [0, -1, LAST + 1, 1 << 40])
def test_ids_that_do_not_fit(keys: Keys, value: int) -> None:
    with pytest.raises(InputError, match="expected every person_id"):
        Ids(keys, Tier.CONTROLLED).person(np.array([3, value]))


def test_keys_are_shown_nowhere(keys: Keys) -> None:
    assert "Keys(...)" in repr(Ids(keys, Tier.CONTROLLED))
