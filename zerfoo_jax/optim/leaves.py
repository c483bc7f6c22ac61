"""Which leaves of the parameters: by name, by a pattern of their path, and which axes of theirs number layers."""

from collections.abc import Callable, Collection, Sequence
from fnmatch import fnmatchcase
from typing import Any

import jax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError, Problem, nearest
from zerfoo_jax.core.patterns import matches
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.numeric import widened

DECAYED_LEAVES = ("kernel", "embedding")
STACKS = ("stack_*",)
"""What `Stack`s are called in the paths of a `Sequential` and of the architectures; a graph of your own may differ."""


def named_leaves(params: Tree, names: Collection[str]) -> Tree:
    """A mask that is true at the leaves with these names.

    By name and not by number of axes: under a `Stack` a bias has two axes.

    >>> named_leaves({"dense_0": {"kernel": 1.0, "bias": 2.0}}, ["kernel"])
    {'dense_0': {'bias': False, 'kernel': True}}
    """
    return with_paths(lambda path, leaf: path.rpartition("/")[2] in names, params)


def with_paths(function: Callable[..., Any], tree: Tree, *rest: Tree) -> Tree:
    """`function(path, leaf, ...)` of every leaf, the path as text with `/` between its names."""

    def one(path: tuple[Any, ...], *leaves: Any) -> Any:
        return function(jax.tree_util.keystr(path, simple=True, separator="/"), *leaves)

    return jax.tree_util.tree_map_with_path(one, tree, *rest)


def first_match(params: Tree, patterns: Sequence[str]) -> Tree:
    """For each leaf the number of the first pattern that its path matches, or -1.

    A pattern is a path whose names may hold `*`, `?` and `[...]`; `**` stands for any number of names.

    >>> first_match({"head": {"kernel": 1.0}, "stem": {"conv": {"bias": 2.0}}}, ["stem/**", "*/kernel"])
    {'head': {'kernel': 1}, 'stem': {'conv': {'bias': 0}}}
    """

    def one(path: str, leaf: Any) -> int:
        del leaf
        return next((i for i, pattern in enumerate(patterns) if matches(path.split("/"), pattern.split("/"))), -1)

    return with_paths(one, params)


def expect_matches(params: Tree, patterns: Sequence[str], place: str = "groups[{}].match") -> None:
    """Raises one `ConfigError` for all patterns that are the first match of no leaf, each with the nearest paths."""
    used = set(jax.tree.leaves(first_match(params, patterns)))
    paths = jax.tree.leaves(with_paths(lambda path, leaf: path, params))
    problems = [
        Problem(f"{pattern!r} matches no parameter that is not matched before it", place.format(i), nearest(pattern, paths))
        for i, pattern in enumerate(patterns)
        if i not in used
    ]
    if problems:
        raise ConfigError(problems)


def layer_axes(params: Tree, stacked: Sequence[str]) -> Tree:
    """How many leading axes of each leaf number layers: as many as names in its path match one of `stacked`.

    >>> layer_axes({"stack_0": {"dense_0": {"bias": 1.0}}, "dense_1": {"bias": 2.0}}, STACKS)
    {'dense_1': {'bias': 0}, 'stack_0': {'dense_0': {'bias': 1}}}
    """

    def one(path: str, leaf: Any) -> int:
        del leaf
        return sum(any(fnmatchcase(name, pattern) for pattern in stacked) for name in path.split("/"))

    return with_paths(one, params)


def mean_square(x: Array, batch_axes: int) -> Array:
    """The mean of x² over all but the first `batch_axes` axes, which stay, in float32 or wider."""
    return jnp.mean(widened(x) ** 2, axis=tuple(range(batch_axes, x.ndim)), keepdims=True)


def norm(x: Array, batch_axes: int) -> Array:
    """√Σ x² over all but the first `batch_axes` axes, which stay, in float32 or wider."""
    return jnp.sqrt(jnp.sum(widened(x) ** 2, axis=tuple(range(batch_axes, x.ndim)), keepdims=True))
