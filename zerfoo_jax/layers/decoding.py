"""Decoding token by token: a model that remembers what it has seen."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Spec, State, Tree
from zerfoo_jax.layers.multi_head_attention import MultiHeadAttention
from zerfoo_jax.layers.positions import LearnedPositions, SinusoidalPositions

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


def _remembering(value: Any, length: int) -> Any:
    """The value with a memory in every layer in it that can have one; itself where there is none."""
    if isinstance(value, tuple):
        items = tuple(_remembering(item, length) for item in value)
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changes: dict[str, Any] = {}
    for name in (field.name for field in fields(value)):
        old = getattr(value, name)
        new = _remembering(old, length)
        changes |= {name: new} if new is not old else {}
    if isinstance(value, MultiHeadAttention) and value.causal:
        changes["cache_length"] = length
    if isinstance(value, LearnedPositions | SinusoidalPositions):
        changes["counting"] = True
    return replace(value, **changes) if changes else value


def _filled(wanted: Tree, given: Any) -> Tree:
    """`given` where it has a leaf, and zeros, which all memories start with, where it has none."""
    if isinstance(wanted, Mapping):
        given = given if isinstance(given, Mapping) else {}
        return {name: _filled(part, given.get(name)) for name, part in wanted.items()}
    return jnp.zeros(wanted.shape, wanted.dtype) if given is None else given
