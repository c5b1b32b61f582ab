"""GLnexus's own test cases, run through our joint caller and compared genotype by genotype.

Our rows are biallelic, GLnexus's sites are not, so genotypes are compared by what they say: how many copies of each
of the site's alleles a sample carries, or that this is not known. For a site with alleles A1..Ak:

* truth without a dot: at the row of each Ai our count must be the truth's. A copy that we write as `*` counts as "not
  Ai" (the
  sample carries a deletion there, which the truth names by its own allele number).
* truth with one dot (a half call): where the known allele is an alternate, our row of it must hold one known copy and
  one that is not
  known, or be a half call of another of the site's rows; where it is the reference, no row may be called.
* truth `./.`: at least one of the site's rows must be missing (the genotype over the whole site is then not known).
* RNC `1` (the site of a lost allele says "look at the other site") makes no statement and is not compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cohelix.genotypes import callset
from cohelix.joint.call import call
from cohelix.joint.ingest import ingest
from cohelix.joint.schema import CallParams, IngestParams
from cohelix.joint.unify import trimmed
from cohelix.runtime.local import LocalRuntime

PRESETS = {
    "gatk_unfiltered": {},
    "DeepVariant": {"unifier_config": {"min_AQ1": 10, "min_AQ2": 10}, "genotyper_config": {"allow_partial_data": True}},
}


@dataclass(frozen=True)
class Comparison:
    """What a case's comparison found. differences: (position, sample, truth's GT, our rows as text)."""

    compared: int
    differences: list[tuple[str, str, str, str]]
    missing_rows: list[str]


def params_of(case: dict[str, Any]) -> CallParams:
    """Our choices for a case's configuration. GLnexus has no GQ 0 policy: that is Hail's ("homref")."""
    preset = PRESETS[case["config_preset"]] if "config_preset" in case else {}
    unifier = preset.get("unifier_config", {}) | case.get("unifier_config", {})
    genotyper = preset.get("genotyper_config", {}) | case.get("genotyper_config", {})
    return CallParams(
        gq0="homref",
        partial="homref" if genotyper.get("allow_partial_data") else "nocall",
        min_allele_depth=genotyper.get("required_dp", 0),
        overlap="best" if genotyper.get("top_two_half_calls") else "nocall",
        min_copies=unifier.get("min_allele_copy_number", 1),
        min_allele_quality=unifier.get("min_AQ1", 0),
        min_allele_quality_twice=unifier.get("min_AQ2", 0),
        max_alleles=unifier.get("max_alleles_per_site", 100),
    )


def inputs_of(case: dict[str, Any], folder: Path) -> Path:
    """Write the case's gVCFs and a manifest. Lines are given with blanks where VCF has tabs."""
    header = case["input"]["header"].rstrip("\n").split("\n")
    lines = ["sample_id\tpath"]
    for entry in case["input"]["body"]:
        ((name, body),) = entry.items()
        sample, *records = body.rstrip("\n").split("\n")
        text = "\n".join(
            [
                *header[:-1],
                "\t".join([*header[-1].split(), sample.strip()]),
                *("\t".join(r.split()) for r in records if r.strip()),
            ]
        )
        (folder / name).write_text(text + "\n")
        lines.append(f"{sample.strip()}\t{name}")
    manifest = folder / "manifest.tsv"
    manifest.write_text("\n".join(lines) + "\n")
    return manifest


def run(path: Path, folder: Path) -> Comparison:
    """Joint-call a case and compare it with its truth."""
    case = yaml.safe_load(path.read_text())
    manifest = inputs_of(case, folder)
    runtime = LocalRuntime(1)
    ingest(
        str(manifest), str(folder / "x.calls"), IngestParams(overlapping_blocks="minimum", plain_vcf="allow"), runtime
    )
    made = call(str(folder / "x.calls"), str(folder / "y.callset"), params_of(case), runtime)
    rows, samples = _rows(made)
    if "truth_output_vcf" not in case:
        return _compare_alleles(case, rows)
    return _compare(case, rows, samples)


