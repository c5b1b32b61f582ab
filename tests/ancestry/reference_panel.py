"""A made panel of four populations: genotypes, a callset of them, and components that NumPy fits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from cohelix.ancestry.pca.tables import Model, write_model
from cohelix.genotypes import plink

N_SITES = 1500
FST = (0.05, 0.1, 0.1, 0.15)


@dataclass(frozen=True)
class People:
    """genotypes int8 (sites, n), ALT copies; groups int64 (n,), -1 for mixtures of the first two."""

    genotypes: np.ndarray
    groups: np.ndarray


def frequencies(seed: int = 1) -> np.ndarray:
    """float64 (sites, groups): Balding and Nichols' drift from one ancestor."""
    rng = np.random.default_rng(seed)
    ancestor = rng.uniform(0.1, 0.9, N_SITES)
    drifted = [rng.beta(ancestor * (1 - f) / f, (1 - ancestor) * (1 - f) / f) for f in FST]
    return np.clip(np.column_stack(drifted), 0.01, 0.99)


def draw(frequency: np.ndarray, sizes: list[int], mixed: int, seed: int) -> People:
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    share = rng.uniform(0.1, 0.9, mixed)
    af = np.column_stack([frequency[:, groups], frequency[:, :1] * share + frequency[:, 1:2] * (1 - share)])
    return People(rng.binomial(2, af).astype(np.int8), np.concatenate([groups, np.full(mixed, -1)]))


def names(n: int, prefix: str = "p") -> list[str]:
    return [f"{prefix}{row:05d}" for row in range(n)]


def write_bed(
    prefix: Path, genotypes: np.ndarray, sample_ids: list[str], swapped: np.ndarray, position: int = 1000
) -> None:
    """BED with A1 = ALT. Genotypes int8 (sites, n), -9 missing; where `swapped`, REF and ALT change places."""
    codes = np.array([3, 2, 0, 1], np.uint8)
    values = np.where(genotypes < 0, 3, np.where(swapped[:, None], 2 - genotypes, genotypes))
    padded = np.zeros((len(values), -(-values.shape[1] // 4) * 4), np.uint8)
    padded[:, : values.shape[1]] = codes[values]
    quads = padded.reshape(len(values), -1, 4)
    packed = quads[:, :, 0] | quads[:, :, 1] << 2 | quads[:, :, 2] << 4 | quads[:, :, 3] << 6
    prefix.with_suffix(".bed").write_bytes(b"\x6c\x1b\x01" + packed.astype(np.uint8).tobytes())
    lines = []
    for row in range(len(values)):
        a1, a2 = ("A", "G") if swapped[row] else ("G", "A")
        chromosome, place = 1 + row // 500, position + 1000 * (row % 500)
        lines.append(f"{chromosome}\ts{row}\t0\t{place}\t{a1}\t{a2}")
    prefix.with_suffix(".bim").write_text("\n".join(lines) + "\n")
    fam = "".join(f"0\t{sample}\t0\t0\t0\t-9\n" for sample in sample_ids)
    prefix.with_suffix(".fam").write_text(fam)


def as_callset(
    folder: Path,
    genotypes: np.ndarray,
    sample_ids: list[str],
    *,
    swapped: np.ndarray | None = None,
    build: str = "GRCh38",
    rows: np.ndarray | None = None,
) -> str:
    """A callset of the rows (all, unless told) of the panel's sites."""
    folder.mkdir()
    swapped = np.zeros(len(genotypes), bool) if swapped is None else swapped
    write_bed(folder / "in", genotypes, sample_ids, swapped)
    if rows is not None:
        bim = (folder / "in.bim").read_text().splitlines()
        write_bed(folder / "in", genotypes[rows], sample_ids, swapped[rows])
        (folder / "in.bim").write_text("\n".join(bim[row] for row in rows.tolist()) + "\n")
    plink.import_bed(str(folder / "in"), str(folder / "callset"), build=build)
    return str(folder / "callset")


def fit(people: People, k: int, k_extra: int, *, spectrum: bool = True, build: str = "GRCh38") -> Model:
    """Components by NumPy's eigenvectors of the Gram matrix; every site must vary."""
    genotypes = people.genotypes.astype(float)
    af = genotypes.mean(axis=1) / 2
    matrix = ((genotypes - 2 * af[:, None]) / np.sqrt(2 * af * (1 - af))[:, None]).T / np.sqrt(len(af))
    values, vectors = np.linalg.eigh(matrix @ matrix.T)
    total = k + k_extra
    values, left = values[::-1], vectors[:, ::-1][:, :total]
    lengths = np.sqrt(np.maximum(values, 0))
    rows = np.arange(len(af))
    n = len(people.groups)
    sites = pa.table({
        "contig": pa.array([str(1 + row // 500) for row in rows.tolist()]),
        "position": pa.array(1000 + 1000 * (rows % 500), pa.int32()),
        "ref": pa.array(["A"] * len(af)),
        "alt": pa.array(["G"] * len(af)),
        "n_called": pa.array(np.full(len(af), n)),
    })  # fmt: skip
    meta = {
        "kind": "pca", "k": k, "k_extra": k_extra, "n_sites": len(af), "n_samples": n, "build": build,
        "total_variance": float((lengths**2).sum()), "provenance": {"digest": "0" * 64},
    }  # fmt: skip
    return Model(
        sites, af, matrix.T @ left / lengths[:total], lengths[:total] ** 2, left[:, :k] * lengths[:k], names(n, "ref"),
        lengths[: n - 1] ** 2 if spectrum else None, None, meta,
    )  # fmt: skip


def write(folder: Path, model: Model) -> str:
    folder.mkdir()
    write_model(folder, model, np.zeros(len(model.eigenvalues)))
    return str(folder)
