"""Whose genome is it: samples of links that failed, against every sample of the other side.

A block of queries against a block of candidates is one matrix product: the scores of the queries' genotypes, by site
and the candidate's genotype, times the candidates' genotypes as 0 and 1. Scores are whole thousandths and sites are
added up in stretches that float32 holds without rounding, so that sums do not depend on blocks, threads or the BLAS.
The best few candidates of each query are then scored again, in full.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cohelix.qc.concordance import kernels
from cohelix.qc.concordance.fingerprints import genotypes_of
from cohelix.qc.concordance.likelihood import MODELS, Compared, compare, relation_of
from cohelix.qc.schema import ConcordanceParams
from cohelix.runtime.protocol import Runtime

QUERY_BLOCK = 512
"""Samples looked for at once in one product."""

CANDIDATE_BLOCK = 1024
"""Samples looked through in one task: 24 MB of float32 at 2,000 sites."""

WAVE = 8192
"""Samples looked for in one round of tasks, which bounds what comes back."""

_COARSE = 1000  # of the full scores, in one of the search
_EXACT = (1 << 24) - 1  # whole numbers up to here, and all sums of them, are exact in float32


@dataclass(frozen=True)
class _Search:
    queries: Callable[[], np.ndarray]
    candidates: Callable[[], np.ndarray]
    scores: Callable[[], np.ndarray]
    chosen: np.ndarray
    first: int
    end: int
    kept: int


def search(
    queries: np.ndarray, candidates: np.ndarray, chosen: np.ndarray, n_candidates: int, scores: np.ndarray, kept: int,
    runtime: Runtime, *, candidate_block: int | None = None, wave: int = WAVE,
) -> np.ndarray:  # fmt: skip
    """int64 (len(chosen), kept): the best candidates of each chosen query, best first, -1 where there are fewer.

    queries, candidates: packed (sites, words). scores: int64 (sites, 16) in millionths, by 4 * query + candidate.
    Equal scores are in the order of the candidates.
    """
    coarse = np.rint(scores / _COARSE).astype(np.int64)
    step = candidate_block or CANDIDATE_BLOCK
    shared = runtime.share(queries), runtime.share(candidates), runtime.share(coarse)
    rows = np.full((len(chosen), kept), -1, np.int64)
    for start in range(0, len(chosen), wave):
        part = chosen[start : start + wave]
        tasks = [
            _Search(*shared, part, first, min(first + step, n_candidates), kept)
            for first in range(0, n_candidates, step)
        ]
        best_scores, best_rows = _free(len(part), kept)
        for of_scores, of_rows in runtime.map(_search, tasks, label="partners"):
            _merge(of_scores, of_rows, best_scores, best_rows)
        rows[start : start + wave] = best_rows
    return rows


def _free(n_queries: int, kept: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((n_queries, kept), np.int64), np.full((n_queries, kept), -1, np.int64)


def _merge(scores: np.ndarray, rows: np.ndarray, best_scores: np.ndarray, best_rows: np.ndarray) -> None:
    """Keep the best of both, in place."""
    both_scores, both_rows = np.concatenate([best_scores, scores], axis=1), np.concatenate([best_rows, rows], axis=1)
    order = np.lexsort((both_rows, -both_scores, both_rows < 0), axis=1)[:, : best_scores.shape[1]]
    best_scores[:] = np.take_along_axis(both_scores, order, axis=1)
    best_rows[:] = np.take_along_axis(both_rows, order, axis=1)


def _search(task: _Search) -> tuple[np.ndarray, np.ndarray]:
    scores = task.scores()
    stretches = _stretches(np.abs(scores).max(axis=1))
    found = genotypes_of(task.candidates(), np.arange(task.first, task.end))
    shown = [_as_shares(found[low:high]) for low, high in stretches]
    queries = task.queries()
    best_scores, best_rows = _free(len(task.chosen), task.kept)
    for start in range(0, len(task.chosen), QUERY_BLOCK):
        end = min(start + QUERY_BLOCK, len(task.chosen))
        genotypes = genotypes_of(queries, task.chosen[start:end])
        total = np.zeros((end - start, task.end - task.first), np.int64)
        for (low, high), shares in zip(stretches, shown, strict=True):
            weights = np.empty((end - start, 3 * (high - low)), np.float32)
            kernels.weigh(genotypes[low:high], scores[low:high], weights)
            total += (weights @ shares).astype(np.int64)
        kernels.keep_best(total, task.first, best_scores[start:end], best_rows[start:end])
    return best_scores, best_rows


def _stretches(largest: np.ndarray) -> list[tuple[int, int]]:
    """Runs [low, high) of sites whose largest scores add up to what float32 holds exactly."""
    runs: list[tuple[int, int]] = []
    low, total = 0, 0
    for site, score in enumerate(largest.tolist()):
        if total + score > _EXACT and site > low:
            runs.append((low, site))
            low, total = site, 0
        total += score
    return [*runs, (low, len(largest))]


def _as_shares(genotypes: np.ndarray) -> np.ndarray:
    """float32 (3 * sites, samples): 1 where the sample has that genotype."""
    shown = genotypes[:, None, :] == np.arange(3, dtype=np.int8)[None, :, None]
    shares: np.ndarray = shown.reshape(-1, genotypes.shape[1]).astype(np.float32)
    return shares


@dataclass(frozen=True)
class Linked:
    """Links as rows of the two callsets: link -> array row and genome row, and which of them match."""

    left: np.ndarray
    right: np.ndarray
    matches: np.ndarray

    def rows_of(self, side: str) -> np.ndarray:
        """Row of each link in the callset of `side`."""
        return self.left if side == "array" else self.right

    def by_row(self, side: str) -> dict[int, list[int]]:
        """Row of the callset of `side` to its links."""
        links: dict[int, list[int]] = {}
        for link, row in enumerate(self.rows_of(side).tolist()):
            links.setdefault(row, []).append(link)
        return links


@dataclass(frozen=True)
class Partner:
    """A sample of a failing link, and who was found for it on the other side.

    sample: row of its own callset. partner: row of the other one, -1 for nobody. llr, second_llr: of the partner, and
    the best of all others. relation: "same", that of a close relative, or "" for nobody.
    """

    link: int
    side: str
    sample: int
    partner: int = -1
    n_compared: int = 0
    llr: float = np.nan
    second_llr: float = np.nan
    relation: str = ""
    relation_llr: float = np.nan


def find_partners(
    side: str, arrays: np.ndarray, wgs: np.ndarray, n_candidates: int, links: Linked, scores: np.ndarray,
    params: ConcordanceParams, runtime: Runtime,
) -> list[list[Partner]]:  # fmt: skip
    """Who the sample of `side` ("array" or "wgs") of each failing link may be, in the order of the links: at least one.

    Samples linked to it are not asked again. Where several are the same person, those that are not matched by their
    own links are all that is returned: an identical twin who is in the right place explains nothing.
    """
    failing = np.flatnonzero(~links.matches)
    own, other = links.by_row(side), links.by_row("wgs" if side == "array" else "array")
    chosen = np.unique(links.rows_of(side)[failing])
    if not len(chosen):
        return []
    kept = params.candidates + max(len(own[int(row)]) for row in chosen)
    same = scores[:, MODELS.index("same")]
    if side == "array":
        rows = search(arrays, wgs, chosen, n_candidates, same, kept, runtime)
    else:
        turned = np.ascontiguousarray(same.reshape(-1, 4, 4).transpose(0, 2, 1)).reshape(-1, 16)
        rows = search(wgs, arrays, chosen, n_candidates, turned, kept, runtime)
    query, place = np.nonzero(rows >= 0)
    pair = chosen[query], rows[query, place]
    compared = compare(arrays, wgs, *(pair if side == "array" else pair[::-1]), scores)
    ends = np.searchsorted(query, np.arange(len(chosen) + 1))
    linked = links.rows_of("wgs" if side == "array" else "array")
    threshold = params.match_llr + float(np.log10(n_candidates))
    partners = []
    for link in failing.tolist():
        sample = int(links.rows_of(side)[link])
        at = int(np.searchsorted(chosen, sample))
        asked = {int(linked[j]) for j in own[sample]}
        found = [p for p in range(ends[at], ends[at + 1]) if int(pair[1][p]) not in asked]
        taken = {p: any(links.matches[j] for j in other.get(int(pair[1][p]), [])) for p in found}
        partners.append(_possible(Partner(link, side, sample), found, taken, pair[1], compared, threshold, params))
    return partners


def _possible(
    nobody: Partner, found: list[int], taken: dict[int, bool], rows: np.ndarray, compared: Compared, threshold: float,
    params: ConcordanceParams,
) -> list[Partner]:  # fmt: skip
    """Of the pairs `found`, those of the same person, else the closest relative of the first degree, else `nobody`."""
    llr, same = compared.llr, MODELS.index("same")
    enough = [p for p in found if compared.n_compared[p] >= params.min_sites]
    relations = {p: ("same", float(llr[p, same])) for p in enough if llr[p, same] >= threshold}
    chosen = sorted(relations, key=lambda p: (-llr[p, same], rows[p]))
    chosen = [p for p in chosen if not taken[p]] or chosen
    if not chosen:
        close = {p: relation_of(llr[p], threshold) for p in enough}
        relations = {p: relation for p, relation in close.items() if relation[0]}
        chosen = sorted(relations, key=lambda p: (-relations[p][1], rows[p]))[:1]

    def best_but(one: int) -> float:
        return max((float(llr[p, same]) for p in found if p != one), default=float("nan"))

    return [
        replace(
            nobody, partner=int(rows[p]), n_compared=int(compared.n_compared[p]), llr=float(llr[p, same]),
            second_llr=best_but(p), relation=relations[p][0], relation_llr=relations[p][1],
        ) for p in chosen
    ] or [replace(nobody, second_llr=best_but(-1))]  # fmt: skip


def settle(possible: list[list[Partner]], links: Linked) -> list[Partner]:
    """One partner of each list, of both sides: one that makes an exchange of two links, else the first.

    Two places may hold the same genome (an identical twin, a person who is there twice), and both may have failed.
    """
    pairs = {_pair(partner) for several in possible for partner in several if partner.relation == "same"}
    owners = {"array": links.by_row("wgs"), "wgs": links.by_row("array")}

    def exchanges(partner: Partner) -> bool:
        own = owners[partner.side].get(partner.partner, [])
        return any(_is_exchanged(partner.link, link, links, pairs) for link in own)

    return [next((partner for partner in several if exchanges(partner)), several[0]) for several in possible]


KINDS = ("swap", "shift", "unlinked", "duplicate", "relative", "none")
"""What became of a failing link's sample: its partner is that of a link which failed too, and the two are exchanged;
the same without an exchange; the partner is in no link; or in a link that matches (the person is there twice, or has
an identical twin); nobody is the person, and the best is a close relative; nobody at all."""


def kinds_of(partners: list[Partner], links: Linked) -> tuple[list[str], list[int]]:
    """(kind, the partner's own link or -1) of each partner."""
    owners = {"array": links.by_row("wgs"), "wgs": links.by_row("array")}  # of the partners of samples of that side
    pairs = {_pair(partner) for partner in partners if partner.relation == "same"}
    kinds, owned_by = [], []
    for partner in partners:
        own = owners[partner.side].get(partner.partner, [])
        failing = [link for link in own if not links.matches[link]]
        if partner.relation != "same":
            kind, link = "none" if partner.partner < 0 else "relative", -1
        elif not own:
            kind, link = "unlinked", -1
        elif not failing:
            kind, link = "duplicate", own[0]
        else:
            exchanged = [link for link in failing if _is_exchanged(partner.link, link, links, pairs)]
            kind, link = ("swap", exchanged[0]) if exchanged else ("shift", failing[0])
        kinds.append(kind)
        owned_by.append(link)
    return kinds, owned_by


def _pair(partner: Partner) -> tuple[int, int]:
    """(array row, genome row)"""
    return (partner.sample, partner.partner) if partner.side == "array" else (partner.partner, partner.sample)


def _is_exchanged(one: int, other: int, links: Linked, pairs: set[tuple[int, int]]) -> bool:
    left, right = links.left, links.right
    return (int(left[one]), int(right[other])) in pairs and (int(left[other]), int(right[one])) in pairs


def links_involved(n_links: int, owned_by: list[tuple[int, int]]) -> np.ndarray:
    """int64 (n_links,): how many links each one hangs together with, itself included, by (link, partner's link)."""
    leader = list(range(n_links))

    def lead(link: int) -> int:
        while leader[link] != link:
            leader[link] = leader[leader[link]]
            link = leader[link]
        return link

    for one, other in owned_by:
        leader[lead(one)] = lead(other)
    groups = np.array([lead(link) for link in range(n_links)], np.int64)
    return np.bincount(groups, minlength=n_links)[groups]
