"""Lion: the sign of an interpolated momentum."""

import optax

from zerfoo_jax.core.fields import NonNegativeFloat, Probability
from zerfoo_jax.optim.leaves import DECAYED_LEAVES
from zerfoo_jax.optim.optimizer import Rate, descending, optimizer


@optimizer
def lion(
    learning_rate: Rate,
    *,
    b1: Probability = 0.9,
    b2: Probability = 0.99,
    weight_decay: NonNegativeFloat = 0.0,
    decayed: tuple[str, ...] = DECAYED_LEAVES,
) -> optax.GradientTransformation:
    """u = sign(b1 m + (1 - b1) g), then m <- b2 m + (1 - b2) g (Chen et al., arXiv 2302.06675).

    Its rate is three to ten times smaller than AdamW's, its decoupled weight decay as much larger.
    """
    return descending(optax.scale_by_lion(b1, b2), learning_rate, weight_decay, decayed)
