"""Kernels of star-allele calling: one form for every genotype pattern, equal patterns found, pairs of alleles matched.

Genotypes are codes of `cohelix.pgx.genotype`; here a row is a person or a pattern, and a column a position.
"""

from __future__ import annotations

import numpy as np

from cohelix.kernel import kernel, leaf, popcount

MISSING, ABSENT = 15, 14


@kernel
def canonical(
    codes: np.ndarray,
    phase: np.ndarray,
    rank: np.ndarray,
    form: np.ndarray,
    blocks: np.ndarray,
    flags: np.ndarray,
) -> None:
    """Write genotypes so that no choice of strands is left; form, blocks (k, P) uint8 and flags (k,) uint8 are filled.

    codes (P, k) and phase (P, k) or (P, 1) of `Genotypes`. rank (P, 16) uint8: which allele of a site is written
    first. An unphased genotype has its lower rank first. So has the first heterozygous genotype of
    a block of phased ones, and the block turns as one. blocks: 0 at homozygous and unphased genotypes, 1 where phased,
    from 2 on phase sets in the order of their first heterozygous position. Half a genotype is read as it stands, so it
    turns with the phased ones. flags: bit 0, there are genotypes and all are phased; bit 1, some lie in a phase set.
    """
    n_positions, n = form.shape[1], form.shape[0]
    one_phase = phase.shape[1] == 1
    for person in range(n):
        flags[person] = 0
    for site in range(n_positions):  # rows of the input lie one behind another: turned here, once
        for person in range(n):
            code = codes[site, person]
            block = phase[site, 0] if one_phase else phase[site, person]
            form[person, site] = code
            blocks[person, site] = block
            if code != 0xFF:
                flags[person] |= np.uint8(4 | (8 if block == 0 else 0) | (2 if block > 1 else 0))
    turn = np.empty(256, dtype=np.int8)
    number = np.empty(256, dtype=np.uint8)
    for person in range(n):
        turn[:] = -1
        n_sets = 0
        for site in range(n_positions):
            code, block = np.int64(form[person, site]), blocks[person, site]
            a, b = code & 15, code >> 4
            if a == b:
                blocks[person, site] = 0
                continue
            if a == MISSING or b == MISSING:
                block = np.uint8(1)
            if block == 0:
                turned = rank[site, a] > rank[site, b]
            else:
                if turn[block] < 0:
                    turn[block] = rank[site, a] > rank[site, b]
                    number[block] = 1
                    if block > 1:
                        number[block] = 2 + n_sets
                        n_sets += 1
                turned = turn[block] == 1
                blocks[person, site] = number[block]
            if turned:
                form[person, site] = b | a << 4
        flags[person] = (flags[person] & 2) | (1 if flags[person] & 12 == 4 else 0)


@kernel
def keys_of(form: np.ndarray, blocks: np.ndarray, flags: np.ndarray, mixed: np.ndarray) -> np.ndarray:
    """(k,) uint64: exclusive or, over what `canonical` wrote, of mixed (P, 21, 2) uint64.

    mixed[site, allele, side], 0 for REF; then for a block b mixed[site, 16 + b // 64, 0] rotated by b % 64 bits; and
    mixed[0, 20] by flag.
    """
    n, n_positions = form.shape
    keys = np.zeros(n, dtype=np.uint64)
    for person in range(n):
        key = np.uint64(0)
        for site in range(n_positions):
            code = form[person, site]
            if code != 0:
                key ^= mixed[site, code & 15, 0] ^ mixed[site, code >> 4, 1]
                block = np.int64(blocks[person, site])
                if block != 0:
                    word = mixed[site, 16 + (block >> 6), 0]
                    key ^= word << np.uint64(block & 63) | word >> np.uint64(-block & 63)
        if flags[person] & 1:
            key ^= mixed[0, 20, 0]
        if flags[person] & 2:
            key ^= mixed[0, 20, 1]
        keys[person] = key
    return keys


@leaf
def _slot(key: np.uint64, last: int) -> int:
    return np.int64((key ^ (key >> np.uint64(32))) & np.uint64(last))  # type: ignore[return-value]  # a NumPy integer


@kernel
def put_patterns(
    keys: np.ndarray,
    form: np.ndarray,
    blocks: np.ndarray,
    flags: np.ndarray,
    slots: np.ndarray,
    n_known: int,
    known_keys: np.ndarray,
    known_form: np.ndarray,
    known_blocks: np.ndarray,
    known_flags: np.ndarray,
    counts: np.ndarray,
    of_person: np.ndarray,
) -> int:
    """Find each person's pattern among `n_known`, or add it behind them; how many there are then.

    slots (power of two,) int32, -1 where free: patterns by key, the next slot where one is taken. A key that is equal
    is no proof: the patterns are compared, and one that differs is a pattern of its own. known_* have room for all.
    """
    n_positions = form.shape[1]
    last = len(slots) - 1
    for person in range(len(keys)):
        key = keys[person]
        at = _slot(key, last)
        while True:
            pattern = slots[at]
            if pattern < 0:
                pattern = n_known
                slots[at] = pattern
                known_keys[pattern] = key
                known_flags[pattern] = flags[person]
                known_form[pattern] = form[person]
                known_blocks[pattern] = blocks[person]
                counts[pattern] = 0
                n_known += 1
                break
            if known_keys[pattern] == key and known_flags[pattern] == flags[person]:
                differs = False
                for site in range(n_positions):
                    differs |= known_form[pattern, site] != form[person, site]
                    differs |= known_blocks[pattern, site] != blocks[person, site]
                if not differs:
                    break
            at = (at + 1) & last
        counts[pattern] += 1
        of_person[person] = pattern
    return n_known


