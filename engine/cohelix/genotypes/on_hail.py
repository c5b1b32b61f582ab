"""Hail matrix tables in and out of callsets.

Rows of a matrix table never become Python rows: Hail writes one character per genotype, all partitions in parallel
and once, and numpy reads that (`genotypes.call_text`). The way back is the same text, a file per shard.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cohelix import genome, storage
from cohelix.dataset import FileEntry
from cohelix.errors import InputError, ReferenceMismatch
from cohelix.genome import Contig
from cohelix.genotypes import assembly, call_text, callset
from cohelix.genotypes.callset import Callset, Shard
from cohelix.runtime import on_hail

MAIN = {*map(str, range(1, 23)), "X", "Y", "MT"}
"""Contigs that a callset lists even where they hold no site."""

BIN_BP = 1_000_000
"""Bases of a shard: small enough that one holds few sites of a whole genome, large enough that a genome has 3,100."""


def import_matrix(source: str, out: str, *, overwrite: bool = False, shared: str | None = None) -> Callset:
    """The matrix table at `source` (rows: locus and alleles; entry field GT) as a callset at `out`.

    Multiallelic rows are split as `hl.split_multi_hts` splits them (another alternate allele counts as reference) and
    trimmed as `hl.min_rep` trims; rows whose ALT is `*` or symbolic are left out and counted in `params`.
    Raises InputError where the table is not one of genotypes, ReferenceMismatch where its genome is not known.
    """
    check_table(source, "matrix table")
    hail = on_hail.session()
    with hail_errors("matrix table"):
        matrix = hail.read_matrix_table(source)
    check_matrix(hail, matrix)
    if "GT" not in matrix.entry or matrix.GT.dtype != hail.tcall:
        raise InputError(
            "expected an entry field GT of type call in the matrix table, found "
            f"{', '.join(matrix.entry) or 'no entry field'}. Make one with annotate_entries first."
        )
    calls = matrix.select_entries(call=matrix.GT)
    params = {"source": "hail matrix table", "source_sha256": fingerprint(source)}
    return write_dense(calls, out, params, overwrite=overwrite, shared=shared)


def export_matrix(source: str, out: str, *, shared: str | None = None) -> None:
    """The callset at `source` as a matrix table at `out`: rows locus, alleles, rsid; columns s, sex; entry GT.

    Men are haploid on X and Y outside the pseudo-autosomal regions and everybody is on MT. Half calls are missing.
    """
    opened = callset.open_callset(source)
    if storage.exists(out):
        raise InputError(f"expected nothing at {out}, found something there. Remove it, or choose another path.")
    if opened.build == genome.UNKNOWN_BUILD:
        raise ReferenceMismatch(
            "expected a callset of GRCh37 or GRCh38, found one of unknown build. Import it again with its --build."
        )
    hail = on_hail.session()
    known = hail.get_reference(opened.build)
    strange = [shard.contig for shard in opened.shards if shard.contig not in known.contigs]
    if strange:
        raise ReferenceMismatch(
            f"expected contigs as Hail names them in {opened.build} ({known.contigs[0]}, ...), found {strange[0]}. "
            "Rename the contigs before the import that made the callset."
        )
    samples = opened.samples().select(["sample_id", "sex"]).to_pylist()
    columns = [hail.Struct(s=sample["sample_id"], sex=sample["sex"]) for sample in samples]
    with on_hail.scratch(shared) as folder:
        for index, shard in enumerate(opened.shards):
            storage.write(storage.join(folder, f"{index:06d}.gz"), call_text.encode_shard(opened, shard))
        lines = hail.import_table(
            storage.join(_uri(folder), "*.gz"), no_header=True, force=True, types={f"f{i}": hail.tint32 for i in (1, 2)}
        )
        table = lines.select(
            locus=hail.locus(lines.f0, lines.f2, opened.build), alleles=[lines.f3, lines.f4],
            rsid=hail.delimit([lines.f0, hail.str(lines.f2), lines.f3, lines.f4], ":"),
            entries=hail.range(len(samples)).map(lambda column: hail.struct(GT=_call(hail, lines.f5[column]))),
        ).key_by("locus", "alleles").annotate_globals(columns=hail.literal(columns))  # fmt: skip
        matrix = table._unlocalize_entries("entries", "columns", ["s"])
        with hail_errors("callset"):
            matrix.write(out)


def _call(hail: Any, code: Any) -> Any:
    return (
        hail.switch(code).when("0", hail.call(0, 0)).when("1", hail.call(0, 1)).when("2", hail.call(1, 1))
        .when("r", hail.call(0)).when("a", hail.call(1)).or_missing()
    )  # fmt: skip


def write_dense(
    matrix: Any, out: str, params: dict[str, Any], *, overwrite: bool = False, shared: str | None = None
) -> Callset:
    """A dense matrix of entries {call} or {call, local_alleles} as a callset.

    `call` counts alleles of the row, or of `local_alleles` (array<int32>) where that is there.
    `params`: what was imported and how; it is recorded.
    """
    columns = _columns(matrix)
    order = np.array(sorted(range(len(columns)), key=lambda index: columns[index][0].encode()), np.int64)
    sample_ids = [columns[index][0] for index in order]
    sexes = [genome.parse_sex(columns[index][1]) for index in order]
    callset.check_sample_ids(sample_ids)
    contigs, build = contigs_of(matrix.locus.dtype.reference_genome)
    params = params | {"bin_bp": BIN_BP}
    shards: list[Shard] = []
    files: list[FileEntry] = []
    totals = call_text.no_totals(len(order))
    with assembly.destination(out, params, [], overwrite=overwrite) as (writer, after, record):
        with on_hail.scratch(shared) as folder, tempfile.TemporaryDirectory(prefix="cohelix-") as spooled:
            parts, n_left_out = export_calls(matrix, folder)
            names = [contig.name for contig in contigs]
            place = Path(spooled)
            for spool in call_text.bins(parts, contigs=names, n_samples=len(order), bin_bp=BIN_BP, folder=place):
                shard, entries = call_text.write_bin(
                    writer, spool, build=build, order=order, sample_ids=sample_ids, sexes=sexes, totals=totals
                )
                spool.path.unlink()
                shards.append(shard)
                files += entries
        if not shards:
            raise InputError("expected at least one variant site, found none. Check that the source is not empty.")
        used = {shard.contig for shard in shards}
        return callset.commit_callset(
            writer,
            build=build,
            contigs=[contig for contig in contigs if contig.name in used or genome.plain_name(contig.name) in MAIN],
            shards=shards,
            samples=callset.write_samples(writer, call_text.samples_table(sample_ids, sexes, totals)),
            n_samples=len(order),
            files=files,
            alleles="trimmed",
            params=params | {"n_alts_left_out": n_left_out, "n_rows_collapsed": totals.n_collapsed},
            provenance=record,
            after=after,
        )


def _columns(matrix: Any) -> list[tuple[str, str]]:
    """(sample id, sex) of each column; the sex of a column field of that name, unknown without one."""
    hail = on_hail.session()
    key = next(iter(matrix.col_key))
    sex = hail.coalesce(matrix.sex, "") if "sex" in matrix.col and matrix.sex.dtype == hail.tstr else ""
    found = matrix.select_cols(of=sex)
    pairs = hail.eval(found.localize_entries(columns_array_field_name="columns").index_globals().columns)
    return [(pair[key], pair["of"]) for pair in pairs]


def export_calls(matrix: Any, folder: str) -> tuple[list[str], int]:
    """Write `matrix` as lines of `genotypes.call_text`, a file per partition. Returns the files, the ALTs left out."""
    hail = on_hail.session()
    with hail_errors("source"):
        n_left_out = _export(hail, matrix, storage.join(folder, "rows.gz"))
    rows = storage.join(folder, "rows.gz")
    return [storage.join(rows, name) for name in storage.listing(rows) if name.startswith("part-")], n_left_out


def _export(hail: Any, matrix: Any, out: str) -> int:
    sites = matrix.rows().select().select_globals()
    n_left_out = sites.aggregate(hail.agg.sum(hail.len(sites.alleles[1:].filter(lambda alt: ~_is_sequence(alt)))))
    table = matrix.select_rows().select_cols().select_globals().localize_entries("entries", "columns").select_globals()
    table = table.annotate(allele=hail.range(1, hail.len(table.alleles))).explode("allele")
    table = table.filter(_is_sequence(table.alleles[table.allele]))
    table = table.annotate(site=hail.min_rep(table.locus, [table.alleles[0], table.alleles[table.allele]]))
    table = table.key_by()
    lines = table.select(
        contig=table.locus.contig, source=table.locus.position, position=table.site.locus.position,
        ref=table.site.alleles[0].upper(), alt=table.site.alleles[1].upper(),
        calls=hail.delimit(table.entries.map(lambda entry: _code(hail, entry, table.allele)), ""),
    )  # fmt: skip
    lines.export(_uri(out), parallel="separate_header")
    return int(n_left_out or 0)


def _is_sequence(alt: Any) -> Any:
    return alt.matches("(?i)[ACGTN]+", full_match=True)


def _code(hail: Any, entry: Any, allele: Any) -> Any:
    """The character of one genotype, seen from one alternate allele."""
    if "local_alleles" in entry:  # a sample that never saw the allele has no local number for it
        allele = hail.coalesce(entry.local_alleles.index(allele), -1)
    call = entry.call

    def seen_from(number: Any) -> Any:
        copies = hail.int32(call[0] == number) + hail.int32(call[1] == number)
        one = hail.if_else(call[0] == number, "a", "r")
        return hail.if_else(call.ploidy == 2, hail.str(copies), hail.if_else(call.ploidy == 1, one, "."))

    return hail.if_else(hail.is_defined(call), hail.rbind(allele, seen_from), ".")


def check_table(path: str, what: str) -> None:
    """InputError unless a finished Hail matrix table lies at `path`."""
    if not storage.exists(path):
        raise InputError(f"expected a Hail {what}, found nothing at that path. Check the path.")
    for name in ("variant_data", "reference_data"):
        if storage.exists(storage.join(path, name)):
            raise InputError(f"expected a Hail {what}, found a variant dataset (it holds {name}). Name it with .vds.")
    check_parts(path, what)


def check_parts(path: str, what: str) -> None:
    if not storage.exists(storage.join(path, "metadata.json.gz")) or not storage.exists(storage.join(path, "entries")):
        raise InputError(f"expected a Hail {what}, found no metadata and entries of one. Check the path.")
    if not storage.exists(storage.join(path, "_SUCCESS")):
        raise InputError(f"expected a finished Hail {what}, found no _SUCCESS: its writer was stopped. Write it again.")


def check_matrix(hail: Any, matrix: Any, what: str = "matrix table") -> None:
    """InputError unless rows are keyed by locus and alleles, and columns by one text field."""
    row, column = dict(matrix.row_key.dtype), dict(matrix.col_key.dtype)
    if list(row)[:2] != ["locus", "alleles"] or not isinstance(row["locus"], hail.tlocus):
        keys = ", ".join(row) or "none"
        raise InputError(f"expected a {what} with rows keyed by locus and alleles, found {keys}. Use key_rows_by.")
    if list(column.values()) != [hail.tstr]:
        keys = ", ".join(column) or "none"
        raise InputError(f"expected a {what} with columns keyed by one text field, found {keys}. Use key_cols_by.")


def contigs_of(reference: Any) -> tuple[list[Contig], str]:
    """Contigs of a Hail reference genome in its order, and the build that their lengths tell."""
    contigs = [Contig(name, reference.lengths[name]) for name in reference.contigs]
    return contigs, genome.build_of(contigs)


def fingerprint(path: str) -> str:
    """sha256 over the tables of contents of a Hail matrix table; they name each part file by a unique id."""
    digest = hashlib.sha256()
    for name in ("metadata.json.gz", "rows/rows/metadata.json.gz", "entries/rows/metadata.json.gz"):
        digest.update(storage.read(storage.join(path, name)))
    return digest.hexdigest()


@contextmanager
def hail_errors(what: str) -> Iterator[None]:
    """Failures of Hail as InputError; Hail's own words, which may quote data, stay in the cause."""
    from hail.utils import FatalError, HailUserError

    try:
        yield
    except (FatalError, HailUserError) as error:
        raise InputError(
            f"Hail could not read the {what}: damaged, incomplete, or made by a newer Hail. Make it again."
        ) from error


def _uri(folder: str) -> str:
    return Path(folder).as_uri() if "://" not in folder else folder
