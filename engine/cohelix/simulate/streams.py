"""Random streams: one for each thing that is drawn, so that no draw depends on the order of work."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, kind: str, *numbers: int) -> np.random.Generator:
    """The stream of `kind` ("meiosis", "sequencing", ...) for the thing that `numbers` (all >= 0) name.

    Equal arguments give equal draws on every machine; streams of different arguments are independent.
    """
    word = int.from_bytes(hashlib.blake2b(kind.encode(), digest_size=4).digest(), "little")
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, word, *numbers])))
