"""How the project's own gradient transformations are made."""

from collections.abc import Callable
from typing import Any

import optax

from zerfoo_jax.core.types import Tree


def transformation(
    init: Callable[[Tree], Any], update: Callable[..., tuple[Tree, Any]], *, measures: bool = False
) -> optax.GradientTransformation:
    """Of `init(params)` and `update(updates, state, params)`; one that `measures` is also given what is known of the loss.

    That is `value`, `grad` and `value_fn`, by name. The parameters are always given, where optax leaves that open.
    """
    kind = optax.GradientTransformationExtraArgs if measures else optax.GradientTransformation
    return kind(init, update)  # type: ignore[arg-type] - optax's protocol has `params` optional


def stateless(update: Callable[[Tree, Tree], Tree]) -> optax.GradientTransformation:
    """Of `update(updates, params)` alone."""
    return transformation(optax.init_empty_state, lambda updates, state, params: (update(updates, params), state))
