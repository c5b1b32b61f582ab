"""Polygenic scores against the genetic values that a cohort was made with.

With the true weights of a source, a score is the genetic value less a constant in people of that source alone; weighted
by the shares of their ancestry, it is close to it in everybody. What any score can foretell in a group follows from the
truth, so that accuracy as measured can be held against it. Scores are read from their tables, as anybody reads them.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.errors import InputError
from cohelix.simulate.folder import reading
from cohelix.simulate.people.person import GROUPS, SOURCES

EQUAL = 1e-9
"""Scores and genetic values that differ by less than this share of an SD differ in the order of their sums only."""
LEAST = 20
"""People of a group that a mean and a spread are taken of."""
ADJUSTED = ("z_most_similar", "z_norm1", "z_norm2")
ALL, MIXED = "all", "oth"


@dataclass(frozen=True)
class Exact:
    """Scores of the true weights of each source beside the genetic value. n: people of one source alone; equal: those
    of them whose score is it less the constant of their source; off: root mean square of what they are off by, in SD;
    correlation: over everybody, of scores weighted by shares of ancestry."""

    trait: str
    n: int
    equal: int
    off: float
    correlation: float


@dataclass(frozen=True)
class Accuracy:
    """r2 of a score with the genetic value, in the people of a group."""

    score: str
    group: str
    n: int
    r2: float


@dataclass(frozen=True)
class Shift:
    """A score, or what was made of it, over groups: the distance of the furthest two means in SD, the ratio of the
    largest SD and the least, p-values of no difference in either, and mean r2 with the genetic value inside groups,
    given the shares of ancestry: what ancestry explains there is taken out on purpose."""

    score: str
    value: str
    means: float
    spreads: float
    p_means: float
    p_spreads: float
    r2: float


@dataclass(frozen=True)
class Measured:
    """r2 of a score with a measured trait, as evaluated, beside what the truth lets expect."""

    score: str
    group: str
    n: int
    expected: float
    estimate: float
    low: float
    high: float

    @property
    def inside(self) -> bool:
        return self.low <= self.expected <= self.high


@dataclass(frozen=True)
class Comparison:
    """exact: by trait. accuracy: by score and group. shifts: by score and value. measured: by score and group."""

    exact: tuple[Exact, ...]
    accuracy: tuple[Accuracy, ...]
    shifts: tuple[Shift, ...]
    measured: tuple[Measured, ...]


@dataclass(frozen=True)
class _Truth:
    """n samples. group (n,), shares (n, 6); genetic, environment (n,) by trait; noise: its variance by trait."""

    group: np.ndarray
    shares: np.ndarray
    genetic: dict[str, np.ndarray]
    environment: dict[str, np.ndarray]
    noise: dict[str, float]


@dataclass(frozen=True)
class _Scores:
    """names: (trait, what weights) by score id. values (n,) by score id, of the samples in their order."""

    samples: list[str]
    names: dict[str, tuple[str, str]]
    values: dict[str, np.ndarray]

    def of(self, trait: str, weights: str) -> np.ndarray | None:
        return next((self.values[one] for one, name in self.names.items() if name == (trait, weights)), None)


def compare_scores(
    cohort: Path, scores: Path, adjusted: Path | None = None, evaluation: Path | None = None
) -> Comparison:
    """For the folders of `cohelix prs score`, `prs adjust` and `prs evaluate` of a cohort and its scores.

    Raises InputError where one is not of this cohort, or damaged.
    """
    with reading("prs/scores"):
        known = dict(_names(cohort / "prs" / "scores"))
    found = _read(scores / "scores.parquet", "sum", known)
    truth = _truth(cohort, found.samples)
    exact = tuple(_exact(trait, found, truth) for trait in truth.genetic if _true(found, trait))
    accuracy = tuple(line for score in found.values for line in _accuracy(score, found, truth))
    shifts = [_shift(score, "sum", found, truth) for score in found.values]
    for value in ADJUSTED if adjusted is not None else ():
        made = _read(Path(str(adjusted)) / "adjusted.parquet", value, known)
        of_made = truth if made.samples == found.samples else _truth(cohort, made.samples)
        shifts += [_shift(score, value, made, of_made) for score in made.values]
    order = list(known.values())
    measured = () if evaluation is None else tuple(_measured(evaluation, known, found, truth))
    return Comparison(exact, accuracy, tuple(sorted(shifts, key=lambda line: order.index(line.score))), measured)


def as_text(found: Comparison) -> str:
    """Tables one below the other, of what there is; of the true weights their mean alone."""
    parts = []
    if found.exact:
        rows = [["score of true weights", "one source", "equal", "off by", "correlation, all"]]
        rows += [[e.trait, str(e.n), str(e.equal), f"{e.off:.2e}", f"{e.correlation:.6f}"] for e in found.exact]
        parts.append(_aligned(rows))
    groups = [group for group in GROUPS if any(line.group == group for line in found.accuracy)]
    at = {(line.score, line.group): line.r2 for line in found.accuracy}
    rows = [["r2 with genetic value", *groups]]
    for score in dict.fromkeys(line.score for line in found.accuracy if not _of_source(line.score)):
        rows.append([score, *(_number(at.get((score, group), np.nan), 3) for group in groups)])
    parts.append(_aligned(rows))
    rows = [["over groups", "value", "means apart", "p", "SD ratio", "p", "r2 inside"]]
    for one in found.shifts:
        if not _of_source(one.score):
            apart, ratio = _number(one.means, 3), _number(one.spreads, 3)
            p = [f"{value:.2g}" if value == value else "" for value in (one.p_means, one.p_spreads)]
            rows.append([one.score, one.value, apart, p[0], ratio, p[1], _number(one.r2, 3)])
    parts.append(_aligned(rows, left=2))
    if found.measured:
        inside = sum(line.inside for line in found.measured)
        rows = [["r2 with trait", "group", "people", "expected", "measured", "interval"]]
        for line in found.measured:
            if not _of_source(line.score):
                numbers = (f"{line.expected:.3f}", f"{line.estimate:.3f}", f"{line.low:.3f} to {line.high:.3f}")
                rows.append([line.score, line.group, str(line.n), *numbers])
        told = f"{inside} of {len(found.measured)} intervals hold what the truth lets expect\n"
        parts.append(_aligned(rows, left=2) + told)
    return "\n".join(parts)


def _of_source(score: str) -> bool:
    """Whether a score has the true weights of one source: many, and told apart in `Comparison` only."""
    return "_true_" in score and not score.endswith("_true_mean")


def _number(value: float, digits: int) -> str:
    return "" if value != value else f"{value:.{digits}f}"


def _aligned(rows: list[list[str]], left: int = 1) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = (
        [row[k].ljust(widths[k]) for k in range(left)] + [row[k].rjust(widths[k]) for k in range(left, len(row))]
        for row in rows
    )
    return "".join("  ".join(line).rstrip() + "\n" for line in lines)


def _names(folder: Path) -> Iterator[tuple[str, str]]:
    """(id, name) of the scoring files, by their headers."""
    for path in sorted(folder.glob("*.txt.gz")):
        with gzip.open(path, "rt") as lines:
            header = dict(line[1:].rstrip("\n").split("=", 1) for line in lines if line[0] == "#" and "=" in line)
        yield header["pgs_id"], header["pgs_name"]


def _read(path: Path, value: str, known: dict[str, str]) -> _Scores:
    """A column of a table of scores and samples: of the cohort's own scores."""
    try:
        table = pq.ParquetFile(path).read(["score", "sample_id", value])
        ids, samples = (_coded(table.column(name)) for name in ("score", "sample_id"))
        values = np.full((len(ids[1]), len(samples[1])), np.nan)
        values[ids[0], samples[0]] = table.column(value).to_numpy()
    except (OSError, ValueError, LookupError) as error:
        raise InputError(
            f"expected {path.name} in that folder, as `cohelix prs` writes it, found it missing or damaged "
            f"({type(error).__name__}). Check the path."
        ) from None
    rows = {known[one]: values[row] for row, one in enumerate(ids[1]) if one in known}
    if not rows:
        raise InputError(
            f"expected scores of this cohort in {path.name}, found none of {len(ids[1])}. Give the cohort whose "
            "scoring files were used."
        )
    return _Scores(samples[1], {name: _parted(name) for name in rows}, rows)