@kernel
def fill_slots(keys: np.ndarray, slots: np.ndarray) -> None:
    """Put patterns 0 ... of these keys into free slots, for `put_patterns`."""
    last = len(slots) - 1
    for pattern in range(len(keys)):
        key = keys[pattern]
        at = _slot(key, last)
        while slots[at] >= 0:
            at = (at + 1) & last
        slots[at] = pattern


@leaf
def _read_pattern(
    codes: np.ndarray,
    blocks: np.ndarray,
    read_as: np.ndarray,
    fits: np.ndarray,
    block_of: np.ndarray,
    fit_both: np.ndarray,
    fit_side: np.ndarray,
    present: np.ndarray,
    ref_both: np.ndarray,
    ref_side: np.ndarray,
) -> int:
    """Gather what alleles of a pattern must be: how many blocks it has; -1: none can be; -2: haploid.

    fit_both (W,): alleles that fit every homozygous position. fit_side (2, blocks, W): that fit the first and the
    second strand of a block. present (S,): positions with a genotype. ref_both (S,), ref_side (2, blocks, S):
    positions where both strands, or that of a block, have REF.
    """
    n_blocks, n_haploid, n_present = 0, 0, 0
    fit_both[:] = ~np.uint64(0)
    block_of[:] = -1
    present[:] = 0
    ref_both[:] = 0
    for site in range(fits.shape[0]):
        code = np.int64(codes[site])
        if code == 0xFF:
            continue
        a, b = code & 15, code >> 4
        if a == MISSING or b == MISSING:
            return -1
        word, bit = site >> 6, np.uint64(1) << np.uint64(site & 63)
        present[word] |= bit
        n_present += 1
        if b == ABSENT:
            n_haploid += 1
            b = a
        a, b = np.int64(read_as[site, a]), np.int64(read_as[site, b])
        if a == b:
            _meet(fit_both, fits[site, a])
            if a == 0:
                ref_both[word] |= bit
            continue
        block = block_of[blocks[site]] if blocks[site] else -1
        if block < 0:
            block = n_blocks
            n_blocks += 1
            fit_side[:, block] = ~np.uint64(0)
            ref_side[:, block] = 0
            if blocks[site]:
                block_of[blocks[site]] = block
        _meet(fit_side[0, block], fits[site, a])
        _meet(fit_side[1, block], fits[site, b])
        if a == 0:
            ref_side[0, block, word] |= bit
        if b == 0:
            ref_side[1, block, word] |= bit
    if n_present == 0 or 0 < n_haploid < n_present:
        return -1
    return -2 if n_haploid else n_blocks


@leaf
def _meet(left: np.ndarray, right: np.ndarray) -> None:
    for w in range(len(left)):
        left[w] &= right[w]


@leaf
def _shared(left: np.ndarray, right: np.ndarray) -> int:
    """Bits that both have."""
    total = 0
    for w in range(len(left)):
        total += popcount(left[w] & right[w])
    return total


@leaf
def _has(words: np.ndarray, bit: int) -> bool:
    return (words[bit >> 6] >> np.uint64(bit & 63)) & np.uint64(1) != 0


@leaf
def _next(words: np.ndarray, bit: int) -> int:
    """The first bit that is set from `bit` on; as many as there are bits where none is."""
    w = bit >> 6
    if w >= len(words):
        return len(words) * 64
    word = words[w] & (~np.uint64(0) << np.uint64(bit & 63))
    while word == 0:
        w += 1
        if w == len(words):
            return w * 64
        word = words[w]
    return w * 64 + popcount((word & (~word + np.uint64(1))) - np.uint64(1))


@leaf
def _partners(x: int, n_blocks: int, candidates: np.ndarray, fit_side: np.ndarray, found: np.ndarray) -> None:
    """The candidates that can be on the other strand when x is on one: `found` (W,)."""
    for w in range(len(found)):
        found[w] = candidates[w]
    for block in range(n_blocks):
        first, second = _has(fit_side[0, block], x), _has(fit_side[1, block], x)
        for w in range(len(found)):
            other = np.uint64(0)
            if first:
                other |= fit_side[1, block, w]
            if second:
                other |= fit_side[0, block, w]
            found[w] &= other


