"""Angles and hyperbolic functions, element by element."""

from typing import Any

import jax.numpy as jnp


def Sin(input: Any) -> Any:
    """The sine."""
    return jnp.sin(input)


def Cos(input: Any) -> Any:
    """The cosine."""
    return jnp.cos(input)


def Tan(input: Any) -> Any:
    """The tangent."""
    return jnp.tan(input)


def Asin(input: Any) -> Any:
    """The angle of a sine."""
    return jnp.arcsin(input)


def Acos(input: Any) -> Any:
    """The angle of a cosine."""
    return jnp.arccos(input)


def Atan(input: Any) -> Any:
    """The angle of a tangent."""
    return jnp.arctan(input)


def Sinh(input: Any) -> Any:
    """The hyperbolic sine."""
    return jnp.sinh(input)


def Cosh(input: Any) -> Any:
    """The hyperbolic cosine."""
    return jnp.cosh(input)


def Tanh(input: Any) -> Any:
    """The hyperbolic tangent."""
    return jnp.tanh(input)


def Asinh(input: Any) -> Any:
    """The inverse of the hyperbolic sine."""
    return jnp.arcsinh(input)


def Acosh(input: Any) -> Any:
    """The inverse of the hyperbolic cosine."""
    return jnp.arccosh(input)


def Atanh(input: Any) -> Any:
    """The inverse of the hyperbolic tangent."""
    return jnp.arctanh(input)
