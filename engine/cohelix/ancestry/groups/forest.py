"""A random forest as arrays: trained by scikit-learn, kept as Parquet, applied by a kernel.

The file is safe to read: numbers only, each checked, where a pickled forest runs whatever somebody put into it.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cohelix.ancestry.groups import kernels
from cohelix.errors import InputError

COLUMNS = ("tree", "node", "feature", "threshold", "left", "right", "probabilities")
_ROWS = 1 << 16


@dataclass(frozen=True)
class Forest:
    """Trees one behind the other. Groups are sorted, as scikit-learn's classes_.

    first: int64 (trees + 1,), the node that a tree begins with. feature: int32 (nodes,), the component that a node
    compares, -1 in leaves. threshold: float64 (nodes,), at most it goes left. child: int32 (nodes, 2), left and right,
    counted through all trees, 0 in leaves. probabilities: float64 (nodes, groups), 0 where the node is no leaf.
    """

    groups: tuple[str, ...]
    n_features: int
    first: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    child: np.ndarray
    probabilities: np.ndarray

    @property
    def n_trees(self) -> int:
        return len(self.first) - 1

    def predict(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities float64 (samples, groups) of float64 scores (samples, features); NaN where one is not finite.

        scikit-learn compares float32 with the thresholds: so does this, and gives the same bits.
        """
        features = np.ascontiguousarray(scores[:, : self.n_features], np.float64)
        out = np.full((len(scores), len(self.groups)), np.nan)
        rows = np.flatnonzero(np.isfinite(features).all(axis=1))
        leaf = self.feature < 0
        itself = np.column_stack([np.arange(len(leaf))] * 2)
        child = np.where(leaf[:, None], itself, self.child).astype(np.int32).ravel()
        feature, levels, below = np.where(leaf, 0, self.feature).astype(np.int32), self._levels(), self._thresholds()
        for start in range(0, len(rows), _ROWS):
            chosen = rows[start : start + _ROWS]
            block, votes = features[chosen].astype(np.float32), np.empty((len(chosen), len(self.groups)))
            kernels.vote(block, self.first, levels, feature, below, child, self.probabilities, votes)
            out[chosen] = votes
        return out

    def _thresholds(self) -> np.ndarray:
        """The largest float32 not above each threshold: a float32 is at most the one if it is at most the other."""
        rounded = self.threshold.astype(np.float32)
        return np.where(rounded > self.threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded)

    def _levels(self) -> np.ndarray:
        """Steps from the root of each tree to its deepest leaf, int64 (trees,)."""
        levels = np.zeros(self.n_trees, np.int64)
        tree, node, level = np.arange(self.n_trees), self.first[:-1], 0
        while len(node):
            levels[tree] = level
            inner = self.feature[node] >= 0
            tree, node, level = np.repeat(tree[inner], 2), self.child[node[inner]].ravel(), level + 1
        return levels


@dataclass(frozen=True)
class Fitted:
    """A forest, and of each training sample the group that the trees chose that had not seen it; -1: every tree had."""

    forest: Forest
    out_of_bag: np.ndarray


