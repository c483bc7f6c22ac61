"""Fine-tuning by low-rank changes of the kernels within a layer (Hu et al., arXiv 2106.09685)."""

from collections.abc import Mapping
from dataclasses import dataclass
import math
from typing import Any

import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError, Problem, nearest
from zerfoo_jax.core.fields import PositiveFloat, PositiveInt, Probability
from zerfoo_jax.core.keys import fold_in_name
from zerfoo_jax.core.layer import Built, Layer, Walk, run_part
from zerfoo_jax.core.patterns import matches
from zerfoo_jax.core.types import Array, Params, State, Tree, param_dtype, spec_of
from zerfoo_jax.layers.composites.frozen import awake, resting, resting_init
from zerfoo_jax.layers.initializers import initialize
from zerfoo_jax.layers.noise.dropout import drop
from zerfoo_jax.numeric import cast_floating, widened

Names = tuple[str, ...]


@dataclass(frozen=True)
class LoRA(Layer):
    """Any layer with K + (alpha / rank) A B in the place of each kernel K that a pattern matches: A and B learn alone.

    A pattern is matched with the path to K in the layer's parameters, `kernel` itself left out: `attention/query`, or "" in a
    Dense; `*` stands for any part of a name, `**` for any number of names. Leading axes, such as those of a `Stack` or of a
    window, have an A and a B for each index. B starts at 0, so that a new LoRA computes what `layer` does. `dropout` acts in
    training on the rows of A, which is on the inputs of A, the same ones for a whole batch. The layer's own parameters rest in
    the state, as in `Frozen`, but it keeps to the mode: its dropout drops and its statistics move in training.
    `merge_lora` gives the plain layer.

    Parameters: under the path to each K `down` with `kernel` A (..., in, rank) and `up` with `kernel` B (..., rank, out).
    State: `params` and, where it has any, `state` of `layer`. Raises `ConfigError` at `init` for a pattern without a kernel.

    >>> from zerfoo_jax.layers import Dense
    >>> params, state = LoRA(Dense(3), rank=2, alpha=4.0).init(jax.random.key(0), jnp.ones((1, 5)))
    >>> params["down"]["kernel"].shape, params["up"]["kernel"].tolist()
    ((5, 2), [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    """

    layer: Layer
    rank: PositiveInt
    alpha: PositiveFloat
    match: tuple[str, ...] = ("**",)
    dropout: Probability = 0.0

    def init(self, key: Array, *specs: Any) -> tuple[Params, State]:
        state = resting_init(self.layer, key, specs)
        floating = [spec for spec in specs if jnp.issubdtype(spec.dtype, jnp.floating)]
        dtype = param_dtype(floating[0]) if floating else jnp.float32
        params: dict[str, Any] = {}
        for path, kernel in self._matched(awake(state)[0]).items():
            *lead, rows, columns = kernel.shape
            count = math.prod(lead)
            drawn = initialize("lecun_normal", fold_in_name(key, "/".join(path)), (rows, count * self.rank), dtype)
            down = jnp.moveaxis(drawn.reshape(rows, count, self.rank), 0, 1).reshape(*lead, rows, self.rank)
            _put(params, (*path, "down", "kernel"), down)
            _put(params, (*path, "up", "kernel"), jnp.zeros((*lead, self.rank, columns), dtype))
        return params, state

    def build(self, walk: Walk, key: Array, *xs: Any) -> Built:
        output = walk.visit(self.layer, "layer", key, *xs)[2]
        params, state = ({}, {}) if walk.problems else self.init(key, *map(spec_of, xs))
        return params, state, output

    def apply(
        self, params: Params, state: State, *xs: Any, key: Array | None = None, train: bool = False
    ) -> tuple[Tree, State]:
        base, inner_state = awake(state)
        # The dtype of the parameters says what to compute in, also where the inputs are integers.
        cast = cast_floating(self._changed(params, base, key if train else None, train), jax.tree.leaves(params)[0].dtype)
        output, inner_state = run_part(self.layer, "layer", cast, inner_state, *xs, key=key, train=train)
        return output, resting(base, inner_state)

    def _matched(self, base: Params) -> Mapping[Names, Array]:
        """The kernels that change, by the path to them; raises `ConfigError` for patterns that match none."""
        kernels = _kernels(base)
        patterns = [pattern.split("/") if pattern else [] for pattern in self.match]
        problems = [
            Problem(
                f"LoRA.match: {'/'.join(pattern)!r} matches no kernel", fix=nearest("/".join(pattern), map("/".join, kernels))
            )
            for pattern in patterns
            if not any(matches(path, pattern) for path in kernels)
        ]
        if problems or not patterns:
            raise ConfigError(problems or "LoRA.match = () names no kernel", fix="name at least one pattern")
        return {path: kernel for path, kernel in kernels.items() if any(matches(path, pattern) for pattern in patterns)}

    def _changed(self, params: Params, base: Params, key: Array | None, train: bool) -> Params:
        """The layer's parameters with the changes added."""
        changed = jax.tree.map(lambda leaf: leaf, dict(base))  # a copy of the dicts, to be written into
        for path, kernel in self._matched(base).items():
            down, up = (widened(_get(params, (*path, part, "kernel"))) for part in ("down", "up"))
            if train and self.dropout:
                mask_key = None if key is None else fold_in_name(key, f"lora/{'/'.join(path)}")
                down = down * drop(jnp.ones((*down.shape[:-1], 1), down.dtype), self.dropout, mask_key)
            change = self.alpha / self.rank * jnp.matmul(down, up, precision=lax.Precision.HIGHEST)
            _put(changed, (*path, "kernel"), (widened(kernel) + change).astype(kernel.dtype))
        return changed


def merge_lora(layer: LoRA, params: Params, state: State) -> tuple[Layer, Params, State]:
    """The plain layer and its variables, with the changes added to the kernels: K + (alpha / rank) A B.

    >>> from zerfoo_jax.layers import Dense
    >>> layer, state = LoRA(Dense(1, use_bias=False), 1, 2.0), {"params": {"kernel": jnp.ones((1, 1))}}
    >>> params = {"down": {"kernel": jnp.full((1, 1), 3.0)}, "up": {"kernel": jnp.full((1, 1), 5.0)}}
    >>> merge_lora(layer, params, state)[1]
    {'kernel': Array([[31.]], dtype=float32)}
    """
    base, inner_state = awake(state)
    return layer.layer, layer._changed(params, base, None, train=False), inner_state


def _kernels(tree: Params, path: Names = ()) -> dict[Names, Array]:
    found: dict[Names, Array] = {}
    for name, part in tree.items():
        if isinstance(part, Mapping):
            found |= _kernels(part, (*path, name))
        elif name == "kernel" and part.ndim >= 2:
            found[path] = part
    return found


def _get(tree: Any, path: Names) -> Array:
    for name in path:
        tree = tree[name]
    return tree


def _put(tree: dict[str, Any], path: Names, leaf: Array) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = leaf
