"""Recurrent layers. The input's part of all steps is one matrix product; only the recurrent part runs step by step.

Running states are kept in float32 for half precisions, since a sum over many steps stalls in them.
"""

from dataclasses import dataclass

import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State, param_dtype
from zerfoo_jax.layers.dense import over_last
from zerfoo_jax.layers.initializers import InitializerSpec, initialize
from zerfoo_jax.numeric import widened


@dataclass(frozen=True)
class _Recurrent(Layer):
    """What the recurrent layers share: their fields and their kernels, one block of columns per gate."""

    features: PositiveInt
    return_sequences: bool = True
    kernel_init: InitializerSpec = "lecun_normal"
    recurrent_init: InitializerSpec = "orthogonal"

    def _kernels(self, key: Array, x: Spec, gates: int) -> tuple[Array, Array]:
        expect_axes(x, "batch time features")
        expect_floating(x)

        def blocks(name: InitializerSpec, key: Array, rows: int) -> Array:
            parts = [initialize(name, k, (rows, self.features), param_dtype(x)) for k in jax.random.split(key, gates)]
            return jnp.concatenate(parts, axis=1)

        input_key, recurrent_key = jax.random.split(key)
        return blocks(self.kernel_init, input_key, x.shape[-1]), blocks(self.recurrent_init, recurrent_key, self.features)

    def _start(self, x: Array) -> Array:
        return jnp.zeros((x.shape[0], self.features), x.dtype)


def _project(params: Params, x: Array) -> Array:
    """x W + b for all steps at once, time first: (batch, time, in) -> (time, batch, gates · features)."""
    y = jnp.matmul(jnp.swapaxes(x, 0, 1), params["kernel"])
    return y + over_last(params["bias"], y)


@dataclass(frozen=True)
class LSTM(_Recurrent):
    """Long short-term memory with a forget gate: (batch, time, in) -> (batch, time, features), or the last step's
    (batch, features) without `return_sequences`; zeros where there is no step (Hochreiter & Schmidhuber, 1997; torch's form).

    i, f, g, o = σ, σ, tanh, σ of the four blocks of x W + b + h U;  c' = f c + i g;  h' = o tanh(c');  h = c = 0 at first.

    Parameters: `input` with `kernel` W (in, 4 · features) and `bias` b (4 · features,), starting at 0 but for the forget
    gate's 1 (Jozefowicz et al., 2015); `recurrent` with `kernel` U (features, 4 · features).

    >>> layer = LSTM(5)
    >>> params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((2, 7, 3), jnp.float32))
    >>> layer.forward(params, jnp.ones((2, 7, 3))).shape
    (2, 7, 5)
    """

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        kernel, recurrent = self._kernels(key, x, 4)
        bias = jnp.zeros((4, self.features), kernel.dtype).at[1].set(1).ravel()
        return {"input": {"kernel": kernel, "bias": bias}, "recurrent": {"kernel": recurrent}}, {}

    def forward(self, params: Params, x: Array) -> Array:
        recurrent = params["recurrent"]["kernel"]

        def step(carry: tuple[Array, Array], projected: Array) -> tuple[tuple[Array, Array], Array | None]:
            h, c = carry
            i, f, g, o = jnp.split(widened(projected + jnp.matmul(h, recurrent)), 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = (jax.nn.sigmoid(o) * jnp.tanh(c)).astype(x.dtype)
            return (h, c), h if self.return_sequences else None

        start = self._start(x)
        (last, _), every = lax.scan(step, (start, widened(start)), _project(params["input"], x))
        return last if every is None else jnp.swapaxes(every, 0, 1)


@dataclass(frozen=True)
class GRU(_Recurrent):
    """Gated recurrent unit: (batch, time, in) -> (batch, time, features), or the last step's (batch, features) without
    `return_sequences`; zeros where there is no step (Cho et al., arXiv 1406.1078; torch's form: reset after the product).

    r, z = σ of the first two blocks of x W + b + h U;  n = tanh(third block of (x W + b) + r (h U_n + b_hn));
    h' = (1 - z) n + z h;  h = 0 at first.

    Parameters: `input` with `kernel` W (in, 3 · features) and `bias` b (3 · features,); `recurrent` with `kernel` U
    (features, 3 · features) and `bias` b_hn (features,).

    >>> layer = GRU(5, return_sequences=False)
    >>> params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((2, 7, 3), jnp.float32))
    >>> layer.forward(params, jnp.ones((2, 7, 3))).shape
    (2, 5)
    """

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        kernel, recurrent = self._kernels(key, x, 3)
        return {
            "input": {"kernel": kernel, "bias": jnp.zeros(3 * self.features, kernel.dtype)},
            "recurrent": {"kernel": recurrent, "bias": jnp.zeros(self.features, kernel.dtype)},
        }, {}

    def forward(self, params: Params, x: Array) -> Array:
        recurrent, bias = params["recurrent"]["kernel"], widened(params["recurrent"]["bias"])[None]

        def step(h: Array, projected: Array) -> tuple[Array, Array | None]:
            x_r, x_z, x_n = jnp.split(widened(projected), 3, axis=-1)
            h_r, h_z, h_n = jnp.split(widened(jnp.matmul(h.astype(x.dtype), recurrent)), 3, axis=-1)
            r, z = jax.nn.sigmoid(x_r + h_r), jax.nn.sigmoid(x_z + h_z)
            h = (1 - z) * jnp.tanh(x_n + r * (h_n + bias)) + z * h
            return h, h.astype(x.dtype) if self.return_sequences else None

        last, every = lax.scan(step, widened(self._start(x)), _project(params["input"], x))
        return last.astype(x.dtype) if every is None else jnp.swapaxes(every, 0, 1)
