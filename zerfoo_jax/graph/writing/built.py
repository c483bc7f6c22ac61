"""A graph with its forward and backward pass as plain functions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.types import Array, Params, State, Tree
from zerfoo_jax.graph.graph import Graph

InputGradients = tuple[Array | None, ...]


@dataclass(frozen=True)
class BoundGraph:
    """The two passes of a graph with given parameters."""

    forward: Callable[..., Tree]
    """`forward(*inputs) -> outputs`."""
    backward: Callable[[Tree, Sequence[Array]], tuple[InputGradients, Params]]
    """`backward(output_gradients, inputs) -> (input_gradients, parameter_gradients)`."""


@dataclass(frozen=True)
class BuiltGraph:
    """A checked graph and its two passes, both pure and as in evaluation: nothing is dropped, no statistics change."""

    graph: Graph

    def forward(self, params: Params, state: State, *inputs: Array) -> Tree:
        """The graph's output; several come as a tuple."""
        return self.graph.apply(params, state, *inputs)[0]

    def backward(
        self, params: Params, state: State, output_gradients: Tree, inputs: Sequence[Array]
    ) -> tuple[InputGradients, Params]:
        """Gradients for the inputs and the parameters, of sum over outputs of output · its gradient.

        There is one gradient for each output, shaped like it, in a tuple where the graph has several; None stands for zeros.
        An input that is not floating has the gradient None. Raises `ShapeError` for a gradient that does not fit its output.
        """
        floating = [jnp.issubdtype(jnp.result_type(x), jnp.floating) for x in inputs]

        def run(params: Params, varied: list[Array]) -> Tree:
            moving = iter(varied)
            return self.forward(params, state, *(next(moving) if f else x for f, x in zip(floating, inputs, strict=True)))

        outputs, pull = jax.vjp(run, params, [jnp.asarray(x) for f, x in zip(floating, inputs, strict=True) if f])
        parameter_gradients, varied = pull(self._cotangents(outputs, output_gradients))
        found = iter(varied)
        return tuple(next(found) if f else None for f in floating), parameter_gradients

    def bind(self, params: Params, state: State | None = None) -> BoundGraph:
        """The two passes with these parameters and this state (none by default) filled in.

        >>> from zerfoo_jax.graph import GraphBuilder
        >>> from zerfoo_jax.layers import Dense
        >>> builder = GraphBuilder()
        >>> built = builder.build(builder.add(Dense(3), builder.input("x", (None, 4))))
        >>> params, state = built.graph.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 4), jnp.float32))
        >>> bound = built.bind(params, state)
        >>> y = bound.forward(jnp.ones((2, 4)))
        >>> (x_gradient,), gradients = bound.backward(jnp.ones_like(y), (jnp.ones((2, 4)),))
        >>> x_gradient.shape, gradients["dense_0"]["bias"].tolist()
        ((2, 4), [2.0, 2.0, 2.0])
        """
        given = params, {} if state is None else state
        return BoundGraph(partial(self.forward, *given), partial(self.backward, *given))

    def _cotangents(self, outputs: Tree, gradients: Tree) -> Tree:
        wires = self.graph.outputs
        if len(wires) == 1:
            return jax.tree.map(partial(_cotangent, wires[0]), outputs, gradients, is_leaf=_is_none)
        if not isinstance(gradients, tuple | list) or len(gradients) != len(wires):
            raise ShapeError(f"the graph has {len(wires)} outputs {wires}", fix="give a tuple with a gradient for each")
        return tuple(map(_cotangent, wires, outputs, gradients))


def _is_none(x: Any) -> bool:
    return x is None


def _cotangent(wire: str, output: Array, gradient: Array | None) -> Any:
    if not jnp.issubdtype(output.dtype, jnp.floating):
        return np.zeros(output.shape, jax.dtypes.float0)
    if gradient is None:
        return jnp.zeros_like(output)
    if jnp.shape(gradient) != output.shape:
        raise ShapeError(f"the gradient of shape {jnp.shape(gradient)} is for an output of shape {output.shape}", place=wire)
    return jnp.asarray(gradient, output.dtype)
