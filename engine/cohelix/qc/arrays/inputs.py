"""What the inputs of array quality control are: array VCFs, PLINK filesets, callsets, and tables of contamination."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cohelix.errors import InputError
from cohelix.genotypes import plink

_BAF_REGRESS = ("sample", "estimate")
_VERIFY_ID = ("ID", "%Mix")


@dataclass(frozen=True)
class Inputs:
    """Genotypes by number of the input (from 1), and the paths of tables; hashed: what provenance is made of."""

    vcfs: dict[int, str] = field(default_factory=dict)
    callsets: dict[int, str] = field(default_factory=dict)
    filesets: dict[int, str] = field(default_factory=dict)
    baf_regress: list[str] = field(default_factory=list)
    verify_id: list[str] = field(default_factory=list)
    hashed: list[Path] = field(default_factory=list)


def sort_inputs(paths: Sequence[str]) -> Inputs:
    """Each input by what it holds. InputError where one does not exist, or none has genotypes."""
    found = Inputs()
    for number, path in enumerate(paths, start=1):
        commits = sorted((Path(path) / "_commit").glob("*.json"))
        if commits:
            found.callsets[number] = path
            found.hashed.append(commits[-1])
        elif members := _fileset(path):
            found.filesets[number] = path
            found.hashed.extend(members)
        elif Path(path).is_file():
            names = _first_line(path)
            place = (
                found.baf_regress if names[:2] == _BAF_REGRESS else found.verify_id if names[:2] == _VERIFY_ID else None
            )
            if place is not None:
                place.append(path)
            else:
                found.vcfs[number] = path
            found.hashed.append(Path(path))
        else:
            raise InputError(
                f"expected an array VCF, a PLINK fileset or a callset as input {number}, found none there."
            )
    if not (found.vcfs or found.callsets or found.filesets):
        raise InputError("expected genotypes among the inputs, found tables only. Give the array VCFs as well.")
    return found


def import_fileset(path: str, root: str, build: str) -> None:
    """A PLINK fileset into a callset at `root`, by the import of `cohelix genotypes`."""
    members = _fileset(path)
    if members[0].suffix == ".bed":
        plink.import_bed(path, root, build=build, duplicates="first")
    else:
        plink.import_pgen(path, root, build=build if build != "unknown" else "auto", duplicates="first")


def read_baf_regress(path: str) -> dict[str, float]:
    """Sample id to BAFRegress's estimate."""
    return {row[0]: _share(row[1], line) for line, row in _rows(path)}


def read_verify_id(path: str) -> dict[int, float]:
    """Place of the sample in the .adpc.bin file, from 0, to VerifyIDIntensity's %Mix (a share, for all its name)."""
    found = {}
    for line, row in _rows(path):
        if set(row[0]) != {"-"}:
            if not row[0].isdigit():
                raise InputError(f"expected the place of a sample on line {line} of VerifyIDIntensity's table.")
            found[int(row[0])] = _share(row[1], line)
    return found


def _rows(path: str) -> list[tuple[int, list[str]]]:
    lines = Path(path).read_text().splitlines()
    rows = [(number, line.split()) for number, line in enumerate(lines[1:], start=2) if line.strip()]
    for number, row in rows:
        if len(row) < 2 and set(row[0]) != {"-"}:
            raise InputError(f"expected a sample and a number on line {number} of a table of contamination.")
    return rows


def _share(text: str, line: int) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(
            f"expected a number on line {line} of a table of contamination, found something else. Correct it."
        ) from None


def _first_line(path: str) -> tuple[str, ...]:
    with Path(path).open("rb") as handle:
        return tuple(handle.readline(4_096).decode("utf-8", "replace").split())


def _fileset(path: str) -> list[Path]:
    """Files of a PLINK fileset by its prefix or its .bed or .pgen; empty for another path."""
    prefix = path.removesuffix(".bed").removesuffix(".pgen")
    for first, others in ((".bed", (".bim", ".fam")), (".pgen", (".pvar", ".pvar.zst", ".psam", ".bim", ".fam"))):
        if Path(prefix + first).is_file() and (path == prefix or path.endswith(first)):
            return [Path(prefix + first), *(Path(prefix + end) for end in others if Path(prefix + end).is_file())]
    return []
