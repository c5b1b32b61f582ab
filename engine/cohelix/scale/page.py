"""An estimate as a page to read, and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from cohelix.errors import ConfigError
from cohelix.scale.model import Load, Need, compute_cost, month_cost, need
from cohelix.scale.prices import Prices
from cohelix.scale.rates import Rates

MOST_SAMPLES, MOST_OF_A_SAMPLE = 100_000_000, 10**15


@dataclass(frozen=True)
class Estimate:
    """What each stage needs, by number of samples. `remarks`: what was assumed of the input."""

    noun: str
    cores: int
    prices: Prices
    fitted_at: tuple[int, ...]
    remarks: tuple[str, ...]
    needs: Mapping[int, list[Need]]
    input_bytes: Mapping[int, float]
    sites: Mapping[int, float]


def estimate(
    noun: str, rates: Rates, loads: Mapping[int, list[Load]], cores: int, prices: Prices, remarks: Sequence[str]
) -> Estimate:
    by_name = {stage.name: stage for stage in rates.stages}
    return Estimate(
        noun, cores, prices, max((stage.fitted_at for stage in rates.stages), key=max), tuple(remarks),
        {n: [need(by_name[load.stage], load, cores) for load in of_size] for n, of_size in loads.items()},
        {n: of_size[0].whole.get("input_bytes", 0.0) for n, of_size in loads.items()},
        {n: max(load.whole.get("sites", 0.0) for load in of_size) for n, of_size in loads.items()},
    )  # fmt: skip


def read_sizes(text: str) -> list[int]:
    """Numbers of samples as `1000,10000`, in order and each once. Raises ConfigError."""
    words = [word.strip().replace("_", "") for word in text.split(",")]
    sizes = [int(word) for word in words if word.isascii() and word.isdigit()]
    if len(sizes) != len(words) or not all(1 <= n <= MOST_SAMPLES for n in sizes):
        raise ConfigError(
            f"expected numbers of samples from 1 to {MOST_SAMPLES:,}, such as 1000,10000, found {text!r}. Correct them."
        )
    return sorted(set(sizes))


def positive(name: str, value: float) -> float:
    """Raises ConfigError for what is no number above zero, or more than a sample can have."""
    if not 0 < value <= MOST_OF_A_SAMPLE:
        raise ConfigError(
            f"expected {name} a sample above zero and up to {MOST_OF_A_SAMPLE:,}, found {value}. Correct the option."
        )
    return value


def as_text(found: Estimate) -> str:
    """A column for each number of samples."""
    sizes = list(found.needs)
    rows: list[tuple[str, list[str]]] = [("", [f"{n:,} samples" for n in sizes])]

    def add(name: str, cell: Callable[[int], str]) -> None:
        rows.append((name, [cell(n) for n in sizes]))

    if any(found.input_bytes.values()):
        add("input", lambda n: size(found.input_bytes[n]))
    if any(found.sites.values()):
        add("sites of the callset", lambda n: f"{found.sites[n]:,.0f}")
    for number, stage in enumerate(next(iter(found.needs.values()))):
        _add_stage(add, stage.stage, [found.needs[n][number] for n in sizes], sizes)
    price = found.prices
    add("all: core-hours", lambda n: amount(math.fsum(one.core_hours for one in found.needs[n])))
    add(f"all: time on {found.cores} cores", lambda n: duration(math.fsum(one.wall_s for one in found.needs[n])))
    add(
        f"all: cost of those cores, {price.currency}",
        lambda n: f"{compute_cost(found.needs[n], found.cores, price):,.2f}",
    )
    add(f"all: cost of a month's storage, {price.currency}", lambda n: f"{month_cost(found.needs[n], price):,.2f}")
    first = max(len(name) for name, _ in rows)
    widths = [max(len(cells[i]) for _, cells in rows) for i in range(len(sizes))]
    lines = [
        name.ljust(first) + "".join("  " + cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        for name, cells in rows
    ]
    return "\n".join([*lines, "", *_footnotes(found)])


def _add_stage(
    add: Callable[[str, Callable[[int], str]], None], name: str, needs: list[Need], sizes: list[int]
) -> None:
    """The rows of one stage; without those that are nothing at every size."""
    at = dict(zip(sizes, needs, strict=True))
    add(f"{name}: tasks", lambda n: f"{at[n].tasks:,}")
    add(f"{name}: core-hours", lambda n: amount(at[n].core_hours))
    if any(one.task_mib for one in needs):
        add(f"{name}: memory of a task", lambda n: size(at[n].task_mib * (1 << 20)))
    if any(one.scratch_bytes for one in needs):
        add(f"{name}: scratch file of a task", lambda n: size(at[n].scratch_bytes))
    add(f"{name}: bytes read", lambda n: size(at[n].read_bytes))
    add(f"{name}: bytes written", lambda n: size(at[n].written_bytes))
    add(f"{name}: shuffled", lambda n: size(at[n].shuffle_bytes))
    add(f"{name}: {needs[0].keeps} kept", lambda n: size(at[n].kept_bytes))


def _footnotes(found: Estimate) -> list[str]:
    fitted = ", ".join(f"{n:,}" for n in found.fitted_at)
    return [
        *found.remarks,
        f"rates: fitted at {fitted} samples; what lies beyond is extrapolated (docs/scale.md)",
        f"prices: {found.prices.source}, {found.prices.date}"
        + ("; examples, to be replaced with --prices" if found.prices.are_examples else ""),
    ]


def as_json(found: Estimate) -> str:
    table = {
        "noun": found.noun, "cores": found.cores, "prices": asdict(found.prices), "fitted_at": list(found.fitted_at),
        "remarks": list(found.remarks),
        "sizes": [
            {
                "samples": n, "input_bytes": found.input_bytes[n], "sites": found.sites[n],
                "stages": [asdict(one) | {"core_hours": one.core_hours} for one in needs],
                "wall_s": math.fsum(one.wall_s for one in needs),
                "compute_cost": compute_cost(needs, found.cores, found.prices),
                "storage_month_cost": month_cost(needs, found.prices),
            }
            for n, needs in found.needs.items()
        ],
    }  # fmt: skip
    return json.dumps(table, indent=1)


def size(n_bytes: float) -> str:
    """Three digits, in powers of 1,024."""
    value, units = n_bytes, ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    while value >= 999.5 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{amount(value)} {units[0]}"


def amount(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 6)}f}" if value < 1000 else f"{float(f'{value:.3g}'):,.0f}"


def duration(seconds: float) -> str:
    """In the unit that suits it."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{amount(seconds / length)} {unit}"
    return f"{amount(seconds)} s"
