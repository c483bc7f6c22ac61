"""The multilayer perceptron."""

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import PositiveInt, Probability
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.layers import Activation, Dense, Dropout, Flatten, Sequential
from zerfoo_jax.layers.activations.activation import ActivationSpec


@checked
def mlp(
    *,
    features: PositiveInt,
    hidden: tuple[PositiveInt, ...] = (512, 512),
    activation: ActivationSpec = "relu",
    dropout: Probability = 0.0,
) -> Sequential:
    """Flattened input, hidden layers of the given widths, `features` outputs.

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> check(mlp(features=10, hidden=(32,)), Spec((1, 8, 8, 1), "float32")).shape
    (1, 10)
    """
    layers: list[Layer] = [Flatten()]
    for width in hidden:
        layers += [Dense(width, kernel_init="he_normal"), Activation(activation)]
        if dropout:
            layers.append(Dropout(dropout))
    return Sequential((*layers, Dense(features)))
