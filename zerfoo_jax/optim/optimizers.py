"""Optimizers: optax's gradient transformations under one signature, `(learning_rate, *, options)`."""

from collections.abc import Callable, Collection
from typing import Any, TypeAlias

import jax
import optax

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.fields import NonNegativeFloat, PositiveFloat, Probability
from zerfoo_jax.core.types import Tree
from zerfoo_jax.optim.schedules import Schedule

Optimizer: TypeAlias = optax.GradientTransformation
"""Pure functions `init(params)` and `update(gradients, state, params)`."""

DECAYED_LEAVES = ("kernel", "embedding")


def sgd(learning_rate: float | Schedule, *, momentum: Probability = 0.0, nesterov: bool = False) -> Optimizer:
    """Stochastic gradient descent: m <- momentum m + g, p <- p - rate m (Sutskever et al., ICML 2013).

    Raises `ConfigError` for `nesterov` without momentum, which would change nothing.
    """
    if nesterov and not momentum:
        raise ConfigError("sgd.nesterov needs momentum", place="nesterov", fix="add momentum: 0.9")
    return promoting(optax.sgd(learning_rate, momentum=momentum or None, nesterov=nesterov))


def adam(
    learning_rate: float | Schedule, *, b1: Probability = 0.9, b2: Probability = 0.999, eps: PositiveFloat = 1e-8
) -> Optimizer:
    """Adam (Kingma & Ba, arXiv 1412.6980)."""
    return promoting(optax.adam(learning_rate, b1=b1, b2=b2, eps=eps))


def adamw(
    learning_rate: float | Schedule,
    *,
    b1: Probability = 0.9,
    b2: Probability = 0.999,
    eps: PositiveFloat = 1e-8,
    weight_decay: NonNegativeFloat = 0.01,
    decayed: tuple[str, ...] = DECAYED_LEAVES,
) -> Optimizer:
    """Adam with decoupled weight decay (Loshchilov & Hutter, arXiv 1711.05101) on the leaves named in `decayed`."""
    options: dict[str, Any] = {"b1": b1, "b2": b2, "eps": eps, "weight_decay": weight_decay}
    return promoting(optax.adamw(learning_rate, **options, mask=lambda params: named_leaves(params, decayed)))


def named_leaves(params: Tree, names: Collection[str]) -> Tree:
    """A mask that is true at the leaves with these names.

    By name and not by number of axes: under a `Stack` a bias has two axes.

    >>> named_leaves({"dense_0": {"kernel": 1.0, "bias": 2.0}}, ["kernel"])
    {'dense_0': {'bias': False, 'kernel': True}}
    """

    def is_named(path: tuple[Any, ...], leaf: object) -> bool:
        del leaf
        return path[-1].key in names

    return jax.tree_util.tree_map_with_path(is_named, params)


def promoting(inner: optax.GradientTransformation) -> Optimizer:
    """The same, whatever the caller's rule for mixing dtypes is: optax mixes integers with floats.

    Its update takes `value`, `grad` and `value_fn` too, for those optimizers that look at the loss itself.
    """
    extended = optax.with_extra_args_support(inner)

    def init(params: optax.Params) -> optax.OptState:
        with jax.numpy_dtype_promotion("standard"):
            return inner.init(params)

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None, **measured: Any
    ) -> tuple[optax.Updates, optax.OptState]:
        with jax.numpy_dtype_promotion("standard"):
            return extended.update(updates, state, params, **measured)

    return optax.GradientTransformationExtraArgs(init, update)


def clipped(optimizer: Optimizer, norm: float) -> Optimizer:
    """The optimizer behind a clip of the gradients' global norm (Pascanu et al., arXiv 1211.5063)."""
    return optax.chain(optax.clip_by_global_norm(norm), optimizer)


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {"adam": adam, "adamw": adamw, "sgd": sgd}
