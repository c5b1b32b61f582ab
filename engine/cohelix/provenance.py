"""What made a data set: enough to make it again, and nothing that names a person, a path or a moment.

Equal inputs and choices give an equal record, so that a data set's bytes do not depend on where or when it was made.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from typing import Any

from cohelix import __version__
from cohelix.dataset import digest_of


def provenance(
    operation: str, params: Any, inputs: Iterable[tuple[str, str]], seed: int | None = None
) -> dict[str, Any]:
    """The record of one operation.

    `operation`: noun and verb, as in "joint call". `params`: a Params dataclass or a dict. `inputs`: (role, sha256 hex)
    of each input, in order; a role is a word such as "gvcf" or "calls", never a file name.
    """
    record: dict[str, Any] = {
        "cohelix": __version__,
        "operation": operation,
        "params": asdict(params) if is_dataclass(params) and not isinstance(params, type) else dict(params),
        "inputs": [{"role": role, "sha256": sha256} for role, sha256 in inputs],
    }
    if seed is not None:
        record["seed"] = seed
    record["digest"] = digest_of(record)
    return record
