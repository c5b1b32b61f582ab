"""Plain definitions of site annotations: one gVCF line, one carrier at a time. docs/methods/joint.md has them in words.

A line is the text of one gVCF record. Missing is None.
"""

from __future__ import annotations

import math
import statistics
from typing import Any


def number(text: str | None) -> float | None:
    """A number as VCF writes it; None of a dot, a NaN, or other text."""
    try:
        value = float(text or ".")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def tenths(value: float | None) -> int | None:
    """The bin of GATK's Histogram(0.1): a hundredth of a bin is added so that -1.8 stays in the bin of -1.8."""
    return None if value is None else math.floor((value + 0.01 * 0.1) / 0.1)


def of_line(line: str) -> dict[str, Any]:
    """What a variant record says of its evidence."""
    fields = line.rstrip("\r\n").split("\t")
    info = dict(item.split("=", 1) for item in fields[7].split(";") if "=" in item)
    sample = dict(zip(fields[8].split(":"), fields[9].split(":"), strict=False))
    called = {a for a in sample["GT"].replace("|", "/").split("/") if a not in (".", "0")}

    def rank(name: str) -> int | None:
        if len(called) == 1 and f"AS_RAW_{name}" in info:
            parts = info[f"AS_RAW_{name}"].split("|")
            at = int(next(iter(called)))
            return tenths(number(parts[at].split(",")[0])) if at < len(parts) else None
        return tenths(number(info.get(name)))

    strands = [number(v) for v in sample.get("SB", ".").split(",")]
    return {
        "qual": number(fields[5]),
        "sb": [int(v) for v in strands if v is not None] if len(strands) == 4 and None not in strands else [],
        "mq": _mapping_quality(info, number(sample.get("DP"))),
        "ranks": [rank("MQRankSum"), rank("ReadPosRankSum")],
    }


def _mapping_quality(info: dict[str, str], sample_depth: float | None) -> list[int]:
    """[sum of squares, reads], or nothing."""
    if "RAW_MQandDP" in info:
        values = [number(v) for v in info["RAW_MQandDP"].split(",")]
        return [int(v) for v in values if v is not None] if len(values) == 2 and None not in values else []
    quality = number(info.get("MQ"))
    depth = number(info["DP"]) if "DP" in info else sample_depth
    return [] if quality is None or depth is None else [math.floor(quality * quality * depth + 0.5), int(depth)]


def of_row(carriers: list[dict[str, Any]]) -> dict[str, Any]:
    """Site columns from the carriers of a row's allele.

    A carrier is what `of_line` gives, with `pl` and `ad` (lists, maybe empty), `dp`, `gq`, `reads` (of the allele) and
    `het`.
    """
    sb = [0, 0, 0, 0]
    out: dict[str, Any] = {"mq_sum_squared": 0, "mq_depth": 0, "qual_approx": 0, "variant_depth": 0}
    high = 0
    ranks: list[list[int]] = [[], []]
    for one in carriers:
        sb = [a + b for a, b in zip(sb, one["sb"] or [0] * 4, strict=True)]
        squares, depth = one["mq"] or [0, 0]
        out["mq_sum_squared"] += squares
        out["mq_depth"] += depth
        out["qual_approx"] += one["pl"][0] if one["pl"] else 0
        out["variant_depth"] += sum(one["ad"]) or one["dp"] or 0
        dp = one["dp"] if one["dp"] is not None else sum(one["ad"])
        if (one["gq"] or 0) >= 20 and dp >= 10 and (not one["het"] or (one["reads"] or 0) / dp >= 0.2):
            high += 1
        for values, value in zip(ranks, one["ranks"], strict=True):
            values += [] if value is None else [value]
    names = ("sb_ref_forward", "sb_ref_reverse", "sb_alt_forward", "sb_alt_reverse")
    out |= dict(zip(names, sb, strict=True)) | {"n_high_quality": high}
    medians = [statistics.median(values) / 10 if values else None for values in ranks]
    return out | {"mq_rank_sum": medians[0], "read_pos_rank_sum": medians[1]}
