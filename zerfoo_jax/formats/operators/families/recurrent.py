"""Recurrent layers: RNN, LSTM and GRU, each one or two directions over (length, batch, features).

Weights are (directions, gates · hidden, features), biases hold those of the input before those of the state.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import FormatError, ShapeError
from zerfoo_jax.core.types import Array
from zerfoo_jax.formats.operators.gates import Gate, gates_of
from zerfoo_jax.numeric import widened

Floats = Sequence[float]
State = tuple[Array, ...]
Cell = Callable[[State, Array], State]
"""The state after a position, of the state before it and the position's part of the gates."""


def RNN(
    x: Array,
    w: Array,
    r: Array,
    b: Array | None = None,
    sequence_lens: Array | None = None,
    initial_h: Array | None = None,
    *,
    activation_alpha: Floats = (),
    activation_beta: Floats = (),
    activations: Sequence[str] = (),
    clip: float = float("inf"),
    direction: str = "forward",
    hidden_size: int = 0,
    layout: int = 0,
    output_sequence: int = 0,
) -> tuple[Array, ...]:
    """h_t = f(x_t Wᵀ + h_{t-1} Rᵀ + b): (length, directions, batch, hidden) and the last h."""
    del output_sequence
    count = _directions(w, direction)
    gates = gates_of(activations, ("Tanh",), count, activation_alpha, activation_beta, clip)
    cells = [partial(_rnn_cell, widened(r[d]), gates[d]) for d in range(count)]
    biases = _summed_biases(b, count, r)
    return _run(x, w, biases, cells, sequence_lens, (initial_h,), _hidden(r, hidden_size), direction, layout)


def _rnn_cell(r: Array, gates: Sequence[Gate], state: State, now: Array) -> State:
    (h,), (f,) = state, gates
    return (f(now + h @ r.T),)


def GRU(
    x: Array,
    w: Array,
    r: Array,
    b: Array | None = None,
    sequence_lens: Array | None = None,
    initial_h: Array | None = None,
    *,
    activation_alpha: Floats = (),
    activation_beta: Floats = (),
    activations: Sequence[str] = (),
    clip: float = float("inf"),
    direction: str = "forward",
    hidden_size: int = 0,
    layout: int = 0,
    linear_before_reset: int = 0,
    output_sequence: int = 0,
) -> tuple[Array, ...]:
    """h_t = (1 - z) g(x_t W_hᵀ + (r h_{t-1}) R_hᵀ + b_h) + z h_{t-1} with gates z, r = f(x_t Wᵀ + h_{t-1} Rᵀ + b); the last h.

    With `linear_before_reset` the gate r multiplies h_{t-1} R_hᵀ + b instead (Cho et al., arXiv 1406.1078). Gates: z, r, h.
    """
    del output_sequence
    count = _directions(w, direction)
    gates = gates_of(activations, ("Sigmoid", "Tanh"), count, activation_alpha, activation_beta, clip)
    hidden = _hidden(r, hidden_size)
    of_input, of_state = _split_biases(b, count, r)
    cells = [partial(_gru_cell, widened(r[d]), of_state[d], gates[d], bool(linear_before_reset)) for d in range(count)]
    return _run(x, w, of_input, cells, sequence_lens, (initial_h,), hidden, direction, layout)


def _gru_cell(r: Array, bias: Array, gates: Sequence[Gate], linear: bool, state: State, now: Array) -> State:
    (h,), (f, g), size = state, gates, r.shape[-1]
    z, reset = jnp.split(f(now[:, : 2 * size] + h @ r[: 2 * size].T + bias[None, : 2 * size]), 2, axis=-1)
    own, last = r[2 * size :], bias[None, 2 * size :]
    from_state = reset * (h @ own.T + last) if linear else (reset * h) @ own.T + last
    return ((1 - z) * g(now[:, 2 * size :] + from_state) + z * h,)


def LSTM(
    x: Array,
    w: Array,
    r: Array,
    b: Array | None = None,
    sequence_lens: Array | None = None,
    initial_h: Array | None = None,
    initial_c: Array | None = None,
    p: Array | None = None,
    *,
    activation_alpha: Floats = (),
    activation_beta: Floats = (),
    activations: Sequence[str] = (),
    clip: float = float("inf"),
    direction: str = "forward",
    hidden_size: int = 0,
    input_forget: int = 0,
    layout: int = 0,
    output_sequence: int = 0,
) -> tuple[Array, ...]:
    """c_t = f c_{t-1} + i g(...), h_t = o h(c_t) with gates i, o, f = f(x_t Wᵀ + h_{t-1} Rᵀ + P c + b); the last h and c.

    Gates: i, o, f, c. The peepholes P see c_{t-1}, that of o sees c_t; with `input_forget` f = 1 - i (Hochreiter and
    Schmidhuber, 1997).
    """
    del output_sequence
    count, hidden = _directions(w, direction), _hidden(r, hidden_size)
    # As onnxruntime does: clip is for what enters the gates, and the cell's state enters none.
    gates = gates_of(activations, ("Sigmoid", "Tanh", "Tanh"), count, activation_alpha, activation_beta, clip, unclipped=1)
    peepholes = jnp.zeros((count, 3 * hidden), widened(x).dtype) if p is None else widened(p)
    cells = [partial(_lstm_cell, widened(r[d]), peepholes[d], gates[d], bool(input_forget)) for d in range(count)]
    biases = _summed_biases(b, count, r)
    return _run(x, w, biases, cells, sequence_lens, (initial_h, initial_c), hidden, direction, layout)


