"""The loss of two networks that train against each other."""

import jax

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.types import Array
from zerfoo_jax.numeric import widened


def adversarial(logits: Array, targets: Array) -> Array:
    """-log σ(r) - log(1 - σ(f)) - log σ(g) for [r, f, g] of each example: (batch, 3), anything -> (batch,).

    These are the columns of `AdversarialPair`: the discriminator's logits of a real example, and of a generated one for its own
    learning and for the generator's. The first two terms are the discriminator's loss, the last is the generator's, in the form
    that does not saturate (Goodfellow et al., arXiv 1406.2661, section 3). Where neither can tell, it is 3 log 2. Targets are
    not looked at. Raises `ShapeError` for other shapes.

    >>> import jax.numpy as jnp
    >>> float(adversarial(jnp.zeros((1, 3)), jnp.zeros(1))[0] / jnp.log(2))
    3.0
    """
    if logits.ndim != 2 or logits.shape[1] != 3:
        raise ShapeError(
            f"adversarial takes three logits for each example, got shape {tuple(logits.shape)}",
            fix="make the model an AdversarialPair",
        )
    real, fake, generated = widened(logits).T
    return jax.nn.softplus(-real) + jax.nn.softplus(fake) + jax.nn.softplus(-generated)
