"""One call of another program, as a reader hands it on: nothing in it has been checked yet."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import PurePath

from cohelix import storage
from cohelix.errors import InputError

NO_CALL = ("", ".", "./.", "/", "None", "none", "NA", "N/A", "n/a", "No call", "no_call", "Indeterminate", "unknown")
"""Ways to write that there is no call."""


@dataclass(frozen=True)
class Record:
    """file, row: where it was read, 1-based. diplotypes: as written, several where the program could not decide.

    activity_score: as written. unassigned: `diplotypes` are copies that are on unknown chromosomes, joined by "_".
    named: by the person who made the file, so that a gene or an allele that is not known is a mistake; else by a
    program that also calls genes that are not ours.
    """

    file: int
    row: int
    sample_id: str
    gene: str
    diplotypes: tuple[str, ...]
    tool: str
    phenotype: str | None = None
    activity_score: str | None = None
    unassigned: bool = False
    warnings: tuple[str, ...] = ()
    named: bool = True

    @property
    def where(self) -> str:
        return f"outside calls, file {self.file}, row {self.row}"


@dataclass(frozen=True)
class Source:
    """A file of outside calls: its place among those given (1-based) and its bytes, unpacked."""

    file: int
    path: str
    data: bytes

    @classmethod
    def read(cls, file: int, path: str) -> Source:
        try:
            data = storage.read(path)
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise InputError(
                f"Outside calls, file {file} cannot be read ({type(error).__name__}). Give a file."
            ) from None
        if data[:2] == b"\x1f\x8b":
            try:
                data = gzip.decompress(data)
            except (OSError, EOFError) as error:
                raise InputError(f"Outside calls, file {file} is a damaged gzip file. Fetch it again.") from error
        return cls(file, path, data)

    @property
    def text(self) -> str:
        try:
            return self.data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise InputError(
                f"Outside calls, file {self.file} is no UTF-8 text (≥ in names of copies needs it). Save it as UTF-8."
            ) from None

    @property
    def sample_of_name(self) -> str:
        """The person a file without sample ids is about: its name up to the first of the usual endings."""
        name = PurePath(self.path).name
        cuts = [name.find(end) for end in _ENDINGS if name.find(end) > 0]
        return name[: min(cuts)] if cuts else name.split(".")[0]

    def wrong(self, row: int, problem: str) -> InputError:
        return InputError(f"Outside calls, file {self.file}, row {row}: {problem}")


_ENDINGS = (".outside", ".pgx", ".cyp2", ".targeted", ".star_allele", ".dragen", ".tsv", ".txt", ".json", ".gz")