def _lstm_cell(r: Array, peepholes: Array, gates: Sequence[Gate], coupled: bool, state: State, now: Array) -> State:
    (h, c), (f, g, out) = state, gates
    of_input, of_output, of_forget, of_cell = jnp.split(now + h @ r.T, 4, axis=-1)
    see_input, see_output, see_forget = jnp.split(peepholes[None], 3, axis=-1)
    taken = f(of_input + see_input * c)
    kept = 1 - taken if coupled else f(of_forget + see_forget * c)
    c = kept * c + taken * g(of_cell)
    return f(of_output + see_output * c) * out(c), c


def _directions(w: Array, direction: str) -> int:
    if direction not in ("forward", "foward", "reverse", "bidirectional"):  # the default of version 1 is misspelt
        raise FormatError(f"there is no direction {direction!r}", fix="known: forward, reverse, bidirectional")
    count = 2 if direction == "bidirectional" else 1
    if w.ndim != 3 or w.shape[0] != count:
        raise ShapeError(f"weights of shape {tuple(w.shape)} are not for {count} directions")
    return count


def _hidden(r: Array, hidden_size: int) -> int:
    if hidden_size and hidden_size != r.shape[-1]:
        raise ShapeError(f"hidden_size = {hidden_size}, but the recurrent weights are of shape {tuple(r.shape)}")
    return r.shape[-1]


def _split_biases(b: Array | None, count: int, r: Array) -> tuple[Array, Array]:
    """The biases of the inputs and of the state, each (directions, gates · hidden)."""
    wide = widened(r).dtype
    both = jnp.zeros((count, 2 * r.shape[1]), wide) if b is None else jnp.asarray(b).astype(wide)
    return both[:, : r.shape[1]], both[:, r.shape[1] :]


def _summed_biases(b: Array | None, count: int, r: Array) -> Array:
    of_input, of_state = _split_biases(b, count, r)
    return of_input + of_state


def _run(
    x: Array,
    w: Array,
    biases: Array,
    cells: Sequence[Cell],
    lengths: Array | None,
    initial: Sequence[Array | None],
    hidden: int,
    direction: str,
    layout: int,
) -> tuple[Array, ...]:
    """The outputs of all positions and the last states, in the layout that is asked for."""
    by_batch = bool(layout)
    x = jnp.asarray(x)
    wide = widened(jnp.swapaxes(x, 0, 1) if by_batch else x)
    begin = [_begin(state, len(cells), wide.shape[1], hidden, by_batch, wide.dtype) for state in initial]
    ys, last = [], []
    for d, cell in enumerate(cells):
        backwards = direction == "reverse" or d == 1
        order = partial(_reversed, lengths=lengths) if backwards else lambda sequence: sequence
        inputs = order(wide) @ widened(w[d]).T + biases[d][None, None]
        y, states = _scan(cell, tuple(state[d] for state in begin), inputs, lengths)
        ys.append(order(y))
        last.append(states)
    y = jnp.stack(ys, axis=1).astype(x.dtype)
    states = [jnp.stack(parts).astype(x.dtype) for parts in zip(*last, strict=True)]
    if by_batch:
        return jnp.moveaxis(y, 2, 0), *(jnp.swapaxes(state, 0, 1) for state in states)
    return y, *states


def _begin(state: Array | None, count: int, batch: int, hidden: int, by_batch: bool, dtype: Any) -> Array:
    """A state before the first position, (directions, batch, hidden): zeros unless given."""
    if state is None:
        return jnp.zeros((count, batch, hidden), dtype)
    return jnp.asarray(jnp.swapaxes(state, 0, 1) if by_batch else state).astype(dtype)


def _scan(cell: Cell, begin: State, inputs: Array, lengths: Array | None) -> tuple[Array, State]:
    """The hidden state at all positions, zeros beyond the lengths, and the state at the last that counts."""

    def step(state: State, now: tuple[Array, Array]) -> tuple[State, Array]:
        place, part = now
        new = cell(state, part)
        if lengths is None:
            return new, new[0]
        counts = (place < lengths.astype(jnp.int32))[:, None]
        kept = tuple(jnp.where(counts, a, b) for a, b in zip(new, state, strict=True))
        return kept, jnp.where(counts, new[0], jnp.zeros((), new[0].dtype))

    last, y = lax.scan(step, begin, (jnp.arange(inputs.shape[0], dtype=jnp.int32), inputs))
    return y, last


def _reversed(x: Array, lengths: Array | None) -> Array:
    """Each sequence of (length, batch, features) backwards, as far as it counts."""
    if lengths is None:
        return jnp.flip(x, 0)
    places = jnp.arange(x.shape[0], dtype=jnp.int32)[:, None]
    counts = jnp.asarray(lengths).astype(jnp.int32)[None]
    order = jnp.where(places < counts, counts - 1 - places, places)
    return jnp.take_along_axis(x, order[..., None], axis=0)
