"""Stochastic gradient descent."""

import optax

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.fields import NonNegativeFloat, Probability
from zerfoo_jax.optim.leaves import DECAYED_LEAVES
from zerfoo_jax.optim.optimizer import Rate, descending, optimizer


@optimizer
def sgd(
    learning_rate: Rate,
    *,
    momentum: Probability = 0.0,
    nesterov: bool = False,
    weight_decay: NonNegativeFloat = 0.0,
    decayed: tuple[str, ...] = DECAYED_LEAVES,
) -> optax.GradientTransformation:
    """Stochastic gradient descent: m <- momentum m + g, p <- p - rate m (Sutskever et al., ICML 2013).

    `weight_decay` is decoupled (arXiv 1711.05101), on the leaves named in `decayed`; torch's goes through the momentum.
    Raises `ConfigError` for `nesterov` without momentum, which would change nothing.
    """
    if nesterov and not momentum:
        raise ConfigError("sgd.nesterov needs momentum", place="nesterov", fix="add momentum: 0.9")
    direction = optax.trace(momentum, nesterov) if momentum else optax.identity()
    return descending(direction, learning_rate, weight_decay, decayed)
