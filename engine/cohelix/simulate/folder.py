"""Reading what a made cohort holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cohelix.errors import InputError


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Reading the file `name` of a made cohort: InputError where it is missing, damaged or another file."""
    try:
        yield
    # Arrow's errors are ValueError, KeyError and OSError; pgenlib raises RuntimeError for files that it cannot read.
    except (OSError, ValueError, LookupError, RuntimeError) as error:
        raise InputError(
            f"expected {name} as cohelix simulate cohort wrote it, found it missing or damaged "
            f"({type(error).__name__}). Make the cohort again from the settings in its cohort.json."
        ) from None
