"""How many floating-point operations a model does, and in which layer: counted on the program that this machine would run.

Counted are multiplications and additions one by one, so that y = x K takes 2·batch·in·out of them (half as many multiply-adds);
every other function or comparison of numbers, such as exp, is one for each number that it gives, and a reduction or a
cumulative sum one for each that it takes. A convolution counts its whole kernel at the edges too, as the literature does, where
XLA's own count leaves out what falls on padding. Moving and converting numbers and arithmetic of integers are free. A scan
counts as often as it iterates, of the branches of a conditional the largest counts, and a loop whose length only the data knows
counts once.
"""

from collections import Counter
from collections.abc import Callable, Mapping
import math
from typing import Any

import jax
import jax.numpy as jnp

from zerfoo_jax.core.errors import join_path
from zerfoo_jax.core.types import Tree
from zerfoo_jax.engines.bodies import bodies
from zerfoo_jax.engines.names import layer_names

MOVES = frozenset(
    [
        "broadcast_in_dim",
        "concatenate",
        "convert_element_type",
        "copy",
        "copy_p",
        "device_put",
        "dynamic_slice",
        "dynamic_update_slice",
        "gather",
        "iota",
        "optimization_barrier",
        "pad",
        "pvary",
        "reduce_precision",
        "reshape",
        "rev",
        "select_n",
        "sharding_constraint",
        "slice",
        "split",
        "squeeze",
        "stop_gradient",
        "transpose",
        "bitcast_convert_type",
        "scatter",
        "reduce_and",
        "reduce_or",
    ]
)
"""Primitives that compute no numbers."""

Counts = Counter[str]


def count_operations(function: Callable[..., Tree], *arguments: Tree) -> Mapping[str, int]:
    """Operations of a function of arrays or their specs, by the path of named scopes in which they stand.

    >>> from zerfoo_jax.layers import Dense, Sequential
    >>> model, x = Sequential((Dense(5, use_bias=False), Dense(2))), jax.ShapeDtypeStruct((3, 4), jnp.float32)
    >>> dict(count_operations(lambda params, x: model.apply(params, {}, x)[0], *jax.eval_shape(model.init, KEY, x)[:1], x))
    {'dense_0': 120, 'dense_1': 66}
    """
    return _counts(jax.make_jaxpr(function)(*arguments).jaxpr, "")


KEY = jax.eval_shape(lambda: jax.random.key(0))
"""What stands for a random key where only shapes matter."""


def _counts(jaxpr: Any, prefix: str) -> Counts:
    found: Counts = Counter()
    for equation in jaxpr.eqns:
        path = join_path(prefix, "/".join(layer_names(str(equation.source_info.name_stack))))
        inside = [_counts(jaxpr, path) for jaxpr, _ in bodies(equation)]
        if equation.primitive.name == "cond":
            inside = [max(inside, key=Counter.total)]
        times = equation.params["length"] if equation.primitive.name == "scan" else 1
        for counts in inside:
            found.update({path: times * count for path, count in counts.items()})
        own = 0 if inside else _operations(equation)
        found.update({path: own} if own else {})
    return found


def _operations(equation: Any) -> int:
    name = equation.primitive.name
    inputs = [v.aval for v in equation.invars if hasattr(v.aval, "shape")]
    if name in MOVES or not any(jnp.issubdtype(x.dtype, jnp.inexact) for x in inputs):
        return 0
    outputs = [v.aval for v in equation.outvars if hasattr(v.aval, "shape")]
    return COSTS.get(name, _of_each)(inputs, outputs, equation.params)


def _of_each(inputs: Any, outputs: Any, params: Any) -> int:
    return max(math.prod(y.shape) for y in outputs) if outputs else 0


def _reduction(inputs: Any, outputs: Any, params: Any) -> int:
    return math.prod(inputs[0].shape)


def _dot(inputs: Any, outputs: Any, params: Any) -> int:
    (contracted, _), _ = params["dimension_numbers"]
    return 2 * math.prod(outputs[0].shape) * math.prod(inputs[0].shape[axis] for axis in contracted)


def _convolution(inputs: Any, outputs: Any, params: Any) -> int:
    # The kernel's input channels are those of one group already; of a widened input only every n-th number is there.
    kernel = inputs[1].shape
    taps = math.prod(kernel) // kernel[params["dimension_numbers"].rhs_spec[0]]
    return 2 * math.prod(outputs[0].shape) * taps // math.prod(params["lhs_dilation"])


def _windows(inputs: Any, outputs: Any, params: Any) -> int:
    return math.prod(outputs[0].shape) * math.prod(params["window_dimensions"])


def _scattering(inputs: Any, outputs: Any, params: Any) -> int:
    return math.prod(inputs[-1].shape)


COSTS: dict[str, Callable[[Any, Any, Any], int]] = {
    "argmax": _reduction,
    "argmin": _reduction,
    "conv_general_dilated": _convolution,
    "dot_general": _dot,
    "reduce": _reduction,
    "reduce_max": _reduction,
    "reduce_min": _reduction,
    "reduce_prod": _reduction,
    "reduce_sum": _reduction,
    "reduce_window": _windows,
    "reduce_window_max": _windows,
    "reduce_window_min": _windows,
    "reduce_window_sum": _windows,
    "scatter-add": _scattering,
    "scatter_add": _scattering,
}
"""Of the primitives that do not compute one number after another."""
