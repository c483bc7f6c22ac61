"""The equations of a jaxpr that hold further jaxprs."""

from typing import Any

CALLS = ("checkpoint", "closed_call", "composite", "core_call", "custom_jvp_call", "custom_vjp_call", "jit", "pjit", "remat2")
"""The primitives that only call the jaxpr they hold."""

LOOPS = ("scan", "while")
"""The primitives that run the jaxprs they hold again and again."""


def bodies(equation: Any) -> list[tuple[Any, Any]]:
    """The jaxprs inside an equation, each with its constants: one of a call or a scan, one per branch of a `cond`, condition
    and body of a `while`; none where the primitive runs as it is.

    >>> import jax, jax.numpy as jnp
    >>> equation = jax.make_jaxpr(jax.jit(jnp.sin))(1.0).jaxpr.eqns[0]
    >>> [str(jaxpr.eqns[0].primitive) for jaxpr, _ in bodies(equation)]
    ['sin']
    """
    name, options = equation.primitive.name, equation.params
    if name in CALLS:
        held = [options.get("jaxpr") or options["call_jaxpr"]]
    elif name == "scan":
        held = [options["jaxpr"]]
    elif name == "cond":
        held = list(options["branches"])
    elif name == "while":
        held = [options["cond_jaxpr"], options["body_jaxpr"]]
    else:
        held = []
    return [(getattr(body, "jaxpr", body), getattr(body, "consts", ())) for body in held]
