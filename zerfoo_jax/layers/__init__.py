"""Layers: frozen dataclasses of hyper-parameters with a pure `init` and `apply`. Adding one: its file, and a line here."""

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.layers.activation import ACTIVATIONS as ACTIVATIONS
from zerfoo_jax.layers.activation import Activation as Activation
from zerfoo_jax.layers.combinators import Residual as Residual
from zerfoo_jax.layers.combinators import Sequential as Sequential
from zerfoo_jax.layers.combinators import Stack as Stack
from zerfoo_jax.layers.dense import Dense as Dense
from zerfoo_jax.layers.initializers import INITIALIZERS as INITIALIZERS

LAYERS: dict[str, type[Layer]] = {
    "Activation": Activation,
    "Dense": Dense,
    "Residual": Residual,
    "Sequential": Sequential,
    "Stack": Stack,
}
