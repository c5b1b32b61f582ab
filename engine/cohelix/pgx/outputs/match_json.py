"""Calls of single people as PharmCAT's named-allele matcher writes them: a match.json each.

The fields are those that PharmCAT's phenotyper and other readers take: metadata, and by gene diplotypes with scores,
haplotypes, variants, missing positions and alleles that could not be called. Files are numbered, since a name of a file
is no place for a sample's id: people.tsv says whose is which.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix import __version__
from cohelix.errors import ConfigError, InputError
from cohelix.genotypes.inputs import SAMPLE_COLUMNS, column_of, read_table, texts
from cohelix.genotypes.outputs import new_folder
from cohelix.pgx import names, reference
from cohelix.pgx.definition import Gene, Position
from cohelix.pgx.outputs.folder import Calls, genes_of, inside, open_calls, people_of
from cohelix.pgx.outputs.tally import known_names
from cohelix.pgx.phenotype.alleles import split

MOST_PEOPLE = 10_000
"""Files that are written at a time: for whole cohorts there is the table."""

_COLUMNS = ("sample_id", "source", "status", "phase", "diplotypes", "candidates", "scores", "haplotypes", "missing",
            "warnings", "pattern")  # fmt: skip


def export_match(calls: str, out: str, *, samples: str | None = None) -> int:
    """Write the folder `out`: 000001.match.json, ... and people.tsv. Returns how many people there are.

    samples: table (TSV, CSV or Parquet) of the samples to write, in its order; None: everybody, in the order of the
    calls. Calls of other programs are left out: PharmCAT takes them as they are.

    Raises ConfigError for more people than `MOST_PEOPLE`, InputError for a sample that was not called.
    """
    opened = open_calls(calls)
    chosen = _chosen(opened, samples)
    genes = reference.load(opened.reference, opened.genes)
    called = _called(opened, chosen)
    genotypes = _genotypes(opened, called)
    known = {symbol: known_names(gene) for symbol, gene in genes.items()}
    metadata = {
        "namedAlleleMatcherVersion": f"cohelix {__version__}", "genomeBuild": "GRCh38", "inputFilename": None,
        "topCandidatesOnly": True,
        "findCombinations": bool(opened.meta.get("params", {}).get("combinations", False)),
        "callCyp2d6": "CYP2D6" in genes,
    }  # fmt: skip
    width = len(str(MOST_PEOPLE))
    with new_folder(out) as folder:
        lines = ["file\tsample_id"]
        for number, sample in enumerate(chosen, 1):
            results = [
                gene_call(genes[row["gene"]], row, genotypes.get((row["gene"], row["pattern"]), ""), known[row["gene"]])
                for row in called.get(sample, ())
            ]
            name = f"{number:0{width}}.match.json"
            text = {"metadata": metadata | {"sampleId": sample}, "results": results, "vcfWarnings": {}}
            (Path(folder) / name).write_text(json.dumps(text, indent=2) + "\n", encoding="utf-8")
            lines.append(f"{name}\t{sample}")
        (Path(folder) / "people.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(chosen)


def gene_call(gene: Gene, row: dict[str, Any], genotype: str, known: frozenset[str]) -> dict[str, Any]:
    """One entry of `results`. row: of `CALLS`. genotype: what is not reference, as the table of patterns has it."""
    called = list(zip(row["diplotypes"], row["scores"], strict=False))
    pairs = [(name, score, split(name, known)) for name, score in called]
    haploid = any(len(strands) == 1 for _, _, strands in pairs)
    listed = sorted({strand for _, _, strands in pairs for strand in strands}, key=names.key)
    missing = set(row["missing"])
    phased = row["phase"] == "phased"
    variants = [_variant(place, genotype, haploid, phased) for place in gene.positions if place.position not in missing]
    seen = [place for place, position in enumerate(gene.positions) if position.position not in missing]
    return {
        "source": gene.source.upper(),
        "version": gene.version,
        "chromosome": gene.contig,
        "gene": gene.symbol,
        "diplotypes": [
            {"name": name, "score": score, "haplotype1": {"name": strands[0]},
             "haplotype2": {"name": strands[1]} if len(strands) > 1 else None}
            for name, score, strands in pairs
        ],
        "haplotypes": [{"name": name} for name in listed],
        "haplotypeMatches": [{"name": name} for name in row["haplotypes"] or ()],
        "phased": phased,
        "effectivelyPhased": row["phase"] in ("phased", "effectively_phased"),
        "variants": variants,
        "variantsOfInterest": [_variant(place, genotype, haploid, phased) for place in gene.extra],
        "matchData": {
            "missingPositions": [_place(place) for place in gene.positions if place.position in missing],
            "effectivelyPhased": row["phase"] in ("phased", "effectively_phased"),
        },
        "uncallableHaplotypes": [
            allele.name for allele in gene.alleles if all(allele.cells[place] is None for place in seen)
        ],
        "ignoredHaplotypes": [],
        "warnings": list(row["warnings"] or ()),
    }  # fmt: skip


def _place(place: Position) -> dict[str, Any]:
    return {"chromosome": place.contig, "position": place.position, "rsid": place.rsid or None}


def _variant(place: Position, genotype: str, haploid: bool, phased: bool) -> dict[str, Any]:
    """Position and call, as A/G or A|G; a single allele where there is one copy."""
    stated = dict(one.split(":", 1) for one in genotype.split(" ") if one).get(str(place.position))
    if stated is None:
        stated = place.ref if haploid else f"{place.ref}{'|' if phased else '/'}{place.ref}"
    call, _, phase_set = stated.partition("@")
    if phased:  # a pattern does not say how a homozygous genotype was written
        call = call.replace("/", "|")
    found: dict[str, Any] = {"position": place.position, "rsid": place.rsid or None, "vcfCall": call}
    return found | {"phaseSet": int(phase_set)} if phase_set else found


def _chosen(calls: Calls, samples: str | None) -> list[str]:
    """Samples to write."""
    if samples is None:
        n = int(calls.meta.get("n_people", 0))
        if n > MOST_PEOPLE:
            raise ConfigError(
                f"expected at most {MOST_PEOPLE:,} people, as each has a file, found {n:,}. Name some by --samples."
            )
        return [one for part in calls.parts for one in people_of(calls, part).to_pylist()]
    what = "table of samples"
    table = read_table(samples, what)
    chosen = texts(table, column_of(table, SAMPLE_COLUMNS, what))
    if len(chosen) > MOST_PEOPLE:
        raise ConfigError(f"expected at most {MOST_PEOPLE:,} people in the {what}, found {len(chosen):,}. Name fewer.")
    first: dict[str, int] = {}
    for row, sample in enumerate(chosen):
        if first.setdefault(sample, row) != row:
            raise InputError(f"rows {first[sample] + 2} and {row + 2} of the {what} are the same. Keep one of them.")
    known = {one for part in calls.parts for one in people_of(calls, part).to_pylist()}
    for row, sample in enumerate(chosen):
        if sample not in known:
            raise InputError(f"row {row + 2} of the {what} is of a sample that was not called. Correct or drop it.")
    return chosen


def _called(calls: Calls, chosen: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Rows of our own calls by sample, with their gene."""
    import pyarrow.compute as pc

    wanted = pa.array(chosen, pa.string())
    found: dict[str, list[dict[str, Any]]] = {}
    for part in calls.parts:
        for gene, table in genes_of(calls, part, _COLUMNS):
            rows = table.filter(pc.is_in(table.column("sample_id"), wanted))
            for row in rows.to_pylist():
                if row["source"] != "outside":
                    found.setdefault(row["sample_id"], []).append(row | {"gene": gene})
    return found


def _genotypes(calls: Calls, called: dict[str, list[dict[str, Any]]]) -> dict[tuple[str, int], str]:
    """By gene and pattern, the genotypes that are not reference."""
    import pyarrow.compute as pc

    keys = np.unique(np.array([row["pattern"] for rows in called.values() for row in rows], np.int64))
    table = inside(calls, "patterns.parquet", ("gene", "pattern", "genotype"))
    table = table.filter(pc.is_in(table.column("pattern"), pa.array(keys)))
    return {(row["gene"], row["pattern"]): row["genotype"] for row in table.to_pylist()}
