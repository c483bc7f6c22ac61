"""Everything that training changes, as one pytree."""

from dataclasses import dataclass, replace
from typing import Any, Self

import jax
import jax.numpy as jnp
import optax

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.numeric import LossScale, Policy, cast_floating, policy
from zerfoo_jax.optim import evaluation_params


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TrainState:
    """Step number, parameters, layer state, optimizer state, random key and, where used, averaged parameters and loss scale."""

    step: Array
    params: Params
    state: State
    opt_state: Any
    key: Array
    ema: Params | None = None
    scaler: LossScale | None = None

    @classmethod
    def create(
        cls,
        model: Layer,
        optimizer: optax.GradientTransformation,
        key: Array,
        *specs: Spec,
        precision: str | Policy = "float32",
        ema: bool = False,
    ) -> "TrainState":
        """The state before the first step of a new model, for inputs of these shapes and dtypes."""
        init_key, step_key = jax.random.split(key)
        params, state = model.init(init_key, *specs)
        return cls._start(params, state, optimizer, step_key, precision, ema)

    @classmethod
    def of(
        cls,
        params: Params,
        state: State,
        optimizer: optax.GradientTransformation,
        key: Array,
        *,
        precision: str | Policy = "float32",
        ema: bool = False,
    ) -> "TrainState":
        """The state before the first step from variables that there are, such as those of an edited network.

        They are copied: the step donates its state, and the network stays as it is.

        >>> from zerfoo_jax.graph.editing import Network
        >>> from zerfoo_jax.layers import Dense
        >>> from zerfoo_jax.optim import sgd
        >>> network = Network.new(Dense(3), jax.random.key(0), jnp.ones((1, 4)))
        >>> state = TrainState.of(network.params, network.state, sgd(0.1), jax.random.key(1))
        >>> state.params["kernel"] is network.params["kernel"]
        False
        """
        params, state = jax.tree.map(jnp.copy, (params, state))
        return cls._start(params, state, optimizer, key, precision, ema)

    @classmethod
    def _start(
        cls,
        params: Params,
        state: State,
        optimizer: optax.GradientTransformation,
        key: Array,
        precision: str | Policy,
        ema: bool,
    ) -> "TrainState":
        params = cast_floating(params, policy(precision).params)
        return cls(
            step=jnp.int32(0),
            params=params,
            state=state,
            opt_state=optimizer.init(params),
            key=key,
            # The step donates its input state, so no array may stand in two places: the average starts as a copy.
            ema=jax.tree.map(jnp.copy, params) if ema else None,
            scaler=LossScale.create() if policy(precision).scales_loss else None,
        )

    def replace(self, **changes: Any) -> Self:
        """The state with some parts exchanged."""
        return replace(self, **changes)

    @property
    def best_params(self) -> Params:
        """The parameters to evaluate and predict with: the average where there is one, the step's own or the optimizer's."""
        return evaluation_params(self.opt_state, self.params) if self.ema is None else self.ema
