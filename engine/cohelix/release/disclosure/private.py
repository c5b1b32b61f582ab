"""Counts with noise: differential privacy, by OpenDP's discrete Laplace mechanism.

Every published number of a table gets noise of its own, so that one person, who is in one cell of each margin, changes
as many numbers as there are margins. Noise is drawn once: it is written down before it is used, and a release that was
stopped goes on with the same. What is small after noise is not shown; so neither hiding nor comparing with former
releases takes anything from the guarantee, and budgets of releases add up.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cohelix.errors import ConfigError, DisclosureError
from cohelix.release.disclosure.tables import CountTable, Protected, State


def noisy(counts: np.ndarray, epsilon: float, changes: int) -> np.ndarray:
    """int64: counts with noise of scale changes / epsilon. changes: by how much one person changes them in all."""
    try:
        import opendp.prelude as dp
    except ImportError:
        raise ConfigError("release.epsilon needs OpenDP. Install cohelix[dp].") from None
    dp.enable_features("contrib")
    domain, metric = dp.vector_domain(dp.atom_domain(T="i64")), dp.l1_distance(T="i64")
    scale = changes / epsilon
    mechanism: Any = dp.m.make_laplace(domain, metric, scale=scale)
    while mechanism.map(changes) > epsilon:
        scale = math.nextafter(scale, math.inf)
        mechanism = dp.m.make_laplace(domain, metric, scale=scale)
    return np.array(mechanism(counts.ravel().tolist()), np.int64).reshape(counts.shape)


@dataclass
class Ledger:
    """The budget of a release: what was drawn for which table, and what that has cost.

    path: a file of the program's own, never published. budget: epsilon of the release.
    """

    path: Path
    budget: float

    def draw(self, name: str, counts: np.ndarray, epsilon: float, changes: int) -> np.ndarray:
        """`noisy` counts, or those that were drawn for the same counts before.

        DisclosureError where the budget does not suffice, or other counts were drawn under this name.
        """
        drawn = self._read()
        said = hashlib.sha256(f"{name}|{epsilon!r}|{changes}|{counts.tolist()}".encode()).hexdigest()
        if name in drawn:
            if drawn[name]["of"] != said:
                raise DisclosureError("noise was drawn for other counts already. Build the release under a new name.")
            return np.array(drawn[name]["counts"], np.int64).reshape(counts.shape)
        spent = sum(one["epsilon"] for one in drawn.values())
        if spent + epsilon > self.budget * (1 + 1e-9):
            raise DisclosureError("the budget of differential privacy is spent. Raise release.epsilon.")
        found = noisy(counts, epsilon, changes)
        drawn[name] = {"of": said, "epsilon": epsilon, "counts": found.ravel().tolist()}
        self._write(drawn)
        return found

    def spent(self) -> dict[str, float]:
        return {name: one["epsilon"] for name, one in self._read().items()}

    def _read(self) -> dict[str, dict[str, Any]]:
        said: dict[str, dict[str, Any]] = json.loads(self.path.read_bytes()) if self.path.is_file() else {}
        return said

    def _write(self, drawn: object) -> None:
        passing = self.path.with_name(self.path.name + ".new")
        descriptor = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as handle:
            json.dump(drawn, handle)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(passing, self.path)


def protect_noisy(table: CountTable, drawn: np.ndarray, least: int) -> Protected:
    """A table of counts with noise; what is less than `least` is hidden, and there need not be anybody then.

    drawn: int64 (cells,). Margins that are published elsewhere are left out.
    """
    given = np.isin(table.margin, [table.margins.index(one) for one in table.given])
    state = np.where(given, State.ABSENT, np.where(drawn >= least, State.SHOWN, State.HIDDEN)).astype(np.int8)
    values = np.where(state == State.SHOWN, drawn, 0)
    return Protected(table.name, table.dims, table.categories, table.places, state, values)
