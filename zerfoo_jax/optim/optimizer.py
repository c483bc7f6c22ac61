"""What all optimizers share: their form, the way their options are checked, and the last links of their chains."""

from collections.abc import Callable, Collection
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeAlias

import jax
import jax.numpy as jnp
import optax

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import NonNegativeFloat
from zerfoo_jax.core.types import Tree
from zerfoo_jax.optim.leaves import named_leaves
from zerfoo_jax.optim.plateau import MeasuredSchedule
from zerfoo_jax.optim.schedule import Schedule
from zerfoo_jax.optim.transformation import transformation

Optimizer: TypeAlias = optax.GradientTransformation
"""Pure functions `init(params)` and `update(gradients, state, params)`."""
Rate: TypeAlias = NonNegativeFloat | Schedule
Options = ParamSpec("Options")


def optimizer(
    function: Callable[Concatenate[Rate, Options], optax.GradientTransformation],
) -> Callable[Concatenate[Rate, Options], Optimizer]:
    """Makes a member of OPTIMIZERS of a function `(learning_rate, *, options)` that gives an optax transformation.

    Its options are checked, it mixes dtypes as optax does, and it follows schedules that look at the loss.
    """
    make = checked(function)

    @wraps(function)
    def member(learning_rate: Rate, *given: Options.args, **options: Options.kwargs) -> Optimizer:
        made = make(learning_rate, *given, **options)
        if isinstance(learning_rate, MeasuredSchedule):
            made = optax.chain(made, learning_rate.scaling())
        return promoting(made)

    return member


def descending(
    direction: optax.GradientTransformation,
    learning_rate: Rate,
    weight_decay: float,
    decayed: Collection[str],
) -> optax.GradientTransformation:
    """p <- p - rate (u + weight_decay p) for the direction u; the decay on the leaves named in `decayed` alone.

    The decay is decoupled (Loshchilov & Hutter, arXiv 1711.05101): it does not pass through what makes u of the gradient.
    """
    decay = optax.add_decayed_weights(weight_decay, mask=lambda params: named_leaves(params, decayed))
    return optax.chain(direction, decay, optax.scale_by_learning_rate(learning_rate))


def promoting(inner: optax.GradientTransformation) -> Optimizer:
    """The same, whatever the caller's rule for mixing dtypes is: optax mixes integers with floats.

    Its update takes `value`, `grad` and `value_fn` too, for those optimizers that look at the loss itself.
    """
    extended = optax.with_extra_args_support(inner)

    def init(params: Tree) -> Any:
        with jax.numpy_dtype_promotion("standard"):
            state = inner.init(params)
        # Copies: the step donates its state, so no array may stand in two places. And with dtypes of their own, not Python's:
        # otherwise the second step would be compiled anew.
        return jax.tree.map(lambda x: jnp.array(x, jnp.result_type(x)), state)

    def update(updates: Tree, state: Any, params: Tree = None, **measured: Any) -> tuple[Tree, Any]:
        with jax.numpy_dtype_promotion("standard"):
            return extended.update(updates, state, params, **measured)

    return transformation(init, update, measures=True)
