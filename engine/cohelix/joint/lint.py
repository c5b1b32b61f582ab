"""Everything that is wrong with the inputs, before any work: each gVCF is read to its end, nothing is written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from cohelix import genome
from cohelix.errors import CohelixError, InputError
from cohelix.genome import Contig
from cohelix.joint import manifest, store
from cohelix.joint.gvcf import bgzf, index
from cohelix.joint.gvcf.reader import GvcfReader
from cohelix.joint.kernels import overlapping_block
from cohelix.runtime.protocol import Runtime

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True, order=True)
class Finding:
    """row: line of the manifest, 0 for the manifest as a whole."""

    row: int
    severity: str
    message: str


@dataclass(frozen=True)
class _Seen:
    findings: tuple[Finding, ...]
    contigs: tuple[Contig, ...]
    digest: str


def lint(manifest_path: str, runtime: Runtime) -> list[Finding]:
    """Findings in the order of the manifest. Raises InputError only where the manifest itself cannot be read."""
    rows, problems = manifest.examine(manifest_path)
    findings = [Finding(_row_of(problem), ERROR, problem) for problem in problems]
    names = frozenset(row.sample_id for row in rows)
    seen = list(runtime.map(_Examine(names), rows, label="lint"))
    for one in seen:
        findings += one.findings
    return sorted(findings + _across(rows, seen))


def _row_of(problem: str) -> int:
    words = problem.replace(":", " ").split()
    return next((int(word) for word in words if word.isdigit()), 0)


@dataclass(frozen=True)
class _Examine:
    """Reads one gVCF. `names`: all sample ids of the manifest, to notice files that were swapped."""

    names: frozenset[str]

    def __call__(self, row: manifest.Row) -> _Seen:
        findings: list[Finding] = []
        contigs: tuple[Contig, ...] = ()
        digest = ""
        try:
            reader = GvcfReader(row.path)
            findings += _name_findings(reader.header.sample, row, self.names)
            n_records = 0
            for blocks, variants in reader.records():
                n_records += blocks.start.size + variants.start.size
                at = int(overlapping_block(blocks.contig, blocks.start, blocks.end))
                if at >= 0:
                    place = f"{reader.contigs[blocks.contig[at]].name}:{blocks.start[at] + 1}"
                    findings.append(
                        Finding(row.number, ERROR, f"reference blocks overlap at {place} (ingest.overlapping_blocks).")
                    )
                    break
            contigs, digest = tuple(reader.contigs), reader.digest
            if not reader.is_gvcf:
                what = "variant records only: a plain VCF, not a gVCF (ingest.plain_vcf)" if n_records else "no records"
                findings.append(Finding(row.number, ERROR, f"expected reference blocks, found {what}."))
        except CohelixError as error:
            findings.append(Finding(row.number, ERROR, str(error)))
        return _Seen(tuple(findings + _index_findings(row)), contigs, digest)


def _name_findings(name: str, row: manifest.Row, names: frozenset[str]) -> list[Finding]:
    if name == row.sample_id:
        return []
    if name in names:
        return [
            Finding(
                row.number, ERROR, "the header names a sample that is another row's sample_id: were two files swapped?"
            )
        ]
    return [
        Finding(
            row.number, WARNING, "the header names another sample than the manifest; the manifest's sample_id is used."
        )
    ]


def _index_findings(row: manifest.Row) -> list[Finding]:
    """An index is only used for large inputs, but a wrong one is a trap."""
    try:
        path = index.find(row.path)
        if path is None:
            return []
        with bgzf.open_binary(row.path) as handle:
            if not bgzf.is_bgzf(handle.read(64)):
                return [
                    Finding(row.number, WARNING, "there is an index, but the file is not BGZF; the index is not used.")
                ]
        index.check(row.path, index.read(path))
    except InputError as error:
        return [Finding(row.number, ERROR, str(error))]
    return []


def _across(rows: list[manifest.Row], seen: list[_Seen]) -> list[Finding]:
    """What only shows when files are compared: two builds, two copies of one file."""
    findings = []
    build_of: list[str | None] = []
    for row, one in zip(rows, seen, strict=True):
        try:
            build_of.append(genome.build_of(one.contigs) if one.contigs else None)
        except CohelixError as error:
            findings.append(Finding(row.number, ERROR, str(error)))
            build_of.append(None)
    usual = next((build for build, _ in Counter(filter(None, build_of)).most_common(1)), None)
    first: dict[str, int] = {}
    lengths: dict[str, int] = {}
    spelled: dict[str, str] = {}
    for row, one, build in zip(rows, seen, build_of, strict=True):
        if build is not None and build != usual:
            findings.append(Finding(row.number, ERROR, f"build {build}, where most inputs are {usual}: mixed builds."))
        elif any(c.length and lengths.setdefault(c.name, c.length) != c.length for c in one.contigs):
            findings.append(
                Finding(row.number, ERROR, "a contig has another length than in the rows before: mixed builds.")
            )
        chromosomes = [c.name for c in one.contigs if genome.plain_name(c.name) in store.CHROMOSOMES]
        if any(spelled.setdefault(genome.plain_name(name), name) != name for name in chromosomes):
            findings.append(
                Finding(
                    row.number,
                    ERROR,
                    "chromosomes have other names than in the rows before (chr22 and 22): mixed references.",
                )
            )
        if one.digest and one.digest in first:
            findings.append(
                Finding(row.number, ERROR, f"the same content as row {first[one.digest]}: one file under two samples.")
            )
        first.setdefault(one.digest, row.number)
    return findings
