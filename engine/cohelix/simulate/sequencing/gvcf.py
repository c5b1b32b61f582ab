"""One sample from its genome to a compressed gVCF, and what is true of the calls in it.

Reads, calls and blocks of all regions are drawn at once. Every draw comes from the sample's own random stream, so the
bytes depend on nothing but the seed, the choices and the sample.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cohelix.arrays import distinct
from cohelix.simulate.bgzf import END_OF_FILE, compress
from cohelix.simulate.blocks import inside, merged
from cohelix.simulate.regions import contigs
from cohelix.simulate.schema import SequencingParams
from cohelix.simulate.sequencing import calls, lines, stretches
from cohelix.simulate.sequencing.calling import COLUMNS, OTHER, STAR, Calls, call
from cohelix.simulate.sequencing.candidates import Candidates, carried_sites, with_stray_reads
from cohelix.simulate.sequencing.causes import causes
from cohelix.simulate.sequencing.layout import Layout, lay_out
from cohelix.simulate.sequencing.reads import Reads, draw_reads
from cohelix.simulate.sequencing.sample import Here, Sample, wave_amplitude
from cohelix.simulate.sequencing.stretches import Blocks, Tiles, Weak
from cohelix.simulate.streams import stream


@dataclass(frozen=True)
class _Records:
    """r records in no order: start, end (r,) by place, text. listed (n, OTHER): which alternates each site names."""

    start: np.ndarray
    end: np.ndarray
    text: list[str]
    listed: np.ndarray


def sequence_sample(
    params: SequencingParams, seed: int, sample: Sample, regions: Iterable[Here], *, source: str
) -> tuple[bytes, calls.CallsTruth]:
    """The whole gVCF of `sample`, BGZF-compressed, and the truth of its calls. `regions`: in genomic order."""
    rng = stream(seed, "sequencing", sample.index)
    layout = lay_out(sample, list(regions), wave_amplitude(seed, sample.batch))
    where = _where(layout)
    tiles = stretches.draw_tiles(layout.length, rng)
    every = carried_sites(layout, rng)
    without = stretches.uncalled(params, layout, merged(every.place, every.end), rng)
    pieces = distinct(np.concatenate([tiles.start, layout.start]))
    own, foreign = _depths(layout, tiles, pieces[:-1])
    every = with_stray_reads(every, layout, pieces, own + foreign, params.error, rng)
    made = (layout.ploidy[layout.segment(every.place)] > 0) & ~inside(every.place, without)
    sites = every.ordered(made)
    reads = draw_reads(sites, *_depths(layout, tiles, sites.place), params.error, params.reference_share, rng)
    called, star = _call(sites, reads.all, layout.ploidy[layout.segment(sites.place)], params.error)
    records = _records(sample.dialect, where, sites, called, rng)
    weak = _weak(sites, reads, called, star, np.flatnonzero(~records.listed.any(axis=1)))
    order = np.argsort(records.start, kind="stable")
    spanned = merged(records.start[order], records.end[order])
    blocks = stretches.make_blocks(layout, tiles, spanned, without, weak, params.error, rng)
    quality = lines.written_quality(sample.dialect, blocks.quality)
    rows = [
        *calls.site_rows(where, sites, _seen(params, layout, sites, reads, called, star, records, blocks, quality)),
        *calls.site_rows(where, every.ordered(~made), _unseen(layout, every.place[~made], without)),
        *calls.stretch_rows(where, blocks, quality, layout.copies[layout.segment(blocks.start)]),
    ]
    head = lines.header(sample.dialect, contigs(), sample.sample_id, source)
    body = [*records.text, *lines.block_lines(sample.dialect, where, blocks)]
    order = np.argsort(np.concatenate([records.start, blocks.start]), kind="stable")
    text = head + "".join([f"{body[i]}\n" for i in order.tolist()])
    return compress(text.encode()) + END_OF_FILE, calls.CallsTruth.of(rows)


def _where(layout: Layout) -> lines.Where:
    regions = [here.region for here in layout.regions]
    first = np.array([region.start for region in regions], np.int64)
    bases = "".join([here.reference.bases for here in layout.regions])
    return lines.Where(
        [region.contig.name for region in regions], first + 1 - layout.begin[:-1], layout.begin[:-1], bases
    )


def _depths(layout: Layout, tiles: Tiles, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean reads (n,) of the sample and of its contaminant at `places` (n,)."""
    segment = layout.segment(places)
    scale = layout.depth_at(places) * tiles.at(places)
    return layout.own[segment] * scale, layout.foreign[segment] * scale


