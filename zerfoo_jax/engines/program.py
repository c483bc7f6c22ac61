"""A function as the jaxpr that is interpreted."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
from jax.core import Tracer
import jax.numpy as jnp

from zerfoo_jax.core.errors import EngineError
from zerfoo_jax.core.types import Tree
from zerfoo_jax.engines.engine import Function
from zerfoo_jax.engines.interpreter import Watch, interpret
from zerfoo_jax.engines.scope import Place, Scope
from zerfoo_jax.engines.value import Value


class Results(NamedTuple):
    """What a run of a program gave: the function's output, and its leaves, in the scope that made them, out of the leaves of
    its arguments, first those without names."""

    output: Tree
    arguments: Sequence[Value]
    leaves: Sequence[Value]
    scope: Scope


class Program:
    """A function that is traced at its first call, and again for arguments of other shapes or dtypes, and then interpreted."""

    def __init__(self, function: Function):
        self._jitted = jax.jit(function)
        self._scopes: dict[Any, Scope] = {}

    def run(self, arguments: tuple[Tree, ...], named: Mapping[str, Tree], watch: Watch | None = None) -> Results:
        """Interprets the function on these arguments, positional and named; `watch` is told of every primitive.

        Raises `EngineError` where a JAX transformation is going on around it.
        """
        leaves = jax.tree.leaves((arguments, dict(named)))
        if any(isinstance(leaf, Tracer) for leaf in leaves):
            raise EngineError(
                "an interpreted function has no derivative and cannot be compiled or mapped",
                fix="differentiate, map and compile first: engine.compile(jax.grad(function))",
            )
        traced = self._jitted.trace(*arguments, **named)
        closed = traced.jaxpr
        scope = self._scopes.setdefault(closed.jaxpr, Scope(closed.jaxpr))
        given = [Value(leaf if isinstance(leaf, jax.Array) else jnp.asarray(leaf)) for leaf in leaves]
        results = interpret(Place(scope), closed.consts, given, watch)
        output = jax.tree.unflatten(jax.tree.structure(traced.out_info), [jnp.asarray(x.array) for x in results])
        return Results(output, given, results, scope)
