"""Checks that layers make of their inputs' shapes, with sentences a person can act on."""

from typing import Any

import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError


def expect_axes(x: Any, axes: str, *, least: bool = False) -> None:
    """Raises unless `x` has the named axes, e.g. `"batch height width channels"`; with `least`, more may stand in front."""
    names = axes.split()
    wanted = f"({', '.join(names)})"
    if (len(x.shape) < len(names)) if least else (len(x.shape) != len(names)):
        more = "at least " if least else ""
        raise ShapeError(
            f"expected {more}{len(names)} axes {wanted}, got shape {tuple(x.shape)}",
            fix="reshape the input or use the layer for its number of axes",
        )


def expect_floating(x: Any) -> None:
    """Raises unless `x` is of a floating dtype."""
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ShapeError(
            f"expected floating-point input, got {x.dtype} of shape {tuple(x.shape)}",
            fix="cast or scale the data, or put an Embedding in front for integer tokens",
        )


def expect_integer(x: Any) -> None:
    """Raises unless `x` is of an integer dtype."""
    if not jnp.issubdtype(x.dtype, jnp.integer):
        raise ShapeError(f"expected integer input, got {x.dtype} of shape {tuple(x.shape)}", fix="feed token ids")


def expect_same_shape(what: str, a: Any, b: Any) -> None:
    """Raises unless two arrays have equal shapes; `what` names the operation that needs it."""
    if a.shape != b.shape:
        raise ShapeError(f"{what} needs equal shapes, got {tuple(a.shape)} and {tuple(b.shape)}")
