"""Groups of parameters with optimizers of their own, chosen by patterns of their paths."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax

from zerfoo_jax.core.types import Tree
from zerfoo_jax.optim.leaves import expect_matches, first_match
from zerfoo_jax.optim.optimizer import Optimizer, promoting
from zerfoo_jax.optim.partition import partitioned
from zerfoo_jax.optim.transformation import transformation


def grouped(
    optimizer: Optimizer,
    groups: Mapping[str, Optimizer | None],
    *,
    around: Callable[[Optimizer], Optimizer] = lambda inside: inside,
) -> Optimizer:
    """An optimizer for each group of parameters, `optimizer` for those that no pattern matches.

    A leaf's path is the names to it joined by `/`, such as `stem/conv_0/kernel`; in a pattern `*` stands for any part of a
    name and `**` for any number of names. The first pattern that matches counts. A group without an optimizer (None) is
    frozen. `around` wraps what all other groups do together, such as a clip of their common norm, which frozen leaves are no
    part of.

    Raises `ConfigError` at `init` for a pattern that is the first match of nothing, with the nearest paths.

    >>> from zerfoo_jax.optim import sgd
    >>> params = {"head": {"kernel": 1.0}, "stem": {"kernel": 1.0}, "neck": {"kernel": 1.0}}
    >>> both = grouped(sgd(0.1), {"head/*": sgd(0.5), "stem/**": None})
    >>> updates, _ = both.update(params, both.init(params), params)
    >>> {name: round(float(leaf["kernel"]), 1) for name, leaf in updates.items()}
    {'head': -0.5, 'neck': -0.1, 'stem': 0.0}
    """
    patterns = list(groups)
    moving = {"default": optimizer, **{p: member for p, member in groups.items() if member is not None}}

    def labels(params: Tree) -> Tree:
        return jax.tree.map(lambda i: patterns[i] if i >= 0 else "default", first_match(params, patterns))

    def moves(params: Tree) -> Tree:
        return jax.tree.map(lambda label: "moving" if label in moving else "frozen", labels(params))

    inside = around(partitioned(moving, labels))
    made = partitioned({"moving": inside, "frozen": optax.set_to_zero()}, moves)

    def init(params: Tree) -> Any:
        expect_matches(params, patterns)
        return made.init(params)

    return promoting(transformation(init, made.update, measures=True))
