"""Frequencies of a release beside those of the one before: what differs by few people is not shown to differ.

Whoever has both releases has their differences. The differences of a group are frequencies of the people who came and
went, so both rules hold for them as well: a number of people of 1 to least - 1 is not told, and membership among those
who came is bounded. A group of which `people` differ has as many sites brought up to date as that many people allow
(by the hash of the site, as when sites are thinned); the others are carried over, withheld or refused, as
`release.differencing` says. Where hardly anybody came or went, everything of the group is carried.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.errors import DisclosureError
from cohelix.release.disclosure.site_rule import HIDDEN


@dataclass(frozen=True)
class FormerFrequencies:
    """people, share, power: of each group, as its table of groups says. Rows are read by contig."""

    table: Path
    people: dict[str, int]
    share: dict[str, str]
    power: dict[str, str]

    @staticmethod
    def of(folder: Path | None, table: str, groups: str) -> FormerFrequencies | None:
        """That of a former release laid out in `folder`; None where it has no frequencies."""
        if folder is None or not (folder / table).is_file() or not (folder / groups).is_file():
            return None
        header, *lines = [line.split("\t") for line in (folder / groups).read_text("utf-8").splitlines()]
        said = [dict(zip(header, line, strict=True)) for line in lines]
        by_group = {line["group"]: line for line in said}
        return FormerFrequencies(
            folder / table,
            people={name: int(line["people"]) for name, line in by_group.items()},
            share={name: line["share"] for name, line in by_group.items()},
            power={name: line["power"] for name, line in by_group.items()},
        )

    def contigs(self) -> list[str]:
        found = pq.ParquetFile(self.table).read(["contig"]).column("contig").unique().to_pylist()
        return [str(name) for name in found]

    def rows(self, contig: str) -> pa.Table:
        """Rows of one contig. A row group lies on one contig, so that others are not read."""
        file = pq.ParquetFile(self.table)
        at = file.schema_arrow.get_field_index("contig")
        chosen = []
        for number in range(file.metadata.num_row_groups):
            statistics = file.metadata.row_group(number).column(at).statistics
            if statistics is None or not statistics.has_min_max or statistics.min <= contig <= statistics.max:
                chosen.append(number)
        rows = file.read_row_groups(chosen)
        keep = np.array([name == contig for name in rows.column("contig").to_pylist()], bool)
        return rows.filter(pa.array(keep, pa.bool_()))


def changed_people(new: int, old: int, least: int) -> int:
    """People by whom a group differs at least, from its sizes as they are told (rounded down to `least`)."""
    return max(0, abs(new - old) - (least - 1))


def settle(
    new: dict[str, np.ndarray], old: dict[str, np.ndarray], may_change: np.ndarray, least: int, how: str
) -> dict[str, np.ndarray]:
    """The numbers of one group that are told now. new, old: ac, an, hom, hemi int64 (sites,), HIDDEN where not shown.

    may_change: bool (sites,), sites that the bound allows to be brought up to date. DisclosureError where how is
    "refuse" and something would be carried that differs.
    """
    was, now = old["ac"] != HIDDEN, new["ac"] != HIDDEN
    differs = np.zeros(len(was), bool)
    small = np.zeros(len(was), bool)
    both_homs = (old["hom"] != HIDDEN) & (new["hom"] != HIDDEN)
    two = {name: new[name] - old[name] for name in ("ac", "an", "hom", "hemi")}
    het = two["ac"] - two["hemi"] - 2 * two["hom"]
    for step, known in (
        (two["ac"], was & now), (two["hemi"], was & now), (two["ac"] - two["hemi"], was & now),
        (two["hom"], was & now & both_homs), (het, was & now & both_homs), (het + two["hom"], was & now & both_homs),
    ):  # fmt: skip
        differs |= known & (step != 0)
        small |= known & (step != 0) & (np.abs(step) < least)
    differs |= (was != now) | (was & now & ((two["an"] != 0) | (two["hom"] != 0)))
    small |= was & ~now & (old["ac"] < 2 * least - 1)  # hidden now, it would tell how many are left
    held = small | ~may_change
    if how == "refuse" and (held & differs).any():
        raise DisclosureError(
            f"{int((held & differs).sum())} frequencies differ from the former release's by too few people to be told "
            'apart. Set release.differencing = "carry" or "withhold".'
        )
    if how == "withhold":  # those that did not change as well, else the others are those that did
        held = np.where(was, (small | ~differs | ~may_change), held)
        return {name: np.where(held, HIDDEN, new[name]) for name in new}
    return {name: np.where(held, old[name], new[name]) for name in new}
