"""Decision trees as tables of nodes, followed for all examples and trees at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from jax import lax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.core.types import Array
from zerfoo_jax.formats.operators.sizes import check_output_size

MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER", "LEAF")
"""How a node compares its feature with its split, by their numbers."""
MEMBER, LEAF = 6, 7
AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")


@dataclass(frozen=True, eq=False)
class Forest:
    """Nodes of all trees: which feature they compare with what and how, and where they lead. Leaves lead to themselves."""

    features: np.ndarray
    splits: np.ndarray
    modes: np.ndarray
    true: np.ndarray
    false: np.ndarray
    missing_is_true: np.ndarray
    roots: np.ndarray
    members: np.ndarray
    """(nodes, members) of the sets of nodes that ask for membership, filled up with NaN."""
    votes: np.ndarray
    """(nodes, targets): what a leaf gives to each target."""
    voted: np.ndarray
    """Where it gives something."""

    def depth(self) -> int:
        """How many steps lead from a root to the farthest leaf; `FormatError` for what is no forest."""
        count = len(self.true)
        for links in (self.true, self.false, self.roots):
            if links.size and not 0 <= links.min() <= links.max() < count:
                raise FormatError("a tree's node leads to a node that there is not")
        reached, steps, met = self._inner(self.roots), 0, 0
        while reached.size:
            steps, met = steps + 1, met + reached.size
            if met > count:
                raise FormatError("a tree's nodes lead in a circle, or several to one")
            reached = self._inner(np.concatenate([self.true[reached], self.false[reached]]))
        return steps

    def _inner(self, nodes: np.ndarray) -> np.ndarray:
        """Those of the nodes that are no leaves, each once."""
        return np.unique(nodes[self.modes[nodes] != LEAF])

    def leaves(self, x: Array) -> Array:
        """The leaf that each example ends at in each tree, (batch, trees)."""
        if self.features.size and not 0 <= self.features.min() <= self.features.max() < x.shape[1]:
            raise FormatError(f"a tree asks for a feature beyond the {x.shape[1]} there are")
        check_output_size((x.shape[0], len(self.roots), max(self.members.shape[1], 1)))
        at = jnp.broadcast_to(jnp.asarray(self.roots, jnp.int32)[None], (x.shape[0], len(self.roots)))
        x = jnp.asarray(x)
        splits, members = jnp.asarray(self.splits).astype(x.dtype), jnp.asarray(self.members).astype(x.dtype)
        true, false = jnp.asarray(self.true, jnp.int32), jnp.asarray(self.false, jnp.int32)

        def step(_: int, at: Array) -> Array:
            value = jnp.take_along_axis(x, jnp.asarray(self.features, jnp.int32)[at], axis=1)
            goes = self._compared(value, splits[at], members, at)
            goes |= jnp.isnan(value) & jnp.asarray(self.missing_is_true)[at]
            return jnp.where(goes, true[at], false[at])

        return lax.fori_loop(0, self.depth(), step, at)

    def _compared(self, value: Array, split: Array, members: Array, at: Array) -> Array:
        """Whether each comparison holds, of the kinds that there are."""
        rules = {
            0: lambda: value <= split,
            1: lambda: value < split,
            2: lambda: value >= split,
            3: lambda: value > split,
            4: lambda: value == split,
            5: lambda: value != split,
            MEMBER: lambda: jnp.any(members[at] == value[..., None], axis=-1),
        }
        modes, holds = jnp.asarray(self.modes)[at], jnp.zeros(value.shape, jnp.bool_)
        for mode in np.unique(self.modes).tolist():
            if mode != LEAF:
                holds |= (modes == mode) & rules[mode]()
        return holds

    def predict(self, x: Array, aggregate: str) -> Array:
        """(batch, targets): the sum, mean, minimum or maximum of the leaves' votes; 0 for a target without votes."""
        at = self.leaves(x)
        check_output_size((*at.shape, self.votes.shape[1]))
        votes, voted = jnp.asarray(self.votes).astype(x.dtype)[at], jnp.asarray(self.voted)[at]
        if aggregate in ("SUM", "AVERAGE"):
            total = jnp.sum(votes, axis=1)
            return total / len(self.roots) if aggregate == "AVERAGE" else total
        if aggregate == "MIN":
            found = jnp.min(jnp.where(voted, votes, jnp.inf), axis=1, initial=jnp.inf)
        elif aggregate == "MAX":
            found = jnp.max(jnp.where(voted, votes, -jnp.inf), axis=1, initial=-jnp.inf)
        else:
            raise FormatError(f"trees have no aggregate_function {aggregate!r}", fix=f"known: {', '.join(AGGREGATES)}")
        return jnp.where(jnp.any(voted, axis=1), found, jnp.zeros((), found.dtype))


def votes_of(
    nodes: int, targets: int, at: Sequence[int] | np.ndarray, ids: Sequence[int] | np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The votes of all nodes, and where there are any, of lists of nodes, targets and weights."""
    check_output_size((nodes, targets))
    at, ids = np.asarray(at, np.int64), np.asarray(ids, np.int64)
    if not len(at) == len(ids) == len(weights):
        raise FormatError("a tree's votes need as many nodes, targets and weights")
    if ids.size and not 0 <= ids.min() <= ids.max() < targets:
        raise FormatError(f"a tree votes for a target beyond the {targets} there are")
    votes, voted = np.zeros((nodes, targets), weights.dtype), np.zeros((nodes, targets), np.bool_)
    np.add.at(votes, (at, ids), weights)
    voted[at, ids] = True
    return votes, voted
