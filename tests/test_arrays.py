"""Arrays on disk, read by many threads at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from cohelix.arrays import distinct, mapped


def test_threads_may_map_arrays_at_once(tmp_path: Path) -> None:
    arrays = [np.arange(number * 3, dtype=np.int32).reshape(3, number) for number in range(1, 9)]
    for number, array in enumerate(arrays):
        np.save(tmp_path / f"{number}.npy", array)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda at: mapped(tmp_path / f"{at % 8}.npy"), range(4000)))
    for at, array in enumerate(found):
        assert isinstance(array, np.memmap) and not array.flags.writeable
        np.testing.assert_array_equal(array, arrays[at % 8])


def test_what_is_no_array(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        mapped(tmp_path / "none.npy")
    (tmp_path / "text.npy").write_text("not an array")
    with pytest.raises(ValueError):
        mapped(tmp_path / "text.npy")


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64, np.uint64, np.float64])
@pytest.mark.parametrize("n", [0, 1, 2, 1000])
def test_distinct_values_are_those_of_numpy(n: int, dtype: type) -> None:
    values = np.random.default_rng(n).integers(0, 300, (n, 2)).astype(dtype)
    assert distinct(values).tolist() == np.unique(values).tolist()
    assert distinct(values).dtype == dtype
