"""Independent sets of greatest weight: samples of which no two are related.

A graph is `neighbours`, a list of sets of the vertices 0, 1, ...; a weight is an integer of any size above 0, so that
orders of importance, sums and ties are settled exactly. Everything here is deterministic.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

Graph = Sequence[set[int]]
_STEPS = 20_000
"""Branches that the exact search makes for one piece before it gives up."""
_ROUNDS = 20
"""Rounds of improvement after a greedy choice; each ends early where nothing improves."""


class _TooHard(Exception):
    """The exact search needs more branches than it may make."""


def heaviest_set(neighbours: Graph, weights: Sequence[int], exact_size: int) -> tuple[set[int], int]:
    """An independent set, and how many vertices lie in pieces where it may not be the heaviest.

    What surely belongs to a heaviest set is taken first. What remains falls into connected pieces: those of at most
    `exact_size` vertices are solved exactly, others (and those that take too many steps) greedily, then improved.
    """
    alive = set(range(len(neighbours)))
    chosen = take_certain(neighbours, weights, alive)
    approximate = 0
    for piece in pieces_of(neighbours, alive):
        try:
            if len(piece) > exact_size:
                raise _TooHard
            chosen |= _exact(neighbours, weights, piece)
        except _TooHard:
            approximate += len(piece)
            within = set(piece)
            local = {vertex: neighbours[vertex] & within for vertex in piece}
            chosen |= improve(local, weights, greedy(local, weights))
    return chosen, approximate


def pieces_of(neighbours: Graph, within: set[int]) -> list[list[int]]:
    """Connected pieces of the graph on `within`, each sorted, in the order of their first vertices."""
    left, pieces = set(within), []
    for start in sorted(within):
        if start in left:
            left.remove(start)
            piece = [start]
            for vertex in piece:
                found = neighbours[vertex] & left
                left -= found
                piece.extend(sorted(found))
            pieces.append(sorted(piece))
    return pieces


def take_certain(neighbours: Graph, weights: Sequence[int], alive: set[int]) -> set[int]:
    """Vertices that some heaviest set holds; they and their neighbours leave `alive`.

    A vertex is certain if its neighbours are all related to one another and none is heavier, or if it is as heavy as
    they are together.
    """
    chosen: set[int] = set()
    waiting = sorted(alive, reverse=True)
    queued = set(waiting)
    while waiting:
        vertex = waiting.pop()
        queued.discard(vertex)
        if vertex not in alive:
            continue
        around = neighbours[vertex] & alive
        if not _is_certain(neighbours, weights, vertex, around):
            continue
        chosen.add(vertex)
        alive -= around
        alive.discard(vertex)
        touched = {far for near in around for far in neighbours[near] & alive} - queued
        waiting.extend(sorted(touched, reverse=True))
        queued |= touched
    return chosen


def _is_certain(neighbours: Graph, weights: Sequence[int], vertex: int, around: set[int]) -> bool:
    own = weights[vertex]
    if any(weights[near] > own for near in around):
        return False
    if sum(weights[near] for near in around) <= own:
        return True
    return all(len(neighbours[near] & around) == len(around) - 1 for near in around)


def greedy(neighbours: dict[int, set[int]], weights: Sequence[int]) -> set[int]:
    """Again and again the vertex whose weight exceeds its remaining neighbours' by most, and away with these."""
    alive = set(neighbours)
    cost = {vertex: sum(weights[near] for near in around) for vertex, around in neighbours.items()}
    heap = [(cost[vertex] - weights[vertex], vertex) for vertex in neighbours]
    heapq.heapify(heap)
    chosen = set()
    while heap:
        value, vertex = heapq.heappop(heap)
        if vertex not in alive or value != cost[vertex] - weights[vertex]:
            continue  # taken away, or pushed again since with a smaller cost
        chosen.add(vertex)
        gone = neighbours[vertex] & alive
        alive -= gone
        alive.discard(vertex)
        for near in sorted(gone):
            for far in neighbours[near] & alive:
                cost[far] -= weights[near]
                heapq.heappush(heap, (cost[far] - weights[far], far))
    return chosen


