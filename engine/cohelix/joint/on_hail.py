"""gVCFs to a Hail variant dataset (VDS), and a VDS to a callset.

Hail's combiner is run with its known defects stepped round (`joint.combine` says which). A VDS keeps variant calls and
reference blocks apart; the import puts them together with Hail's own `to_dense_mt`, so that a hom-ref call is one that
a block covers, and everything else is a no-call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cohelix import storage
from cohelix.errors import ConfigError, ContractError, InputError, ReferenceMismatch
from cohelix.genotypes import on_hail as matrices
from cohelix.genotypes.callset import Callset
from cohelix.joint import combine as inputs_of
from cohelix.joint import manifest
from cohelix.runtime import on_hail

GQ0 = ("nocall", "homref")
PARTS = ("reference_data", "variant_data")


@dataclass(frozen=True)
class Combined:
    """What a run of the combiner made."""

    n_samples: int
    n_partitions: int
    build: str


def combine(manifest_path: str, out: str, *, partition_bytes: int = inputs_of.PARTITION_BYTES) -> Combined:
    """Combine the gVCFs of a manifest (sample_id, path) into a VDS at `out`.

    A run that was stopped goes on at its last finished step when it is started again with the same manifest: its plan
    and intermediate data lie at `<out>.combining-<digest>`, which goes when the VDS is complete. Hail's steps are
    large: nothing is saved before the first batch of gVCFs (up to 5,000) is merged.
    Raises InputError for damaged inputs or where `out` is taken, ReferenceMismatch where builds differ.
    """
    rows = manifest.read(manifest_path)
    found = inputs_of.examine(rows, partition_bytes=partition_bytes)
    work = f"{out.rstrip('/')}.combining-{found.digest[:16]}"
    _make_room(out, work)
    hail = on_hail.session()
    known = set(hail.get_reference(found.build).contigs)
    strange = [contig for contig, _, _ in found.pieces if contig not in known]
    if strange:
        raise ReferenceMismatch(
            f"records lie on {strange[0]}, which is no contig of {found.build} as Hail names them. "
            "Rename contigs with bcftools annotate --rename-chrs."
        )
    header = storage.join(work, "header.vcf")
    storage.write(header, found.header.encode())
    _run(hail, found, out, work)
    if not _finished(out):
        # The plan of an earlier run said that all was done, and its output is gone: start afresh, or nothing is made.
        storage.remove(storage.join(work, "plan.json"))
        _run(hail, found, out, work)
    if not _finished(out):
        raise ContractError("the combiner ended without an error and without a finished VDS.")
    storage.remove_tree(work)
    return Combined(len(rows), len(found.pieces), found.build)


def _run(hail: Any, found: inputs_of.Inputs, out: str, work: str) -> None:
    def locus(contig: str, position: int) -> Any:
        return hail.Locus(contig, position, found.build)

    intervals = [
        hail.Interval(locus(contig, start + 1), locus(contig, end), includes_end=True)
        for contig, start, end in found.pieces
    ]
    with matrices.hail_errors("gVCFs"):
        combiner = hail.vds.new_combiner(
            output_path=out,
            temp_path=storage.join(work, "temporary"),
            save_path=storage.join(work, "plan.json"),
            gvcf_paths=found.paths,
            gvcf_sample_names=found.sample_ids,
            gvcf_external_header=storage.join(work, "header.vcf"),
            gvcf_reference_entry_fields_to_keep=list(found.reference_fields),
            intervals=intervals,
            reference_genome=found.build,
        )
        combiner.run()


def _finished(path: str) -> bool:
    return all(storage.exists(storage.join(path, part, "_SUCCESS")) for part in PARTS)


def _make_room(out: str, work: str) -> None:
    if not storage.exists(out):
        return
    if _finished(out) or not storage.exists(work):
        raise InputError("expected nothing at the output path, found something. Remove it, or choose another path.")
    storage.remove_tree(out)  # what a run that was stopped had written of this same work


def import_vds(
    source: str, out: str, *, gq0: str = "nocall", overwrite: bool = False, shared: str | None = None
) -> Callset:
    """The VDS at `source` as a callset at `out`.

    The genotype of a sample at a variant row is its variant call where it has one, else hom-ref where one of its
    reference blocks covers the first base (with the ploidy the block records, two where it records none), else a
    no-call. `gq0`: any call of GQ 0 is a no-call ("nocall", as in All of Us) or stands ("homref", as in Hail).
    """
    vds = read_vds(source, gq0=gq0)
    params = {
        "source": "hail vds",
        "source_sha256": [matrices.fingerprint(storage.join(source, part)) for part in PARTS],
        "gq0": gq0,
        "reference_ploidy": "recorded" if _call_field(vds.reference_data) else "two, for the VDS records none",
    }
    return matrices.write_dense(dense(vds, gq0=gq0), out, params, overwrite=overwrite, shared=shared)


def read_vds(path: str, *, gq0: str = "homref") -> Any:
    """The VDS at `path`, checked as far as metadata go. Raises InputError, ReferenceMismatch, ConfigError."""
    if gq0 not in GQ0:
        raise ConfigError(f"expected gq0 to be 'nocall' or 'homref', found {gq0!r}.")
    if not storage.exists(path):
        raise InputError("expected a Hail VDS, found nothing at that path. Check the path.")
    for part in PARTS:
        if not storage.exists(storage.join(path, part)):
            raise InputError(f"expected a Hail VDS, found no {part} in it. Check the path.")
        matrices.check_parts(storage.join(path, part), f"VDS ({part})")
    hail = on_hail.session()
    with matrices.hail_errors("VDS"):
        vds = hail.vds.read_vds(path, _warn_no_ref_block_max_length=False)
        both = (vds.reference_data, vds.variant_data)
        columns = [[tuple(key.values()) for key in part.col_key.collect()] for part in both]
    _check(hail, vds, columns, gq0)
    return vds


def _check(hail: Any, vds: Any, columns: list[list[Any]], gq0: str) -> None:
    reference, variants = vds.reference_data, vds.variant_data
    matrices.check_matrix(hail, variants, "VDS (variant_data)")
    if "locus" not in reference.row_key or not isinstance(reference.locus.dtype, hail.tlocus):
        raise InputError("expected reference_data with rows keyed by locus, found another key. Is this a VDS?")
    builds = [part.locus.dtype.reference_genome.name for part in (reference, variants)]
    if builds[0] != builds[1]:
        raise ReferenceMismatch(
            f"expected one build in a VDS, found {builds[0]} (reference_data) and {builds[1]} (variant_data). Redo it."
        )
    if not columns[0] or not columns[1]:
        raise InputError("expected a VDS with samples, found none. Check how it was filtered.")
    if columns[0] != columns[1]:
        raise InputError("reference_data and variant_data of the VDS have different samples. Filter both alike.")
    if _call_field(variants) is None or (_call_field(variants) == "LGT" and "LA" not in variants.entry):
        raise InputError("expected entry fields LGT and LA (or GT) in variant_data, found neither. Is this a VDS?")
    if "LEN" not in reference.entry:
        raise InputError("expected an entry field LEN or END in reference_data, found neither. Is this a VDS?")
    if gq0 == "nocall" and "GQ" not in reference.entry:
        raise ConfigError("reference_data of the VDS has no GQ, so GQ 0 cannot be told. Choose gq0 = homref.")


def _call_field(part: Any) -> str | None:
    return next((name for name in ("LGT", "GT") if name in part.entry and str(part.entry[name].dtype) == "call"), None)


def dense(vds: Any, *, gq0: str) -> Any:
    """A dense matrix of entries `call` and, where the VDS numbers alleles per sample, `local_alleles`."""
    hail = on_hail.session()
    reference, variants = vds.reference_data, vds.variant_data
    block_field, call_field = _call_field(reference), _call_field(variants)
    block = reference[block_field] if block_field else hail.call(0, 0)
    call = variants[call_field]
    if gq0 == "nocall":
        block = hail.or_missing(hail.coalesce(reference.GQ, 1) > 0, block)
        if "GQ" in variants.entry:
            call = hail.or_missing(hail.coalesce(variants.GQ, 1) > 0, call)
    fields = {"LGT": call} | ({"LA": variants.LA} if call_field == "LGT" else {})
    matrix = hail.vds.to_dense_mt(
        hail.vds.VariantDataset(
            reference.select_entries(LGT=block, LEN=reference.LEN).select_rows(),
            variants.select_entries(**fields).select_rows(),
        )
    )
    renamed = {"call": matrix.LGT} | ({"local_alleles": matrix.LA} if call_field == "LGT" else {})
    return matrix.select_entries(**renamed)


def dense_split(source: str, out: str) -> None:
    """What Hail alone makes of the VDS at `source`: split, then dense; a matrix table with GT, GQ and DP at `out`."""
    hail = on_hail.session()
    split = hail.vds.to_dense_mt(hail.vds.split_multi(read_vds(source)))
    fields = {name: split[name] for name in ("GT", "GQ", "DP") if name in split.entry}
    split.select_entries(**fields).select_rows().select_cols().write(out)
