"""Threads: order, errors, and the same answer on any number of them."""

from __future__ import annotations

import threading
import time

import pytest

from cohelix.errors import ConfigError, InputError
from cohelix.runtime.local import LocalRuntime
from cohelix.runtime.protocol import fold, open_runtime


@pytest.mark.parametrize("cores", [1, 2, 7])
def test_results_are_in_the_order_of_the_tasks(cores: int) -> None:
    def late_first(task: int) -> int:
        time.sleep(0.02 if task == 0 else 0)
        return task * task

    assert list(LocalRuntime(cores).map(late_first, range(20), label="squares")) == [n * n for n in range(20)]


def test_no_task() -> None:
    assert list(LocalRuntime().map(abs, [], label="none")) == []


def test_two_cores_work_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=30)
    assert len(list(LocalRuntime(2).map(lambda _: meeting.wait(), [0, 1], label="meet"))) == 2


def test_the_error_of_a_task_comes_back_as_it_was() -> None:
    def refuse(task: int) -> int:
        if task == 3:
            raise InputError("row 3: expected a gVCF")
        return task

    with pytest.raises(InputError, match=r"^row 3: expected a gVCF$"):
        list(LocalRuntime(2).map(refuse, range(6), label="refuse"))


def test_tasks_may_be_lists_and_dicts() -> None:
    assert list(LocalRuntime(2).map(lambda task: task, [[1, 2], {"a": [3]}], label="x")) == [[1, 2], {"a": [3]}]


def test_share_and_describe() -> None:
    runtime = open_runtime("local", cores=2)
    assert runtime.share("value")() == "value"
    assert runtime.describe() == {"runtime": "local", "cores": 2}
    runtime.close()


def test_open_runtime__unknown() -> None:
    with pytest.raises(ConfigError, match="Choose 'local' or 'spark'"):
        open_runtime("dask")


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 13])
def test_fold_is_a_fixed_tree_in_order(n: int) -> None:
    parts = [f"{i}" for i in range(n)]
    folded = fold(parts, lambda a, b: f"({a} {b})")
    assert folded.replace("(", "").replace(")", "").split() == parts
    if n == 5:
        assert folded == "(((0 1) (2 3)) 4)"