def improve(neighbours: dict[int, set[int]], weights: Sequence[int], chosen: set[int]) -> set[int]:
    """Exchange until nothing is gained: one in for those that are in its way, two in for the one that is."""
    chosen = set(chosen)
    for _ in range(_ROUNDS):
        gained = False
        for vertex in neighbours:
            if vertex in chosen:
                gained |= _two_for_one(neighbours, weights, vertex, chosen)
            else:
                in_the_way = neighbours[vertex] & chosen
                if sum(weights[near] for near in in_the_way) < weights[vertex]:
                    chosen -= in_the_way
                    chosen.add(vertex)
                    gained = True
        if not gained:
            break
    return chosen


def _two_for_one(neighbours: dict[int, set[int]], weights: Sequence[int], vertex: int, chosen: set[int]) -> bool:
    """Replace a chosen vertex by two that only it kept out, where these are heavier."""
    free = sorted(near for near in neighbours[vertex] if len(neighbours[near] & chosen) == 1)
    for at, one in enumerate(free):
        for other in free[at + 1 :]:
            if other not in neighbours[one] and weights[one] + weights[other] > weights[vertex]:
                chosen.remove(vertex)
                chosen.update((one, other))
                return True
    return False


def _exact(neighbours: Graph, weights: Sequence[int], piece: Sequence[int]) -> set[int]:
    """The heaviest independent set of a connected piece. Raises _TooHard."""
    place = {vertex: bit for bit, vertex in enumerate(piece)}
    around = [sum(1 << place[near] for near in neighbours[vertex] if near in place) for vertex in piece]
    mask = _Search(around, [weights[vertex] for vertex in piece]).best((1 << len(piece)) - 1)[1]
    return {vertex for vertex, bit in place.items() if mask >> bit & 1}


class _Search:
    """Branch and bound over bit masks, with what was found for a mask kept."""

    def __init__(self, around: Sequence[int], weights: Sequence[int]) -> None:
        self.around, self.weights = around, weights
        self.known: dict[int, tuple[int, int]] = {0: (0, 0)}
        self.steps = 0

    def best(self, mask: int) -> tuple[int, int]:
        """(weight, vertices) of the heaviest independent set within `mask`."""
        if mask in self.known:
            return self.known[mask]
        first = self._piece(mask)
        if first != mask:
            near, far = self.best(first), self.best(mask & ~first)
            found = (near[0] + far[0], near[1] | far[1])
        else:
            found = self._branch(mask)
        self.known[mask] = found
        return found

    def _branch(self, mask: int) -> tuple[int, int]:
        """Of a connected mask: with and without its vertex of most neighbours, unless one is certain."""
        pivot, most = -1, -1
        for vertex in _bits(mask):
            around = self.around[vertex] & mask
            if self._certain(vertex, around):
                rest = self.best(mask & ~around & ~(1 << vertex))
                return rest[0] + self.weights[vertex], rest[1] | 1 << vertex
            degree = around.bit_count()
            if degree > most:
                pivot, most = vertex, degree
        self.steps += 1
        if self.steps > _STEPS:
            raise _TooHard
        bit = 1 << pivot
        rest = self.best(mask & ~self.around[pivot] & ~bit)
        found = rest[0] + self.weights[pivot], rest[1] | bit
        if self._bound(mask & ~bit) > found[0]:
            found = max(found, self.best(mask & ~bit))
        return found

    def _certain(self, vertex: int, around: int) -> bool:
        own = self.weights[vertex]
        near = list(_bits(around))
        if any(self.weights[one] > own for one in near):
            return False
        return all(around & ~self.around[one] == 1 << one for one in near) or sum(
            self.weights[one] for one in near
        ) <= own  # fmt: skip

    def _bound(self, mask: int) -> int:
        """At least the weight of any independent set: vertices are put into cliques, each of which gives one."""
        total = 0
        while mask:
            vertex = (mask & -mask).bit_length() - 1
            clique, candidates = 1 << vertex, self.around[vertex] & mask
            heaviest = self.weights[vertex]
            while candidates:
                one = (candidates & -candidates).bit_length() - 1
                clique |= 1 << one
                heaviest = max(heaviest, self.weights[one])
                candidates &= self.around[one]
            total += heaviest
            mask &= ~clique
        return total

    def _piece(self, mask: int) -> int:
        """The connected piece of the lowest vertex of the mask."""
        piece, front = 0, mask & -mask
        while front:
            piece |= front
            near = 0
            for vertex in _bits(front):
                near |= self.around[vertex]
            front = near & mask & ~piece
        return piece


def _bits(mask: int) -> list[int]:
    out = []
    while mask:
        low = mask & -mask
        out.append(low.bit_length() - 1)
        mask ^= low
    return out
