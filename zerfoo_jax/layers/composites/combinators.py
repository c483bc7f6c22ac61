"""Layers made of layers: one after another, around a shortcut, and many equal ones as one stacked pytree."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
import re
from typing import Any

import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.layer import Built, Composite, Layer, Walk, abstract, run_part
from zerfoo_jax.core.shapes import expect_same_shape
from zerfoo_jax.core.types import Array, Params, State, Tree, spec_of


@cache
def _numbered(layers: tuple[Layer, ...]) -> dict[str, Layer]:
    """Names by kind and count, so that inserting a Dropout renames no Dense: dense_0, activation_0, dense_1, ..."""
    seen: Counter[str] = Counter()
    named = {}
    for layer in layers:
        kind = kind_of(layer)
        named[f"{kind}_{seen[kind]}"] = layer
        seen[kind] += 1
    return named


def kind_of(layer: Layer) -> str:
    """The word for a layer of this class in the names of nodes and children.

    >>> from zerfoo_jax.layers import BatchNorm
    >>> kind_of(BatchNorm())
    'batch_norm'
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", type(layer).__name__).lower()


@dataclass(frozen=True)
class Sequential(Composite):
    """Runs layers one after another: y = l_n(... l_1(x)). Children are named `dense_0`, `activation_0`, `dense_1`, ...

    >>> from zerfoo_jax.layers import Activation, Dense
    >>> model = Sequential((Dense(8), Activation("relu"), Dense(2)))
    >>> params, state = model.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 4), jnp.float32))
    >>> sorted(params)
    ['dense_0', 'dense_1']
    """

    layers: tuple[Layer, ...]

    def children(self) -> Mapping[str, Layer]:
        return _numbered(self.layers)

    def connect(self, call: Callable[..., Tree], *xs: Any) -> Tree:
        # Every layer takes one input, but the first takes all that the Sequential is given.
        for name in self.children():
            xs = (call(name, *xs),)
        return xs[0]


@dataclass(frozen=True)
class Residual(Composite):
    """y = x + inner(x), or y = shortcut(x) + inner(x) where the shapes differ (He et al., arXiv 1512.03385).

    >>> from zerfoo_jax.layers import Activation
    >>> Residual(Activation("relu")).apply({}, {}, jnp.array([-1.0, 2.0]))[0].tolist()
    [-1.0, 4.0]
    """

    inner: Layer
    shortcut: Layer | None = None

    def children(self) -> Mapping[str, Layer]:
        return {"inner": self.inner} | ({"shortcut": self.shortcut} if self.shortcut else {})

    def connect(self, call: Callable[..., Tree], x: Any) -> Tree:
        y = call("inner", x)
        shortcut = call("shortcut", x) if self.shortcut else x
        expect_same_shape("Residual", shortcut, y)
        return shortcut + y


@dataclass(frozen=True)
class Stack(Layer):
    """`num_layers` equal blocks in a row, their parameters stacked along a new first axis.

    Scanned, there are as few leaves as in one block, the program compiles once per block kind and the host's work per step does
    not grow with depth. `unroll` writes the blocks out in the program (longer compile, faster on a GPU); the parameters stay
    stacked either way. `remat` recomputes each block's inside in the backward pass instead of storing it. Further inputs, such
    as a mask, go to every block as they are.

    >>> from zerfoo_jax.layers import Dense
    >>> params, state = Stack(Dense(4), 3).init(jax.random.key(0), jax.ShapeDtypeStruct((1, 4), jnp.float32))
    >>> params["kernel"].shape
    (3, 4, 4)
    """

    block: Layer
    num_layers: PositiveInt
    unroll: bool = False
    remat: bool = False

    def init(self, key: Array, *specs: Any) -> tuple[Params, State]:
        # Folding by index: growing the stack leaves the first blocks' initial values as they are.
        keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(self.num_layers))
        return jax.vmap(lambda k: self.block.init(k, *specs))(keys)

    def build(self, walk: Walk, key: Array, x: Any, *more: Any) -> Built:
        params, state, y = walk.visit(self.block, f"block[{self.num_layers}]", key, x, *more)
        if abstract(y) != spec_of(x):
            raise ShapeError(
                f"Stack needs a block whose output has its input's shape and dtype, got "
                f"{x.dtype}{x.shape} -> {y.dtype}{y.shape}",
                fix="end the block with a layer that restores the width, or use Sequential",
            )
        if not walk.problems:
            params, state = self.init(key, *map(spec_of, (x, *more)))
        return params, state, y

    def apply(
        self, params: Params, state: State, x: Array, *more: Any, key: Array | None = None, train: bool = False
    ) -> tuple[Array, State]:
        def one(x: Array, layer: tuple[Params, State, Array | None]) -> tuple[Array, State]:
            block_params, block_state, block_key = layer
            return run_part(self.block, "block", block_params, block_state, x, *more, key=block_key, train=train)

        body = jax.checkpoint(one) if self.remat else one
        keys = None if key is None else jax.random.split(key, self.num_layers)
        return lax.scan(body, x, (params, state, keys), length=self.num_layers, unroll=self.num_layers if self.unroll else 1)