@leaf
def _wobbles(
    x: int,
    y: int,
    n_blocks: int,
    wobble: np.ndarray,
    fit_side: np.ndarray,
    ref_both: np.ndarray,
    ref_side: np.ndarray,
) -> int:
    """Wobble cells of x and y at which their strand has REF: the fewest over the strands they can be on.

    An allele that fits both strands is held against both: a wobble counts only where both have REF.
    """
    count = _shared(wobble[x], ref_both) + _shared(wobble[y], ref_both)
    either_x, either_y = x != y, x != y
    for block in range(n_blocks):
        either_x &= _has(fit_side[0, block], x) and _has(fit_side[1, block], x)
        either_y &= _has(fit_side[0, block], y) and _has(fit_side[1, block], y)
    for block in range(n_blocks):
        fewest = 1 << 30
        for side in range(2):  # of x
            if _has(fit_side[side, block], x) and _has(fit_side[1 - side, block], y):
                found = 0
                if not either_x:
                    found += _shared(wobble[x], ref_side[side, block])
                if not either_y:
                    found += _shared(wobble[y], ref_side[1 - side, block])
                fewest = min(fewest, found)
        count += fewest
    return count


@leaf
def _pairs_of_pattern(
    n_blocks: int,
    stated: np.ndarray,
    wobble: np.ndarray,
    has_wobble: np.ndarray,
    candidates: np.ndarray,
    partners: np.ndarray,
    fit_side: np.ndarray,
    present: np.ndarray,
    ref_both: np.ndarray,
    ref_side: np.ndarray,
    pairs: np.ndarray,
    n: int,
) -> int:
    """Write a pattern's pairs behind the first n; how many there are then, or -1 if there is no room for them."""
    haploid = n_blocks < 0
    for block in range(n_blocks):
        for w in range(len(candidates)):
            candidates[w] &= fit_side[0, block, w] | fit_side[1, block, w]
    x = _next(candidates, 0)
    while x < len(stated):
        score = _shared(stated[x], present)
        _partners(x, n_blocks, candidates, fit_side, partners)
        y = x if haploid else _next(partners, x)
        while score > 0 and y < len(stated):
            other = 0 if haploid else _shared(stated[y], present)
            if haploid or other > 0:
                if n == len(pairs):
                    return -1
                penalty = 0
                if has_wobble[x] or has_wobble[y]:
                    if haploid:
                        penalty = _shared(wobble[x], ref_both)
                    else:
                        penalty = _wobbles(x, y, n_blocks, wobble, fit_side, ref_both, ref_side)
                pairs[n, 0] = x
                pairs[n, 1] = -1 if haploid else y
                pairs[n, 2] = score + other - penalty
                n += 1
            y = len(stated) if haploid else _next(partners, y + 1)
        x = _next(candidates, x + 1)
    return n


@kernel
def pairs_of_patterns(
    codes: np.ndarray,
    blocks: np.ndarray,
    read_as: np.ndarray,
    fits: np.ndarray,
    stated: np.ndarray,
    wobble: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Every pair of named alleles that each pattern can be, best first: (start (m+1,) int64, pairs (k, 3) int32).

    codes, blocks (m, P') uint8, P' >= P. read_as (P, 16) uint8: the allele that a code is taken for. fits (P, 16, W)
    uint64: the alleles that have this one there, as bits. stated, wobble (A, S) uint64: positions of which an allele
    says something, or something that several bases are. A pair is first, second (-1 where haploid), score.
    """
    n_positions, _, n_words = fits.shape
    n_site_words = stated.shape[1]
    start = np.zeros(len(codes) + 1, dtype=np.int64)
    pairs = np.empty((1024, 3), dtype=np.int32)
    block_of = np.empty(256, dtype=np.int32)
    candidates, partners = np.empty(n_words, dtype=np.uint64), np.empty(n_words, dtype=np.uint64)
    present, ref_both = np.empty(n_site_words, dtype=np.uint64), np.empty(n_site_words, dtype=np.uint64)
    fit_side = np.empty((2, n_positions, n_words), dtype=np.uint64)
    ref_side = np.empty((2, n_positions, n_site_words), dtype=np.uint64)
    has_wobble = np.array([np.any(wobble[x] != 0) for x in range(len(wobble))])
    n, pattern = 0, 0
    while pattern < len(codes):
        n_blocks = _read_pattern(
            codes[pattern], blocks[pattern], read_as, fits, block_of, candidates, fit_side, present, ref_both, ref_side
        )
        behind = n
        if n_blocks != -1:
            behind = _pairs_of_pattern(
                n_blocks, stated, wobble, has_wobble, candidates, partners, fit_side, present, ref_both, ref_side,
                pairs, n,
            )  # fmt: skip
        if behind < 0:
            longer = np.empty((2 * len(pairs), 3), dtype=np.int32)
            longer[:n] = pairs[:n]
            pairs = longer
            continue
        if behind - n > 1:
            pairs[n:behind] = pairs[n:behind][np.argsort(-pairs[n:behind, 2], kind="mergesort")]
        n = behind
        pattern += 1
        start[pattern] = n
    return start, pairs[:n].copy()
