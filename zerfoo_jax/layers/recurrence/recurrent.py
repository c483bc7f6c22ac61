"""Recurrent layers: SimpleRNN, LSTM and GRU over sequences (batch, time, in).

All share their options and further inputs. The output is that of the last layer after every step, (batch, time, features), or
without `return_sequences` after the last step, (batch, features); where there is no step it is zero. With `num_layers` each
layer's outputs are the next one's inputs, in training with `dropout` in between. `bidirectional` adds to each layer one that
starts from the end; outputs are both directions' joined, 2 · features wide, and its last step is the first in time. With
`return_state` the output is a flat tuple (y, h), for LSTM (y, h, c), of the states after each direction's last step, (layers ·
directions, batch, features), ordered by layer, then direction, as in torch.

An optional second input `lengths` (batch,) of integers gives the number of steps of each sequence: outputs behind the end are
zero, the last state is that after the real last step, and the backward direction starts there. Initial states may follow, in
the shape and order in which `return_state` gives them; otherwise they are zero.

Each layer and direction has its parameters under `forward_0`, `backward_0`, `forward_1`, ...; bad lengths and states raise
`ShapeError`. Running states are kept in float32 for half precisions, since a sum over many steps stalls in them.
"""

from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.fields import PositiveInt, Probability
from zerfoo_jax.core.keys import fold_in_name
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating, expect_integer
from zerfoo_jax.core.types import Array, Params, Spec, State, Tree, param_dtype
from zerfoo_jax.layers.initializers import InitializerSpec, initialize
from zerfoo_jax.layers.noise.dropout import drop
from zerfoo_jax.layers.recurrence import recurrent_cells as cells
from zerfoo_jax.layers.recurrence.recurrence import project, run
from zerfoo_jax.numeric import widened


@dataclass(frozen=True)
class _Recurrent(Layer):
    """What the recurrent layers share; a subclass names its cell and adds its biases."""

    features: PositiveInt
    num_layers: PositiveInt = 1
    bidirectional: bool = False
    dropout: Probability = 0.0
    return_sequences: bool = True
    return_state: bool = False
    kernel_init: InitializerSpec = "lecun_normal"
    recurrent_init: InitializerSpec = "orthogonal"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dropout and self.num_layers == 1:
            raise ConfigError(
                f"{type(self).__name__}.dropout = {self.dropout} acts between layers, and num_layers = 1 has no between",
                fix="put a Dropout layer after it, or use more layers",
            )

    def _cell(self) -> cells.Cell:
        raise NotImplementedError

    def _biases(self, dtype: Any) -> Params:
        """`input` and, where there is one, `recurrent` bias at the start."""
        return {"input": jnp.zeros(self._cell().gates * self.features, dtype)}

    def _names(self) -> list[list[str]]:
        """The parameters' names by layer: `forward_0`, `backward_0`, `forward_1`, ..."""
        directions = ("forward", "backward") if self.bidirectional else ("forward",)
        return [[f"{direction}_{layer}" for direction in directions] for layer in range(self.num_layers)]

    def init(self, key: Array, x: Spec, lengths: Spec | None = None, *states: Spec) -> tuple[Params, State]:
        expect_axes(x, "batch time features")
        expect_floating(x)
        self._expect_further_inputs(x, lengths, states)
        params, width = {}, x.shape[-1]
        for names in self._names():
            for name in names:
                params[name] = self._kernels(fold_in_name(key, name), width, param_dtype(x))
            width = self.features * len(names)
        return params, {}

    def _kernels(self, key: Array, width: int, dtype: Any) -> Params:
        """One block of columns per gate, each drawn by itself."""

        def blocks(name: InitializerSpec, key: Array, rows: int) -> Array:
            keys = jax.random.split(key, self._cell().gates)
            return jnp.concatenate([initialize(name, k, (rows, self.features), dtype) for k in keys], axis=1)

        input_key, recurrent_key = jax.random.split(key)
        kernels = {
            "input": blocks(self.kernel_init, input_key, width),
            "recurrent": blocks(self.recurrent_init, recurrent_key, self.features),
        }
        biases = self._biases(dtype)
        return {n: {"kernel": k} | ({"bias": biases[n]} if n in biases else {}) for n, k in kernels.items()}

    def _expect_further_inputs(self, x: Spec, lengths: Spec | None, states: tuple[Spec, ...]) -> None:
        name, batch = type(self).__name__, x.shape[0]
        if lengths is not None:
            expect_integer(lengths)
            if lengths.shape != (batch,):
                raise ShapeError(f"{name} needs lengths of shape {(batch,)}, got {tuple(lengths.shape)}")
        if states and len(states) != self._cell().states:
            raise ShapeError(f"{name} has {self._cell().states} initial state(s), got {len(states)}")
        wanted = (self.num_layers * (1 + self.bidirectional), batch, self.features)
        for state in states:
            if state.shape != wanted:
                raise ShapeError(f"{name} needs initial states of shape {wanted}, got {tuple(state.shape)}")

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        lengths: Array | None = None,
        *states: Array,
        key: Array | None = None,
        train: bool = False,
    ) -> tuple[Tree, State]:
        valid = None if lengths is None else jnp.arange(x.shape[1], dtype=jnp.int32)[:, None] < lengths.astype(jnp.int32)[None]
        y = _counting(jnp.swapaxes(x, 0, 1), valid)  # what lies behind an end must not reach a gradient, NaN as little
        lasts = []
        for layer, names in enumerate(self._names()):
            if train and layer:
                y = drop(y, self.dropout, None if key is None else fold_in_name(key, names[0]))
            outputs = []
            for name in names:
                start = tuple(widened(s[len(lasts)]) for s in states) or self._zeros(x)
                every, last = self._run(params[name], name.startswith("backward"), y, start, valid)
                outputs.append(_counting(every, valid))
                lasts.append(tuple(s.astype(x.dtype) for s in last))
            y = jnp.concatenate(outputs, axis=-1)
        if self.return_sequences:
            y = jnp.swapaxes(y, 0, 1)
        else:
            y = jnp.concatenate([h for h, *_ in lasts[-len(self._names()[-1]) :]], axis=-1)
        return ((y, *map(jnp.stack, zip(*lasts, strict=True))) if self.return_state else y), state

    def _zeros(self, x: Array) -> cells.States:
        return (widened(jnp.zeros((x.shape[0], self.features), x.dtype)),) * self._cell().states

    def _run(
        self, params: Params, reverse: bool, x: Array, start: cells.States, valid: Array | None
    ) -> tuple[Array, cells.States]:
        kernel, bias = params["recurrent"]["kernel"], params["recurrent"].get("bias")
        if bias is not None:  # that of the last gate alone
            bias = jnp.pad(bias, (kernel.shape[1] - bias.size, 0))
        projected = project(x, params["input"]["kernel"], params["input"]["bias"])
        return run(self._cell(), reverse, projected, kernel, bias, start, valid)