def _call(sites: Candidates, counts: np.ndarray, ploidy: np.ndarray, error: float) -> tuple[Calls, np.ndarray]:
    """Calls at all sites, and whether (n,) an upstream deletion is called over each.

    A call under a deletion depends on the call of the deletion, which lies to the left, so a few rounds settle all.
    """
    star = np.zeros(len(counts), bool)
    called = call(counts, ploidy, star, error)
    spanned = counts[:, STAR] > 0
    copies = called.copies
    while spanned.any():
        reach = sites.place + np.where(copies[:, 1:STAR] > 0, sites.spans[:, 1:STAR], 0).max(axis=1)
        before = np.concatenate([[0], np.maximum.accumulate(reach)[:-1]])
        wished = spanned & (sites.place < before)
        rows = np.flatnonzero(wished != star)
        if rows.size == 0:
            break
        star = wished
        copies[rows] = call(counts[rows], ploidy[rows], star[rows], error).copies
    return (call(counts, ploidy, star, error) if star.any() else called), star


def _records(dialect: str, where: lines.Where, sites: Candidates, called: Calls, rng: np.random.Generator) -> _Records:
    """Records of all sites at which an alternate is considered, called or not."""
    listed = np.zeros((sites.place.size, OTHER), bool)
    starts, ends, text = [np.empty(0, np.int64)], [np.empty(0, np.int64)], []
    for group in called.groups:
        columns = [column for column in group.columns if 0 < column < STAR]
        if not columns:
            continue
        listed[group.rows[:, None], columns] = True
        alleles = [lines.record_alleles(sites, row, group.columns) for row in group.rows.tolist()]
        text += lines.record_lines(dialect, where, sites, group, alleles, rng)
        starts.append(sites.place[group.rows])
        ends.append(starts[-1] + np.array([len(ref) for ref, _ in alleles], np.int64))
    return _Records(np.concatenate(starts), np.concatenate(ends), text, listed)


def _weak(sites: Candidates, reads: Reads, called: Calls, star: np.ndarray, rows: np.ndarray) -> Weak:
    """The sites without a record, `rows`: what their reads take from the quality of the block around them."""
    counts = reads.all[rows]
    counts[~star[rows], STAR] = 0
    reason = np.full(rows.size, stretches.FEW_READS)
    reason[(reads.own[rows] != reads.clean[rows]).any(axis=1)] = stretches.STRAY
    reason[reads.artefact[rows].any(axis=1)] = stretches.ARTEFACT
    reason[reads.contaminant[rows, 1:].any(axis=1)] = stretches.CONTAMINATION
    return Weak(sites.place[rows], counts.sum(axis=1), called.second[rows], reason)


def _seen(
    params: SequencingParams,
    layout: Layout,
    sites: Candidates,
    reads: Reads,
    called: Calls,
    star: np.ndarray,
    records: _Records,
    blocks: Blocks,
    written: np.ndarray,
) -> calls.Seen:
    """What the file says at `sites`. `written` (B,): quality of the blocks as the dialect has it."""
    segment = layout.segment(sites.place)
    wrong = np.flatnonzero((called.copies[:, 1:STAR] != sites.own[:, 1:STAR]).any(axis=1))
    at = segment[wrong]
    reason = np.full(sites.place.size, "", object)
    reason[wrong] = causes(
        sites, reads, wrong, layout.ploidy[at], star[wrong], layout.lost[at], params.error, params.reference_share
    )
    quality = np.minimum(called.second, lines.MOST_QUALITY)
    if blocks.start.size:
        which = np.maximum(np.searchsorted(blocks.start, sites.place, side="right") - 1, 0)
        of_block = (
            ~records.listed.any(axis=1) & (sites.place >= blocks.start[which]) & (sites.place < blocks.end[which])
        )
        quality = np.where(of_block, written[which], quality)
    counts = reads.all
    counts[~star, STAR] = 0
    return calls.Seen(
        called.copies, counts, quality, layout.ploidy[segment], layout.copies[segment],
        np.ones(sites.place.size, bool), records.listed, reason.tolist(),
    )  # fmt: skip


def _unseen(layout: Layout, places: np.ndarray, without: np.ndarray) -> calls.Seen:
    """What the file says at `places` (n,) where it makes no call."""
    segment, n = layout.segment(places), places.size
    reason = np.where(layout.ploidy[segment] == 0, "copies", "uncalled stretch")
    none = np.zeros((n, COLUMNS), np.int64)
    return calls.Seen(
        none[:, :OTHER], none, none[:, 0], layout.ploidy[segment], layout.copies[segment],
        np.zeros(n, bool), none[:, :OTHER] > 0, reason.tolist(),
    )  # fmt: skip
