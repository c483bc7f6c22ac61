"""Ensembles of decision trees."""

from collections.abc import Sequence
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtri
import numpy as np

from zerfoo_jax.core.errors import FormatError, nearest
from zerfoo_jax.core.types import Array
from zerfoo_jax.formats.operators.forests import AGGREGATES, LEAF, MEMBER, MODES, Forest, votes_of
from zerfoo_jax.numeric import wide_dtype

DOMAIN = "ai.onnx.ml"

Ints = Sequence[int]
Floats = Sequence[float]

TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")


def TreeEnsemble(
    x: Array,
    *,
    leaf_targetids: Ints,
    leaf_weights: np.ndarray,
    nodes_falseleafs: Ints,
    nodes_falsenodeids: Ints,
    nodes_featureids: Ints,
    nodes_modes: np.ndarray,
    nodes_splits: np.ndarray,
    nodes_trueleafs: Ints,
    nodes_truenodeids: Ints,
    tree_roots: Ints,
    aggregate_function: int = 1,
    membership_values: np.ndarray | None = None,
    n_targets: int = 1,
    nodes_hitrates: np.ndarray | None = None,
    nodes_missing_value_tracks_true: Ints = (),
    post_transform: int = 0,
) -> Array:
    """For each example the leaves that its features lead to, their weights aggregated by target: (batch, n_targets)."""
    del nodes_hitrates
    count, leaves = len(nodes_modes), len(leaf_weights)
    lists = (nodes_falseleafs, nodes_falsenodeids, nodes_featureids, nodes_splits, nodes_trueleafs, nodes_truenodeids)
    if any(len(part) != count for part in lists):
        raise FormatError(f"TreeEnsemble needs {count} of each of its nodes' attributes")
    known = 0 <= aggregate_function < len(AGGREGATES) and 0 <= post_transform < len(TRANSFORMS)
    if not known or (count and int(np.max(nodes_modes)) > MEMBER):
        raise FormatError(f"TreeEnsemble has no aggregate_function {aggregate_function} or no transform {post_transform}")
    own = np.arange(count, count + leaves)  # leaves come behind the nodes
    true = np.asarray(nodes_truenodeids, np.int64) + count * (np.asarray(nodes_trueleafs, np.int64) != 0)
    false = np.asarray(nodes_falsenodeids, np.int64) + count * (np.asarray(nodes_falseleafs, np.int64) != 0)
    forest = Forest(
        features=np.asarray([*nodes_featureids, *[0] * leaves], np.int64),
        splits=np.concatenate([nodes_splits, np.zeros(leaves, nodes_splits.dtype)]),
        modes=np.concatenate([nodes_modes.astype(np.int32), np.full(leaves, LEAF, np.int32)]),
        true=np.concatenate([true, own]),
        false=np.concatenate([false, own]),
        missing_is_true=_flags(nodes_missing_value_tracks_true, count, count + leaves),
        roots=np.asarray(tree_roots, np.int64),
        members=_members(membership_values, nodes_modes, count + leaves),
        **_votes(count + leaves, n_targets, own, leaf_targetids, leaf_weights),
    )
    return _transformed(forest.predict(x, AGGREGATES[aggregate_function]), TRANSFORMS[post_transform])


def TreeEnsembleRegressor(
    x: Array,
    *,
    aggregate_function: str = "SUM",
    base_values: Floats = (),
    base_values_as_tensor: np.ndarray | None = None,
    n_targets: int = 1,
    nodes_falsenodeids: Ints = (),
    nodes_featureids: Ints = (),
    nodes_hitrates: Floats = (),
    nodes_hitrates_as_tensor: np.ndarray | None = None,
    nodes_missing_value_tracks_true: Ints = (),
    nodes_modes: Sequence[str] = (),
    nodes_nodeids: Ints = (),
    nodes_treeids: Ints = (),
    nodes_truenodeids: Ints = (),
    nodes_values: Floats = (),
    nodes_values_as_tensor: np.ndarray | None = None,
    post_transform: str = "NONE",
    target_ids: Ints = (),
    target_nodeids: Ints = (),
    target_treeids: Ints = (),
    target_weights: Floats = (),
    target_weights_as_tensor: np.ndarray | None = None,
) -> Array:
    """As `TreeEnsemble`, with leaves among the nodes, `base_values` added, and a float32 result."""
    del nodes_hitrates, nodes_hitrates_as_tensor
    splits = _numbers(nodes_values, nodes_values_as_tensor)
    weights = _numbers(target_weights, target_weights_as_tensor)
    nodes = _Nodes(nodes_treeids, nodes_nodeids, nodes_modes, nodes_featureids, nodes_truenodeids, nodes_falsenodeids)
    at = nodes.places(target_treeids, target_nodeids)
    votes = _votes(len(nodes_modes), n_targets, at, target_ids, weights)
    missing = _flags(nodes_missing_value_tracks_true, len(nodes_modes), len(nodes_modes))
    wide = jnp.asarray(x).astype(wide_dtype(x.dtype))
    y = nodes.forest(splits, missing, votes).predict(wide, aggregate_function)
    base = _numbers(base_values, base_values_as_tensor)
    if base.size:
        y = y + jnp.asarray(base, y.dtype).reshape(1, base.size)
    return _transformed(y, post_transform).astype(jnp.float32)


