"""A callset as one PLINK fileset: PGEN (all shards merged) or BED (A1 the alternate allele).

Files are made in a folder beside their destination and renamed when all of them are complete.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from cohelix import storage
from cohelix.errors import ConfigError
from cohelix.genotypes import callset as store
from cohelix.genotypes import kernels
from cohelix.genotypes.callset import Callset
from cohelix.genotypes.plink import BED_MAGIC
from cohelix.genotypes.selection import Selection
from cohelix.tier import check_write

_FAM_SEX = {"male": "1", "female": "2", "unknown": "0"}


def export_pgen(callset: Callset, prefix: str, selection: Selection, *, overwrite: bool = False) -> list[str]:
    """Write `<prefix>.pgen/.pvar/.psam`. Returns their paths; ConfigError where one exists."""
    with finished(prefix, (".pgen", ".pvar", ".psam"), overwrite=overwrite) as paths:
        parts = list(selection.parts())
        rows = sum(part.sites.num_rows for part in parts)
        with paths[".pvar"].open("wb") as handle:
            for index, part in enumerate(parts):
                text = store.pvar_bytes(part.sites, callset.build)
                handle.write(text if index == 0 else text[text.index(b"\n") + 1 :])
        paths[".psam"].write_bytes(store.psam_bytes(selection.sample_ids, selection.sexes))
        blocks = (block for part in parts for _, block in part.blocks())
        store.write_pgen(paths[".pgen"], blocks, n_samples=len(selection.sample_ids), n_variants=rows)
    return [prefix + suffix for suffix in (".pgen", ".pvar", ".psam")]


def export_bed(callset: Callset, prefix: str, selection: Selection, *, overwrite: bool = False) -> list[str]:
    """Write `<prefix>.bed/.bim/.fam`, variant-major, A1 = ALT. Returns their paths."""
    n_samples = len(selection.sample_ids)
    with finished(prefix, (".bed", ".bim", ".fam"), overwrite=overwrite) as paths:
        with paths[".bed"].open("wb") as bed, paths[".bim"].open("wb") as bim:
            bed.write(BED_MAGIC)
            for part in selection.parts():
                bim.write(_bim_bytes(part.sites, callset.build))
                for _, block in part.blocks():
                    packed = np.zeros((len(block), (n_samples + 3) // 4), np.uint8)
                    kernels.pack_bed(block, packed)
                    bed.write(packed.tobytes())
        fam = zip(selection.sample_ids, selection.sexes, strict=True)
        paths[".fam"].write_text("".join(f"0\t{sample}\t0\t0\t{_FAM_SEX[sex]}\t-9\n" for sample, sex in fam))
    return [prefix + suffix for suffix in (".bed", ".bim", ".fam")]


@contextmanager
def finished(prefix: str, suffixes: Sequence[str], *, overwrite: bool) -> Iterator[dict[str, Path]]:
    """Paths to write to, by suffix; moved to `<prefix><suffix>` when the block ends without an error."""
    for suffix in suffixes:
        if storage.exists(prefix + suffix) and not overwrite:
            raise ConfigError(f"{prefix + suffix} exists. Choose another name, or pass --force to replace it.")
    beside: Path | None = None
    if storage.is_local(prefix):
        check_write(prefix)
        beside = storage.local_path(prefix).parent
        beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".cohelix-", dir=beside) as folder:
        paths = {suffix: Path(folder) / f"out{suffix}" for suffix in suffixes}
        yield paths
        for suffix, path in paths.items():
            storage.move_in(path, prefix + suffix)


def _bim_bytes(sites: object, build: str) -> bytes:
    lines = store.pvar_bytes(sites, build).splitlines()[1:]
    fields = (line.split(b"\t")[:5] for line in lines)
    return b"".join(b"\t".join((chrom, name, b"0", pos, alt, ref)) + b"\n" for chrom, pos, name, ref, alt in fields)
