"""A model with its parameters, which editing keeps together."""

from dataclasses import dataclass

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Array, Params, Spec, State, Tree, spec_of


@dataclass(frozen=True, eq=False)
class Network:
    """A model, its parameters and state, and the shapes and dtypes of its inputs.

    Called, it gives the model's outputs in evaluation mode. `TrainState.of(network.params, network.state, ...)` is where its
    training starts.

    >>> import jax, jax.numpy as jnp
    >>> from zerfoo_jax.layers import Dense
    >>> network = Network.new(Dense(3), jax.random.key(0), jnp.ones((1, 4)))
    >>> network(jnp.ones((2, 4))).shape
    (2, 3)
    """

    model: Layer
    params: Params
    state: State
    specs: tuple[Spec, ...]

    @classmethod
    def new(cls, model: Layer, key: Array, *specs: Spec) -> "Network":
        """A network with the model's initial parameters, for inputs of these shapes and dtypes."""
        specs = tuple(map(spec_of, specs))
        return cls(model, *model.init(key, *specs), specs)

    def __call__(self, *inputs: Array) -> Tree:
        return self.model.apply(self.params, self.state, *inputs)[0]