def _rows(made: callset.Callset) -> tuple[dict[Any, list[tuple[str, str]]], list[str]]:
    """(contig, key) -> for each sample its two copies as text: 0, 1, * or a dot."""
    samples = made.samples()["sample_id"].to_pylist()
    rows: dict[Any, list[tuple[str, str]]] = {}
    said = {0: ("0", "0"), 1: ("0", "1"), 2: ("1", "1"), callset.MISSING: (".", ".")}
    for shard in made.shards:
        genotypes = callset.read_genotypes(made, shard, 0, shard.n_sites)
        partial = made.partial(shard)
        half = (
            {(p["row"], p["sample"]): (p["first"], p["second"]) for p in partial.to_pylist()}
            if partial is not None
            else {}
        )
        for i, site in enumerate(made.sites(shard).to_pylist()):
            key = (site["contig"], trimmed(site["position"] - 1, site["ref"], site["alt"]))
            rows[key] = [half.get((i, j), said[int(g)]) for j, g in enumerate(genotypes[i])]
    return rows, samples


def _compare_alleles(case: dict[str, Any], rows: dict[Any, Any]) -> Comparison:
    """A case about discovery alone: every alternate allele that it finds must have a row."""
    truth = case["truth_discovered_alleles"]
    reference = {(a["range"]["ref"], a["range"]["beg"]): a["dna"] for a in truth if a["is_ref"]}
    missing = []
    wanted = [a for a in truth if not a["is_ref"]]
    for allele in wanted:
        place = (allele["range"]["ref"], allele["range"]["beg"])
        if (str(place[0]), trimmed(place[1] - 1, reference[place], allele["dna"])) not in rows:
            missing.append(f"{place[0]}:{place[1]} {allele['dna']}")
    return Comparison(len(wanted), [], missing)


def _compare(case: dict[str, Any], rows: dict[Any, list[tuple[str, str]]], samples: list[str]) -> Comparison:
    compared, differences, missing = 0, [], []
    for entry in case["truth_output_vcf"]:
        (text,) = entry.values()
        lines = [line.split() for line in text.rstrip("\n").split("\n") if line.strip() and not line.startswith("##")]
        names = lines[0][9:]
        for fields in lines[1:]:
            contig, position, ref, alts = fields[0], int(fields[1]), fields[3], fields[4].split(",")
            keys = [(contig, trimmed(position - 1, ref, alt)) for alt in alts]
            missing += [
                f"{contig}:{position} {ref}>{alt}" for key, alt in zip(keys, alts, strict=True) if key not in rows
            ]
            for name, cell in zip(names, fields[9:], strict=True):
                values = dict(zip(fields[8].split(":"), cell.split(":"), strict=False))
                if "1" in values.get("RNC", ""):
                    continue
                ours = [rows[key][samples.index(name)] if key in rows else ("0", "0") for key in keys]
                compared += 1
                if not agrees(values["GT"], ours):
                    text_of_ours = " ".join("/".join(pair) for pair in ours)
                    differences.append((f"{contig}:{position}", name, values["GT"], text_of_ours))
    return Comparison(compared, differences, missing)


def agrees(truth: str, ours: list[tuple[str, str]]) -> bool:
    """Whether our copies at the rows of a site say what the truth's GT says (see the module's docstring)."""
    alleles = truth.replace("|", "/").split("/")
    called = [int(a) for a in alleles if a != "."]
    if len(called) == len(alleles):
        return all(_count(pair) == called.count(i) for i, pair in enumerate(ours, start=1))
    if not called:
        return any(_count(pair) is None or "*" in pair for pair in ours)
    known = called[0]
    if known == 0:
        return all("1" not in pair for pair in ours) and any("." in pair or "*" in pair for pair in ours)
    pair = ours[known - 1]
    return pair.count("1") == 1 and (_count(pair) is None or "*" in pair or any(_count(p) is None for p in ours))


def _count(pair: tuple[str, str]) -> int | None:
    return None if "." in pair else pair.count("1")
