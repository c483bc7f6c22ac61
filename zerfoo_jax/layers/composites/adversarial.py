"""Two networks that train against each other in one model (Goodfellow et al., arXiv 1406.2661)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.keys import fold_in_name
from zerfoo_jax.core.layer import Composite, Layer, run_part
from zerfoo_jax.core.recording import lifted
from zerfoo_jax.core.shapes import expect_same_shape
from zerfoo_jax.core.types import Array, Params, State, Tree


@dataclass(frozen=True)
class AdversarialPair(Composite):
    """[D(x), D(G(z)) of a stopped G, D(G(z)) of a stopped D] for real examples x: (batch, ...) -> (batch, 3).

    The generator G turns z ~ N(0, 1), (batch, latent_features), into examples like x; the discriminator D gives one logit for
    each example, (batch,) or (batch, 1). The second and the third column are equal numbers, but the gradient of the second ends
    at G(z) and that of the third passes by the parameters of D: the loss `adversarial` of all three trains both networks at
    once, each for its own end. Outside training z = 0.

    Parameters and state: `generator`, `discriminator`. Statistics that D keeps are of real and of generated examples.
    Raises `ConfigError` when training without a key, `ShapeError` where G's output is not like x or D's is not one logit.

    >>> from zerfoo_jax.layers import Dense
    >>> pair = AdversarialPair(Dense(2), Dense(1), 3)
    >>> params, state = pair.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 2), jnp.float32))
    >>> pair.apply(params, state, jnp.ones((5, 2)), key=jax.random.key(1), train=True)[0].shape
    (5, 3)
    """

    generator: Layer
    discriminator: Layer
    latent_features: PositiveInt

    def children(self) -> Mapping[str, Layer]:
        return {"generator": self.generator, "discriminator": self.discriminator}

    def connect(self, call: Callable[..., Tree], x: Any) -> Tree:
        # Each part once, as `init` needs it; `apply` runs the discriminator three times.
        expect_same_shape("AdversarialPair", x, call("generator", jnp.zeros((x.shape[0], self.latent_features), x.dtype)))
        return _columns(*[call("discriminator", x)] * 3)

    def apply(
        self, params: Params, state: State, *xs: Array, key: Array | None = None, train: bool = False
    ) -> tuple[Array, State]:
        (x,) = xs

        new_state: dict[str, Any] = {}

        def run(name: str, own: Params, kept: State, *inputs: Array, draw: str) -> tuple[Array, State]:
            run_key = None if key is None else fold_in_name(key, draw)
            return run_part(self.children()[name], name, own, kept, *inputs, key=run_key, train=train)

        fake, new = run("generator", *_part("generator", params, state), self._latent(x, key, train), draw="generator")
        own, kept = _part("discriminator", params, state)
        real_logit, kept = run("discriminator", own, kept, x, draw="real")
        kept = lifted(kept, new_state)  # of the discriminator's activity, that on real examples
        fake_logit, seen = run("discriminator", own, kept, lax.stop_gradient(fake), draw="fake")
        judged_logit, _ = run("discriminator", lax.stop_gradient(own), kept, fake, draw="fake")
        parts = {"generator": lifted(new, new_state), "discriminator": lifted(seen, {})}
        return _columns(real_logit, fake_logit, judged_logit), new_state | {name: kept for name, kept in parts.items() if kept}

    def _latent(self, x: Array, key: Array | None, train: bool) -> Array:
        shape = (x.shape[0], self.latent_features)
        if not train:
            return jnp.zeros(shape, x.dtype)
        if key is None:
            raise ConfigError("AdversarialPair needs a random key in training", fix="pass key=..., or train=False")
        return jax.random.normal(fold_in_name(key, "latent"), shape, x.dtype)


def _part(name: str, params: Params, state: State) -> tuple[Params, State]:
    return params.get(name, {}), state.get(name, {})


def _columns(*logits: Array) -> Array:
    """One column for each array of one logit per example."""
    shape = logits[0].shape
    if shape[1:] not in ((), (1,)):
        raise ShapeError(
            f"AdversarialPair needs a discriminator of one logit for each example, got shape {tuple(shape)}",
            fix="end it with Dense(1)",
        )
    return jnp.stack([logit.reshape(shape[0]) for logit in logits], axis=1)
