"""A filter learnt from known variants alone, as GATK's VETS: how far is a site from what real sites look like?

An isolation forest (scikit-learn, random_state 0) is grown on the annotations of the training sites that the callset
has, for SNPs and for all else apart; missing values become the median of the training sites. The scores of the
calibration sites turn a score into a sensitivity: the share of them that a cut-off at this score would keep.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from cohelix import genome
from cohelix.arrays import distinct
from cohelix.errors import InputError
from cohelix.genotypes import alleles
from cohelix.genotypes.inputs import column_of, read_table, texts
from cohelix.qc.variants import kernels

ANNOTATIONS = ("fs", "read_pos_rank_sum", "mq_rank_sum", "qd", "sor", "mq")
"""What VETS looks at: AS_FS, AS_ReadPosRankSum, AS_MQRankSum, AS_QD, AS_SOR, AS_MQ."""

CLASSES = ("snp", "indel")
"""SNPs, and all other kinds."""

_COLUMNS = {
    "contig": ("contig", "#CHROM", "CHROM", "chrom", "chromosome"),
    "position": ("position", "POS", "pos"),
    "ref": ("ref", "REF"),
    "alt": ("alt", "ALT"),
}


def classes_of(kinds: Iterable[str]) -> np.ndarray:
    """int64 (rows,): the place in `CLASSES` of each kind."""
    return np.array([kind != "snp" for kind in kinds], np.int64)


def key_of(contig: str, position: int, ref: str, alt: str) -> int:
    """64 bits that stand for an allele; the same for `chr7` and `7`."""
    text = f"{genome.plain_name(contig)}:{position}:{ref}:{alt}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def keys_of(sites: pa.Table) -> np.ndarray:
    """uint64 (rows,): `key_of` each row of a sites table."""
    columns = (sites.column(name).to_pylist() for name in ("contig", "position", "ref", "alt"))
    return np.array([key_of(*row) for row in zip(*columns, strict=True)], np.uint64)


def read_known(path: str, what: str) -> np.ndarray:
    """uint64, sorted: keys of the alleles of a VCF, or of a table of contig, position, ref, alt (several by commas)."""
    table = read_table(path, what)
    columns = [texts(table, column_of(table, names, what)) for names in _COLUMNS.values()]
    keys = []
    for row, (contig, position, ref, alts) in enumerate(zip(*columns, strict=True)):
        if not position.isdigit():
            raise InputError(f"expected a position on row {row + 2} of the {what}, found something else. Correct it.")
        for alt in alts.upper().split(","):
            if alt not in ("", ".", "*"):
                keys.append(key_of(contig, *alleles.trim(int(position), ref.upper(), alt)))
    return distinct(np.array(keys, np.uint64))


@dataclass(frozen=True)
class Sample:
    """Rows of known sites: keys uint64, class, whether of training and of calibration, values (rows, annotations)."""

    keys: np.ndarray
    classes: np.ndarray
    training: np.ndarray
    calibration: np.ndarray
    values: np.ndarray

    def take(self, rows: np.ndarray) -> Sample:
        return Sample(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def known_rows(
    keys: np.ndarray, classes: np.ndarray, values: np.ndarray, training: np.ndarray, calibration: np.ndarray, cap: int
) -> Sample:
    """The rows whose keys are known, those with the smallest keys where there are more than `cap` of a class.

    A key is a hash, so that this is a random sample, and the same one however the genome is cut into shards.
    """
    sample = Sample(keys, classes, np.isin(keys, training), np.isin(keys, calibration), values)
    return _capped(sample.take(np.flatnonzero(sample.training | sample.calibration)), cap)


def joined(samples: Iterable[Sample], cap: int) -> Sample:
    """Samples of shards as one, in the order of their keys."""
    listed = list(samples)
    parts = [np.concatenate([getattr(one, name) for one in listed]) for name in Sample.__dataclass_fields__]
    return _capped(Sample(*parts), cap)


def _capped(sample: Sample, cap: int) -> Sample:
    chosen = []
    for kind in range(len(CLASSES)):
        for role in (sample.training, sample.calibration):
            rows = np.flatnonzero((sample.classes == kind) & role)
            chosen.append(rows[np.argsort(sample.keys[rows], kind="stable")[:cap]])
    rows = distinct(np.concatenate(chosen))
    return sample.take(rows[np.argsort(sample.keys[rows], kind="stable")])


@dataclass(frozen=True)
class Forest:
    """A grown forest as arrays: nodes of all trees behind one another, as `kernels.depths_of` reads them.

    calibration: scores of the calibration sites, sorted. dropped: annotations that no training site has.
    """

    annotations: tuple[str, ...]
    medians: np.ndarray
    roots: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    depth: np.ndarray
    normaliser: float
    calibration: np.ndarray
    n_training: int
    dropped: tuple[str, ...]

    def scores(self, values: np.ndarray) -> np.ndarray:
        """float64 (rows,): scikit-learn's score_samples of values (rows, `ANNOTATIONS`): -1 odd to 0 ordinary."""
        places = [ANNOTATIONS.index(name) for name in self.annotations]
        held = values[:, places]
        held = np.where(np.isnan(held), self.medians, held).astype(np.float32)
        depths = np.zeros(len(held))
        kernels.depths_of(
            held, self.roots, self.feature, self.threshold, self.left, self.right, self.depth, depths
        )  # fmt: skip
        return -(2.0 ** (-depths / self.normaliser))

    def sensitivity(self, scores: np.ndarray) -> np.ndarray:
        """float64 (rows,): share of calibration sites that score at least as well."""
        below = np.searchsorted(self.calibration, scores, side="left")
        return 1.0 - below / len(self.calibration)

    def nodes(self) -> pa.Table:
        """Every node: tree, feature (-1 at a leaf), threshold, children as rows of this table, depth of a leaf."""
        trees = np.searchsorted(self.roots, np.arange(len(self.feature)), side="right") - 1
        names = ("feature", "threshold", "left", "right", "depth")
        return pa.table({"tree": trees} | {name: getattr(self, name) for name in names})

    def describe(self) -> dict[str, Any]:
        return {
            "annotations": list(self.annotations),
            "dropped": list(self.dropped),
            "medians": self.medians.tolist(),
            "trees": len(self.roots),
            "normaliser": self.normaliser,
            "n_training": self.n_training,
            "n_calibration": len(self.calibration),
        }