def _parted(name: str) -> tuple[str, str]:
    """height_true_afr -> height, true_afr."""
    for word in ("_true_", "_estimated_"):
        trait, found, which = name.partition(word)
        if found:
            return trait, word[1:] + which
    return name, ""


def _coded(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """Codes in the order of first appearance, and what they stand for."""
    plain = column.cast(pa.string()).dictionary_encode().unify_dictionaries().combine_chunks()
    whole = plain.chunk(0) if isinstance(plain, pa.ChunkedArray) else plain
    return whole.indices.to_numpy(), whole.dictionary.to_pylist()


def _truth(cohort: Path, samples: Sequence[str]) -> _Truth:
    with reading("truth"):
        of_samples = _rows(cohort / "truth" / "samples.parquet", ["sample_id", "person", "swapped_with"])
        people = {row["person"]: row for row in _rows(cohort / "truth" / "people.parquet", None)}
        traits = pq.ParquetFile(cohort / "truth" / "traits.parquet").read()
    person = {
        row["sample_id"]: row["person"] if row["swapped_with"] is None else row["swapped_with"] for row in of_samples
    }
    unknown = sum(sample not in person for sample in samples)
    if unknown or not samples:
        raise InputError(
            f"expected samples of this cohort, found {unknown} of {len(samples)} that it does not have. "
            "Give the cohort that was scored."
        )
    numbers = np.array([person[sample] for sample in samples], np.int64)
    code, names = _coded(traits.column("trait"))
    genetic, environment, noise = {}, {}, {}
    for row, trait in enumerate(names):
        rows = traits.filter(pa.array(code == row))
        place = np.full(max(people) + 1, -1, np.int64)
        place[rows.column("person").to_numpy()] = np.arange(rows.num_rows)
        genetic[trait] = rows.column("genetic").to_numpy()[place[numbers]]
        environment[trait] = rows.column("environment").to_numpy()[place[numbers]]
        noise[trait] = float(rows.column("noise").to_numpy().var())
    group = np.array([people[number]["group"] for number in numbers.tolist()])
    shares = np.array([[people[number][source] for source in SOURCES] for number in numbers.tolist()], np.float64)
    return _Truth(group, shares, genetic, environment, noise)


def _rows(path: Path, columns: list[str] | None) -> list[dict[str, Any]]:
    return list(pq.ParquetFile(path).read(columns).to_pylist())


def _true(found: _Scores, trait: str) -> bool:
    return all(found.of(trait, f"true_{source}") is not None for source in SOURCES)


def _exact(trait: str, found: _Scores, truth: _Truth) -> Exact:
    genetic = truth.genetic[trait]
    scale = float(genetic.std()) or 1.0
    constants, off = np.zeros(len(SOURCES)), np.full(len(genetic), np.nan)
    total = np.zeros(len(genetic))
    for place, source in enumerate(SOURCES):
        score = found.of(trait, f"true_{source}")
        assert score is not None  # `_true` was asked
        here = np.flatnonzero((truth.group == source) & (truth.shares[:, place] > 1 - 1e-6))  # they are float32
        here = here[np.isfinite(score[here])]
        if here.size:
            constants[place] = np.median(score[here] - genetic[here])
            off[here] = (score[here] - constants[place] - genetic[here]) / scale
        total += truth.shares[:, place] * (score - constants[place])
    alone = off[np.isfinite(off)]
    # Constants of sources that nobody is of alone are fitted: a linear function of the shares is taken out.
    residual = genetic - total
    fitted = truth.shares @ np.linalg.lstsq(truth.shares, residual, rcond=None)[0]
    equal = int((np.abs(alone) < EQUAL).sum())
    rms = float(np.sqrt(np.mean(alone**2))) if alone.size else float("nan")
    return Exact(trait, len(alone), equal, rms, _correlation(total + fitted, genetic))


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    known = np.isfinite(one) & np.isfinite(other)
    if known.sum() < 3 or min(one[known].std(), other[known].std()) == 0:
        return float("nan")
    return float(np.corrcoef(one[known], other[known])[0, 1])


def _accuracy(score: str, found: _Scores, truth: _Truth) -> Iterator[Accuracy]:
    trait, _ = found.names[score]
    for group in (group for group in GROUPS if (truth.group == group).any() and trait in truth.genetic):
        here = truth.group == group
        n = int((here & np.isfinite(found.values[score])).sum())
        r = _correlation(found.values[score][here], truth.genetic[trait][here])
        yield Accuracy(score, group, n, r**2 if n >= LEAST else float("nan"))


def _shift(score: str, value: str, found: _Scores, truth: _Truth) -> Shift:
    """Tests that ask neither for equal spreads (of means) nor for normal values (of spreads)."""
    from scipy import stats

    values, trait = found.values[score], found.names[score][0]
    known = np.isfinite(values)
    by_group = [known & (truth.group == group) for group in GROUPS]
    by_group = [here for here in by_group if here.sum() >= LEAST and np.ptp(values[here]) > 0]
    if len(by_group) < 2:
        return Shift(score, value, *[float("nan")] * 5)
    of_groups = [values[here] for here in by_group]
    means, spreads = np.array([one.mean() for one in of_groups]), np.array([one.std(ddof=1) for one in of_groups])
    sizes = np.array([len(one) for one in of_groups])
    within = float(np.sqrt((sizes * spreads**2).sum() / sizes.sum()))
    r2 = [_given_shares(values[here], truth.genetic[trait][here], truth.shares[here]) ** 2 for here in by_group]
    return Shift(
        score, value, float(np.ptp(means)) / within, float(spreads.max() / spreads.min()),
        float(stats.alexandergovern(*of_groups).pvalue), float(stats.levene(*of_groups, center="median").pvalue),
        float((sizes * r2).sum() / sizes.sum()),
    )  # fmt: skip


def _given_shares(one: np.ndarray, other: np.ndarray, shares: np.ndarray) -> float:
    """Correlation of what is left of both after a linear function of the shares, which add up to 1."""
    both = np.column_stack([one, other])
    one, other = (both - shares @ np.linalg.lstsq(shares, both, rcond=None)[0]).T
    return _correlation(one, other)


def _measured(folder: Path, known: dict[str, str], found: _Scores, truth: _Truth) -> Iterator[Measured]:
    """Lines of r2 of the evaluation: of scores with their own trait, in everybody and by true group of that name.

    Who is of no group is another question to the truth than to whoever assigned people: left out.
    """
    columns = ["score", "trait", "stratum_kind", "stratum", "n", "metric", "estimate", "low", "high"]
    try:
        rows = _rows(folder / "metrics.parquet", columns)
    except (OSError, ValueError, LookupError) as error:
        raise InputError(
            "expected metrics.parquet in that folder, as `cohelix prs evaluate` writes it, found it missing or "
            f"damaged ({type(error).__name__}). Check the path."
        ) from None
    for row in rows:
        score = known.get(row["score"], "")
        own = score in found.values and found.names[score][0] == row["trait"]
        told = row["metric"] == "r2" and row["stratum_kind"] in (ALL, "group") and row["stratum"] != MIXED
        here = np.full(len(truth.group), True) if row["stratum"] == ALL else truth.group == row["stratum"]
        numbers = np.array([row["estimate"], row["low"], row["high"]], np.float64)  # null: suppressed
        if own and told and here.sum() >= LEAST and np.isfinite(numbers).all():
            expected = _expected(found.values[score][here], row["trait"], here, truth)
            yield Measured(score, row["stratum"], row["n"], expected, row["estimate"], row["low"], row["high"])


def _expected(score: np.ndarray, trait: str, here: np.ndarray, truth: _Truth) -> float:
    """r2 with a liability of which all but the noise of bodies is known."""
    given = (truth.genetic[trait] + truth.environment[trait])[here]
    known = np.isfinite(score)
    share = float(given[known].var() / (given[known].var() + truth.noise[trait]))
    return _correlation(score, given) ** 2 * share
