"""Finds the layer in which a NaN or an infinity first appears.

The loss and its gradient are traced to a jaxpr, whose equations are run one by one. From a result that is not finite the
search goes back along what it was made of, to the earliest equation that makes a non-finite number out of finite ones; its
name stack says in which layer it stands. Infinities that are meant, such as those that mask, do not lead to such a result.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
import re
from typing import Any, Literal

import jax
from jax.extend import core as jex
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Array, Batch, Params, State, Tree
from zerfoo_jax.numeric import Policy, policy
from zerfoo_jax.training.gradients import Loss, Objective, gradients

CALLS = ("checkpoint", "closed_call", "custom_jvp_call", "custom_vjp_call", "jit", "pjit", "remat2")
"""The primitives that only call the jaxpr they hold."""
Phase = Literal["arguments", "forward pass", "backward pass"]
Body = tuple[Any, Sequence[Any], Sequence[Any]]
"""A jaxpr, its constants and its arguments."""


@dataclass(frozen=True)
class Culprit:
    """Where the first non-finite number arose: the path of the layer (empty for the loss) or of the argument, the operation,
    and in which pass; in the backward pass means that the loss is finite and its gradient is not."""

    path: str
    operation: str
    phase: Phase = "forward pass"

    @property
    def in_data(self) -> bool:
        """Whether it is the batch itself that is not finite."""
        return self.operation == "batch is not finite"

    def __str__(self) -> str:
        if self.phase == "arguments":
            return f"{self.operation}: {self.path!r}"
        where = f"layer {self.path!r}" if self.path else "the loss"
        return f"{self.operation} in the {self.phase} of {where}"


def locate(
    model: Layer, loss: Loss, params: Params, state: State, batch: Batch, key: Array, *, precision: str | Policy = "float32"
) -> Culprit | None:
    """The first source of NaN or infinity in one step's loss and gradients; None if all numbers are finite.

    >>> from zerfoo_jax.layers import Dense, Sequential
    >>> from zerfoo_jax.losses import mse
    >>> model = Sequential((Dense(2), Dense(1)))
    >>> params, state = model.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 3), jnp.float32))
    >>> params["dense_1"]["kernel"] = params["dense_1"]["kernel"].at[0].set(1e38)
    >>> batch = {"inputs": 100 * jnp.ones((4, 3)), "targets": jnp.ones((4, 1))}
    >>> print(locate(model, mse, params, state, batch, jax.random.key(0)))
    dot_general in the forward pass of layer 'dense_1'
    """
    for role, tree in (("parameter", params), ("state", state), ("batch", batch)):
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            if not _finite(leaf):
                return Culprit("/".join(str(p.key) for p in path), f"{role} is not finite", "arguments")
    objective = Objective(model, loss, {}, policy(precision))

    def forward(params: Params, state: State, batch: Batch, key: Array) -> Tree:
        outputs, new_state = objective.run(params, state, batch, key, train=True)
        sums = objective.sums(outputs, batch)
        return objective.compute(sums), sums, new_state

    def backward(params: Params, state: State, batch: Batch, key: Array) -> Tree:
        return gradients(objective, params, state, batch, key, None, 1)

    # The forward pass alone comes first: differentiated, it also computes derivatives, which would be blamed on it.
    arguments = (params, state, batch, key)
    return _search_in(forward, arguments, "forward pass") or _search_in(backward, arguments, "backward pass")


def _search_in(function: Callable[..., Tree], arguments: tuple[Tree, ...], phase: Phase) -> Culprit | None:
    closed = jax.make_jaxpr(function)(*arguments)
    found = _search((closed.jaxpr, closed.consts, jax.tree.leaves(arguments)), "")
    return found and Culprit(_layer_path(found[0]), found[1], phase)


def _search(body: Body, prefix: str) -> tuple[str, str] | None:
    """Name stack and primitive of the culprit in a jaxpr, if a result of it is not finite."""
    values = _evaluated(body)
    equation = _origin(body[0], values)
    if equation is None:
        return None
    path = "/".join(part for part in (prefix, str(equation.source_info.name_stack)) if part)
    inner = (_search(inside, path) for inside in _bodies(equation, _read(equation.invars, values)))
    return next(filter(None, inner), (path, equation.primitive.name))


def _evaluated(body: Body) -> dict[Any, Any]:
    """The value of every variable of a jaxpr."""
    jaxpr, consts, arguments = body
    values = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *arguments), strict=True))
    for equation in jaxpr.eqns:
        values.update(zip(equation.outvars, _run(equation, _read(equation.invars, values)), strict=True))
    return values


def _origin(jaxpr: Any, values: dict[Any, Any]) -> Any:
    """The earliest equation with finite inputs that the non-finite results of a jaxpr go back to."""
    made = {var for equation in jaxpr.eqns for var in equation.outvars}
    wanted = {v for v in jaxpr.outvars if not isinstance(v, jex.Literal) and v in made and not _finite(values[v])}
    origin = fallback = None
    for equation in reversed(jaxpr.eqns):
        if wanted.isdisjoint(equation.outvars):
            continue
        inputs = [v for v in equation.invars if not isinstance(v, jex.Literal) and v in made]
        # Of a NaN, a NaN is the likelier cause than an infinity beside it, which may be meant.
        causes = [v for v in inputs if _has_nan(values[v])] or [v for v in inputs if not _finite(values[v])]
        wanted.update(causes)
        if all(map(_finite, _read(equation.invars, values))):
            origin = equation
        elif not any(map(_has_nan, _read(equation.invars, values))):
            fallback = equation  # out of an infinity that is written in the model, or came in from outside
    return origin or fallback


def _read(variables: Sequence[Any], values: dict[Any, Any]) -> list[Any]:
    return [v.val if isinstance(v, jex.Literal) else values[v] for v in variables]


def _run(equation: Any, inputs: Sequence[Any]) -> Sequence[Any]:
    called = _called(equation, inputs)
    if called:  # not compiled as a whole: that takes longer than its few operations, which JAX has compiled before
        return _read(called[0].outvars, _evaluated(called))
    options = equation.primitive.get_bind_params(equation.params)
    outputs = equation.primitive.bind(*inputs, **options)
    return outputs if equation.primitive.multiple_results else [outputs]


def _bodies(equation: Any, inputs: Sequence[Any]) -> Iterator[Body]:
    """The jaxprs inside an equation with the values they run on: once, or for a scan once per iteration."""
    if equation.primitive.name == "cond":
        chosen = equation.params["branches"][int(inputs[0])]
        yield chosen.jaxpr, chosen.consts, inputs[1:]
    elif equation.primitive.name == "scan":
        yield from _iterations(equation, inputs)
    elif called := _called(equation, inputs):
        yield called


def _called(equation: Any, inputs: Sequence[Any]) -> Body | None:
    """The jaxpr of an equation that does no more than call it."""
    if equation.primitive.name not in CALLS:
        return None
    body = equation.params.get("jaxpr") or equation.params["call_jaxpr"]
    return getattr(body, "jaxpr", body), getattr(body, "consts", ()), inputs


def _iterations(equation: Any, inputs: Sequence[Any]) -> Iterator[Body]:
    jaxpr, consts = equation.params["jaxpr"].jaxpr, equation.params["jaxpr"].consts
    # Rows have one axis more outside than inside, carried values the same; what is left is constant.
    num_rows = sum(x.aval.ndim > v.aval.ndim for x, v in zip(equation.invars, jaxpr.invars, strict=True))
    num_carry = sum(o.aval.ndim == v.aval.ndim for o, v in zip(equation.outvars, jaxpr.outvars, strict=True))
    first_row = len(inputs) - num_rows
    fixed, carry, rows = inputs[: first_row - num_carry], inputs[first_row - num_carry : first_row], inputs[first_row:]
    order = range(equation.params["length"])
    for i in reversed(order) if equation.params["reverse"] else order:
        arguments = [*fixed, *carry, *(row[i] for row in rows)]
        yield jaxpr, consts, arguments
        carry = jex.jaxpr_as_fun(jex.ClosedJaxpr(jaxpr, consts))(*arguments)[:num_carry]


def _finite(x: Any) -> bool:
    return not jnp.issubdtype(_dtype(x), jnp.inexact) or bool(jnp.all(jnp.isfinite(x)))


def _has_nan(x: Any) -> bool:
    return jnp.issubdtype(_dtype(x), jnp.inexact) and bool(jnp.any(jnp.isnan(x)))


def _dtype(x: Any) -> Any:
    return x.dtype if hasattr(x, "dtype") else np.result_type(x)


def _layer_path(name_stack: str) -> str:
    """The layer path inside a name stack such as `transpose(jvp(dense_0))/block`.

    >>> _layer_path("transpose(jvp(stack_0))/block/inner")
    'stack_0/block/inner'
    """
    parts = [re.sub(r"^(?:\w+\()+|\)+$", "", part) for part in name_stack.split("/")]
    return "/".join(
        part for part in parts if part and part not in ("jvp", "transpose", "vmap", "checkpoint", "rematted_computation")
    )
