"""Parameter trees of Flax, both ways: `{"params": ..., "batch_stats": ...}` of linen, or the pure dict of an nnx state.

Both libraries keep kernels as (..., in, out) and call leaves alike, so that only the names of modules differ, and in attention
an axis for the heads. At every level, modules belong together by a name that the user gives, by equal names, by kind and number
(`Dense_0` is `dense_0`, `Conv_1` the second convolution of that level), or where each side has but one left.

Options are no part of these trees: Flax's LayerNorm and RMSNorm have an epsilon of 1e-6 unless told otherwise. Recurrent cells
and transposed convolutions lie differently in memory there and are refused.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
import re
from typing import Any

import jax
import numpy as np

from zerfoo_jax.core.errors import FormatError, Problem, join_path
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.parts import parts
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.layers import ConvTranspose1D, ConvTranspose2D, ConvTranspose3D

PARAMS, STATISTICS = "params", "batch_stats"
"""linen's collections that hold what our params and state hold."""

KINDS = {
    "attention": re.compile(r"self_attention|multi_head_(dot_product_)?attention"),
    "conv": re.compile(r"conv([123]d)?"),
    "dense": re.compile(r"dense|linear"),
    "embedding": re.compile(r"embed(ding)?"),
}
"""Words of both libraries for layers that correspond, where they are not the same."""

Names = Mapping[str, str]
Leaves = dict[str, Any]


def from_flax(model: Layer, variables: Mapping[str, Any], *specs: Spec, names: Names | None = None) -> Network:
    """The network of `model` with the arrays of a Flax module of the same build, for inputs of these shapes.

    `names` gives, by the paths of our modules, the paths of Flax's where they cannot be found, as in `{"dense_0": "layers/0"}`.
    Raises one `FormatError` that lists every array that is missing, left over or of another shape.

    >>> from zerfoo_jax.layers import Dense, Sequential
    >>> tree = {"params": {"Dense_0": {"kernel": np.ones((2, 3)), "bias": np.zeros(3)}}}
    >>> network = from_flax(Sequential((Dense(3),)), tree, Spec((1, 2), "float32"))
    >>> network.params["dense_0"]["kernel"].shape
    (2, 3)
    """
    _expect_alike(model)
    params, state = jax.eval_shape(model.init, jax.random.key(0), *specs)
    theirs = _merged(variables)
    arrays = dict(_leaves(theirs))
    pairs = _paired(_joined(params, state), theirs, names or {})

    def filled(tree: Mapping[str, Any], path: str = "") -> dict[str, Any]:
        return {
            name: filled(part, join_path(path, name))
            if isinstance(part, Mapping)
            else np.asarray(arrays[pairs[join_path(path, name)]]).reshape(part.shape)
            for name, part in tree.items()
        }

    return Network(model, filled(params), filled(state), specs)


def to_flax(network: Network, like: Mapping[str, Any], *, names: Names | None = None) -> dict[str, Any]:
    """The arrays of a network as the tree of a Flax module.

    `like` is such a tree, of arrays or of shapes as `jax.eval_shape(module.init, ...)` gives them. `names` and errors are as
    for `from_flax`.
    """
    _expect_alike(network.model)
    theirs = _merged(like)
    ours = _joined(network.params, network.state)
    arrays = dict(_leaves(ours))
    source = {path: arrays[own] for own, path in _paired(ours, theirs, names or {}).items()}

    def filled(tree: Mapping[Any, Any], path: str = "") -> dict[Any, Any]:
        return {
            name: filled(part, join_path(path, str(name)))
            if isinstance(part, Mapping)
            else np.asarray(source[join_path(path, str(name))]).reshape(part.shape)
            for name, part in tree.items()
        }

    if PARAMS not in like:
        return filled(like)
    return {collection: filled(tree) for collection, tree in like.items()}


def _expect_alike(layer: Layer) -> None:
    """Raises `FormatError` for layers whose arrays have equal shapes in both libraries and another meaning."""
    if isinstance(layer, ConvTranspose1D | ConvTranspose2D | ConvTranspose3D):
        raise FormatError("Flax's transposed convolutions turn their kernels round", place=type(layer).__name__)
    for part in parts(layer):
        _expect_alike(part)


def _merged(variables: Mapping[str, Any]) -> dict[str, Any]:
    """One tree of modules; linen's has one for each collection, nnx's is one."""
    if PARAMS not in variables:
        return _joined(variables, {})
    for name in variables.keys() - {PARAMS, STATISTICS}:
        raise FormatError(
            f"the collection {name!r} has no counterpart", place=name, fix=f"leave it out: {PARAMS}, {STATISTICS}"
        )
    return _joined(variables[PARAMS], variables.get(STATISTICS, {}))


