"""Several optimizers on one tree of parameters, each with leaves of its own."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax

from zerfoo_jax.core.types import Tree
from zerfoo_jax.optim.transformation import transformation


def partitioned(
    members: Mapping[str, optax.GradientTransformation], labels: Callable[[Tree], Tree]
) -> optax.GradientTransformation:
    """Each leaf is in the hands of the member that `labels(params)` names at its place.

    The state is a dict of the members' states; to a member the leaves of the others do not exist. As optax's `partition`, but
    a member that looks at the loss sees it as a function of its own leaves.
    """
    extended = {name: optax.with_extra_args_support(member) for name, member in members.items()}

    def init(params: Tree) -> dict[str, Any]:
        chosen = labels(params)
        return {name: member.init(_only(params, chosen, name)) for name, member in extended.items()}

    def update(grads: Tree, state: dict[str, Any], params: Tree, **measured: Any) -> tuple[Tree, dict[str, Any]]:
        chosen = labels(params)
        parts, new = {}, {}
        for name, member in extended.items():
            seen = _seen(measured, params, chosen, name)
            own = (_only(grads, chosen, name), state[name], _only(params, chosen, name))
            parts[name], new[name] = member.update(*own, **seen)
        return _merged(chosen, parts), new

    return transformation(init, update, measures=True)


def _only(tree: Tree, labels: Tree, name: str) -> Tree:
    return jax.tree.map(lambda label, leaf: leaf if label == name else optax.MaskedNode(), labels, tree)


def _merged(labels: Tree, parts: Mapping[str, Tree]) -> Tree:
    names = list(parts)
    return jax.tree.map(lambda label, *leaves: leaves[names.index(label)], labels, *parts.values())


def _seen(measured: Mapping[str, Any], params: Tree, labels: Tree, name: str) -> dict[str, Any]:
    """What a member is told of the loss: the gradient of its own leaves, and the loss with the others' leaves held still."""
    seen = dict(measured)
    if "grad" in measured:
        seen["grad"] = _only(measured["grad"], labels, name)
    if "value_fn" in measured:
        whose = jax.tree.map(lambda label: "own" if label == name else "others", labels)
        others = _only(params, whose, "others")
        seen["value_fn"] = lambda own: measured["value_fn"](_merged(whose, {"own": own, "others": others}))
    return seen