class _Nodes(NamedTuple):
    """Nodes and leaves, each known by its tree's number and its own within the tree."""

    trees: Ints
    numbers: Ints
    modes: Sequence[str]
    features: Ints
    true: Ints
    false: Ints

    def places(self, trees: Ints, numbers: Ints) -> np.ndarray:
        """Where these nodes are in the table, -1 for one that there is not; `FormatError` for lists that do not fit."""
        if len(trees) != len(numbers) or len({len(part) for part in self}) > 1:
            raise FormatError(f"trees need as many of each of their nodes' attributes, got {[len(part) for part in self]}")
        place = {pair: i for i, pair in enumerate(zip(self.trees, self.numbers, strict=True))}
        return np.asarray([place.get(pair, -1) for pair in zip(trees, numbers, strict=True)], np.int64)

    def forest(self, splits: np.ndarray, missing_is_true: np.ndarray, votes: dict[str, np.ndarray]) -> Forest:
        """The table; raises `FormatError` where the lists are no nodes."""
        count = len(self.modes)
        if len(splits) != count or not count:
            raise FormatError(f"trees of {count} nodes have {len(splits)} values to compare with")
        for mode in set(self.modes) - set(MODES):
            raise FormatError(f"trees have no mode {mode!r}", fix=nearest(mode, MODES))
        modes = np.asarray([MODES.index(mode) for mode in self.modes], np.int32)
        own, leaf = np.arange(count), modes == LEAF
        roots = tuple(dict.fromkeys(self.trees))
        return Forest(
            features=np.where(leaf, 0, np.asarray(self.features, np.int64)),
            splits=splits,
            modes=modes,
            true=np.where(leaf, own, self.places(self.trees, self.true)),
            false=np.where(leaf, own, self.places(self.trees, self.false)),
            missing_is_true=missing_is_true,
            roots=self.places(roots, (0,) * len(roots)),
            members=np.zeros((count, 0)),
            **votes,
        )


def _numbers(values: Floats, tensor: np.ndarray | None) -> np.ndarray:
    """The numbers, whichever attribute holds them."""
    return np.asarray(values, np.float32) if tensor is None else tensor


def _flags(given: Ints, count: int, total: int) -> np.ndarray:
    """Booleans for all nodes, False unless given."""
    flags = np.zeros(total, np.bool_)
    if given:
        if len(given) != count:
            raise FormatError(f"nodes_missing_value_tracks_true needs {count} numbers, got {len(given)}")
        flags[:count] = np.asarray(given) != 0
    return flags


def _votes(nodes: int, targets: int, at: np.ndarray, ids: Ints, weights: np.ndarray) -> dict[str, np.ndarray]:
    if at.size and not 0 <= at.min() <= at.max() < nodes:
        raise FormatError("a tree's vote is at a node that there is not")
    votes, voted = votes_of(nodes, targets, at, ids, weights)
    return {"votes": votes, "voted": voted}


def _members(values: np.ndarray | None, modes: np.ndarray, total: int) -> np.ndarray:
    """The members of each node's set: values in the order of the nodes, each set ended by a NaN."""
    asking = np.flatnonzero(modes == MEMBER)
    if not asking.size:
        return np.zeros((total, 0))
    groups = itertools.groupby([] if values is None else values.tolist(), key=np.isnan)
    sets = [list(group) for ends, group in groups if not ends]
    if len(sets) != asking.size:
        raise FormatError(f"TreeEnsemble has {len(sets)} sets of members for {asking.size} nodes that ask for them")
    members = np.full((total, max(map(len, sets))), np.nan)
    for node, values_of in zip(asking, sets, strict=True):
        members[node, : len(values_of)] = values_of
    return members


def _transformed(y: Array, transform: str) -> Array:
    """What the scores become in the end."""
    if transform == "SOFTMAX":
        return jax.nn.softmax(y, axis=-1)
    if transform == "SOFTMAX_ZERO":
        return jnp.where(y == 0, y, jax.nn.softmax(y, axis=-1, where=y != 0))
    if transform == "LOGISTIC":
        return jax.nn.sigmoid(y)
    if transform == "PROBIT":
        return ndtri(y)
    if transform != "NONE":
        raise FormatError(f"there is no post_transform {transform!r}", fix=nearest(transform, TRANSFORMS))
    return y