def _joined(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> dict[str, Any]:
    """Two trees of the same modules as one; the lists of nnx have numbers as keys."""
    first, second = ({str(name): part for name, part in tree.items()} for tree in (one, other))
    joined = {}
    for name in first | second:
        parts = [tree[name] for tree in (first, second) if name in tree]
        if all(isinstance(part, Mapping) for part in parts):
            joined[name] = _joined(parts[0], parts[1] if len(parts) > 1 else {})
        elif len(parts) > 1:
            raise FormatError("a parameter and a running array have one name", place=name)
        else:
            joined[name] = parts[0]
    return joined


def _leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, part in tree.items():
        if isinstance(part, Mapping):
            yield from _leaves(part, join_path(path, name))
        else:
            yield join_path(path, name), part


def _paired(ours: Mapping[str, Any], theirs: Mapping[str, Any], names: Names) -> dict[str, str]:
    """The path of the Flax leaf for that of each of ours; one `FormatError` for all that do not correspond."""
    search = _Search(names, dict(_leaves(theirs)), theirs)
    search.match(ours, theirs, "", "")
    left = search.leaves.keys() - search.pairs.values()
    problems = [*search.problems, *(Problem("left over: no array of ours is this one", path) for path in sorted(left))]
    if problems:
        raise FormatError(problems)
    return search.pairs


@dataclass
class _Search:
    """Pairs of leaves and problems, as they are found."""

    names: Names
    leaves: Leaves
    root: Mapping[str, Any]
    pairs: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def match(self, ours: Mapping[str, Any], theirs: Mapping[str, Any], path: str, other: str) -> None:
        """Pairs the leaves of two modules, then their modules."""
        groups = {name: part for name, part in ours.items() if isinstance(part, Mapping)}
        for name in ours.keys() - groups.keys():
            self._leaf(ours[name], join_path(path, name), join_path(other, name))
        homes = self._modules(list(groups), theirs, path, other)
        for name, part in groups.items():
            home = homes.get(name)
            found = None if home is None else _at(self.root, home)
            if home is None or not isinstance(found, Mapping):
                fix = f"say which in names, as {{{join_path(path, name)!r}: ...}}; there are {', '.join(theirs) or 'none'}"
                self.problems.append(Problem("no module of Flax corresponds to this one", join_path(path, name), fix))
            else:
                self.match(part, found, join_path(path, name), home)

    def _leaf(self, ours: Any, path: str, other: str) -> None:
        if other not in self.leaves:
            self.problems.append(Problem(f"missing: {other} of shape {tuple(ours.shape)}", path))
        elif not _alike(tuple(self.leaves[other].shape), tuple(ours.shape)):
            shapes = f"{other} has shape {tuple(self.leaves[other].shape)}, ours {tuple(ours.shape)}"
            self.problems.append(Problem(shapes, path))
        else:
            self.pairs[path] = other

    def _modules(self, ours: list[str], theirs: Mapping[str, Any], path: str, other: str) -> dict[str, str]:
        """The Flax path of every module of ours that one is found for."""
        found = {name: self.names[join_path(path, name)] for name in ours if join_path(path, name) in self.names}
        taken = tuple(f"{home}/" for home in found.values())
        free = [name for name, part in theirs.items() if isinstance(part, Mapping)]
        free = [name for name in free if not any(home.startswith(f"{join_path(other, name)}/") for home in taken)]
        for alike in (lambda a, b: a == b, lambda a, b: _kind(a) == _kind(b)):
            for name in [name for name in ours if name not in found]:
                fitting = [one for one in free if alike(name, one)]
                if len(fitting) == 1:
                    found[name] = join_path(other, fitting[0])
                    free.remove(fitting[0])
        rest = [name for name in ours if name not in found]
        return found | ({rest[0]: join_path(other, free[0])} if len(rest) == len(free) == 1 else {})


def _kind(name: str) -> tuple[str, str]:
    """The kind and the number of a module by its name, the same in both libraries.

    >>> _kind("MultiHeadDotProductAttention_0"), _kind("conv2d_1")
    (('attention', '0'), ('conv', '1'))
    """
    word, _, number = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower().rpartition("_")
    return next((kind for kind, pattern in KINDS.items() if pattern.fullmatch(word)), word), number


def _at(tree: Any, path: str) -> Any:
    for part in path.split("/"):
        tree = tree.get(part) if isinstance(tree, Mapping) else None
    return tree


def _alike(theirs: tuple[int, ...], ours: tuple[int, ...]) -> bool:
    """Whether shapes are equal, or would be if two neighbouring axes of theirs, heads and their width, were one."""
    joined = [(*theirs[:i], theirs[i] * theirs[i + 1], *theirs[i + 2 :]) for i in range(len(theirs) - 1)]
    return ours in (theirs, *joined)
