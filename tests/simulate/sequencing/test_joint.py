"""The joint caller reads the files, and every genotype that is not the truth is explained by the truth of the calls."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from cohelix.cli.__main__ import run
from cohelix.genotypes import callset
from cohelix.simulate.population import SPANNED
from cohelix.simulate.schema import SequencingParams
from cohelix.simulate.sequencing.gvcf import sequence_sample
from cohelix.simulate.sequencing.sample import Here
from tests.simulate.sequencing.made import World, carried_alleles, rows, sample

PARAMS = SequencingParams(artefacts=1e-4, uncalled=0.01)
WORLD = World(["chr22:1,000,001-1,100,000", "chrX:3,000,001-3,050,000"], PARAMS, seed=3)
FEMALE, MALE = (2, 2), (2, 1)
PEOPLE = [
    (sample(0), "female", FEMALE, None),
    (sample(1, dialect="dragen"), "male", MALE, None),
    (sample(2, coverage=5.0), "female", FEMALE, None),
    (sample(3, coverage=9.0, dialect="dragen"), "male", MALE, None),
    (sample(4, contamination=0.1), "female", FEMALE, (90, MALE)),
    (sample(5, contamination=0.3), "male", MALE, (91, FEMALE)),
    (sample(6), "female", (2, 3), None),
    (sample(7, dialect="dragen"), "male", (2, 2), None),
]
Key = tuple[str, int, str, str]


def truly_deleted(heres: list[Here]) -> set[tuple[str, int]]:
    """Bases that a copy of the sample's genome lacks."""
    found = set()
    for one in heres:
        sites = one.carried.sites
        for row, alleles in enumerate(one.carried.alleles.tolist()):
            for allele in {a for a in alleles if a > 0 and a != SPANNED}:
                first = one.region.start + int(sites.offset[row]) + 2
                found |= {(one.region.contig.name, first + i) for i in range(int(sites.spans[row, allele]) - 1)}
    return found


def explained(row: dict[str, Any], site: dict[str, Any]) -> bool:
    """Whether `row` of the truth says that the sample's file is wrong, or has no evidence, about this site."""
    near = row["position"] <= site["position"] + len(site["ref"]) - 1 and row["end"] >= site["position"]
    return row["contig"] == site["contig"] and near and (row["outcome"] != "right" or row["quality"] == 0)


def test_every_genotype_that_differs_is_explained(tmp_path: Path) -> None:
    manifest, told, carried, deleted = ["sample_id\tpath\tsex"], [], [], []
    for who, sex, copies, contaminant in PEOPLE:
        heres = WORLD.heres(who.index, copies, FEMALE if sex == "female" else MALE, contaminant)
        data, truth = sequence_sample(PARAMS, 1, who, heres, source="test")
        (tmp_path / f"{who.sample_id}.g.vcf.gz").write_bytes(data)
        manifest.append(f"{who.sample_id}\t{who.sample_id}.g.vcf.gz\t{sex}")
        told.append(rows(truth))
        carried.append({(one.region.contig.name, *k): n for one in heres for k, n in carried_alleles(one).items()})
        deleted.append(truly_deleted(heres))
    (tmp_path / "manifest.tsv").write_text("\n".join(manifest) + "\n")
    calls, out = str(tmp_path / "x.calls"), str(tmp_path / "y.callset")
    assert run(["joint", "lint", str(tmp_path / "manifest.tsv")]) == 0
    assert run(["joint", "run", str(tmp_path / "manifest.tsv"), "--calls", calls, "-o", out]) == 0
    opened = callset.open_callset(out)
    found: list[set[Key]] = [set() for _ in PEOPLE]
    classes: Counter[str] = Counter()
    for shard in opened.shards:
        cells = callset.read_genotypes(opened, shard, 0, shard.n_sites)
        for i, site in enumerate(opened.sites(shard).to_pylist()):
            key = (site["contig"], site["position"], site["ref"], site["alt"])
            for number, (_, sex, _, _) in enumerate(PEOPLE):
                found[number].add(key)
                true = carried[number].get(key, 0)
                expected = true * (2 if sex == "male" and key[0] == "chrX" else 1)
                said = int(cells[i, number])
                if said == expected:
                    classes["right"] += 1
                    continue
                if said == -9 and key[:2] in deleted[number]:
                    classes["deleted"] += 1
                    continue
                why = [row for row in told[number] if explained(row, site)]
                assert why, (number, site, true, said)
                classes.update({row["reason"] or "no evidence" for row in why})
    for number, keys in enumerate(found):
        for key in carried[number].keys() - keys:
            site = {"contig": key[0], "position": key[1], "ref": key[2]}
            assert any(explained(row, site) for row in told[number]), (number, key)
    assert classes["right"] > 2_000
    assert classes["deleted"] > 0
    assert classes.keys() >= {"few reads", "contamination", "uncalled stretch", "copies", "stray reads", "artefact"}
