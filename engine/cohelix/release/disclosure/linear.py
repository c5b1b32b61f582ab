"""What published numbers tell of others: the least and the most that a count can be, by linear programmes.

An attacker knows every published number, that counts are not negative, and what the rule itself says (where a count is
hidden, there is somebody). All that follows for a count is its range over the tables that agree with that: the optimum
of a linear programme, or of an integer one where fractions would widen it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cohelix.errors import ContractError
from cohelix.release.disclosure.tables import CountTable, State

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Knowledge:
    """low <= rows @ x <= high, and 0 <= x <= most. rows: sparse (facts, base); most: (base,), inf where free."""

    rows: csr_array
    low: np.ndarray
    high: np.ndarray
    most: np.ndarray

    def extreme(self, weights: np.ndarray, *, whole: bool = False, enough: float = -np.inf) -> np.ndarray | None:
        """x that makes weights @ x least. None where nothing agrees with the facts.

        whole: x of integers. enough: of which one need not be sought that makes it less than this.
        """
        if not whole:
            return self._of_numbers.least(weights)
        return self._of_integers.least(weights, enough)

    @cached_property
    def _of_numbers(self) -> _Programme:
        return _Programme(self, whole=False)

    @cached_property
    def _of_integers(self) -> _Programme:
        return _Programme(self, whole=True)


class _Programme:
    """A linear programme that is solved for one goal after another: each starts where the one before ended."""

    def __init__(self, known: Knowledge, *, whole: bool) -> None:
        import highspy

        n = len(known.most)
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = n, known.rows.shape[0]
        model.col_cost_, model.col_lower_, model.col_upper_ = np.zeros(n), np.zeros(n), known.most
        model.row_lower_, model.row_upper_ = known.low, known.high
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_, model.a_matrix_.index_ = known.rows.indptr, known.rows.indices
        model.a_matrix_.value_ = known.rows.data
        if whole:
            model.integrality_ = [highspy.HighsVarType.kInteger] * n
        self._columns = np.arange(n, dtype=np.int32)
        self._solver = highspy.Highs()  # type: ignore[no-untyped-call]
        self._solver.setOptionValue("output_flag", False)
        self._solver.setOptionValue("threads", 1)
        self._solver.setOptionValue("presolve", "on" if whole else "off")
        # Ten of the twelve milliseconds that a programme of integers takes otherwise.
        self._solver.setOptionValue("mip_heuristic_run_feasibility_jump", False)
        # A new goal leaves the last solution one that agrees with the facts: the primal method goes on from there.
        self._solver.setOptionValue("simplex_strategy", 4)
        self._solver.passModel(model)
        status = highspy.HighsModelStatus
        self._found, self._none = (status.kOptimal, status.kObjectiveTarget), status.kInfeasible

    def least(self, weights: np.ndarray, enough: float = -np.inf) -> np.ndarray | None:
        self._solver.setOptionValue("objective_target", enough)
        self._solver.changeColsCost(len(weights), self._columns, np.asarray(weights, float))
        self._solver.run()
        end = self._solver.getModelStatus()
        if end != self._none and end not in self._found:  # where the last solution was a bad place to go on from
            self._solver.clearSolver()
            self._solver.run()
            end = self._solver.getModelStatus()
        if end == self._none:
            return None
        if end not in self._found:
            raise ContractError("the audit of a count table found no bounds.")
        return np.array(self._solver.getSolution().col_value)


def knowledge_of(table: CountTable, state: np.ndarray) -> Knowledge:
    """What is known of a table of which cells are shown, hidden or absent.

    Of the frame its base cells are taken for known: the attacker is given more than is published.
    """
    told = np.flatnonzero(state != State.ABSENT)
    shown = state[told] == State.SHOWN
    values = table.values[told].astype(float)
    of = None if table.of is None else table.of[told].astype(float)
    high = np.where(shown, values, np.inf if of is None else of - 1)
    most = np.full(table.counts.size, np.inf) if table.frame is None else table.frame.ravel().astype(float)
    return Knowledge(table.members[told], np.where(shown, values, 1.0), high, most)


def narrow(
    known: Knowledge, cells: csr_array, low: np.ndarray, high: np.ndarray, truth: np.ndarray, *, whole: bool = False
) -> np.ndarray:
    """bool (cells,): the range of cells @ x does not reach down to `low` and up to `high`; see `Reach.short`."""
    return Reach(cells, truth, whole=whole).short(known, low, high)


class Reach:
    """The least and the most that each cell was seen to be in a table that agrees with the facts.

    cells: sparse (cells, base). truth: float64 (base,), which agrees with the facts. whole: tables of whole numbers
    alone are taken for tables. Each solution serves all cells, so that a table takes few programmes; and it serves when
    less is told, so that a table of which more is hidden takes fewer.
    """

    def __init__(self, cells: csr_array, truth: np.ndarray, *, whole: bool = False) -> None:
        self._cells, self._whole = cells, whole
        self._least = self._most = cells @ truth

    def short(self, known: Knowledge, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """bool (cells,): the range of cells @ x does not reach down to `low` and up to `high`, float64 (cells,).

        known: no more than at an earlier call.
        """
        n = self._cells.shape[0]
        failed = np.zeros(n, bool)
        rng = np.random.default_rng(0)
        for sign, goal in ((1.0, low), (-1.0, high)):
            left = self._left(sign, goal)
            while len(left) > 3:
                weights = np.zeros(n)
                weights[rng.permutation(left)] = sign * 2.0 ** -np.minimum(np.arange(len(left)), 20)
                self._take(known.extreme(self._cells.T @ weights))
                before, left = len(left), self._left(sign, goal)
                if before - len(left) < 2:
                    break
            for cell in left.tolist():
                if not self._is_beyond(cell, sign, goal[cell]):
                    failed[cell] |= not self._reaches(known, cell, sign, goal[cell])
        return failed

    def _left(self, sign: float, goal: np.ndarray) -> np.ndarray:
        """int64: cells that were not seen at `goal` or beyond; sign 1: below, -1: above."""
        beyond = self._least <= goal + _TOLERANCE if sign > 0 else self._most >= goal - _TOLERANCE
        return np.flatnonzero(~beyond)

    def _is_beyond(self, cell: int, sign: float, goal: float) -> bool:
        return bool(self._least[cell] <= goal + _TOLERANCE if sign > 0 else self._most[cell] >= goal - _TOLERANCE)

    def _reaches(self, known: Knowledge, cell: int, sign: float, goal: float) -> bool:
        """Whether a cell can be at `goal` or beyond."""
        weights = np.zeros(self._cells.shape[1])
        row = slice(self._cells.indptr[cell], self._cells.indptr[cell + 1])
        weights[self._cells.indices[row]] = sign * self._cells.data[row]
        x = self._take(known.extreme(weights))
        if weights @ x > sign * goal + _TOLERANCE:
            return False
        if self._whole and not _integral(x):
            x = self._take(known.extreme(weights, whole=True, enough=float(sign * goal)))
        return bool(weights @ x <= sign * goal + _TOLERANCE)

    def _take(self, x: np.ndarray | None) -> np.ndarray:
        if x is None:
            raise ContractError("a count table disagrees with itself.")
        if not self._whole or _integral(x):
            found = self._cells @ x
            self._least, self._most = np.minimum(self._least, found), np.maximum(self._most, found)
        return x


def _integral(x: np.ndarray) -> bool:
    return bool((np.abs(x - np.rint(x)) < _TOLERANCE).all())


def bounds_of(known: Knowledge, cell: np.ndarray, *, whole: bool = True) -> tuple[float, float] | None:
    """(least, most) of a sum of base cells. cell: float64 (base,) of weights. None where nothing agrees."""
    low = known.extreme(np.asarray(cell, float), whole=whole)
    if low is None:
        return None
    if np.isinf(known.most).any() and not _bounded(known, np.asarray(cell, float)):
        return float(cell @ low), np.inf
    high = known.extreme(-np.asarray(cell, float), whole=whole)
    assert high is not None
    return float(cell @ low), float(cell @ high)


def _bounded(known: Knowledge, cell: np.ndarray) -> bool:
    """Whether every base cell of the sum has some fact with an end above it: all facts are sums of counts."""
    ended = known.rows[np.flatnonzero(np.isfinite(known.high))]
    covered = np.asarray((ended != 0).sum(axis=0)).ravel() > 0
    return bool((covered | np.isfinite(known.most))[cell != 0].all())
