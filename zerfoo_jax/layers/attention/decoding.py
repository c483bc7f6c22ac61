"""Decoding token by token: a model that remembers what it has seen."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.parts import map_parts
from zerfoo_jax.core.types import Spec, State, Tree
from zerfoo_jax.layers.attention.multi_head_attention import MultiHeadAttention
from zerfoo_jax.layers.attention.positions import LearnedPositions, SinusoidalPositions

Model = TypeVar("Model", bound=Layer)


def with_cache(model: Model, length: PositiveInt) -> Model:
    """The same model, whose causal attentions keep up to `length` keys and values and whose positions count on, in its state.

    Parameters stay as they are. Outside training, a text may then be fed in parts of any lengths, one after another with the
    state that the part before gave back, and every part's outputs are those of the whole text; past `length` they are NaN. The
    first state is `start_cache`'s. Attentions that are not causal stay as they are: only layers that look at each position
    alone, and causal attentions, give the same outputs in parts.

    >>> from zerfoo_jax.layers import Sequential
    >>> model = with_cache(Sequential((LearnedPositions(8), MultiHeadAttention(2, causal=True))), 5)
    >>> model.layers[0].counting, model.layers[1].cache_length
    (True, 5)
    """
    return _remembering(model, length)


def start_cache(model: Layer, state: State, *specs: Spec) -> State:
    """The state of a model from `with_cache` that has seen nothing: empty caches, and around them the `state` that it had.

    `specs` are the shapes and dtypes of its inputs, of which the batch size counts. Caches have the dtype that the layers are
    initialised in; cast them to decode with parameters of half precision in half the memory.

    >>> model = with_cache(MultiHeadAttention(2, causal=True), 5)
    >>> jax.tree.map(jnp.shape, start_cache(model, {}, Spec((3, 1, 8), "float32")))
    {'key': (3, 5, 2, 4), 'position': (), 'value': (3, 5, 2, 4)}
    """
    _, wanted = jax.eval_shape(model.init, jax.random.key(0), *specs)
    return _filled(wanted, state)


def _remembering(layer: Model, length: int) -> Model:
    """The layer with a memory in every layer in it that can have one, and in itself; itself where there is none."""
    layer = map_parts(layer, lambda part: _remembering(part, length))
    if isinstance(layer, MultiHeadAttention) and layer.causal:
        return replace(layer, cache_length=length)
    return replace(layer, counting=True) if isinstance(layer, LearnedPositions | SinusoidalPositions) else layer


def _filled(wanted: Tree, given: Any) -> Tree:
    """`given` where it has a leaf, and zeros, which all memories start with, where it has none."""
    if isinstance(wanted, Mapping):
        given = given if isinstance(given, Mapping) else {}
        return {name: _filled(part, given.get(name)) for name, part in wanted.items()}
    return jnp.zeros(wanted.shape, wanted.dtype) if given is None else given
