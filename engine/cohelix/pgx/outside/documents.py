"""Readers of JSON documents (Cyrius, DRAGEN) and of pypgx's zip archives."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

from cohelix.errors import InputError
from cohelix.pgx.outside import tables
from cohelix.pgx.outside.record import Record, Source

_TARGETED = {"cyp2d6": "CYP2D6", "cyp2b6": "CYP2B6"}
"""Genes with a caller of their own among DRAGEN's targeted callers."""


def read_json(source: Source) -> Iterator[Record]:
    try:
        document = json.loads(source.text)
    except json.JSONDecodeError as error:
        raise source.wrong(error.lineno, "this is no JSON document. Give the file as the program wrote it.") from None
    if not isinstance(document, dict) or not document:
        raise source.wrong(1, "a JSON object of Cyrius or of DRAGEN was expected.")
    if any(name in document for name in (*_TARGETED, "locusAnnotations")):
        return _dragen(source, document)
    if all(isinstance(call, dict) and "Genotype" in call for call in document.values()):
        return _cyrius(source, document)
    raise source.wrong(
        1,
        "Cyrius's genotypes by sample or DRAGEN's targeted or star-allele calls were expected. Give the file as the "
        "program wrote it, or a table with sample_id, gene and diplotype.",
    )


def _cyrius(source: Source, document: dict[str, Any]) -> Iterator[Record]:
    for row, (sample, call) in enumerate(document.items(), 1):
        yield tables.called(source, row, sample, call["Genotype"] or "", call.get("Filter") or "", "Cyrius")


def _dragen(source: Source, document: dict[str, Any]) -> Iterator[Record]:
    """One person: of `sampleId`, or of the file's name."""
    sample = str(document.get("sampleId") or document.get("sample") or source.sample_of_name)
    row = 0
    for name, gene in _TARGETED.items():
        if isinstance(call := document.get(name), dict):
            row += 1
            yield tables.called(source, row, sample, str(call.get("genotype") or ""),
                                str(call.get("genotypeFilter") or ""), "DRAGEN", gene)  # fmt: skip
    for call in document.get("locusAnnotations") or []:
        row += 1
        if not isinstance(call, dict) or not isinstance(call.get("gene"), str):
            raise source.wrong(
                row, "a gene was expected in each of locusAnnotations. Give the file as DRAGEN wrote it."
            )
        yield Record(source.file, row, sample, call["gene"], _genotypes(call), "DRAGEN", named=False)


def _genotypes(call: dict[str, Any]) -> tuple[str, ...]:
    """The genotype, or all that are equally good, of a gene's annotation."""
    stated = call.get("genotype") or call.get("genotypes") or []
    every = [stated] if isinstance(stated, str | dict) else stated
    texts = [str(one.get("genotype") or "") if isinstance(one, dict) else str(one) for one in every]
    return tuple(dict.fromkeys(name for text in texts for name in tables.alternatives(text, ";")))


def read_zip(source: Source) -> Iterator[Record]:
    """pypgx's results.zip: metadata.txt names the gene, data.tsv has a row a sample."""
    try:
        with zipfile.ZipFile(io.BytesIO(source.data)) as archive:
            parts = {name.rsplit("/", 1)[-1]: archive.read(name).decode() for name in archive.namelist()}
    except (zipfile.BadZipFile, UnicodeDecodeError):
        raise InputError(f"Outside calls, file {source.file} is a damaged zip archive. Make it again.") from None
    stated = dict(line.split("=", 1) for line in parts.get("metadata.txt", "").splitlines() if "=" in line)
    if "data.tsv" not in parts or stated.get("SemanticType") != "SampleTable[Results]" or "Gene" not in stated:
        raise source.wrong(1, "an archive SampleTable[Results] of pypgx was expected. Give results.zip of a pipeline.")
    lines = [(row, line.split("\t")) for row, line in enumerate(parts["data.tsv"].splitlines(), 1) if line.strip()]
    header = [name.strip().lower() for name in lines[0][1]] if lines else []
    return tables.pypgx(source, header, lines[1:], stated["Gene"])