def fit_forest(scores: np.ndarray, codes: np.ndarray, groups: Sequence[str], n_trees: int, seed: int) -> Fitted:
    """Train on float64 scores (samples, features) and the group of each, a row of `groups`, which are sorted.

    The trees are those of RandomForestClassifier(n_estimators, random_state) on the same rows in the same order.
    """
    from sklearn.ensemble import RandomForestClassifier  # a second to import: when needed

    model = RandomForestClassifier(n_estimators=n_trees, random_state=seed, oob_score=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # few trees leave samples without an out-of-bag vote: -1 below
        model.fit(scores, np.asarray(groups, object)[codes].astype(str))
    votes = np.asarray(model.oob_decision_function_)
    unseen = np.where(votes.sum(axis=1) > 0, votes.argmax(axis=1), -1)
    trees = [one.tree_ for one in model.estimators_]
    first = np.concatenate([[0], np.cumsum([tree.node_count for tree in trees])]).astype(np.int64)
    is_leaf = np.concatenate([tree.children_left < 0 for tree in trees])
    child = np.concatenate([
        np.column_stack([tree.children_left, tree.children_right]) + at for tree, at in zip(trees, first, strict=False)
    ])  # fmt: skip
    shares = np.concatenate([tree.value[:, 0, :] for tree in trees])
    forest = Forest(
        tuple(str(name) for name in model.classes_),
        scores.shape[1],
        first,
        np.where(is_leaf, -1, np.concatenate([tree.feature for tree in trees])).astype(np.int32),
        np.where(is_leaf, 0.0, np.concatenate([tree.threshold for tree in trees])),
        np.where(is_leaf[:, None], 0, child).astype(np.int32),
        np.ascontiguousarray(np.where(is_leaf[:, None], shares, 0.0)),
    )
    return Fitted(forest, unseen.astype(np.int64))


def table_of(forest: Forest) -> pa.Table:
    """A row a node: tree, node (of the tree, the root 0), feature (0: PC1), threshold, left, right, probabilities.

    Leaves have probabilities, in the order of the groups; the other nodes have the rest.
    """
    sizes = np.diff(forest.first)
    start = np.repeat(forest.first[:-1], sizes)
    leaf = forest.feature < 0
    shares = pa.array(np.where(leaf, 1, 0).cumsum())  # leaves so far: where a leaf's list ends
    offsets = pa.array(np.concatenate([[0], shares.to_numpy() * len(forest.groups)]).astype(np.int32))
    lists = pa.ListArray.from_arrays(offsets, pa.array(forest.probabilities[leaf].ravel()), mask=pa.array(~leaf))
    return pa.table({
        "tree": pa.array(np.repeat(np.arange(forest.n_trees), sizes).astype(np.int32)),
        "node": pa.array((np.arange(len(leaf)) - start).astype(np.int32)),
        "feature": pa.array(forest.feature, mask=leaf),
        "threshold": pa.array(forest.threshold, mask=leaf),
        "left": pa.array((forest.child[:, 0] - start).astype(np.int32), mask=leaf),
        "right": pa.array((forest.child[:, 1] - start).astype(np.int32), mask=leaf),
        "probabilities": lists,
    })  # fmt: skip


def read_forest(data: bytes, groups: Sequence[str], n_features: int) -> Forest:
    """The forest in the bytes of forest.parquet. InputError unless every number in it can be followed."""
    try:
        table = pq.ParquetFile(pa.BufferReader(data)).read(columns=list(COLUMNS))
        tree, node = (np.asarray(table.column(name).to_numpy(), np.int64) for name in ("tree", "node"))
        kept = {name: table.column(name).combine_chunks() for name in COLUMNS[2:]}
        leaf = np.asarray(kept["feature"].is_null().to_numpy(zero_copy_only=False))
        feature, left, right = (
            np.asarray(kept[name].fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
            for name in ("feature", "left", "right")
        )
        threshold = np.asarray(kept["threshold"].fill_null(0.0).to_numpy(zero_copy_only=False), np.float64)
        lists = np.asarray(kept["probabilities"].is_null().to_numpy(zero_copy_only=False))
        shares = np.array(kept["probabilities"].filter(pa.array(leaf)).to_pylist(), np.float64)
    except (pa.ArrowException, KeyError, TypeError, ValueError, OSError):
        raise _damaged("it lacks columns, or holds something that is not a number") from None
    starts = np.flatnonzero(node == 0)
    if not len(tree) or len(starts) == 0 or starts[0] != 0:
        raise _damaged("it has no tree")
    first = np.concatenate([starts, [len(node)]]).astype(np.int64)
    sizes = np.diff(first)
    start = np.repeat(starts, sizes)
    if (tree != np.repeat(np.arange(len(sizes)), sizes)).any() or (node != np.arange(len(node)) - start).any():
        raise _damaged("its trees or nodes are not in order")
    if shares.shape != (int(leaf.sum()), len(groups)) or (lists != ~leaf).any():
        raise _damaged(f"its leaves do not hold a probability of each of {len(groups)} groups")
    if not ((shares >= 0) & (shares <= 1)).all() or (np.abs(shares.sum(axis=1) - 1) > 1e-9).any():
        raise _damaged("probabilities of a leaf do not add up to 1")
    _check_children(leaf, feature, threshold, np.column_stack([left, right]), node, np.repeat(sizes, sizes), n_features)
    probabilities = np.zeros((len(node), len(groups)))
    probabilities[leaf] = shares
    child = np.where(leaf[:, None], 0, np.column_stack([left, right]) + start[:, None]).astype(np.int32)
    feature32 = np.where(leaf, -1, feature).astype(np.int32)
    return Forest(tuple(groups), n_features, first, feature32, threshold, child, probabilities)


def _check_children(
    leaf: np.ndarray, feature: np.ndarray, threshold: np.ndarray, child: np.ndarray, node: np.ndarray,
    size: np.ndarray, n_features: int,
) -> None:  # fmt: skip
    """Every way from a root ends in a leaf of its tree: children come behind their parent, and each node has one."""
    inner = ~leaf
    if (child[leaf] != -1).any() or ((feature[inner] < 0) | (feature[inner] >= n_features)).any():
        raise _damaged(f"a node compares something else than components 1 to {n_features}")
    if not np.isfinite(threshold).all():
        raise _damaged("a threshold is not a number")
    below = child[inner]
    if (below <= node[inner, None]).any() or (below >= size[inner, None]).any():
        raise _damaged("a node leads out of its tree, or back")
    offset = np.flatnonzero(inner) - node[inner]
    parents = np.bincount((below + offset[:, None]).ravel(), minlength=len(node))
    if (parents != (node > 0)).any():
        raise _damaged("a node has no parent, or several")


def _damaged(why: str) -> InputError:
    return InputError(
        f"forest.parquet is damaged: {why}. Copy the folder whole, or run `cohelix ancestry assign` again."
    )
