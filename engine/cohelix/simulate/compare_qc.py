"""What quality control found against what was planted in a made cohort.

For each kind of failure: samples that have it, those of them that were found, and others that were found by mistake.
Quality control is read from its tables, as anybody reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from cohelix.errors import InputError
from cohelix.simulate.folder import reading

TWO_CLASSES = {"XX": "female", "XXX": "female", "XY": "male", "XYY": "male"}
"""Karyotypes that a reported sex can agree with."""


FIRST_DEGREE = 0.2
"""Kinship from which on two people are parent and child, sibs, or twins (0.25, 0.5)."""


@dataclass(frozen=True)
class Line:
    """planted: samples (or pairs) with the failure. found: those that were found. false: others that were.
    detail: how far what was measured is from what was planted."""

    failure: str
    planted: int
    found: int
    false: int
    detail: str = ""


def compare_qc(
    cohort: Path, samples: Path | None = None, arrays: Path | None = None, concordance: Path | None = None
) -> list[Line]:
    """Lines for the folders that `cohelix qc samples`, `arrays` and `concordance` made of a cohort.

    Raises InputError where one is not of this cohort, or damaged.
    """
    with reading("truth"):
        truth = {row["sample_id"]: row for row in _rows(cohort / "truth" / "samples.parquet")}
        people = {row["person"]: row for row in _rows(cohort / "truth" / "people.parquet")}
        kinship = _rows(cohort / "truth" / "kinship.parquet")
    close = {frozenset((row["person1"], row["person2"])) for row in kinship if row["expected"] >= FIRST_DEGREE}
    lines: list[Line] = []
    if samples is not None:
        lines += _of_samples(_measured(samples / "sample_metrics.parquet", truth), truth, people, close)
    if arrays is not None:
        lines += _of_arrays(_measured(arrays / "array_metrics.parquet", truth), truth, close)
    if concordance is not None:
        links = _rows_of(concordance / "concordance.parquet")
        partners = _rows_of(concordance / "partners.parquet")
        lines.append(_of_links(links, partners, truth, people))
    return lines


def as_text(lines: Iterable[Line], what: str = "planted failure") -> str:
    """A table: failure (or `what` was planted), planted, found, false, detail; aligned."""
    rows = [(what, "planted", "found", "false", "detail")]
    rows += [(line.failure, str(line.planted), str(line.found), str(line.false), line.detail) for line in lines]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "".join(
        "  ".join([row[0].ljust(widths[0]), *(row[k].rjust(widths[k]) for k in (1, 2, 3)), row[4]]).rstrip() + "\n"
        for row in rows
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    return list(pq.ParquetFile(path).read().to_pylist())


def _rows_of(path: Path) -> list[dict[str, Any]]:
    """Rows of a table of quality control. InputError where it cannot be read."""
    try:
        return _rows(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"expected {path.name} in that folder, as `cohelix qc` writes it, found it missing or damaged "
            f"({type(error).__name__}). Check the path."
        ) from None


def _measured(path: Path, truth: dict[str, Any]) -> dict[str, dict[str, Any]]:
    rows = {row["sample_id"]: row for row in _rows_of(path)}
    unknown = sum(sample not in truth for sample in rows)
    if unknown or not rows:
        raise InputError(
            f"expected samples of this cohort in {path.name}, found {unknown} of {len(rows)} that it does not have. "
            "Give the cohort that was checked."
        )
    return rows


def _of_samples(
    measured: dict[str, dict[str, Any]], truth: dict[str, dict[str, Any]], people: dict[int, dict[str, Any]],
    close: set[frozenset[int]],
) -> list[Line]:  # fmt: skip
    planted = {sample: truth[sample] for sample in measured}
    low = {sample for sample, row in planted.items() if row["low_coverage"]}
    deep = [planted[s]["coverage"] for s in measured if s not in low]
    cut = (max((planted[s]["coverage"] for s in low), default=0.0) + min(deep, default=np.inf)) / 2
    lines = [_line("low coverage", measured, low, lambda row: row["mean_coverage"] < cut, _depths(measured, planted))]
    lines += _contaminations(measured, planted, close, "contamination", "contamination")
    made = {sample: people[row["person"]]["karyotype"] for sample, row in planted.items()}
    karyotypes = {sample: "X0" if karyotype == "X" else karyotype for sample, karyotype in made.items()}
    odd = {sample for sample, karyotype in karyotypes.items() if karyotype not in ("XX", "XY")}
    right = {sample for sample in measured if measured[sample]["karyotype"] == karyotypes[sample]}
    classes = f"class right in {len(right)} of {len(measured)}"
    lines.append(
        Line(
            "sex-chromosome aneuploidy", len(odd), len(odd & right),
            sum(measured[s]["karyotype"] not in ("XX", "XY") for s in measured.keys() - odd), classes,
        )
    )  # fmt: skip
    swapped = {s for s, row in planted.items() if row["swapped_with"] is not None}
    mislabelled = {
        sample
        for sample, karyotype in karyotypes.items()
        if karyotype in TWO_CLASSES
        and people[planted[sample]["person"]]["reported_sex"] not in ("unknown", TWO_CLASSES[karyotype])
    } - swapped
    lines.append(_line("reported sex is another", measured, mislabelled, lambda row: row["sex_concordant"] == "no"))
    return lines


def _of_arrays(
    measured: dict[str, dict[str, Any]], truth: dict[str, dict[str, Any]], close: set[frozenset[int]]
) -> list[Line]:
    planted = {sample: truth[sample] for sample in measured}
    failed = {sample for sample, row in planted.items() if row["failed"]}
    lines = [_line("array call rate under 0.98", measured, failed, lambda row: row["array_call_rate"] < 0.98)]
    return lines + _contaminations(measured, planted, close, "array_contamination", "array contamination")


def _of_links(
    links: list[dict[str, Any]], partners: list[dict[str, Any]], truth: dict[str, dict[str, Any]],
    people: dict[int, dict[str, Any]],
) -> Line:  # fmt: skip
    """A link is wrong where the array holds the DNA of another than it says, twins and persons enrolled twice apart."""
    human_on = {sample: people[_person_on(row)]["human"] for sample, row in truth.items()}
    same = [row for row in partners if row["side"] == "array" and row["kind"] not in ("relative", "none")]
    partner_of = {row["link"]: row["partner_id"] for row in same}
    has_genome = {human_on[sample] for sample, row in truth.items() if row["kind"] == "wgs"}
    wrong = found = false = named = 0
    for number, link in enumerate(links):
        array, is_found = human_on[link["array_sample_id"]], link["verdict"] == "mismatch"
        if array == human_on[link["wgs_sample_id"]]:
            false += is_found
            continue
        wrong, found = wrong + 1, found + is_found
        partner = partner_of.get(number)
        named += array not in has_genome if partner is None else human_on[partner] == array
    return Line(
        "array and genome of two people", wrong, found, false, f"right partner for {named}; {len(links)} links in all"
    )


def _person_on(row: dict[str, Any]) -> int:
    """The person whose DNA a sample holds."""
    return int(row["person"] if row["swapped_with"] is None else row["swapped_with"])


def _line(
    failure: str, measured: dict[str, dict[str, Any]], planted: set[str], is_found: Callable[[dict[str, Any]], bool],
    detail: str = "",
) -> Line:  # fmt: skip
    found = {sample for sample, row in measured.items() if is_found(row)}
    return Line(failure, len(planted), len(planted & found), len(found - planted), detail)


def _depths(measured: dict[str, dict[str, Any]], planted: dict[str, dict[str, Any]]) -> str:
    off = [abs(measured[s]["mean_coverage"] / planted[s]["coverage"] - 1) for s in measured]
    return (
        f"depth within {100 * max(off):.0f} % of what was made, half of them within {100 * float(np.median(off)):.1f} %"
    )


def _contaminations(
    measured: dict[str, dict[str, Any]], planted: dict[str, dict[str, Any]], close: set[frozenset[int]], metric: str,
    name: str,
) -> list[Line]:  # fmt: skip
    """For each planted share: found where nearer to it than to none; off by so many points of a hundred at most.

    DNA of a parent, child, sib or twin is counted apart: it shows at few sites, a twin's at none.
    """
    values = {sample: row[metric] or 0.0 for sample, row in measured.items()}
    clean = [value for sample, value in values.items() if not planted[sample]["contamination"]]
    most = f"; clean samples up to {100 * max(clean):.2f} %" if clean else ""
    shares: dict[tuple[bool, float], list[float]] = {}
    for sample, row in planted.items():
        if row["contamination"]:
            is_close = frozenset((row["person"], row["contaminant"])) in close
            shares.setdefault((is_close, row["contamination"]), []).append(values[sample])
    lines = []
    for (is_close, share), found in sorted(shares.items()):
        off = max(abs(value - share) for value in found)
        near, false = (sum(value > share / 2 for value in some) for some in (found, clean))
        title = f"{name} of {100 * share:g} %" + (", a relative's" if is_close else "")
        lines.append(Line(title, len(found), near, false, f"within {100 * off:.2f} points{most}"))
    return lines
