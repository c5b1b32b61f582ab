"""False reads: where they lie, whom they touch, what they look like."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cohelix.simulate.sequencing.artefacts import APART, region_artefacts
from cohelix.simulate.sequencing.gvcf import sequence_sample
from tests.simulate.sequencing.made import CLEAN, here, place, records, rows, sample, snps

REGION, REFERENCE = place("chr22:20,000,001-20,200,000")
MANY = replace(CLEAN, artefacts=2e-3, uncalled=0.05)


def test_artefacts_keep_away_from_sites_and_cannot_be_written_further_left() -> None:
    sites = np.arange(500, 200_000, 1_000)
    found = region_artefacts(MANY, 1, REGION, REFERENCE, sites)
    assert 200 < found.offset.size <= 500
    for offset, ref, alt in zip(found.offset.tolist(), found.ref, found.alt, strict=True):
        assert REFERENCE.bases[offset : offset + len(ref)] == ref
        assert np.abs(sites - offset).min() >= APART
        assert ref != alt
        if len(ref) != len(alt):
            assert ref[0] == alt[0]
            assert ref[-1] != alt[-1]
    assert (np.diff(found.offset) >= APART).all()
    lost = np.diff(found.unmappable, axis=1).sum() / 200_000
    assert 0.005 < lost < 0.06


def test_an_artefact_is_seen_in_the_share_of_samples_and_of_reads_drawn_for_it() -> None:
    carried = snps(REFERENCE, [0, 0], every=100_000)
    shared = region_artefacts(replace(MANY, uncalled=0.0), 1, REGION, REFERENCE, carried.sites.offset)
    one = here(REGION, REFERENCE, carried, artefacts=shared)
    seen, share, low_quality = [], [], 0
    for number in range(8):
        data, truth = sequence_sample(CLEAN, 1, sample(number, coverage=60.0), [one], source="test")
        assert {row["reason"] for row in rows(truth) if row["outcome"] != "right"} <= {"artefact"}
        found = [record for record in records(data) if not record.is_block]
        seen.append(len(found) / shared.offset.size)
        mapping = dict(zip((shared.offset + REGION.start + 1).tolist(), shared.mapping.tolist(), strict=True))
        expected = dict(zip((shared.offset + REGION.start + 1).tolist(), shared.share.tolist(), strict=True))
        for record in found:
            assert float(record.info["MQ"]) == mapping[record.position] / 100
            low_quality += 1
            if expected[record.position] > 0.2:  # others are seen only where the draw was high
                ad = record.numbers("AD")
                share.append(ad[1] / sum(ad) - expected[record.position])
    prevalence = float(shared.prevalence.mean())
    assert abs(np.mean(seen) - prevalence) < 0.06
    assert low_quality > 200
    assert abs(np.mean(share)) < 0.02
