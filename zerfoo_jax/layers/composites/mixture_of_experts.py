"""Several layers of which the input itself says how much each counts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.fields import NonNegativeFloat, PositiveFloat, PositiveInt
from zerfoo_jax.core.layer import Built, Composite, Layer, Walk
from zerfoo_jax.core.types import Array, Params, State, Tree
from zerfoo_jax.layers.composites.parallel import aligned
from zerfoo_jax.layers.dense import Dense
from zerfoo_jax.numeric import widened


@dataclass(frozen=True)
class MixtureOfExperts(Composite):
    """y = Σ_i w_i(x) expert_i(x), with weights from a gate: p = softmax(gate(x) / T) over the experts.

    Without `top_k`, w = p. With it only the k largest p of each position keep a weight, divided by their sum (Shazeer et al.,
    arXiv 1701.06538); a single one keeps p itself, for the gate to have a gradient (Fedus et al., arXiv 2101.03961). Every
    expert computes every position: `top_k` chooses, it does not save time. `gate` is a Dense unless given. Experts and
    gate see all of the same axes before the last; further inputs, such as a mask, go to the experts alone. `pad` fills up
    narrower outputs with zeros.

    With `balance_weight` a, training sets the state `auxiliary_loss` to a n Σ_i f_i P_i (the same paper), with f_i the share of
    choices that fall on expert i of n and P_i the mean of p_i: it is a when all experts are used alike, and a n at the worst.

    Parameters: `gate`, `expert_0`, `expert_1`, ... Raises `ConfigError` for more choices than experts, and for a balance
    without choices.

    >>> layer = MixtureOfExperts((Dense(3), Dense(3)), top_k=1, balance_weight=0.01)
    >>> params, state = layer.init(jax.random.key(0), jnp.ones((4, 5)))
    >>> y, state = layer.apply(params, state, jnp.ones((4, 5)), train=True)
    >>> y.shape, 0.0 < float(state["auxiliary_loss"]) <= 0.02
    ((4, 3), True)
    """

    experts: tuple[Layer, ...]
    top_k: PositiveInt | None = None
    temperature: PositiveFloat = 1.0
    balance_weight: NonNegativeFloat = 0.0
    pad: bool = False
    gate: Layer | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.experts or (self.top_k or 0) > len(self.experts):
            raise ConfigError(
                f"MixtureOfExperts.top_k = {self.top_k} does not fit {len(self.experts)} experts",
                fix="choose at most all of them",
            )
        if self.balance_weight and self.top_k is None:
            raise ConfigError(
                f"MixtureOfExperts.balance_weight = {self.balance_weight} needs top_k: it evens out choices", fix="give top_k"
            )

    def children(self) -> Mapping[str, Layer]:
        return {"gate": self.gate or Dense(len(self.experts))} | {f"expert_{i}": e for i, e in enumerate(self.experts)}

    def connect(self, call: Callable[..., Tree], *xs: Any) -> Tree:
        logits = call("gate", xs[0])
        outputs = aligned([call(f"expert_{i}", *xs) for i in range(len(self.experts))], self.pad)
        if logits.shape != (*outputs[0].shape[:-1], len(self.experts)):
            raise ShapeError(
                f"MixtureOfExperts needs gate outputs {(*outputs[0].shape[:-1], len(self.experts))} for expert outputs "
                f"{tuple(outputs[0].shape)}, got {tuple(logits.shape)}",
                fix="experts and gate should keep all axes but the last, and the gate end with one number per expert",
            )
        probabilities = jax.nn.softmax(widened(logits) / self.temperature)
        chosen = None if self.top_k is None else _largest(probabilities, self.top_k)
        weights = probabilities if chosen is None else _weights(probabilities, chosen, self.top_k == 1)
        y = jnp.einsum("...i,...ic->...c", weights, jnp.stack([widened(output) for output in outputs], axis=-2))
        balance = _balance(probabilities, chosen) if chosen is not None and self.balance_weight else None
        return y.astype(outputs[0].dtype), balance

    def build(self, walk: Walk, key: Array, *xs: Any) -> Built:
        params, state, (y, balance) = super().build(walk, key, *xs)
        return params, state if balance is None else {**state, "auxiliary_loss": jnp.zeros((), jnp.float32)}, y

    def apply(
        self, params: Params, state: State, *xs: Any, key: Array | None = None, train: bool = False
    ) -> tuple[Tree, State]:
        (y, balance), new_state = super().apply(params, state, *xs, key=key, train=train)
        if balance is None:
            return y, new_state
        loss = (self.balance_weight * balance).astype(jnp.float32) if train else state["auxiliary_loss"]
        return y, {**new_state, "auxiliary_loss": loss}


def _largest(probabilities: Array, k: int) -> Array:
    """1 at the k largest of the last axis, 0 elsewhere."""
    _, indices = lax.top_k(probabilities, k)
    return jnp.sum(jax.nn.one_hot(indices, probabilities.shape[-1], dtype=probabilities.dtype), axis=-2)


def _weights(probabilities: Array, chosen: Array, single: bool) -> Array:
    kept = probabilities * chosen
    return kept if single else kept / jnp.sum(kept, axis=-1, keepdims=True)


def _balance(probabilities: Array, chosen: Array) -> Array:
    """n Σ_i f_i P_i over all positions."""
    experts = probabilities.shape[-1]
    shares, means = (jnp.mean(x.reshape(-1, experts), axis=0) for x in (chosen, probabilities))
    return experts * jnp.sum(shares / jnp.sum(shares) * means)
