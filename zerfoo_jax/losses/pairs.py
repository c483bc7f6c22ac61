"""Losses of pairs and triples of embeddings: outputs are tuples of arrays (..., features), losses (...)."""

from typing import Annotated

from annotated_types import Ge, Le
import jax
import jax.numpy as jnp

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import NonNegativeFloat
from zerfoo_jax.core.types import Array
from zerfoo_jax.losses.base import size
from zerfoo_jax.numeric import widened

Cosine = Annotated[float, Ge(-1), Le(1)]
Norm = Annotated[float, Ge(1)]


@checked
def cosine_embedding(outputs: tuple[Array, Array], targets: Array, *, margin: Cosine = 0.0) -> Array:
    """1 - cos(a, b) of pairs (a, b) with target above 0, and max(0, cos(a, b) - margin) of others: -> (...).

    Targets are 1 and -1, or 1 and 0. A vector of zeros has cosine 0 with all. Raises `ShapeError` where the shapes do not fit.

    >>> a, b = jnp.array([[2.0, 0.0], [1.0, 0.0]]), jnp.array([[3.0, 0.0], [1.0, 0.0]])
    >>> cosine_embedding((a, b), jnp.array([1, -1]), margin=0.5).tolist()
    [0.0, 0.5]
    """
    a, b = _aligned("cosine_embedding", outputs, 2)
    _check_targets("cosine_embedding", targets, a)
    epsilon = 1e-12
    squares = (jnp.sum(a * a, axis=-1) + epsilon) * (jnp.sum(b * b, axis=-1) + epsilon)
    cosine = jnp.sum(a * b, axis=-1) / jnp.sqrt(squares)
    return jnp.where(targets > 0, 1 - cosine, jax.nn.relu(cosine - margin))


@checked
def contrastive(outputs: tuple[Array, Array], targets: Array, *, margin: NonNegativeFloat = 1.0) -> Array:
    """D²/2 of pairs with target above 0, max(0, margin - D)²/2 of others, D = |a - b|: (a, b) -> (...).

    Targets say 1 for what belongs together (Hadsell et al., 2006, whose Y says 0 for it). Raises `ShapeError` where the shapes
    do not fit.

    >>> a, b = jnp.array([[0.0, 0.0], [0.0, 0.0]]), jnp.array([[3.0, 4.0], [3.0, 4.0]])
    >>> contrastive((a, b), jnp.array([1, 0]), margin=6.0).tolist()
    [12.5, 0.5]
    """
    a, b = _aligned("contrastive", outputs, 2)
    _check_targets("contrastive", targets, a)
    square = jnp.sum((a - b) ** 2, axis=-1)
    # A distance of 0 has no slope: equal embeddings have no direction to part in.
    distance = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)
    return jnp.where(targets > 0, square, jax.nn.relu(margin - distance) ** 2) / 2


@checked
def triplet(
    outputs: tuple[Array, Array, Array],
    targets: Array,
    *,
    margin: NonNegativeFloat = 1.0,
    p: Norm = 2.0,
    swap: bool = False,
) -> Array:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), d the p-norm of the difference: three arrays -> (...).

    With `swap`, d(positive, negative) takes the place of d(anchor, negative) where it is less (Balntas et al., 2016). As in
    torch, 1e-6 is added to each difference. Targets are not used. Raises `ShapeError` where the shapes differ.

    >>> anchor, positive, negative = jnp.array([[0.0, 0.0]]), jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 1.5]])
    >>> round(float(triplet((anchor, positive, negative), jnp.zeros(1))[0]), 3)
    0.5
    """
    anchor, positive, negative = _aligned("triplet", outputs, 3)
    apart = _distance(anchor, negative, p)
    if swap:
        apart = jnp.minimum(apart, _distance(positive, negative, p))
    return jax.nn.relu(_distance(anchor, positive, p) - apart + margin)


def _distance(a: Array, b: Array, p: float) -> Array:
    difference = size(a - b + 1e-6)
    if p == 1:
        return jnp.sum(difference, axis=-1)
    if p == 2:
        return jnp.sqrt(jnp.sum(difference**2, axis=-1))
    return jnp.sum(difference**p, axis=-1) ** (1 / p)


def _aligned(loss: str, outputs: tuple[Array, ...], count: int) -> tuple[Array, ...]:
    if not isinstance(outputs, tuple) or len(outputs) != count or len({x.shape for x in outputs}) != 1 or not outputs[0].ndim:
        raise ShapeError(f"{loss} needs {count} outputs of equal shapes (..., features), got {_described(outputs)}")
    return tuple(map(widened, outputs))


def _described(outputs: tuple[Array, ...]) -> str:
    return ", ".join(str(tuple(x.shape)) for x in outputs) if isinstance(outputs, tuple) else f"one of {tuple(outputs.shape)}"


def _check_targets(loss: str, targets: Array, embeddings: Array) -> None:
    if targets.shape != embeddings.shape[:-1]:
        raise ShapeError(
            f"{loss} of outputs {tuple(embeddings.shape)} needs targets of shape {tuple(embeddings.shape[:-1])}, "
            f"got {tuple(targets.shape)}"
        )