def grow(sample: Sample, kind: int, *, trees: int, min_training: int) -> Forest:
    """The forest of one class from the sample's training rows. InputError where they, or calibration's, are too few."""
    from sklearn.ensemble import IsolationForest  # seconds to import

    training = sample.values[(sample.classes == kind) & sample.training]
    calibration = sample.values[(sample.classes == kind) & sample.calibration]
    for role, rows in (("training", training), ("calibration", calibration)):
        if len(rows) < min_training:
            raise InputError(
                f"expected at least {min_training} {role} sites of class {CLASSES[kind]} among the sites of the "
                f"callset, found {len(rows)}. Give more known sites, of this build, or lower qc.variants.min_training."
            )
    kept = ~np.isnan(training).all(axis=0)
    if not kept.any():
        raise InputError(
            f"none of the annotations {', '.join(ANNOTATIONS)} is known at a training site of class {CLASSES[kind]}. "
            "A callset has them where its gVCFs or its VCF state them; leave out --training otherwise."
        )
    medians = np.nanmedian(training[:, kept], axis=0)
    held = np.where(np.isnan(training[:, kept]), medians, training[:, kept])
    grown = IsolationForest(n_estimators=trees, random_state=0).fit(held)
    forest = _as_arrays(grown, tuple(np.array(ANNOTATIONS)[kept].tolist()), medians, len(training))
    return Forest(**(vars(forest) | {"calibration": np.sort(forest.scores(calibration))}))


def _as_arrays(grown: Any, annotations: tuple[str, ...], medians: np.ndarray, n_training: int) -> Forest:
    roots, parts, offset = [], [], 0
    for estimator in grown.estimators_:
        tree = estimator.tree_
        leaf = tree.children_left < 0
        roots.append(offset)
        depth = np.zeros(tree.node_count)
        for node in np.flatnonzero(~leaf).tolist():  # a parent comes before its children
            depth[[tree.children_left[node], tree.children_right[node]]] = depth[node] + 1
        depth = np.where(leaf, depth + _average_depth(tree.n_node_samples), 0.0)
        left, right = tree.children_left + offset, tree.children_right + offset
        parts.append((np.where(leaf, -1, tree.feature), tree.threshold, left, right, depth))
        offset += tree.node_count
    feature, threshold, left, right, depth = (np.concatenate(part) for part in zip(*parts, strict=True))
    normaliser = len(roots) * float(_average_depth(np.array([grown.max_samples_]))[0])
    dropped = tuple(name for name in ANNOTATIONS if name not in annotations)
    return Forest(
        annotations, medians, np.array(roots), feature, threshold, left, right, depth, normaliser,
        np.empty(0), n_training, dropped,
    )  # fmt: skip


def _average_depth(samples: np.ndarray) -> np.ndarray:
    """Mean depth of a search that fails in a tree of so many samples (Liu et al. 2008), which a leaf adds."""
    count = np.asarray(samples, np.float64)
    large = np.maximum(count, 3)
    mean = 2 * (np.log(large - 1) + np.euler_gamma) - 2 * (large - 1) / large
    return np.where(count <= 1, 0.0, np.where(count == 2, 1.0, mean))