def _counting(x: Array, valid: Array | None) -> Array:
    """(time, batch, n) with zeros where a step does not count."""
    return x if valid is None else jnp.where(valid[..., None], x, jnp.zeros_like(x))


@dataclass(frozen=True)
class SimpleRNN(_Recurrent):
    """The Elman network h' = tanh(x W + b + h U), or relu in place of tanh: (batch, time, in) -> (batch, time, features)
    (Elman, 1990). Options, further inputs and states are those of all recurrent layers, see `layers.recurrence.recurrent`.

    Parameters, for each layer and direction as in `forward_0`: `input` with `kernel` W (in, features) and `bias` b (features,);
    `recurrent` with `kernel` U (features, features).

    >>> layer = SimpleRNN(5, activation="relu", return_sequences=False)
    >>> params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((2, 7, 3), jnp.float32))
    >>> layer.apply(params, state, jnp.ones((2, 7, 3)))[0].shape
    (2, 5)
    """

    activation: Literal["tanh", "relu"] = "tanh"

    def _cell(self) -> cells.Cell:
        return cells.TANH if self.activation == "tanh" else cells.RELU


@dataclass(frozen=True)
class LSTM(_Recurrent):
    """Long short-term memory with a forget gate: (batch, time, in) -> (batch, time, features) (Hochreiter & Schmidhuber, 1997;
    torch's form). Options, further inputs and states are those of all recurrent layers, see `layers.recurrence.recurrent`.

    i, f, g, o = σ, σ, tanh, σ of the four blocks of x W + b + h U;  c' = f c + i g;  h' = o tanh(c').

    Parameters, for each layer and direction as in `forward_0`: `input` with `kernel` W (in, 4 · features) and `bias` b
    (4 · features,), starting at 0 but for the forget gate's 1 (Jozefowicz et al., 2015); `recurrent` with `kernel` U
    (features, 4 · features).

    >>> layer = LSTM(5, num_layers=2, bidirectional=True, return_state=True)
    >>> params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((2, 7, 3), jnp.float32))
    >>> [part.shape for part in layer.apply(params, state, jnp.ones((2, 7, 3)), jnp.array([7, 4]))[0]]
    [(2, 7, 10), (4, 2, 5), (4, 2, 5)]
    """

    def _cell(self) -> cells.Cell:
        return cells.LSTM

    def _biases(self, dtype: Any) -> Params:
        return {"input": jnp.zeros((4, self.features), dtype).at[1].set(1).ravel()}


@dataclass(frozen=True)
class GRU(_Recurrent):
    """Gated recurrent unit: (batch, time, in) -> (batch, time, features) (Cho et al., arXiv 1406.1078; torch's form: reset
    after the product). Options, further inputs and states are those of all recurrent layers, see `layers.recurrence.recurrent`.

    r, z = σ of the first two blocks of x W + b + h U;  n = tanh(third block of (x W + b) + r (h U_n + b_hn));
    h' = (1 - z) n + z h.

    Parameters, for each layer and direction as in `forward_0`: `input` with `kernel` W (in, 3 · features) and `bias` b
    (3 · features,); `recurrent` with `kernel` U (features, 3 · features) and `bias` b_hn (features,).

    >>> layer = GRU(5)
    >>> params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((2, 7, 3), jnp.float32))
    >>> layer.apply(params, state, jnp.ones((2, 7, 3)))[0].shape
    (2, 7, 5)
    """

    def _cell(self) -> cells.Cell:
        return cells.GRU

    def _biases(self, dtype: Any) -> Params:
        return {**super()._biases(dtype), "recurrent": jnp.zeros(self.features, dtype)}
